// SPDX-License-Identifier: GPL-2.0
/*
 * detect_long_wait - waits for a lock, with a known owner, that last long and
 * that no other finding explains: who is at the root of the chain.
 */
#include <stdlib.h>

#include "finding.h"
#include "graph.h"
#include "xalloc.h"

/** struct chain - for each task the chain that it is in, once looked at */
struct chain {
	/** @root: [nr_tasks] the task at the end; NO_INDEX: not looked at yet */
	uint32_t *root;
	/** @depth: [nr_tasks] steps to the root */
	uint32_t *depth;
	/** @way: [nr_tasks] scratch: tasks passed */
	uint32_t *way;
	/** @on_way: [nr_tasks] scratch: is in way */
	bool *on_way;
};

/** struct waiter - a task that waits long, as it is sorted */
struct waiter {
	uint32_t task;
	pid_t tid;
	uint32_t root;
	pid_t root_tid;
	uint32_t depth;
};

/*
 * The task that @task waits for; NO_INDEX: none, or not known. If several could
 * end the wait, one of them that is not waiting itself, else the first, and the
 * chain ends there.
 */
static uint32_t next_in_chain(const struct graph *g, uint32_t task, bool *last_ret)
{
	uint32_t first = NO_INDEX, free_one = NO_INDEX;

	*last_ret = false;
	for (uint32_t e = g->need_off[task]; e < g->need_off[task + 1]; e++) {
		uint32_t r = g->need[e];

		if (g->open[r] && g->any[task])
			return NO_INDEX;
		if (g->open[r])
			continue;
		for (uint32_t i = g->by_off[r]; i < g->by_off[r + 1]; i++) {
			uint32_t next = g->by[i];

			if (first == NO_INDEX)
				first = next;
			*last_ret |= next != first;
			if (free_one == NO_INDEX && !g->waits[next])
				free_one = next;
		}
	}
	return free_one == NO_INDEX ? first : free_one;
}

/*
 * Follow the chain from @task to its root, for @task and all on the way. It
 * also ends where a circle closes: of a deadlock that holds @task up until a
 * timeout.
 */
static void find_root(const struct graph *g, uint32_t task, struct chain *c)
{
	uint32_t nr = 0, at, next;
	bool last;

	for (at = task; c->root[at] == NO_INDEX; at = next) {
		c->way[nr++] = at;
		next = next_in_chain(g, at, &last);
		if (next == NO_INDEX || next == at || c->on_way[next]) {
			c->root[at] = at;
			break;
		}
		if (last) {
			c->root[at] = next;
			c->depth[at] = 1;
			break;
		}
		c->on_way[at] = true;
	}
	/* Here the root of at is known, and at is the last on the way or beyond. */
	while (nr) {
		uint32_t before = c->way[--nr];

		c->on_way[before] = false;
		if (before == at)
			continue;
		c->root[before] = c->root[at];
		c->depth[before] = c->depth[at] + 1;
		at = before;
	}
}

static bool waits_long(const struct world *w, const struct limits *limits, uint32_t task)
{
	const struct wait *wait;

	if (w->tasks[task].wait == NO_INDEX)
		return false;
	wait = &w->waits[w->tasks[task].wait];
	if (!limits->events_too && !kind_is_lock(wait->kind))
		return false;
	/* A wait that began before anybody looked has a length nobody knows. */
	return wait->begin_ns && w->taken_ns >= wait->begin_ns &&
	       w->taken_ns - wait->begin_ns >= limits->long_wait_ns;
}

static int compare_waiters(const void *a, const void *b)
{
	const struct waiter *x = a, *y = b;

	if (x->root_tid != y->root_tid)
		return x->root_tid < y->root_tid ? -1 : 1;
	if (x->root != y->root)
		return x->root < y->root ? -1 : 1;
	if (x->depth != y->depth)
		return x->depth > y->depth ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

static void chain_init(struct chain *c, uint32_t nr_tasks)
{
	c->root = xcalloc(nr_tasks, sizeof(*c->root));
	c->depth = xcalloc(nr_tasks, sizeof(*c->depth));
	c->way = xcalloc(nr_tasks, sizeof(*c->way));
	c->on_way = xcalloc(nr_tasks, sizeof(*c->on_way));
	for (uint32_t t = 0; t < nr_tasks; t++)
		c->root[t] = NO_INDEX;
}

static void chain_free(struct chain *c)
{
	free(c->root);
	free(c->depth);
	free(c->way);
	free(c->on_way);
}

static uint32_t collect(const struct world *w, const struct graph *g, const struct limits *limits,
			const bool *explained, struct waiter **ret)
{
	struct chain chain;
	uint32_t nr = 0;
	bool last;

	*ret = NULL;
	chain_init(&chain, g->nr_tasks);
	for (uint32_t t = 0; t < g->nr_tasks; t++) {
		if (explained[t] || !waits_long(w, limits, t) ||
		    next_in_chain(g, t, &last) == NO_INDEX)
			continue;
		find_root(g, t, &chain);
		*vec_push(*ret, nr) = (struct waiter){
			.task = t,
			.tid = w->tasks[t].tid,
			.root = chain.root[t],
			.root_tid = w->tasks[chain.root[t]].tid,
			.depth = chain.depth[t],
		};
	}
	chain_free(&chain);
	return nr;
}

static void add_waiter(struct finding *f, const struct world *w, uint32_t task)
{
	const struct wait *wait = &w->waits[w->tasks[task].wait];

	*vec_push(f->tasks, f->nr_tasks) = task;
	if (wait->cap < VERDICT_CONFIRMED)
		finding_cap(f, wait->cap, wait->cap_reason);
	for (uint32_t i = 0; i < wait->nr_blockers; i++)
		if (w->resources[wait->blockers[i]].evidence == EVIDENCE_INFERRED)
			finding_cap(f, VERDICT_LIKELY, "the owner is inferred, not read");
}

static void find_long_waits(const struct world *w, const struct graph *g,
			    const struct limits *limits, struct findings *found)
{
	bool *explained = xcalloc(g->nr_tasks, sizeof(*explained));
	struct finding *f = NULL;
	struct waiter *waiter;
	uint32_t nr;

	findings_mark(found, NR_FINDING_TYPES, true, explained);
	nr = collect(w, g, limits, explained, &waiter);
	xqsort(waiter, nr, sizeof(*waiter), compare_waiters);
	for (uint32_t i = 0; i < nr; i++) {
		if (!f || f->root != waiter[i].root) {
			f = findings_add(found, FINDING_LONG_WAIT);
			f->root = waiter[i].root;
		}
		add_waiter(f, w, waiter[i].task);
	}
	free(waiter);
	free(explained);
}

const struct detector detect_long_wait = {
	.name = "long-wait",
	.detect = find_long_waits,
};
