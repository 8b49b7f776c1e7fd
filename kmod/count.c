// SPDX-License-Identifier: GPL-2.0
/*
 * count - adds contentions to the counters of this CPU.
 *
 * Rows lie in an open-addressing hash that only its own CPU inserts into. An
 * interrupt may insert while the interrupted context looks: a row is claimed
 * by one compare-and-exchange of its key, and given up by a reset alone, which no
 * probe can interrupt. Its tag follows; until then its place looks free to an
 * interrupt, which tries the key and finds it taken.
 */
#include "count.h"

#include <asm/byteorder.h>
#include <linux/atomic.h>
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/lockdep.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/stop_machine.h>
#include <linux/string.h>

#include "event.h"
#include "form.h"
#include "group.h"

static_assert(GL_EVENT_FAILED_TIMEOUT == GL_EVENT_FAILED_SIGNAL + GL_FAILED_TIMEOUT &&
	      GL_EVENT_FAILED_DEADLOCK == GL_EVENT_FAILED_SIGNAL + GL_FAILED_DEADLOCK);

/* What one contention does to a set of counters. */
struct change {
	unsigned long begun, ended, lost;
	u64 wait_ns;
	int ret;
};

static __always_inline bool row_matches(const struct gl_row *row, u64 key, u64 space)
{
	return (u64)local_read(&row->key) == key && row->space == space;
}

/* The same byte eight times. */
static __always_inline u64 repeat(u8 byte)
{
	return byte * 0x0101010101010101ULL;
}

/*
 * The upper bit of each byte of @tags that is @tag; may be set as well in one
 * that lies above such a byte and differs by 1.
 */
static __always_inline u64 find_tag(u64 tags, u8 tag)
{
	u64 differ = tags ^ repeat(tag);

	return (differ - repeat(0x01)) & ~differ & repeat(0x80);
}

/* The n-th group of rows that a key with this hash may lie in: its first row. */
static __always_inline u32 group_at(u32 hash, u32 n)
{
	return ((hash ^ n) * GL_WORD_TAGS) & (gl_nr_rows - 1);
}

static __always_inline u64 tags_of(const struct gl_cpu *cpu, u32 first)
{
	return le64_to_cpu(READ_ONCE(*(__le64 *)&cpu->tag[first]));
}

static __always_inline u32 hash_of(u64 key, u64 space)
{
	return hash_64(key ^ space, 32);
}

static __always_inline u8 tag_for(u32 hash)
{
	return (hash >> 24) ?: 1;
}

/* The row of a key in a group with these tags; NULL: it is not there. */
static __always_inline struct gl_row *row_in(struct gl_cpu *cpu, u32 first, u64 tags, u8 tag,
					     u64 key, u64 space)
{
	u64 hits;

	for (hits = find_tag(tags, tag); hits; hits &= hits - 1) {
		struct gl_row *row = &cpu->row[first + __ffs64(hits) / 8];

		if (row_matches(row, key, space))
			return row;
	}
	return NULL;
}

/*
 * Take a free row of a group for a lock, or the one that an interrupt took for it
 * after @tags were read.
 * @waits: the current task is in the wait that the row is taken for
 */
static noinline notrace struct gl_row *claim_row(struct gl_cpu *cpu, u32 first, u64 tags,
						 const struct gl_resource *res, u64 key,
						 bool waits)
{
	u64 free;

	for (free = find_tag(tags, 0); free; free &= free - 1) {
		u32 n = first + __ffs64(free) / 8;
		struct gl_row *row = &cpu->row[n];

		if (!local_cmpxchg(&row->key, 0, key)) {
			/*
			 * Only futexes and file locks have a space, and only
			 * tasks wait for those: no interrupt looks for this key.
			 */
			row->space = res->space;
			WRITE_ONCE(cpu->tag[n], tag_for(hash_of(key, res->space)));
			if (waits)
				WRITE_ONCE(row->form, gl_form_of_waiter(res->kind));
			return row;
		}
		if (row_matches(row, key, res->space))
			return row;
	}
	return NULL;
}

