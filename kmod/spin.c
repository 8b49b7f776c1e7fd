// SPDX-License-Identifier: GPL-2.0
/*
 * spin - begins, ends and shows waits for spinning locks.
 */
#include "spin.h"

#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "count.h"
#include "event.h"

static __always_inline struct gl_resource resource_of(const struct gl_spin *spin)
{
	return (struct gl_resource){ .kind = spin->kind, .lock = spin->lock };
}

/**
 * gl_spin_begin() - a spin wait begins
 * @cpu: this CPU
 * @level: this context
 * @kind: enum gl_kind
 * @lock: address of the lock
 *
 * A wait that this context seems to be in already has missed its end.
 *
 * Context: any, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_spin_begin(struct gl_cpu *cpu, enum gl_level level, u32 kind, u64 lock)
{
	struct gl_spin *spin = &cpu->spin[level];
	struct gl_resource res;

	if (spin->lock) {
		res = resource_of(spin);
		gl_count_lost(cpu, &res);
		gl_event_inc(GL_EVENT_LOST_END_MISSED);
	}
	local_inc(&spin->seq);
	/* Odd before the fields change; pairs with gl_spin_read(). */
	smp_wmb();
	WRITE_ONCE(spin->lock, lock);
	spin->begin_ns = ktime_get_mono_fast_ns();
	spin->start_ns = current->start_boottime;
	spin->tid = current->pid;
	spin->kind = kind;
	/* The fields before even. */
	smp_wmb();
	local_inc(&spin->seq);
	res = resource_of(spin);
	gl_count_begin(cpu, &res);
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
 * Return: true if this was the lock that this context spun for.
 */
notrace bool gl_spin_end(struct gl_cpu *cpu, enum gl_level level, u64 lock, int ret)
{
	struct gl_spin *spin = &cpu->spin[level];
	struct gl_resource res;
	s64 wait_ns;

	if (spin->lock != lock)
		return false;
	wait_ns = ktime_get_mono_fast_ns() - spin->begin_ns;
	if (wait_ns < 0) {
		wait_ns = 0;
		gl_event_inc(GL_EVENT_CLOCK_CLAMPED);
	}
	res = resource_of(spin);
	local_inc(&spin->seq);
	/* As in gl_spin_begin(). */
	smp_wmb();
	WRITE_ONCE(spin->lock, 0);
	smp_wmb();
	local_inc(&spin->seq);
	gl_count_end(cpu, &res, wait_ns, ret < 0);
	return true;
}

/**
 * gl_spin_read() - copy one spin wait consistently
 * @nr: CPU
 * @level: context
 * @copy: gets the wait
 *
 * Context: any; the wait may end meanwhile. Tries a few times.
 *
 * Return: true if there was one that was not changing.
 */
bool gl_spin_read(int nr, enum gl_level level, struct gl_spin *copy)
{
	const struct gl_spin *spin = &per_cpu(gl_cpu_ptr, nr)->spin[level];
	int try;

	for (try = 0; try < 3; try++) {
		long seq = local_read(&spin->seq);

		if (!READ_ONCE(spin->lock))
			return false;
		if (seq & 1)
			continue;
		/* Pairs with the barriers of gl_spin_begin(). */
		smp_rmb();
		/* May be torn, and is then thrown away below. */
		*copy = data_race(*spin);
		local_set(&copy->seq, seq);
		if (gl_spin_is_unchanged(nr, level, seq))
			return copy->lock;
	}
	return false;
}

/**
 * gl_spin_is_unchanged() - is the wait still what it was?
 * @nr: CPU
 * @level: context
 * @seq: sequence number that gl_spin_read() returned in the copy
 *
 * Context: any.
 *
 * Return: true if nothing has changed it since.
 */
bool gl_spin_is_unchanged(int nr, enum gl_level level, u64 seq)
{
	/* Orders the reads before it. */
	smp_rmb();
	return (u64)local_read(&per_cpu(gl_cpu_ptr, nr)->spin[level].seq) == seq;
}
