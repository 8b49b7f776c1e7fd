// SPDX-License-Identifier: GPL-2.0
/*
 * probe_release - contended_release: who lets go of a lock that others wait for.
 *
 * To attach to it makes the kernel go another way in every spin_unlock(), which
 * looks whether somebody waits. So it is for those who ask for it, and once for the
 * time that the module is loaded.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/preempt.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/timekeeping.h>
#include <linux/tracepoint.h>
#include <trace/events/lock.h>

#include "compat.h"
#include "count.h"
#include "cpu.h"
#include "ended.h"
#include "event.h"
#include "hold.h"
#include "probe.h"
#include "release.h"

bool gl_holds;
DEFINE_STATIC_KEY_FALSE(gl_holding);

static struct gl_holdtab holds;
static struct tracepoint *tp_release;

static __always_inline enum gl_hold_rule rule_of(u32 kind)
{
	switch (kind) {
	case GL_KIND_SPINLOCK:
		return GL_HOLD_ONE;
	case GL_KIND_MUTEX:
		return GL_HOLD_LATE;
	case GL_KIND_RTMUTEX:
	case GL_KIND_RWSEM_R:
	case GL_KIND_RWSEM_W:
	case GL_KIND_RWLOCK_RT_R:
	case GL_KIND_RWLOCK_RT_W:
		return GL_HOLD_OWNED;
	case GL_KIND_UNKNOWN:
	case GL_KIND_SEMAPHORE:
	case GL_KIND_PCPU_SEM_R:
	case GL_KIND_PCPU_SEM_W:
		return GL_HOLD_SEEN;
	default:
		return GL_HOLD_NEVER;
	}
}

static __always_inline bool is_shared(u32 kind)
{
	return kind == GL_KIND_RWSEM_R || kind == GL_KIND_PCPU_SEM_R ||
	       kind == GL_KIND_RWLOCK_RT_R;
}

/* What an interrupt holds it drops before it returns, on its CPU and at its level. */
static __always_inline u64 id_of(bool in_task, enum gl_level level)
{
	if (in_task)
		return (u64)(unsigned long)current;
	return (u64)raw_smp_processor_id() * GL_NR_LEVELS + level;
}

static __always_inline void release(enum gl_level level, u64 lock)
{
	struct gl_hold *hold = gl_hold_find(&holds, lock);
	bool in_task = gl_level_is_task(level);
	struct gl_holder who = {
		.id = id_of(in_task, level),
		.tid = in_task ? current->pid : 0,
		.tgid = in_task ? current->tgid : GL_HOLDER_IN_IRQ,
	};

	gl_event_inc(GL_EVENT_RELEASES);
	/* Nobody waits who was seen, as the first waiter of a spinlock is not. */
	if (!hold)
		return;
	if (!gl_hold_released(&holds, hold, lock, &who, ktime_get_mono_fast_ns()))
		gl_event_inc(GL_EVENT_LOST_HOLD_BUSY);
}

static notrace void probe_release(void *data, void *lock)
{
	struct gl_cpu *cpu;
	enum gl_level level;

	preempt_disable_notrace();
	cpu = gl_this_cpu();
	level = gl_level();
	if (likely(gl_cpu_enter(cpu, level))) {
		release(level, (u64)(unsigned long)lock);
		gl_cpu_leave(cpu, level);
	} else {
		gl_event_inc(GL_EVENT_LOST_RECURSION_RELEASE);
		gl_hold_lost(&holds, ktime_get_mono_fast_ns());
	}
	preempt_enable_notrace();
}

static __always_inline void expect(u64 lock)
{
	int given_up = gl_hold_expect(&holds, lock, ktime_get_mono_fast_ns());

	if (given_up)
		gl_event_inc(given_up < 0 ? GL_EVENT_LOST_HOLD_BUSY : GL_EVENT_HOLDS_GIVEN_UP);
}

/**
 * gl_release_begin() - a wait for a kernel lock begins, or its next phase
 * @kind: enum gl_kind
 * @lock: address of the lock
 *
 * Before the wait's own begin, so that what is seen from its begin on is complete.
 *
 * Context: any, preemption disabled, inside gl_cpu_enter(). Only while gl_holding.
 */
notrace void gl_release_begin(u32 kind, u64 lock)
{
	if (rule_of(kind) != GL_HOLD_NEVER && unlikely(!gl_hold_find(&holds, lock)))
		expect(lock);
}

static __always_inline void count(struct gl_cpu *cpu, const struct gl_resource *res,
				  const struct gl_hold_found *found)
{
	u32 n;

	for (n = 0; n < found->nr; n++)
		gl_count_hold(cpu, res, found->hold_ns[n], found->in_irq[n]);
}

