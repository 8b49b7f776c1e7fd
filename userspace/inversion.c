// SPDX-License-Identifier: GPL-2.0
/* inversion - two locks that two threads took in opposite orders (inversion.h) */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "finding.h"
#include "inversion.h"
#include "text.h"
#include "xalloc.h"

/* Ids of one source are mostly the very same string. */
static bool is_same(const char *a, const char *b)
{
	return a == b || !strcmp(a, b);
}

static const char *lesser(const struct taking *t)
{
	return strcmp(t->held, t->wanted) < 0 ? t->held : t->wanted;
}

static const char *greater(const struct taking *t)
{
	return strcmp(t->held, t->wanted) < 0 ? t->wanted : t->held;
}

/* Of the takings of two locks: by which of them was held, then as they were seen. */
static int compare_takings(const void *a, const void *b)
{
	const struct taking *x = a, *y = b;

	if (!is_same(x->held, y->held))
		return strcmp(x->held, y->held);
	return x->from < y->from ? -1 : x->from > y->from;
}

static char *key_of(const struct taking *t)
{
	const char *const part[] = { lesser(t), ", ", greater(t) };

	return text_join(part, ARRAY_SIZE(part));
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
	f->tasks = xcalloc(2, sizeof(*f->tasks));
	f->tasks[f->nr_tasks++] = window_find(s->all->w, a->task);
	f->tasks[f->nr_tasks++] = window_find(s->all->w, b->task);
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

	while (turn < end && is_same(t[start].held, t[turn].held))
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

/** struct pairs - the takings by pair of locks; pairs as they were first seen */
struct pairs {
	/** @of_taking: [nr_takings] number of its pair */
	uint32_t *of_taking;
	/** @slot: [nr_slots] a taking of each pair, from 1; 0: free. At most half in use */
	uint32_t *slot;
	uint32_t nr_slots;
	/** @end: [nr] where those of the pair end, once they are sorted */
	uint32_t *end;
	uint32_t nr;
};

static bool is_of_one_pair(const struct taking *x, const struct taking *y)
{
	return (is_same(x->held, y->held) && is_same(x->wanted, y->wanted)) ||
	       (is_same(x->held, y->wanted) && is_same(x->wanted, y->held));
}

static uint32_t hash_id(const char *id)
{
	return text_hash(TEXT_HASH, id, strlen(id));
}

static uint32_t number_of_pair(struct pairs *p, const struct taking *taking, uint32_t i)
{
	/* Whichever of the two was held. */
	uint32_t hash = hash_id(taking[i].held) + hash_id(taking[i].wanted);

	for (;; hash++) {
		uint32_t *slot = &p->slot[hash & (p->nr_slots - 1)];

		if (*slot && !is_of_one_pair(&taking[*slot - 1], &taking[i]))
			continue;
		if (*slot)
			return p->of_taking[*slot - 1];
		*slot = i + 1;
		*vec_push(p->end, p->nr) = 0;
		return p->nr - 1;
	}
}

/* By pair, by counting sort. */
static void sort_takings(struct takings *all, struct pairs *p)
{
	struct taking *sorted = xcalloc(all->nr, sizeof(*sorted));

	for (uint32_t i = 0; i < all->nr; i++)
		p->end[p->of_taking[i]]++;
	for (uint32_t i = 1; i < p->nr; i++)
		p->end[i] += p->end[i - 1];
	for (uint32_t i = all->nr; i--;)
		sorted[--p->end[p->of_taking[i]]] = all->taking[i];
	/* Each is where the pair begins by now: the next one's is where it ends. */
	for (uint32_t i = 0; i < p->nr; i++)
		p->end[i] = i + 1 < p->nr ? p->end[i + 1] : all->nr;
	free(all->taking);
	all->taking = sorted;
}

static void find_pairs(struct takings *all, struct pairs *p)
{
	for (p->nr_slots = 64; p->nr_slots < 2 * all->nr;)
		p->nr_slots *= 2;
	p->slot = xcalloc(p->nr_slots, sizeof(*p->slot));
	p->of_taking = xcalloc(all->nr, sizeof(*p->of_taking));
	for (uint32_t i = 0; i < all->nr; i++)
		p->of_taking[i] = number_of_pair(p, all->taking, i);
	sort_takings(all, p);
	free(p->of_taking);
	free(p->slot);
}

void takings_end(struct takings *all, struct findings *found)
{
	struct search s = { .all = all, .found = found };
	struct pairs pairs = { 0 };

	read_told(&s);
	find_pairs(all, &pairs);
	for (uint32_t i = 0, start = 0; i < pairs.nr; start = pairs.end[i++]) {
		xqsort(&all->taking[start], pairs.end[i] - start, sizeof(*all->taking),
		       compare_takings);
		find_in(&s, start, pairs.end[i]);
	}
	free(pairs.end);
	free_told(&s);
	free(all->taking);
	free(all->explained);
}