/*
 * The row of a lock, claimed if need be; NULL: its groups are full. Rows come in
 * groups of eight, whose tags make one word: a full group is seen to be the wrong
 * one without a look at its rows, so that more locks than rows cost no more.
 */
static __always_inline struct gl_row *find_row(struct gl_cpu *cpu,
					       const struct gl_resource *res, bool waits)
{
	u64 key = gl_row_key(res->kind, res->lock);
	u32 hash = hash_of(key, res->space), n;
	u8 tag = tag_for(hash);

	/* In the first, as a rule; the second is the only other one. */
#pragma GCC unroll 2
	for (n = 0; n < GL_TAG_WORDS; n++) {
		u32 first = group_at(hash, n);
		u64 tags = tags_of(cpu, first);
		struct gl_row *row = row_in(cpu, first, tags, tag, key, res->space);

		if (likely(row))
			return row;
		if (find_tag(tags, 0))
			row = claim_row(cpu, first, tags, res, key, waits);
		if (row)
			return row;
	}
	return NULL;
}

static __always_inline void apply(struct gl_sums *sums, const struct change *c)
{
	if (c->begun)
		local_inc(&sums->begun);
	if (c->lost)
		local_inc(&sums->lost);
	if (!c->ended)
		return;
	local_inc(&sums->ended);
	if (c->ret < 0)
		local_inc(&sums->failed);
	local_add(c->wait_ns, &sums->total_ns);
	gl_raise(&sums->least_inverted, ~c->wait_ns);
	gl_raise(&sums->max_ns, c->wait_ns);
}

/* The histogram of a row, given to it when it gets hot; NULL: none. */
static __always_inline struct gl_hist *hist_of(struct gl_cpu *cpu, struct gl_row *row)
{
	u32 n = READ_ONCE(row->hist);

	if (likely(n))
		return &cpu->hist[n - 1];
	if (local_read(&row->sums.ended) < GL_HOT_ENDS || local_read(&cpu->nr_hists) >= GL_NR_HISTS)
		return NULL;
	/* An interrupt may come between: then both count on, and one may be in vain. */
	n = local_inc_return(&cpu->nr_hists);
	if (n > GL_NR_HISTS)
		return NULL;
	if (!cmpxchg_local(&row->hist, 0, n))
		return &cpu->hist[n - 1];
	return &cpu->hist[READ_ONCE(row->hist) - 1];
}

static __always_inline void count_hists(struct gl_cpu *cpu, struct gl_total *total,
					struct gl_row *row, u64 wait_ns)
{
	u32 bucket = min_t(u32, ilog2(wait_ns | 1), GL_NR_BUCKETS - 1);
	struct gl_hist *hist = row ? hist_of(cpu, row) : NULL;

	local_inc(&total->hist.nr[bucket]);
	if (hist)
		local_inc(&hist->nr[bucket]);
}

/* Why a wait failed; GL_NR_FAILURES: for a reason that is not told apart. */
static __always_inline u32 failure_of(int ret)
{
	switch (ret) {
	case -EINTR:
		return GL_FAILED_SIGNAL;
	case -ETIME:
	case -ETIMEDOUT:
		return GL_FAILED_TIMEOUT;
	case -EDEADLK:
		return GL_FAILED_DEADLOCK;
	default:
		return GL_NR_FAILURES;
	}
}

/* The failures of a row, given to it when its first wait fails; NULL: none. */
static notrace struct gl_failures *failures_of(struct gl_cpu *cpu, struct gl_row *row)
{
	u32 n = READ_ONCE(row->failing);

	if (n)
		return &cpu->failures[n - 1];
	if (local_read(&cpu->nr_failing) >= GL_NR_FAILING)
		return NULL;
	/* As with histograms, one may be given in vain. */
	n = local_inc_return(&cpu->nr_failing);
	if (n > GL_NR_FAILING)
		return NULL;
	if (!cmpxchg_local(&row->failing, 0, n))
		return &cpu->failures[n - 1];
	return &cpu->failures[READ_ONCE(row->failing) - 1];
}

