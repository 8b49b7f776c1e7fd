/* SPDX-License-Identifier: GPL-2.0 */
/*
 * event - per-CPU counters of what the probes did and what they lost.
 */
#ifndef _GL_EVENT_H
#define _GL_EVENT_H

#include <linux/percpu.h>
#include <linux/types.h>

/* What event_list.h lists; see there for each. */
enum gl_event {
#define GL_EVENT(name, text)	GL_EVENT_##name,
#include "event_list.h"
#undef GL_EVENT
	GL_NR_EVENTS
};

/**
 * struct gl_events - event counters of one CPU
 */
struct gl_events {
	/**
	 * @nr: by enum gl_event; written by its own CPU with single-instruction
	 * additions, which neither an interrupt nor an NMI can tear
	 */
	unsigned long nr[GL_NR_EVENTS];
};

DECLARE_PER_CPU(struct gl_events, gl_events);

extern const char *const gl_event_names[GL_NR_EVENTS];

/**
 * gl_event_inc() - count one event on this CPU
 * @event: which
 *
 * Context: any, NMI included.
 */
static __always_inline void gl_event_inc(enum gl_event event)
{
	this_cpu_inc(gl_events.nr[event]);
}

/**
 * gl_event_add() - add to a counter of this CPU
 * @event: which
 * @n: how much
 *
 * Context: any, NMI included.
 */
static __always_inline void gl_event_add(enum gl_event event, unsigned long n)
{
	this_cpu_add(gl_events.nr[event], n);
}

u64 gl_event_sum(enum gl_event event);
u64 gl_event_lost_begins(void);
u64 gl_event_lost_ends(void);

#endif /* _GL_EVENT_H */
