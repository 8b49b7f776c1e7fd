// SPDX-License-Identifier: GPL-2.0
/*
 * ran - of what threads share: that of which one has run (ran.h).
 *
 * Threads of a process mostly come one after the other, and what they share is the same.
 */
#include <stdlib.h>

#include "ran.h"
#include "xalloc.h"

void ran_free(struct ran *r)
{
	free(r->which);
	free(r->past);
	*r = (struct ran){ 0 };
}

void ran_begin(struct ran *r, bool keep)
{
	struct ran latest = *r;

	if (keep)
		r->which = NULL;
	ran_free(r);
	if (keep) {
		r->past = latest.which;
		r->nr_past = latest.nr;
	}
}

void ran_add(struct ran *r, uint64_t which)
{
	if (which && !(r->nr && r->which[r->nr - 1] == which))
		*vec_push(r->which, r->nr) = which;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

void ran_end(struct ran *r)
{
	xqsort(r->which, r->nr, sizeof(*r->which), compare);
	r->asked = 0;
}

static bool is_in(uint64_t which, const uint64_t *all, uint32_t nr)
{
	return nr && bsearch(&which, all, nr, sizeof(*all), compare);
}

bool ran_not(struct ran *r, uint64_t which)
{
	if (r->asked != which) {
		r->asked = which;
		r->answer = !is_in(which, r->which, r->nr) && !is_in(which, r->past, r->nr_past);
	}
	return which && r->answer;
}
