/* SPDX-License-Identifier: GPL-2.0 */
/*
 * waittab - the sleeping waits in flight: a fixed table that is claimed,
 * changed and retired without locks. See "The wait table" in kmod/README.
 *
 * No kernel structure is known here: a task is a number, so that the whole
 * file also runs in the unit tests.
 */
#ifndef _GL_WAITTAB_H
#define _GL_WAITTAB_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "limits.h"

/* gl_slot.phase */
#define GL_SLOT_DEAD		0	/* holds nothing */
#define GL_SLOT_STAGED		1	/* futex: arguments known, not asleep yet */
#define GL_SLOT_LIVE		2	/* a wait in flight */

/* Set in every gl_slot.turn_mark that is one; the other bits count turns. */
#define GL_TURN_MARKED		(1U << 31)

/* gl_slot.flags holds the low GL_WAIT_* bits of the ABI. */

/**
 * struct gl_slot - one wait; a cache line
 *
 * Written only by whoever has locked it, that is, made @seq odd; but for
 * @flags and @queued_after of a live slot, which its own task also changes outside.
 */
struct gl_slot {
	/** @seq: odd while the slot changes; even: 2 * times it was changed */
	atomic64_t seq;
	/** @lock: address of the lock; futex: user address; file lock: inode number */
	u64 lock;
	/** @space: futex: the mm, as a number; file lock: its device; else 0 */
	u64 space;
	/** @begin_ns: when it began; ns, CLOCK_MONOTONIC */
	u64 begin_ns;
	/** @start_ns: the task's start time; ns since boot */
	u64 start_ns;
	/** @tid: the task, in the initial PID namespace */
	s32 tid;
	union {
		/** @futex_val: value the caller expected in the word */
		u32 futex_val;
		/** @turn_mark: kernel lock: see gl_turn_begin(); 0: its turns are not counted */
		u32 turn_mark;
	};
	/** @owner_tid: who held the lock when the wait began; 0: unknown */
	s32 owner_tid;
	/** @owner_tgid: its process */
	s32 owner_tgid;
	/** @kind: enum gl_kind */
	u8 kind;
	/** @phase: GL_SLOT_* */
	u8 phase;
	/** @flags: GL_WAIT_* bits */
	u16 flags;
	/** @beside: staged: what the same call stages next leaves it alone */
	bool beside;
	/** @spilled: it lies in a later bucket than its task's home */
	bool spilled;
	/** @queued_after: mutex, with holds=1: gl_queued_after(); 0: it has only spun */
	u16 queued_after;
} __aligned(64);

/**
 * struct gl_bucket - the keys of seven slots; a cache line
 */
struct gl_bucket {
	/** @task: key of each slot, 0 when free; claimed by cmpxchg */
	atomic64_t task[GL_BUCKET_SLOTS];
	/** @nr_spilled: keys at home here that lie in a later bucket */
	atomic64_t nr_spilled;
} __aligned(64);

/**
 * struct gl_waittab - the table
 *
 * All fields are set once before the first probe and never change.
 */
struct gl_waittab {
	/** @buckets: [nr_buckets] */
	struct gl_bucket *buckets;
	/** @slots: [nr_slots]; place i of bucket b is b * GL_BUCKET_SLOTS + i */
	struct gl_slot *slots;
	/** @nr_buckets: a power of two, at least 2 */
	u32 nr_buckets;
	/** @nr_slots: nr_buckets * GL_BUCKET_SLOTS */
	u32 nr_slots;
	/** @window: buckets that a key may lie in */
	u32 window;
	/** @salt: random; where a task's slot is does not tell its address */
	u64 salt;
};

/**
 * struct gl_waiter - who waits
 */
struct gl_waiter {
	/** @task: address of the task as a number; not 0 */
	u64 task;
	/** @start_ns: its start time; ns since boot */
	u64 start_ns;
	/** @tid: its number in the initial PID namespace */
	s32 tid;
};

int gl_waittab_init(struct gl_waittab *tab, u32 max_waits);
void gl_waittab_exit(struct gl_waittab *tab);
u64 gl_waittab_bytes(const struct gl_waittab *tab);

u32 gl_waittab_find(struct gl_waittab *tab, u64 task, u8 phase,
		    struct gl_slot *found[GL_TASK_SLOTS]);
struct gl_slot *gl_waittab_first(struct gl_waittab *tab, u64 task, u8 phase);
bool gl_waittab_lock_own(struct gl_waittab *tab, struct gl_slot *slot, u64 task);
struct gl_slot *gl_waittab_claim(struct gl_waittab *tab,
				 const struct gl_waiter *who);
struct gl_slot *gl_waittab_steal(struct gl_waittab *tab,
				 const struct gl_waiter *who);
void gl_waittab_retire(struct gl_waittab *tab, struct gl_slot *slot, u64 task);
void gl_waittab_retire_live(struct gl_waittab *tab, struct gl_slot *slot, u64 task);
bool gl_waittab_read(const struct gl_waittab *tab, u32 idx,
		     struct gl_slot *copy, u64 *task_ret);
bool gl_waittab_is_unchanged(const struct gl_waittab *tab, u32 idx, u64 seq);

/**
 * gl_slot_unlock() - publish a changed slot
 * @slot: slot that the caller has locked, by one of the functions above
 *
 * Context: any, preemption disabled.
 */
static inline void gl_slot_unlock(struct gl_slot *slot)
{
	/* Release: pairs with the acquire in gl_waittab_read(). */
	atomic64_set_release(&slot->seq, atomic64_read(&slot->seq) + 1);
}

/* Bits of gl_slot.queued_after that are the span's first ones; the others its shift. */
#define GL_QUEUED_BITS		11

/**
 * gl_queued_after() - a span in the little room that a slot has for it
 * @ns: from the begin of a wait until it was queued; ns
 *
 * Return: for gl_queued_after_ns() to be at least @ns, and less than 1/1024 more; 0 if
 * it is an hour and more.
 */
static inline u16 gl_queued_after(u64 ns)
{
	u64 shift = 0;

	while (ns >> shift >> GL_QUEUED_BITS)
		shift++;
	return shift < 1U << (16 - GL_QUEUED_BITS) ?
	       shift << GL_QUEUED_BITS | (ns >> shift ?: 1) : 0;
}

/** gl_queued_after_ns() - and back; ns */
static inline u64 gl_queued_after_ns(u16 after)
{
	return (u64)((after & ((1U << GL_QUEUED_BITS) - 1)) + 1) << (after >> GL_QUEUED_BITS);
}

#endif /* _GL_WAITTAB_H */
