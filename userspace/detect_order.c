// SPDX-License-Identifier: GPL-2.0
/*
 * detect_order - two tasks were seen to take two locks in opposite orders: a
 * deadlock that has not happened yet.
 */
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "window.h"
#include "xalloc.h"

static bool same_task(const struct window_task *a, const struct window_task *b)
{
	return a->tid == b->tid && a->start_ticks == b->start_ticks;
}

static bool opposite(const struct order *a, const struct order *b)
{
	return !same_task(&a->task, &b->task) && !strcmp(a->held, b->wanted) &&
	       !strcmp(a->wanted, b->held);
}

/*
 * Did both do it with a third lock held that the other held, too? Then they
 * never meet. What is known of held locks comes from those who wait for them.
 */
static bool share_a_gate(const struct window *win, const struct order *a, const struct order *b)
{
	for (uint32_t i = 0; i < win->nr_orders; i++) {
		const struct order *x = &win->orders[i];

		if (!same_task(&x->task, &a->task) || strcmp(x->wanted, a->wanted) ||
		    !strcmp(x->held, a->held))
			continue;
		for (uint32_t k = 0; k < win->nr_orders; k++) {
			const struct order *y = &win->orders[k];

			if (same_task(&y->task, &b->task) && !strcmp(y->wanted, b->wanted) &&
			    !strcmp(y->held, x->held))
				return true;
		}
	}
	return false;
}

static void add(const struct world *w, const struct order *a, const struct order *b,
		const bool *explained, struct findings *found)
{
	uint32_t first = window_find(w, &a->task), second = window_find(w, &b->task);
	struct finding *f;
	bool *mark;

	if (first == NO_INDEX || second == NO_INDEX || explained[first] || explained[second])
		return;
	f = findings_add(found, FINDING_LOCK_INVERSION);
	mark = xcalloc(w->nr_tasks, sizeof(*mark));
	mark[first] = true;
	mark[second] = true;
	f->nr_tasks = finding_set(w, mark, &f->tasks);
	free(mark);
	f->key = strcmp(a->held, a->wanted) < 0 ? xasprintf("%s, %s", a->held, a->wanted) :
						  xasprintf("%s, %s", a->wanted, a->held);
	finding_cap(f, VERDICT_POSSIBLE, "nobody was stuck yet");
	finding_add_text(f, "order", xasprintf("%d: %s, then %s", a->task.tid, a->held_name,
					       a->wanted_name));
	finding_add_text(f, "opposite", xasprintf("%d: %s, then %s", b->task.tid, b->held_name,
						  b->wanted_name));
}

static void find(const struct world *w, const struct graph *g, const struct limits *limits,
		 struct findings *found)
{
	const struct window *win = w->window;
	bool *explained;

	(void)g;
	(void)limits;
	if (!win)
		return;
	explained = xcalloc(w->nr_tasks, sizeof(*explained));
	findings_mark(found, FINDING_DEADLOCK, true, explained);
	findings_mark(found, FINDING_TRANSIENT_CYCLE, true, explained);
	for (uint32_t i = 0; i < win->nr_orders; i++)
		for (uint32_t k = i + 1; k < win->nr_orders; k++)
			if (opposite(&win->orders[i], &win->orders[k]) &&
			    !share_a_gate(win, &win->orders[i], &win->orders[k]))
				add(w, &win->orders[i], &win->orders[k], explained, found);
	free(explained);
}

const struct detector detect_order = {
	.name = "lock-inversion",
	.detect = find,
};
