// SPDX-License-Identifier: GPL-2.0
/*
 * cores - the deadlocks among the stuck tasks.
 *
 * A round takes one candidate set, reduces it with everybody outside able to
 * run, and splits what is left into strongly connected components, by Tarjan
 * (1972), with a stack of our own: a chain can be as long as there are tasks.
 * A set that comes through whole is a core; else its components are the next
 * candidates. Resources are nodes too, which keeps 200 waiters for one lock
 * with 200 releasers at 400 edges.
 */
#include <string.h>

#include "graph.h"
#include "reduce.h"
#include "xalloc.h"

/* Index of a node that belongs to a component already. */
#define DONE	UINT32_MAX

/** struct slice - a candidate: part of search.task */
struct slice {
	uint32_t start;
	uint32_t nr;
};

/** struct frame - a node whose edges are being followed */
struct frame {
	uint32_t node;
	/** @edge: next edge, index into graph.need or graph.by */
	uint32_t edge;
};

/** struct search - one search for cores; node = task, or nr_tasks + resource */
struct search {
	const struct graph *g;
	struct reduction red;
	/** @task: stuck tasks; each candidate is a slice of it */
	uint32_t *task;
	/** @todo: [nr_todo] candidates */
	struct slice *todo;
	uint32_t nr_todo;
	/** @last_set: the last number given to a candidate */
	uint32_t last_set;
	/** @index: [nodes] order of discovery, from 1; 0: not seen; or DONE */
	uint32_t *index;
	/** @low: [nodes] smallest index known to be reachable */
	uint32_t *low;
	uint32_t last_index;
	/** @frame: [nr_frames] from the start node to where the search is */
	struct frame *frame;
	uint32_t nr_frames;
	/** @path: [nr_path] nodes seen that belong to no component yet */
	uint32_t *path;
	uint32_t nr_path;
	/** @out: [nr_out] tasks of the components found in this round */
	uint32_t *out;
	uint32_t nr_out;
	/** @core: [nr_tasks] number of the core that the task is in; 0: none */
	uint32_t *core;
	uint32_t nr_cores;
};

static void search_init(struct search *s, const struct graph *g)
{
	size_t nr_nodes = (size_t)g->nr_tasks + g->nr_resources;

	*s = (struct search){
		.g = g,
		.task = xcalloc(g->nr_tasks, sizeof(*s->task)),
		.index = xcalloc(nr_nodes, sizeof(*s->index)),
		.low = xcalloc(nr_nodes, sizeof(*s->low)),
		.frame = xcalloc(nr_nodes, sizeof(*s->frame)),
		.path = xcalloc(nr_nodes, sizeof(*s->path)),
		.out = xcalloc(g->nr_tasks, sizeof(*s->out)),
		.core = xcalloc(g->nr_tasks, sizeof(*s->core)),
	};
	reduction_init(&s->red, g, false);
}

static void search_free(struct search *s)
{
	reduction_free(&s->red);
	free(s->task);
	free(s->todo);
	free(s->index);
	free(s->low);
	free(s->frame);
	free(s->path);
	free(s->out);
	free(s->core);
}

static void push_candidate(struct search *s, uint32_t start, uint32_t nr)
{
	*vec_push(s->todo, s->nr_todo) = (struct slice){ start, nr };
}

static void enter(struct search *s, uint32_t node)
{
	const struct graph *g = s->g;

	s->index[node] = ++s->last_index;
	s->low[node] = s->index[node];
	s->path[s->nr_path++] = node;
	s->frame[s->nr_frames++] = (struct frame){
		.node = node,
		.edge = node < g->nr_tasks ? g->need_off[node] : g->by_off[node - g->nr_tasks],
	};
}

/* The next node that the frame's node leads to, inside the candidate. */
static bool next_node(const struct search *s, struct frame *frame, uint32_t *ret)
{
	const struct graph *g = s->g;
	uint32_t resource;

	if (frame->node >= g->nr_tasks) {
		/* Only blocked resources are entered: their releasers are inside. */
		if (frame->edge == g->by_off[frame->node - g->nr_tasks + 1])
			return false;
		*ret = g->by[frame->edge++];
		return true;
	}
	while (frame->edge < g->need_off[frame->node + 1]) {
		resource = g->need[frame->edge++];
		if (s->red.blocked[resource]) {
			*ret = g->nr_tasks + resource;
			return true;
		}
	}
	return false;
}

