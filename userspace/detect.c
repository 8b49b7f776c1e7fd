// SPDX-License-Identifier: GPL-2.0
/* detect - the table of detectors, and the list that they add to (finding.h) */
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "finding.h"
#include "graph.h"
#include "way_out.h"
#include "xalloc.h"

/* In this order: a later one leaves out tasks that an earlier one explains. */
static const struct detector *const detectors[] = {
	&detect_deadlock,
	&detect_transient,
	&detect_orphan,
	&detect_starvation,
	&detect_livelock,
	&detect_cpu,
	&detect_priority,
	&detect_long_wait,
	&detect_order,
	&detect_nesting,
};

const struct limits limits_default = {
	.long_wait_ns = 10000000000ULL,
	.starvation_ns = 1000000000ULL,
	.overtaken = 8,
	.cpu_starvation_ns = 1000000000ULL,
	.cpu_looks = 8,
	.inversion_ns = 500000000ULL,
	.livelock_ns = 1500000000ULL,
	.attempts = 20,
};

static int compare_findings(const void *a, const void *b, void *arg)
{
	const struct world *w = arg;
	const struct finding *x = a, *y = b;

	if (x->type != y->type)
		return x->type < y->type ? -1 : 1;
	for (uint32_t i = 0; i < x->nr_tasks && i < y->nr_tasks; i++) {
		pid_t x_tid = w->tasks[x->tasks[i]].tid;
		pid_t y_tid = w->tasks[y->tasks[i]].tid;

		if (x_tid != y_tid)
			return x_tid < y_tid ? -1 : 1;
	}
	if (x->nr_tasks != y->nr_tasks)
		return x->nr_tasks < y->nr_tasks ? -1 : 1;
	if (x->key && y->key)
		return strcmp(x->key, y->key);
	return (int)y->verdict - (int)x->verdict;
}

void findings_detect(const struct world *w, const struct limits *limits, struct findings *found)
{
	struct graph *g = graph_build(w);

	for (size_t i = 0; i < ARRAY_SIZE(detectors); i++)
		detectors[i]->detect(w, g, limits, found);
	xqsort_r(found->finding, found->nr, sizeof(*found->finding), compare_findings, (void *)w);
	graph_free(g);
}

struct finding *findings_add(struct findings *found, enum finding_type type)
{
	struct finding *f = vec_push(found->finding, found->nr);

	f->type = type;
	f->verdict = VERDICT_CONFIRMED;
	f->root = NO_INDEX;
	return f;
}

void finding_clear(struct finding *f)
{
	free(f->tasks);
	free(f->circle);
	free(f->victims);
	for (int k = 0; k < 4; k++)
		free(f->coffman[k]);
	way_out_free(f->way_out);
	free(f->key);
	free(f->roles);
	for (uint32_t k = 0; k < f->nr_facts; k++)
		free(f->facts[k].text);
	free(f->facts);
}

void finding_add_role(struct finding *f, const char *name, uint32_t task)
{
	*vec_push(f->roles, f->nr_roles) = (struct finding_role){ name, task };
}

void finding_add_fact(struct finding *f, const char *name, enum unit unit, double number)
{
	*vec_push(f->facts, f->nr_facts) = (struct fact){
		.name = name, .task = NO_INDEX, .unit = unit, .number = number
	};
}

void finding_add_text(struct finding *f, const char *name, char *text)
{
	*vec_push(f->facts, f->nr_facts) = (struct fact){
		.name = name, .task = NO_INDEX, .unit = UNIT_TEXT, .text = text
	};
}

void findings_free(struct findings *found)
{
	for (uint32_t i = 0; i < found->nr; i++)
		finding_clear(&found->finding[i]);
	free(found->finding);
	*found = (struct findings){ 0 };
}

void finding_cap(struct finding *f, enum verdict cap, const char *reason)
{
	if (cap >= f->verdict)
		return;
	f->verdict = cap;
	f->reason = reason;
}

void findings_mark(const struct findings *found, enum finding_type type, bool victims, bool *mark)
{
	for (uint32_t i = 0; i < found->nr; i++) {
		const struct finding *f = &found->finding[i];

		if (type != NR_FINDING_TYPES && type != f->type)
			continue;
		for (uint32_t k = 0; k < f->nr_tasks; k++)
			mark[f->tasks[k]] = true;
		for (uint32_t k = 0; victims && k < f->nr_victims; k++)
			mark[f->victims[k]] = true;
	}
}

static int compare_tids(const void *a, const void *b, void *arg)
{
	const struct world *w = arg;
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	if (w->tasks[x].tid != w->tasks[y].tid)
		return w->tasks[x].tid < w->tasks[y].tid ? -1 : 1;
	return x < y ? -1 : x > y;
}

void finding_sort(const struct world *w, uint32_t *tasks, uint32_t nr)
{
	xqsort_r(tasks, nr, sizeof(*tasks), compare_tids, (void *)w);
}

void finding_add_victims(struct finding *f, const struct world *w, struct walk *walk,
			 const bool *stuck, const bool *told)
{
	uint32_t nr = walk_victims(walk, stuck, f->tasks, f->nr_tasks, &f->victims);

	f->nr_victims = 0;
	for (uint32_t i = 0; i < nr; i++)
		if (!told[f->victims[i]])
			f->victims[f->nr_victims++] = f->victims[i];
	finding_sort(w, f->victims, f->nr_victims);
}

uint32_t finding_set(const struct world *w, const bool *mark, uint32_t **ret)
{
	uint32_t nr = 0;

	*ret = NULL;
	for (uint32_t t = 0; t < w->nr_tasks; t++)
		if (mark[t])
			*vec_push(*ret, nr) = t;
	finding_sort(w, *ret, nr);
	return nr;
}

const char *finding_type_name(enum finding_type type)
{
#define FINDING_NAME(name, string) [FINDING_##name] = string,
	static const char *const names[] = { FINDING_LIST(FINDING_NAME) };
#undef FINDING_NAME

	return names[type];
}
