// SPDX-License-Identifier: GPL-2.0
/*
 * view_chain - the wait chain of one task, as a tree of text or as JSON.
 *
 * The walk goes depth first over a stack of its own, so a chain may be of any
 * length; each task is told once.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "proc.h"
#include "text.h"
#include "view.h"
#include "xalloc.h"

/* Branches inside branches are indented up to here. */
#define MAX_INDENT	40

/** enum visit - how far the walk has got with a task */
enum visit { VISIT_NEW, VISIT_OPEN, VISIT_DONE };

/** struct hop - a task on the path being walked */
struct hop {
	uint32_t task;
	/** @next: [nr_next] the tasks able to end its wait, each once (owned) */
	uint32_t *next;
	uint32_t nr_next;
	/** @at: next to walk to */
	uint32_t at;
	/** @indent: of the hops behind this one */
	int indent;
};

/** struct chain - the walk */
struct chain {
	const struct world *w;
	struct remote *remote;
	/** @visit: [nr_tasks] */
	enum visit *visit;
	struct hop *hops;
	uint32_t nr_hops;
	/** @nodes, @ends: the JSON arrays; NULL when text is printed */
	struct json_object *nodes;
	struct json_object *ends;
};

/* One path ends at @task; @text says how, for people. */
static void end_path(struct chain *c, uint32_t task, int indent, const char *end, const char *text)
{
	struct json_object *o;

	if (!c->nodes) {
		printf("%*s%s\n", indent, "", text);
		return;
	}
	o = json_object_new_object();
	json_object_object_add(o, "tid", json_object_new_int(c->w->tasks[task].tid));
	json_object_object_add(o, "end", json_object_new_string(end));
	json_object_array_add(c->ends, o);
}

static void end_circle(struct chain *c, uint32_t task, int indent)
{
	char *name = describe_task(c->w, task);
	char *text = xasprintf("circle: back to %s: deadlock candidate; run gridlock check", name);

	end_path(c, task, indent, "circle", text);
	free(text);
	free(name);
}

static void end_running(struct chain *c, uint32_t task, int indent)
{
	const struct task *t = &c->w->tasks[task];
	char *name = describe_task(c->w, task);
	char where[TEXT_NAME_SIZE] = "", safe[TEXT_NAME_SIZE];
	char *text;

	if (t->state != 'R' && c->remote)
		proc_wchan(c->remote, t->tgid, t->tid, where, sizeof(where));
	if (t->exiting)
		text = xasprintf("running: %s has exited", name);
	else if (t->state == 'R')
		text = xasprintf("running: %s runs on a CPU, or is about to", name);
	else if (*where)
		text = xasprintf("running: %s waits for no lock (state %c), sleeps in %s", name,
				 t->state, text_escape(where, safe, sizeof(safe)));
	else
		text = xasprintf("running: %s waits for no lock (state %c)", name, t->state);
	end_path(c, task, indent, "running", text);
	free(text);
	free(name);
}

static void end_suspended(struct chain *c, uint32_t task, int indent)
{
	char *name = describe_task(c->w, task);
	char *text = xasprintf("suspended: %s is %s", name, c->w->tasks[task].suspended);

	end_path(c, task, indent, "suspended", text);
	free(text);
	free(name);
}

static void end_dead_owner(struct chain *c, uint32_t task, int indent, pid_t owner)
{
	char *text = owner ? xasprintf("dead owner: thread %d is gone", owner) :
			     xstrdup("dead owner: it is gone");

	end_path(c, task, indent, "dead-owner", text);
	free(text);
}

/* What the wait tells beside tasks to go on with. */
static void end_at_wait(struct chain *c, const struct hop *hop)
{
	const struct wait *wait = &c->w->waits[c->w->tasks[hop->task].wait];
	bool dead = false;

	for (uint32_t i = 0; i < wait->nr_blockers; i++) {
		const struct resource *r = &c->w->resources[wait->blockers[i]];

		if (r->dead) {
			end_dead_owner(c, hop->task, hop->indent, r->dead_tid);
			dead = true;
		}
	}
	if (!hop->nr_next && !dead)
		end_path(c, hop->task, hop->indent, "unknown", "unknown holder");
}

/* What is needed of several that follow, one indent deeper. */
static const char *branching(const struct world *w, const struct wait *wait)
{
	uint32_t most = 0;

	for (uint32_t i = 0; i < wait->nr_blockers; i++)
		if (w->resources[wait->blockers[i]].nr_releasers > most)
			most = w->resources[wait->blockers[i]].nr_releasers;
	if (wait->nr_blockers > 1 && wait->needs == NEEDS_ALL)
		return most > 1 ? "; of all these, one of each:" : "; all of these:";
	return most > 1 || wait->nr_blockers > 1 ? "; any of these:" : "";
}

