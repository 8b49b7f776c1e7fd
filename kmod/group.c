// SPDX-License-Identifier: GPL-2.0
/*
 * group - counts ended waits by task, owner, cgroup and caller on this CPU.
 *
 * Rows are claimed as those of locks are (count.c): by one compare-and-exchange
 * of the key, and given up by a reset. An interrupt that comes before the rest of a
 * new row is written may claim a second row for the same group; readers merge
 * rows of one group anyhow.
 */
#include "group.h"

#include <linux/bitops.h>
#include <linux/cgroup.h>
#include <linux/hash.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/overflow.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/stacktrace.h>
#include <linux/string.h>

#include "event.h"

/* Frames saved: what is kept, and before it our own and those of the tracepoint. */
#define NR_SAVED	(GL_CALLER_FRAMES + 8)

/* All off: each makes every end of a wait dearer. */
bool gl_by_task;
bool gl_by_owner;
bool gl_by_cgroup;
bool gl_by_caller;
unsigned long gl_caller_ns = GL_DEFAULT_CALLER_NS;

DEFINE_STATIC_KEY_FALSE(gl_grouping);

/**
 * gl_group_switch() - do as the parameters say from now on
 *
 * Context: process; may sleep. Not called twice at once.
 */
void gl_group_switch(void)
{
	if (gl_by_task || gl_by_owner || gl_by_cgroup || gl_by_caller)
		static_branch_enable(&gl_grouping);
	else
		static_branch_disable(&gl_grouping);
}

/**
 * gl_group_is_on() - are waits counted by this?
 * @by: GL_BY_*
 *
 * Context: any.
 *
 * Return: true if they are.
 */
bool gl_group_is_on(u32 by)
{
	switch (by) {
	case GL_BY_TASK:
		return READ_ONCE(gl_by_task);
	case GL_BY_OWNER:
		return READ_ONCE(gl_by_owner);
	case GL_BY_CGROUP:
		return READ_ONCE(gl_by_cgroup);
	case GL_BY_CALLER:
		return READ_ONCE(gl_by_caller);
	default:
		return false;
	}
}

static __always_inline void add(struct gl_group_sums *sums, const struct gl_ended *ended)
{
	local_inc(&sums->ended);
	if (ended->ret < 0)
		local_inc(&sums->failed);
	local_add(ended->wait_ns, &sums->total_ns);
	gl_raise(&sums->max_ns, ended->wait_ns);
}

/* Waits that belong to no group, and those that found no row. */
static __always_inline void add_other(struct gl_cpu *cpu, u32 by, const struct gl_ended *ended)
{
	add(&cpu->group_other[by - 1][ended->res.kind], ended);
}

/* The row of a group, claimed if need be; NULL: the window is full. */
static __always_inline struct gl_group *find_group(struct gl_cpu *cpu, u64 key, u64 tag)
{
	u32 mask = gl_nr_groups - 1, n;
	u32 home = hash_64(key ^ tag, 32) & mask;

	for (n = 0; n < GL_GROUP_WINDOW; n++) {
		struct gl_group *group = &cpu->group[(home + n) & mask];
		u64 old = local_read(&group->key);

		if (old == key && group->tag == tag)
			return group;
		if (!old && !local_cmpxchg(&group->key, 0, key)) {
			group->tag = tag;
			return group;
		}
	}
	return NULL;
}

static __always_inline void count_group(struct gl_cpu *cpu, u32 by, u64 key, u64 tag,
					const struct gl_ended *ended)
{
	struct gl_group *group = find_group(cpu, key, tag);

	if (unlikely(!group)) {
		gl_event_inc(GL_EVENT_GROUPS_FULL);
		add_other(cpu, by, ended);
		return;
	}
	/* A task may have got another name. */
	if (by == GL_BY_TASK)
		memcpy(group->comm, current->comm, sizeof(group->comm));
	/* Whoever sees the group counted sees whose it is: pairs with add_group(). */
	smp_wmb();
	add(&group->sums, ended);
}

static __always_inline void count_task(struct gl_cpu *cpu, const struct gl_ended *ended)
{
	u64 key = gl_group_key(GL_BY_TASK, ended->res.kind, current->pid, current->tgid);

	if (ended->in_task)
		count_group(cpu, GL_BY_TASK, key, current->start_boottime, ended);
	else
		add_other(cpu, GL_BY_TASK, ended);
}

static __always_inline void count_owner(struct gl_cpu *cpu, const struct gl_ended *ended)
{
	u64 key = gl_group_key(GL_BY_OWNER, ended->res.kind, ended->owner_tid, ended->owner_tgid);

	if (ended->owner_tid)
		count_group(cpu, GL_BY_OWNER, key, 0, ended);
	else
		add_other(cpu, GL_BY_OWNER, ended);
}

