/* SPDX-License-Identifier: GPL-2.0 */
/*
 * cpu - what the probes of one CPU own: a guard against recursion, the spin
 * waits in flight and the counters. Only that CPU writes here.
 */
#ifndef _GL_CPU_H
#define _GL_CPU_H

#include <asm/local.h>
#include <linux/build_bug.h>
#include <linux/limits.h>
#include <linux/percpu.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/sched/task_stack.h>
#include <linux/types.h>

#include "limits.h"
#include "uapi/gridlock.h"

/* The contexts that can interrupt each other, lowest first. */
enum gl_level { GL_LEVEL_TASK, GL_LEVEL_SOFTIRQ, GL_LEVEL_HARDIRQ, GL_LEVEL_NMI };

/**
 * struct gl_sums - counters of a kind or of a lock, on one CPU
 *
 * Each is changed by single instructions, which neither an interrupt nor an
 * NMI can tear. A wait may begin on one CPU and end on another: only sums
 * over all CPUs mean something.
 */
struct gl_sums {
	/** @begun: contentions opened */
	local_t begun;
	/** @ended: contentions closed */
	local_t ended;
	/** @failed: of those, without the lock */
	local_t failed;
	/** @lost: contentions whose end will never be counted */
	local_t lost;
	/** @total_ns: sum of the closed waits; ns */
	local_t total_ns;
	/** @least_inverted: ~shortest closed wait; 0: none. Zeroed memory is empty */
	local_t least_inverted;
	/** @max_ns: longest closed wait; ns */
	local_t max_ns;
};

/**
 * struct gl_row - counters of one lock, on one CPU
 */
struct gl_row {
	/** @key: gl_row_key(); 0: free. A reset alone frees it */
	local_t key;
	/** @space: as in struct gl_resource */
	u64 space;
	/** @tgid: with a space: the process whose wait was counted here last; else 0 */
	s32 tgid;
	/** @hist: number of its histogram + 1; 0: none, it is not hot */
	u8 hist;
	/** @failing: number of its failures + 1; 0: none, no wait failed */
	u8 failing;
	/** @form: enum gl_form, as found when the row was taken; a reset clears it */
	u8 form;
	/** @sums: its counters */
	struct gl_sums sums;
};

static_assert(GL_NR_HISTS <= U8_MAX && GL_NR_FAILING <= U8_MAX && GL_NR_FORMS <= U8_MAX);

/**
 * struct gl_hist - closed waits by log2 of their length in ns, on one CPU
 */
struct gl_hist {
	/** @nr: by bucket, see GL_NR_BUCKETS */
	local_t nr[GL_NR_BUCKETS];
};

/**
 * struct gl_failures - waits that ended without the lock, on one CPU
 */
struct gl_failures {
	/** @nr: by GL_FAILED_* */
	local_t nr[GL_NR_FAILURES];
};

/**
 * struct gl_total - counters of a kind, on one CPU
 */
struct gl_total {
	/** @sums: all waits of the kind, counted apart from the rows */
	struct gl_sums sums;
	/** @other: the waits that found no row */
	struct gl_sums other;
	/** @hist: all of them */
	struct gl_hist hist;
	/** @failures: those of @sums.failed */
	struct gl_failures failures;
	/** @other_failures: of waits whose lock has none of its own */
	struct gl_failures other_failures;
};

/**
 * struct gl_group_sums - counters of ended waits, on one CPU
 */
struct gl_group_sums {
	/** @ended: waits */
	local_t ended;
	/** @failed: of those, without the lock */
	local_t failed;
	/** @total_ns: their sum; ns */
	local_t total_ns;
	/** @max_ns: the longest; ns */
	local_t max_ns;
};

/**
 * struct gl_group - ended waits of one kind of a task, for an owner or in a cgroup
 */
