// SPDX-License-Identifier: GPL-2.0
/* picture - what of a world is drawn, and what of that is alike (picture.h) */
#include <string.h>

#include "finding.h"
#include "graph.h"
#include "picture.h"
#include "xalloc.h"

struct picture *picture_new(const struct world *w)
{
	struct picture *p = xcalloc(1, sizeof(*p));

	p->w = w;
	p->role = xcalloc(w->nr_tasks, sizeof(*p->role));
	p->set = xcalloc(w->nr_tasks, sizeof(*p->set));
	p->verdict = xcalloc(w->nr_tasks, sizeof(*p->verdict));
	p->waiter = xcalloc(w->nr_resources, sizeof(*p->waiter));
	p->core = xcalloc(w->nr_resources, sizeof(*p->core));
	return p;
}

void picture_free(struct picture *p)
{
	free(p->role);
	free(p->set);
	free(p->verdict);
	free(p->box);
	free(p->waiter);
	free(p->core);
	free(p->frees_off);
	free(p->frees);
	free(p);
}

const char *role_name(enum role role)
{
	static const char *const names[] = {
		[ROLE_NONE] = "none",
		[ROLE_VICTIM] = "victim",
		[ROLE_ORPHAN] = "orphaned-lock",
		[ROLE_TRANSIENT] = "transient-cycle",
		[ROLE_DEADLOCK] = "deadlock",
	};

	return names[role];
}

static enum role member_role(enum finding_type type)
{
	switch (type) {
	case FINDING_DEADLOCK:
		return ROLE_DEADLOCK;
	case FINDING_TRANSIENT_CYCLE:
		return ROLE_TRANSIENT;
	case FINDING_ORPHANED_LOCK:
		return ROLE_ORPHAN;
	default:
		return ROLE_NONE;
	}
}

/* The findings may be about a later look: a thread is its TID and start time. */
static void mark_task(struct picture *p, const struct task *t, enum role role,
		      const struct finding *f)
{
	uint32_t task = world_find_task(p->w, t->tid);

	if (task == NO_INDEX || p->w->tasks[task].start_ticks != t->start_ticks ||
	    p->role[task] >= role)
		return;
	p->role[task] = role;
	p->set[task] = p->nr_sets;
	p->verdict[task] = f->verdict;
}

void picture_mark(struct picture *p, const struct world *from, const struct finding *f)
{
	enum role role = member_role(f->type);

	if (role == ROLE_NONE)
		return;
	p->nr_sets++;
	for (uint32_t i = 0; i < f->nr_tasks; i++)
		mark_task(p, &from->tasks[f->tasks[i]], role, f);
	for (uint32_t i = 0; i < f->nr_victims; i++)
		mark_task(p, &from->tasks[f->victims[i]], ROLE_VICTIM, f);
}

static const struct wait *wait_of(const struct world *w, uint32_t task)
{
	return w->tasks[task].wait == NO_INDEX ? NULL : &w->waits[w->tasks[task].wait];
}

static bool in_circle(const struct picture *p, uint32_t task)
{
	return p->role[task] >= ROLE_TRANSIENT;
}

/* Wanted by a member of a core, and releasable by members of that core alone. */
static uint32_t core_of(const struct picture *p, uint32_t waiter, uint32_t resource)
{
	const struct resource *r = &p->w->resources[resource];

	if (!in_circle(p, waiter) || r->dead || r->unknown)
		return 0;
	for (uint32_t i = 0; i < r->nr_releasers; i++)
		if (!in_circle(p, r->releasers[i]) || p->set[r->releasers[i]] != p->set[waiter])
			return 0;
	return r->nr_releasers ? p->set[waiter] : 0;
}

static void choose_resources(struct picture *p)
{
	const struct world *w = p->w;

	for (uint32_t r = 0; r < w->nr_resources; r++)
		p->waiter[r] = NO_INDEX;
	for (uint32_t t = 0; t < w->nr_tasks; t++) {
		const struct wait *wait = wait_of(w, t);

		for (uint32_t i = 0; wait && i < wait->nr_blockers; i++) {
			uint32_t r = wait->blockers[i];

			if (p->waiter[r] == NO_INDEX || (in_circle(p, t) && !p->core[r])) {
				p->waiter[r] = t;
				p->core[r] = core_of(p, t, r);
			}
		}
	}
}

