// SPDX-License-Identifier: GPL-2.0
/* lens_lock - what a lock that the lens tells of is called (lens_lock.h) */
#include "bpf/lens_abi.h"
#include "lens_lock.h"
#include "proc.h"
#include "xalloc.h"

char *lens_lock_name(const struct proc_map *map, uint64_t lock)
{
	const char *kind = lock & LENS_IS_SEM ? "semaphore" :
			   lock & LENS_IS_RWLOCK ? "pthread rwlock" : "pthread mutex";
	unsigned long long addr = lock & LENS_ADDR;

	if (map && map->shared && *map->path)
		return xasprintf("%s 0x%llx (shared memory %s)", kind, addr, map->path);
	return xasprintf("%s 0x%llx", kind, addr);
}