static __always_inline void count_cgroup(struct gl_cpu *cpu, const struct gl_ended *ended)
{
#ifdef CONFIG_CGROUPS
	/* Of ourselves, with preemption disabled: neither goes away under us. */
	const struct css_set *set = rcu_dereference_raw(current->cgroups);

	if (ended->in_task) {
		count_group(cpu, GL_BY_CGROUP, gl_group_key(GL_BY_CGROUP, ended->res.kind, 0, 0),
			    set->dfl_cgrp->kn->id, ended);
		return;
	}
#endif
	add_other(cpu, GL_BY_CGROUP, ended);
}

/* Frames of the current stack from the tracepoint on. Return: their number. */
static notrace u32 save_stack(unsigned long frames[NR_SAVED], u32 *first_ret)
{
	u32 nr = stack_trace_save(frames, NR_SAVED, 0), first = 0;

	while (first < nr && (within_module_core(frames[first], THIS_MODULE) ||
			      (first < nr - 1 &&
			       within_module_core(frames[first + 1], THIS_MODULE))))
		first++;
	*first_ret = first;
	return min_t(u32, nr - first, GL_CALLER_FRAMES);
}

static __always_inline u64 hash_stack(u32 kind, const unsigned long *frames, u32 nr)
{
	u64 hash = kind + 1;
	u32 i;

	for (i = 0; i < nr; i++)
		hash = (rol64(hash, 23) ^ frames[i]) * GOLDEN_RATIO_64;
	return hash ?: 1;
}

static __always_inline struct gl_caller *find_caller(struct gl_cpu *cpu, u32 kind,
						     const unsigned long *frames, u32 nr)
{
	u64 key = hash_stack(kind, frames, nr);
	u32 n;

	for (n = 0; n < GL_CALLER_WINDOW; n++) {
		struct gl_caller *caller = &cpu->caller[((key >> 32) + n) % GL_NR_CALLERS];
		u64 old = local_read(&caller->key);

		if (old == key)
			return caller;
		if (old || local_cmpxchg(&caller->key, 0, key))
			continue;
		memcpy(caller->frame, frames, nr * sizeof(*frames));
		caller->kind = kind;
		/* Whoever sees frames sees all of them: pairs with add_caller(). */
		smp_wmb();
		WRITE_ONCE(caller->nr_frames, nr);
		return caller;
	}
	return NULL;
}

/* The stack is still the waiter's; in an interrupt it is not told apart from the task's. */
static notrace void count_caller(struct gl_cpu *cpu, const struct gl_ended *ended)
{
	unsigned long frames[NR_SAVED];
	struct gl_caller *caller;
	u32 first, nr;

	/* The unwinder looks up modules' code under RCU. */
	nr = rcu_is_watching() ? save_stack(frames, &first) : 0;
	caller = nr ? find_caller(cpu, ended->res.kind, &frames[first], nr) : NULL;
	if (caller) {
		add(&caller->sums, ended);
		return;
	}
	if (nr)
		gl_event_inc(GL_EVENT_GROUPS_FULL);
	add_other(cpu, GL_BY_CALLER, ended);
}

/* Who waits for a futex called from user space: its kernel stack says nothing. */
static __always_inline bool beats_threshold(const struct gl_ended *ended)
{
	u64 least = READ_ONCE(gl_caller_ns);

	return least && ended->wait_ns >= least && ended->res.kind < GL_KIND_FUTEX;
}

/**
 * gl_group_end() - count an ended wait in each dimension that is on
 * @cpu: this CPU
 * @ended: the wait
 *
 * Context: any, preemption disabled, inside gl_cpu_enter(); the waiter's own.
 */
notrace void gl_group_end(struct gl_cpu *cpu, const struct gl_ended *ended)
{
	cpu->grouped = true;
	if (READ_ONCE(gl_by_task))
		count_task(cpu, ended);
	if (READ_ONCE(gl_by_owner))
		count_owner(cpu, ended);
	if (READ_ONCE(gl_by_cgroup))
		count_cgroup(cpu, ended);
	if (!READ_ONCE(gl_by_caller))
		return;
	if (unlikely(beats_threshold(ended)))
		count_caller(cpu, ended);
	else
		add_other(cpu, GL_BY_CALLER, ended);
}

static void reset_sums(struct gl_group_sums *sums)
{
	local_set(&sums->ended, 0);
	local_set(&sums->failed, 0);
	local_set(&sums->total_ns, 0);
	local_set(&sums->max_ns, 0);
}

/**
 * gl_group_reset() - zero the groups of a CPU, and give them up
 * @cpu: the CPU, on which no probe runs
 *
 * Context: as gl_count_reset() calls it.
 */
void gl_group_reset(struct gl_cpu *cpu)
{
	u32 i, by;

	if (!cpu->grouped)
		return;
	cpu->grouped = false;
	for (by = 0; by < GL_NR_BY; by++)
		for (i = 0; i < GL_NR_COUNTED_KINDS; i++)
			reset_sums(&cpu->group_other[by][i]);
	memset(cpu->group, 0, array_size(gl_nr_groups, sizeof(*cpu->group)));
	memset(cpu->caller, 0, sizeof(cpu->caller));
}
