// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock_bench - fires contention_begin and contention_end in pairs, as the
 * slow paths of locks do, and counts what a pair costs; and takes a lock that
 * nobody else wants.
 *
 * Write "FLAGS LOCKS PAIRS [CPUS [BATCH]]" to the parameter `run`, or "mutex PAIRS"
 * or "spinlock PAIRS" to `alone`; reading either then gives the least cost of a
 * pair, the median, what one in a thousand exceeds, and the most, in ticks of the
 * time stamp counter and hundredths. In a machine that counts instructions a tick is
 * an instruction, and they are the same on every run.
 *
 * On each of the CPUs, all at once, PAIRS pairs go round the same LOCKS, whose first
 * word names an owner, as a mutex's does. Each lock is fired once before. BATCH pairs
 * (100) are measured in one go.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/container_of.h>
#include <linux/cpu.h>
#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/timex.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

/* Pairs that are measured in one go, if nothing else is asked for. */
#define BATCH		100

#define MAX_LOCKS	BIT(18)
#define MAX_PAIRS	BIT(20)

/** struct line - a lock, alone on its cache line */
struct line {
	unsigned long owner;
	char pad[64 - sizeof(unsigned long)];
};

/** struct job - what to do, and what it cost */
struct job {
	/** @nr_pairs: on each CPU */
	unsigned int flags, nr_locks, nr_pairs, nr_cpus, batch;
	struct line *locks;
	/** @ticks: [nr_ticks] of each batch, CPU by CPU */
	u64 *ticks;
	u32 nr_ticks;
	/** @nr_ready: CPUs that have fired each lock, and wait for the others */
	atomic_t nr_ready;
};

/** struct share - what one CPU does of a job */
struct share {
	struct work_struct work;
	struct job *job;
	/** @nr: the how manieth CPU */
	u32 nr;
};

/** struct cost - of a pair; hundredths of a tick */
struct cost {
	u64 least, median, p999, most;
};

static struct tracepoint *tp_begin, *tp_end;
static struct cost cost;

static void find(struct tracepoint *tp, void *unused)
{
	if (!strcmp(tp->name, "contention_begin"))
		tp_begin = tp;
	if (!strcmp(tp->name, "contention_end"))
		tp_end = tp;
}

/* What the kernel runs behind the tracepoint's branch. */
static __always_inline void fire_begin(void *lock, unsigned int flags)
{
	int (*iterate)(void *data, void *lock, unsigned int flags) = tp_begin->iterator;

	if (rcu_access_pointer(tp_begin->funcs))
		iterate(NULL, lock, flags);
}

static __always_inline void fire_end(void *lock, int ret)
{
	int (*iterate)(void *data, void *lock, int ret) = tp_end->iterator;

	if (rcu_access_pointer(tp_end->funcs))
		iterate(NULL, lock, ret);
}

/* Return: the ticks that it took. */
static noinline u64 fire_batch(const struct job *job, u32 first, u32 nr)
{
	unsigned long irqs;
	u64 start, end;
	u32 i;

	rcu_read_lock();
	local_irq_save(irqs);
	start = get_cycles();
	for (i = 0; i < nr; i++) {
		struct line *lock = &job->locks[(first + i) % job->nr_locks];

		fire_begin(lock, job->flags);
		fire_end(lock, 0);
	}
	end = get_cycles();
	local_irq_restore(irqs);
	rcu_read_unlock();
	cond_resched();
	return end - start;
}

static int compare(const void *a, const void *b)
{
	const u64 *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static void sum_up(struct job *job)
{
	u32 nr = job->nr_ticks;

	sort(job->ticks, nr, sizeof(*job->ticks), compare, NULL);
	cost.least = job->ticks[0] * 100 / job->batch;
	cost.median = job->ticks[nr / 2] * 100 / job->batch;
	cost.p999 = job->ticks[nr - 1 - nr / 1000] * 100 / job->batch;
	cost.most = job->ticks[nr - 1] * 100 / job->batch;
}

static bool allocate_ticks(struct job *job)
{
	job->nr_ticks = job->nr_pairs / job->batch * job->nr_cpus;
	job->ticks = kvcalloc(job->nr_ticks, sizeof(*job->ticks), GFP_KERNEL);
	return job->ticks;
}

/* --- contention --- */

/* Each CPU begins at another lock, so that together they have soon fired them all. */
static void fire_share(struct work_struct *work)
{
	struct share *share = container_of(work, struct share, work);
	struct job *job = share->job;
	u32 part = DIV_ROUND_UP(job->nr_locks, job->nr_cpus), first = share->nr * part, i;
	u32 nr = job->nr_ticks / job->nr_cpus;
	u64 *ticks = job->ticks + share->nr * nr;

	for (i = 0; i < part; i += BATCH)
		fire_batch(job, first + i, min_t(u32, part - i, BATCH));
	atomic_inc(&job->nr_ready);
	while (atomic_read(&job->nr_ready) < job->nr_cpus)
		cond_resched();
	for (i = 0; i < nr; i++)
		ticks[i] = fire_batch(job, first + i * job->batch, job->batch);
}

/* On one CPU in the task that asks, whose stack is as deep as that of others that wait. */
static int fire_everywhere(struct job *job)
{
	struct share *shares = kcalloc(job->nr_cpus, sizeof(*shares), GFP_KERNEL);
	u32 nr = 0;
	int cpu;

	if (!shares)
		return -ENOMEM;
	if (job->nr_cpus == 1) {
		shares->job = job;
		fire_share(&shares->work);
		kfree(shares);
		return 0;
	}
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		if (nr == job->nr_cpus)
			break;
		shares[nr].job = job;
		shares[nr].nr = nr;
		INIT_WORK(&shares[nr].work, fire_share);
		schedule_work_on(cpu, &shares[nr].work);
		nr++;
	}
	while (nr--)
		flush_work(&shares[nr].work);
	cpus_read_unlock();
	kfree(shares);
	return 0;
}

