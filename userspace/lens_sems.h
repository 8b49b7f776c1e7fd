/* SPDX-License-Identifier: GPL-2.0 */
/* lens_sems - which semaphores are locks, as the programs in the kernel saw; for lens_*.c only */
#ifndef LENS_SEMS_H
#define LENS_SEMS_H

#include <stdint.h>
#include <sys/types.h>

struct lens_bpf;

/** lens_sems_prepare() - of programs that are not loaded yet: make room on as many CPUs */
void lens_sems_prepare(struct lens_bpf *skel, int nr_cpus);

/** lens_sems_tell_clock() - tell the programs what CLOCK_REALTIME is by now, which they have not */
void lens_sems_tell_clock(struct lens_bpf *skel);

/**
 * enum lens_use - what a semaphore is used as
 * @LENS_USE_UNKNOWN: it may be a lock, and may be none
 * @LENS_USE_OTHER: it was seen to be no lock
 * @LENS_USE_LOCK: it was seen to be one
 */
enum lens_use {
	LENS_USE_UNKNOWN,
	LENS_USE_OTHER,
	LENS_USE_LOCK,
};

/**
 * lens_sems_use() - what was that which a thread took or asked for?
 * @lock: its address in process @tgid, and what it is (bpf/lens_abi.h)
 * @nr_missed: calls missed, and doubts, when the thread's epoch began: of a semaphore
 *	what was seen since then counts
 */
enum lens_use lens_sems_use(const struct lens_bpf *skel, pid_t tgid, uint64_t lock,
			    uint64_t nr_missed);

#endif /* LENS_SEMS_H */
