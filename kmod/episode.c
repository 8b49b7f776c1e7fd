// SPDX-License-Identifier: GPL-2.0
/*
 * episode - the table of tasks and the futexes, file locks and ww_mutexes that they
 * ask for again and again (episode.h).
 *
 * Open addressing in a short window, as in the wait table; only the task itself
 * looks for and claims entries under its own key.
 */
#include "episode.h"

#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/hrtimer.h>
#include <linux/log2.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "count.h"
#include "event.h"
#include "limits.h"
#include "snapshot.h"

static_assert(sizeof(struct gl_episode) == 64);

/* Read at the end and the beginning of every sleep in a futex; see probe_episode.c. */
bool gl_episodes_on;

/* The same of waits for a lock of the kernel's that end with -EDEADLK. */
bool gl_backoffs_on;

/* [GL_EPISODES] */
static struct gl_episode *episodes;

/*
 * Of files whose lock was refused, by hash: upper half of the file's number, and
 * the task that was given the lock last. Each is one word, and its latest writer is
 * right: two files that share a place make each other's task unknown, no more.
 */
static u64 takers[GL_TAKERS];

/*
 * Of files whose lock is waited for, by hash: upper half of the file's number, and how
 * often it was given since. Two that share a place, or two processors that add to it at
 * once, make it less than it was.
 */
static u64 givings[GL_TAKERS];

/**
 * gl_episodes_init() - allocate an empty table
 *
 * Context: process; may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int gl_episodes_init(void)
{
	episodes = vzalloc(array_size(GL_EPISODES, sizeof(*episodes)));
	return episodes ? 0 : -ENOMEM;
}

/**
 * gl_episodes_exit() - free the table
 *
 * Context: process; no probe uses it any more.
 */
void gl_episodes_exit(void)
{
	vfree(episodes);
	episodes = NULL;
}

/**
 * gl_episodes_bytes() - memory that the table takes
 *
 * Context: process.
 *
 * Return: bytes; 0 when there is none.
 */
u64 gl_episodes_bytes(void)
{
	return episodes ? array_size(GL_EPISODES, sizeof(*episodes)) : 0;
}

/**
 * gl_episodes_clear() - forget everything
 *
 * Context: process; gl_episodes_on has been false for a grace period.
 */
void gl_episodes_clear(void)
{
	memset(episodes, 0, array_size(GL_EPISODES, sizeof(*episodes)));
	memset(takers, 0, sizeof(takers));
	memset(givings, 0, sizeof(givings));
}

static __always_inline u32 home_of(u64 task, u64 uaddr)
{
	return hash_64(task ^ uaddr, ilog2(GL_EPISODES));
}

static __always_inline struct gl_episode *episode_at(u32 home, u32 n)
{
	return &episodes[(home + n) & (GL_EPISODES - 1)];
}

/*
 * A task that is gone keeps its entries till the next collection, and another
 * one may have its place in memory by then: so the start times are compared.
 */
static __always_inline struct gl_episode *find(u64 uaddr)
{
	u64 task = (u64)(unsigned long)current;
	u32 home = home_of(task, uaddr), n;

	for (n = 0; n < GL_EPISODE_WINDOW; n++) {
		struct gl_episode *e = episode_at(home, n);

		if ((u64)atomic64_read(&e->task) == task && e->uaddr == uaddr &&
		    e->start_ns == current->start_boottime)
			return e;
	}
	return NULL;
}

static __always_inline struct gl_episode *claim(u64 uaddr)
{
	u64 task = (u64)(unsigned long)current;
	u32 home = home_of(task, uaddr), n;

	for (n = 0; n < GL_EPISODE_WINDOW; n++) {
		struct gl_episode *e = episode_at(home, n);

		if (atomic64_read(&e->task) || atomic64_cmpxchg(&e->task, 0, task))
			continue;
		e->start_ns = current->start_boottime;
		e->since_ns = 0;
		e->tid = current->pid;
		e->nr_overtaken = 0;
		e->nr_timeouts = 0;
		e->nr_had = 0;
		e->timer = NULL;
		e->woke = GL_WOKE_NOT;
		e->nr_passed = 0;
		/* Release: pairs with the acquire in gl_episodes_read(). */
		smp_store_release(&e->uaddr, uaddr);
		return e;
	}
	gl_event_inc(GL_EVENT_LOST_NO_EPISODE);
	return NULL;
}

static __always_inline void was_overtaken(struct gl_episode *e)
{
	WRITE_ONCE(e->nr_overtaken, e->nr_overtaken + 1);
	WRITE_ONCE(e->nr_passed, e->nr_passed + 1);
}

/**
 * gl_episode_sleep() - the current task goes to sleep in a futex
 * @uaddr: address of the word
 * @timer: NULL, or the timer of the wait, valid until it ends
 *
 * Context: task, preemption disabled, inside gl_cpu_enter(). Looks at two times
 * GL_EPISODE_WINDOW cache lines at most.
 */
