/* SPDX-License-Identifier: GPL-2.0 */
/*
 * reduce - the reduction of a set of tasks, shared by graph_reduce() (the set
 * is everybody who waits) and the search for cores (the set is a candidate).
 */
#ifndef REDUCE_H
#define REDUCE_H

#include <stdbool.h>
#include <stdint.h>

struct graph;

/** struct reduction - state of reductions over one graph; sets are disjoint */
struct reduction {
	const struct graph *g;
	/** @dead_blocks: dead resources hold their waiters; else they are free */
	bool dead_blocks;
	/** @set: [nr_tasks] number of the set the task is in; 0: it can run */
	uint32_t *set;
	/** @left: [nr_tasks] resources needed that are not free */
	uint32_t *left;
	/** @asked: [nr_resources] set for which blocked was found last */
	uint32_t *asked;
	/** @blocked: [nr_resources] not free as long as the set asked stays stuck */
	bool *blocked;
	/** @queue: [nr_tasks] scratch */
	uint32_t *queue;
};

void reduction_init(struct reduction *red, const struct graph *g, bool dead_blocks);
void reduction_free(struct reduction *red);

/**
 * reduction_run() - take those out of a set that can run if all outside can
 * @task: [nr] the set; left with those that stay stuck, in the same order
 * @set: its number: not 0, and not used before
 *
 * O(V + E) of the set. Afterwards red->blocked is right for every resource that
 * a task of the set needs, until the next run.
 *
 * Return: the number of those that stay stuck.
 */
uint32_t reduction_run(struct reduction *red, uint32_t *task, uint32_t nr, uint32_t set);

#endif /* REDUCE_H */
