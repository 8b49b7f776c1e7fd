// SPDX-License-Identifier: GPL-2.0
/* graph - the wait-for graph of a world, as flat arrays (graph.h) */
#include "graph.h"
#include "world.h"
#include "xalloc.h"

/* For graph_build(): nobody is gone. */
static bool is_gone(const struct ending *ending, uint32_t task)
{
	return ending && ending->ends[task];
}

/* What the task needs before it can run; none if nothing known holds it. */
static uint32_t known_needs(const struct world *w, uint32_t task, const uint32_t **ret)
{
	const struct task *t = &w->tasks[task];
	const struct wait *wait;

	if (t->wait == NO_INDEX || t->exiting || t->suspended)
		return 0;
	wait = &w->waits[t->wait];
	if (wait->needs == NEEDS_ANY && wait->unknown_releaser)
		return 0;
	*ret = wait->blockers;
	return wait->nr_blockers;
}

static void build_tasks(struct graph *g, const struct world *w, const struct ending *ending)
{
	uint32_t *last_user = xcalloc(g->nr_resources, sizeof(*last_user));
	const uint32_t *blockers = NULL;
	uint32_t nr = 0;

	for (uint32_t t = 0; t < g->nr_tasks; t++)
		nr += known_needs(w, t, &blockers);
	g->need = xcalloc(nr, sizeof(*g->need));
	nr = 0;
	for (uint32_t t = 0; t < g->nr_tasks; t++) {
		uint32_t nr_blockers = is_gone(ending, t) ? 0 : known_needs(w, t, &blockers);

		g->waits[t] = w->tasks[t].wait != NO_INDEX && !is_gone(ending, t);
		if (g->waits[t]) {
			g->any[t] = w->waits[w->tasks[t].wait].needs == NEEDS_ANY;
			g->timed[t] = w->waits[w->tasks[t].wait].timed == TIMED_YES;
		}
		g->need_off[t] = nr;
		for (uint32_t i = 0; i < nr_blockers; i++) {
			if (last_user[blockers[i]] == t + 1)
				continue;
			last_user[blockers[i]] = t + 1;
			g->need[nr++] = blockers[i];
		}
	}
	g->need_off[g->nr_tasks] = nr;
	free(last_user);
}

static bool can_release(const struct world *w, const struct ending *ending, uint32_t task,
			uint32_t resource)
{
	if (w->tasks[task].exiting)
		return false;
	return !is_gone(ending, task) || !ending->lasting[resource];
}

static void build_resources(struct graph *g, const struct world *w, const struct ending *ending)
{
	uint32_t nr = 0;

	for (uint32_t r = 0; r < g->nr_resources; r++)
		nr += w->resources[r].nr_releasers;
	g->by = xcalloc(nr, sizeof(*g->by));
	nr = 0;
	for (uint32_t r = 0; r < g->nr_resources; r++) {
		const struct resource *resource = &w->resources[r];
		uint32_t nr_releasers = resource->dead ? 0 : resource->nr_releasers;

		g->by_off[r] = nr;
		for (uint32_t i = 0; i < nr_releasers; i++)
			if (can_release(w, ending, resource->releasers[i], r))
				g->by[nr++] = resource->releasers[i];
		g->open[r] = !resource->dead && (resource->unknown || !nr_releasers);
		g->dead[r] = !g->open[r] && nr == g->by_off[r];
	}
	g->by_off[g->nr_resources] = nr;
}

/* The edges the other way round, by counting sort. */
static void build_reverse(const uint32_t *off, const uint32_t *to, uint32_t nr_from, uint32_t nr_to,
			  uint32_t **off_ret, uint32_t **from_ret)
{
	uint32_t *start = xcalloc((size_t)nr_to + 2, sizeof(*start));
	uint32_t *from = xcalloc(off[nr_from], sizeof(*from));

	/* start[i + 2] counts i; summed up, start[i + 1] is where i begins ... */
	for (uint32_t e = 0; e < off[nr_from]; e++)
		start[to[e] + 2]++;
	for (uint32_t i = 2; i < nr_to + 2; i++)
		start[i] += start[i - 1];
	/* ... and, counted up while filling, where it ends. */
	for (uint32_t f = 0; f < nr_from; f++)
		for (uint32_t e = off[f]; e < off[f + 1]; e++)
			from[start[to[e] + 1]++] = f;
	*off_ret = start;
	*from_ret = from;
}

struct graph *graph_build(const struct world *w)
{
	return graph_build_after(w, NULL);
}

struct graph *graph_build_after(const struct world *w, const struct ending *ending)
{
	struct graph *g = xcalloc(1, sizeof(*g));

	g->nr_tasks = w->nr_tasks;
	g->nr_resources = w->nr_resources;
	g->waits = xcalloc(g->nr_tasks, sizeof(*g->waits));
	g->any = xcalloc(g->nr_tasks, sizeof(*g->any));
	g->timed = xcalloc(g->nr_tasks, sizeof(*g->timed));
	g->need_off = xcalloc((size_t)g->nr_tasks + 1, sizeof(*g->need_off));
	g->open = xcalloc(g->nr_resources, sizeof(*g->open));
	g->dead = xcalloc(g->nr_resources, sizeof(*g->dead));
	g->by_off = xcalloc((size_t)g->nr_resources + 1, sizeof(*g->by_off));

	build_tasks(g, w, ending);
	build_resources(g, w, ending);
	build_reverse(g->need_off, g->need, g->nr_tasks, g->nr_resources, &g->wanted_off,
		      &g->wanted);
	build_reverse(g->by_off, g->by, g->nr_resources, g->nr_tasks, &g->frees_off, &g->frees);
	return g;
}

void graph_free(struct graph *g)
{
	if (!g)
		return;
	free(g->waits);
	free(g->any);
	free(g->timed);
	free(g->need_off);
	free(g->need);
	free(g->open);
	free(g->dead);
	free(g->by_off);
	free(g->by);
	free(g->wanted_off);
	free(g->wanted);
	free(g->frees_off);
	free(g->frees);
	free(g);
}
