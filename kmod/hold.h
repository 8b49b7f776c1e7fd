/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hold - who let go of a lock that others wait for, and since when it is known to
 * have had it: a fixed table, by lock. See "Holds" in kmod/README.
 *
 * No kernel structure is known here: a holder is a number, so that the whole file
 * also runs in the unit tests.
 */
#ifndef _GL_HOLD_H
#define _GL_HOLD_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/compiler.h>
#include <linux/types.h>

#include "limits.h"

/* gl_holder.tgid of an interrupt, which is no task's doing. */
#define GL_HOLDER_IN_IRQ	-1

/** struct gl_holder - who takes or releases a lock */
struct gl_holder {
	/** @id: tells it from all others that could have a lock just now; not 0 */
	u64 id;
	/** @tid: its number; 0: it is no task, or an idle one */
	s32 tid;
	/** @tgid: its process, or GL_HOLDER_IN_IRQ */
	s32 tgid;
};

/** struct gl_release - a release of a lock that others wait for */
struct gl_release {
	/** @at_ns: when; ns, CLOCK_MONOTONIC, as all moments here */
	u64 at_ns;
	/** @since_ns: when the wait of who releases it had ended; 0: no such wait was seen */
	u64 since_ns;
	/** @other_ns: when another one's wait had ended that seemed to have it; 0: nobody */
	u64 other_ns;
	/** @quiet_ns: from then to @at_ns nobody was seen to take or release it */
	u64 quiet_ns;
	/** @tid: who; 0: no task */
	s32 tid;
	/** @tgid: its process, or GL_HOLDER_IN_IRQ */
	s32 tgid;
};

/**
 * struct gl_hold - what is known of a lock
 *
 * Changed by whoever has set @busy, which takes as long as the few lines of
 * gl_hold_released() or gl_hold_taken().
 */
struct gl_hold {
	/** @busy: somebody changes it */
	atomic_t busy;
	/** @next: where in @release the next one goes */
	u16 next;
	/** @nr: of @release, those that nobody has judged yet */
	u16 nr;
	/** @holder: whose wait ended last, if it has not released it since; 0: nobody's */
	u64 holder;
	/** @taken_ns: when that wait ended */
	u64 taken_ns;
	/** @event_ns: when somebody was last seen to take or release it */
	u64 event_ns;
	/** @lost_ns: when something was last not recorded; written without @busy */
	u64 lost_ns;
	/** @release: the last ones */
	struct gl_release release[GL_HOLD_RELEASES];
} __aligned(64);

/** struct gl_hold_bucket - the locks of eight entries; a cache line */
struct gl_hold_bucket {
	/** @lock: address of the lock, 0 when free; changed with the entry busy */
	atomic64_t lock[GL_HOLD_BUCKET];
} __aligned(64);

/** struct gl_holdtab - the table; but for @lost_ns set once, before the first probe */
struct gl_holdtab {
	/** @buckets: [1 << bits] */
	struct gl_hold_bucket *buckets;
	/** @holds: [nr]; entry i of bucket b is b * GL_HOLD_BUCKET + i */
	struct gl_hold *holds;
	/** @nr: entries */
	u32 nr;
	/** @bits: log2 of the number of buckets */
	u32 bits;
	/** @lost_ns: when an event was last lost, of whatever lock */
	u64 lost_ns;
};

/* What can be said of who had a lock that somebody waited for, by its kind. */
enum gl_hold_rule {
	/** @GL_HOLD_NEVER: its releases are not seen */
	GL_HOLD_NEVER,
	/** @GL_HOLD_SEEN: nothing but what was seen: who got it while the waiter was queued */
	GL_HOLD_SEEN,
	/** @GL_HOLD_OWNED: also who owned it by its word when the waiter had queued */
	GL_HOLD_OWNED,
	/**
	 * @GL_HOLD_ONE: it was held when the waiter had queued, and is one's at a time: also
	 * who is the first to release it from then on
	 */
	GL_HOLD_ONE,
	/** @GL_HOLD_LATE: the same, but it can be another one's before the release is seen */
	GL_HOLD_LATE,
};

/** struct gl_hold_waiter - whose wait ends with the lock */
struct gl_hold_waiter {
	/** @id: as in struct gl_holder */
	u64 id;
	/** @begin_ns: when its wait began */
	u64 begin_ns;
	/**
	 * @queued_ns: from then on, until it was given the lock, every release was one with
	 * a waiter, and seen; 0: it never came to that
	 */
	u64 queued_ns;
	/** @owner_tid: the exclusive owner by the lock's word, after it queued; 0: unknown */
	s32 owner_tid;
	/** @rule: of the lock's kind */
	enum gl_hold_rule rule;
	/** @shared: others may have had it with this one, and before its wait ended */
	bool shared;
};

/** struct gl_hold_found - what gl_hold_taken() finds */
struct gl_hold_found {
	/** @nr: holds */
	u32 nr;
	/** @hold_ns: [nr] for how long each is known to have lasted, while the waiter waited */
	u64 hold_ns[GL_HOLD_RELEASES];
	/** @in_irq: [nr] it was an interrupt's */
	bool in_irq[GL_HOLD_RELEASES];
	/** @last_tid: who was last seen to release it during the wait; 0: unknown, or no task */
	s32 last_tid;
	/** @last_tgid: its process */
	s32 last_tgid;
};

int gl_holdtab_init(struct gl_holdtab *tab, u32 nr);
void gl_holdtab_exit(struct gl_holdtab *tab);
u64 gl_holdtab_bytes(const struct gl_holdtab *tab);

struct gl_hold *gl_hold_find(struct gl_holdtab *tab, u64 lock);
int gl_hold_expect(struct gl_holdtab *tab, u64 lock, u64 now_ns);
bool gl_hold_released(struct gl_holdtab *tab, struct gl_hold *hold, u64 lock,
		      const struct gl_holder *who, u64 now_ns);
bool gl_hold_taken(struct gl_holdtab *tab, struct gl_hold *hold, u64 lock,
		   const struct gl_hold_waiter *who, u64 now_ns, struct gl_hold_found *found);

/**
 * gl_hold_lost() - an event was lost, nobody knows of which lock
 * @tab: the table
 * @now_ns: when
 *
 * No hold that began before is known any more.
 *
 * Context: any.
 */
static inline void gl_hold_lost(struct gl_holdtab *tab, u64 now_ns)
{
	WRITE_ONCE(tab->lost_ns, now_ns);
}

#endif /* _GL_HOLD_H */
