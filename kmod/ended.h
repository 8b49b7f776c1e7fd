/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ended - what is known of a wait that has ended.
 */
#ifndef _GL_ENDED_H
#define _GL_ENDED_H

#include "count.h"

/**
 * struct gl_ended - a wait that has ended
 */
struct gl_ended {
	/** @res: what it was for, as at its begin */
	struct gl_resource res;
	/** @begin_ns: when it began; ns, CLOCK_MONOTONIC */
	u64 begin_ns;
	/**
	 * @queued_ns: from when on the kernel had it in the lock's queue, for sure; 0: it
	 * is not known to have come to that
	 */
	u64 queued_ns;
	/** @wait_ns: how long it was; ns; gl_end() fills it in */
	u64 wait_ns;
	/**
	 * @owner_tid: who held the lock when the wait began; with holds=1, where that is
	 * unknown, who released it last; 0: unknown
	 */
	s32 owner_tid;
	/** @owner_tgid: its process */
	s32 owner_tgid;
	/** @ret: 0, or why the lock was not taken */
	int ret;
	/** @flags: GL_WAIT_* bits */
	u16 flags;
	/** @held: a spinlock: it was somebody's at its begin; known with holds=1 alone */
	bool held;
	/** @in_task: the current task waited, not an interrupt */
	bool in_task;
};

#endif /* _GL_ENDED_H */
