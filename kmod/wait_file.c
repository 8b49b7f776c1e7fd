// SPDX-License-Identifier: GPL-2.0
/*
 * wait_file - waits for locks on files, and for leases.
 *
 * Everything here is done by the waiting task itself, as in wait.c.
 */
#include <linux/atomic.h>

#include "count.h"
#include "event.h"
#include "wait.h"
#include "wait_own.h"

atomic_t gl_file_waiters[1 << GL_FILE_WAITERS_BITS];

/**
 * gl_wait_begin_file() - a wait for a file lock or lease begins, or goes on
 * @cpu: this CPU
 * @res: what it is for
 * @flags: GL_WAIT_SHARED, GL_WAIT_TIMED_KNOWN
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_begin_file(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags)
{
	if (gl_wait_open(cpu, res, flags))
		atomic_inc(gl_file_waiters_here());
}

/* A task is in one such wait at most: a new one drops what is left of another. */
static __always_inline struct gl_slot *find_file(void)
{
	struct gl_slot *found[GL_TASK_SLOTS] __uninitialized;
	u32 nr = gl_waittab_find(&gl_waits, gl_wait_me(), GL_SLOT_LIVE, found), i;

	for (i = 0; i < nr; i++)
		if (gl_is_file_kind(found[i]->kind))
			return found[i];
	return NULL;
}

/**
 * gl_wait_in_file() - is the current task in a wait for a file lock or lease?
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if one is recorded.
 */
notrace bool gl_wait_in_file(void)
{
	return find_file();
}

/**
 * gl_wait_file_since() - when the current task's wait for a file lock or lease began
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: ns, CLOCK_MONOTONIC; 0: none is recorded.
 */
notrace u64 gl_wait_file_since(void)
{
	const struct gl_slot *slot = find_file();

	return slot ? slot->begin_ns : 0;
}

/**
 * gl_wait_missed_file() - a wait for a file lock or lease is over, unseen
 * @cpu: this CPU
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_missed_file(struct gl_cpu *cpu)
{
	struct gl_slot *slot = find_file();

	if (slot)
		gl_wait_drop(cpu, slot, GL_EVENT_LOST_END_MISSED);
}

/**
 * gl_wait_end_file() - a wait for a file lock or lease ends
 * @cpu: this CPU
 * @res: what it was for; NULL: whatever it was
 * @ret: 0, or why it was not taken
 *
 * A task that is done with another file lock than it was known to wait for is
 * past that wait as well, and its end was missed.
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if the task was in such a wait.
 */
notrace bool gl_wait_end_file(struct gl_cpu *cpu, const struct gl_resource *res, int ret)
{
	struct gl_slot *slot = find_file();

	if (!slot)
		return false;
	if (res && !gl_wait_is_for(slot, res)) {
		gl_wait_drop(cpu, slot, GL_EVENT_LOST_END_MISSED);
		return false;
	}
	gl_wait_close(cpu, slot, ret);
	atomic_dec(gl_file_waiters_here());
	return true;
}
