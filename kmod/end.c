// SPDX-License-Identifier: GPL-2.0
/*
 * end - hands each wait that has ended on to those who count and tell it.
 */
#include "end.h"

#include <linux/ktime.h>

#include "event.h"
#include "group.h"
#include "tell.h"

/**
 * gl_end() - a wait has ended
 * @cpu: this CPU
 * @ended: the wait; its length is filled in
 *
 * Context: any, preemption disabled, inside gl_cpu_enter(); the waiter's own.
 */
notrace void gl_end(struct gl_cpu *cpu, struct gl_ended *ended)
{
	s64 wait_ns = ktime_get_mono_fast_ns() - ended->begin_ns;

	if (wait_ns < 0) {
		wait_ns = 0;
		gl_event_inc(GL_EVENT_CLOCK_CLAMPED);
	}
	ended->wait_ns = wait_ns;
	gl_count_end(cpu, &ended->res, wait_ns, ended->ret < 0);
	gl_group_end(cpu, ended);
	gl_tell_end(ended);
}
