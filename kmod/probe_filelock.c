// SPDX-License-Identifier: GPL-2.0
/*
 * probe_filelock - waits for locks on files (flock, POSIX and OFD locks), and for
 * leases to be given up, by tracepoints alone.
 *
 * flock_lock_inode and posix_lock_inode tell how each attempt came out: taken,
 * deferred (the task sleeps, and tries again when it is woken) or refused. They
 * are passed by every call, contended or not. Of a wait that a signal ends they
 * tell nothing: the signal is delivered before the task sees user mode again, and
 * that ends the wait.
 */
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>

#include "compat.h"
#include "count.h"
#include "cpu.h"
#include "end.h"
#include "episode.h"
#include "event.h"
#include "probe.h"
#include "wait.h"

#include <trace/events/filelock.h>
#include <trace/events/signal.h>

static __always_inline struct gl_resource resource(u32 kind, const struct inode *inode)
{
	u64 ino = inode->i_ino;

	return (struct gl_resource){
		.kind = kind,
		.lock = ino & ((1ULL << GL_KEY_ADDRESS_BITS) - 1),
		.space = gl_file_space(inode->i_sb->s_dev, ino),
	};
}

static __always_inline u32 kind_of(const struct file_lock *fl)
{
	if (GL_FILELOCK_FLAGS(fl) & FL_FLOCK)
		return GL_KIND_FLOCK;
	return GL_FILELOCK_FLAGS(fl) & FL_OFDLCK ? GL_KIND_OFD : GL_KIND_POSIX;
}

/*
 * A kernel thread asks for clients of a file server. It is told to come again, and
 * does not sleep here: its client waits, and that one is no task of this kernel.
 */
static __always_inline bool asks_for_others(void)
{
	if (likely(!(current->flags & PF_KTHREAD)))
		return false;
	gl_event_inc(GL_EVENT_FILELOCK_FOR_OTHERS);
	return true;
}

static __always_inline void on_begin(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags)
{
	if (asks_for_others())
		return;
	gl_event_inc(GL_EVENT_BEGINS);
	gl_wait_begin_file(cpu, res, flags | GL_WAIT_TIMED_KNOWN);
}

/* The task is in a wait for a file lock or lease, as far as we know. */
static __always_inline bool on_end(struct gl_cpu *cpu, const struct gl_resource *res, int ret)
{
	if (unlikely(gl_probe_drops_end(cpu)))
		return true;
	if (!gl_wait_end_file(cpu, res, ret))
		return false;
	gl_event_inc(GL_EVENT_ENDS);
	return true;
}

/* Nothing but a signal ends such a wait without another attempt. */
static __always_inline void on_interrupted(struct gl_cpu *cpu)
{
	if (on_end(cpu, NULL, -EINTR))
		gl_event_inc(GL_EVENT_FILELOCK_INTERRUPTED);
}

/* A contention without length. */
static __always_inline void on_refused(struct gl_cpu *cpu, const struct gl_resource *res,
				       int ret, enum gl_event why)
{
	struct gl_ended ended = {
		.res = *res,
		.begin_ns = ktime_get_mono_fast_ns(),
		.ret = ret,
		.in_task = true,
	};

	if (asks_for_others())
		return;
	if (unlikely(!READ_ONCE(gl_enabled))) {
		gl_event_inc(GL_EVENT_DISABLED);
		return;
	}
	gl_event_inc(why);
	/* Each event beside what it counts: see nr_in_probes(). */
	gl_event_inc(GL_EVENT_BEGINS);
	gl_count_begin(cpu, res);
	gl_event_inc(GL_EVENT_ENDS);
	gl_end(cpu, &ended);
}

/*
 * Who unlocks waits no more. Before its signal is delivered a task that has given
 * up closes what other threads have closed meanwhile. Without a signal its end was
 * missed.
 */
static __always_inline void on_unlock(struct gl_cpu *cpu)
{
	if (signal_pending(current))
		on_interrupted(cpu);
	else
		gl_wait_missed_file(cpu);
}

/* A number of the bytes that are locked. */
static __always_inline u64 range_of(const struct gl_resource *res, const struct file_lock *fl)
{
	return res->kind == GL_KIND_FLOCK ? 0 : hash_64(fl->fl_start, 64) + fl->fl_end;
}