notrace void gl_episode_sleep(u64 uaddr, const struct hrtimer_sleeper *timer)
{
	struct gl_episode *e = find(uaddr) ?: claim(uaddr);

	if (!e)
		return;
	if (!e->since_ns)
		WRITE_ONCE(e->since_ns, ktime_get_mono_fast_ns());
	else if (e->woke == GL_WOKE_WOKEN)
		was_overtaken(e);
	e->woke = GL_WOKE_NOT;
	e->timer = timer;
}

/*
 * An expired timer has no task any more. Where the end of a wait was missed, the
 * timer may be one of an earlier wait, gone from the stack: read without faults.
 */
static __always_inline bool has_expired(const struct hrtimer_sleeper *timer)
{
	struct task_struct *task;

	return timer && !get_kernel_nofault(task, &timer->task) && !task;
}

/**
 * gl_episode_wake() - the current task's wait for a futex ends
 * @uaddr: address of the word
 *
 * A signal pending leaves it open what the task was woken by: that a signal
 * interrupted it and it waits on is no overtaking.
 *
 * Context: as gl_episode_sleep(); in the function that holds the timer.
 */
notrace void gl_episode_wake(u64 uaddr)
{
	struct gl_episode *e = find(uaddr);

	if (!e)
		return;
	if (signal_pending(current)) {
		e->woke = GL_WOKE_SIGNAL;
	} else if (has_expired(e->timer)) {
		e->woke = GL_WOKE_TIMEOUT;
		WRITE_ONCE(e->nr_timeouts, e->nr_timeouts + 1);
	} else {
		e->woke = GL_WOKE_WOKEN;
	}
	e->timer = NULL;
}

/**
 * gl_episode_release() - the current task wakes the waiters of a futex
 * @uaddr: address of the word
 *
 * Who had to wait for a lock leaves it marked as contended, and so wakes others
 * when it lets go of it: the task had it, and the episode is over.
 *
 * Context: as gl_episode_sleep().
 */
notrace void gl_episode_release(u64 uaddr)
{
	struct gl_episode *e = find(uaddr);

	if (!e || !e->since_ns)
		return;
	WRITE_ONCE(e->since_ns, 0);
	WRITE_ONCE(e->nr_overtaken, 0);
	WRITE_ONCE(e->nr_had, e->nr_had + 1);
	e->woke = GL_WOKE_NOT;
}

/* Multiplied by an odd number, the keys of one device stay distinct. */
static __always_inline u64 file_number(const struct gl_resource *res)
{
	u64 key = gl_row_key(res->kind, res->lock);

	return ((hash_64(key, 64) + hash_64(res->space, 63)) & ~GL_EPISODE_WW) | GL_EPISODE_NUMBER;
}

/* A kernel thread takes it for a client of a file server, which is no task of ours. */
static __always_inline u32 taker_tid(void)
{
	return current->flags & PF_KTHREAD ? 0 : current->pid;
}

static __always_inline void was_given(u64 file, u64 part)
{
	u32 place = hash_64(part, ilog2(GL_TAKERS));
	u64 given = READ_ONCE(givings[place]);
	struct gl_episode *e = find(file);

	if (READ_ONCE(takers[place]) >> 32 == part >> 32)
		WRITE_ONCE(takers[place], (part >> 32) << 32 | taker_tid());
	if (given >> 32 == part >> 32)
		WRITE_ONCE(givings[place], (part >> 32) << 32 | (u32)(given + 1));
	if (!e)
		return;
	WRITE_ONCE(e->by_tid, 0);
	WRITE_ONCE(e->since_ns, 0);
	WRITE_ONCE(e->nr_overtaken, 0);
	WRITE_ONCE(e->nr_had, e->nr_had + 1);
}

static __always_inline void was_refused(u64 file, u64 part)
{
	u64 *taker = &takers[hash_64(part, ilog2(GL_TAKERS))], seen = READ_ONCE(*taker);
	struct gl_episode *e = find(file) ?: claim(file);

	/* Whoever is given it from now on is remembered. */
	if (seen >> 32 != part >> 32) {
		seen = (part >> 32) << 32;
		WRITE_ONCE(*taker, seen);
	}
	if (!e)
		return;
	WRITE_ONCE(e->by_tid, (s32)seen == current->pid ? 0 : (s32)seen);
	if (!e->since_ns)
		WRITE_ONCE(e->since_ns, ktime_get_mono_fast_ns());
	WRITE_ONCE(e->nr_timeouts, e->nr_timeouts + 1);
}

static __always_inline u64 part_of(u64 file, u64 range)
{
	return file + hash_64(range, 63);
}

/**
 * gl_episode_blocked() - the current task begins to wait for the lock of a file, or
 * was woken and waits on
 * @res: the lock
 * @range: as for gl_episode_tried()
 * @begin_ns: when the wait began; ns, CLOCK_MONOTONIC
 *
 * It is woken when the lock is let go of. If it was given to somebody by the time the
 * task tries again, that one was served past it. A lock that is given to who has it
 * already counts as well, but once at most each time that somebody lets go.
 *
 * Context: as gl_episode_sleep().
 */
