/* SPDX-License-Identifier: GPL-2.0 */
/*
 * tell - waits that last, as trace events for ftrace, perf and BPF.
 *
 * An event at the begin of a wait cannot know how long it will be. A wait over
 * the threshold is told when it ends, with the moment it began; and one that
 * does not end is told when somebody takes a snapshot of the waits in flight.
 */
#ifndef _GL_TELL_H
#define _GL_TELL_H

#include <linux/tracepoint-defs.h>

#include "ended.h"

DECLARE_TRACEPOINT(gridlock_wait_end);
DECLARE_TRACEPOINT(gridlock_wait_lasts);

/* Parameter. */
extern unsigned long gl_trace_ns;

void gl_tell_ended(const struct gl_ended *ended);
void gl_tell_lasting(const struct gl_wait_record *rec, u64 wait_ns);

/**
 * gl_tell_end() - tell of a wait that has ended, if somebody listens
 * @ended: the wait
 *
 * Context: as gl_end().
 */
static __always_inline void gl_tell_end(const struct gl_ended *ended)
{
	if (tracepoint_enabled(gridlock_wait_end) && ended->wait_ns >= READ_ONCE(gl_trace_ns))
		gl_tell_ended(ended);
}

/**
 * gl_tell_in_flight() - tell of a wait that a snapshot finds, if somebody listens
 * @rec: the wait
 * @now_ns: moment it was found; ns, CLOCK_MONOTONIC
 *
 * Context: process.
 */
static inline void gl_tell_in_flight(const struct gl_wait_record *rec, u64 now_ns)
{
	if (tracepoint_enabled(gridlock_wait_lasts) && now_ns > rec->begin_ns &&
	    now_ns - rec->begin_ns >= READ_ONCE(gl_trace_ns))
		gl_tell_lasting(rec, now_ns - rec->begin_ns);
}

#endif /* _GL_TELL_H */