/*
 * @node is the first seen of a component: take it off the path. One without a
 * resource is a task on no circle, and that is no candidate.
 */
static void close_component(struct search *s, uint32_t node, uint32_t start)
{
	uint32_t first = s->nr_out, member;
	bool circle = false;

	do {
		member = s->path[--s->nr_path];
		s->index[member] = DONE;
		if (member < s->g->nr_tasks)
			s->out[s->nr_out++] = member;
		else
			circle = true;
	} while (member != node);
	if (circle)
		push_candidate(s, start + first, s->nr_out - first);
	else
		s->nr_out = first;
}

static void search_from(struct search *s, uint32_t node, uint32_t start)
{
	enter(s, node);
	while (s->nr_frames) {
		struct frame *frame = &s->frame[s->nr_frames - 1];
		uint32_t from = frame->node, to;

		if (next_node(s, frame, &to)) {
			if (!s->index[to])
				enter(s, to);
			else if (s->index[to] < s->low[from])
				s->low[from] = s->index[to];
			continue;
		}
		s->nr_frames--;
		if (s->low[from] == s->index[from])
			close_component(s, from, start);
		else if (s->low[from] < s->low[frame[-1].node])
			s->low[frame[-1].node] = s->low[from];
	}
}

static void forget_round(struct search *s, struct slice c)
{
	const struct graph *g = s->g;

	s->last_index = 0;
	s->nr_out = 0;
	for (uint32_t i = c.start; i < c.start + c.nr; i++) {
		s->index[s->task[i]] = 0;
		for (uint32_t e = g->need_off[s->task[i]]; e < g->need_off[s->task[i] + 1]; e++)
			s->index[g->nr_tasks + g->need[e]] = 0;
	}
}

/* One round over one candidate: a core, nothing, or new candidates. */
static void split(struct search *s, struct slice c)
{
	uint32_t nr_before = s->nr_todo;

	c.nr = reduction_run(&s->red, &s->task[c.start], c.nr, ++s->last_set);
	forget_round(s, c);
	for (uint32_t i = c.start; i < c.start + c.nr; i++)
		if (!s->index[s->task[i]])
			search_from(s, s->task[i], c.start);
	memcpy(&s->task[c.start], s->out, s->nr_out * sizeof(*s->out));

	if (s->nr_todo == nr_before + 1 && s->nr_out == c.nr) {
		s->nr_todo--;
		s->nr_cores++;
		for (uint32_t i = c.start; i < c.start + c.nr; i++)
			s->core[s->task[i]] = s->nr_cores;
	}
}

/* Cores in the order of their first members, by counting sort. */
static struct cores *collect(const struct search *s)
{
	struct cores *c = xcalloc(1, sizeof(*c));
	uint32_t *rank = xcalloc((size_t)s->nr_cores + 1, sizeof(*rank));
	uint32_t nr_members = 0;

	c->off = xcalloc((size_t)s->nr_cores + 2, sizeof(*c->off));
	for (uint32_t t = 0; t < s->g->nr_tasks; t++) {
		uint32_t core = s->core[t];

		if (!core)
			continue;
		if (!rank[core])
			rank[core] = ++c->nr;
		c->off[rank[core] + 1]++;
		nr_members++;
	}
	/* off[i] is now where core i - 1 begins, and moves on to where it ends. */
	for (uint32_t i = 2; i <= c->nr; i++)
		c->off[i] += c->off[i - 1];
	c->task = xcalloc(nr_members, sizeof(*c->task));
	for (uint32_t t = 0; t < s->g->nr_tasks; t++)
		if (s->core[t])
			c->task[c->off[rank[s->core[t]]]++] = t;
	free(rank);
	return c;
}

struct cores *graph_cores(const struct graph *g, const bool *stuck)
{
	struct cores *cores;
	struct search s;
	uint32_t nr = 0;

	search_init(&s, g);
	for (uint32_t t = 0; t < g->nr_tasks; t++)
		if (stuck[t])
			s.task[nr++] = t;
	push_candidate(&s, 0, nr);
	while (s.nr_todo)
		split(&s, s.todo[--s.nr_todo]);
	cores = collect(&s);
	search_free(&s);
	return cores;
}

void cores_free(struct cores *c)
{
	if (!c)
		return;
	free(c->off);
	free(c->task);
	free(c);
}
