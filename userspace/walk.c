// SPDX-License-Identifier: GPL-2.0
/*
 * walk - who waits behind a set of tasks, and a circle through it: one set after
 * the other (graph.h).
 *
 * There may be as many sets as tasks. So the arrays are as large as the graph
 * once, and after each question only that is cleaned which it has touched.
 */
#include <string.h>

#include "graph.h"
#include "reduce.h"
#include "xalloc.h"

#define NO_TASK	UINT32_MAX

/** struct walk - all zero between two questions, but for red */
struct walk {
	struct reduction red;
	/** @last_set: the last number given to a set */
	uint32_t last_set;
	/** @place: [nr_tasks] the task's place on the walk, from 1; 0: not on it */
	uint32_t *place;
	/** @passed: [nr_resources] of its releasers, how many are on the walk for sure */
	uint32_t *passed;
	/** @asked: [nr_resources] who wants it was looked at */
	bool *asked;
	/** @seen: [nr_tasks] is in the queue, or was */
	bool *seen;
};

struct walk *walk_new(const struct graph *g)
{
	struct walk *walk = xcalloc(1, sizeof(*walk));

	reduction_init(&walk->red, g, false);
	walk->place = xcalloc(g->nr_tasks, sizeof(*walk->place));
	walk->passed = xcalloc(g->nr_resources, sizeof(*walk->passed));
	walk->asked = xcalloc(g->nr_resources, sizeof(*walk->asked));
	walk->seen = xcalloc(g->nr_tasks, sizeof(*walk->seen));
	return walk;
}

void walk_free(struct walk *walk)
{
	if (!walk)
		return;
	reduction_free(&walk->red);
	free(walk->place);
	free(walk->passed);
	free(walk->asked);
	free(walk->seen);
	free(walk);
}

/* --- victims --- */

/* Stuck tasks alone can release it, so whoever needs it waits for them. */
static bool held_by_stuck(const struct graph *g, const bool *stuck, uint32_t resource)
{
	if (g->open[resource])
		return false;
	for (uint32_t i = g->by_off[resource]; i < g->by_off[resource + 1]; i++)
		if (!stuck[g->by[i]])
			return false;
	return true;
}

/** struct behind - the tasks found so far, the set itself first */
struct behind {
	uint32_t *task;
	uint32_t nr;
};

static void see(struct walk *walk, struct behind *b, uint32_t task)
{
	if (walk->seen[task])
		return;
	walk->seen[task] = true;
	*vec_push(b->task, b->nr) = task;
}

static void see_waiters(struct walk *walk, struct behind *b, const bool *stuck, uint32_t task)
{
	const struct graph *g = walk->red.g;

	for (uint32_t e = g->frees_off[task]; e < g->frees_off[task + 1]; e++) {
		uint32_t r = g->frees[e];

		if (walk->asked[r])
			continue;
		walk->asked[r] = true;
		if (!held_by_stuck(g, stuck, r))
			continue;
		for (uint32_t i = g->wanted_off[r]; i < g->wanted_off[r + 1]; i++)
			if (stuck[g->wanted[i]])
				see(walk, b, g->wanted[i]);
	}
}

static void forget_seen(struct walk *walk, const struct behind *b)
{
	const struct graph *g = walk->red.g;

	for (uint32_t i = 0; i < b->nr; i++) {
		uint32_t task = b->task[i];

		walk->seen[task] = false;
		for (uint32_t e = g->frees_off[task]; e < g->frees_off[task + 1]; e++)
			walk->asked[g->frees[e]] = false;
	}
}

uint32_t walk_victims(struct walk *walk, const bool *stuck, const uint32_t *set, uint32_t nr_set,
		      uint32_t **ret)
{
	struct behind b = { 0 };

	for (uint32_t i = 0; i < nr_set; i++)
		see(walk, &b, set[i]);
	nr_set = b.nr;
	for (uint32_t i = 0; i < b.nr; i++)
		see_waiters(walk, &b, stuck, b.task[i]);
	forget_seen(walk, &b);
	b.nr -= nr_set;
	if (b.nr) {
		memmove(b.task, b.task + nr_set, b.nr * sizeof(*b.task));
	} else {
		free(b.task);
		b.task = NULL;
	}
	*ret = b.task;
	return b.nr;
}

/* --- circles --- */

/* A task that @task waits for and that is not on the walk, or NO_TASK. */
static uint32_t next_unseen(struct walk *walk, uint32_t task)
{
	const struct graph *g = walk->red.g;

	for (uint32_t e = g->need_off[task]; e < g->need_off[task + 1]; e++) {
		uint32_t r = g->need[e];

		if (!walk->red.blocked[r])
			continue;
		/* Who is on the walk stays there: each releaser is passed once. */
		while (g->by_off[r] + walk->passed[r] < g->by_off[r + 1]) {
			uint32_t next = g->by[g->by_off[r] + walk->passed[r]];

			if (!walk->place[next])
				return next;
			walk->passed[r]++;
		}
	}
	return NO_TASK;
}

/* The first place on the walk that @task waits for; all it waits for is there. */
static uint32_t first_place(const struct walk *walk, uint32_t task)
{
	const struct graph *g = walk->red.g;
	uint32_t first = UINT32_MAX;

	for (uint32_t e = g->need_off[task]; e < g->need_off[task + 1]; e++) {
		uint32_t r = g->need[e];

		if (!walk->red.blocked[r])
			continue;
		for (uint32_t i = g->by_off[r]; i < g->by_off[r + 1]; i++)
			if (walk->place[g->by[i]] < first)
				first = walk->place[g->by[i]];
	}
	return first;
}

/* Each task left waits for another one left: the walk has no dead end. */
static uint32_t go_round(struct walk *walk, uint32_t task, uint32_t *circle_ret)
{
	uint32_t nr = 0, start;

	for (uint32_t at = task; at != NO_TASK; at = next_unseen(walk, at)) {
		circle_ret[nr++] = at;
		walk->place[at] = nr;
	}
	start = first_place(walk, circle_ret[nr - 1]) - 1;
	memmove(circle_ret, circle_ret + start, (nr - start) * sizeof(*circle_ret));
	return nr - start;
}

static void forget_round(struct walk *walk, const uint32_t *task, uint32_t nr)
{
	const struct graph *g = walk->red.g;

	for (uint32_t i = 0; i < nr; i++) {
		walk->place[task[i]] = 0;
		for (uint32_t e = g->need_off[task[i]]; e < g->need_off[task[i] + 1]; e++)
			walk->passed[g->need[e]] = 0;
	}
}

uint32_t walk_circle(struct walk *walk, const uint32_t *set, uint32_t nr_set,
		     uint32_t *circle_ret)
{
	uint32_t *task = xcalloc(nr_set, sizeof(*task));
	uint32_t nr = 0;

	memcpy(task, set, nr_set * sizeof(*task));
	if (reduction_run(&walk->red, task, nr_set, ++walk->last_set))
		nr = go_round(walk, task[0], circle_ret);
	forget_round(walk, set, nr_set);
	free(task);
	return nr;
}