struct gl_group {
	/** @key: gl_group_key(); 0: free. A reset alone frees it */
	local_t key;
	/** @tag: task: its start time; cgroup: its id; else 0 */
	u64 tag;
	/** @sums: its counters */
	struct gl_group_sums sums;
	/** @comm: task: its name at its last wait */
	char comm[GL_COMM_LEN];
} __aligned(64);

/**
 * struct gl_caller - ended waits of one kind from one place in the code
 */
struct gl_caller {
	/** @key: hash of kind and frames; 0: free. A reset alone frees it */
	local_t key;
	/** @sums: its counters */
	struct gl_group_sums sums;
	/** @kind: enum gl_kind */
	u32 kind;
	/** @nr_frames: frames; 0 until they are written */
	u32 nr_frames;
	/** @frame: return addresses, innermost first */
	unsigned long frame[GL_CALLER_FRAMES];
};

/**
 * struct gl_spin - a wait for a spinning lock
 */
struct gl_spin {
	/** @seq: odd while it changes */
	local_t seq;
	/** @lock: address of the lock; 0: not waiting */
	u64 lock;
	/** @begin_ns: when it began; ns, CLOCK_MONOTONIC */
	u64 begin_ns;
	/** @start_ns: start time of the task on the CPU; ns since boot */
	u64 start_ns;
	/** @tid: that task, in the initial PID namespace */
	s32 tid;
	/** @kind: enum gl_kind */
	u16 kind;
	/** @held: with holds=1: the lock was somebody's when it began */
	bool held;
};

/**
 * struct gl_hold_sums - holds of a kind or of a lock that made others wait, on one CPU
 */
struct gl_hold_sums {
	/** @holds: those whose length is known */
	local_t holds;
	/** @in_irq: of these, by an interrupt */
	local_t in_irq;
	/** @total_ns: their sum; ns */
	local_t total_ns;
	/** @max_ns: the longest; ns */
	local_t max_ns;
};

/**
 * struct gl_hold_counts - all holds on one CPU
 */
struct gl_hold_counts {
	/** @total: by kind, counted apart from the rows */
	struct gl_hold_sums total[GL_NR_COUNTED_KINDS];
	/** @other: of locks that found no row */
	struct gl_hold_sums other[GL_NR_COUNTED_KINDS];
	/** @row: [gl_nr_rows] that of each row of locks */
	struct gl_hold_sums row[];
};

/**
 * struct gl_cpu - all that the probes of one CPU write, but for events
 */
struct gl_cpu {
	/** @busy: [level] a probe is running in that context */
	u8 busy[GL_NR_LEVELS];
	/** @ticks: probes entered, to time one in GL_COST_SAMPLE */
	local_t ticks;
	/** @longest_ns: the longest of those that were timed; ns */
	local_t longest_ns;
	/** @ends: ends seen while drop_ends was set */
	local_t ends;
	/** @spin: [level][depth] spin waits in flight */
	struct gl_spin spin[GL_NR_LEVELS][GL_SPIN_DEPTH];
	/** @total: by kind */
	struct gl_total total[GL_NR_COUNTED_KINDS];
	/** @nr_hists: histograms given to hot locks; may run over by a few */
	local_t nr_hists;
	/** @hist: those, in the order given */
	struct gl_hist hist[GL_NR_HISTS];
	/** @nr_failing: failures given to locks; may run over by a few */
	local_t nr_failing;
	/** @failures: those, in the order given */
	struct gl_failures failures[GL_NR_FAILING];
	/** @grouped: something was counted by groups since the last reset */
	bool grouped;
	/** @group_other: [by - 1][kind] waits that are in no group */
	struct gl_group_sums group_other[GL_NR_BY][GL_NR_COUNTED_KINDS];
	/** @caller: open-addressing hash of callers */
	struct gl_caller caller[GL_NR_CALLERS];
	/** @group: [gl_nr_groups] open-addressing hash of groups */
	struct gl_group *group;
	/** @tag: [gl_nr_rows] 8 bits of the hash of each row's key; 0: free, or being claimed */
	u8 *tag;
	/** @row: [gl_nr_rows] open-addressing hash of rows, in groups of GL_WORD_TAGS */
	struct gl_row *row;
	/** @hold: NULL unless holds=1; set before the first is counted */
	struct gl_hold_counts *hold;
};