static notrace void count_failure(struct gl_cpu *cpu, struct gl_total *total, struct gl_row *row,
				  int ret)
{
	struct gl_failures *failures;
	u32 why = failure_of(ret);

	if (why == GL_NR_FAILURES)
		return;
	gl_event_inc(GL_EVENT_FAILED_SIGNAL + why);
	failures = row ? failures_of(cpu, row) : NULL;
	local_inc(&total->failures.nr[why]);
	local_inc(&(failures ?: &total->other_failures)->nr[why]);
}

static __always_inline void count(struct gl_cpu *cpu, const struct gl_resource *res,
				  const struct change *c)
{
	struct gl_total *total = &cpu->total[res->kind];
	struct gl_row *row = find_row(cpu, res, !c->lost);

	apply(&total->sums, c);
	apply(row ? &row->sums : &total->other, c);
	if (c->ended)
		count_hists(cpu, total, row, c->wait_ns);
	if (unlikely(c->ret < 0))
		count_failure(cpu, total, row, c->ret);
	/* The memory of an mm that is gone may be another one's by now: name the last. */
	if (row && res->space)
		WRITE_ONCE(row->tgid, current->tgid);
}

/**
 * gl_count_begin() - count a contention opened
 * @cpu: this CPU
 * @res: what the wait is for
 *
 * Context: any, preemption disabled.
 */
notrace void gl_count_begin(struct gl_cpu *cpu, const struct gl_resource *res)
{
	count(cpu, res, &(struct change){ .begun = 1 });
}

/**
 * gl_count_end() - count a contention closed
 * @cpu: this CPU
 * @res: what the wait was for, as at its begin
 * @wait_ns: how long; ns
 * @ret: 0, or why the lock was not taken
 *
 * Context: any, preemption disabled.
 */
notrace void gl_count_end(struct gl_cpu *cpu, const struct gl_resource *res, u64 wait_ns, int ret)
{
	count(cpu, res, &(struct change){ .ended = 1, .ret = ret, .wait_ns = wait_ns });
}

/**
 * gl_count_lost() - count a contention whose end will never be counted
 * @cpu: this CPU
 * @res: what the wait was for, as at its begin
 *
 * Context: any, preemption disabled.
 */
notrace void gl_count_lost(struct gl_cpu *cpu, const struct gl_resource *res)
{
	count(cpu, res, &(struct change){ .lost = 1 });
}

static __always_inline void add_hold(struct gl_hold_sums *sums, u64 hold_ns, bool in_irq)
{
	local_inc(&sums->holds);
	if (in_irq)
		local_inc(&sums->in_irq);
	local_add(hold_ns, &sums->total_ns);
	gl_raise(&sums->max_ns, hold_ns);
}

/**
 * gl_count_hold() - count a hold of a lock that made others wait
 * @cpu: this CPU
 * @res: what they waited for
 * @hold_ns: how long it is known to have lasted; ns
 * @in_irq: it was an interrupt's
 *
 * Context: any, preemption disabled. With holds=1 alone.
 */
notrace void gl_count_hold(struct gl_cpu *cpu, const struct gl_resource *res, u64 hold_ns,
			   bool in_irq)
{
	struct gl_hold_counts *hold = cpu->hold;
	struct gl_row *row = find_row(cpu, res, true);

	add_hold(&hold->total[res->kind], hold_ns, in_irq);
	add_hold(row ? &hold->row[row - cpu->row] : &hold->other[res->kind], hold_ns, in_irq);
}

/* To zero, but for the waits in flight, which stay begun. */
static void reset_sums(struct gl_sums *sums)
{
	local_sub(local_xchg(&sums->ended, 0), &sums->begun);
	local_sub(local_xchg(&sums->lost, 0), &sums->begun);
	local_set(&sums->failed, 0);
	local_set(&sums->total_ns, 0);
	local_set(&sums->least_inverted, 0);
	local_set(&sums->max_ns, 0);
}

static void reset_hist(struct gl_hist *hist)
{
	u32 n;

	for (n = 0; n < GL_NR_BUCKETS; n++)
		local_set(&hist->nr[n], 0);
}

static void reset_failures(struct gl_failures *failures)
{
	u32 n;

	for (n = 0; n < GL_NR_FAILURES; n++)
		local_set(&failures->nr[n], 0);
}

