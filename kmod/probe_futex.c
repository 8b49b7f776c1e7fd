// SPDX-License-Identifier: GPL-2.0
/*
 * probe_futex - futex waits, by kprobes on the entry of the functions that a
 * waiter passes: its arguments, its sleep, its end. They have no tracepoint.
 *
 * Return probes would need an instance for each sleeper. No function here is
 * entered by a task that does not wait; wakers pay nothing.
 */
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/kprobes.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/sched.h>

#include "compat.h"
#include "cpu.h"
#include "episode.h"
#include "event.h"
#include "probe.h"
#include "wait.h"

static u16 timed_if(bool has_timeout)
{
	return GL_WAIT_TIMED_KNOWN | (has_timeout ? GL_WAIT_TIMED : 0);
}

static u16 shared_if(unsigned long flags)
{
	return flags & GL_FUTEX_FLAGS_SHARED ? GL_WAIT_FUTEX_SHARED : 0;
}

/* futex_wait_setup(uaddr, val, flags, ...): arguments of a wait, maybe to be */
static notrace void on_setup(struct gl_cpu *cpu, struct pt_regs *regs)
{
	if (GL_FUTEX_SETUP_SLEEPS(regs))
		gl_wait_stage(cpu, GL_KIND_FUTEX, regs->di, regs->si, shared_if(regs->dx));
}

static __always_inline void commit(struct gl_cpu *cpu, bool pi, u16 flags)
{
	gl_event_inc(GL_EVENT_BEGINS);
	gl_wait_commit(cpu, pi, flags);
}

/* Somebody looks how often tasks come back to the same futex. */
static __always_inline void note_sleep(unsigned long timer)
{
	u64 uaddr = gl_wait_futex();

	if (uaddr)
		gl_episode_sleep(uaddr, (const struct hrtimer_sleeper *)timer);
}

static __always_inline void note_wake(void)
{
	u64 uaddr = gl_wait_futex();

	if (uaddr)
		gl_episode_wake(uaddr);
}

/* GL_FUTEX_SLEEP(..., timeout): it sleeps */
static notrace void on_sleep(struct gl_cpu *cpu, struct pt_regs *regs)
{
	unsigned long timer = GL_FUTEX_SLEEP_TIMER(regs);

	commit(cpu, false, timed_if(timer));
	if (unlikely(READ_ONCE(gl_episodes_on)))
		note_sleep(timer);
}

/* Also tasks that did not sleep pass here: those count for nothing. */
static __always_inline void end(struct gl_cpu *cpu, int ret)
{
	if (unlikely(gl_probe_drops_end(cpu)))
		return;
	if (gl_wait_end_futex(cpu, ret))
		gl_event_inc(GL_EVENT_ENDS);
}

/* futex_unqueue(q): it woke */
static notrace void on_unqueue(struct gl_cpu *cpu, struct pt_regs *regs)
{
	if (unlikely(READ_ONCE(gl_episodes_on)))
		note_wake();
	end(cpu, 0);
}

/* futex_lock_pi(uaddr, flags, timeout, trylock): arguments */
static notrace void on_lock_pi(struct gl_cpu *cpu, struct pt_regs *regs)
{
	if (!(u32)regs->cx)
		gl_wait_stage(cpu, GL_KIND_FUTEX_PI, regs->di, 0,
			      shared_if(regs->si) | timed_if(regs->dx));
}

/*
 * futex_wait_requeue_pi(uaddr, flags, val, timeout, bitset, uaddr2): arguments of a
 * mutex that the condition's wait may end at; on_setup() has the condition's.
 */
static notrace void on_requeue_pi(struct gl_cpu *cpu, struct pt_regs *regs)
{
	gl_wait_stage_requeue(cpu, regs->r9, shared_if(regs->si) | timed_if(regs->cx));
}

/* rt_mutex_wait_proxy_lock(lock, timeout, waiter): it sleeps */
static notrace void on_wait_proxy_lock(struct gl_cpu *cpu, struct pt_regs *regs)
{
	commit(cpu, true, 0);
}

/* fixup_pi_owner(uaddr, q, locked): it woke */
static notrace void on_fixup_pi_owner(struct gl_cpu *cpu, struct pt_regs *regs)
{
	end(cpu, (u32)regs->dx ? 0 : -ETIMEDOUT);
}

