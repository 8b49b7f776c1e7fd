// SPDX-License-Identifier: GPL-2.0
/*
 * wait - the life of a sleeping wait, from the probes' side: what all kinds have in
 * common, and waits for kernel locks. wait_futex.c and wait_file.c have the others.
 *
 * Everything here is done by the waiting task itself, in task context (on
 * PREEMPT_RT also while it serves softirqs), with preemption disabled.
 */
#include "wait.h"

#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "count.h"
#include "episode.h"
#include "event.h"
#include "group.h"
#include "owner.h"
#include "probe.h"
#include "release.h"
#include "turn.h"
#include "wait_own.h"

struct gl_waittab gl_waits;

static __always_inline bool is_kernel_lock(const struct gl_slot *slot)
{
	return slot->kind < GL_KIND_FUTEX;
}

/*
 * Of a live slot of ours; what is noted readers do not look at. Between two owners a
 * mutex is anybody's, who then would seem to have had it all the while.
 */
static __always_inline void note_phase(struct gl_slot *slot, u16 flags)
{
	WRITE_ONCE(slot->flags, flags);
	if (static_branch_unlikely(&gl_holding) && slot->kind == GL_KIND_MUTEX &&
	    !(flags & GL_WAIT_SPINNING) && !slot->queued_after && gl_owner_is_set(slot->lock))
		WRITE_ONCE(slot->queued_after,
			   gl_queued_after(ktime_get_mono_fast_ns() - slot->begin_ns));
}

/* While somebody looks: the owner's name is in the lock as long as we are in its slow path. */
static notrace void note_back_off(const struct gl_resource *res)
{
	s32 tid = 0, tgid;

	gl_owner_peek(res->kind, res->lock, &tid, &tgid);
	gl_episode_backed_off(res->lock, tid);
}

/**
 * gl_wait_drop() - give up a slot of the current task
 * @cpu: this CPU
 * @slot: a wait whose end was missed, or a staged one
 * @why: what is counted of a live one
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_drop(struct gl_cpu *cpu, struct gl_slot *slot, enum gl_event why)
{
	if (!gl_waittab_lock_own(&gl_waits, slot, gl_wait_me()))
		return;
	if (slot->phase == GL_SLOT_LIVE) {
		struct gl_resource res = gl_wait_resource(slot);

		gl_count_lost(cpu, &res);
		gl_event_inc(why);
		if (is_kernel_lock(slot) && READ_ONCE(gl_turns_on))
			gl_turn_end(slot, false);
		if (gl_is_file_kind(slot->kind))
			atomic_dec(gl_file_waiters_here());
	}
	gl_waittab_retire(&gl_waits, slot, gl_wait_me());
}

/*
 * May a task begin a wait for a kernel lock within such a wait? As a rule slow
 * paths take no lock that sleeps. But percpu_down_write() of 6.1 waits for a
 * grace period; who waits for a file lock takes locks each time it tries again.
 * And on PREEMPT_RT an rwbase lock waits for the rt_mutex inside, and who sleeps
 * by schedule() first submits its block I/O, under spinlock_t.
 */
static __always_inline bool may_nest_in(u32 kind)
{
	if (kind == GL_KIND_PCPU_SEM_R || kind == GL_KIND_PCPU_SEM_W || gl_is_file_kind(kind))
		return true;
	return IS_ENABLED(CONFIG_PREEMPT_RT) && kind != GL_KIND_RTMUTEX;
}

/*
 * A mutex is waited for in phases; two spins in a row are two waits. Whoever is
 * woken for a file lock tries again, and may find it taken.
 */
static __always_inline bool is_next_phase(const struct gl_slot *slot,
					  const struct gl_resource *res, u16 flags)
{
	if (res->kind != GL_KIND_MUTEX && !gl_is_file_kind(res->kind))
		return false;
	return gl_wait_is_for(slot, res) && !(slot->flags & flags & GL_WAIT_SPINNING);
}

/* Is a live wait over, though its end was missed, when one for @res begins? */
static __always_inline bool is_over(const struct gl_slot *slot, const struct gl_resource *res)
{
	if (gl_is_file_kind(slot->kind) && gl_is_file_kind(res->kind))
		return true;
	return !may_nest_in(slot->kind) || gl_wait_is_for(slot, res);
}

/* Return: true, and noted, if @slot is of a wait whose next phase begins. */
static __always_inline bool goes_on(struct gl_slot *slot, const struct gl_resource *res,
				    u16 flags)
{
	if (!is_next_phase(slot, res, flags))
		return false;
	note_phase(slot, flags);
	gl_event_inc(GL_EVENT_PHASES);
	return true;
}

/* As continues(), for a task that is in some wait. */
static noinline notrace bool clear_up(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags)
{
	struct gl_slot *found[GL_TASK_SLOTS], *oldest = NULL;
	u32 nr = gl_waittab_find(&gl_waits, gl_wait_me(), GL_SLOT_LIVE, found), live = 0, i;

	for (i = 0; i < nr; i++) {
		struct gl_slot *slot = found[i];

		if (goes_on(slot, res, flags))
			return true;
		if (is_over(slot, res)) {
			gl_wait_drop(cpu, slot, GL_EVENT_LOST_END_MISSED);
			continue;
		}
		live++;
		if (!oldest || slot->begin_ns < oldest->begin_ns)
			oldest = slot;
	}
	if (live >= GL_TASK_DEPTH)
		gl_wait_drop(cpu, oldest, GL_EVENT_LOST_END_MISSED);
	return false;
}

