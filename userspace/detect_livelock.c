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
	/** @in: [nr_tasks] fails by those who are in, too, more often than by others */
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
	uint64_t by_members = 0, by_others = 0;

	for (uint32_t i = 0; i < others->nr; i++) {
		uint32_t other = window_find(w, &others->other[i].task);

		if (other != NO_INDEX && other != task && tries->in[other])
			by_members += others->other[i].amount;
		else
			by_others += others->other[i].amount;
	}
	return by_members > by_others;
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

/* "102, 103": the threads that had what @task asked for. */
static void add_refusers(const struct world *w, struct finding *f, uint32_t task,
			 const struct window_others *others)
{
	char *text = NULL;

	for (uint32_t i = 0; i < others->nr; i++) {
		uint32_t other = window_find(w, &others->other[i].task);
		char *longer;

		if (other == NO_INDEX || other == task)
			continue;
		longer = text ? xasprintf("%s, %d", text, w->tasks[other].tid) :
				xasprintf("%d", w->tasks[other].tid);
		free(text);
		text = longer;
	}
	if (!text)
		return;
	finding_add_text(f, "refused_by", text);
	f->facts[f->nr_facts - 1].task = task;
}

/* Mark @t, or who refuses @t, where the other is marked. Return: was there one? */
static bool spread_from(const struct world *w, const struct tries *tries, uint32_t t, bool *part)
{
	const struct window_others *others = &tries->series[t]->others;
	bool again = false;

	for (uint32_t i = 0; i < others->nr; i++) {
		uint32_t other = window_find(w, &others->other[i].task);

		if (other == NO_INDEX || !tries->in[other] || part[t] == part[other])
			continue;
		part[t] = true;
		part[other] = true;
		again = true;
	}
	return again;
}

/* Mark who refuses, or is refused by, somebody marked, until there are no more. */
static void spread(const struct world *w, const struct tries *tries, bool *part)
{
	bool again = true;

	while (again) {
		again = false;
		for (uint32_t t = 0; t < w->nr_tasks; t++)
			if (tries->in[t])
				again |= spread_from(w, tries, t, part);
	}
}

/* @part: those who keep each other from what they want */
static void add(const struct world *w, const struct tries *tries, const bool *part,
		struct findings *found)
{
	struct finding *f = findings_add(found, FINDING_LIVELOCK);
	uint64_t youngest_ns = 0;
	bool exact = true;

	f->nr_tasks = finding_set(w, part, &f->tasks);
	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		const struct retry_series *s = tries->series[f->tasks[i]];

		if (s->since_ns > youngest_ns)
			youngest_ns = s->since_ns;
		exact &= s->exact;
		add_fact(f, "attempts", f->tasks[i], s->nr_timeouts - s->first_timeouts);
		add_fact(f, "failures", f->tasks[i], s->nr_timeouts - s->first_timeouts);
		add_fact(f, "successes", f->tasks[i], 0);
		add_refusers(w, f, f->tasks[i], &s->others);
		if (s->first_run_ns) {
			finding_add_fact(f, "cpu_s", UNIT_NS, s->run_ns - s->first_run_ns);
			f->facts[f->nr_facts - 1].task = f->tasks[i];
		}
	}
	f->since_ns = youngest_ns;
	/* Who tries in passing may get on all the while with something else. */
	finding_cap(f, VERDICT_LIKELY,
		    exact ? "what else they do meanwhile is not seen" :
			    "a lock that is taken without waiting is not seen");
}

/* Circles that have nothing to do with each other are told apart. */
static void add_each(const struct world *w, struct tries *tries, struct findings *found)
{
	bool *part = xcalloc(w->nr_tasks, sizeof(*part));

	for (uint32_t first = 0; first < w->nr_tasks; first++) {
		if (!tries->in[first])
			continue;
		part[first] = true;
		spread(w, tries, part);
		add(w, tries, part, found);
		for (uint32_t t = first; t < w->nr_tasks; t++) {
			tries->in[t] &= !part[t];
			part[t] = false;
		}
	}
	free(part);
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
		add_each(w, &tries, found);
	free(tries.series);
	free(tries.in);
}

const struct detector detect_livelock = {
	.name = "livelock",
	.detect = find,
};
