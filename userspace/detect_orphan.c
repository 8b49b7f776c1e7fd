// SPDX-License-Identifier: GPL-2.0
/*
 * detect_orphan - locks that no living task can release, and who waits for
 * them: the waiters of the lock itself, and those behind them.
 */
#include <string.h>

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
	struct walk *walk;
};

/*
 * An ALL wait for a dead lock is in vain even if a timeout ends it. An ANY
 * wait is only if nothing else can end it.
 */
static bool waits_in_vain(const struct context *c, uint32_t task)
{
	return !c->deadlocked[task] && (!c->g->any[task] || c->stuck[task]);
}

/* Waiters of @resource, by tid; each needs it once. */
static uint32_t find_waiters(const struct context *c, uint32_t resource, uint32_t **ret)
{
	uint32_t nr = 0;

	*ret = NULL;
	for (uint32_t i = c->g->wanted_off[resource]; i < c->g->wanted_off[resource + 1]; i++)
		if (waits_in_vain(c, c->g->wanted[i]))
			*vec_push(*ret, nr) = c->g->wanted[i];
	finding_sort(c->w, *ret, nr);
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
	uint32_t *waiters, nr = find_waiters(c, resource, &waiters);
	struct finding *f;

	if (!nr)
		return;
	f = findings_add(found, FINDING_ORPHANED_LOCK);
	f->key = xstrdup(c->w->resources[resource].key);
	f->tasks = waiters;
	f->nr_tasks = nr;
	finding_add_victims(f, c->w, c->walk, c->stuck, c->deadlocked);
	cap_by_evidence(f, c->w, resource);
}

static void find_orphans(const struct world *w, const struct graph *g, const struct limits *limits,
			 struct findings *found)
{
	struct context c;

	(void)limits;
	if (!memchr(g->dead, true, g->nr_resources))
		return;
	c = (struct context){
		.w = w,
		.g = g,
		.stuck = xcalloc(g->nr_tasks, sizeof(*c.stuck)),
		.deadlocked = xcalloc(g->nr_tasks, sizeof(*c.deadlocked)),
		.walk = walk_new(g),
	};
	graph_reduce(g, true, c.stuck);
	findings_mark(found, FINDING_DEADLOCK, false, c.deadlocked);
	for (uint32_t r = 0; r < g->nr_resources; r++)
		if (g->dead[r])
			look_at(&c, r, found);
	walk_free(c.walk);
	free(c.stuck);
	free(c.deadlocked);
}

const struct detector detect_orphan = {
	.name = "orphaned-lock",
	.detect = find_orphans,
};
