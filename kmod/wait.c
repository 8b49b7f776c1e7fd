// SPDX-License-Identifier: GPL-2.0
/*
 * wait - the life of a sleeping wait, from the probes' side.
 *
 * Everything here is done by the waiting task itself, in task context (on
 * PREEMPT_RT also while it serves softirqs), with preemption disabled.
 */
#include "wait.h"

#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/timekeeping.h>

#include "count.h"
#include "end.h"
#include "episode.h"
#include "event.h"
#include "group.h"
#include "owner.h"
#include "probe.h"

struct gl_waittab gl_waits;

atomic_t gl_file_waiters[1 << GL_FILE_WAITERS_BITS];

static __always_inline u64 me(void)
{
	return (u64)(unsigned long)current;
}

static __always_inline bool is_futex(const struct gl_slot *slot)
{
	return slot->kind == GL_KIND_FUTEX || slot->kind == GL_KIND_FUTEX_PI;
}

static __always_inline bool is_kernel_lock(const struct gl_slot *slot)
{
	return slot->kind < GL_KIND_FUTEX;
}

static __always_inline struct gl_resource resource_of(const struct gl_slot *slot)
{
	return (struct gl_resource){
		.kind = slot->kind, .lock = slot->lock, .space = slot->space
	};
}

/* While somebody looks: the owner's name is in the lock as long as we are in its slow path. */
static notrace void note_back_off(const struct gl_resource *res)
{
	s32 tid = 0, tgid;

	gl_owner_peek(res->kind, res->lock, &tid, &tgid);
	gl_episode_backed_off(res->lock, tid);
}

/* Close a live slot of ours that has been found. */
static __always_inline void close_wait(struct gl_cpu *cpu, struct gl_slot *slot, int ret)
{
	struct gl_ended ended = {
		.res = resource_of(slot),
		.begin_ns = slot->begin_ns,
		.owner_tid = slot->owner_tid,
		.owner_tgid = slot->owner_tgid,
		.ret = ret,
		.flags = slot->flags,
		.in_task = true,
	};

	if (gl_waittab_lock_own(&gl_waits, slot, me()))
		gl_waittab_retire(&gl_waits, slot, me());
	gl_end(cpu, &ended);
}

/* Give up a slot of ours: a wait whose end was missed, or a staged one. */
static notrace void drop_wait(struct gl_cpu *cpu, struct gl_slot *slot, enum gl_event why)
{
	if (!gl_waittab_lock_own(&gl_waits, slot, me()))
		return;
	if (slot->phase == GL_SLOT_LIVE) {
		struct gl_resource res = resource_of(slot);

		gl_count_lost(cpu, &res);
		gl_event_inc(why);
		if (gl_is_file_kind(slot->kind))
			atomic_dec(gl_file_waiters_here());
	}
	gl_waittab_retire(&gl_waits, slot, me());
}

