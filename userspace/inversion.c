// SPDX-License-Identifier: GPL-2.0
/* inversion - two locks that two threads took in opposite orders (inversion.h) */
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "inversion.h"
#include "xalloc.h"

static const char *lesser(const struct taking *t)
{
	return strcmp(t->held, t->wanted) < 0 ? t->held : t->wanted;
}

static const char *greater(const struct taking *t)
{
	return strcmp(t->held, t->wanted) < 0 ? t->wanted : t->held;
}

static int compare_locks(const struct taking *x, const struct taking *y)
{
	return strcmp(lesser(x), lesser(y)) ?: strcmp(greater(x), greater(y));
}

/* By the two locks, then by which of them was held, then as they were seen. */
static int compare_takings(const void *a, const void *b)
{
	const struct taking *x = a, *y = b;
	int order = compare_locks(x, y) ?: strcmp(x->held, y->held);

	if (order)
		return order;
	return x->from < y->from ? -1 : x->from > y->from;
}

static char *key_of(const struct taking *t)
{
	return xasprintf("%s, %s", lesser(t), greater(t));
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/** struct search - what is asked about one pair of locks after the other */
struct search {
	const struct takings *all;
	/** @told: [nr_told] keys of what was found before, sorted */
	char **told;
	uint32_t nr_told;
	struct findings *found;
};

static void read_told(struct search *s)
{
	for (uint32_t i = 0; i < s->found->nr; i++) {
		const struct finding *f = &s->found->finding[i];

		if (f->type == FINDING_LOCK_INVERSION && f->key)
			*vec_push(s->told, s->nr_told) = xstrdup(f->key);
	}
	if (s->nr_told)
		qsort(s->told, s->nr_told, sizeof(*s->told), compare_keys);
}

static void free_told(struct search *s)
{
	for (uint32_t i = 0; i < s->nr_told; i++)
		free(s->told[i]);
	free(s->told);
}

static bool is_told(const struct search *s, char *key)
{
	return s->nr_told && bsearch(&key, s->told, s->nr_told, sizeof(*s->told), compare_keys);
}

static void add(const struct search *s, const struct taking *a, const struct taking *b)
{
	char *key = key_of(a);
	struct finding *f;

	if (is_told(s, key)) {
		free(key);
		return;
	}
	f = findings_add(s->found, FINDING_LOCK_INVERSION);
	*vec_push(f->tasks, f->nr_tasks) = window_find(s->all->w, a->task);
	*vec_push(f->tasks, f->nr_tasks) = window_find(s->all->w, b->task);
	finding_sort(s->all->w, f->tasks, f->nr_tasks);
	f->key = key;
	finding_cap(f, VERDICT_POSSIBLE, "nobody was stuck yet");
	finding_add_text(f, "order", s->all->describe(s->all, a));
	finding_add_text(f, "opposite", s->all->describe(s->all, b));
}

/* For each of the two locks: one has it, and keeps the other one from it. */
static bool can_meet(const struct taking *a, const struct taking *b)
{
	return !(a->held_shared && b->wanted_shared) && !(a->wanted_shared && b->held_shared);
}

/* The takings of one pair of locks: any of the one direction with any of the other. */
static void find_in(const struct search *s, uint32_t start, uint32_t end)
{
	const struct taking *t = s->all->taking;
	uint32_t turn = start + 1;

	while (turn < end && !strcmp(t[start].held, t[turn].held))
		turn++;
	for (uint32_t i = start; i < turn; i++) {
		for (uint32_t k = turn; k < end; k++) {
			if (!window_task_compare(t[i].task, t[k].task) ||
			    !can_meet(&t[i], &t[k]) ||
			    s->all->share_a_gate(s->all, &t[i], &t[k]))
				continue;
			add(s, &t[i], &t[k]);
			return;
		}
	}
}

void takings_begin(struct takings *all, const struct world *w, const struct findings *found)
{
	all->w = w;
	all->explained = xcalloc(w->nr_tasks, sizeof(*all->explained));
	findings_mark(found, FINDING_DEADLOCK, true, all->explained);
	findings_mark(found, FINDING_TRANSIENT_CYCLE, true, all->explained);
}

bool takings_want(const struct takings *all, const struct window_task *task)
{
	uint32_t index = window_find(all->w, task);

	return index != NO_INDEX && !all->explained[index];
}

void takings_end(struct takings *all, struct findings *found)
{
	struct search s = { .all = all, .found = found };

	read_told(&s);
	if (all->nr)
		qsort(all->taking, all->nr, sizeof(*all->taking), compare_takings);
	for (uint32_t start = 0, end; start < all->nr; start = end) {
		end = start + 1;
		while (end < all->nr && !compare_locks(&all->taking[start], &all->taking[end]))
			end++;
		find_in(&s, start, end);
	}
	free_told(&s);
	free(all->taking);
	free(all->explained);
}
