// SPDX-License-Identifier: GPL-2.0
/*
 * kinds - makes each kind of kernel lock contend, in each context that
 * may take it, with each way that a wait can end.
 *
 * Write to /sys/module/gridlock_kinds/parameters/run
 *
 *	once KIND CONTEXT OUTCOME COUNT		one waiter, COUNT times one after another
 *	storm KIND OUTCOME COUNT		threads on all CPUs, COUNT times each
 *	alone KIND COUNT			taken and dropped, and nobody waits
 *	nested					an interrupt waits while its task spins
 *	tail					the same, as the interrupt is about to return
 *
 * CONTEXT is task, softirq or hardirq, where the waiter is; OUTCOME is taken,
 * signal, timeout or deadlock. EOPNOTSUPP: this kernel has no such wait. Reading
 * it gives "ENDS FAILED ERRORS LEAST MOST" of the last command: what passed
 * contention_end for the lock, of that with an error, and errors that callers were
 * given; of `once`, for how many ns the locks were held while somebody waited, and
 * for how many at most. The locks are in kinds_spin.c and kinds_sleep.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/irq_work.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/sched/task_stack.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "kinds.h"

#define MAX_THREADS	8

/* A guard: so long may a waiter take to come. */
#define PATIENCE_NS	(10 * NSEC_PER_SEC)

/* Of the last command; read by `run`. */
static atomic_t nr_ends, nr_failed, nr_errors;

/* And of `once`: from when the waiter was seen to wait until just before the release. */
static u64 held_least_ns;
/* From just before the lock was taken until just after the release. */
static u64 held_most_ns;

/* What is made to contend; changed with the parameter's lock held, between commands. */
static const struct kind *kind;
static enum context context;
static enum outcome outcome;

/* --- an independent count of the same tracepoint --- */

static struct tracepoint *tp_end, *tp_waking;

static void find(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "contention_end"))
		tp_end = tp;
	if (!strcmp(tp->name, "sched_waking"))
		tp_waking = tp;
}

static void probe_end(void *data, void *lock, int ret)
{
	const struct kind *k = READ_ONCE(kind);

	if (!k || lock < k->lock || lock >= k->lock + k->bytes)
		return;
	atomic_inc(&nr_ends);
	if (ret < 0)
		atomic_inc(&nr_failed);
}

/* --- one waiter, again and again --- */

static struct task_struct *thread;
static DECLARE_COMPLETION(go);
static DECLARE_COMPLETION(served);
static DECLARE_COMPLETION(done);
static bool stopping;

/* The task that waits; from it on, it sleeps for nothing but the lock. */
static struct task_struct *waiter;

static void contend(void)
{
	WRITE_ONCE(waiter, current);
	if (kind->wait(outcome, false))
		atomic_inc(&nr_errors);
}

static void contend_in_tasklet(struct tasklet_struct *unused)
{
	contend();
	complete(&served);
}

static void contend_in_irq(struct irq_work *unused)
{
	contend();
	complete(&served);
}

static DECLARE_TASKLET(tasklet, contend_in_tasklet);
static struct irq_work irq_work = IRQ_WORK_INIT_HARD(contend_in_irq);

static void contend_in_context(void)
{
	switch (context) {
	case IN_TASK:
		contend();
		return;
	case IN_SOFTIRQ:
		tasklet_schedule(&tasklet);
		break;
	case IN_HARDIRQ:
		irq_work_queue(&irq_work);
		break;
	}
	wait_for_completion(&served);
}