/* While somebody looks: how often others are served past a task that waits. */
static __always_inline void note_blocked(const struct gl_resource *res,
					 const struct file_lock *fl)
{
	u64 begin_ns = gl_wait_file_since();

	if (begin_ns)
		gl_episode_blocked(res, range_of(res, fl), begin_ns);
}

/* While somebody looks: how often a task gets what it tries to get, or not. */
static __always_inline void note_attempt(const struct gl_resource *res,
					 const struct file_lock *fl, int ret)
{
	if (ret && (current->flags & PF_KTHREAD || (ret != -EAGAIN && ret != -EDEADLK)))
		return;
	/* A network file system asks whether it could be had: nothing is taken. */
	if (!ret && GL_FILELOCK_FLAGS(fl) & FL_ACCESS)
		return;
	gl_episode_tried(res, range_of(res, fl), ret);
}

/* An attempt to take a lock goes on: the task sleeps till others let go of it. */
static __always_inline void on_deferred(struct gl_cpu *cpu, const struct gl_resource *res,
					const struct file_lock *fl)
{
	on_begin(cpu, res, GL_FILELOCK_TYPE(fl) == F_RDLCK ? GL_WAIT_SHARED : 0);
	if (unlikely(READ_ONCE(gl_episodes_on)))
		note_blocked(res, fl);
}

/* An attempt to take a lock is over: it was taken, or refused. */
static __always_inline void on_outcome(struct gl_cpu *cpu, const struct gl_resource *res,
				       const struct file_lock *fl, bool waits, int ret)
{
	bool waited = false;

	if (unlikely(READ_ONCE(gl_episodes_on)))
		note_attempt(res, fl, ret);
	/* Who waits is not refused for that: it did not wait any more. */
	if (waits && ret == -EAGAIN)
		gl_wait_missed_file(cpu);
	else if (waits)
		waited = on_end(cpu, res, ret);
	if (ret == -EAGAIN)
		on_refused(cpu, res, ret, GL_EVENT_FILELOCK_REFUSED);
	else if (ret == -EDEADLK && waited)
		gl_event_inc(GL_EVENT_FILELOCK_DEADLOCKS);
	else if (ret == -EDEADLK)
		on_refused(cpu, res, ret, GL_EVENT_FILELOCK_DEADLOCKS);
}

/* An attempt at a lock: @ret is 0, FILE_LOCK_DEFERRED or -errno. */
static __always_inline void on_attempt(struct gl_cpu *cpu, const struct inode *inode,
				       const struct file_lock *fl, int ret)
{
	struct gl_resource res = resource(kind_of(fl), inode);
	bool waits = gl_wait_in_file();

	if (ret == FILE_LOCK_DEFERRED)
		on_deferred(cpu, &res, fl);
	else if (GL_FILELOCK_TYPE(fl) != F_UNLCK)
		on_outcome(cpu, &res, fl, waits, ret);
	else if (waits)
		on_unlock(cpu);
}

/* All of these are passed by tasks, never by interrupts. */
static __always_inline struct gl_cpu *enter(enum gl_event lost)
{
	struct gl_cpu *cpu;

	/* 7.x calls probes with preemption on. */
	preempt_disable_notrace();
	cpu = gl_this_cpu();
	if (likely(gl_cpu_enter(cpu, GL_LEVEL_TASK)))
		return cpu;
	gl_event_inc(lost);
	preempt_enable_notrace();
	return NULL;
}

static __always_inline void leave(struct gl_cpu *cpu)
{
	gl_cpu_leave(cpu, GL_LEVEL_TASK);
	preempt_enable_notrace();
}

static notrace void probe_lock(void *data, struct inode *inode, struct file_lock *fl, int ret)
{
	struct gl_cpu *cpu;

	/* As a rule it is had at once, by who has not waited: that counts for nothing. */
	if (likely(!ret && !gl_wait_may_be_in_file() && !READ_ONCE(gl_episodes_on)))
		return;
	cpu = enter(ret == FILE_LOCK_DEFERRED ? GL_EVENT_LOST_RECURSION_BEGIN :
						GL_EVENT_LOST_RECURSION_END);
	if (!cpu)
		return;
	on_attempt(cpu, inode, fl, ret);
	leave(cpu);
}

