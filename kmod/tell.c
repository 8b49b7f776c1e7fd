// SPDX-License-Identifier: GPL-2.0
/*
 * tell - fires the trace events.
 *
 * gridlock_wait_end is fired where the kernel fires contention_end, which is a
 * trace event that may be recorded itself: recording one there is safe in every
 * context that the probe can be in. It is fired inside gl_cpu_enter(): a wait
 * that the recording causes in this very context is turned away, and counted as
 * lost, so that no event can ever cause another.
 */
#include "tell.h"

#include <linux/rcupdate.h>

#include "event.h"
#include "snapshot.h"

#define CREATE_TRACE_POINTS
#include "gridlock_trace.h"

unsigned long gl_trace_ns = GL_DEFAULT_TRACE_NS;

static const char kind_names[GL_NR_KINDS][GL_TRACE_KIND_LEN] = {
#define GL_KIND_NAME(name, string)	string,
	GL_KIND_LIST(GL_KIND_NAME)
#undef GL_KIND_NAME
};

/**
 * gl_tell_ended() - fire gridlock_wait_end
 * @ended: a wait over the threshold
 *
 * Context: as gl_end().
 */
notrace void gl_tell_ended(const struct gl_ended *ended)
{
	if (!rcu_is_watching()) {
		gl_event_inc(GL_EVENT_UNTOLD);
		return;
	}
	trace_gridlock_wait_end(kind_names[ended->res.kind],
				gl_snapshot_id(ended->res.lock, ended->res.space), ended);
}

/**
 * gl_tell_lasting() - fire gridlock_wait_lasts
 * @rec: a wait in flight, over the threshold
 * @wait_ns: how long it has lasted; ns
 *
 * Context: process.
 */
void gl_tell_lasting(const struct gl_wait_record *rec, u64 wait_ns)
{
	trace_gridlock_wait_lasts(kind_names[rec->kind], rec, wait_ns);
}
