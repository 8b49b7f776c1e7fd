// SPDX-License-Identifier: GPL-2.0
/*
 * detect_nesting - two threads ask for two locks in opposite orders, as the lens
 * saw it: a deadlock that has not happened yet.
 *
 * Not when both held a third one, and not both to read: then they never meet.
 */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "finding.h"
#include "inversion.h"
#include "lens.h"
#include "text.h"
#include "window.h"
#include "xalloc.h"

/* The place of @lock among what was held, or -1. */
static int place_of(const struct nesting *n, uint32_t lock)
{
	for (uint32_t i = 0; i < n->nr_held; i++)
		if (n->held[i] == lock)
			return i;
	return -1;
}

static bool share_a_gate(const struct takings *all, const struct taking *a,
			 const struct taking *b)
{
	const struct nesting *x = a->from, *y = b->from;

	(void)all;
	for (uint32_t i = 0; i < x->nr_held; i++) {
		int place = place_of(y, x->held[i]);

		if (place >= 0 && !(x->held_shared[i] && y->held_shared[place]))
			return true;
	}
	return false;
}

/* Which of those that were held is meant. */
static uint32_t place_of_held(const struct lens_view *view, const struct taking *t)
{
	const struct nesting *n = t->from;
	uint32_t place = 0;

	while (view->locks[n->held[place]].id != t->held)
		place++;
	return place;
}

static const char *how(bool shared)
{
	return shared ? " to read" : "";
}

/* There may be thousands at once, look after look: printf(3) would take most of it. */
static char *describe(const struct takings *all, const struct taking *t)
{
	const struct lens_view *view = all->context;
	const struct nesting *n = t->from;
	uint32_t place = place_of_held(view, t);
	char tid[TEXT_NUMBER_SIZE];
	const char *const part[] = {
		text_number(n->task.tid, tid), ": ",
		view->locks[n->held[place]].name, how(n->held_shared[place]),
		" (at ", n->held_site[place], "), then ",
		view->locks[n->wanted].name, how(n->wanted_shared),
		" (at ", n->wanted_site, ")",
	};

	return text_join(part, ARRAY_SIZE(part));
}

static int compare_locks(const struct nesting *x, const struct nesting *y)
{
	if (x->wanted != y->wanted)
		return x->wanted < y->wanted ? -1 : 1;
	if (x->wanted_shared != y->wanted_shared)
		return x->wanted_shared ? -1 : 1;
	if (x->nr_held != y->nr_held)
		return x->nr_held < y->nr_held ? -1 : 1;
	return memcmp(x->held, y->held, x->nr_held * sizeof(*x->held)) ?:
	       memcmp(x->held_shared, y->held_shared, x->nr_held * sizeof(*x->held_shared));
}

/* By the locks and how they are taken, then by thread. */
static int compare(const void *a, const void *b)
{
	const struct nesting *x = *(const struct nesting *const *)a;
	const struct nesting *y = *(const struct nesting *const *)b;

	return compare_locks(x, y) ?: window_task_compare(&x->task, &y->task);
}

static uint32_t sort_recent(const struct takings *all, const struct nesting ***ret)
{
	const struct lens_view *view = all->context;
	uint32_t nr = 0;

	*ret = NULL;
	for (uint32_t i = 0; i < view->nr_nestings; i++)
		if (all->w->taken_ns < view->nestings[i].last_ns + WINDOW_ORDERS_NS &&
		    takings_want(all, &view->nestings[i].task))
			*vec_push(*ret, nr) = &view->nestings[i];
	if (nr)
		qsort(*ret, nr, sizeof(**ret), compare);
	return nr;
}

static void add_each_held(struct takings *all, const struct nesting *n)
{
	const struct lens_view *view = all->context;

	for (uint32_t i = 0; i < n->nr_held; i++)
		*vec_push(all->taking, all->nr) = (struct taking){
			.task = &n->task,
			.held = view->locks[n->held[i]].id,
			.wanted = view->locks[n->wanted].id,
			.held_shared = n->held_shared[i],
			.wanted_shared = n->wanted_shared,
			.from = n,
		};
}

/*
 * Of all threads that did the same, two are enough: whoever did the opposite is
 * not both of them. So a pool of threads costs no more than each of its ways.
 */
static void add_takings(struct takings *all)
{
	const struct nesting **sorted;
	uint32_t nr = sort_recent(all, &sorted);

	for (uint32_t i = 0; i < nr; i++)
		if (i < 2 || compare_locks(sorted[i - 2], sorted[i]))
			add_each_held(all, sorted[i]);
	free(sorted);
}

static void find(const struct world *w, const struct graph *g, const struct limits *limits,
		 struct findings *found)
{
	struct takings all = { .share_a_gate = share_a_gate, .describe = describe };

	(void)g;
	(void)limits;
	if (!w->window || !w->window->view)
		return;
	all.context = w->window->view;
	takings_begin(&all, w, found);
	add_takings(&all);
	takings_end(&all, found);
}

const struct detector detect_nesting = {
	.name = "lock-inversion by the lens",
	.detect = find,
};
