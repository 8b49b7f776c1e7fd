// SPDX-License-Identifier: GPL-2.0
/*
 * kinds_sleep - the locks that sleep, which gridlock_kinds makes contend: how each
 * is held and waited for. See kinds.c.
 */
#include "kinds.h"

#include <linux/delay.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/percpu-rwsem.h>
#include <linux/random.h>
#include <linux/rtmutex.h>
#include <linux/rwsem.h>
#include <linux/semaphore.h>
#include <linux/ww_mutex.h>

#define KILLABLE	(BIT(TAKEN) | BIT(SIGNAL))

/* In a storm a lock is kept for a while; asleep, for the others to sleep, too. */
static void keep(bool storm)
{
	if (storm && get_random_u32() & 3)
		udelay(5);
	else if (storm)
		usleep_range(50, 100);
}

static DEFINE_MUTEX(kinds_mutex);

static void mutex_hold(void)
{
	mutex_lock(&kinds_mutex);
}

static void mutex_let_go(void)
{
	mutex_unlock(&kinds_mutex);
}

static int mutex_wait(enum outcome outcome, bool storm)
{
	int err = 0;

	if (outcome == SIGNAL)
		err = mutex_lock_interruptible(&kinds_mutex);
	else
		mutex_lock(&kinds_mutex);
	if (err)
		return err;
	keep(storm);
	mutex_unlock(&kinds_mutex);
	return 0;
}

/* One that is asked for by a pointer: the call does not say whom it called. */
static DEFINE_MUTEX(kinds_pointed);

#ifdef CONFIG_DEBUG_LOCK_ALLOC
static void lock_pointed(struct mutex *lock)
{
	mutex_lock(lock);
}

static void (*pointer)(struct mutex *lock) = lock_pointed;
#else
static void (*pointer)(struct mutex *lock) = mutex_lock;
#endif

static void pointed_hold(void)
{
	mutex_lock(&kinds_pointed);
}

static void pointed_let_go(void)
{
	mutex_unlock(&kinds_pointed);
}

static int pointed_wait(enum outcome outcome, bool storm)
{
	READ_ONCE(pointer)(&kinds_pointed);
	keep(storm);
	mutex_unlock(&kinds_pointed);
	return 0;
}

static DECLARE_RWSEM(kinds_rwsem);

static void rwsem_hold_write(void)
{
	down_write(&kinds_rwsem);
}

static void rwsem_let_go_write(void)
{
	up_write(&kinds_rwsem);
}

static int rwsem_wait_write(enum outcome outcome, bool storm)
{
	int err = 0;

	if (outcome == SIGNAL)
		err = down_write_killable(&kinds_rwsem);
	else
		down_write(&kinds_rwsem);
	if (err)
		return err;
	keep(storm);
	up_write(&kinds_rwsem);
	return 0;
}

static int rwsem_wait_read(enum outcome outcome, bool storm)
{
	int err = 0;

	/* Readers alone would never wait. */
	if (storm && !(get_random_u32() & 3))
		rwsem_wait_write(TAKEN, storm);
	if (outcome == SIGNAL)
		err = down_read_interruptible(&kinds_rwsem);
	else
		down_read(&kinds_rwsem);
	if (err)
		return err;
	keep(storm);
	up_read(&kinds_rwsem);
	return 0;
}

static void rwsem_hold_read(void)
{
	down_read(&kinds_rwsem);
}

static void rwsem_let_go_read(void)
{
	up_read(&kinds_rwsem);
}

static DEFINE_RT_MUTEX(kinds_rtmutex);

static void rtmutex_hold(void)
{
	rt_mutex_lock(&kinds_rtmutex);
}

static void rtmutex_let_go(void)
{
	rt_mutex_unlock(&kinds_rtmutex);
}

static int rtmutex_wait(enum outcome outcome, bool storm)
{
	int err = 0;

	if (outcome == SIGNAL)
		err = rt_mutex_lock_interruptible(&kinds_rtmutex);
	else
		rt_mutex_lock(&kinds_rtmutex);
	if (err)
		return err;
	keep(storm);
	rt_mutex_unlock(&kinds_rtmutex);
	return 0;
}

static struct semaphore kinds_sem;

static void sem_hold(void)
{
	down(&kinds_sem);
}

static void sem_let_go(void)
{
	up(&kinds_sem);
}

static int sem_wait(enum outcome outcome, bool storm)
{
	int err = 0;

	if (outcome == SIGNAL)
		err = down_interruptible(&kinds_sem);
	else if (outcome == TIMEOUT)
		err = down_timeout(&kinds_sem, 1);
	else
		down(&kinds_sem);
	if (err)
		return err;
	/* Longer than the others wait, now and then. */
	if (storm && outcome == TIMEOUT && !(get_random_u32() & 7))
		msleep(20);
	keep(storm);
	up(&kinds_sem);
	return 0;
}

DEFINE_STATIC_PERCPU_RWSEM(kinds_pcpu);

static void pcpu_hold_write(void)
{
	percpu_down_write(&kinds_pcpu);
}

static void pcpu_let_go_write(void)
{
	percpu_up_write(&kinds_pcpu);
}