notrace void gl_episode_blocked(const struct gl_resource *res, u64 range, u64 begin_ns)
{
	u64 file = file_number(res), part = part_of(file, range);
	u64 *giving = &givings[hash_64(part, ilog2(GL_TAKERS))], given = READ_ONCE(*giving);
	struct gl_episode *e = find(file) ?: claim(file);

	if (given >> 32 != part >> 32) {
		given = (part >> 32) << 32;
		WRITE_ONCE(*giving, given);
	}
	if (!e)
		return;
	if (e->since_ns != begin_ns) {
		WRITE_ONCE(e->since_ns, begin_ns);
		WRITE_ONCE(e->nr_overtaken, 0);
	} else if (e->seen_given >> 32 == given >> 32 && e->seen_given != given) {
		was_overtaken(e);
	}
	e->seen_given = given;
}

/**
 * gl_episode_tried() - the current task has tried to take the lock of a file
 * @res: the lock
 * @range: POSIX and OFD locks: a number of the bytes locked; else 0
 * @ret: 0 if it was given it; else -errno
 *
 * Any success with the file ends a row of refusals, as the kernel may join ranges.
 * Who refuses, on the other hand, is who was given the very same range.
 *
 * Context: as gl_episode_sleep().
 */
notrace void gl_episode_tried(const struct gl_resource *res, u64 range, int ret)
{
	u64 file = file_number(res), part = part_of(file, range);

	if (ret)
		was_refused(file, part);
	else
		was_given(file, part);
}

/* Its identity in the other files, so that what is shown tells no address. */
static __always_inline u64 lock_number(u64 lock)
{
	return gl_snapshot_id(lock, 0) | GL_EPISODE_NUMBER | GL_EPISODE_WW;
}

/**
 * gl_episode_backed_off() - the current task was to wait for a lock, and may not
 * @lock: address of the lock
 * @owner_tid: who has it; 0: unknown
 *
 * A ww_mutex does so to let the holder get on, who was there first.
 *
 * Context: as gl_episode_sleep().
 */
notrace void gl_episode_backed_off(u64 lock, s32 owner_tid)
{
	u64 number = lock_number(lock);
	struct gl_episode *e = find(number) ?: claim(number);

	if (!e)
		return;
	WRITE_ONCE(e->by_tid, owner_tid);
	if (!e->since_ns)
		WRITE_ONCE(e->since_ns, ktime_get_mono_fast_ns());
	WRITE_ONCE(e->nr_timeouts, e->nr_timeouts + 1);
}

/**
 * gl_episode_dropped() - the current task drops a ww_mutex
 * @lock: its address
 *
 * So it had it, be it that it was free by then, which passes no tracepoint.
 *
 * Context: as gl_episode_sleep().
 */
notrace void gl_episode_dropped(u64 lock)
{
	gl_episode_release(lock_number(lock));
}

static bool is_gone(const struct gl_episode *e)
{
	const struct task_struct *task;
	bool gone;

	rcu_read_lock();
	task = pid_task(find_pid_ns(e->tid, &init_pid_ns), PIDTYPE_PID);
	gone = !task || task->start_boottime != e->start_ns;
	rcu_read_unlock();
	return gone;
}

/**
 * gl_episodes_collect() - free the entries of tasks that are gone
 *
 * Context: process; may sleep. One at a time.
 */
void gl_episodes_collect(void)
{
	struct gl_episode copy;
	u32 idx;

	for (idx = 0; idx < GL_EPISODES; idx++) {
		if (!(idx & 1023))
			cond_resched();
		if (!gl_episodes_read(idx, &copy) || !is_gone(&copy))
			continue;
		WRITE_ONCE(episodes[idx].uaddr, 0);
		/* Release: who claims it next finds it without an address. */
		atomic64_set_release(&episodes[idx].task, 0);
	}
}

/**
 * gl_episodes_read() - copy an entry
 * @idx: below GL_EPISODES
 * @copy: gets it
 *
 * Context: process.
 *
 * Return: true if it is in use.
 */
bool gl_episodes_read(u32 idx, struct gl_episode *copy)
{
	const struct gl_episode *e = &episodes[idx];

	if (!atomic64_read(&e->task))
		return false;
	/* Acquire: pairs with the release in claim(): the rest is filled. */
	copy->uaddr = smp_load_acquire(&e->uaddr);
	if (!copy->uaddr)
		return false;
	copy->tid = e->tid;
	copy->start_ns = e->start_ns;
	copy->since_ns = READ_ONCE(e->since_ns);
	copy->nr_overtaken = READ_ONCE(e->nr_overtaken);
	copy->nr_timeouts = READ_ONCE(e->nr_timeouts);
	copy->nr_had = READ_ONCE(e->nr_had);
	copy->nr_passed = READ_ONCE(e->nr_passed);
	copy->by_tid = gl_episode_has_number(copy) ? READ_ONCE(e->by_tid) : 0;
	return true;
}
