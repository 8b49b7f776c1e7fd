// SPDX-License-Identifier: GPL-2.0
/* lens_sems - which semaphores are locks (lens_sems.h) */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <time.h>

#include "bpf/lens_abi.h"
#include "lens.skel.h"
#include "lens_sems.h"
#include "text.h"

/*
 * Rows that a CPU keeps for itself to have some at hand, which the others lack then:
 * LOCAL_FREE_TARGET in the kernel's bpf_lru_list.c. It is as many in the smallest map, but
 * in the latest kernels: where there are many CPUs, rows would be forgotten though most
 * are free.
 */
#define ROWS_OF_CPU	128

void lens_sems_prepare(struct lens_bpf *skel, int nr_cpus)
{
	bpf_map__set_max_entries(skel->maps.sems, LENS_MAX_SEMS + ROWS_OF_CPU * nr_cpus);
}

/* Times that the clocks are read: another task may run in between, but not each time. */
#define CLOCK_READINGS	5

/*
 * The one clock is read before the other: so no call seems to end before its time for
 * that. Of several readings the one that took least is the closest.
 */
void lens_sems_tell_clock(struct lens_bpf *skel)
{
	uint64_t least_ns = UINT64_MAX;
	int64_t ahead_ns = 0;

	for (int i = 0; i < CLOCK_READINGS; i++) {
		uint64_t before = now_ns(), took;
		struct timespec ts;

		clock_gettime(CLOCK_REALTIME, &ts);
		took = now_ns() - before;
		if (took >= least_ns)
			continue;
		least_ns = took;
		ahead_ns = ts.tv_sec * 1000000000LL + ts.tv_nsec - (int64_t)before;
	}
	__atomic_store_n(&skel->bss->lens_realtime_ns, ahead_ns, __ATOMIC_RELAXED);
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
