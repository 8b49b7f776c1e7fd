// SPDX-License-Identifier: GPL-2.0
/*
 * window_retry - who gives up waiting for a lock and comes back, without ever
 * having had it meanwhile (window.h).
 */
#include <stdlib.h>

#include "episodes.h"
#include "snapshot.h"
#include "window.h"
#include "world.h"
#include "xalloc.h"

static void free_retries(struct retry_series *retries, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		free(retries[i].others.other);
	free(retries);
}

void window_drop_retries(struct window *win)
{
	free_retries(win->retries, win->nr_retries);
	win->retries = NULL;
	win->nr_retries = 0;
}

static int compare(const void *a, const void *b)
{
	const struct retry_series *x = a, *y = b;

	if (x->task.tid != y->task.tid)
		return x->task.tid < y->task.tid ? -1 : 1;
	return x->uaddr < y->uaddr ? -1 : x->uaddr > y->uaddr;
}

static struct retry_series *find_retry(const struct window *win, pid_t tid, uint64_t uaddr)
{
	struct retry_series key = { .task.tid = tid, .uaddr = uaddr };

	return win->nr_retries ? bsearch(&key, win->retries, win->nr_retries, sizeof(key),
					 compare) : NULL;
}

/* A success, or a look without a failure, begins it afresh. */
static struct retry_series next_of(struct window *win, const struct episode *e)
{
	struct retry_series *old = find_retry(win, e->tid, e->uaddr), s = {
		.task = { e->tid, e->start_ticks },
		.uaddr = e->uaddr,
		.first_timeouts = e->nr_timeouts,
		.nr_had = e->nr_had,
		.since_ns = win->now_ns,
		.exact = e->exact,
		.first_run_ns = e->run_ns,
		.run_ns = e->run_ns,
	};

	s.nr_timeouts = e->nr_timeouts;
	/* What was counted one way goes on the same way. */
	if (!old || old->exact != e->exact || old->task.start_ticks != e->start_ticks ||
	    old->nr_had != e->nr_had || old->nr_timeouts >= e->nr_timeouts)
		return s;
	s.first_timeouts = old->first_timeouts;
	s.first_run_ns = old->first_run_ns;
	s.since_ns = old->since_ns;
	s.others = old->others;
	old->others = (struct window_others){ 0 };
	return s;
}

/* Who had it when the task failed to get it. */
static void note_owner(struct window *win, const struct world *w, const struct episode *e)
{
	uint32_t owner = e->owner ? world_find_task(w, e->owner) : NO_INDEX;

	if (owner != NO_INDEX && e->owner != e->tid)
		window_others_add(&find_retry(win, e->tid, e->uaddr)->others,
				  &(struct window_task){ e->owner, w->tasks[owner].start_ticks },
				  1);
}

/* Who holds what the task is waiting for just now. */
static void note_holder(struct window *win, const struct world *w, const struct wait *wait)
{
	const struct gl_wait_record *row = window_row(w, wait);
	uint32_t holder = window_sure_holder(w, wait);
	struct retry_series *s;

	if (!row || row->kind != GL_KIND_FUTEX || holder == NO_INDEX)
		return;
	s = find_retry(win, w->tasks[wait->task].tid, row->res_addr);
	if (s)
		window_others_add(&s->others,
				  &(struct window_task){ w->tasks[holder].tid,
							 w->tasks[holder].start_ticks }, 1);
}

void window_add_retries(struct window *win, const struct world *w,
			const struct episodes *episodes)
{
	struct retry_series *retries = NULL;
	uint32_t nr = 0;

	for (uint32_t i = 0; episodes && i < episodes->nr; i++)
		if (episodes->episode[i].nr_timeouts)
			*vec_push(retries, nr) = next_of(win, &episodes->episode[i]);
	window_drop_retries(win);
	win->retries = retries;
	win->nr_retries = nr;
	for (uint32_t i = 0; episodes && i < episodes->nr; i++)
		if (episodes->episode[i].nr_timeouts)
			note_owner(win, w, &episodes->episode[i]);
	for (uint32_t i = 0; i < w->nr_waits; i++)
		note_holder(win, w, &w->waits[i]);
}
