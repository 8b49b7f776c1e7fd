// SPDX-License-Identifier: GPL-2.0
/*
 * reduce - which tasks never run, by reduction: a worklist of tasks found able
 * to run, and for each waiting task the number of resources it still lacks.
 */
#include "graph.h"
#include "reduce.h"
#include "xalloc.h"

void reduction_init(struct reduction *red, const struct graph *g, bool dead_blocks)
{
	*red = (struct reduction){
		.g = g,
		.dead_blocks = dead_blocks,
		.set = xcalloc(g->nr_tasks, sizeof(*red->set)),
		.left = xcalloc(g->nr_tasks, sizeof(*red->left)),
		.asked = xcalloc(g->nr_resources, sizeof(*red->asked)),
		.blocked = xcalloc(g->nr_resources, sizeof(*red->blocked)),
		.queue = xcalloc(g->nr_tasks, sizeof(*red->queue)),
	};
}

void reduction_free(struct reduction *red)
{
	free(red->set);
	free(red->left);
	free(red->asked);
	free(red->blocked);
	free(red->queue);
}

/*
 * Is the resource held for as long as the tasks of @set do not run? Stops at
 * the first releaser outside; as sets are disjoint, all the sets that ask
 * about one resource look at each of its releasers once, and once more each.
 */
static bool is_blocked(const struct reduction *red, uint32_t resource, uint32_t set)
{
	const struct graph *g = red->g;

	if (g->open[resource])
		return false;
	if (g->dead[resource])
		return red->dead_blocks;
	for (uint32_t i = g->by_off[resource]; i < g->by_off[resource + 1]; i++)
		if (red->set[g->by[i]] != set)
			return false;
	return true;
}

static bool is_stuck(const struct reduction *red, uint32_t task)
{
	uint32_t nr_needed = red->g->need_off[task + 1] - red->g->need_off[task];

	if (red->g->any[task])
		return nr_needed && red->left[task] == nr_needed;
	return red->left[task] > 0;
}

static void count_left(struct reduction *red, uint32_t task, uint32_t set)
{
	const struct graph *g = red->g;

	red->left[task] = 0;
	for (uint32_t i = g->need_off[task]; i < g->need_off[task + 1]; i++) {
		uint32_t resource = g->need[i];

		if (red->asked[resource] != set) {
			red->asked[resource] = set;
			red->blocked[resource] = is_blocked(red, resource, set);
		}
		red->left[task] += red->blocked[resource];
	}
}

/* The resource is free; returns the new end of the queue. */
static uint32_t release(struct reduction *red, uint32_t resource, uint32_t set, uint32_t tail)
{
	const struct graph *g = red->g;

	red->blocked[resource] = false;
	for (uint32_t i = g->wanted_off[resource]; i < g->wanted_off[resource + 1]; i++) {
		uint32_t task = g->wanted[i];

		if (red->set[task] != set)
			continue;
		red->left[task]--;
		if (!is_stuck(red, task)) {
			red->set[task] = 0;
			red->queue[tail++] = task;
		}
	}
	return tail;
}

uint32_t reduction_run(struct reduction *red, uint32_t *task, uint32_t nr, uint32_t set)
{
	const struct graph *g = red->g;
	uint32_t head = 0, tail = 0, nr_stuck = 0;

	for (uint32_t i = 0; i < nr; i++)
		red->set[task[i]] = set;
	for (uint32_t i = 0; i < nr; i++)
		count_left(red, task[i], set);
	for (uint32_t i = 0; i < nr; i++) {
		if (!is_stuck(red, task[i])) {
			red->set[task[i]] = 0;
			red->queue[tail++] = task[i];
		}
	}
	while (head < tail) {
		uint32_t runs = red->queue[head++];

		for (uint32_t i = g->frees_off[runs]; i < g->frees_off[runs + 1]; i++) {
			uint32_t resource = g->frees[i];

			if (red->asked[resource] == set && red->blocked[resource])
				tail = release(red, resource, set, tail);
		}
	}
	for (uint32_t i = 0; i < nr; i++)
		if (red->set[task[i]] == set)
			task[nr_stuck++] = task[i];
	return nr_stuck;
}

uint32_t graph_reduce(const struct graph *g, bool timers_run, bool *stuck_ret)
{
	uint32_t *task = xcalloc(g->nr_tasks, sizeof(*task));
	struct reduction red;
	uint32_t nr = 0;

	reduction_init(&red, g, true);
	for (uint32_t t = 0; t < g->nr_tasks; t++)
		if (g->waits[t] && !(g->timed[t] && timers_run))
			task[nr++] = t;
	nr = reduction_run(&red, task, nr, 1);
	for (uint32_t t = 0; t < g->nr_tasks; t++)
		stuck_ret[t] = red.set[t] == 1;
	reduction_free(&red);
	free(task);
	return nr;
}
