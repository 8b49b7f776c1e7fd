// SPDX-License-Identifier: GPL-2.0
/*
 * wait_futex - waits for futexes: staged with the arguments of the call, committed
 * when the task goes to sleep.
 *
 * Everything here is done by the waiting task itself, as in wait.c.
 */
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "count.h"
#include "event.h"
#include "probe.h"
#include "wait.h"
#include "wait_own.h"

static __always_inline bool is_futex(const struct gl_slot *slot)
{
	return slot->kind == GL_KIND_FUTEX || slot->kind == GL_KIND_FUTEX_PI;
}

/* The futex wait of the current task in flight. */
static __always_inline struct gl_slot *find_futex(void)
{
	struct gl_slot *found[GL_TASK_SLOTS] __uninitialized;
	u32 nr = gl_waittab_find(&gl_waits, gl_wait_me(), GL_SLOT_LIVE, found), i;

	for (i = 0; i < nr; i++)
		if (is_futex(found[i]))
			return found[i];
	return NULL;
}

static __always_inline struct gl_slot *find_staged(u32 kind)
{
	struct gl_slot *found[GL_TASK_SLOTS] __uninitialized;
	u32 nr = gl_waittab_find(&gl_waits, gl_wait_me(), GL_SLOT_STAGED, found), i;

	for (i = 0; i < nr; i++)
		if (found[i]->kind == kind)
			return found[i];
	return NULL;
}

/* Ends that pass no probe: a wait for a requeue that did not come. */
static __always_inline void drop_stale(struct gl_cpu *cpu)
{
	struct gl_slot *slot = find_futex();

	if (slot)
		gl_wait_drop(cpu, slot, GL_EVENT_LOST_END_MISSED);
}

/*
 * What a call has staged is not for the next one, which gets the place of it. But a
 * condition is staged after the mutex that the same call names.
 *
 * Return: a slot of the task, locked; NULL if it has none that is free now.
 */
static __always_inline struct gl_slot *unstage(bool keeps_beside)
{
	struct gl_slot *found[GL_TASK_SLOTS], *freed = NULL;
	u32 nr = gl_waittab_find(&gl_waits, gl_wait_me(), GL_SLOT_STAGED, found), i;

	for (i = 0; i < nr; i++) {
		struct gl_slot *slot = found[i];

		if (!gl_waittab_lock_own(&gl_waits, slot, gl_wait_me()))
			continue;
		if (keeps_beside && slot->beside) {
			/* For one condition only: the next one is another call's. */
			slot->beside = false;
			gl_slot_unlock(slot);
		} else if (freed) {
			gl_waittab_retire(&gl_waits, slot, gl_wait_me());
		} else {
			freed = slot;
		}
	}
	return freed;
}

static __always_inline void unstage_all(void)
{
	struct gl_slot *slot = unstage(false);

	if (slot)
		gl_waittab_retire(&gl_waits, slot, gl_wait_me());
}

static __always_inline void stage(struct gl_cpu *cpu, const struct gl_resource *res, u32 val,
				  u16 flags, bool beside)
{
	struct gl_slot *slot;

	drop_stale(cpu);
	if (unlikely(!READ_ONCE(gl_enabled))) {
		unstage_all();
		return;
	}
	slot = unstage(res->kind == GL_KIND_FUTEX) ?: gl_wait_take_slot();
	if (!slot)
		return;
	/* exec gives a thread another number. */
	slot->tid = current->pid;
	slot->start_ns = current->start_boottime;
	slot->kind = res->kind;
	slot->lock = res->lock;
	slot->space = res->space;
	slot->futex_val = val;
	slot->flags = flags;
	slot->beside = beside;
	slot->phase = GL_SLOT_STAGED;
	gl_slot_unlock(slot);
}

static __always_inline struct gl_resource futex_at(u32 kind, u64 uaddr)
{
	return (struct gl_resource){
		.kind = kind, .lock = uaddr, .space = (u64)(unsigned long)current->mm
	};
}