static int set_run(const char *text, const struct kernel_param *kp)
{
	struct job job = { .nr_cpus = 1, .batch = BATCH };
	int err = -ENOMEM;
	u32 i;

	if (sscanf(text, "%x %u %u %u %u", &job.flags, &job.nr_locks, &job.nr_pairs, &job.nr_cpus,
		   &job.batch) < 3)
		return -EINVAL;
	if (!job.nr_locks || job.nr_locks > MAX_LOCKS || !job.nr_cpus ||
	    job.nr_cpus > num_online_cpus())
		return -ERANGE;
	if (!job.batch || job.batch > BATCH || job.nr_pairs < job.batch || job.nr_pairs > MAX_PAIRS)
		return -ERANGE;
	job.locks = kvcalloc(job.nr_locks, sizeof(*job.locks), GFP_KERNEL);
	if (allocate_ticks(&job) && job.locks) {
		for (i = 0; i < job.nr_locks; i++)
			job.locks[i].owner = (unsigned long)current;
		err = fire_everywhere(&job);
	}
	if (!err)
		sum_up(&job);
	kvfree(job.ticks);
	kvfree(job.locks);
	return err;
}

/* --- without contention --- */

static DEFINE_MUTEX(lone_mutex);
static DEFINE_SPINLOCK(lone_spinlock);

static noinline u64 take_mutex(u32 nr)
{
	u64 start = get_cycles();

	while (nr--) {
		mutex_lock(&lone_mutex);
		mutex_unlock(&lone_mutex);
	}
	return get_cycles() - start;
}

static noinline u64 take_spinlock(u32 nr)
{
	u64 start = get_cycles();

	while (nr--) {
		spin_lock(&lone_spinlock);
		spin_unlock(&lone_spinlock);
	}
	return get_cycles() - start;
}

static int set_alone(const char *text, const struct kernel_param *kp)
{
	struct job job = { .nr_cpus = 1, .batch = BATCH };
	u64 (*take)(u32 nr);
	char name[16];
	u32 i;

	if (sscanf(text, "%15s %u", name, &job.nr_pairs) != 2)
		return -EINVAL;
	if (!strcmp(name, "mutex"))
		take = take_mutex;
	else if (!strcmp(name, "spinlock"))
		take = take_spinlock;
	else
		return -EINVAL;
	if (job.nr_pairs < job.batch || job.nr_pairs > MAX_PAIRS)
		return -ERANGE;
	if (!allocate_ticks(&job))
		return -ENOMEM;
	for (i = 0; i < job.nr_ticks; i++) {
		job.ticks[i] = take(job.batch);
		cond_resched();
	}
	sum_up(&job);
	kvfree(job.ticks);
	return 0;
}

static int get_cost(char *text, const struct kernel_param *kp)
{
	const u64 all[] = { cost.least, cost.median, cost.p999, cost.most };
	int len = 0, i;

	for (i = 0; i < ARRAY_SIZE(all); i++)
		len += sprintf(text + len, "%llu.%02llu%c", div_u64(all[i], 100), all[i] % 100,
			       i == ARRAY_SIZE(all) - 1 ? '\n' : ' ');
	return len;
}

static const struct kernel_param_ops run_ops = { .set = set_run, .get = get_cost };
module_param_cb(run, &run_ops, NULL, 0600);
MODULE_PARM_DESC(run, "write FLAGS LOCKS PAIRS [CPUS [BATCH]]; read what a pair costs");

static const struct kernel_param_ops alone_ops = { .set = set_alone, .get = get_cost };
module_param_cb(alone, &alone_ops, NULL, 0600);
MODULE_PARM_DESC(alone, "write mutex|spinlock PAIRS; read what a pair costs");

static int __init bench_init(void)
{
	for_each_kernel_tracepoint(find, NULL);
	return tp_begin && tp_end ? 0 : -EOPNOTSUPP;
}

static void __exit bench_exit(void)
{
}

module_init(bench_init);
module_exit(bench_exit);

MODULE_AUTHOR("The gridlock developers");
MODULE_DESCRIPTION("Counts what the probes of a contention cost");
MODULE_LICENSE("GPL");
