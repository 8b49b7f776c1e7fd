/* SPDX-License-Identifier: GPL-2.0 */
/*
 * turn_table - the locks that are looked at and the tasks that wait for them: for
 * turn.c, which counts, and turn_file.c, which chooses, shows and forgets. For these
 * alone.
 */
#ifndef _GL_TURN_TABLE_H
#define _GL_TURN_TABLE_H

#include <linux/atomic.h>
#include <linux/types.h>

#include "limits.h"

/**
 * struct gl_turn_task - a task and its waits for a lock; a cache line
 *
 * Only the task itself writes here, once its key is in gl_turn_lock.key; it is freed
 * when the task is gone.
 */
struct gl_turn_task {
	/** @start_ns: the task's start time; ns since boot */
	u64 start_ns;
	/** @waited_ns: all its waits that have ended; ns */
	u64 waited_ns;
	/** @tid: the task, in the initial PID namespace; 0: not filled yet */
	s32 tid;
	/** @nr_turns: of these, those that ended with the lock */
	u32 nr_turns;
	/** @nr_overtaken: turns of others during these, whose waits had begun later */
	u32 nr_overtaken;
} __aligned(64);

/**
 * struct gl_turn_lock - a lock that is looked at
 *
 * A wait is counted if it has begun since @since_ns, at its begin and at its end or
 * not at all.
 */
struct gl_turn_lock {
	/** @since_ns: from when on; ns, CLOCK_MONOTONIC. Constant while the lock is here */
	u64 since_ns;
	/** @nr_begun: waits that began; probes */
	atomic_t nr_begun;
	/** @nr_turns: those that ended with the lock; probes, before @nr_ended */
	atomic_t nr_turns;
	/** @nr_ended: those that are over; probes */
	atomic_t nr_ended;
	/** @nr_tasks: tasks that waited, at least once each; probes */
	atomic_t nr_tasks;
	/** @seen_ended: @nr_ended when it was last seen to change; protected by turn_mutex */
	u32 seen_ended;
	/** @seen_ns: when that was; ns, CLOCK_MONOTONIC; protected by turn_mutex */
	u64 seen_ns;
	/** @unused: RCU's state when it was given up; protected by turn_mutex */
	unsigned long unused;
	/** @key: [task] the task as a number, 0: free; claimed by cmpxchg */
	atomic64_t key[GL_TURN_TASKS] __aligned(64);
	/** @task: what is known of them */
	struct gl_turn_task task[GL_TURN_TASKS];
};

/* [GL_TURN_LOCKS] key of the lock in each place, gl_row_key(); 0: none. turn_mutex */
extern u64 *gl_turn_keys;
/* [GL_TURN_LOCKS] */
extern struct gl_turn_lock *gl_turn_locks;

#endif /* _GL_TURN_TABLE_H */
