// SPDX-License-Identifier: GPL-2.0
/* worlds - worlds and answers in one line (worlds.h) */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "way_out.h"
#include "worlds.h"
#include "xalloc.h"

#define SECOND_NS 1000000000ULL

static void complain(const char *word)
{
	fprintf(stderr, "worlds: cannot read '%s'\n", word);
	abort();
}

static uint32_t task_of(struct world *w, pid_t tid)
{
	uint32_t task = world_find_task(w, tid);

	if (task != NO_INDEX)
		return task;
	world_add_task(w, tid, tid)->state = 'S';
	return w->nr_tasks - 1;
}

static uint32_t resource_named(struct world *w, const char *name, size_t len)
{
	char *key = strndup(name, len);
	bool is_new;
	uint32_t r = world_resource(w, key, &is_new);

	if (is_new) {
		w->resources[r].evidence = EVIDENCE_RECORDED;
		w->resources[r].held = MODE_EXCLUSIVE;
	}
	free(key);
	return r;
}

/* "a&b~" after "1>" */
static void read_wait(struct world *w, uint32_t task, const char *at)
{
	struct wait *wait = world_add_wait(w, task, GL_KIND_FLOCK);

	wait->mode = MODE_EXCLUSIVE;
	wait->begin_ns = WORLD_NOW_NS - 20 * SECOND_NS;
	wait->needs = strchr(at, '|') ? NEEDS_ANY : NEEDS_ALL;
	while (*at) {
		size_t len = strcspn(at, "&|~?");

		if (len)
			world_block_on(w, wait, resource_named(w, at, len));
		at += len;
		if (*at == '?')
			wait->unknown_releaser = true;
		if (*at == '~') {
			wait->timed = at[1] == '?' ? TIMED_UNKNOWN : TIMED_YES;
			break;
		}
		at += *at != '\0';
	}
}

/* "1,2" after "a=" */
static void read_releasers(struct world *w, uint32_t resource, char *at)
{
	while (*at) {
		if (isdigit(*at)) {
			world_add_releaser(w, resource, task_of(w, strtol(at, &at, 10)));
			continue;
		}
		if (*at == '?')
			w->resources[resource].unknown = true;
		else if (*at == '+')
			w->resources[resource].dead = true;
		else if (*at != ',')
			complain(at);
		at++;
	}
}

static void read_task(struct world *w, char *word)
{
	char *after;
	pid_t tid = strtol(word, &after, 10);
	uint32_t task;

	if (*after == '@')
		world_add_task(w, tid, strtol(after + 1, &after, 10))->state = 'S';
	task = task_of(w, tid);
	if (*after == '>')
		read_wait(w, task, after + 1);
	else if (!strcmp(after, "x"))
		w->tasks[task].exiting = true;
	else if (!strcmp(after, "s"))
		w->tasks[task].suspended = "stopped";
	else if (*after)
		complain(word);
}

static void read_word(struct world *w, char *word)
{
	char *equals = strchr(word, '=');

	if (isdigit(*word))
		read_task(w, word);
	else if (equals)
		read_releasers(w, resource_named(w, word, equals - word), equals + 1);
	else
		complain(word);
}

struct world *world_of(const char *text)
{
	struct world *w = world_new(NULL, NULL);
	char *copy = xstrdup(text), *rest = copy, *word;

	w->taken_ns = WORLD_NOW_NS;
	while ((word = strsep(&rest, " ")))
		if (*word)
			read_word(w, word);
	free(copy);
	return w;
}

struct wait *wait_of(const struct world *w, pid_t tid)
{
	return &w->waits[w->tasks[world_find_task(w, tid)].wait];
}

struct resource *resource_of(struct world *w, const char *key)
{
	return &w->resources[resource_named(w, key, strlen(key))];
}

/* Text that is printed into, and taken at the end. */
struct text {
	FILE *out;
	char *text;
	size_t size;
};

static void text_open(struct text *t)
{
	t->out = open_memstream(&t->text, &t->size);
}

static char *text_take(struct text *t)
{
	fclose(t->out);
	return t->text;
}

char *ring_of(unsigned int nr)
{
	struct text t;

	text_open(&t);
	for (unsigned int i = 1; i <= nr; i++)
		fprintf(t.out, "%u>r%u r%u=%u ", i, i, i, i % nr + 1);
	return text_take(&t);
}

char *chain_of(unsigned int nr)
{
	struct text t;

	text_open(&t);
	for (unsigned int i = 1; i < nr; i++)
		fprintf(t.out, "%u>r%u r%u=%u ", i, i, i, i + 1);
	return text_take(&t);
}

