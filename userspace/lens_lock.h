/* SPDX-License-Identifier: GPL-2.0 */
/* lens_lock - what a lock that the lens tells of is called; for lens_*.c only */
#ifndef LENS_LOCK_H
#define LENS_LOCK_H

#include <stdint.h>

struct proc_map;

/**
 * lens_lock_name() - "pthread mutex 0x...", rwlock, or "semaphore 0x..."
 * @map: the mapping that it is in, or NULL
 * @lock: its address, and what it is, as the kernel tells it (bpf/lens_abi.h)
 *
 * Return: to be freed; of shared memory it tells which, too.
 */
char *lens_lock_name(const struct proc_map *map, uint64_t lock);

#endif /* LENS_LOCK_H */