static notrace void probe_lease_block(void *data, struct inode *inode, struct gl_file_lease *fl)
{
	struct gl_resource res = resource(GL_KIND_LEASE, inode);
	struct gl_cpu *cpu = enter(GL_EVENT_LOST_RECURSION_BEGIN);

	if (!cpu)
		return;
	/* The kernel takes the lease away in the end, or looks again. */
	on_begin(cpu, &res, GL_WAIT_TIMED);
	leave(cpu);
}

/* The lease is gone or its time is up, or there is a signal; that comes too late at most. */
static notrace void probe_lease_unblock(void *data, struct inode *inode, struct gl_file_lease *fl)
{
	struct gl_resource res = resource(GL_KIND_LEASE, inode);
	struct gl_cpu *cpu = enter(GL_EVENT_LOST_RECURSION_END);

	if (!cpu)
		return;
	if (gl_wait_in_file() && signal_pending(current))
		on_interrupted(cpu);
	else if (gl_wait_in_file())
		on_end(cpu, &res, 0);
	leave(cpu);
}

static notrace void probe_lease_noblock(void *data, struct inode *inode, struct gl_file_lease *fl)
{
	struct gl_resource res = resource(GL_KIND_LEASE, inode);
	struct gl_cpu *cpu = enter(GL_EVENT_LOST_RECURSION_BEGIN);

	if (!cpu)
		return;
	on_refused(cpu, &res, -EWOULDBLOCK, GL_EVENT_FILELOCK_REFUSED);
	leave(cpu);
}

/* On its way to user mode: a task that still waits as far as we know has given up. */
static notrace void probe_signal(void *data, int sig, struct kernel_siginfo *info,
				 struct k_sigaction *action)
{
	struct gl_cpu *cpu;

	if (likely(!gl_wait_may_be_in_file()))
		return;
	cpu = enter(GL_EVENT_LOST_RECURSION_END);
	if (!cpu)
		return;
	if (gl_wait_in_file())
		on_interrupted(cpu);
	leave(cpu);
}

/* The compiler checks our probes against the tracepoints' types. */
static void __maybe_unused check_types(void)
{
	check_trace_callback_type_signal_deliver(probe_signal);
	check_trace_callback_type_flock_lock_inode(probe_lock);
	check_trace_callback_type_posix_lock_inode(probe_lock);
	check_trace_callback_type_break_lease_block(probe_lease_block);
	check_trace_callback_type_break_lease_unblock(probe_lease_unblock);
	check_trace_callback_type_break_lease_noblock(probe_lease_noblock);
}

/** struct point - a tracepoint and our probe of it */
struct point {
	const char *name;
	void *probe;
	/** @tp: once attached */
	struct tracepoint *tp;
};

/* Ends first: no wait is ever begun whose end would not be seen. */
static struct point points[] = {
	{ .name = "signal_deliver", .probe = probe_signal },
	{ .name = "break_lease_unblock", .probe = probe_lease_unblock },
	{ .name = "break_lease_block", .probe = probe_lease_block },
	{ .name = "break_lease_noblock", .probe = probe_lease_noblock },
	{ .name = "flock_lock_inode", .probe = probe_lock },
	{ .name = "posix_lock_inode", .probe = probe_lock },
};

static void detach(void)
{
	size_t i = ARRAY_SIZE(points);

	while (i--) {
		if (points[i].tp)
			tracepoint_probe_unregister(points[i].tp, points[i].probe, NULL);
		points[i].tp = NULL;
	}
}

/* All or none: one that is missing would make the others' counts wrong. */
static int attach(void)
{
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(points); i++) {
		struct tracepoint *tp = gl_tracepoint_find(points[i].name);

		err = tp ? tracepoint_probe_register(tp, points[i].probe, NULL) : -ENOENT;
		if (err) {
			detach();
			return err;
		}
		points[i].tp = tp;
	}
	return 0;
}

const struct gl_probe_group gl_probe_filelock = {
	.name = "filelock",
	.wanted = &gl_filelock,
	.attach = attach,
	.detach = detach,
};
