// SPDX-License-Identifier: GPL-2.0
/*
 * coverage - which waits this kernel lets us see, kind by kind: exact, a
 * lower bound, or none, and why.
 *
 * Most of it follows from where the kernel has its tracepoints. Whether
 * spinning is seen depends on the machine and is tried out at load.
 */
#include "coverage.h"

#include <linux/bits.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/isolation.h>
#include <linux/seq_file.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "cpu.h"
#include "form.h"
#include "probe.h"
#include "release.h"
#include "uapi/gridlock.h"

static const char *const kind_names[] = {
#define GL_KIND_NAME(name, string)	string,
	GL_KIND_LIST(GL_KIND_NAME)
#undef GL_KIND_NAME
};

#define FIRST_WAITER	"the first waiter of a queued spinlock passes no tracepoint"

/* What gl_coverage_test() found. */
static enum { SPIN_UNTRIED, SPIN_SEEN, SPIN_UNSEEN } spin_trial;

/* Two waiters, because the first one of a queued spinlock is never seen. */
#define NR_WAITERS	2

/* The longest that a CPU is kept; the trial stays open where that is too short. */
#define TRIAL_NS	((IS_ENABLED(CONFIG_PREEMPT_RT) ? 1 : 20) * NSEC_PER_MSEC)

static DEFINE_RAW_SPINLOCK(trial_lock);
static atomic_t nr_there;

