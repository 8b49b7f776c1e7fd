// SPDX-License-Identifier: GPL-2.0
/*
 * window_order - who held one resource while waiting for another (window.h).
 *
 * That a task holds something shows in those who wait for it: only held locks
 * that somebody else wants are seen.
 *
 * What a look says is not of one moment: a task may have let go of the one lock
 * before it began to wait for the other. So an order counts only if the task
 * was not put on a CPU between the end of the look before and the end of this
 * one: it slept while all of this look was read.
 */
#include <stdlib.h>
#include <string.h>

#include "window.h"
#include "world.h"
#include "xalloc.h"

static void free_order(struct order *order)
{
	free(order->held);
	free(order->wanted);
	free(order->held_name);
	free(order->wanted_name);
}

void window_drop_orders(struct window *win)
{
	for (uint32_t i = 0; i < win->nr_orders; i++)
		free_order(&win->orders[i]);
	free(win->orders);
	win->orders = NULL;
	win->nr_orders = 0;
	free(win->sleepers);
	win->sleepers = NULL;
	win->nr_sleepers = 0;
}

static void drop_old(struct window *win)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < win->nr_orders; i++) {
		if (win->now_ns - win->orders[i].last_ns > WINDOW_ORDERS_NS)
			free_order(&win->orders[i]);
		else
			win->orders[kept++] = win->orders[i];
	}
	win->nr_orders = kept;
}

uint32_t window_sure_holder(const struct world *w, const struct wait *wait)
{
	const struct resource *r;

	if (!wait->id || wait->nr_blockers != 1 || wait->unknown_releaser)
		return NO_INDEX;
	r = &w->resources[wait->blockers[0]];
	if (r->nr_releasers != 1 || r->unknown || r->dead || r->soft ||
	    r->evidence == EVIDENCE_INFERRED || r->held != MODE_EXCLUSIVE)
		return NO_INDEX;
	return r->releasers[0] == wait->task ? NO_INDEX : r->releasers[0];
}

static void note(struct window *win, const struct task *t, const struct wait *held,
		 const struct wait *wanted)
{
	struct order *order;

	for (uint32_t i = 0; i < win->nr_orders; i++) {
		order = &win->orders[i];
		if (order->task.tid != t->tid || order->task.start_ticks != t->start_ticks ||
		    strcmp(order->held, held->id) || strcmp(order->wanted, wanted->id))
			continue;
		order->last_ns = win->now_ns;
		return;
	}
	if (win->nr_orders == WINDOW_MAX_ORDERS) {
		win->nr_orders_lost++;
		return;
	}
	order = vec_push(win->orders, win->nr_orders);
	order->task = (struct window_task){ t->tid, t->start_ticks };
	order->held = xstrdup(held->id);
	order->wanted = xstrdup(wanted->id);
	order->held_name = xstrdup(held->name ? held->name : held->id);
	order->wanted_name = xstrdup(wanted->name ? wanted->name : wanted->id);
	order->last_ns = win->now_ns;
}

/* Was it seen by the look before, with as many runs behind it? */
static bool slept_since(const struct window *win, const struct task *t)
{
	for (uint32_t i = 0; t->nr_runs && i < win->nr_sleepers; i++)
		if (win->sleepers[i].task.tid == t->tid &&
		    win->sleepers[i].task.start_ticks == t->start_ticks)
			return win->sleepers[i].amount == t->nr_runs;
	return false;
}

/* The runs of all tasks that hold and wait, for the next look. */
static void note_sleepers(struct window *win, const struct world *w)
{
	free(win->sleepers);
	win->sleepers = NULL;
	win->nr_sleepers = 0;
	for (uint32_t i = 0; i < w->nr_waits && win->nr_sleepers < WINDOW_MAX_ORDERS; i++) {
		uint32_t holder = window_sure_holder(w, &w->waits[i]);

		if (holder != NO_INDEX && w->tasks[holder].wait != NO_INDEX)
			*vec_push(win->sleepers, win->nr_sleepers) = (struct window_other){
				.task = { w->tasks[holder].tid, w->tasks[holder].start_ticks },
				.amount = w->tasks[holder].nr_runs,
			};
	}
}

void window_add_orders(struct window *win, const struct world *w)
{
	drop_old(win);
	for (uint32_t i = 0; i < w->nr_waits; i++) {
		uint32_t holder = window_sure_holder(w, &w->waits[i]);
		const struct wait *wanted;

		if (holder == NO_INDEX || w->tasks[holder].wait == NO_INDEX)
			continue;
		wanted = &w->waits[w->tasks[holder].wait];
		if (window_sure_holder(w, wanted) != NO_INDEX &&
		    strcmp(w->waits[i].id, wanted->id) && slept_since(win, &w->tasks[holder]))
			note(win, &w->tasks[holder], &w->waits[i], wanted);
	}
	note_sleepers(win, w);
}