/* What each task can release, by counting sort; resources ascending. */
static void turn_releasers(struct picture *p)
{
	const struct world *w = p->w;
	uint32_t *start = xcalloc((size_t)w->nr_tasks + 2, sizeof(*start));

	for (uint32_t r = 0; r < w->nr_resources; r++)
		for (uint32_t i = 0; i < w->resources[r].nr_releasers; i++)
			start[w->resources[r].releasers[i] + 2]++;
	for (uint32_t t = 2; t < w->nr_tasks + 2; t++)
		start[t] += start[t - 1];
	p->frees = xcalloc(start[w->nr_tasks + 1], sizeof(*p->frees));
	for (uint32_t r = 0; r < w->nr_resources; r++)
		for (uint32_t i = 0; i < w->resources[r].nr_releasers; i++)
			p->frees[start[w->resources[r].releasers[i] + 1]++] = r;
	p->frees_off = start;
}

static int compare(uint64_t x, uint64_t y)
{
	return (x > y) - (x < y);
}

static int compare_lists(const uint32_t *x, uint32_t nr_x, const uint32_t *y, uint32_t nr_y)
{
	if (nr_x != nr_y)
		return compare(nr_x, nr_y);
	return nr_x ? memcmp(x, y, nr_x * sizeof(*x)) : 0;
}

static int compare_waits(const struct wait *x, const struct wait *y)
{
	int order;

	if (!x || !y)
		return compare(!!x, !!y);
	order = compare(x->kind, y->kind);
	if (!order)
		order = compare(x->mode, y->mode);
	if (!order)
		order = compare(x->needs, y->needs);
	if (!order)
		order = compare(x->timed, y->timed);
	if (!order)
		order = compare(x->unknown_releaser, y->unknown_releaser);
	if (!order)
		order = compare_lists(x->blockers, x->nr_blockers, y->blockers, y->nr_blockers);
	return order;
}

/* Zero for tasks whose part in the graph is the same. */
static int compare_parts(const struct picture *p, uint32_t x, uint32_t y)
{
	const struct world *w = p->w;
	const uint32_t *off = p->frees_off;
	int order = compare(p->role[x], p->role[y]);

	if (!order)
		order = compare(p->set[x], p->set[y]);
	if (!order)
		order = compare(!!w->tasks[x].suspended, !!w->tasks[y].suspended);
	if (!order)
		order = compare(w->tasks[x].exiting, w->tasks[y].exiting);
	if (!order)
		order = compare_waits(wait_of(w, x), wait_of(w, y));
	if (!order)
		order = compare_lists(&p->frees[off[x]], off[x + 1] - off[x], &p->frees[off[y]],
				      off[y + 1] - off[y]);
	return order;
}

static int compare_tasks(const void *a, const void *b, void *arg)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	int order = compare_parts(arg, x, y);

	return order ? order : compare(x, y);
}

static bool is_drawn(const struct picture *p, uint32_t task)
{
	const struct wait *wait = wait_of(p->w, task);

	return p->role[task] != ROLE_NONE || (wait && wait->nr_blockers) ||
	       p->frees_off[task + 1] > p->frees_off[task];
}

static void add_box(struct picture *p, uint32_t task, uint32_t nr, bool more)
{
	*vec_push(p->box, p->nr_boxes) = (struct box){ .task = task, .nr = nr, .more = more };
}

static void add_alike(struct picture *p, const uint32_t *task, uint32_t nr)
{
	uint32_t single = nr > PICTURE_MAX_ALIKE ? 1 : nr;

	for (uint32_t i = 0; i < single; i++)
		add_box(p, task[i], 1, false);
	if (single < nr)
		add_box(p, task[single], nr - single, true);
}

static int compare_boxes(const void *a, const void *b)
{
	const struct box *x = a, *y = b;

	return compare(x->task, y->task);
}

void picture_draw(struct picture *p)
{
	uint32_t *task = NULL;
	uint32_t nr = 0, first = 0;

	choose_resources(p);
	turn_releasers(p);
	for (uint32_t t = 0; t < p->w->nr_tasks; t++) {
		if (is_drawn(p, t))
			*vec_push(task, nr) = t;
		else if (p->w->tasks[t].wait != NO_INDEX)
			p->nr_left_out++;
	}
	if (nr)
		qsort_r(task, nr, sizeof(*task), compare_tasks, p);
	for (uint32_t i = 1; i <= nr; i++) {
		if (i < nr && !compare_parts(p, task[first], task[i]))
			continue;
		add_alike(p, &task[first], i - first);
		first = i;
	}
	if (p->nr_boxes)
		qsort(p->box, p->nr_boxes, sizeof(*p->box), compare_boxes);
	free(task);
}