/* A dead slot for the current task, locked; NULL and counted: none free. */
static __always_inline struct gl_slot *take_slot(void)
{
	struct gl_waiter who = {
		.task = me(), .start_ns = current->start_boottime, .tid = current->pid
	};
	struct gl_slot *slot = gl_waittab_claim(&gl_waits, &who);

	if (likely(slot))
		return slot;
	slot = gl_waittab_steal(&gl_waits, &who);
	gl_event_inc(slot ? GL_EVENT_SLOTS_STOLEN : GL_EVENT_LOST_NO_SLOT);
	return slot;
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

static __always_inline bool is_for(const struct gl_slot *slot, const struct gl_resource *res)
{
	return slot->kind == res->kind && slot->lock == res->lock && slot->space == res->space;
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
	return is_for(slot, res) && !(slot->flags & flags & GL_WAIT_SPINNING);
}

/* Is a live wait over, though its end was missed, when one for @res begins? */
static __always_inline bool is_over(const struct gl_slot *slot, const struct gl_resource *res)
{
	if (gl_is_file_kind(slot->kind) && gl_is_file_kind(res->kind))
		return true;
	return !may_nest_in(slot->kind) || is_for(slot, res);
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
	struct gl_slot *found[GL_TASK_SLOTS], *oldest = NULL;
	u32 nr = gl_waittab_find(&gl_waits, me(), GL_SLOT_LIVE, found), live = 0, i;

	for (i = 0; i < nr; i++) {
		struct gl_slot *slot = found[i];

		if (is_next_phase(slot, res, flags)) {
			WRITE_ONCE(slot->flags, flags);
			gl_event_inc(GL_EVENT_PHASES);
			return true;
		}
		if (is_over(slot, res)) {
			drop_wait(cpu, slot, GL_EVENT_LOST_END_MISSED);
			continue;
		}
		live++;
		if (!oldest || slot->begin_ns < oldest->begin_ns)
			oldest = slot;
	}
	if (live >= GL_TASK_DEPTH)
		drop_wait(cpu, oldest, GL_EVENT_LOST_END_MISSED);
	return false;
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
	slot = take_slot();
	if (!slot)
		return false;
	slot->lock = res->lock;
	slot->space = res->space;
	slot->kind = res->kind;
	slot->flags = flags;
	if (READ_ONCE(gl_by_owner))
		gl_owner_peek(res->kind, res->lock, &slot->owner_tid, &slot->owner_tgid);
	slot->phase = GL_SLOT_LIVE;
	slot->begin_ns = ktime_get_mono_fast_ns();
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
	struct gl_slot *found[GL_TASK_SLOTS], *ended = NULL;
	u32 nr = gl_waittab_find(&gl_waits, me(), GL_SLOT_LIVE, found), i;
	u64 begin_ns;

	for (i = 0; i < nr; i++)
		if (found[i]->lock == lock && is_kernel_lock(found[i]) &&
		    (!ended || found[i]->begin_ns > ended->begin_ns))
			ended = found[i];
	if (!ended)
		return false;
	begin_ns = ended->begin_ns;
	if (unlikely(ret == -EDEADLK && READ_ONCE(gl_backoffs_on)))
		note_back_off(&(struct gl_resource){ .kind = ended->kind, .lock = lock });
	close_wait(cpu, ended, ret);
	/* Waits nest: those begun within this one are over, though unseen. */
	for (i = 0; i < nr; i++)
		if (found[i] != ended && found[i]->begin_ns > begin_ns)
			drop_wait(cpu, found[i], GL_EVENT_LOST_END_MISSED);
	return true;
}

/* The futex wait of the current task in flight. */
static __always_inline struct gl_slot *find_futex(void)
{
	struct gl_slot *found[GL_TASK_SLOTS];
	u32 nr = gl_waittab_find(&gl_waits, me(), GL_SLOT_LIVE, found), i;

	for (i = 0; i < nr; i++)
		if (is_futex(found[i]))
			return found[i];
	return NULL;
}

static __always_inline struct gl_slot *find_staged(u32 kind)
{
	struct gl_slot *found[GL_TASK_SLOTS];
	u32 nr = gl_waittab_find(&gl_waits, me(), GL_SLOT_STAGED, found), i;

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
		drop_wait(cpu, slot, GL_EVENT_LOST_END_MISSED);
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
	u32 nr = gl_waittab_find(&gl_waits, me(), GL_SLOT_STAGED, found), i;

	for (i = 0; i < nr; i++) {
		struct gl_slot *slot = found[i];

		if (!gl_waittab_lock_own(&gl_waits, slot, me()))
			continue;
		if (keeps_beside && slot->beside) {
			/* For one condition only: the next one is another call's. */
			slot->beside = false;
			gl_slot_unlock(slot);
		} else if (freed) {
			gl_waittab_retire(&gl_waits, slot, me());
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
		gl_waittab_retire(&gl_waits, slot, me());
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
	slot = unstage(res->kind == GL_KIND_FUTEX) ?: take_slot();
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
	u32 nr = gl_waittab_find(&gl_waits, me(), GL_SLOT_LIVE, found), i;

	for (i = 0; i < nr; i++) {
		/* Woken from a condition, to wait for its mutex. */
		if (pi && found[i]->kind == GL_KIND_FUTEX)
			close_wait(cpu, found[i], 0);
		else
			drop_wait(cpu, found[i], GL_EVENT_LOST_END_MISSED);
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
	if (!slot || !gl_waittab_lock_own(&gl_waits, slot, me())) {
		gl_event_inc(GL_EVENT_LOST_NOT_STAGED);
		return;
	}
	slot->flags |= flags;
	slot->begin_ns = ktime_get_mono_fast_ns();
	slot->phase = GL_SLOT_LIVE;
	res = resource_of(slot);
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
		close_wait(cpu, slot, ret);
	return slot;
}

/**
 * gl_wait_begin_file() - a wait for a file lock or lease begins, or goes on
 * @cpu: this CPU
 * @res: what it is for
 * @flags: GL_WAIT_SHARED, GL_WAIT_TIMED_KNOWN
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_begin_file(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags)
{
	if (begin(cpu, res, flags))
		atomic_inc(gl_file_waiters_here());
}

/* A task is in one such wait at most: a new one drops what is left of another. */
static __always_inline struct gl_slot *find_file(void)
{
	struct gl_slot *found[GL_TASK_SLOTS];
	u32 nr = gl_waittab_find(&gl_waits, me(), GL_SLOT_LIVE, found), i;

	for (i = 0; i < nr; i++)
		if (gl_is_file_kind(found[i]->kind))
			return found[i];
	return NULL;
}

/**
 * gl_wait_in_file() - is the current task in a wait for a file lock or lease?
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if one is recorded.
 */
notrace bool gl_wait_in_file(void)
{
	return find_file();
}

/**
 * gl_wait_file_since() - when the current task's wait for a file lock or lease began
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: ns, CLOCK_MONOTONIC; 0: none is recorded.
 */
notrace u64 gl_wait_file_since(void)
{
	const struct gl_slot *slot = find_file();

	return slot ? slot->begin_ns : 0;
}

/**
 * gl_wait_missed_file() - a wait for a file lock or lease is over, unseen
 * @cpu: this CPU
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 */
notrace void gl_wait_missed_file(struct gl_cpu *cpu)
{
	struct gl_slot *slot = find_file();

	if (slot)
		drop_wait(cpu, slot, GL_EVENT_LOST_END_MISSED);
}

/**
 * gl_wait_end_file() - a wait for a file lock or lease ends
 * @cpu: this CPU
 * @res: what it was for; NULL: whatever it was
 * @ret: 0, or why it was not taken
 *
 * A task that is done with another file lock than it was known to wait for is
 * past that wait as well, and its end was missed.
 *
 * Context: task, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true if the task was in such a wait.
 */
notrace bool gl_wait_end_file(struct gl_cpu *cpu, const struct gl_resource *res, int ret)
{
	struct gl_slot *slot = find_file();

	if (!slot)
		return false;
	if (res && !is_for(slot, res)) {
		drop_wait(cpu, slot, GL_EVENT_LOST_END_MISSED);
		return false;
	}
	close_wait(cpu, slot, ret);
	atomic_dec(gl_file_waiters_here());
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
		u32 nr = gl_waittab_find(&gl_waits, me(), phase, found), i;

		for (i = 0; i < nr; i++)
			drop_wait(cpu, found[i], GL_EVENT_LOST_TASK_EXITED);
	}
}
