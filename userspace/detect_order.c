// SPDX-License-Identifier: GPL-2.0
/*
 * detect_order - two tasks were seen to take two locks in opposite orders: a
 * deadlock that has not happened yet.
 */
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "inversion.h"
#include "window.h"
#include "xalloc.h"

/** struct sorted - the window's orders, by task and what is wanted */
struct sorted {
	/** @order: [nr] */
	const struct order **order;
	uint32_t nr;
};

static int compare(const void *a, const void *b)
{
	const struct order *x = *(const struct order *const *)a;
	const struct order *y = *(const struct order *const *)b;

	return window_task_compare(&x->task, &y->task) ?: strcmp(x->wanted, y->wanted);
}

/* Where those of @o's task that want what @o wants begin; *@end: where they end. */
static uint32_t find_alike(const struct sorted *s, const struct order *o, uint32_t *end)
{
	uint32_t low = 0, high = s->nr;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (compare(&s->order[mid], &o) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	for (*end = low; *end < s->nr && !compare(&s->order[*end], &o); (*end)++)
		;
	return low;
}

/* What is known of held locks comes from those who wait for them. */
static bool share_a_gate(const struct takings *all, const struct taking *a,
			 const struct taking *b)
{
	const struct sorted *s = all->context;
	uint32_t a_end, b_end, x = find_alike(s, a->from, &a_end);
	uint32_t first = find_alike(s, b->from, &b_end);

	for (; x < a_end; x++) {
		if (!strcmp(s->order[x]->held, a->held))
			continue;
		for (uint32_t y = first; y < b_end; y++)
			if (!strcmp(s->order[y]->held, s->order[x]->held))
				return true;
	}
	return false;
}

static char *describe(const struct takings *all, const struct taking *t)
{
	const struct order *o = t->from;

	(void)all;
	return xasprintf("%d: %s, then %s", o->task.tid, o->held_name, o->wanted_name);
}

static void find(const struct world *w, const struct graph *g, const struct limits *limits,
		 struct findings *found)
{
	struct sorted s = { 0 };
	struct takings all = {
		.share_a_gate = share_a_gate, .describe = describe, .context = &s
	};

	(void)g;
	(void)limits;
	if (!w->window || !w->window->nr_orders)
		return;
	takings_begin(&all, w, found);
	for (uint32_t i = 0; i < w->window->nr_orders; i++) {
		const struct order *o = &w->window->orders[i];

		*vec_push(s.order, s.nr) = o;
		if (takings_want(&all, &o->task))
			*vec_push(all.taking, all.nr) = (struct taking){
				.task = &o->task,
				.held = o->held,
				.wanted = o->wanted,
				.from = o,
			};
	}
	qsort(s.order, s.nr, sizeof(*s.order), compare);
	takings_end(&all, found);
	free(s.order);
}

const struct detector detect_order = {
	.name = "lock-inversion",
	.detect = find,
};
