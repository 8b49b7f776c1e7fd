/* SPDX-License-Identifier: GPL-2.0 */
/*
 * gridlock_trace - the module's own trace events, and what is in them: the kind as
 * users see it, the lock's identity as in locks.bin and waits.bin, all times in
 * ns of CLOCK_MONOTONIC, flags as in gl_wait_record.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM gridlock

#if !defined(_GL_GRIDLOCK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define _GL_GRIDLOCK_TRACE_H

#include <linux/sched.h>
#include <linux/tracepoint.h>

#include "end.h"

/* The longest kind that the module records is "rwlock-rt:R". */
#define GL_TRACE_KIND_LEN	12

TRACE_EVENT(gridlock_wait_end,

	TP_PROTO(const char *kind, u64 lock, const struct gl_ended *ended),

	TP_ARGS(kind, lock, ended),

	TP_STRUCT__entry(
		__array(char, kind, GL_TRACE_KIND_LEN)
		__field(u64, lock)
		__field(u64, begin_ns)
		__field(u64, wait_ns)
		__field(pid_t, tid)
		__field(pid_t, owner_tid)
		__field(int, ret)
		__field(u32, flags)
	),

	TP_fast_assign(
		memcpy(__entry->kind, kind, GL_TRACE_KIND_LEN);
		__entry->lock = lock;
		__entry->begin_ns = ended->begin_ns;
		__entry->wait_ns = ended->wait_ns;
		__entry->tid = ended->in_task ? current->pid : 0;
		__entry->owner_tid = ended->owner_tid;
		__entry->ret = ended->ret;
		__entry->flags = ended->flags;
	),

	TP_printk("kind=%s lock=%016llx tid=%d owner_tid=%d begin_ns=%llu wait_ns=%llu ret=%d flags=0x%x",
		  __entry->kind, __entry->lock, __entry->tid, __entry->owner_tid,
		  __entry->begin_ns, __entry->wait_ns, __entry->ret, __entry->flags)
);

TRACE_EVENT(gridlock_wait_lasts,

	TP_PROTO(const char *kind, const struct gl_wait_record *rec, u64 wait_ns),

	TP_ARGS(kind, rec, wait_ns),

	TP_STRUCT__entry(
		__array(char, kind, GL_TRACE_KIND_LEN)
		__field(u64, lock)
		__field(u64, begin_ns)
		__field(u64, wait_ns)
		__field(pid_t, tid)
		__field(pid_t, owner_tid)
		__field(u32, flags)
		__field(u32, owner_state)
	),

	TP_fast_assign(
		memcpy(__entry->kind, kind, GL_TRACE_KIND_LEN);
		__entry->lock = rec->res_id;
		__entry->begin_ns = rec->begin_ns;
		__entry->wait_ns = wait_ns;
		__entry->tid = rec->tid;
		__entry->owner_tid = rec->owner_tid;
		__entry->flags = rec->flags;
		__entry->owner_state = rec->owner_state;
	),

	TP_printk("kind=%s lock=%016llx tid=%d owner_tid=%d begin_ns=%llu wait_ns=%llu owner_state=%u flags=0x%x",
		  __entry->kind, __entry->lock, __entry->tid, __entry->owner_tid,
		  __entry->begin_ns, __entry->wait_ns, __entry->owner_state, __entry->flags)
);

#endif /* _GL_GRIDLOCK_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE gridlock_trace
#include <trace/define_trace.h>
