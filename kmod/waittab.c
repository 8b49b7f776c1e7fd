// SPDX-License-Identifier: GPL-2.0
/*
 * waittab - the sleeping waits in flight, in a table without locks.
 *
 * Keys (task addresses) and slots are kept apart: a bucket of seven keys is
 * one cache line, so finding out that a task has no wait costs one line. A
 * key that does not fit its home bucket lies in one of the next few, and the
 * home bucket counts it as spilled; while that count is 0 nobody looks on.
 *
 * Only the task itself claims under its own key, so its lookups need no
 * ordering against other CPUs beyond what task migration gives. A live slot is
 * changed by its own task alone; a staged one may be stolen at any moment.
 *
 * A slot is locked by making its sequence number odd, in one attempt that
 * succeeds only if the slot is still what its taker has seen; for its live slot a
 * task needs no attempt, as nobody else takes that. The key of a slot is set
 * before the slot is first locked, and cleared after the slot was made dead: so
 * the key of a slot that is not dead does not change while the number stays.
 */
#include "waittab.h"

#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/math.h>
#include <linux/minmax.h>
#include <linux/random.h>
#include <linux/string.h>
#include <linux/vmalloc.h>

static_assert(sizeof(struct gl_slot) == 64);
static_assert(sizeof(struct gl_bucket) == 64);

/**
 * gl_waittab_init() - allocate an empty table
 * @tab: table to set up
 * @max_waits: waits in flight that must fit
 *
 * Four waits for a bucket of seven: with hashed keys one home bucket in
 * twenty spills, and a window of eight buckets never fills.
 *
 * Context: process; may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int gl_waittab_init(struct gl_waittab *tab, u32 max_waits)
{
	tab->nr_buckets = max_t(u32, roundup_pow_of_two(DIV_ROUND_UP(max_waits, 4)), 2);
	tab->nr_slots = tab->nr_buckets * GL_BUCKET_SLOTS;
	tab->salt = get_random_u64();
	tab->window = min_t(u32, tab->nr_buckets, GL_BUCKET_WINDOW);
	tab->buckets = vzalloc(array_size(tab->nr_buckets, sizeof(*tab->buckets)));
	tab->slots = vzalloc(array_size(tab->nr_slots, sizeof(*tab->slots)));
	if (tab->buckets && tab->slots)
		return 0;
	gl_waittab_exit(tab);
	return -ENOMEM;
}

/**
 * gl_waittab_exit() - free the table
 * @tab: table that no probe and no reader uses any more
 *
 * Context: process; may sleep.
 */
void gl_waittab_exit(struct gl_waittab *tab)
{
	vfree(tab->slots);
	vfree(tab->buckets);
	tab->slots = NULL;
	tab->buckets = NULL;
}

/**
 * gl_waittab_bytes() - memory that the table takes
 * @tab: the table
 *
 * Context: any.
 *
 * Return: bytes.
 */
u64 gl_waittab_bytes(const struct gl_waittab *tab)
{
	return (u64)tab->nr_buckets * sizeof(*tab->buckets) +
	       (u64)tab->nr_slots * sizeof(*tab->slots);
}

static __always_inline u32 home_of(const struct gl_waittab *tab, u64 task)
{
	return hash_64(task ^ tab->salt, 32) & (tab->nr_buckets - 1);
}

static __always_inline u32 bucket_at(const struct gl_waittab *tab, u32 home, u32 n)
{
	return (home + n) & (tab->nr_buckets - 1);
}

/* Is a slot under this key, and in this phase? */
static __always_inline bool is_slot_of(const struct gl_slot *slot, const atomic64_t *key,
				       u64 task, u8 phase)
{
	if ((u64)atomic64_read(key) != task || READ_ONCE(slot->phase) != phase)
		return false;
	/*
	 * The key again, after the phase: a slot that was stolen from the task and
	 * is now live for another one has lost the task's key before.
	 */
	smp_rmb();
	return (u64)atomic64_read(key) == task;
}

/* The first slots of a task, @max at most: a constant wherever this is called. */
static __always_inline u32 find_slots(struct gl_waittab *tab, u64 task, u8 phase,
				      struct gl_slot **found, u32 max)
{
	u32 home = home_of(tab, task), nr = 0, n, i;

	for (n = 0; n < tab->window; n++) {
		u32 b = bucket_at(tab, home, n);
		struct gl_bucket *bucket = &tab->buckets[b];
		struct gl_slot *slot = &tab->slots[b * GL_BUCKET_SLOTS];

		/* Once for each sleeping wait: a loop would be a twentieth of its cost. */
#pragma GCC unroll 7
		for (i = 0; i < GL_BUCKET_SLOTS; i++) {
			if (is_slot_of(&slot[i], &bucket->task[i], task, phase) && nr < max)
				found[nr++] = &slot[i];
			/* To leave off as soon as there are more takes longer in all. */
			if (max == 1 && nr)
				return nr;
		}
		if (!n && !atomic64_read(&bucket->nr_spilled))
			break;
	}
	return nr;
}

