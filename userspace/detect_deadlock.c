// SPDX-License-Identifier: GPL-2.0
/*
 * detect_deadlock - the cores: tasks that wait for each other and never run
 * (deadlock), or that run again only because a timer ends a wait
 * (transient-cycle).
 */
#include <stdlib.h>
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

/** struct search - what is asked about one core after the other */
struct search {
	const struct world *w;
	const struct graph *g;
	/** @stuck: [nr_tasks] never runs */
	const bool *stuck;
	/** @core: [nr_tasks] number of the core that the task is in, from 1; 0: none */
	uint32_t *core;
	/** @member: [nr_tasks] in any core */
	bool *member;
	/** @deadlocked: [nr_tasks] in a deadlock that was found before */
	bool *deadlocked;
	struct cores *cores;
	struct walk *walk;
	/** @asked: [nr_resources] number of the core for which it was looked at last */
	uint32_t *asked;
};

/* Do all who can release it belong to the core? Then it is part of the proof. */
static bool released_inside(const struct search *s, uint32_t resource, uint32_t core)
{
	const struct graph *g = s->g;

	if (g->open[resource] || g->dead[resource])
		return false;
	for (uint32_t i = g->by_off[resource]; i < g->by_off[resource + 1]; i++)
		if (s->core[g->by[i]] != core)
			return false;
	return true;
}

static void cap_by_resource(struct finding *f, const struct resource *r)
{
	if (r->evidence == EVIDENCE_INFERRED)
		finding_cap(f, VERDICT_LIKELY, "a holder in the circle is inferred, not read");
	/* Who is not recorded may be ahead of both. */
	if (r->soft)
		finding_cap(f, VERDICT_LIKELY,
			    "the order of a queue in the circle is told by when its waits began");
}

static bool is_doubtful(const struct resource *r)
{
	return r->evidence == EVIDENCE_INFERRED || r->soft;
}

static void cap_by_evidence(struct finding *f, const struct search *s, uint32_t core)
{
	const struct graph *g = s->g;

	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		uint32_t t = f->tasks[i];

		cap_by_wait(f, &s->w->waits[s->w->tasks[t].wait]);
		for (uint32_t e = g->need_off[t]; e < g->need_off[t + 1]; e++) {
			uint32_t r = g->need[e];

			if (s->asked[r] == core)
				continue;
			s->asked[r] = core;
			if (is_doubtful(&s->w->resources[r]) && released_inside(s, r, core))
				cap_by_resource(f, &s->w->resources[r]);
		}
	}
}

static void add_core(const struct search *s, uint32_t core, enum finding_type type,
		     struct findings *found)
{
	struct finding *f = findings_add(found, type);

	for (uint32_t i = s->cores->off[core]; i < s->cores->off[core + 1]; i++)
		*vec_push(f->tasks, f->nr_tasks) = s->cores->task[i];
	finding_sort(s->w, f->tasks, f->nr_tasks);
	f->circle = xcalloc(f->nr_tasks, sizeof(*f->circle));
	f->nr_circle = walk_circle(s->walk, f->tasks, f->nr_tasks, f->circle);
	/* Members of any core are nobody's victims. */
	finding_add_victims(f, s->w, s->walk, s->stuck, s->member);
	cap_by_evidence(f, s, core + 1);
}

/* A circle that shares members with a deadlock is that deadlock, not a new one. */
static bool is_known(const struct search *s, uint32_t core)
{
	for (uint32_t i = s->cores->off[core]; i < s->cores->off[core + 1]; i++)
		if (s->deadlocked[s->cores->task[i]])
			return true;
	return false;
}

static void number_cores(struct search *s)
{
	for (uint32_t core = 0; core < s->cores->nr; core++)
		for (uint32_t i = s->cores->off[core]; i < s->cores->off[core + 1]; i++) {
			s->core[s->cores->task[i]] = core + 1;
			s->member[s->cores->task[i]] = true;
		}
}

/* @stuck: [g->nr_tasks] */
static void add_cores(const struct world *w, const struct graph *g, const bool *stuck,
		      enum finding_type type, struct findings *found)
{
	struct search s = {
		.w = w,
		.g = g,
		.stuck = stuck,
		.core = xcalloc(g->nr_tasks, sizeof(*s.core)),
		.member = xcalloc(g->nr_tasks, sizeof(*s.member)),
		.deadlocked = xcalloc(g->nr_tasks, sizeof(*s.deadlocked)),
		.walk = walk_new(g),
		.asked = xcalloc(g->nr_resources, sizeof(*s.asked)),
	};

	s.cores = graph_cores(g, s.stuck);
	number_cores(&s);
	findings_mark(found, FINDING_DEADLOCK, false, s.deadlocked);
	for (uint32_t core = 0; core < s.cores->nr; core++)
		if (!is_known(&s, core))
			add_core(&s, core, type, found);
	cores_free(s.cores);
	walk_free(s.walk);
	free(s.asked);
	free(s.core);
	free(s.member);
	free(s.deadlocked);
}

static void find_deadlocks(const struct world *w, const struct graph *g,
			   const struct limits *limits, struct findings *found)
{
	bool *stuck = xcalloc(g->nr_tasks, sizeof(*stuck));

	(void)limits;
	if (graph_reduce(g, true, stuck))
		add_cores(w, g, stuck, FINDING_DEADLOCK, found);
	free(stuck);
}

static bool is_any_timed(const struct graph *g, const bool *stuck)
{
	for (uint32_t t = 0; t < g->nr_tasks; t++)
		if (stuck[t] && g->timed[t])
			return true;
	return false;
}

/*
 * Where no stuck task waits with a timeout the same ones are stuck as with all timers
 * running: each core is a deadlock that was found before.
 */
static void find_transient(const struct world *w, const struct graph *g,
			   const struct limits *limits, struct findings *found)
{
	bool *stuck;

	(void)limits;
	if (!memchr(g->timed, true, g->nr_tasks))
		return;
	stuck = xcalloc(g->nr_tasks, sizeof(*stuck));
	if (graph_reduce(g, false, stuck) && is_any_timed(g, stuck))
		add_cores(w, g, stuck, FINDING_TRANSIENT_CYCLE, found);
	free(stuck);
}

const struct detector detect_deadlock = {
	.name = "deadlock",
	.detect = find_deadlocks,
};

const struct detector detect_transient = {
	.name = "transient-cycle",
	.detect = find_transient,
};