static void print_hop(const struct world *w, uint32_t task, int indent)
{
	const struct wait *wait = &w->waits[w->tasks[task].wait];
	char since[32] = "for an unknown time";
	char *name = describe_task(w, task);
	char *what = describe_wait(wait);
	char *who = describe_blockers(w, wait);

	if (wait->begin_ns && wait->begin_ns <= w->taken_ns)
		text_duration(w->taken_ns - wait->begin_ns, since, sizeof(since));
	printf("%*s%s waits for %s, %s, %s %s%s\n", indent, "", name, what, since,
	       describe_relation(wait->kind), who, branching(w, wait));
	free(name);
	free(what);
	free(who);
}

static void add_node(struct chain *c, uint32_t task)
{
	struct json_object *o = view_json_waiter(c->w, task);
	char state[2] = { c->w->tasks[task].state };

	json_object_object_add(o, "state", json_object_new_string(state));
	json_object_array_add(c->nodes, o);
}

static int compare_index(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The tasks able to end the wait of @hop's task, each once. */
static void find_next(const struct world *w, struct hop *hop)
{
	const struct wait *wait = &w->waits[w->tasks[hop->task].wait];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < wait->nr_blockers; i++) {
		const struct resource *r = &w->resources[wait->blockers[i]];

		for (uint32_t k = 0; !r->dead && k < r->nr_releasers; k++)
			*vec_push(hop->next, hop->nr_next) = r->releasers[k];
	}
	if (!hop->nr_next)
		return;
	qsort(hop->next, hop->nr_next, sizeof(*hop->next), compare_index);
	for (uint32_t i = 0; i < hop->nr_next; i++)
		if (!i || hop->next[i] != hop->next[kept - 1])
			hop->next[kept++] = hop->next[i];
	hop->nr_next = kept;
}

/* Tell @task and, if it waits, make it the end of the path. */
static void enter(struct chain *c, uint32_t task, int indent)
{
	const struct task *t = &c->w->tasks[task];
	struct hop *hop;

	c->visit[task] = VISIT_DONE;
	if (c->nodes)
		add_node(c, task);
	if (t->wait != NO_INDEX && !c->nodes)
		print_hop(c->w, task, indent);
	if (t->suspended) {
		end_suspended(c, task, indent);
		return;
	}
	if (t->wait == NO_INDEX) {
		end_running(c, task, indent);
		return;
	}
	c->visit[task] = VISIT_OPEN;
	hop = vec_push(c->hops, c->nr_hops);
	hop->task = task;
	hop->indent = indent;
	find_next(c->w, hop);
	if (hop->nr_next > 1 && indent < MAX_INDENT)
		hop->indent += 2;
	end_at_wait(c, hop);
}

static void meet_again(struct chain *c, uint32_t task, int indent)
{
	char *name;

	if (c->visit[task] == VISIT_OPEN) {
		end_circle(c, task, indent);
	} else if (!c->nodes) {
		name = describe_task(c->w, task);
		printf("%*s%s: see above\n", indent, "", name);
		free(name);
	}
}

static void walk(struct chain *c, uint32_t task)
{
	enter(c, task, 0);
	while (c->nr_hops) {
		struct hop *hop = &c->hops[c->nr_hops - 1];
		uint32_t next;

		if (hop->at == hop->nr_next) {
			c->visit[hop->task] = VISIT_DONE;
			free(hop->next);
			c->nr_hops--;
			continue;
		}
		next = hop->next[hop->at++];
		if (c->visit[next] == VISIT_NEW)
			enter(c, next, hop->indent);
		else
			meet_again(c, next, hop->indent);
	}
}

void view_chain(const struct world *w, struct remote *remote, uint32_t task, bool json)
{
	struct chain c = { .w = w, .remote = remote };
	struct json_object *o;

	c.visit = xcalloc(w->nr_tasks, sizeof(*c.visit));
	if (json) {
		c.nodes = json_object_new_array();
		c.ends = json_object_new_array();
	}
	walk(&c, task);
	if (json) {
		o = json_object_new_object();
		json_object_object_add(o, "schema", json_object_new_string("gridlock.chain/1"));
		json_object_object_add(o, "tid", json_object_new_int(w->tasks[task].tid));
		json_object_object_add(o, "nodes", c.nodes);
		json_object_object_add(o, "ends", c.ends);
		view_json_print(o);
	}
	free(c.hops);
	free(c.visit);
}
