// SPDX-License-Identifier: GPL-2.0
/*
 * spin - begins, ends and shows waits for spinning locks.
 */
#include "spin.h"

#include <linux/cpumask.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/timekeeping.h>

#include "count.h"
#include "end.h"
#include "event.h"
#include "probe.h"

static __always_inline struct gl_resource resource_of(const struct gl_spin *spin)
{
	return (struct gl_resource){ .kind = spin->kind, .lock = spin->lock };
}

/* Is this the spinlock that the slow path of an rwlock takes? */
static __always_inline bool is_inside(const struct gl_spin *outer, u32 kind, u64 lock)
{
#ifdef CONFIG_QUEUED_RWLOCKS
	return (outer->kind == GL_KIND_RWLOCK_R || outer->kind == GL_KIND_RWLOCK_W) &&
	       kind == GL_KIND_SPINLOCK && lock == outer->lock + offsetof(arch_rwlock_t, wait_lock);
#else
	return false;
#endif
}

/* On its way between two holders a spinlock is nobody's, though there is a queue. */
static __always_inline bool is_held(u32 kind, u64 lock)
{
#ifdef CONFIG_QUEUED_SPINLOCKS
	return kind == GL_KIND_SPINLOCK &&
	       READ_ONCE(((const struct qspinlock *)(unsigned long)lock)->locked);
#else
	return false;
#endif
}

static __always_inline void set(struct gl_spin *spin, u32 kind, u64 lock)
{
	local_inc(&spin->seq);
	/* Odd before the fields change; pairs with gl_spin_read(). */
	smp_wmb();
	WRITE_ONCE(spin->lock, lock);
	if (lock) {
		spin->begin_ns = ktime_get_mono_fast_ns();
		spin->start_ns = current->start_boottime;
		spin->tid = current->pid;
		spin->kind = kind;
		if (static_branch_unlikely(&gl_holding))
			spin->held = is_held(kind, lock);
	}
	/* The fields before even. */
	smp_wmb();
	local_inc(&spin->seq);
}

/* A wait that is over, though its end was missed. */
static notrace void drop(struct gl_cpu *cpu, struct gl_spin *spin)
{
	struct gl_resource res = resource_of(spin);

	if (!spin->lock)
		return;
	set(spin, 0, 0);
	gl_count_lost(cpu, &res);
	gl_event_inc(GL_EVENT_LOST_END_MISSED);
}

/**
 * gl_spin_begin() - a spin wait begins
 * @cpu: this CPU
 * @level: this context
 * @kind: enum gl_kind
 * @lock: address of the lock
 *
 * A wait that this context seems to be in already, and that the new one cannot
 * be part of, has missed its end.
 *
 * Context: any, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_spin_begin(struct gl_cpu *cpu, enum gl_level level, u32 kind, u64 lock)
{
	struct gl_spin *outer = &cpu->spin[level][0], *spin = outer + 1;
	struct gl_resource res = { .kind = kind, .lock = lock };

	drop(cpu, spin);
	if (!outer->lock || !is_inside(outer, kind, lock)) {
		drop(cpu, outer);
		spin = outer;
	}
	if (unlikely(!READ_ONCE(gl_enabled))) {
		gl_event_inc(GL_EVENT_DISABLED);
		return;
	}
	set(spin, kind, lock);
	gl_count_begin(cpu, &res);
}

/* The wait of a context for a lock, whatever is inside it dropped; or NULL. */
static __always_inline struct gl_spin *find(struct gl_cpu *cpu, enum gl_level level, u64 lock)
{
	struct gl_spin *outer = &cpu->spin[level][0], *inner = outer + 1;

	if (inner->lock == lock)
		return inner;
	if (outer->lock != lock)
		return NULL;
	drop(cpu, inner);
	return outer;
}

/**
 * gl_spin_end() - a spin wait ends
 * @cpu: this CPU
 * @level: this context
 * @lock: address of the lock
 * @ret: 0, or why it was not taken
 *
 * Context: any, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if this was a lock that this context spun for.
 */
notrace bool gl_spin_end(struct gl_cpu *cpu, enum gl_level level, u64 lock, int ret)
{
	struct gl_spin *spin = find(cpu, level, lock);
	struct gl_ended ended;

	if (!spin)
		return false;
	ended = (struct gl_ended){
		.res = resource_of(spin),
		.begin_ns = spin->begin_ns,
		.queued_ns = spin->begin_ns,
		.ret = ret,
		.flags = GL_WAIT_SPINNING,
		.held = spin->held,
		.in_task = gl_level_is_task(level),
	};
	set(spin, 0, 0);
	gl_end(cpu, &ended);
	return true;
}

/**
 * gl_spin_nr_slots() - spin waits that there can be
 *
 * Context: any.
 *
 * Return: their number; gl_spin_read() says which there are.
 */
u32 gl_spin_nr_slots(void)
{
	return nr_cpu_ids * GL_NR_LEVELS * GL_SPIN_DEPTH;
}

static struct gl_spin *slot_at(u32 idx)
{
	struct gl_cpu *cpu = per_cpu(gl_cpu_ptr, gl_spin_cpu(idx));

	return &cpu->spin[idx / GL_SPIN_DEPTH % GL_NR_LEVELS][idx % GL_SPIN_DEPTH];
}

/**
 * gl_spin_read() - copy one spin wait consistently
 * @idx: which, below gl_spin_nr_slots()
 * @copy: gets the wait, its sequence number included
 *
 * Context: any; the wait may end meanwhile. Tries a few times.
 *
 * Return: true if there was one that was not changing.
 */
bool gl_spin_read(u32 idx, struct gl_spin *copy)
{
	const struct gl_spin *spin;
	int try;

	if (!cpu_possible(gl_spin_cpu(idx)))
		return false;
	spin = slot_at(idx);
	for (try = 0; try < 3; try++) {
		long seq = local_read(&spin->seq);

		if (!READ_ONCE(spin->lock))
			return false;
		if (seq & 1)
			continue;
		/* Pairs with the barriers of set(). */
		smp_rmb();
		/* May be torn, and is then thrown away below. */
		*copy = data_race(*spin);
		local_set(&copy->seq, seq);
		if (gl_spin_is_unchanged(idx, seq))
			return copy->lock;
	}
	return false;
}

/**
 * gl_spin_is_unchanged() - is the wait still what it was?
 * @idx: which, below gl_spin_nr_slots()
 * @seq: sequence number that gl_spin_read() returned in the copy
 *
 * Context: any.
 *
 * Return: true if nothing has changed it since.
 */
bool gl_spin_is_unchanged(u32 idx, u64 seq)
{
	/* Orders the reads before it. */
	smp_rmb();
	return (u64)local_read(&slot_at(idx)->seq) == seq;
}
