// SPDX-License-Identifier: GPL-2.0
/* lens_nestings - who asked for a lock with others held (lens_nestings.h) */
#include <stdlib.h>

#include "array.h"
#include "lens_names.h"
#include "lens_nestings.h"
#include "world.h"
#include "xalloc.h"

/*
 * What is asked for has to be known to be a lock. And what was held was taken for one: who
 * does not know by now whether it is, as it was forgotten or is in doubt, does not know of
 * a gate, either, that others hold as well.
 */
static bool are_uses_known(const struct lens_nesting_key *key, const struct lens_uses *uses)
{
	if (uses->wanted != LENS_USE_LOCK)
		return false;
	for (uint32_t i = 0; i < LENS_MAX_HELD && key->held[i]; i++)
		if (uses->held[i] == LENS_USE_UNKNOWN)
			return false;
	return true;
}

void lens_nestings_add(struct lens_view *view, struct lens_names *names, struct world *w,
		       const struct lens_nesting_key *key, const struct lens_nesting *row,
		       const struct lens_uses *uses)
{
	uint32_t task = world_find_task(w, key->tid);
	struct nesting *new;

	if (task == NO_INDEX || w->tasks[task].tgid != (pid_t)key->tgid ||
	    !are_uses_known(key, uses))
		return;
	new = vec_push(view->nestings, view->nr_nestings);
	new->task = (struct window_task){ key->tid, w->tasks[task].start_ticks };
	new->wanted = lens_names_lock(names, w, key->tgid, key->wanted);
	new->wanted_shared = key->wanted & LENS_IS_SHARED;
	new->wanted_site = lens_names_site(names, w, key->tgid, row->wanted_site);
	new->last_ns = row->last_ns;
	for (uint32_t i = 0; i < LENS_MAX_HELD && key->held[i]; i++) {
		uint32_t to = new->nr_held;

		if (uses->held[i] == LENS_USE_OTHER)
			continue;
		new->held[to] = lens_names_lock(names, w, key->tgid, key->held[i]);
		new->held_shared[to] = key->held[i] & LENS_IS_SHARED;
		new->held_site[to] = lens_names_site(names, w, key->tgid, row->held_site[i]);
		new->nr_held++;
	}
}

static int compare(const void *a, const void *b)
{
	const struct nesting *x = a, *y = b;

	if (x->task.tid != y->task.tid)
		return x->task.tid < y->task.tid ? -1 : 1;
	return x->wanted < y->wanted ? -1 : x->wanted > y->wanted;
}

void lens_nestings_sort(struct lens_view *view)
{
	if (view->nr_nestings)
		qsort(view->nestings, view->nr_nestings, sizeof(*view->nestings), compare);
}
