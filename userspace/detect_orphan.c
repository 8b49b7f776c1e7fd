// SPDX-License-Identifier: GPL-2.0
/*
 * detect_orphan - locks that no living task can release, and who waits for
 * them: the waiters of the lock itself, and those behind them.
 */
#include "finding.h"
#include "graph.h"
#include "xalloc.h"

/** struct context - what is asked about every dead resource */
struct context {
	const struct world *w;
	const struct graph *g;
	/** @stuck: [nr_tasks] never runs, as things are */
	bool *stuck;
	/** @deadlocked: [nr_tasks] in a core; told there */
	bool *deadlocked;
};

/*
 * An ALL wait for a dead lock is in vain even if a timeout ends it. An ANY
 * wait is only if nothing else can end it.
 */
static bool waits_in_vain(const struct context *c, uint32_t task)
{
	return !c->deadlocked[task] && (!c->g->any[task] || c->stuck[task]);
}

static uint32_t mark_waiters(const struct context *c, uint32_t resource, bool *mark)
{
	uint32_t nr = 0;

	for (uint32_t i = c->g->wanted_off[resource]; i < c->g->wanted_off[resource + 1]; i++) {
		uint32_t task = c->g->wanted[i];

		if (!waits_in_vain(c, task))
			continue;
		mark[task] = true;
		nr++;
	}
	return nr;
}

static void cap_by_evidence(struct finding *f, const struct world *w, uint32_t resource)
{
	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		const struct wait *wait = &w->waits[w->tasks[f->tasks[i]].wait];

		if (wait->cap < VERDICT_CONFIRMED)
			finding_cap(f, wait->cap, wait->cap_reason);
	}
	if (w->resources[resource].evidence == EVIDENCE_INFERRED)
		finding_cap(f, VERDICT_LIKELY, "the owner is inferred, not read");
}

static void look_at(const struct context *c, uint32_t resource, struct findings *found)
{
	bool *mark = xcalloc(c->g->nr_tasks, sizeof(*mark));
	struct finding *f;

	if (mark_waiters(c, resource, mark)) {
		f = findings_add(found, FINDING_ORPHANED_LOCK);
		f->key = xstrdup(c->w->resources[resource].key);
		f->nr_tasks = finding_set(c->w, mark, &f->tasks);
		graph_victims(c->g, c->stuck, f->tasks, f->nr_tasks, mark);
		for (uint32_t t = 0; t < c->g->nr_tasks; t++)
			mark[t] &= !c->deadlocked[t];
		f->nr_victims = finding_set(c->w, mark, &f->victims);
		cap_by_evidence(f, c->w, resource);
	}
	free(mark);
}

static void find_orphans(const struct world *w, const struct graph *g, const struct limits *limits,
			 struct findings *found)
{
	struct context c = {
		.w = w,
		.g = g,
		.stuck = xcalloc(g->nr_tasks, sizeof(*c.stuck)),
		.deadlocked = xcalloc(g->nr_tasks, sizeof(*c.deadlocked)),
	};

	(void)limits;
	graph_reduce(g, true, c.stuck);
	findings_mark(found, FINDING_DEADLOCK, false, c.deadlocked);
	for (uint32_t r = 0; r < g->nr_resources; r++)
		if (g->dead[r])
			look_at(&c, r, found);
	free(c.stuck);
	free(c.deadlocked);
}

const struct detector detect_orphan = {
	.name = "orphaned-lock",
	.detect = find_orphans,
};