/**
 * gl_waittab_find() - find the slots of a task
 * @tab: the table
 * @task: key
 * @phase: GL_SLOT_STAGED, and then the slots may be stolen meanwhile; or
 *         GL_SLOT_LIVE
 * @found: [GL_TASK_SLOTS] gets the slots
 *
 * Context: any, preemption disabled; the task itself. Looks at
 * GL_BUCKET_WINDOW cache lines of keys at most, at one as a rule.
 *
 * Return: number of slots found.
 */
notrace u32 gl_waittab_find(struct gl_waittab *tab, u64 task, u8 phase,
			    struct gl_slot *found[GL_TASK_SLOTS])
{
	return find_slots(tab, task, phase, found, GL_TASK_SLOTS);
}

/**
 * gl_waittab_first() - find the first of the slots that gl_waittab_find() would find
 * @tab: the table
 * @task: key
 * @phase: as there
 *
 * Context: as gl_waittab_find().
 *
 * Return: the slot, or NULL: there is none.
 */
notrace struct gl_slot *gl_waittab_first(struct gl_waittab *tab, u64 task, u8 phase)
{
	struct gl_slot *slot;

	return find_slots(tab, task, phase, &slot, 1) ? slot : NULL;
}

static __always_inline void fill_waiter(struct gl_slot *slot, const struct gl_waiter *who,
					bool spilled)
{
	slot->lock = 0;
	slot->space = 0;
	slot->begin_ns = 0;
	slot->start_ns = who->start_ns;
	slot->tid = who->tid;
	slot->futex_val = 0;
	slot->owner_tid = 0;
	slot->owner_tgid = 0;
	slot->kind = 0;
	slot->phase = GL_SLOT_DEAD;
	slot->flags = 0;
	slot->beside = false;
	slot->spilled = spilled;
}

static __always_inline atomic64_t *key_of(struct gl_waittab *tab, const struct gl_slot *slot)
{
	u32 idx = slot - tab->slots;

	return &tab->buckets[idx / GL_BUCKET_SLOTS].task[idx % GL_BUCKET_SLOTS];
}

/* Full barrier when it succeeds; pairs with the acquire in gl_waittab_read(). */
static __always_inline bool lock_at(struct gl_slot *slot, s64 seq)
{
	return !(seq & 1) && atomic64_cmpxchg(&slot->seq, seq, seq + 1) == seq;
}

/**
 * gl_waittab_lock_own() - take the right to change a slot found for a task
 * @tab: the table
 * @slot: slot that gl_waittab_find() found
 * @task: its key then
 *
 * Never locks a slot that has become another task's, not even for a moment: the
 * end of that task's wait must find it free.
 *
 * Context: as gl_waittab_find().
 *
 * Return: true if it is locked and still the task's; a staged slot may have
 * been stolen meanwhile, a live one never.
 */
notrace bool gl_waittab_lock_own(struct gl_waittab *tab, struct gl_slot *slot, u64 task)
{
	s64 seq = atomic64_read_acquire(&slot->seq);

	if (READ_ONCE(slot->phase) == GL_SLOT_DEAD ||
	    (u64)atomic64_read(key_of(tab, slot)) != task)
		return false;
	return lock_at(slot, seq);
}

/**
 * gl_waittab_claim() - claim a free slot for a task
 * @tab: the table
 * @who: the task; at most GL_TASK_SLOTS slots can be found again
 *
 * Context: any, preemption disabled; the task itself. Looks at
 * GL_BUCKET_WINDOW cache lines at most.
 *
 * Return: the slot, locked and dead, or NULL when no place is free.
 */
notrace struct gl_slot *gl_waittab_claim(struct gl_waittab *tab,
					 const struct gl_waiter *who)
{
	u32 home = home_of(tab, who->task), n, i;

	for (n = 0; n < tab->window; n++) {
		u32 b = bucket_at(tab, home, n);
		struct gl_bucket *bucket = &tab->buckets[b];

		for (i = 0; i < GL_BUCKET_SLOTS; i++) {
			struct gl_slot *slot = &tab->slots[b * GL_BUCKET_SLOTS + i];

			if (atomic64_read(&bucket->task[i]))
				continue;
			if (atomic64_cmpxchg(&bucket->task[i], 0, who->task))
				continue;
			/*
			 * Locked: the slot of a free place is dead, and nobody
			 * else locks a dead one. Full barrier, as in lock_at().
			 */
			atomic64_inc_return(&slot->seq);
			if (n)
				atomic64_inc(&tab->buckets[home].nr_spilled);
			fill_waiter(slot, who, n);
			return slot;
		}
	}
	return NULL;
}