/* Stay until kthread_stop() has seen us leave the module's code. */
static void stay(void)
{
	for (;;) {
		set_current_state(TASK_UNINTERRUPTIBLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

static int wait_thread(void *unused)
{
	allow_signal(SIGKILL);
	for (;;) {
		wait_for_completion(&go);
		if (READ_ONCE(stopping))
			break;
		contend_in_context();
		flush_signals(current);
		complete(&done);
	}
	stay();
	return 0;
}

static bool is_waited(void)
{
	struct task_struct *task = READ_ONCE(waiter);

	if (!task)
		return false;
	if (kind->is_queued)
		return kind->is_queued(context);
	/* Off its CPU: past the tracepoint that comes after its state is set. */
	return READ_ONCE(task->__state) != TASK_RUNNING && !READ_ONCE(task->on_cpu);
}

static bool is_done(void)
{
	return completion_done(&done);
}

static int look_until(bool (*holds)(void))
{
	u64 end = ktime_get_ns() + PATIENCE_NS;

	while (!holds()) {
		if (ktime_get_ns() > end)
			return -ETIMEDOUT;
		if (kind->is_busy)
			cpu_relax();
		else
			usleep_range(50, 100);
	}
	return 0;
}

/* For a hold of some length, whoever it is that measures it. */
static void keep_on(void)
{
	u64 end = ktime_get_ns() + 100 * NSEC_PER_USEC;

	while (ktime_get_ns() < end)
		cpu_relax();
}

static int contend_once(void)
{
	u64 begin_ns = ktime_get_ns(), waited_ns;
	int err = 0;

	WRITE_ONCE(waiter, NULL);
	kind->hold();
	complete(&go);
	if (outcome == TAKEN || outcome == SIGNAL)
		err = look_until(is_waited);
	if (outcome == SIGNAL)
		send_sig(SIGKILL, thread, 1);
	/* Else it gives up while the lock is held. */
	if (outcome != TAKEN && !err)
		err = look_until(is_done);
	waited_ns = ktime_get_ns();
	keep_on();
	held_least_ns += ktime_get_ns() - waited_ns;
	kind->let_go();
	held_most_ns += ktime_get_ns() - begin_ns;
	wait_for_completion(&done);
	return err;
}

/* On another CPU than ours, where we stay. Return: 0 or -errno. */
static int start_waiter(void)
{
	unsigned int cpu = cpumask_any_but(cpu_online_mask, smp_processor_id());

	if (cpu >= nr_cpu_ids)
		return -ENODEV;
	stopping = false;
	thread = kthread_create(wait_thread, NULL, "gridlock_waiter");
	if (IS_ERR(thread))
		return PTR_ERR(thread);
	kthread_bind(thread, cpu);
	wake_up_process(thread);
	return 0;
}

static void stop_waiter(void)
{
	WRITE_ONCE(stopping, true);
	complete(&go);
	kthread_stop(thread);
}

static int run_once(unsigned int count)
{
	int err;

	migrate_disable();
	err = start_waiter();
	if (!err) {
		while (count-- && !err)
			err = contend_once();
		stop_waiter();
	}
	migrate_enable();
	return err;
}

static void run_alone(unsigned int count)
{
	while (count--) {
		kind->hold();
		kind->let_go();
	}
}

/* --- an interrupt that waits for one lock while its task spins for another --- */

static call_single_data_t call;
static bool in_tail;

static void contend_in_call(void *unused)
{
	kinds_inner_wait();
}

static void do_nothing(struct tasklet_struct *unused)
{
}

static DECLARE_TASKLET(nothing, do_nothing);

/* On PREEMPT_RT the tail of an interrupt wakes a task that serves softirqs. */
static void contend_in_tail_of_call(void *unused)
{
	WRITE_ONCE(in_tail, true);
	tasklet_schedule(&nothing);
}

static void probe_waking(void *data, struct task_struct *task)
{
	int on_stack;

	if (READ_ONCE(in_tail) && raw_smp_processor_id() == task_cpu(thread) &&
	    !in_interrupt() && !object_is_on_stack(&on_stack) && xchg(&in_tail, false))
		kinds_inner_wait();
}

static int nest_once(unsigned int cpu, smp_call_func_t contend_there)
{
	int err;

	WRITE_ONCE(waiter, NULL);
	kinds_inner_hold();
	kind->hold();
	complete(&go);
	err = look_until(is_waited);
	if (!err) {
		INIT_CSD(&call, contend_there, NULL);
		err = smp_call_function_single_async(cpu, &call);
	}
	if (!err)
		err = look_until(kinds_inner_is_queued);
	kinds_inner_let_go();
	kind->let_go();
	wait_for_completion(&done);
	return err;
}

static int run_nested(smp_call_func_t contend_there)
{
	int err;

	migrate_disable();
	err = start_waiter();
	if (!err) {
		err = nest_once(task_cpu(thread), contend_there);
		stop_waiter();
	}
	migrate_enable();
	return err;
}

static int run_tail(void)
{
	int err;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT) || !tp_waking)
		return -EOPNOTSUPP;
	err = tracepoint_probe_register(tp_waking, probe_waking, NULL);
	if (err)
		return err;
	err = run_nested(contend_in_tail_of_call);
	WRITE_ONCE(in_tail, false);
	tracepoint_probe_unregister(tp_waking, probe_waking, NULL);
	tracepoint_synchronize_unregister();
	tasklet_kill(&nothing);
	return err;
}

/* --- a storm --- */

/** struct stormer - a thread of a storm, and what it raises on its CPU */
struct stormer {
	struct task_struct *task;
	struct tasklet_struct tasklet;
	struct irq_work work;
};

static struct stormer stormers[MAX_THREADS];
static unsigned int nr_times;
static atomic_t nr_storming;

static void storm_in_tasklet(struct tasklet_struct *unused)
{
	kind->wait(TAKEN, true);
}

static void storm_in_irq(struct irq_work *unused)
{
	kind->wait(TAKEN, true);
}

static int storm_thread(void *data)
{
	struct stormer *me = data;
	unsigned int i;

	allow_signal(SIGKILL);
	for (i = 0; i < nr_times; i++) {
		if (kind->contexts & BIT(IN_SOFTIRQ))
			tasklet_schedule(&me->tasklet);
		if (kind->contexts & BIT(IN_HARDIRQ))
			irq_work_queue(&me->work);
		if (kind->wait(outcome, true))
			atomic_inc(&nr_errors);
		flush_signals(current);
		cond_resched();
	}
	atomic_dec(&nr_storming);
	stay();
	return 0;
}

static int start_storm(unsigned int nr)
{
	unsigned int i, cpu = cpumask_first(cpu_online_mask);

	atomic_set(&nr_storming, nr);
	for (i = 0; i < nr; i++) {
		struct stormer *s = &stormers[i];

		tasklet_setup(&s->tasklet, storm_in_tasklet);
		s->work = IRQ_WORK_INIT_HARD(storm_in_irq);
		s->task = kthread_create(storm_thread, s, "gridlock_storm");
		if (IS_ERR(s->task)) {
			while (i--)
				kthread_stop(stormers[i].task);
			return PTR_ERR(s->task);
		}
		kthread_bind(s->task, cpu);
		cpu = cpumask_next(cpu, cpu_online_mask);
		if (cpu >= nr_cpu_ids)
			cpu = cpumask_first(cpu_online_mask);
	}
	for (i = 0; i < nr; i++)
		wake_up_process(stormers[i].task);
	return 0;
}

static int run_storm(unsigned int times)
{
	unsigned int nr = min(2 * num_online_cpus(), (unsigned int)MAX_THREADS), i = 0;
	int err;

	nr_times = times;
	err = start_storm(nr);
	if (err)
		return err;
	while (atomic_read(&nr_storming)) {
		usleep_range(1000, 2000);
		if (outcome == SIGNAL)
			send_sig(SIGKILL, stormers[i++ % nr].task, 1);
	}
	for (i = 0; i < nr; i++) {
		kthread_stop(stormers[i].task);
		tasklet_kill(&stormers[i].tasklet);
		irq_work_sync(&stormers[i].work);
	}
	return 0;
}

/* --- the parameter --- */

static const char *const context_names[] = { "task", "softirq", "hardirq" };
static const char *const outcome_names[] = {
	"taken", "signal", "timeout", "deadlock", "nested"
};

static const struct kind *find_kind(const struct kind *kinds, const char *name)
{
	while (kinds->name && strcmp(kinds->name, name))
		kinds++;
	return kinds->name ? kinds : NULL;
}

static int set_job(const char *kind_name, const char *context_name, const char *outcome_name)
{
	int c = match_string(context_names, ARRAY_SIZE(context_names), context_name);
	int o = match_string(outcome_names, ARRAY_SIZE(outcome_names), outcome_name);
	const struct kind *k = find_kind(kinds_that_spin, kind_name) ?:
			       find_kind(kinds_that_sleep, kind_name);

	if (!k || c < 0 || o < 0)
		return -EINVAL;
	if (!(k->contexts & BIT(c)) || !(k->outcomes & BIT(o)))
		return -EOPNOTSUPP;
	context = c;
	outcome = o;
	WRITE_ONCE(kind, k);
	return 0;
}

static int set_run(const char *text, const struct kernel_param *kp)
{
	char kind_name[16], context_name[16], outcome_name[16];
	unsigned int count;

	atomic_set(&nr_ends, 0);
	atomic_set(&nr_failed, 0);
	atomic_set(&nr_errors, 0);
	held_least_ns = 0;
	held_most_ns = 0;
	if (sysfs_streq(text, "nested"))
		return set_job("raw_spinlock", "task", "nested") ?: run_nested(contend_in_call);
	if (sysfs_streq(text, "tail"))
		return set_job("raw_spinlock", "task", "nested") ?: run_tail();
	if (sscanf(text, "once %15s %15s %15s %u", kind_name, context_name, outcome_name,
		   &count) == 4)
		return set_job(kind_name, context_name, outcome_name) ?: run_once(count);
	if (sscanf(text, "alone %15s %u", kind_name, &count) == 2) {
		int err = set_job(kind_name, "task", "taken");

		if (!err)
			run_alone(count);
		return err;
	}
	if (sscanf(text, "storm %15s %15s %u", kind_name, outcome_name, &count) != 3)
		return -EINVAL;
	return set_job(kind_name, "task", outcome_name) ?: run_storm(count);
}

static int get_run(char *text, const struct kernel_param *kp)
{
	return sprintf(text, "%d %d %d %llu %llu\n", atomic_read(&nr_ends),
		       atomic_read(&nr_failed), atomic_read(&nr_errors), held_least_ns,
		       held_most_ns);
}

static const struct kernel_param_ops run_ops = { .set = set_run, .get = get_run };
module_param_cb(run, &run_ops, NULL, 0600);
MODULE_PARM_DESC(run, "write what is to contend; read what was counted");

static int __init kinds_init(void)
{
	kinds_init_spinning();
	kinds_init_sleeping();
	for_each_kernel_tracepoint(find, NULL);
	if (!tp_end)
		return -EOPNOTSUPP;
	return tracepoint_probe_register(tp_end, probe_end, NULL);
}

static void __exit kinds_exit(void)
{
	tracepoint_probe_unregister(tp_end, probe_end, NULL);
	tracepoint_synchronize_unregister();
	tasklet_kill(&tasklet);
	irq_work_sync(&irq_work);
}

module_init(kinds_init);
module_exit(kinds_exit);

MODULE_AUTHOR("The gridlock developers");
MODULE_DESCRIPTION("Makes every kind of kernel lock contend, for the tests of gridlock");
MODULE_LICENSE("GPL");
