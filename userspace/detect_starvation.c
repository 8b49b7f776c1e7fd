// SPDX-License-Identifier: GPL-2.0
/*
 * detect_starvation - a task that waits on and on for a lock that is given to
 * others all the while; or that is found asking for it whenever somebody looks, and
 * gets far less of it than the others.
 */
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "window.h"
#include "xalloc.h"

/* Looks in a row that must find a task asking. */
#define LEAST_LOOKS	8

/* What it gets is too little below one part in so many of its fair share. */
#define UNFAIR		8

/** struct hunger - one long wait, or many of those who ask, and what happened meanwhile */
struct hunger {
	const struct wait *wait;
	const struct window_others *others;
	/** @ask: the task as one of those who ask; NULL: it is not known as such */
	const struct ask_series *ask;
	uint64_t since_ns;
	/** @overtaken: times the lock was given to others past this waiter, at least */
	uint64_t overtaken;
	/** @had: times that it had the lock itself, as far as these were seen */
	uint64_t had;
	/** @had_unseen: there may be more of them */
	bool had_unseen;
};

static uint64_t overtaken(const struct wait_series *s)
{
	uint64_t nr = s->episode_ns ? s->nr_passed : s->hands_known ? s->nr_hands : 0;

	return nr > s->nr_ahead ? nr - s->nr_ahead : 0;
}

/* Is it one wait, or one episode of many in vain, that is too long? */
static bool waits_long(const struct world *w, const struct wait *wait,
		       const struct limits *limits, struct hunger *ret)
{
	const struct wait_series *s = window_wait(w->window, w, wait->task);

	if (!s || !wait->begin_ns || wait->begin_ns > w->taken_ns)
		return false;
	*ret = (struct hunger){
		.wait = wait,
		.others = &s->others,
		.ask = window_ask(w->window, w, wait->task),
		.since_ns = s->episode_ns ? s->episode_ns : wait->begin_ns,
		.overtaken = overtaken(s),
	};
	return w->taken_ns - ret->since_ns >= limits->starvation_ns &&
	       ret->overtaken >= limits->overtaken;
}

static uint32_t count_waiters(const struct world *w, const char *id)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < w->nr_waits; i++)
		nr += w->waits[i].id && !strcmp(w->waits[i].id, id);
	return nr;
}

/* Is it about one that always asks for a kernel lock, and how often each had it? */
static bool goes_by_turns(const struct hunger *e)
{
	return e->ask && e->ask->by_turns && e->others == &e->ask->others;
}

/*
 * Jain's index of what each of @nr tasks got, 1 when all got the same: of those
 * who were seen to hold the lock as often as they were, or had as many turns, and of
 * the waiter the turns that it had; of the others nothing.
 */
static double jain(const struct hunger *e, uint32_t nr)
{
	const struct window_others *others = e->others;
	double sum = 0, squares = 0;

	if (goes_by_turns(e)) {
		sum = e->had;
		squares = sum * sum;
	}
	for (uint32_t i = 0; i < others->nr; i++) {
		sum += others->other[i].amount;
		squares += (double)others->other[i].amount * others->other[i].amount;
	}
	return squares > 0 ? sum * sum / (nr * squares) : 0;
}

/* Those who wait for the lock, and those who were seen to hold it and do not wait now. */
static uint32_t count_askers(const struct world *w, const struct hunger *e)
{
	const struct window_others *others = e->others;
	uint32_t nr = count_waiters(w, e->wait->id);

	for (uint32_t i = 0; i < others->nr; i++) {
		uint32_t task = window_find(w, &others->other[i].task);
		uint32_t wait = task == NO_INDEX ? NO_INDEX : w->tasks[task].wait;

		nr += wait == NO_INDEX || !w->waits[wait].id ||
		      strcmp(w->waits[wait].id, e->wait->id);
	}
	return nr;
}

/* Of a kernel lock all that asked are counted, seen with it or not. */
static uint32_t count_sharers(const struct world *w, const struct hunger *e)
{
	uint32_t nr = count_askers(w, e);

	return goes_by_turns(e) && e->ask->nr_tasks > nr ? e->ask->nr_tasks : nr;
}

static double share(const struct hunger *e)
{
	return e->had ? (double)e->had / (e->had + e->overtaken) : 0;
}

/* Does it ask all the time, and get far less than its part? */
static bool gets_little(const struct world *w, const struct wait *wait,
			const struct limits *limits, struct hunger *ret)
{
	const struct ask_series *s = window_ask(w->window, w, wait->task);
	uint32_t nr;

	if (!s || s->nr_looks < LEAST_LOOKS || w->taken_ns - s->since_ns < limits->starvation_ns)
		return false;
	*ret = (struct hunger){
		.wait = wait,
		.others = &s->others,
		.ask = s,
		.since_ns = s->since_ns,
		.overtaken = s->nr_passed - s->first_passed,
		.had = s->nr_had - s->first_had,
		.had_unseen = !s->exact,
	};
	/* Others were served, though none of them may have been seen. */
	nr = count_sharers(w, ret);
	return ret->overtaken >= limits->overtaken && share(ret) * UNFAIR * (nr < 2 ? 2 : nr) < 1;
}

static bool is_told(const struct finding *f, uint32_t task)
{
	bool told = task == f->tasks[0];

	for (uint32_t i = 0; i < f->nr_roles; i++)
		told |= task == f->roles[i].task;
	return told;
}

/* What each of those who are told of got, and how long it waited. */
static void add_shares(const struct world *w, const struct ask_series *ask, struct finding *f)
{
	for (uint32_t i = 0; i < ask->nr_shares; i++) {
		const struct ask_share *s = &ask->shares[i];
		uint32_t task = window_find(w, &s->task);

		if (task == NO_INDEX || !is_told(f, task))
			continue;
		finding_add_fact(f, "turns", UNIT_COUNT, s->nr_turns - s->first_turns);
		f->facts[f->nr_facts - 1].task = task;
		finding_add_fact(f, "waited_s", UNIT_NS, s->waited_ns - s->first_waited_ns);
		f->facts[f->nr_facts - 1].task = task;
	}
}

static void add(const struct world *w, const struct hunger *e, struct findings *found)
{
	struct finding *f = findings_add(found, FINDING_STARVATION);
	const struct window_others *others = e->others;
	uint32_t nr = count_sharers(w, e);

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
	finding_add_fact(f, "share", UNIT_RATIO, share(e));
	finding_add_fact(f, "fair_share", UNIT_RATIO, nr ? 1.0 / nr : 0);
	finding_add_fact(f, "jain_index", UNIT_RATIO, nr ? jain(e, nr) : 0);
	if (e->ask)
		add_shares(w, e->ask, f);
	if (e->had_unseen)
		finding_cap(f, VERDICT_LIKELY, "a lock that is taken without waiting is not seen");
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
	for (uint32_t i = 0; i < w->nr_waits; i++) {
		const struct wait *wait = &w->waits[i];
		struct hunger e;

		if (!explained[wait->task] && (waits_long(w, wait, limits, &e) ||
					       gets_little(w, wait, limits, &e)))
			add(w, &e, found);
	}
	free(explained);
}

const struct detector detect_starvation = {
	.name = "starvation",
	.detect = find,
};