/* Publish a dead slot, and then that its place is free. */
static __always_inline void free_place(struct gl_waittab *tab, struct gl_slot *slot, u64 task)
{
	u32 idx = slot - tab->slots, b = idx / GL_BUCKET_SLOTS;
	bool spilled = slot->spilled;

	slot->phase = GL_SLOT_DEAD;
	gl_slot_unlock(slot);
	if (unlikely(spilled))
		atomic64_dec(&tab->buckets[home_of(tab, task)].nr_spilled);
	/* Release: who claims next must find the slot dead and unlocked. */
	atomic64_set_release(&tab->buckets[b].task[idx - b * GL_BUCKET_SLOTS], 0);
}

/**
 * gl_waittab_retire() - give a slot back
 * @tab: the table
 * @slot: slot that the caller has locked
 * @task: its key
 *
 * Context: any, preemption disabled.
 */
notrace void gl_waittab_retire(struct gl_waittab *tab, struct gl_slot *slot, u64 task)
{
	free_place(tab, slot, task);
}

/**
 * gl_waittab_retire_live() - give back a live slot that is not locked
 * @tab: the table
 * @slot: slot that gl_waittab_find() found for @task, live
 * @task: its key
 *
 * Nobody else locks a live slot: its number is made odd without an attempt that
 * could fail.
 *
 * Context: as gl_waittab_find().
 */
notrace void gl_waittab_retire_live(struct gl_waittab *tab, struct gl_slot *slot, u64 task)
{
	atomic64_set(&slot->seq, atomic64_read(&slot->seq) + 1);
	/* Odd before the slot changes; pairs with gl_waittab_is_unchanged(). */
	smp_wmb();
	free_place(tab, slot, task);
}

/*
 * Lock a staged slot. The phase is read after this value of the sequence number,
 * and locking fails if that has moved: success means that it still is staged.
 */
static notrace bool lock_staged(struct gl_slot *slot)
{
	s64 seq = atomic64_read_acquire(&slot->seq);

	return READ_ONCE(slot->phase) == GL_SLOT_STAGED && lock_at(slot, seq);
}

/**
 * gl_waittab_steal() - take the staged slot of another task
 * @tab: the table
 * @who: the task that found no free slot
 *
 * A thread whose futex call did not sleep keeps the slot it staged; when a
 * window is full of those, a wait in flight is worth more.
 *
 * Context: as gl_waittab_claim().
 *
 * Return: the slot, locked and dead, or NULL if the window is full of waits.
 */
notrace struct gl_slot *gl_waittab_steal(struct gl_waittab *tab,
					 const struct gl_waiter *who)
{
	u32 home = home_of(tab, who->task), n, i;

	for (n = 0; n < tab->window; n++) {
		u32 b = bucket_at(tab, home, n);

		for (i = 0; i < GL_BUCKET_SLOTS; i++) {
			struct gl_slot *slot = &tab->slots[b * GL_BUCKET_SLOTS + i];
			const atomic64_t *key = &tab->buckets[b].task[i];

			if ((u64)atomic64_read(key) == who->task || !lock_staged(slot))
				continue;
			/* Locked and staged: whoever's it is, the key stays. */
			gl_waittab_retire(tab, slot, atomic64_read(key));
			return gl_waittab_claim(tab, who);
		}
	}
	return NULL;
}

/**
 * gl_waittab_read() - copy one slot consistently
 * @tab: the table
 * @idx: index below nr_slots
 * @copy: gets the slot, its sequence number included
 * @task_ret: gets its key
 *
 * Context: any; the slot may change meanwhile. Tries a few times.
 *
 * Return: true if the slot holds something that was not changing.
 */
bool gl_waittab_read(const struct gl_waittab *tab, u32 idx,
		     struct gl_slot *copy, u64 *task_ret)
{
	struct gl_slot *slot = &tab->slots[idx];
	struct gl_bucket *bucket = &tab->buckets[idx / GL_BUCKET_SLOTS];
	int try;

	for (try = 0; try < 3; try++) {
		/* Acquire: pairs with lock_at() and gl_slot_unlock(). */
		s64 seq = atomic64_read_acquire(&slot->seq);

		*task_ret = atomic64_read(&bucket->task[idx % GL_BUCKET_SLOTS]);
		if (!*task_ret)
			return false;
		if (seq & 1)
			continue;
		/* May be torn by a writer, and is then thrown away below. */
		*copy = data_race(*slot);
		if (!gl_waittab_is_unchanged(tab, idx, seq))
			continue;
		atomic64_set(&copy->seq, seq);
		return copy->phase != GL_SLOT_DEAD;
	}
	return false;
}

/**
 * gl_waittab_is_unchanged() - is the slot still what it was?
 * @tab: the table
 * @idx: index below nr_slots
 * @seq: sequence number that gl_waittab_read() returned in the copy
 *
 * Context: any.
 *
 * Return: true if nothing has changed the slot since.
 */
bool gl_waittab_is_unchanged(const struct gl_waittab *tab, u32 idx, u64 seq)
{
	/* Orders the reads before it; pairs with the cmpxchg in lock_at(). */
	smp_rmb();
	return (u64)atomic64_read(&tab->slots[idx].seq) == seq;
}
