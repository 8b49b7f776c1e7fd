/* SPDX-License-Identifier: GPL-2.0 */
/*
 * wait_own - the slots of the current task in the wait table: what wait.c,
 * wait_futex.c and wait_file.c do alike. For these alone.
 */
#ifndef _GL_WAIT_OWN_H
#define _GL_WAIT_OWN_H

#include <linux/sched.h>

#include "count.h"
#include "end.h"
#include "event.h"
#include "wait.h"
#include "waittab.h"

void gl_wait_drop(struct gl_cpu *cpu, struct gl_slot *slot, enum gl_event why);
bool gl_wait_open(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags);

/** gl_wait_me() - the current task, as the key of its slots */
static __always_inline u64 gl_wait_me(void)
{
	return (u64)(unsigned long)current;
}

/** gl_wait_resource() - what a slot's wait is for */
static __always_inline struct gl_resource gl_wait_resource(const struct gl_slot *slot)
{
	return (struct gl_resource){
		.kind = slot->kind, .lock = slot->lock, .space = slot->space
	};
}

/** gl_wait_is_for() - is a slot's wait for @res? */
static __always_inline bool gl_wait_is_for(const struct gl_slot *slot,
					   const struct gl_resource *res)
{
	return slot->kind == res->kind && slot->lock == res->lock && slot->space == res->space;
}

/**
 * gl_wait_take_slot() - a dead slot for the current task
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: the slot, locked; NULL: none is free, which is counted.
 */
static __always_inline struct gl_slot *gl_wait_take_slot(void)
{
	struct gl_waiter who = {
		.task = gl_wait_me(), .start_ns = current->start_boottime, .tid = current->pid
	};
	struct gl_slot *slot = gl_waittab_claim(&gl_waits, &who);

	if (likely(slot))
		return slot;
	slot = gl_waittab_steal(&gl_waits, &who);
	gl_event_inc(slot ? GL_EVENT_SLOTS_STOLEN : GL_EVENT_LOST_NO_SLOT);
	return slot;
}

/**
 * gl_wait_queued_at() - from when on a wait for a kernel lock was in the lock's queue
 *
 * A mutex is spun for at first; who waits for another lock is queued when it begins,
 * or within the next few instructions.
 *
 * Return: ns, CLOCK_MONOTONIC; 0: it has only spun, as far as is known; or nobody asks.
 */
static __always_inline u64 gl_wait_queued_at(const struct gl_slot *slot)
{
	if (!static_branch_unlikely(&gl_holding))
		return 0;
	if (slot->kind != GL_KIND_MUTEX)
		return slot->begin_ns;
	return slot->queued_after ? slot->begin_ns + gl_queued_after_ns(slot->queued_after) : 0;
}

/**
 * gl_wait_close() - end a wait of the current task
 * @cpu: this CPU
 * @slot: its live slot
 * @ret: 0, or why the lock was not taken
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
static __always_inline void gl_wait_close(struct gl_cpu *cpu, struct gl_slot *slot, int ret)
{
	struct gl_ended ended = {
		.res = gl_wait_resource(slot),
		.begin_ns = slot->begin_ns,
		.queued_ns = gl_wait_queued_at(slot),
		.wait_ns = 0,
		.owner_tid = slot->owner_tid,
		.owner_tgid = slot->owner_tgid,
		.ret = ret,
		.flags = slot->flags,
		.in_task = true,
	};

	gl_waittab_retire_live(&gl_waits, slot, gl_wait_me());
	gl_end(cpu, &ended);
}

#endif /* _GL_WAIT_OWN_H */
