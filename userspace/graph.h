/* SPDX-License-Identifier: GPL-2.0 */
/*
 * graph - the wait-for graph as flat arrays, its reduction, and its cores.
 *
 * Nodes are tasks and resources. Edges run from a waiting task to the
 * resources it needs and from a resource to the tasks able to release it.
 * The reduction is Holt's (1972), for the AND-OR requests of Knapp (1987), in
 * O(V + E). Cores take O(V + E) per round of splitting; see graph_cores().
 */
#ifndef GRAPH_H
#define GRAPH_H

#include <stdbool.h>
#include <stdint.h>

struct world;

/** struct graph - compressed adjacency; all arrays owned by the graph */
struct graph {
	/** @nr_tasks: tasks are 0 .. nr_tasks - 1 */
	uint32_t nr_tasks;
	/** @nr_resources: resources are 0 .. nr_resources - 1 */
	uint32_t nr_resources;
	/** @waits: [nr_tasks] the task is in a wait; what ends it, if known, is need */
	bool *waits;
	/** @any: [nr_tasks] one free resource is enough; else all are needed */
	bool *any;
	/** @timed: [nr_tasks] the wait ends by itself */
	bool *timed;
	/** @need_off: [nr_tasks + 1] start of the task's part of need */
	uint32_t *need_off;
	/** @need: resources needed, each once; none: the task can run */
	uint32_t *need;
	/** @open: [nr_resources] somebody unseen may release it, or nobody was found */
	bool *open;
	/** @dead: [nr_resources] never released, whoever runs */
	bool *dead;
	/** @by_off: [nr_resources + 1] start of the resource's part of by */
	uint32_t *by_off;
	/** @by: tasks able to release; none of a dead resource */
	uint32_t *by;
	/** @wanted_off: [nr_resources + 1] start of the resource's part of wanted */
	uint32_t *wanted_off;
	/** @wanted: tasks that need it (need, backwards) */
	uint32_t *wanted;
	/** @frees_off: [nr_tasks + 1] start of the task's part of frees */
	uint32_t *frees_off;
	/** @frees: resources it can release (by, backwards) */
	uint32_t *frees;
};

/** struct cores - sets of tasks; set i is task[off[i]] .. task[off[i + 1] - 1] */
struct cores {
	uint32_t nr;
	uint32_t *off;
	uint32_t *task;
};

/**
 * graph_build() - the graph of @w; never fails (allocation failure exits)
 *
 * Where the world leaves room, nothing is made stuck by a guess:
 * - a task that is suspended can be continued by anybody: it can run;
 * - a wait without known blockers can end; so can an ANY wait with an unknown
 *   releaser. An ALL wait with one still needs the blockers that are known;
 * - a resource without any releaser, not dead, is open: nobody was found.
 * A task that is exiting runs no more: it releases nothing, and a resource that
 * only such tasks could release is dead.
 */
struct graph *graph_build(const struct world *w);

/** struct ending - some tasks are gone, in thought */
struct ending {
	/** @ends: [nr_tasks] the task is gone */
	bool *ends;
	/** @lasting: [nr_resources] stays as it is when a task able to release it ends */
	bool *lasting;
};

/**
 * graph_build_after() - the graph of @w after some tasks ended
 *
 * They wait no more; of the resources that they could release those are free
 * that do not last, of the others they are no releasers any more.
 */
struct graph *graph_build_after(const struct world *w, const struct ending *ending);
void graph_free(struct graph *g);

/**
 * graph_reduce() - which tasks never run
 * @timers_run: a timed wait counts as able to run (the deadlock question);
 *	false: as if no timer ever fired (the transient-cycle question)
 * @stuck_ret: [nr_tasks] set to true for each task that never runs
 *
 * Return: the number of stuck tasks.
 */
uint32_t graph_reduce(const struct graph *g, bool timers_run, bool *stuck_ret);

/**
 * graph_cores() - the deadlocks among the stuck tasks
 * @stuck: [nr_tasks] as graph_reduce() left it
 *
 * A strongly connected part of the stuck tasks is a core if it stays stuck
 * with every task outside it able to run; else it is reduced that way and
 * looked into again. Stuck tasks in no core are victims. A resource that is
 * dead holds its waiters for ever but makes no core: with everything outside
 * able to run it counts as released. In other words, cores are the largest
 * strongly connected sets that no help from outside sets free; an edge counts
 * only if all who could release that resource are in the set.
 *
 * O(V + E) for each round. Two rounds do where each resource has one releaser
 * and each wait needs all; otherwise each further round takes at least one
 * task away. (These are maximal end components of a Markov decision process;
 * no linear algorithm for them is known.)
 *
 * Return: the cores, to be freed by cores_free(). Members in ascending order,
 * cores by their first member.
 */
struct cores *graph_cores(const struct graph *g, const bool *stuck);
void cores_free(struct cores *c);

/*
 * A walk: questions about one set of tasks after the other, each in O(V + E) of
 * what it comes to, however large the graph is.
 */
struct walk;
struct walk *walk_new(const struct graph *g);
void walk_free(struct walk *walk);

/**
 * walk_victims() - the stuck tasks that wait, directly or not, for a set
 * @stuck: [nr_tasks] as graph_reduce() left it
 * @set: [nr_set] tasks
 * @ret: set to the stuck tasks outside the set that reach it, in no order, to be
 *	freed; NULL: none
 *
 * Return: the number of victims.
 */
uint32_t walk_victims(struct walk *walk, const bool *stuck, const uint32_t *set, uint32_t nr_set,
		      uint32_t **ret);

/**
 * walk_circle() - one closed walk through a core, for telling it in words
 * @circle_ret: [at least nr_set] tasks in order; each waits for the next, the
 *	last for the first; no task twice
 *
 * From the first task of the set on, to a task not told yet for as long as
 * there is one: not the longest circle (that is NP-hard), but no short cut
 * either.
 *
 * Return: its length; 0 if the set is not stuck by itself.
 */
uint32_t walk_circle(struct walk *walk, const uint32_t *set, uint32_t nr_set,
		     uint32_t *circle_ret);

#endif /* GRAPH_H */
