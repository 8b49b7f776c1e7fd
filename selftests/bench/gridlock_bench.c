// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock_bench - fires contention_begin and contention_end in pairs, as the
 * slow paths of locks do, and counts what a pair costs.
 *
 * Write "FLAGS LOCKS PAIRS" to the parameter `run`; reading it then gives the
 * least and the median cost of a pair, in ticks of the time stamp counter and
 * hundredths. In a machine that counts instructions a tick is an instruction,
 * and both are the same on every run. Each lock is fired once before; then
 * PAIRS pairs go round the LOCKS, whose first word names an owner, as a
 * mutex's does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bits.h>
#include <linux/irqflags.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sort.h>
#include <linux/timex.h>
#include <linux/tracepoint.h>

/* Pairs that are measured in one go, with interrupts off. */
#define BATCH		100

#define MAX_LOCKS	BIT(18)
#define MAX_PAIRS	BIT(20)

/** struct line - a lock, alone on its cache line */
struct line {
	unsigned long owner;
	char pad[64 - sizeof(unsigned long)];
};

/** struct job - what to fire, and what it cost */
struct job {
	unsigned int flags, nr_locks, nr_pairs;
	struct line *locks;
	/** @ticks: of each batch */
	u64 *ticks;
};

static struct tracepoint *tp_begin, *tp_end;
static u64 least, median;

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

static void measure(struct job *job)
{
	u32 nr = job->nr_pairs / BATCH, i;

	for (i = 0; i < job->nr_locks; i++)
		job->locks[i].owner = (unsigned long)current;
	for (i = 0; i < job->nr_locks; i += BATCH)
		fire_batch(job, i, BATCH);
	for (i = 0; i < nr; i++)
		job->ticks[i] = fire_batch(job, i * BATCH, BATCH);
	sort(job->ticks, nr, sizeof(*job->ticks), compare, NULL);
	least = job->ticks[0] * 100 / BATCH;
	median = job->ticks[nr / 2] * 100 / BATCH;
}

static int set_run(const char *text, const struct kernel_param *kp)
{
	struct job job = {};
	int err = -ENOMEM;

	if (sscanf(text, "%x %u %u", &job.flags, &job.nr_locks, &job.nr_pairs) != 3)
		return -EINVAL;
	if (!job.nr_locks || job.nr_locks > MAX_LOCKS)
		return -ERANGE;
	if (job.nr_pairs < BATCH || job.nr_pairs > MAX_PAIRS)
		return -ERANGE;
	job.locks = kvcalloc(job.nr_locks, sizeof(*job.locks), GFP_KERNEL);
	job.ticks = kvcalloc(job.nr_pairs / BATCH, sizeof(*job.ticks), GFP_KERNEL);
	if (job.locks && job.ticks) {
		measure(&job);
		err = 0;
	}
	kvfree(job.ticks);
	kvfree(job.locks);
	return err;
}

static int get_run(char *text, const struct kernel_param *kp)
{
	return sprintf(text, "%llu.%02llu %llu.%02llu\n", div_u64(least, 100), least % 100,
		       div_u64(median, 100), median % 100);
}

static const struct kernel_param_ops run_ops = { .set = set_run, .get = get_run };
module_param_cb(run, &run_ops, NULL, 0600);
MODULE_PARM_DESC(run, "write FLAGS LOCKS PAIRS; read the least and the median cost of a pair");

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
