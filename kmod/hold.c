// SPDX-License-Identifier: GPL-2.0
/*
 * hold - keeps for each lock that is waited for who took it, who released it, and
 * what of that is known for sure. See "Holds" in kmod/README for why.
 *
 * An entry is changed by whoever sets its flag; who finds it set tries a few times,
 * and then what it came to tell is lost: marked in the entry, so that no hold is
 * known that was going on at that time.
 */
#include "hold.h"

#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/vmalloc.h>

/**
 * gl_holdtab_init() - allocate the table
 * @tab: the table
 * @nr: locks it is for; rounded up
 *
 * Context: process; may sleep.
 *
 * Return: 0 or -ENOMEM, and then nothing is left.
 */
int gl_holdtab_init(struct gl_holdtab *tab, u32 nr)
{
	u32 nr_buckets = roundup_pow_of_two(max_t(u32, nr, 2 * GL_HOLD_BUCKET)) / GL_HOLD_BUCKET;

	tab->bits = ilog2(nr_buckets);
	tab->nr = nr_buckets * GL_HOLD_BUCKET;
	tab->lost_ns = 0;
	tab->buckets = vzalloc(array_size(nr_buckets, sizeof(*tab->buckets)));
	tab->holds = vzalloc(array_size(tab->nr, sizeof(*tab->holds)));
	if (tab->buckets && tab->holds)
		return 0;
	gl_holdtab_exit(tab);
	return -ENOMEM;
}

/**
 * gl_holdtab_exit() - free it; no probe uses it any more
 * @tab: the table; one that was never made is all right
 *
 * Context: process; may sleep.
 */
void gl_holdtab_exit(struct gl_holdtab *tab)
{
	vfree(tab->holds);
	vfree(tab->buckets);
	tab->holds = NULL;
	tab->buckets = NULL;
	tab->nr = 0;
}

/**
 * gl_holdtab_bytes() - memory that the table takes
 * @tab: the table
 *
 * Context: any.
 *
 * Return: bytes.
 */
u64 gl_holdtab_bytes(const struct gl_holdtab *tab)
{
	return (u64)tab->nr * (sizeof(struct gl_hold) + sizeof(atomic64_t));
}

static __always_inline u32 bucket_of(const struct gl_holdtab *tab, u64 lock)
{
	return hash_64(lock, tab->bits);
}

static __always_inline atomic64_t *key_of(struct gl_holdtab *tab, const struct gl_hold *hold)
{
	u32 idx = hold - tab->holds;

	return &tab->buckets[idx / GL_HOLD_BUCKET].lock[idx % GL_HOLD_BUCKET];
}

/* Acquire: pairs with close_hold(). */
static __always_inline bool try_open(struct gl_hold *hold)
{
	return !atomic_read(&hold->busy) && !atomic_cmpxchg_acquire(&hold->busy, 0, 1);
}

static __always_inline void close_hold(struct gl_hold *hold)
{
	atomic_set_release(&hold->busy, 0);
}

/*
 * Return: false: somebody else has it, or it has become another lock's: this one may have
 * another entry by now, to which nobody tells what was to be told here. That is marked.
 */
static __always_inline bool open_hold(struct gl_holdtab *tab, struct gl_hold *hold, u64 lock,
				      u64 now_ns)
{
	u32 tries;

	for (tries = 0; !try_open(hold); tries++) {
		if (tries == GL_HOLD_TRIES) {
			WRITE_ONCE(hold->lost_ns, now_ns);
			return false;
		}
		cpu_relax();
	}
	if ((u64)atomic64_read(key_of(tab, hold)) == lock)
		return true;
	close_hold(hold);
	gl_hold_lost(tab, now_ns);
	return false;
}

/**
 * gl_hold_find() - the entry of a lock
 * @tab: the table
 * @lock: its address; not 0
 *
 * Context: any, preemption disabled. Looks at one cache line.
 *
 * Return: the entry, which may become another lock's at any time; NULL: it has none.
 */
notrace struct gl_hold *gl_hold_find(struct gl_holdtab *tab, u64 lock)
{
	u32 b = bucket_of(tab, lock), i;

	for (i = 0; i < GL_HOLD_BUCKET; i++)
		if ((u64)atomic64_read(&tab->buckets[b].lock[i]) == lock)
			return &tab->holds[b * GL_HOLD_BUCKET + i];
	return NULL;
}

