// SPDX-License-Identifier: GPL-2.0
/* lens_sems - which semaphores are locks (lens_sems.h) */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include "bpf/lens_abi.h"
#include "lens.skel.h"
#include "lens_sems.h"
#include "text.h"

void lens_sems_tell_clock(struct lens_bpf *skel)
{
	struct timespec ts;
	uint64_t ns;

	clock_gettime(CLOCK_REALTIME, &ts);
	ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
	__atomic_store_n(&skel->bss->lens_realtime_ns, (int64_t)(ns - now_ns()), __ATOMIC_RELAXED);
}

enum lens_use lens_sems_use(const struct lens_bpf *skel, pid_t tgid, uint64_t lock,
			    uint64_t nr_missed)
{
	struct lens_lock_key key = { .addr = lock & LENS_ADDR, .tgid = tgid };
	struct lens_sem sem;

	if (!(lock & LENS_IS_SEM))
		return LENS_USE_LOCK;
	if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.sems), &key, &sem) ||
	    sem.nr_missed != nr_missed)
		return LENS_USE_UNKNOWN;
	if (sem.nobodys)
		return LENS_USE_OTHER;
	return sem.nr_own ? LENS_USE_LOCK : LENS_USE_UNKNOWN;
}
