// SPDX-License-Identifier: GPL-2.0
/*
 * turn - counts the turns of those who wait for locks that are looked at (turn.h).
 *
 * Everything here is done by the waiting task itself, as in wait.c.
 */
#include "turn.h"

#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "count.h"
#include "event.h"
#include "turn_table.h"
#include "waittab.h"

static_assert(sizeof(struct gl_turn_task) == 64);

/* Read at the begin and the end of every wait for a kernel lock; see turn_file.c. */
bool gl_turns_on;

u64 *gl_turn_keys;
struct gl_turn_lock *gl_turn_locks;

/* The lock of a slot's wait, if that is looked at. */
static __always_inline struct gl_turn_lock *find_lock(const struct gl_slot *slot)
{
	u64 key = gl_row_key(slot->kind, slot->lock);
	u32 home = hash_64(key, ilog2(GL_TURN_LOCKS)), n;

	for (n = 0; n < GL_TURN_WINDOW; n++) {
		u32 place = (home + n) & (GL_TURN_LOCKS - 1);

		/* Acquire: pairs with the release in claim_place(): the rest is filled. */
		if (smp_load_acquire(&gl_turn_keys[place]) == key)
			return &gl_turn_locks[place];
	}
	return NULL;
}

/*
 * The current task's own, NULL if it has none. One that is gone keeps its place till
 * the next collection, and another one may have its address by then.
 */
static __always_inline struct gl_turn_task *find_task(struct gl_turn_lock *lock)
{
	u64 me = (u64)(unsigned long)current;
	u32 n;

	for (n = 0; n < GL_TURN_TASKS; n++)
		if ((u64)atomic64_read(&lock->key[n]) == me &&
		    lock->task[n].start_ns == current->start_boottime)
			return &lock->task[n];
	return NULL;
}

static __always_inline void claim_task(struct gl_turn_lock *lock)
{
	u64 me = (u64)(unsigned long)current;
	u32 n;

	/* One that finds no place is told each time: there may be that many of them. */
	atomic_inc(&lock->nr_tasks);
	for (n = 0; n < GL_TURN_TASKS; n++) {
		struct gl_turn_task *task = &lock->task[n];

		if (atomic64_read(&lock->key[n]) || atomic64_cmpxchg(&lock->key[n], 0, me))
			continue;
		task->start_ns = current->start_boottime;
		task->waited_ns = 0;
		task->nr_turns = 0;
		task->nr_overtaken = 0;
		/* Release: pairs with the acquire in show_task(). */
		smp_store_release(&task->tid, current->pid);
		return;
	}
	gl_event_inc(GL_EVENT_LOST_NO_TURN);
}

/**
 * gl_turn_begin() - a wait for a lock begins
 * @slot: its slot, with @begin_ns set; the caller has it locked. Gets @turn_mark
 *
 * The mark is how many turns there may be before one of them is past this wait: those
 * till now, and one for each wait that is not over. That is an upper bound, as what is
 * over is read first, and the turns last: each wait that began earlier has its turn
 * among those read, or is not among those that are over.
 *
 * Context: task, preemption disabled, inside gl_cpu_enter(). Looks at GL_TURN_WINDOW
 * keys and GL_TURN_TASKS tasks at most.
 */
notrace void gl_turn_begin(struct gl_slot *slot)
{
	struct gl_turn_lock *lock = find_lock(slot);
	u32 nr_ended, nr_begun;

	slot->turn_mark = 0;
	if (!lock || slot->begin_ns < lock->since_ns)
		return;
	if (!find_task(lock))
		claim_task(lock);
	nr_ended = atomic_read(&lock->nr_ended);
	/* Fully ordered: the reads before and after it stay there. */
	nr_begun = atomic_inc_return(&lock->nr_begun) - 1;
	/* Not 0, which says that the wait is not counted. */
	slot->turn_mark = (atomic_read(&lock->nr_turns) + nr_begun - nr_ended) | GL_TURN_MARKED;
}

static __always_inline void add_wait(struct gl_turn_task *task, const struct gl_slot *slot,
				     bool got, u32 nr_turns)
{
	s64 wait_ns = ktime_get_mono_fast_ns() - slot->begin_ns;
	/* In the bits that the mark has. */
	u32 past = (nr_turns - slot->turn_mark) & ~GL_TURN_MARKED;

	if (wait_ns > 0)
		WRITE_ONCE(task->waited_ns, task->waited_ns + wait_ns);
	if (got)
		WRITE_ONCE(task->nr_turns, task->nr_turns + 1);
	/* Most often it is negative: who was there first has not had a turn. */
	if (past && past < GL_TURN_MARKED / 2)
		WRITE_ONCE(task->nr_overtaken, task->nr_overtaken + past);
}

/**
 * gl_turn_end() - a wait for a lock is over
 * @slot: its slot, still live
 * @got: it ended with the lock; false also if its end was missed
 *
 * Only one task has such a lock at a time, and is counted here before it lets go: so
 * all turns counted by now were before this one.
 *
 * Context: as gl_turn_begin().
 */
notrace void gl_turn_end(const struct gl_slot *slot, bool got)
{
	struct gl_turn_lock *lock = slot->turn_mark ? find_lock(slot) : NULL;
	struct gl_turn_task *task;
	u32 nr_turns;

	/* The place may have been another lock's, or this one's of earlier, at the begin. */
	if (!lock || slot->begin_ns < lock->since_ns)
		return;
	nr_turns = got ? atomic_inc_return(&lock->nr_turns) - 1 : atomic_read(&lock->nr_turns);
	/* Whoever sees it among those that are over sees its turn: see gl_turn_begin(). */
	smp_mb__before_atomic();
	atomic_inc(&lock->nr_ended);
	task = find_task(lock);
	if (task)
		add_wait(task, slot, got, nr_turns);
}