static int wait_once(void *unused)
{
	preempt_disable();
	atomic_inc(&nr_there);
	raw_spin_lock(&trial_lock);
	raw_spin_unlock(&trial_lock);
	preempt_enable();
	/* Stay until kthread_stop() has seen us leave the module's code. */
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/* On CPUs other than ours, and none isolated; the caller holds cpus_read_lock(). */
static u32 make_waiters(struct task_struct *waiters[NR_WAITERS])
{
	int here = smp_processor_id(), cpu;
	u32 nr = 0;

	for_each_online_cpu(cpu) {
		struct task_struct *task;

		if (cpu == here || nr == NR_WAITERS ||
		    !housekeeping_test_cpu(cpu, HK_TYPE_DOMAIN))
			continue;
		task = kthread_create(wait_once, NULL, "gridlock_trial");
		if (IS_ERR(task))
			break;
		kthread_bind(task, cpu);
		waiters[nr++] = task;
	}
	return nr;
}

/* Hold the lock until both spin for it, or the time is up. */
static void hold_against(struct task_struct *waiters[NR_WAITERS])
{
	u64 end;
	int i;

	raw_spin_lock(&trial_lock);
	for (i = 0; i < NR_WAITERS; i++)
		wake_up_process(waiters[i]);
	end = ktime_get_mono_fast_ns() + TRIAL_NS;
	while (atomic_read(&nr_there) < NR_WAITERS && ktime_get_mono_fast_ns() < end)
		cpu_relax();
	udelay(200);
	raw_spin_unlock(&trial_lock);
}

static u64 nr_spins_begun(void)
{
	u64 nr = 0;
	int cpu;

	for_each_possible_cpu(cpu)
		nr += local_read(&per_cpu(gl_cpu_ptr, cpu)->total[GL_KIND_SPINLOCK].sums.begun);
	return nr;
}

/* Two CPUs come for a lock that we hold. */
static void try_once(void)
{
	struct task_struct *waiters[NR_WAITERS];
	u32 nr, i;

	cpus_read_lock();
	migrate_disable();
	atomic_set(&nr_there, 0);
	nr = make_waiters(waiters);
	if (nr == NR_WAITERS) {
		hold_against(waiters);
		if (nr_spins_begun())
			spin_trial = SPIN_SEEN;
		else if (atomic_read(&nr_there) == NR_WAITERS)
			spin_trial = SPIN_UNSEEN;
	}
	migrate_enable();
	cpus_read_unlock();
	for (i = 0; i < nr; i++)
		kthread_stop(waiters[i]);
}

/**
 * gl_coverage_test() - try out whether waits for spinlocks are seen
 *
 * Under most hypervisors they are not. Takes a millisecond, and three CPUs;
 * on fewer, or when those have no time, the answer stays open. So it does where
 * nothing is recorded yet. A host may take a CPU away on its way to the lock:
 * what was not seen is tried again.
 *
 * Context: process; may sleep. The probes are attached.
 */
void gl_coverage_test(void)
{
	if (!READ_ONCE(gl_enabled))
		return;
	try_once();
	if (spin_trial == SPIN_UNSEEN)
		try_once();
}

static void show(struct seq_file *m, u32 kind, const char *text)
{
	seq_printf(m, "%-12s %s\n", kind_names[kind], text);
}

static void show_names(struct seq_file *m, const char *head, u32 forms)
{
	u32 form;

	if (forms)
		seq_puts(m, head);
	for (form = 0; form < GL_NR_FORMS; form++)
		if (forms & BIT(form))
			seq_printf(m, " %s", gl_form_name(form));
}

/* A kind of several forms: which of them the rows of locks tell. */
static void show_forms(struct seq_file *m, u32 kind, const char *text, u32 forms)
{
	u32 told = 0, form;

	for (form = 0; form < GL_NR_FORMS; form++)
		if (gl_form_is_told(form))
			told |= forms & BIT(form);
	seq_printf(m, "%-12s %s", kind_names[kind], text);
	show_names(m, "; form tells", told);
	show_names(m, "; form does not tell", forms & ~told);
	if (forms & BIT(GL_FORM_WW_MUTEX))
		gl_episodes_show_unseen(m);
	seq_putc(m, '\n');
}

static const char *spin_coverage(void)
{
	if (spin_trial == SPIN_UNSEEN)
		return "none: on this machine the kernel spins before its tracepoint (hypervisor)";
	if (spin_trial == SPIN_SEEN)
		return "lower-bound: " FIRST_WAITER;
	return "lower-bound: not tried out, that takes 3 idle CPUs; " FIRST_WAITER;
}

static void show_rt(struct seq_file *m)
{
	u32 rwlocks = BIT(GL_FORM_RWLOCK) | BIT(GL_FORM_RWSEM);

	show(m, GL_KIND_RWLOCK_R, "none: counted as rwlock-rt:R on PREEMPT_RT");
	show(m, GL_KIND_RWLOCK_W, "none: counted as rwlock-rt:W on PREEMPT_RT");
	show(m, GL_KIND_RWSEM_R, "none: counted as rwlock-rt:R on PREEMPT_RT");
	show(m, GL_KIND_RWSEM_W, "none: counted as rwlock-rt:W on PREEMPT_RT");
	show(m, GL_KIND_MUTEX, "none: counted as rtmutex on PREEMPT_RT");
	show_forms(m, GL_KIND_RTMUTEX,
		   "exact: all that sleeps on an rt_mutex is one kind; mutex and rt_mutex have no form if asked for by a jump or a pointer",
		   rwlocks | BIT(GL_FORM_SPINLOCK) | BIT(GL_FORM_MUTEX) | BIT(GL_FORM_WW_MUTEX) |
		   BIT(GL_FORM_RT_MUTEX));
	show_forms(m, GL_KIND_RWLOCK_RT_R,
		   "exact: rwlock_t and rw_semaphore are one kind", rwlocks);
	show_forms(m, GL_KIND_RWLOCK_RT_W,
		   "lower-bound: behind a writer it waits for the rtmutex inside", rwlocks);
}

static void show_no_rt(struct seq_file *m)
{
	show(m, GL_KIND_RWLOCK_R, "lower-bound: an interrupt, or bottom halves off, passes no tracepoint");
	show(m, GL_KIND_RWLOCK_W, "exact");
	show(m, GL_KIND_RWSEM_R, "lower-bound: a reader that steals the lock passes no tracepoint");
	show(m, GL_KIND_RWSEM_W, "lower-bound: a writer that gets the lock by spinning passes no tracepoint");
	/* With lockdep a mutex has no fast path: each call passes the tracepoints. */
	show_forms(m, GL_KIND_MUTEX, IS_ENABLED(CONFIG_DEBUG_LOCK_ALLOC) ?
		   "exact: every call counts, contended or not; ww_mutexes are among them" :
		   "exact: ww_mutexes are among them",
		   BIT(GL_FORM_MUTEX) | BIT(GL_FORM_WW_MUTEX));
	show(m, GL_KIND_RTMUTEX, "exact");
	show(m, GL_KIND_RWLOCK_RT_R, "none: only on PREEMPT_RT");
	show(m, GL_KIND_RWLOCK_RT_W, "none: only on PREEMPT_RT");
}

/* Where probes are to be whole: what the kernel lets us see, or why nothing. */
static void show_group(struct seq_file *m, u32 kind, const struct gl_probe_group *group,
		       const char *text)
{
	if (gl_probe_is_on(group))
		show(m, kind, text);
	else if (*group->wanted)
		seq_printf(m, "%-12s none: this kernel lets nobody probe %s()\n", kind_names[kind],
			   *group->missing);
	else
		show(m, kind, "none: left out by a parameter");
}

/* A wait for several futexes is only counted, and only where it passes a probe. */
static void show_futex(struct seq_file *m)
{
	if (gl_probe_is_on(&gl_probe_futex_plain) && !gl_probe_is_on(&gl_probe_futex_waitv))
		seq_printf(m, "%-12s lower-bound: io_uring passes no probe, nor does futex_waitv: this kernel lets nobody probe %s()\n",
			   kind_names[GL_KIND_FUTEX], *gl_probe_futex_waitv.missing);
	else
		show_group(m, GL_KIND_FUTEX, &gl_probe_futex_plain,
			   "lower-bound: io_uring passes no probe; futex_waitv is lost.futex_waitv");
}

static void show_files(struct seq_file *m)
{
	const char *lock = "lower-bound: file systems that lock elsewhere pass no tracepoint";
	const char *lease = "exact for user tasks: each sleep counts, one call may make several";
	const char *none = "none: the file-lock probes are not attached";

	if (!gl_probe_is_on(&gl_probe_filelock)) {
		lock = none;
		lease = none;
	}
	show(m, GL_KIND_FLOCK, lock);
	show(m, GL_KIND_POSIX, lock);
	show(m, GL_KIND_OFD, lock);
	show(m, GL_KIND_LEASE, lease);
}

/* Asked for, or no line at all. */
static void show_holds(struct seq_file *m)
{
	char name[24];
	u32 kind;

	if (!gl_holds)
		return;
	for (kind = GL_KIND_UNKNOWN + 1; kind < GL_KIND_FUTEX; kind++) {
		snprintf(name, sizeof(name), "hold:%s", kind_names[kind]);
		seq_printf(m, "%-16s %s\n", name, gl_release_coverage(kind));
	}
}

/**
 * gl_coverage_show() - a line for each kind that the module counts
 * @m: file to write to
 *
 * Context: process.
 */
void gl_coverage_show(struct seq_file *m)
{
	show(m, GL_KIND_SPINLOCK, spin_coverage());
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		show_rt(m);
	else
		show_no_rt(m);
	show(m, GL_KIND_SEMAPHORE, "exact");
	show(m, GL_KIND_PCPU_SEM_R, "exact");
	show(m, GL_KIND_PCPU_SEM_W, GL_PCPU_WRITER_COVERAGE);
	show_futex(m);
	show_group(m, GL_KIND_FUTEX_PI, &gl_probe_futex_pi,
		   "lower-bound: who was requeued to a mutex counts when it wakes to take it");
	show_files(m);
	show_holds(m);
}