/*
 * Every row is given up, so that a reset makes room for other locks; its waits in
 * flight go to `other`. A wait that began on another CPU than it ended on has left
 * a begin too many there and one too few here: in `other` the two meet.
 */
static void reset_row(struct gl_cpu *cpu, u32 n)
{
	struct gl_row *row = &cpu->row[n];
	u32 kind = gl_row_kind(local_read(&row->key));

	reset_sums(&row->sums);
	local_add(local_xchg(&row->sums.begun, 0), &cpu->total[kind].other.begun);
	if (cpu->hold)
		memset(&cpu->hold->row[n], 0, sizeof(cpu->hold->row[n]));
	row->hist = 0;
	row->failing = 0;
	row->form = GL_FORM_UNKNOWN;
	cpu->tag[n] = 0;
	row->space = 0;
	row->tgid = 0;
	local_set(&row->key, 0);
}

static void reset_cpu(struct gl_cpu *cpu)
{
	u32 i;

	for (i = 0; i < GL_NR_COUNTED_KINDS; i++) {
		reset_sums(&cpu->total[i].sums);
		reset_sums(&cpu->total[i].other);
		reset_hist(&cpu->total[i].hist);
		reset_failures(&cpu->total[i].failures);
		reset_failures(&cpu->total[i].other_failures);
	}
	if (cpu->hold) {
		memset(cpu->hold->total, 0, sizeof(cpu->hold->total));
		memset(cpu->hold->other, 0, sizeof(cpu->hold->other));
	}
	for (i = 0; i < GL_NR_HISTS; i++)
		reset_hist(&cpu->hist[i]);
	local_set(&cpu->nr_hists, 0);
	for (i = 0; i < GL_NR_FAILING; i++)
		reset_failures(&cpu->failures[i]);
	local_set(&cpu->nr_failing, 0);
	for (i = 0; i < gl_nr_rows; i++)
		if (local_read(&cpu->row[i].key))
			reset_row(cpu, i);
	gl_group_reset(cpu);
}

/*
 * On each CPU at the same time, in place of everything but NMIs: those are turned
 * away, as they would add to a total before and to its row after. The CPUs that are
 * off nobody else writes: one does all of them.
 */
static int reset_this_cpu(void *first)
{
	struct gl_cpu *cpu = gl_this_cpu();
	int nr;

	if (!gl_cpu_enter(cpu, GL_LEVEL_NMI))
		return -EBUSY;
	reset_cpu(cpu);
	gl_cpu_leave(cpu, GL_LEVEL_NMI);
	if (atomic_xchg(first, 0))
		for_each_possible_cpu(nr)
			if (!cpu_online(nr))
				reset_cpu(per_cpu(gl_cpu_ptr, nr));
	return 0;
}

/* Held while rows may not be given up, for somebody reads them. */
DEFINE_MUTEX(gl_rows_mutex);

/**
 * gl_count_reset_locked() - zero every counter; waits in flight stay, in `other`
 *
 * In one moment for all CPUs: a wait that began on one that is reset and ended on
 * one that is not would have begun too often here and too seldom there. Nothing
 * else runs for as long as it takes to zero the rows in use of a CPU and, if
 * anything was counted by groups, those tables.
 *
 * Context: process; may sleep. gl_rows_mutex held.
 */
void gl_count_reset_locked(void)
{
	atomic_t first = ATOMIC_INIT(1);

	lockdep_assert_held(&gl_rows_mutex);
	/* None of the CPUs is in an NMI's probe when it comes to us. */
	WARN_ON_ONCE(stop_machine(reset_this_cpu, &first, cpu_online_mask));
}

/**
 * gl_count_reset() - zero every counter; waits in flight stay, in `other`
 *
 * Context: process; may sleep. Takes gl_rows_mutex.
 *
 * Return: 0 or -EINTR: killed, and nothing was done.
 */
int gl_count_reset(void)
{
	int err = mutex_lock_killable(&gl_rows_mutex);

	if (err)
		return err;
	gl_count_reset_locked();
	mutex_unlock(&gl_rows_mutex);
	return 0;
}
