// SPDX-License-Identifier: GPL-2.0
/* futex_double - processes that share an address space without being one (futex_double.h) */
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "futex_double.h"
#include "remote.h"
#include "resolve.h"
#include "xalloc.h"

/** struct memory - the address space of one process */
struct memory {
	/** @task: a live thread of the process */
	uint32_t task;
	/** @pivot: all before it in the group are lower, all behind it higher */
	bool pivot;
	/** @doubled: another process has it, too */
	bool doubled;
};

/**
 * struct double_group - processes whose stack began at one address. Where a
 * program's stack began is its memory's, and another for each program: only
 * forked processes are more than one to a group.
 */
struct double_group {
	uint64_t stack_start;
	/** @at: [nr] in an order of kcmp(2)'s, as far as pivots tell (owned) */
	struct memory *at;
	uint32_t nr;
	/** @unsure: a comparison failed: what is not found may yet be */
	bool unsure;
};

/** struct futex_doubles - the groups asked about in one world */
struct futex_doubles {
	struct double_group *group;
	uint32_t nr;
	/** @closed: a process tells neither where its stack began nor whose memory it has */
	bool closed;
};

static void doubles_free(struct futex_doubles *doubles)
{
	for (uint32_t i = 0; i < doubles->nr; i++)
		free(doubles->group[i].at);
	free(doubles->group);
	free(doubles);
}

/* A live thread of the process whose first thread is @t; NO_INDEX: it is none. */
static uint32_t member(const struct world *w, uint32_t t)
{
	if (w->tasks[t].tid != w->tasks[t].tgid || w->tasks[t].kthread)
		return NO_INDEX;
	return world_live_thread(w, w->tasks[t].tgid);
}

static void fill(struct double_group *group, const struct world *w)
{
	for (uint32_t t = 0; t < w->nr_tasks; t++) {
		uint32_t live = member(w, t);

		if (live != NO_INDEX && w->tasks[live].stack_start == group->stack_start)
			vec_push(group->at, group->nr)->task = live;
	}
}

/* Valid until the next call. */
static struct double_group *group_of(struct world *w, uint64_t stack_start)
{
	struct double_group *group;

	for (uint32_t i = 0; i < w->doubles->nr; i++)
		if (w->doubles->group[i].stack_start == stack_start)
			return &w->doubles->group[i];
	group = vec_push(w->doubles->group, w->doubles->nr);
	group->stack_start = stack_start;
	fill(group, w);
	return group;
}

/* As kcmp(2): 0: the same, 1: @a is lower, 2: it is higher; or -errno. */
static int compare(struct world *w, uint32_t a, uint32_t b)
{
	if (world_too_late(w))
		return -ETIME;
	return remote_kcmp_order(w->remote, w->tasks[a].tgid, w->tasks[a].tid, w->tasks[b].tid,
				 KCMP_VM);
}

/* One that has ended meanwhile has no memory; a thread's end alone says nothing. */
static bool has_ended(const struct task *t)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", t->tgid);
	return access(path, F_OK) != 0;
}

static void swap(struct memory *a, struct memory *b)
{
	struct memory copy = *a;

	*a = *b;
	*b = copy;
}

/* A process without memory any more tells no beginning, either, but may be asked. */
static bool is_closed(struct world *w)
{
	for (uint32_t t = 0; t < w->nr_tasks; t++) {
		uint32_t live = member(w, t);
		int order;

		if (live == NO_INDEX || w->tasks[live].stack_start)
			continue;
		order = compare(w, live, live);
		if (order < 0 && (order != -ESRCH || !has_ended(&w->tasks[live])))
			return true;
	}
	return false;
}

static struct futex_doubles *doubles_of(struct world *w)
{
	if (!w->doubles) {
		w->doubles = xcalloc(1, sizeof(*w->doubles));
		w->doubles_free = doubles_free;
		w->doubles->closed = is_closed(w);
	}
	return w->doubles;
}

/* Lower ones to the front of [first, last), then the one at @own, then the others. */
static void split(struct world *w, struct double_group *group, uint32_t first, uint32_t own,
		  uint32_t last)
{
	struct memory *at = group->at, *pivot = &at[last - 1];
	uint32_t lower = first;

	swap(&at[own], pivot);
	for (uint32_t i = first; i < last - 1; i++) {
		int order = compare(w, at[i].task, pivot->task);

		if (order < 0 && (order != -ESRCH || !has_ended(&w->tasks[at[i].task])))
			group->unsure = true;
		if (!order) {
			at[i].doubled = true;
			pivot->doubled = true;
		}
		if (order == 1)
			swap(&at[i], &at[lower++]);
	}
	/* Nothing was learnt by one that has itself ended, or may not be asked about. */
	if (compare(w, pivot->task, pivot->task))
		group->unsure = true;
	pivot->pivot = true;
	swap(&at[lower], pivot);
}

static uint32_t find(const struct double_group *group, uint32_t task)
{
	uint32_t at = 0;

	while (at < group->nr && group->at[at].task != task)
		at++;
	return at;
}

int futex_double(struct world *w, uint32_t task)
{
	bool closed = doubles_of(w)->closed;
	struct double_group *group;
	uint32_t own, first, last;

	if (!w->tasks[task].stack_start)
		return -1;
	group = group_of(w, w->tasks[task].stack_start);
	own = find(group, task);
	if (own == group->nr)
		return -1;
	if (!group->at[own].pivot && !group->at[own].doubled) {
		for (first = own; first > 0 && !group->at[first - 1].pivot; first--)
			;
		for (last = own + 1; last < group->nr && !group->at[last].pivot; last++)
			;
		split(w, group, first, own, last);
		own = find(group, task);
	}
	if (group->at[own].doubled)
		return 1;
	return group->unsure || closed ? -1 : 0;
}