static void print_tasks(FILE *out, const struct world *w, const uint32_t *task, uint32_t nr,
			const char *separator)
{
	for (uint32_t i = 0; i < nr; i++)
		fprintf(out, "%s%d", i ? separator : "", w->tasks[task[i]].tid);
}

static void print_marked(FILE *out, const struct world *w, const bool *mark)
{
	uint32_t *set, nr = finding_set(w, mark, &set);

	print_tasks(out, w, set, nr, " ");
	free(set);
}

char *say_stuck(const struct world *w, bool timers_run)
{
	bool *stuck = xcalloc(w->nr_tasks, sizeof(*stuck));
	struct graph *g = graph_build(w);
	struct text t;

	text_open(&t);
	graph_reduce(g, timers_run, stuck);
	print_marked(t.out, w, stuck);
	graph_free(g);
	free(stuck);
	return text_take(&t);
}

char *say_cores(const struct world *w)
{
	bool *stuck = xcalloc(w->nr_tasks, sizeof(*stuck));
	struct graph *g = graph_build(w);
	struct cores *c;
	struct text t;

	text_open(&t);
	graph_reduce(g, true, stuck);
	c = graph_cores(g, stuck);
	for (uint32_t i = 0; i < c->nr; i++) {
		fputs(i ? "; " : "", t.out);
		print_tasks(t.out, w, &c->task[c->off[i]], c->off[i + 1] - c->off[i], " ");
	}
	cores_free(c);
	graph_free(g);
	free(stuck);
	return text_take(&t);
}

static uint32_t read_set(const struct world *w, const char *tids, uint32_t *set)
{
	uint32_t nr = 0;
	char *end;

	for (; *tids; tids = end)
		set[nr++] = world_find_task(w, strtol(tids, &end, 10));
	return nr;
}

char *say_victims(const struct world *w, const char *tids)
{
	uint32_t *set = xcalloc(w->nr_tasks, sizeof(*set)), nr = read_set(w, tids, set);
	bool *stuck = xcalloc(w->nr_tasks, sizeof(*stuck));
	struct graph *g = graph_build(w);
	struct walk *walk = walk_new(g);
	uint32_t *victims, nr_victims;
	struct text t;

	text_open(&t);
	graph_reduce(g, true, stuck);
	nr_victims = walk_victims(walk, stuck, set, nr, &victims);
	finding_sort(w, victims, nr_victims);
	print_tasks(t.out, w, victims, nr_victims, " ");
	walk_free(walk);
	graph_free(g);
	free(stuck);
	free(victims);
	free(set);
	return text_take(&t);
}

char *say_circle(const struct world *w, const char *tids)
{
	uint32_t *set = xcalloc(w->nr_tasks, sizeof(*set)), nr = read_set(w, tids, set);
	uint32_t *circle = xcalloc(w->nr_tasks, sizeof(*circle));
	struct graph *g = graph_build(w);
	struct walk *walk = walk_new(g);
	struct text t;

	text_open(&t);
	print_tasks(t.out, w, circle, walk_circle(walk, set, nr, circle), ">");
	walk_free(walk);
	graph_free(g);
	free(circle);
	free(set);
	return text_take(&t);
}

char *say_way_out(const struct world *w)
{
	const struct limits limits = { 0 };
	struct findings found = { 0 };
	struct way_out *way;
	struct text t;

	text_open(&t);
	findings_detect(w, &limits, &found);
	way = way_out_find(w, &found.finding[0], UINT64_MAX);
	if (way->task == NO_INDEX)
		fprintf(t.out, "none of %u", way->nr_tried);
	else
		fprintf(t.out, "%d ends %u frees ", w->tasks[way->task].tid, way->nr_ends);
	print_tasks(t.out, w, way->frees, way->nr_frees, " ");
	way_out_free(way);
	findings_free(&found);
	return text_take(&t);
}

char *say_findings(const struct world *w)
{
	struct findings found = { 0 };
	struct text t;

	text_open(&t);
	findings_detect(w, &limits_default, &found);
	for (uint32_t i = 0; i < found.nr; i++) {
		const struct finding *f = &found.finding[i];

		fprintf(t.out, "%s%s %s ", i ? "; " : "", finding_type_name(f->type),
			verdict_name(f->verdict));
		print_tasks(t.out, w, f->tasks, f->nr_tasks, " ");
		fputs(f->nr_victims ? " behind " : "", t.out);
		print_tasks(t.out, w, f->victims, f->nr_victims, " ");
		if (f->root != NO_INDEX)
			fprintf(t.out, " to %d", w->tasks[f->root].tid);
		for (uint32_t k = 0; k < f->nr_roles; k++)
			fprintf(t.out, " %s %d", f->roles[k].name, w->tasks[f->roles[k].task].tid);
	}
	findings_free(&found);
	return text_take(&t);
}