/**
 * gl_wait_stage() - a futex wait may be about to begin
 * @cpu: this CPU
 * @kind: GL_KIND_FUTEX or GL_KIND_FUTEX_PI
 * @uaddr: address of the word
 * @val: value expected there
 * @flags: GL_WAIT_* known by now
 *
 * The kernel checks the word next, and more often than not nobody sleeps: a
 * staged slot is kept for the task's next attempt and counts for nothing. What
 * was staged before never survives this, so that no sleep is ever told to be
 * for the word of an earlier call.
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_stage(struct gl_cpu *cpu, u32 kind, u64 uaddr, u32 val, u16 flags)
{
	struct gl_resource res = futex_at(kind, uaddr);

	stage(cpu, &res, val, flags, false);
}

/**
 * gl_wait_stage_requeue() - a wait for a condition may end at a PI mutex
 * @cpu: this CPU
 * @uaddr: address of the mutex
 * @flags: GL_WAIT_* known by now
 *
 * The condition itself is staged next. Who is requeued wakes in the mutex's slow
 * path, and commits that.
 *
 * Context: as gl_wait_stage().
 */
notrace void gl_wait_stage_requeue(struct gl_cpu *cpu, u64 uaddr, u16 flags)
{
	struct gl_resource res = futex_at(GL_KIND_FUTEX_PI, uaddr);

	stage(cpu, &res, 0, flags, true);
}

/**
 * gl_wait_several() - a wait for several futexes at once may be about to begin
 * @cpu: this CPU
 *
 * No slot holds it. What is left of earlier calls goes: it would be ended when this
 * wait is, as who wakes passes futex_unqueue() for each futex.
 *
 * Context: as gl_wait_stage().
 */
notrace void gl_wait_several(struct gl_cpu *cpu)
{
	drop_stale(cpu);
	unstage_all();
	gl_event_inc(READ_ONCE(gl_enabled) ? GL_EVENT_LOST_FUTEX_WAITV : GL_EVENT_DISABLED);
}

/* Who goes to sleep for a futex is in no other wait any more. */
static __always_inline void end_others(struct gl_cpu *cpu, bool pi)
{
	struct gl_slot *found[GL_TASK_SLOTS];
	u32 nr = gl_waittab_find(&gl_waits, gl_wait_me(), GL_SLOT_LIVE, found), i;

	for (i = 0; i < nr; i++) {
		/* Woken from a condition, to wait for its mutex. */
		if (pi && found[i]->kind == GL_KIND_FUTEX)
			gl_wait_close(cpu, found[i], 0);
		else
			gl_wait_drop(cpu, found[i], GL_EVENT_LOST_END_MISSED);
	}
}

/**
 * gl_wait_commit() - the staged futex wait goes to sleep
 * @cpu: this CPU
 * @pi: it is for a PI futex
 * @flags: GL_WAIT_* to add
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_commit(struct gl_cpu *cpu, bool pi, u16 flags)
{
	struct gl_slot *slot = find_staged(pi ? GL_KIND_FUTEX_PI : GL_KIND_FUTEX);
	struct gl_resource res;

	end_others(cpu, pi);
	if (unlikely(!READ_ONCE(gl_enabled))) {
		gl_event_inc(GL_EVENT_DISABLED);
		return;
	}
	if (!slot || !gl_waittab_lock_own(&gl_waits, slot, gl_wait_me())) {
		gl_event_inc(GL_EVENT_LOST_NOT_STAGED);
		return;
	}
	slot->flags |= flags;
	slot->begin_ns = ktime_get_mono_fast_ns();
	slot->phase = GL_SLOT_LIVE;
	res = gl_wait_resource(slot);
	gl_slot_unlock(slot);
	gl_count_begin(cpu, &res);
}

/**
 * gl_wait_futex() - the futex that the current task waits for
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: its user address, not of a PI futex; 0: it is in no such wait.
 */
notrace u64 gl_wait_futex(void)
{
	struct gl_slot *slot = find_futex();

	return slot && slot->kind == GL_KIND_FUTEX ? slot->lock : 0;
}

/**
 * gl_wait_end_futex() - a futex wait ends
 * @cpu: this CPU
 * @ret: 0, or why it was not taken
 *
 * The kernel passes here also without having slept: no wait, no event.
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if the task was in such a wait.
 */
notrace bool gl_wait_end_futex(struct gl_cpu *cpu, int ret)
{
	struct gl_slot *slot = find_futex();

	if (slot)
		gl_wait_close(cpu, slot, ret);
	return slot;
}
