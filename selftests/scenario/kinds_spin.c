// SPDX-License-Identifier: GPL-2.0
/*
 * kinds_spin - the locks that spin, unless on PREEMPT_RT, which gridlock_kinds
 * makes contend: how each is held and waited for. See kinds.c.
 *
 * Holders of a lock that is taken in interrupts leave those on: they run on
 * another CPU, and must not keep this one from answering the waiter's.
 */
#include "kinds.h"

#include <linux/delay.h>
#include <linux/kernel.h>
#include <linux/lockdep.h>
#include <linux/random.h>
#include <linux/spinlock.h>

#ifdef HAS_RQSPINLOCK
#include <asm/rqspinlock.h>
#endif

#ifdef lockdep_set_notrack_class
#define untrack(lock)	lockdep_set_notrack_class(lock)
#else
#define untrack(lock)	lockdep_set_novalidate_class(lock)
#endif

#define NO_RT		!IS_ENABLED(CONFIG_PREEMPT_RT)
#define ANYWHERE	(BIT(IN_TASK) | BIT(IN_SOFTIRQ) | BIT(IN_HARDIRQ))
/* On PREEMPT_RT these sleep; who serves softirqs may, an interrupt may not. */
#define UNLESS_RT	(BIT(IN_TASK) | BIT(IN_SOFTIRQ) | NO_RT * BIT(IN_HARDIRQ))

static void keep_spinning(bool storm)
{
	if (storm)
		udelay(5);
}

static DEFINE_RAW_SPINLOCK(kinds_raw);
static DEFINE_RAW_SPINLOCK(kinds_inner);
static DEFINE_SPINLOCK(kinds_spin);
static DEFINE_RWLOCK(kinds_rwlock);

/*
 * The first waiter of a queued spinlock passes no tracepoint. Who holds it and
 * finds nobody there marks it as if there were one: whoever comes is the second.
 */
static bool pose_as_first_waiter(arch_spinlock_t *lock)
{
	return atomic_cmpxchg(&lock->val, _Q_LOCKED_VAL,
			      _Q_LOCKED_VAL | _Q_PENDING_VAL) == _Q_LOCKED_VAL;
}

static void pose_no_more(arch_spinlock_t *lock)
{
	atomic_andnot(_Q_PENDING_VAL, &lock->val);
}

/* His place in the queue is set after the tracepoint. */
static bool has_queue(arch_spinlock_t *lock)
{
	return atomic_read(&lock->val) & _Q_TAIL_MASK;
}

static void raw_hold(void)
	__acquires(&kinds_raw)
{
	raw_spin_lock(&kinds_raw);
	pose_as_first_waiter(&kinds_raw.raw_lock);
}

static void raw_let_go(void)
	__releases(&kinds_raw)
{
	pose_no_more(&kinds_raw.raw_lock);
	raw_spin_unlock(&kinds_raw);
}

static int raw_wait(enum outcome outcome, bool storm)
{
	unsigned long flags = 0;

	if (outcome == NESTED)
		raw_spin_lock(&kinds_raw);
	else
		raw_spin_lock_irqsave(&kinds_raw, flags);
	if (storm && pose_as_first_waiter(&kinds_raw.raw_lock)) {
		keep_spinning(storm);
		pose_no_more(&kinds_raw.raw_lock);
	}
	if (outcome == NESTED)
		raw_spin_unlock(&kinds_raw);
	else
		raw_spin_unlock_irqrestore(&kinds_raw, flags);
	return 0;
}

static bool raw_is_queued(enum context context)
{
	return has_queue(&kinds_raw.raw_lock);
}

void kinds_inner_hold(void)
	__acquires(&kinds_inner)
{
	raw_spin_lock(&kinds_inner);
	pose_as_first_waiter(&kinds_inner.raw_lock);
}

void kinds_inner_let_go(void)
	__releases(&kinds_inner)
{
	pose_no_more(&kinds_inner.raw_lock);
	raw_spin_unlock(&kinds_inner);
}

void kinds_inner_wait(void)
{
	unsigned long flags;

	raw_spin_lock_irqsave(&kinds_inner, flags);
	raw_spin_unlock_irqrestore(&kinds_inner, flags);
}

bool kinds_inner_is_queued(void)
{
	return has_queue(&kinds_inner.raw_lock);
}

#ifdef CONFIG_PREEMPT_RT
#define spin_is_queued		NULL
#define rwlock_is_queued	NULL

static bool spin_pose(void)
{
	return false;
}

static void spin_pose_no_more(void)
{
}
#else
static bool spin_is_queued(enum context context)
{
	return has_queue(&kinds_spin.rlock.raw_lock);
}

static bool spin_pose(void)
{
	return pose_as_first_waiter(&kinds_spin.rlock.raw_lock);
}

static void spin_pose_no_more(void)
{
	pose_no_more(&kinds_spin.rlock.raw_lock);
}

/*
 * Who waits takes the spinlock inside, after the tracepoint. A reader in an
 * interrupt passes none, and adds itself to the readers at once, beside the writer
 * that has it.
 */
static bool rwlock_is_queued(enum context context)
{
	arch_rwlock_t *lock = &kinds_rwlock.raw_lock;
	int counts = atomic_read(&lock->cnts);

	if (atomic_read(&lock->wait_lock.val))
		return true;
	return context != IN_TASK && counts & _QW_LOCKED && counts >= _QR_BIAS;
}
#endif

static void spin_hold(void)
	__acquires(&kinds_spin)
{
	spin_lock(&kinds_spin);
	spin_pose();
}

