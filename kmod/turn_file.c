// SPDX-License-Identifier: GPL-2.0
/*
 * turn_file - the file `turns`: chooses the locks that turns are counted of, shows
 * them, and forgets them again.
 *
 * Counting begins when the file is read, and ends by itself when nobody has read it
 * for a while. What snapshots find somebody waiting for meanwhile is counted.
 */
#include <linux/atomic.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/log2.h>
#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "count.h"
#include "event.h"
#include "snapshot.h"
#include "turn.h"
#include "turn_table.h"

static void end_lease(struct work_struct *work);

static DECLARE_DELAYED_WORK(lease, end_lease);

/* Choosing, showing and forgetting, one at a time. Nobody waits for RCU with it held. */
static DEFINE_MUTEX(turn_mutex);

/**
 * gl_turns_init() - allocate an empty table
 *
 * Context: process; may sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int gl_turns_init(void)
{
	gl_turn_keys = vzalloc(array_size(GL_TURN_LOCKS, sizeof(*gl_turn_keys)));
	gl_turn_locks = vzalloc(array_size(GL_TURN_LOCKS, sizeof(*gl_turn_locks)));
	if (gl_turn_keys && gl_turn_locks)
		return 0;
	gl_turns_exit();
	return -ENOMEM;
}

/**
 * gl_turns_exit() - free the table
 *
 * Context: process; may sleep. No probe uses it any more, and the files are gone.
 */
void gl_turns_exit(void)
{
	cancel_delayed_work_sync(&lease);
	WRITE_ONCE(gl_turns_on, false);
	vfree(gl_turn_keys);
	vfree(gl_turn_locks);
	gl_turn_keys = NULL;
	gl_turn_locks = NULL;
}

/**
 * gl_turns_bytes() - memory that the table takes
 *
 * Context: process.
 *
 * Return: bytes.
 */
u64 gl_turns_bytes(void)
{
	return GL_TURN_LOCKS * (sizeof(*gl_turn_keys) + sizeof(*gl_turn_locks));
}

/* Is it had by one task at a time? Where many have it, turns do not come one by one. */
static bool has_turns(u32 kind)
{
	return kind == GL_KIND_MUTEX || kind == GL_KIND_RTMUTEX || kind == GL_KIND_RWSEM_W;
}

/* Is a place free, and past every probe that found another lock there? */
static bool is_free(u32 place)
{
	unsigned long unused = gl_turn_locks[place].unused;

	return !gl_turn_keys[place] && (!unused || poll_state_synchronize_rcu(unused));
}

static void claim_place(u32 place, u64 key)
{
	struct gl_turn_lock *lock = &gl_turn_locks[place];

	memset(lock, 0, sizeof(*lock));
	lock->since_ns = ktime_get_mono_fast_ns();
	lock->seen_ns = lock->since_ns;
	/* Release: pairs with the acquire in find_lock(). */
	smp_store_release(&gl_turn_keys[place], key);
}

/**
 * gl_turns_watch() - somebody was found waiting for a lock
 * @kind: enum gl_kind
 * @lock: its address
 * @begin_ns: when that wait began; ns, CLOCK_MONOTONIC
 *
 * Its turns are counted from now on, if somebody looks and the wait has lasted.
 *
 * Context: process; may sleep. Takes turn_mutex.
 */
void gl_turns_watch(u32 kind, u64 lock, u64 begin_ns)
{
	u64 key = gl_row_key(kind, lock);
	u32 home = hash_64(key, ilog2(GL_TURN_LOCKS)), n, place = GL_TURN_LOCKS;

	if (!READ_ONCE(gl_turns_on) || !has_turns(kind) ||
	    ktime_get_mono_fast_ns() < begin_ns + GL_TURN_LEAST_NS)
		return;
	mutex_lock(&turn_mutex);
	for (n = GL_TURN_WINDOW; n--;) {
		u32 at = (home + n) & (GL_TURN_LOCKS - 1);

		if (gl_turn_keys[at] == key)
			goto out_unlock;
		if (is_free(at))
			place = at;
	}
	if (!gl_turns_on)
		goto out_unlock;
	if (place < GL_TURN_LOCKS)
		claim_place(place, key);
	else
		gl_event_inc(GL_EVENT_LOST_NO_TURN_LOCK);
out_unlock:
	mutex_unlock(&turn_mutex);
}