/* A free entry of a bucket, or the one of which nothing was heard for the longest time. */
static __always_inline struct gl_hold *find_victim(struct gl_holdtab *tab, u32 b)
{
	struct gl_hold *first = &tab->holds[b * GL_HOLD_BUCKET], *victim = first;
	u32 i;

	for (i = 0; i < GL_HOLD_BUCKET; i++) {
		if (!atomic64_read(&tab->buckets[b].lock[i]))
			return first + i;
		if (READ_ONCE(first[i].event_ns) < READ_ONCE(victim->event_ns))
			victim = first + i;
	}
	return victim;
}

/* Has a lock another entry in the bucket of this one? */
static __always_inline bool has_another(struct gl_holdtab *tab, const struct gl_hold *hold,
					u64 lock)
{
	u32 first = bucket_of(tab, lock) * GL_HOLD_BUCKET, i;

	for (i = 0; i < GL_HOLD_BUCKET; i++)
		if (&tab->holds[first + i] != hold &&
		    (u64)atomic64_read(key_of(tab, &tab->holds[first + i])) == lock)
			return true;
	return false;
}

/**
 * gl_hold_expect() - somebody waits for a lock, which is to have an entry from now on
 * @tab: the table
 * @lock: its address; not 0
 * @now_ns: now
 *
 * Of what was before nothing is known of a lock that had none.
 *
 * Context: any, preemption disabled. Looks at nine cache lines at most, and at one as
 * a rule.
 *
 * Return: 0; 1: another lock's entry was given up for it; -EBUSY: it has none now. Of two
 * at once both may yield; then the next one that waits enters it.
 */
notrace int gl_hold_expect(struct gl_holdtab *tab, u64 lock, u64 now_ns)
{
	struct gl_hold *hold = gl_hold_find(tab, lock);
	u64 old;

	if (likely(hold))
		return 0;
	hold = find_victim(tab, bucket_of(tab, lock));
	if (!try_open(hold))
		return -EBUSY;
	/* Entered meanwhile, maybe here: what is known since then must stay. */
	if (gl_hold_find(tab, lock)) {
		close_hold(hold);
		return 0;
	}
	hold->next = 0;
	hold->nr = 0;
	hold->holder = 0;
	hold->taken_ns = 0;
	hold->lost_ns = 0;
	hold->event_ns = now_ns;
	__builtin_memset(hold->release, 0, sizeof(hold->release));
	/* Full barrier: of two that enter the same lock one at least sees the other, and yields. */
	old = atomic64_xchg(key_of(tab, hold), lock);
	if (has_another(tab, hold, lock))
		atomic64_set(key_of(tab, hold), 0);
	close_hold(hold);
	return old ? 1 : 0;
}

/**
 * gl_hold_released() - a lock that others wait for is released, or about to be
 * @tab: the table
 * @hold: from gl_hold_find()
 * @lock: its address
 * @who: who does it
 * @now_ns: now
 *
 * Context: any, preemption disabled.
 *
 * Return: false if that was lost, as the entry was busy, or given up just now.
 */
notrace bool gl_hold_released(struct gl_holdtab *tab, struct gl_hold *hold, u64 lock,
			      const struct gl_holder *who, u64 now_ns)
{
	struct gl_release *release;
	bool is_holder;

	if (!open_hold(tab, hold, lock, now_ns))
		return false;
	is_holder = hold->holder == who->id;
	release = &hold->release[hold->next];
	*release = (struct gl_release){
		.at_ns = now_ns,
		.since_ns = is_holder ? hold->taken_ns : 0,
		.other_ns = hold->holder && !is_holder ? hold->taken_ns : 0,
		.quiet_ns = hold->event_ns,
		.tid = who->tid,
		.tgid = who->tgid,
	};
	if (is_holder)
		hold->holder = 0;
	WRITE_ONCE(hold->event_ns, now_ns);
	hold->next = (hold->next + 1) % GL_HOLD_RELEASES;
	hold->nr = min_t(u32, hold->nr + 1, GL_HOLD_RELEASES);
	close_hold(hold);
	return true;
}

/* Of releases not judged yet, 0 is the first. */
static __always_inline const struct gl_release *nth(const struct gl_hold *hold, u32 n)
{
	return &hold->release[(hold->next + GL_HOLD_RELEASES - hold->nr + n) % GL_HOLD_RELEASES];
}