/* futex_wait_multiple(futexes, count, timeout): for several, maybe to be */
static notrace void on_wait_multiple(struct gl_cpu *cpu, struct pt_regs *regs)
{
	gl_wait_several(cpu);
}

/** struct point - a function and what to do at its entry */
struct point {
	struct kprobe probe;
	void (*on)(struct gl_cpu *cpu, struct pt_regs *regs);
};

static int handle(struct kprobe *probe, struct pt_regs *regs);

#define POINT(function, handler) \
	{ .probe = { .symbol_name = function, .pre_handler = handle }, .on = handler }

/*
 * What one kind of futex takes, whole or not at all: with an end that is not seen
 * its waits would never end, and without arguments none would begin. Ends first: no
 * wait is ever begun whose end would not be seen.
 */
static struct point plain[] = {
	POINT("futex_unqueue", on_unqueue),
	POINT("futex_wait_setup", on_setup),
	POINT(GL_FUTEX_SLEEP, on_sleep),
};

static struct point pi[] = {
	POINT("fixup_pi_owner", on_fixup_pi_owner),
	POINT("futex_lock_pi", on_lock_pi),
	POINT("futex_wait_requeue_pi", on_requeue_pi),
	POINT("rt_mutex_wait_proxy_lock", on_wait_proxy_lock),
};

static struct point waitv[] = {
	POINT("futex_wait_multiple", on_wait_multiple),
};

#define MOST_POINTS	ARRAY_SIZE(pi)
static_assert(ARRAY_SIZE(plain) <= MOST_POINTS);
static_assert(ARRAY_SIZE(waitv) <= MOST_POINTS);

static notrace int handle(struct kprobe *probe, struct pt_regs *regs)
{
	struct point *point = container_of(probe, struct point, probe);
	struct gl_cpu *cpu;

	preempt_disable_notrace();
	cpu = gl_this_cpu();
	/*
	 * Always the task's level: only tasks wait for futexes, but a kprobe that
	 * is not on ftrace comes by an exception that looks like an NMI.
	 */
	if (gl_cpu_enter(cpu, GL_LEVEL_TASK)) {
		point->on(cpu, regs);
		gl_cpu_leave(cpu, GL_LEVEL_TASK);
	} else {
		gl_event_inc(GL_EVENT_LOST_RECURSION_BEGIN);
	}
	preempt_enable_notrace();
	return 0;
}

/* All at once, which waits for one grace period; begins are disarmed first. */
static void detach(struct point *points, size_t nr)
{
	struct kprobe *probes[MOST_POINTS];
	size_t i;

	for (i = 0; i < nr; i++)
		probes[i] = &points[nr - 1 - i].probe;
	unregister_kprobes(probes, nr);
}

/* Return: 0, or -errno and which function it could not probe. */
static int attach(struct point *points, size_t nr, const char **missing_ret)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		int err = register_kprobe(&points[i].probe);

		if (!err)
			continue;
		*missing_ret = points[i].probe.symbol_name;
		detach(points, i);
		return err;
	}
	return 0;
}

static u64 nr_missed(const struct point *points, size_t nr)
{
	u64 sum = 0;
	size_t i;

	for (i = 0; i < nr; i++)
		sum += points[i].probe.nmissed;
	return sum;
}

#define GROUP(points, string)							\
static const char *points##_missing;						\
static int attach_##points(void)						\
{										\
	return attach(points, ARRAY_SIZE(points), &points##_missing);		\
}										\
static void detach_##points(void)						\
{										\
	detach(points, ARRAY_SIZE(points));					\
}										\
static u64 nr_missed_##points(void)						\
{										\
	return nr_missed(points, ARRAY_SIZE(points));				\
}										\
const struct gl_probe_group gl_probe_futex_##points = {				\
	.name = string,								\
	.wanted = &gl_futex,							\
	.attach = attach_##points,						\
	.detach = detach_##points,						\
	.missing = &points##_missing,						\
	.nr_missed = nr_missed_##points,					\
}

GROUP(plain, "futex");
GROUP(pi, "futex_pi");
GROUP(waitv, "futex_waitv");
