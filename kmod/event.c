// SPDX-License-Identifier: GPL-2.0
/*
 * event - sums the per-CPU event counters for the readers. Nothing is lost
 * silently: what a probe does not record it counts here, under its reason.
 */
#include "event.h"

#include <linux/cpumask.h>

DEFINE_PER_CPU(struct gl_events, gl_events);

const char *const gl_event_names[GL_NR_EVENTS] = {
#define GL_EVENT(name, text)	[GL_EVENT_##name] = text,
#include "event_list.h"
#undef GL_EVENT
};

/**
 * gl_event_sum() - how often an event was counted since load, on all CPUs
 * @event: which
 *
 * Context: any. The CPUs are read one after another, so that the sum is not
 * of one instant.
 *
 * Return: the number.
 */
u64 gl_event_sum(enum gl_event event)
{
	u64 sum = 0;
	int cpu;

	/* READ_ONCE: other CPUs add meanwhile; any value read is a past one. */
	for_each_possible_cpu(cpu)
		sum += READ_ONCE(per_cpu(gl_events, cpu).nr[event]);
	return sum;
}

/**
 * gl_event_lost_begins() - begin events that were not recorded since load
 *
 * Calls of futex_waitv() are none of these: whether one waits is not seen.
 *
 * Context: any.
 *
 * Return: the number.
 */
u64 gl_event_lost_begins(void)
{
	return gl_event_sum(GL_EVENT_LOST_NO_SLOT) +
	       gl_event_sum(GL_EVENT_LOST_NOT_STAGED) +
	       gl_event_sum(GL_EVENT_LOST_CONTEXT) +
	       gl_event_sum(GL_EVENT_LOST_RECURSION_BEGIN);
}

/**
 * gl_event_lost_ends() - end events that were dropped since load
 *
 * A dropped end is not the same as a lost wait: the wait is counted lost when
 * the module finds out that it must have ended.
 *
 * Context: any.
 *
 * Return: the number.
 */
u64 gl_event_lost_ends(void)
{
	return gl_event_sum(GL_EVENT_LOST_RECURSION_END) +
	       gl_event_sum(GL_EVENT_LOST_END_DROPPED);
}