static void spin_let_go(void)
	__releases(&kinds_spin)
{
	spin_pose_no_more();
	spin_unlock(&kinds_spin);
}

static int spin_wait(enum outcome outcome, bool storm)
{
	unsigned long flags;

	spin_lock_irqsave(&kinds_spin, flags);
	if (storm && spin_pose()) {
		keep_spinning(storm);
		spin_pose_no_more();
	} else if (!NO_RT) {
		keep_spinning(storm);
	}
	spin_unlock_irqrestore(&kinds_spin, flags);
	return 0;
}

static void rwlock_hold_write(void)
	__acquires(&kinds_rwlock)
{
	write_lock(&kinds_rwlock);
}

static void rwlock_let_go_write(void)
	__releases(&kinds_rwlock)
{
	write_unlock(&kinds_rwlock);
}

static int rwlock_wait_read(enum outcome outcome, bool storm)
{
	unsigned long flags;

	/* Readers alone would never wait. */
	if (storm && !(get_random_u32() & 3)) {
		write_lock_irqsave(&kinds_rwlock, flags);
		keep_spinning(storm);
		write_unlock_irqrestore(&kinds_rwlock, flags);
	}
	read_lock_irqsave(&kinds_rwlock, flags);
	keep_spinning(storm);
	read_unlock_irqrestore(&kinds_rwlock, flags);
	return 0;
}

static void rwlock_hold_read(void)
	__acquires(&kinds_rwlock)
{
	read_lock(&kinds_rwlock);
}

static void rwlock_let_go_read(void)
	__releases(&kinds_rwlock)
{
	read_unlock(&kinds_rwlock);
}

static int rwlock_wait_write(enum outcome outcome, bool storm)
{
	unsigned long flags;

	write_lock_irqsave(&kinds_rwlock, flags);
	keep_spinning(storm);
	write_unlock_irqrestore(&kinds_rwlock, flags);
	return 0;
}

#ifdef HAS_RQSPINLOCK
static rqspinlock_t kinds_rqspin[2];

/*
 * Who holds the second one lists the first one as what is asked for next, as if that
 * had been begun: whoever has the first and waits for the second is in a deadlock.
 */
static void rqspin_hold(void)
{
	if (!raw_res_spin_lock(&kinds_rqspin[1]))
		pose_as_first_waiter(&kinds_rqspin[1]);
	grab_held_lock_entry(&kinds_rqspin[0]);
}

static void rqspin_let_go(void)
{
	release_held_lock_entry();
	pose_no_more(&kinds_rqspin[1]);
	raw_res_spin_unlock(&kinds_rqspin[1]);
}

/* It gives up after half a second. */
static int rqspin_wait_for_second(void)
{
	int err = raw_res_spin_lock(&kinds_rqspin[1]);

	if (!err)
		raw_res_spin_unlock(&kinds_rqspin[1]);
	return err;
}

static int rqspin_wait(enum outcome outcome, bool storm)
{
	int err;

	if (outcome != DEADLOCK)
		return rqspin_wait_for_second();
	err = raw_res_spin_lock(&kinds_rqspin[0]);
	if (err)
		return err;
	err = rqspin_wait_for_second();
	raw_res_spin_unlock(&kinds_rqspin[0]);
	return err;
}

static bool rqspin_is_queued(enum context context)
{
	return has_queue(&kinds_rqspin[1]);
}
#endif

const struct kind kinds_that_spin[] = {
	{
		.name = "raw_spinlock", LOCK(kinds_raw),
		.contexts = ANYWHERE, .outcomes = BIT(TAKEN) | BIT(NESTED),
		.is_busy = true, .hold = raw_hold, .let_go = raw_let_go,
		.wait = raw_wait, .is_queued = raw_is_queued,
	}, {
		.name = "spinlock", LOCK(kinds_spin),
		.contexts = UNLESS_RT, .outcomes = BIT(TAKEN),
		.is_busy = true, .hold = spin_hold, .let_go = spin_let_go,
		.wait = spin_wait, .is_queued = spin_is_queued,
	}, {
		.name = "rwlock-r", LOCK(kinds_rwlock),
		.contexts = UNLESS_RT, .outcomes = BIT(TAKEN),
		.is_busy = true, .hold = rwlock_hold_write, .let_go = rwlock_let_go_write,
		.wait = rwlock_wait_read, .is_queued = rwlock_is_queued,
	}, {
		.name = "rwlock-w", LOCK(kinds_rwlock),
		.contexts = UNLESS_RT, .outcomes = BIT(TAKEN),
		.is_busy = true, .hold = rwlock_hold_read, .let_go = rwlock_let_go_read,
		.wait = rwlock_wait_write, .is_queued = rwlock_is_queued,
	},
#ifdef HAS_RQSPINLOCK
	{
		.name = "rqspinlock", LOCK(kinds_rqspin),
		.contexts = BIT(IN_TASK),
		.outcomes = BIT(TAKEN) | BIT(TIMEOUT) | BIT(DEADLOCK),
		.is_busy = true, .hold = rqspin_hold, .let_go = rqspin_let_go,
		.wait = rqspin_wait, .is_queued = rqspin_is_queued,
	},
#endif
	{ }
};

/** kinds_init_spinning() - make the locks ready */
void kinds_init_spinning(void)
{
#ifdef HAS_RQSPINLOCK
	raw_res_spin_lock_init(&kinds_rqspin[0]);
	raw_res_spin_lock_init(&kinds_rqspin[1]);
#endif
	untrack(&kinds_raw);
	untrack(&kinds_inner);
	untrack(&kinds_spin);
	untrack(&kinds_rwlock);
}