static int pcpu_wait_write(enum outcome outcome, bool storm)
{
	percpu_down_write(&kinds_pcpu);
	keep(storm);
	percpu_up_write(&kinds_pcpu);
	return 0;
}

static int pcpu_wait_read(enum outcome outcome, bool storm)
{
	if (storm && !(get_random_u32() & 7))
		pcpu_wait_write(outcome, storm);
	percpu_down_read(&kinds_pcpu);
	keep(storm);
	percpu_up_read(&kinds_pcpu);
	return 0;
}

/*
 * Two mutexes of a class whose younger takers die: who came later and meets an
 * older one gets -EDEADLK, if it has a lock of the class already.
 */
static DEFINE_WD_CLASS(kinds_ww_class);
static struct ww_mutex kinds_ww[2];
static struct ww_acquire_ctx held_ctx;

static void ww_hold(void)
{
	ww_acquire_init(&held_ctx, &kinds_ww_class);
	/* Alone it can fail by the injected failures of CONFIG_DEBUG_WW_MUTEX_SLOWPATH. */
	if (ww_mutex_lock(&kinds_ww[1], &held_ctx))
		ww_mutex_lock_slow(&kinds_ww[1], &held_ctx);
	ww_acquire_done(&held_ctx);
}

static void ww_let_go(void)
{
	ww_mutex_unlock(&kinds_ww[1]);
	ww_acquire_fini(&held_ctx);
}

static int ww_take(struct ww_mutex *lock, struct ww_acquire_ctx *ctx, enum outcome outcome)
{
	return outcome == SIGNAL ? ww_mutex_lock_interruptible(lock, ctx) :
				   ww_mutex_lock(lock, ctx);
}

/* Without a lock of the class it waits; with one, it is the younger. */
static int ww_wait(enum outcome outcome, bool storm)
{
	struct ww_mutex *first = NULL, *second = &kinds_ww[1];
	struct ww_acquire_ctx ctx;
	int err = 0;

	if (outcome == DEADLOCK)
		first = &kinds_ww[0];
	if (first && storm && get_random_u32() & 1)
		swap(first, second);
	ww_acquire_init(&ctx, &kinds_ww_class);
	if (first) {
		err = ww_take(first, &ctx, outcome);
		keep(storm && !err);
	}
	if (!err) {
		err = ww_take(second, &ctx, outcome);
		if (!err) {
			keep(storm);
			ww_mutex_unlock(second);
		}
		if (first)
			ww_mutex_unlock(first);
	}
	ww_acquire_fini(&ctx);
	return err;
}

const struct kind kinds_that_sleep[] = {
	{
		.name = "mutex", LOCK(kinds_mutex),
		.contexts = BIT(IN_TASK), .outcomes = KILLABLE,
		.hold = mutex_hold, .let_go = mutex_let_go, .wait = mutex_wait,
	}, {
		.name = "mutex-pointer", LOCK(kinds_pointed),
		.contexts = BIT(IN_TASK), .outcomes = BIT(TAKEN),
		.hold = pointed_hold, .let_go = pointed_let_go, .wait = pointed_wait,
	}, {
		.name = "rwsem-r", LOCK(kinds_rwsem),
		.contexts = BIT(IN_TASK), .outcomes = KILLABLE,
		.hold = rwsem_hold_write, .let_go = rwsem_let_go_write, .wait = rwsem_wait_read,
	}, {
		.name = "rwsem-w", LOCK(kinds_rwsem),
		.contexts = BIT(IN_TASK), .outcomes = KILLABLE,
		.hold = rwsem_hold_read, .let_go = rwsem_let_go_read, .wait = rwsem_wait_write,
	}, {
		.name = "rtmutex", LOCK(kinds_rtmutex),
		.contexts = BIT(IN_TASK), .outcomes = KILLABLE,
		.hold = rtmutex_hold, .let_go = rtmutex_let_go, .wait = rtmutex_wait,
	}, {
		.name = "semaphore", LOCK(kinds_sem),
		.contexts = BIT(IN_TASK), .outcomes = KILLABLE | BIT(TIMEOUT),
		.hold = sem_hold, .let_go = sem_let_go, .wait = sem_wait,
	}, {
		.name = "pcpu-r", LOCK(kinds_pcpu),
		.contexts = BIT(IN_TASK), .outcomes = BIT(TAKEN),
		.hold = pcpu_hold_write, .let_go = pcpu_let_go_write, .wait = pcpu_wait_read,
	}, {
		.name = "pcpu-w", LOCK(kinds_pcpu),
		.contexts = BIT(IN_TASK), .outcomes = BIT(TAKEN),
		.hold = pcpu_hold_write, .let_go = pcpu_let_go_write, .wait = pcpu_wait_write,
	}, {
		.name = "ww_mutex", LOCK(kinds_ww),
		.contexts = BIT(IN_TASK), .outcomes = KILLABLE | BIT(DEADLOCK),
		.hold = ww_hold, .let_go = ww_let_go, .wait = ww_wait,
	}, { }
};

/** kinds_init_sleeping() - make those locks ready that are not static */
void kinds_init_sleeping(void)
{
	sema_init(&kinds_sem, 1);
	ww_mutex_init(&kinds_ww[0], &kinds_ww_class);
	ww_mutex_init(&kinds_ww[1], &kinds_ww_class);
}
