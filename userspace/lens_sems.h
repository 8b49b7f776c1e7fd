/* SPDX-License-Identifier: GPL-2.0 */
/* lens_sems - which semaphores are locks, as the programs in the kernel saw; for lens_*.c only */
#ifndef LENS_SEMS_H
#define LENS_SEMS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct lens_bpf;

/** lens_sems_tell_clock() - tell the programs what CLOCK_REALTIME is by now, which they have not */
void lens_sems_tell_clock(struct lens_bpf *skel);

/**
 * lens_sems_is_lock() - is what a thread took or asked for a lock
 * @lock: its address in process @tgid, and what it is (bpf/lens_abi.h)
 * @nr_missed: calls missed, and doubts, when the thread's epoch began
 *
 * Return: true, if it is no semaphore; of one, if it was seen to be a lock since then.
 */
bool lens_sems_is_lock(const struct lens_bpf *skel, pid_t tgid, uint64_t lock,
		       uint64_t nr_missed);

#endif /* LENS_SEMS_H */