/**
 * gl_release_end() - a wait ends: who was it that let go of the lock, and since when
 *                    had it been his?
 * @cpu: this CPU
 * @ended: the wait; gets its owner, if that is known from the release alone
 *
 * Context: any, preemption disabled, inside gl_cpu_enter(); the waiter's own. Only
 * while gl_holding.
 */
notrace void gl_release_end(struct gl_cpu *cpu, struct gl_ended *ended)
{
	struct gl_hold_waiter who = {
		.begin_ns = ended->begin_ns,
		.queued_ns = ended->queued_ns,
		.owner_tid = ended->owner_tid,
		.rule = rule_of(ended->res.kind),
		.shared = is_shared(ended->res.kind),
	};
	struct gl_hold_found found = { 0 };
	struct gl_hold *hold;

	if (ended->ret || who.rule == GL_HOLD_NEVER)
		return;
	if (who.rule == GL_HOLD_ONE && !ended->held)
		who.rule = GL_HOLD_SEEN;
	hold = gl_hold_find(&holds, ended->res.lock);
	if (!hold) {
		/* It was given up meanwhile. */
		expect(ended->res.lock);
		return;
	}
	who.id = id_of(ended->in_task, gl_level());
	if (!gl_hold_taken(&holds, hold, ended->res.lock, &who, ended->begin_ns + ended->wait_ns,
			   &found))
		gl_event_inc(GL_EVENT_LOST_HOLD_BUSY);
	count(cpu, &ended->res, &found);
	if (!ended->owner_tid && found.last_tid) {
		ended->owner_tid = found.last_tid;
		ended->owner_tgid = found.last_tgid;
	}
}

#ifdef GL_HAS_CONTENDED_RELEASE
/* The compiler checks our probe against the tracepoint's type. */
static void __maybe_unused check_types(void)
{
	check_trace_callback_type_contended_release(probe_release);
}
#endif

static int attach(void)
{
	int err;

	tp_release = gl_tracepoint_find("contended_release");
	if (!tp_release) {
		pr_warn("this kernel does not tell who releases a lock: holds=1 needs Linux 7.3 or newer\n");
		return -EOPNOTSUPP;
	}
	err = gl_holdtab_init(&holds, GL_HOLD_LOCKS) ?: gl_cpu_init_holds();
	if (err)
		return err;
	err = tracepoint_probe_register(tp_release, probe_release, NULL);
	if (err) {
		pr_warn("cannot attach to the tracepoint contended_release: error %d\n", err);
		return err;
	}
	static_branch_enable(&gl_holding);
	return 0;
}

static void detach(void)
{
	static_branch_disable(&gl_holding);
	tracepoint_probe_unregister(tp_release, probe_release, NULL);
}

const struct gl_probe_group gl_probe_release = {
	.name = "release",
	.wanted = &gl_holds,
	.attach = attach,
	.detach = detach,
};

/**
 * gl_release_exit() - free the table; no probe uses it any more
 *
 * Context: process; may sleep.
 */
void gl_release_exit(void)
{
	gl_holdtab_exit(&holds);
}

/**
 * gl_release_bytes() - memory taken for holders; the counters are gl_cpu_bytes()'
 *
 * Context: any.
 *
 * Return: bytes.
 */
u64 gl_release_bytes(void)
{
	return gl_holdtab_bytes(&holds);
}

/**
 * gl_release_coverage() - are holds of a kind known?
 * @kind: enum gl_kind, of a kernel lock
 *
 * Context: process.
 *
 * Return: what `coverage` says of it.
 */
const char *gl_release_coverage(u32 kind)
{
	if (!gl_probe_is_on(&gl_probe_release))
		return "none: this kernel does not tell who releases a lock";
	if (kind == GL_KIND_SPINLOCK && !IS_ENABLED(CONFIG_PARAVIRT_SPINLOCKS) &&
	    !IS_ENABLED(CONFIG_QUEUED_SPINLOCKS_TRACE_CONTENDED_RELEASE))
		return "none: told only by kernels with CONFIG_PARAVIRT_SPINLOCKS";
	switch (rule_of(kind)) {
	case GL_HOLD_ONE:
	case GL_HOLD_LATE:
		return "lower-bound: while somebody is queued for it";
	case GL_HOLD_OWNED:
		return "lower-bound: while somebody is queued for it; of readers, if got then";
	case GL_HOLD_SEEN:
		if (is_shared(kind))
			return "none: who waits for it may have had it long before it wakes";
		return "lower-bound: while somebody is queued for it, and if it was got then";
	default:
		return "none: who releases it passes no tracepoint";
	}
}
