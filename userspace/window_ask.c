// SPDX-License-Identifier: GPL-2.0
/*
 * window_ask - who is found waiting for one lock at every look, how often it had the
 * lock meanwhile, and how often others had it past this task (window.h).
 *
 * Of a kernel lock the module tells who else had it, and how often. Of the others the
 * looks do, of who held it just then.
 */
#include <stdlib.h>

#include "episodes.h"
#include "snapshot.h"
#include "turns.h"
#include "window.h"
#include "world.h"
#include "xalloc.h"

/* Who does not wait so long for a kernel lock does not starve. */
#define LEAST_NS	1000000

static void free_asks(struct ask_series *asks, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		free(asks[i].others.other);
		free(asks[i].shares);
	}
	free(asks);
}

void window_drop_asks(struct window *win)
{
	free_asks(win->asks, win->nr_asks);
	win->asks = NULL;
	win->nr_asks = 0;
}

static struct ask_series *find_ask(const struct window *win, const struct window_task *task)
{
	return window_search(task, win->asks, win->nr_asks, sizeof(*win->asks),
			     win->nr_asks / 2);
}

const struct ask_series *window_ask(const struct window *win, const struct world *w,
				    uint32_t task)
{
	struct window_task key = { w->tasks[task].tid, w->tasks[task].start_ticks };

	return find_ask(win, &key);
}

/* @seen is the task as this look alone finds it. Counters that went back begin afresh. */
static struct ask_series next_of(struct window *win, const struct ask_series *seen)
{
	struct ask_series *old = find_ask(win, &seen->task), s = *seen;

	if (old && old->res_id == seen->res_id && old->nr_had <= seen->nr_had &&
	    old->nr_passed <= seen->nr_passed) {
		s = *old;
		s.nr_had = seen->nr_had;
		s.nr_passed = seen->nr_passed;
		old->others = (struct window_others){ 0 };
		old->shares = NULL;
		old->nr_shares = 0;
	}
	s.nr_looks++;
	return s;
}

static struct ask_series next_of_episode(struct window *win, const struct world *w,
					 const struct wait *wait, const struct episode *e)
{
	const struct task *t = &w->tasks[wait->task];
	uint32_t holder = window_sure_holder(w, wait);
	struct ask_series s = next_of(win, &(struct ask_series){
		.task = { t->tid, t->start_ticks },
		.res_id = e->uaddr,
		.since_ns = win->now_ns,
		.first_had = e->nr_had,
		.nr_had = e->nr_had,
		.first_passed = e->nr_passed,
		.nr_passed = e->nr_passed,
		.exact = e->exact,
	});

	if (holder != NO_INDEX)
		window_others_add(&s.others,
				  &(struct window_task){ w->tasks[holder].tid,
							 w->tasks[holder].start_ticks }, 1);
	return s;
}

/* What was known of the task of @t by now. Counters that went back begin afresh, too. */
static struct ask_share share_of(const struct ask_series *s, const struct turn *t)
{
	struct ask_share begin = { .task = { t->tid, t->start_ticks } };

	for (uint32_t i = 0; i < s->nr_shares; i++) {
		const struct ask_share *old = &s->shares[i];

		if (window_task_compare(&old->task, &begin.task))
			continue;
		if (t->nr_turns >= old->nr_turns && t->waited_ns >= old->waited_ns)
			return *old;
	}
	/* Whoever comes later had its first turn after that. */
	if (s->nr_looks == 1) {
		begin.first_turns = t->nr_turns;
		begin.nr_turns = t->nr_turns;
		begin.first_waited_ns = t->waited_ns;
	}
	return begin;
}

/* The shares of those who have a row, which is there as long as its task is. */
static void add_turns(struct ask_series *s, const struct turn *turns, uint32_t nr)
{
	struct ask_share *shares = NULL;
	uint32_t nr_shares = 0;

	for (uint32_t i = 0; i < nr; i++) {
		const struct turn *t = &turns[i];
		struct ask_share share = share_of(s, t);

		if (t->nr_turns > share.nr_turns && window_task_compare(&share.task, &s->task))
			window_others_add(&s->others, &share.task, t->nr_turns - share.nr_turns);
		share.nr_turns = t->nr_turns;
		share.waited_ns = t->waited_ns;
		*vec_push(shares, nr_shares) = share;
	}
	free(s->shares);
	s->shares = shares;
	s->nr_shares = nr_shares;
}

/* @turns: [nr] of the lock that it waits for, at least one */
static struct ask_series next_of_turns(struct window *win, const struct world *w,
				       const struct wait *wait, const struct turn *turns,
				       uint32_t nr)
{
	const struct task *t = &w->tasks[wait->task];
	struct ask_series s, seen = {
		.task = { t->tid, t->start_ticks },
		.res_id = turns->res_id,
		.since_ns = win->now_ns,
		.by_turns = true,
		/* Those that were there before, and are not any more. */
		.nr_gone = turns->nr_tasks > nr ? turns->nr_tasks - nr : 0,
	};

	for (uint32_t i = 0; i < nr; i++) {
		if (turns[i].tid != t->tid || turns[i].start_ticks != t->start_ticks)
			continue;
		seen.first_had = turns[i].nr_turns;
		seen.nr_had = turns[i].nr_turns;
		seen.first_passed = turns[i].nr_overtaken;
		seen.nr_passed = turns[i].nr_overtaken;
	}
	s = next_of(win, &seen);
	s.nr_tasks = turns->nr_tasks > s.nr_gone ? turns->nr_tasks - s.nr_gone : 0;
	add_turns(&s, turns, nr);
	return s;
}

/* Those of the kernel lock that @wait is for, if it has lasted; else NULL. */
static const struct turn *turns_of_wait(const struct world *w, const struct wait *wait,
					const struct turns *turns, uint32_t *nr_ret)
{
	const struct gl_wait_record *row = window_row(w, wait);

	if (!turns || !wait->id || !row || row->kind >= GL_KIND_FUTEX ||
	    row->begin_ns + LEAST_NS > w->taken_ns)
		return NULL;
	return turns_of(turns, row->res_id, nr_ret);
}

void window_add_asks(struct window *win, const struct world *w, const struct episodes *episodes,
		     const struct turns *turns)
{
	struct ask_series *asks = NULL;
	uint32_t nr = 0;

	for (uint32_t i = 0; i < w->nr_waits; i++) {
		const struct wait *wait = &w->waits[i];
		const struct episode *e = window_episode(w, wait, episodes);
		const struct turn *turn;
		uint32_t nr_turns;

		if (e) {
			*vec_push(asks, nr) = next_of_episode(win, w, wait, e);
			continue;
		}
		turn = turns_of_wait(w, wait, turns, &nr_turns);
		if (turn)
			*vec_push(asks, nr) = next_of_turns(win, w, wait, turn, nr_turns);
	}
	window_drop_asks(win);
	win->asks = asks;
	win->nr_asks = nr;
	xqsort(asks, nr, sizeof(*asks), window_task_compare);
}
