/* SPDX-License-Identifier: GPL-2.0 */
/*
 * end - what is done with each wait that has ended: it is counted by kind and
 * lock, by task, owner, cgroup and caller, and told as a trace event.
 */
#ifndef _GL_END_H
#define _GL_END_H

#include <linux/timekeeping.h>

#include "count.h"
#include "ended.h"
#include "event.h"
#include "group.h"
#include "release.h"
#include "tell.h"

/**
 * gl_end() - a wait has ended
 * @cpu: this CPU
 * @ended: the wait; its length is filled in
 *
 * Context: any, preemption disabled, inside gl_cpu_enter(); the waiter's own.
 */
static __always_inline void gl_end(struct gl_cpu *cpu, struct gl_ended *ended)
{
	s64 wait_ns = ktime_get_mono_fast_ns() - ended->begin_ns;

	if (wait_ns < 0) {
		wait_ns = 0;
		gl_event_inc(GL_EVENT_CLOCK_CLAMPED);
	}
	ended->wait_ns = wait_ns;
	gl_count_end(cpu, &ended->res, wait_ns, ended->ret);
	if (static_branch_unlikely(&gl_holding))
		gl_release_end(cpu, ended);
	if (static_branch_unlikely(&gl_grouping))
		gl_group_end(cpu, ended);
	gl_tell_end(ended);
}

#endif /* _GL_END_H */
