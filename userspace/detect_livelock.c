// SPDX-License-Identifier: GPL-2.0
/*
 * detect_livelock - tasks that try and fail over and over to get what others of
 * them have: busy, and none gets on.
 */
#include <stdlib.h>

#include "finding.h"
#include "window.h"
#include "xalloc.h"

/** struct tries - by task: what it did without success */
struct tries {
	/** @series: [nr_tasks] the one with most failures; NULL: it has not failed enough */
	const struct retry_series **series;
	/** @in: [nr_tasks] fails by those who are in, too */
	bool *in;
};

static void collect(const struct world *w, const struct limits *limits, struct tries *tries)
{
	const struct window *win = w->window;

	for (uint32_t i = 0; i < win->nr_retries; i++) {
		const struct retry_series *s = &win->retries[i];
		uint64_t failed = s->nr_timeouts - s->first_timeouts;
		uint32_t task = window_find(w, &s->task);

		if (task == NO_INDEX || failed < limits->attempts ||
		    w->taken_ns - s->since_ns < limits->livelock_ns)
			continue;
		if (!tries->series[task] ||
		    tries->series[task]->nr_timeouts - tries->series[task]->first_timeouts < failed)
			tries->series[task] = s;
		tries->in[task] = true;
	}
}

static bool is_refused_by_members(const struct world *w, const struct tries *tries, uint32_t task)
{
	const struct window_others *others = &tries->series[task]->others;

	for (uint32_t i = 0; i < others->nr; i++) {
		uint32_t other = window_find(w, &others->other[i].task);

		if (other != NO_INDEX && other != task && tries->in[other])
			return true;
	}
	return false;
}

/* Leave out who fails because of others, until nobody is left to leave out. */
static uint32_t leave_circle(const struct world *w, struct tries *tries)
{
	uint32_t left, nr;
	bool again = true;

	for (nr = 0; again; nr = left) {
		again = false;
		left = 0;
		for (uint32_t t = 0; t < w->nr_tasks; t++) {
			if (tries->in[t] && !is_refused_by_members(w, tries, t)) {
				tries->in[t] = false;
				again = true;
			}
			left += tries->in[t];
		}
	}
	return nr;
}

static void add_fact(struct finding *f, const char *name, uint32_t task, uint64_t number)
{
	finding_add_fact(f, name, UNIT_COUNT, number);
	f->facts[f->nr_facts - 1].task = task;
}

static void add(const struct world *w, const struct tries *tries, struct findings *found)
{
	struct finding *f = findings_add(found, FINDING_LIVELOCK);
	uint64_t youngest_ns = 0;

	f->nr_tasks = finding_set(w, tries->in, &f->tasks);
	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		const struct retry_series *s = tries->series[f->tasks[i]];

		if (s->since_ns > youngest_ns)
			youngest_ns = s->since_ns;
		add_fact(f, "attempts", f->tasks[i], s->nr_timeouts - s->first_timeouts);
		add_fact(f, "failures", f->tasks[i], s->nr_timeouts - s->first_timeouts);
		add_fact(f, "successes", f->tasks[i], 0);
	}
	f->since_ns = youngest_ns;
	finding_cap(f, VERDICT_LIKELY, "a lock that is taken without waiting is not seen");
}

static void find(const struct world *w, const struct graph *g, const struct limits *limits,
		 struct findings *found)
{
	struct tries tries;

	(void)g;
	if (!w->window || !w->window->nr_retries)
		return;
	tries.series = xcalloc(w->nr_tasks, sizeof(*tries.series));
	tries.in = xcalloc(w->nr_tasks, sizeof(*tries.in));
	collect(w, limits, &tries);
	if (leave_circle(w, &tries) > 1)
		add(w, &tries, found);
	free(tries.series);
	free(tries.in);
}

const struct detector detect_livelock = {
	.name = "livelock",
	.detect = find,
};