static void forget_lock(u32 place)
{
	WRITE_ONCE(gl_turn_keys[place], 0);
	/* 0 says that there was none. */
	gl_turn_locks[place].unused = start_poll_synchronize_rcu() ?: 1;
}

static void forget_all(void)
{
	u32 place;

	for (place = 0; place < GL_TURN_LOCKS; place++)
		if (gl_turn_keys[place])
			forget_lock(place);
}

static void end_lease(struct work_struct *work)
{
	mutex_lock(&turn_mutex);
	/* A reader may have renewed it while we waited for the mutex. */
	if (!delayed_work_pending(&lease)) {
		WRITE_ONCE(gl_turns_on, false);
		forget_all();
	}
	mutex_unlock(&turn_mutex);
}

/* Nobody waits for it, and nobody has for as long as a lease. */
static bool is_idle(struct gl_turn_lock *lock)
{
	u32 nr_ended = atomic_read(&lock->nr_ended);
	u64 now_ns = ktime_get_mono_fast_ns();

	if (nr_ended != lock->seen_ended || nr_ended != atomic_read(&lock->nr_begun)) {
		lock->seen_ended = nr_ended;
		lock->seen_ns = now_ns;
	}
	return now_ns > lock->seen_ns + GL_TURN_LEASE_MS * NSEC_PER_MSEC;
}

static bool is_gone(const struct gl_turn_task *turn)
{
	const struct task_struct *task;
	bool gone;

	rcu_read_lock();
	task = pid_task(find_pid_ns(turn->tid, &init_pid_ns), PIDTYPE_PID);
	gone = !task || task->start_boottime != turn->start_ns;
	rcu_read_unlock();
	return gone;
}

static void show_task(struct seq_file *m, struct gl_turn_lock *lock, u32 n, u64 id)
{
	struct gl_turn_task *task = &lock->task[n];
	/* Acquire: pairs with the release in claim_task(): the rest is filled. */
	s32 tid = smp_load_acquire(&task->tid);

	if (!tid)
		return;
	if (is_gone(task)) {
		task->tid = 0;
		/* Release: who claims it next finds it without a number. */
		atomic64_set_release(&lock->key[n], 0);
		return;
	}
	seq_printf(m, "%d %llu 0x%llx %d %u %u %llu\n", tid, task->start_ns, id,
		   atomic_read(&lock->nr_tasks), READ_ONCE(task->nr_turns),
		   READ_ONCE(task->nr_overtaken), READ_ONCE(task->waited_ns));
}

static void show_lock(struct seq_file *m, u32 place)
{
	struct gl_turn_lock *lock = &gl_turn_locks[place];
	u64 id = gl_snapshot_id(gl_row_address(gl_turn_keys[place]), 0);
	u32 n;

	for (n = 0; n < GL_TURN_TASKS; n++)
		if (atomic64_read(&lock->key[n]))
			show_task(m, lock, n, id);
}

/**
 * gl_turns_show() - the file `turns`: a row for each task and lock; counting goes on
 * @m: file to write to
 *
 * Context: process; may sleep. Takes turn_mutex.
 *
 * Return: 0.
 */
int gl_turns_show(struct seq_file *m)
{
	u32 place;

	seq_puts(m, "tid start_ns res_id tasks turns overtaken waited_ns\n");
	mutex_lock(&turn_mutex);
	WRITE_ONCE(gl_turns_on, true);
	mod_delayed_work(system_wq, &lease, msecs_to_jiffies(GL_TURN_LEASE_MS));
	for (place = 0; place < GL_TURN_LOCKS; place++) {
		if (!gl_turn_keys[place])
			continue;
		if (is_idle(&gl_turn_locks[place]))
			forget_lock(place);
		else
			show_lock(m, place);
	}
	mutex_unlock(&turn_mutex);
	return 0;
}
