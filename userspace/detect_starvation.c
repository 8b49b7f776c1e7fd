// SPDX-License-Identifier: GPL-2.0
/*
 * detect_starvation - a task that waits on and on for a lock that is given to
 * others all the while.
 */
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "window.h"
#include "xalloc.h"

/** struct hunger - one long wait, or many in one episode, and what happened meanwhile */
struct hunger {
	const struct wait *wait;
	const struct wait_series *series;
	uint64_t since_ns;
	uint64_t length_ns;
	/** @overtaken: times the lock was given to others past this waiter, at least */
	uint64_t overtaken;
};

static uint64_t overtaken(const struct wait_series *s)
{
	if (s->episode_ns)
		return s->nr_passed;
	return s->hands_known && s->nr_hands > s->nr_ahead ? s->nr_hands - s->nr_ahead : 0;
}

static bool read_hunger(const struct world *w, uint32_t task, struct hunger *ret)
{
	const struct wait *wait;

	if (w->tasks[task].wait == NO_INDEX)
		return false;
	wait = &w->waits[w->tasks[task].wait];
	ret->series = window_wait(w->window, w, task);
	if (!ret->series || !wait->begin_ns || wait->begin_ns > w->taken_ns)
		return false;
	ret->wait = wait;
	ret->since_ns = ret->series->episode_ns ? ret->series->episode_ns : wait->begin_ns;
	ret->length_ns = w->taken_ns - ret->since_ns;
	ret->overtaken = overtaken(ret->series);
	return true;
}

static uint32_t count_waiters(const struct world *w, const char *id)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < w->nr_waits; i++)
		nr += w->waits[i].id && !strcmp(w->waits[i].id, id);
	return nr;
}

/*
 * Jain's index of what each of @nr tasks got, 1 when all got the same: of those
 * who were seen to hold the lock as often as they were, of the others nothing.
 */
static double jain(const struct window_others *others, uint32_t nr)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < others->nr; i++) {
		sum += others->other[i].amount;
		squares += (double)others->other[i].amount * others->other[i].amount;
	}
	return squares > 0 ? sum * sum / (nr * squares) : 0;
}

/* Those who were seen to hold the lock and do not wait for it just now. */
static uint32_t count_askers(const struct world *w, const struct hunger *e)
{
	const struct window_others *others = &e->series->others;
	uint32_t nr = count_waiters(w, e->wait->id);

	for (uint32_t i = 0; i < others->nr; i++) {
		uint32_t task = window_find(w, &others->other[i].task);
		uint32_t wait = task == NO_INDEX ? NO_INDEX : w->tasks[task].wait;

		nr += wait == NO_INDEX || !w->waits[wait].id ||
		      strcmp(w->waits[wait].id, e->wait->id);
	}
	return nr;
}

static void add(const struct world *w, const struct hunger *e, struct findings *found)
{
	struct finding *f = findings_add(found, FINDING_STARVATION);
	const struct window_others *others = &e->series->others;
	uint32_t nr = count_askers(w, e);

	*vec_push(f->tasks, f->nr_tasks) = e->wait->task;
	f->key = xstrdup(e->wait->id);
	f->since_ns = e->since_ns;
	for (uint32_t i = 0; i < others->nr; i++) {
		uint32_t task = window_find(w, &others->other[i].task);

		if (task != NO_INDEX && task != e->wait->task)
			finding_add_role(f, "by", task);
	}
	finding_add_fact(f, "overtaken", UNIT_COUNT, e->overtaken);
	/* Within one wait nothing is got. */
	finding_add_fact(f, "share", UNIT_RATIO, 0);
	finding_add_fact(f, "fair_share", UNIT_RATIO, nr ? 1.0 / nr : 0);
	finding_add_fact(f, "jain_index", UNIT_RATIO, nr ? jain(others, nr) : 0);
}

static void find(const struct world *w, const struct graph *g, const struct limits *limits,
		 struct findings *found)
{
	bool *explained;

	(void)g;
	if (!w->window)
		return;
	explained = xcalloc(w->nr_tasks, sizeof(*explained));
	findings_mark(found, NR_FINDING_TYPES, true, explained);
	for (uint32_t t = 0; t < w->nr_tasks; t++) {
		struct hunger e;

		if (!explained[t] && read_hunger(w, t, &e) &&
		    e.length_ns >= limits->starvation_ns && e.overtaken >= limits->overtaken)
			add(w, &e, found);
	}
	free(explained);
}

const struct detector detect_starvation = {
	.name = "starvation",
	.detect = find,
};