/*
 * Was the lock another one's by the time that release @n of it was seen? Who had it
 * then releases it later, as the one whose wait had ended at that very time.
 */
static __always_inline bool is_late(const struct gl_hold *hold, u32 n)
{
	u64 other_ns = nth(hold, n)->other_ns;

	while (other_ns && ++n < hold->nr)
		if (nth(hold, n)->since_ns == other_ns)
			return true;
	return false;
}

/* Since when who did release @n had it for sure, while @who waited; 0: unknown. */
static __always_inline u64 held_since(const struct gl_hold *hold, u32 n,
				      const struct gl_hold_waiter *who)
{
	const struct gl_release *r = nth(hold, n);

	/*
	 * From when @who queued on it would have been seen to let go of it. But who was given
	 * a lock that others have as well is in no queue any more, long before it wakes.
	 */
	if (r->since_ns >= who->queued_ns && !who->shared)
		return r->since_ns;
	/* Else it must be the first who was seen at all since then. */
	if (r->at_ns < who->queued_ns || r->quiet_ns > who->queued_ns)
		return 0;
	switch (who->rule) {
	case GL_HOLD_OWNED:
		return who->owner_tid > 0 && who->owner_tid == r->tid ? who->queued_ns : 0;
	case GL_HOLD_LATE:
		return is_late(hold, n) ? 0 : who->queued_ns;
	case GL_HOLD_ONE:
		return who->queued_ns;
	default:
		return 0;
	}
}

static __always_inline void judge(const struct gl_hold *hold, const struct gl_hold_waiter *who,
				  struct gl_hold_found *found)
{
	u32 n;

	for (n = 0; n < hold->nr; n++) {
		u64 since_ns = held_since(hold, n, who), at_ns = nth(hold, n)->at_ns;

		/* The clocks of two CPUs may differ by a little. */
		if (!since_ns || since_ns > at_ns)
			continue;
		found->hold_ns[found->nr] = at_ns - since_ns;
		found->in_irq[found->nr] = nth(hold, n)->tgid == GL_HOLDER_IN_IRQ;
		found->nr++;
	}
}

static __always_inline void find_last(const struct gl_hold *hold, u64 begin_ns,
				      struct gl_hold_found *found)
{
	u32 last = (hold->next + GL_HOLD_RELEASES - 1) % GL_HOLD_RELEASES;
	const struct gl_release *r = &hold->release[last];

	if (r->at_ns < begin_ns || r->tid <= 0)
		return;
	found->last_tid = r->tid;
	found->last_tgid = r->tgid;
}

/*
 * Somebody has had it since @taken_ns, which is told only now. Who was seen to release it
 * in between was late with that, and saw nobody have it.
 */
static __always_inline void note_late(struct gl_hold *hold, u64 taken_ns)
{
	u32 n;

	for (n = 0; n < GL_HOLD_RELEASES; n++) {
		struct gl_release *r = &hold->release[n];

		if (r->at_ns > taken_ns && !r->other_ns)
			r->other_ns = taken_ns;
	}
}

/**
 * gl_hold_taken() - somebody who waited for a lock has it now
 * @tab: the table
 * @hold: from gl_hold_find()
 * @lock: its address
 * @who: who, and what is known of its wait
 * @now_ns: now
 * @found: gets the holds that were seen to end while it waited, and that nobody else
 *         has been told
 *
 * Context: any, preemption disabled.
 *
 * Return: false if that was lost, as the entry was busy, or given up just now.
 */
notrace bool gl_hold_taken(struct gl_holdtab *tab, struct gl_hold *hold, u64 lock,
			   const struct gl_hold_waiter *who, u64 now_ns,
			   struct gl_hold_found *found)
{
	u64 lost_ns;

	if (!open_hold(tab, hold, lock, now_ns))
		return false;
	find_last(hold, who->begin_ns, found);
	note_late(hold, now_ns);
	lost_ns = max_t(u64, READ_ONCE(hold->lost_ns), READ_ONCE(tab->lost_ns));
	/* Who never queued cannot tell; what others wait for is for them to judge. */
	if (who->queued_ns) {
		if (lost_ns < who->queued_ns)
			judge(hold, who, found);
		hold->nr = 0;
	}
	hold->holder = who->id;
	hold->taken_ns = now_ns;
	WRITE_ONCE(hold->event_ns, max_t(u64, hold->event_ns, now_ns));
	close_hold(hold);
	return true;
}
