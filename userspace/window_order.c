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

#include "text.h"
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

/** struct order_index - the orders by what they are; open addressing */
struct order_index {
	/** @slot: [2 * WINDOW_MAX_ORDERS] index of an order, from 1; 0: free */
	uint32_t slot[2 * WINDOW_MAX_ORDERS];
};

/* The place of such an order, or the free one where it belongs. */
static uint32_t *find_order(const struct window *win, struct order_index *index,
			    const struct window_task *task, const char *held, const char *wanted)
{
	uint32_t hash = text_hash(TEXT_HASH, &task->tid, sizeof(task->tid));

	hash = text_hash(hash, held, strlen(held) + 1);
	hash = text_hash(hash, wanted, strlen(wanted));
	for (;; hash++) {
		uint32_t *slot = &index->slot[hash % (2 * WINDOW_MAX_ORDERS)];
		const struct order *order;

		if (!*slot)
			return slot;
		order = &win->orders[*slot - 1];
		if (!window_task_compare(&order->task, task) &&
		    !strcmp(order->held, held) && !strcmp(order->wanted, wanted))
			return slot;
	}
}

static struct order_index *index_orders(const struct window *win)
{
	struct order_index *index = xcalloc(1, sizeof(*index));

	for (uint32_t i = 0; i < win->nr_orders; i++)
		*find_order(win, index, &win->orders[i].task, win->orders[i].held,
			    win->orders[i].wanted) = i + 1;
	return index;
}

static void note(struct window *win, struct order_index *index, const struct task *t,
		 const struct wait *held, const struct wait *wanted)
{
	struct window_task task = { t->tid, t->start_ticks };
	uint32_t *slot = find_order(win, index, &task, held->id, wanted->id);
	struct order *order;

	if (*slot) {
		win->orders[*slot - 1].last_ns = win->now_ns;
		return;
	}
	if (win->nr_orders == WINDOW_MAX_ORDERS) {
		win->nr_orders_lost++;
		return;
	}
	order = vec_push(win->orders, win->nr_orders);
	*slot = win->nr_orders;
	order->task = task;
	order->held = xstrdup(held->id);
	order->wanted = xstrdup(wanted->id);
	order->held_name = xstrdup(held->name ? held->name : held->id);
	order->wanted_name = xstrdup(wanted->name ? wanted->name : wanted->id);
	order->last_ns = win->now_ns;
}

/* Was it seen by the look before, with as many runs behind it? */
static bool slept_since(const struct window *win, const struct task *t)
{
	const struct window_task task = { t->tid, t->start_ticks };
	const struct window_other *sleeper;

	if (!t->nr_runs || !win->nr_sleepers)
		return false;
	sleeper = bsearch(&task, win->sleepers, win->nr_sleepers, sizeof(*sleeper),
			  window_task_compare);
	return sleeper && sleeper->amount == t->nr_runs;
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
	xqsort(win->sleepers, win->nr_sleepers, sizeof(*win->sleepers), window_task_compare);
}

void window_add_orders(struct window *win, const struct world *w)
{
	struct order_index *index;

	drop_old(win);
	index = index_orders(win);
	for (uint32_t i = 0; i < w->nr_waits; i++) {
		uint32_t holder = window_sure_holder(w, &w->waits[i]);
		const struct wait *wanted;

		if (holder == NO_INDEX || w->tasks[holder].wait == NO_INDEX)
			continue;
		wanted = &w->waits[w->tasks[holder].wait];
		if (window_sure_holder(w, wanted) != NO_INDEX &&
		    strcmp(w->waits[i].id, wanted->id) && slept_since(win, &w->tasks[holder]))
			note(win, index, &w->tasks[holder], &w->waits[i], wanted);
	}
	free(index);
	note_sleepers(win, w);
}