DECLARE_PER_CPU(struct gl_cpu *, gl_cpu_ptr);

/**
 * gl_this_cpu() - this CPU's state
 *
 * Context: any, preemption disabled.
 */
static __always_inline struct gl_cpu *gl_this_cpu(void)
{
	return __this_cpu_read(gl_cpu_ptr);
}

/*
 * Do we run on the stack of the current task? An interrupt of the kernel does not,
 * down to its last instruction.
 */
static __always_inline bool gl_on_task_stack(void)
{
#ifdef CONFIG_ARCH_HAS_CURRENT_STACK_POINTER
	return current_stack_pointer - (unsigned long)task_stack_page(current) < THREAD_SIZE;
#else
	return true;
#endif
}

/**
 * gl_level() - the context that we are in
 *
 * An interrupt that is about to return is no longer in_hardirq(), and still wakes
 * tasks, for which it takes locks. What it interrupted may be spinning itself.
 *
 * Context: any.
 */
static __always_inline enum gl_level gl_level(void)
{
	if (in_nmi())
		return GL_LEVEL_NMI;
	if (in_hardirq())
		return GL_LEVEL_HARDIRQ;
	if (in_serving_softirq())
		return GL_LEVEL_SOFTIRQ;
	return likely(gl_on_task_stack()) ? GL_LEVEL_TASK : GL_LEVEL_HARDIRQ;
}

/**
 * gl_level_is_task() - does a task run at this level?
 * @level: the level
 *
 * Softirqs are served by tasks on PREEMPT_RT.
 */
static __always_inline bool gl_level_is_task(enum gl_level level)
{
	return level == GL_LEVEL_TASK ||
	       (IS_ENABLED(CONFIG_PREEMPT_RT) && level == GL_LEVEL_SOFTIRQ);
}

/**
 * gl_cpu_enter() - begin a probe
 * @cpu: this CPU
 * @level: this context
 *
 * Context: any, preemption disabled.
 *
 * Return: false when a probe of this very context was interrupted by its own
 * doing (a kprobe or tracepoint within): do nothing then.
 */
static __always_inline bool gl_cpu_enter(struct gl_cpu *cpu, enum gl_level level)
{
	if (unlikely(cpu->busy[level]))
		return false;
	cpu->busy[level] = 1;
	/* The compiler keeps what the probe does within; the CPU sees itself in order. */
	barrier();
	return true;
}

/** gl_cpu_leave() - end a probe that gl_cpu_enter() let begin */
static __always_inline void gl_cpu_leave(struct gl_cpu *cpu, enum gl_level level)
{
	barrier();
	cpu->busy[level] = 0;
}

/**
 * gl_raise() - raise a maximum
 * @max: the maximum
 * @value: what it is to be at least; an interrupt that raises it meanwhile makes
 *         us look again
 *
 * Context: any, preemption disabled, on the CPU that owns @max.
 */
static __always_inline void gl_raise(local_t *max, unsigned long value)
{
	unsigned long old = local_read(max);
	int try;

	for (try = 0; try < GL_NR_LEVELS && value > old; try++) {
		unsigned long seen = local_cmpxchg(max, old, value);

		if (seen == old)
			return;
		old = seen;
	}
}

extern u32 gl_nr_rows;
extern u32 gl_nr_groups;

int gl_cpu_init_holds(void);
int gl_cpu_init(u32 max_locks, u32 max_groups);
void gl_cpu_exit(void);
u64 gl_cpu_bytes(void);
u64 gl_cpu_longest_ns(void);

#endif /* _GL_CPU_H */