/*
 * Clear up before a new wait: a wait that it cannot be nested in is over, though
 * its end was missed. Were it kept, it would seem to be what the task sleeps in.
 * So is one for the same lock, and the oldest of too many.
 *
 * Return: true when the new wait only continues one that is there.
 */
static __always_inline bool continues(struct gl_cpu *cpu, const struct gl_resource *res,
				      u16 flags)
{
	struct gl_slot *first = gl_waittab_first(&gl_waits, gl_wait_me(), GL_SLOT_LIVE);

	return first && (goes_on(first, res, flags) || clear_up(cpu, res, flags));
}

/* Return: true if the wait has a slot now that it did not have. */
static __always_inline bool begin(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags)
{
	struct gl_slot *slot;

	if (continues(cpu, res, flags))
		return false;
	if (unlikely(!READ_ONCE(gl_enabled))) {
		gl_event_inc(GL_EVENT_DISABLED);
		return false;
	}
	slot = gl_wait_take_slot();
	if (!slot)
		return false;
	slot->lock = res->lock;
	slot->space = res->space;
	slot->kind = res->kind;
	slot->flags = flags;
	if (static_branch_unlikely(&gl_holding))
		slot->queued_after = 0;
	if (READ_ONCE(gl_by_owner) || static_branch_unlikely(&gl_holding))
		gl_owner_peek(res->kind, res->lock, &slot->owner_tid, &slot->owner_tgid);
	slot->phase = GL_SLOT_LIVE;
	slot->begin_ns = ktime_get_mono_fast_ns();
	if (unlikely(READ_ONCE(gl_turns_on)))
		gl_turn_begin(slot);
	gl_slot_unlock(slot);
	gl_count_begin(cpu, res);
	return true;
}

/**
 * gl_wait_begin() - a wait for a kernel lock begins, or its next phase
 * @cpu: this CPU
 * @kind: enum gl_kind
 * @lock: address of the lock
 * @flags: GL_WAIT_SPINNING, GL_WAIT_SHARED
 *
 * A mutex is waited for in phases, spinning and asleep; all are one wait.
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_begin(struct gl_cpu *cpu, u32 kind, u64 lock, u16 flags)
{
	begin(cpu, &(struct gl_resource){ .kind = kind, .lock = lock }, flags);
}

/**
 * gl_wait_open() - a wait begins, or its next phase
 * @cpu: this CPU
 * @res: what it is for
 * @flags: GL_WAIT_* known by now
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if the wait has a slot now that it did not have.
 */
notrace bool gl_wait_open(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags)
{
	return begin(cpu, res, flags);
}

/**
 * gl_wait_end() - a wait for a kernel lock ends
 * @cpu: this CPU
 * @lock: address of the lock
 * @ret: 0, or why it was not taken
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if the task was in such a wait.
 */
notrace bool gl_wait_end(struct gl_cpu *cpu, u64 lock, int ret)
{
	/* Not zeroed, as the compiler would do for each wait: those before @end are set. */
	struct gl_slot *found[GL_TASK_SLOTS] __uninitialized, **end, **slot, *ended = NULL;
	u64 begin_ns;

	end = found + gl_waittab_find(&gl_waits, gl_wait_me(), GL_SLOT_LIVE, found);
	for (slot = found; slot < end; slot++)
		if ((*slot)->lock == lock && is_kernel_lock(*slot) &&
		    (!ended || (*slot)->begin_ns > ended->begin_ns))
			ended = *slot;
	if (!ended)
		return false;
	begin_ns = ended->begin_ns;
	if (unlikely(ret == -EDEADLK && READ_ONCE(gl_backoffs_on)))
		note_back_off(&(struct gl_resource){ .kind = ended->kind, .lock = lock });
	if (unlikely(READ_ONCE(gl_turns_on)))
		gl_turn_end(ended, !ret);
	gl_wait_close(cpu, ended, ret);
	/* Waits nest: those begun within this one are over, though unseen. */
	for (slot = found; slot < end; slot++)
		if (*slot != ended && (*slot)->begin_ns > begin_ns)
			gl_wait_drop(cpu, *slot, GL_EVENT_LOST_END_MISSED);
	return true;
}

/**
 * gl_wait_task_exit() - the current task exits: it waits no more
 * @cpu: this CPU
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_task_exit(struct gl_cpu *cpu)
{
	struct gl_slot *found[GL_TASK_SLOTS];
	u8 phase;

	for (phase = GL_SLOT_STAGED; phase <= GL_SLOT_LIVE; phase++) {
		u32 nr = gl_waittab_find(&gl_waits, gl_wait_me(), phase, found), i;

		for (i = 0; i < nr; i++)
			gl_wait_drop(cpu, found[i], GL_EVENT_LOST_TASK_EXITED);
	}
}
