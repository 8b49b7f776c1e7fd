// SPDX-License-Identifier: GPL-2.0
/*
 * window_ask - who is found waiting for one lock at every look, how often it had the
 * lock meanwhile, and how often others had it past this task (window.h).
 */
#include <stdlib.h>

#include "episodes.h"
#include "window.h"
#include "world.h"
#include "xalloc.h"

void window_drop_asks(struct window *win)
{
	for (uint32_t i = 0; i < win->nr_asks; i++)
		free(win->asks[i].others.other);
	free(win->asks);
	win->asks = NULL;
	win->nr_asks = 0;
}

static struct ask_series *find_ask(const struct window *win, const struct window_task *task)
{
	return win->nr_asks ? bsearch(task, win->asks, win->nr_asks, sizeof(*win->asks),
				      window_task_compare) : NULL;
}

const struct ask_series *window_ask(const struct window *win, const struct world *w,
				    uint32_t task)
{
	struct window_task key = { w->tasks[task].tid, w->tasks[task].start_ticks };

	return find_ask(win, &key);
}

static struct ask_series next_of(struct window *win, const struct world *w,
				 const struct wait *wait, const struct episode *e)
{
	const struct task *t = &w->tasks[wait->task];
	uint32_t holder = window_sure_holder(w, wait);
	struct ask_series *old, s = {
		.task = { t->tid, t->start_ticks },
		.uaddr = e->uaddr,
		.since_ns = win->now_ns,
		.first_had = e->nr_had,
		.first_passed = e->nr_passed,
		.exact = e->exact,
	};

	old = find_ask(win, &s.task);
	if (old && old->uaddr == e->uaddr) {
		s = *old;
		old->others = (struct window_others){ 0 };
	}
	s.nr_looks++;
	s.nr_had = e->nr_had;
	s.nr_passed = e->nr_passed;
	if (holder != NO_INDEX)
		window_others_add(&s.others,
				  &(struct window_task){ w->tasks[holder].tid,
							 w->tasks[holder].start_ticks }, 1);
	return s;
}

void window_add_asks(struct window *win, const struct world *w, const struct episodes *episodes)
{
	struct ask_series *asks = NULL;
	uint32_t nr = 0;

	for (uint32_t i = 0; i < w->nr_waits; i++) {
		const struct episode *e = window_episode(w, &w->waits[i], episodes);

		if (e)
			*vec_push(asks, nr) = next_of(win, w, &w->waits[i], e);
	}
	window_drop_asks(win);
	win->asks = asks;
	win->nr_asks = nr;
	if (nr)
		qsort(asks, nr, sizeof(*asks), window_task_compare);
}
