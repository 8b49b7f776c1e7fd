// SPDX-License-Identifier: GPL-2.0
/*
 * detect_deadlock - the cores: tasks that wait for each other and never run
 * (deadlock), or that run again only because a timer ends a wait
 * (transient-cycle).
 */
#include <string.h>

#include "finding.h"
#include "graph.h"
#include "xalloc.h"

static void cap_by_wait(struct finding *f, const struct wait *wait)
{
	if (wait->cap < VERDICT_CONFIRMED)
		finding_cap(f, wait->cap, wait->cap_reason);
	if (wait->timed == TIMED_UNKNOWN)
		finding_cap(f, VERDICT_LIKELY,
			    "it is not known if a wait in the circle ends by itself");
}

/* Do all who can release it belong to the core? Then it is part of the proof. */
static bool released_inside(const struct graph *g, uint32_t resource, const bool *inside)
{
	if (g->open[resource] || g->dead[resource])
		return false;
	for (uint32_t i = g->by_off[resource]; i < g->by_off[resource + 1]; i++)
		if (!inside[g->by[i]])
			return false;
	return true;
}

static void cap_by_evidence(struct finding *f, const struct world *w, const struct graph *g)
{
	bool *inside = xcalloc(g->nr_tasks, sizeof(*inside));
	bool *asked = xcalloc(g->nr_resources, sizeof(*asked));

	for (uint32_t i = 0; i < f->nr_tasks; i++)
		inside[f->tasks[i]] = true;
	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		uint32_t t = f->tasks[i];

		cap_by_wait(f, &w->waits[w->tasks[t].wait]);
		for (uint32_t e = g->need_off[t]; e < g->need_off[t + 1]; e++) {
			uint32_t r = g->need[e];

			if (asked[r])
				continue;
			asked[r] = true;
			if (w->resources[r].evidence == EVIDENCE_INFERRED &&
			    released_inside(g, r, inside))
				finding_cap(f, VERDICT_LIKELY,
					    "a holder in the circle is inferred, not read");
		}
	}
	free(inside);
	free(asked);
}

/* One core of @stuck; @in_core: tasks of any core, which are nobody's victims. */
static void add_core(const struct world *w, const struct graph *g, const bool *stuck,
		     const struct cores *cores, uint32_t core, const bool *in_core,
		     enum finding_type type, struct findings *found)
{
	bool *mark = xcalloc(g->nr_tasks, sizeof(*mark));
	struct finding *f = findings_add(found, type);

	for (uint32_t i = cores->off[core]; i < cores->off[core + 1]; i++)
		mark[cores->task[i]] = true;
	f->nr_tasks = finding_set(w, mark, &f->tasks);
	f->circle = xcalloc(f->nr_tasks, sizeof(*f->circle));
	f->nr_circle = graph_circle(g, f->tasks, f->nr_tasks, f->circle);

	graph_victims(g, stuck, f->tasks, f->nr_tasks, mark);
	for (uint32_t t = 0; t < g->nr_tasks; t++)
		mark[t] &= !in_core[t];
	f->nr_victims = finding_set(w, mark, &f->victims);
	cap_by_evidence(f, w, g);
	free(mark);
}

/* A circle that shares members with a deadlock is that deadlock, not a new one. */
static bool is_known(const struct cores *cores, uint32_t core, const bool *deadlocked)
{
	for (uint32_t i = cores->off[core]; i < cores->off[core + 1]; i++)
		if (deadlocked[cores->task[i]])
			return true;
	return false;
}

static void add_cores(const struct world *w, const struct graph *g, bool timers_run,
		      enum finding_type type, struct findings *found)
{
	bool *deadlocked = xcalloc(g->nr_tasks, sizeof(*deadlocked));
	bool *in_core = xcalloc(g->nr_tasks, sizeof(*in_core));
	bool *stuck = xcalloc(g->nr_tasks, sizeof(*stuck));
	struct cores *cores;

	graph_reduce(g, timers_run, stuck);
	cores = graph_cores(g, stuck);
	for (uint32_t i = 0; i < cores->off[cores->nr]; i++)
		in_core[cores->task[i]] = true;
	findings_mark(found, FINDING_DEADLOCK, false, deadlocked);
	for (uint32_t core = 0; core < cores->nr; core++)
		if (!is_known(cores, core, deadlocked))
			add_core(w, g, stuck, cores, core, in_core, type, found);
	cores_free(cores);
	free(deadlocked);
	free(in_core);
	free(stuck);
}

static void find_deadlocks(const struct world *w, const struct graph *g,
			   const struct limits *limits, struct findings *found)
{
	(void)limits;
	add_cores(w, g, true, FINDING_DEADLOCK, found);
}

static void find_transient(const struct world *w, const struct graph *g,
			   const struct limits *limits, struct findings *found)
{
	(void)limits;
	add_cores(w, g, false, FINDING_TRANSIENT_CYCLE, found);
}

const struct detector detect_deadlock = {
	.name = "deadlock",
	.detect = find_deadlocks,
};

const struct detector detect_transient = {
	.name = "transient-cycle",
	.detect = find_transient,
};
