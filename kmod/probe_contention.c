// SPDX-License-Identifier: GPL-2.0
/*
 * probe_contention - contention_begin and contention_end: every slow path of
 * the kernel's locks.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <trace/events/lock.h>

#include "cpu.h"
#include "event.h"
#include "probe.h"
#include "release.h"
#include "spin.h"
#include "wait.h"

static struct tracepoint *tp_begin, *tp_end;

/* The kind by the flags of contention_begin. */
static __always_inline u32 kind_of(unsigned int flags)
{
	bool read = flags & LCB_F_READ, write = flags & LCB_F_WRITE;

	if (flags & LCB_F_MUTEX)
		return GL_KIND_MUTEX;
	if (flags & LCB_F_RT)
		return read ? GL_KIND_RWLOCK_RT_R : write ? GL_KIND_RWLOCK_RT_W : GL_KIND_RTMUTEX;
	if (flags & LCB_F_PERCPU)
		return read ? GL_KIND_PCPU_SEM_R : GL_KIND_PCPU_SEM_W;
	if (flags & LCB_F_SPIN)
		return read ? GL_KIND_RWLOCK_R : write ? GL_KIND_RWLOCK_W : GL_KIND_SPINLOCK;
	if (read || write)
		return read ? GL_KIND_RWSEM_R : GL_KIND_RWSEM_W;
	return flags ? GL_KIND_UNKNOWN : GL_KIND_SEMAPHORE;
}

/* A mutex that spins is in the first phase of a sleeping wait. */
static __always_inline bool is_spinning_lock(unsigned int flags)
{
	return (flags & (LCB_F_SPIN | LCB_F_MUTEX)) == LCB_F_SPIN;
}

/* Every so many probes are timed; 0: this one is not. */
static __always_inline u64 sample_begin(struct gl_cpu *cpu)
{
	local_inc(&cpu->ticks);
	return local_read(&cpu->ticks) & (GL_COST_SAMPLE - 1) ? 0 : ktime_get_mono_fast_ns();
}

static __always_inline void sample_end(struct gl_cpu *cpu, u64 begin_ns)
{
	s64 ns;

	if (likely(!begin_ns))
		return;
	ns = ktime_get_mono_fast_ns() - begin_ns;
	if (ns < 0)
		ns = 0;
	gl_event_inc(GL_EVENT_COST_SAMPLES);
	gl_event_add(GL_EVENT_COST_NS, ns);
	gl_raise(&cpu->longest_ns, ns);
}

static __always_inline void begin(struct gl_cpu *cpu, enum gl_level level, u64 lock,
				  unsigned int flags)
{
	u64 sample = sample_begin(cpu);
	u32 kind = kind_of(flags);

	gl_event_inc(GL_EVENT_BEGINS);
	if (static_branch_unlikely(&gl_holding))
		gl_release_begin(kind, lock);
	if (is_spinning_lock(flags))
		gl_spin_begin(cpu, level, kind, lock);
	else if (likely(gl_level_is_task(level)))
		gl_wait_begin(cpu, kind, lock, flags & LCB_F_SPIN ? GL_WAIT_SPINNING : 0);
	else
		gl_event_inc(GL_EVENT_LOST_CONTEXT);
	sample_end(cpu, sample);
}

static notrace void probe_begin(void *data, void *lock, unsigned int flags)
{
	struct gl_cpu *cpu;
	enum gl_level level;

	/* 7.x calls probes with preemption on. */
	preempt_disable_notrace();
	cpu = gl_this_cpu();
	level = gl_level();
	if (likely(gl_cpu_enter(cpu, level))) {
		begin(cpu, level, (u64)(unsigned long)lock, flags);
		gl_cpu_leave(cpu, level);
	} else {
		gl_event_inc(GL_EVENT_LOST_RECURSION_BEGIN);
	}
	preempt_enable_notrace();
}

static __always_inline void end(struct gl_cpu *cpu, enum gl_level level, u64 lock, int ret)
{
	u64 sample = sample_begin(cpu);

	gl_event_inc(GL_EVENT_ENDS);
	if (unlikely(gl_probe_drops_end(cpu)))
		return;
	if (!gl_spin_end(cpu, level, lock, ret) &&
	    (!gl_level_is_task(level) || !gl_wait_end(cpu, lock, ret)))
		gl_event_inc(GL_EVENT_ENDS_UNMATCHED);
	sample_end(cpu, sample);
}

static notrace void probe_end(void *data, void *lock, int ret)
{
	struct gl_cpu *cpu;
	enum gl_level level;

	preempt_disable_notrace();
	cpu = gl_this_cpu();
	level = gl_level();
	if (likely(gl_cpu_enter(cpu, level))) {
		end(cpu, level, (u64)(unsigned long)lock, ret);
		gl_cpu_leave(cpu, level);
	} else {
		gl_event_inc(GL_EVENT_LOST_RECURSION_END);
	}
	preempt_enable_notrace();
}

/* The compiler checks our probes against the tracepoints' types. */
static void __maybe_unused check_types(void)
{
	check_trace_callback_type_contention_begin(probe_begin);
	check_trace_callback_type_contention_end(probe_end);
}

static int attach(void)
{
	int err;

	tp_begin = gl_tracepoint_find("contention_begin");
	tp_end = gl_tracepoint_find("contention_end");
	if (!tp_begin || !tp_end) {
		pr_err("this kernel has no tracepoints contention_begin and contention_end: it needs Linux 5.19 or newer with CONFIG_TRACEPOINTS\n");
		return -EOPNOTSUPP;
	}
	/* Ends first: no wait is ever begun whose end would not be seen. */
	err = tracepoint_probe_register(tp_end, probe_end, NULL);
	if (err)
		goto fail;
	err = tracepoint_probe_register(tp_begin, probe_begin, NULL);
	if (!err)
		return 0;
	tracepoint_probe_unregister(tp_end, probe_end, NULL);
fail:
	pr_err("cannot attach to the tracepoints contention_begin and contention_end: error %d\n",
	       err);
	return err;
}

static void detach(void)
{
	tracepoint_probe_unregister(tp_begin, probe_begin, NULL);
	tracepoint_probe_unregister(tp_end, probe_end, NULL);
}

const struct gl_probe_group gl_probe_contention = {
	.name = "contention",
	.required = true,
	.attach = attach,
	.detach = detach,
};
