/* SPDX-License-Identifier: GPL-2.0 */
/*
 * picture - what of a world is drawn, and how much of it is alike.
 *
 * Drawn are the tasks that wait for something known, the resources that they
 * wait for, and the tasks able to release those. Tasks with the same part in
 * the graph (the same wait, the same resources released) are drawn as one of
 * them and a box for the rest, so that 500 waiters for one lock are two boxes.
 */
#ifndef PICTURE_H
#define PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

struct finding;

/** PICTURE_MAX_ALIKE - so many tasks with the same part are all drawn */
#define PICTURE_MAX_ALIKE	3

/** enum role - a task's part in the findings; ordered, the highest counts */
enum role { ROLE_NONE, ROLE_VICTIM, ROLE_ORPHAN, ROLE_TRANSIENT, ROLE_DEADLOCK };

/** struct box - a task, or several that are alike */
struct box {
	/** @task: the (first) task */
	uint32_t task;
	/** @nr: tasks that the box stands for */
	uint32_t nr;
	/** @more: it stands for the rest of those like the box before */
	bool more;
};

/** struct picture - owns its arrays, borrows the world */
struct picture {
	const struct world *w;
	/** @role: [nr_tasks] */
	enum role *role;
	/** @set: [nr_tasks] number of the finding that gave the role, from 1; 0: none */
	uint32_t *set;
	/** @verdict: [nr_tasks] verdict of that finding */
	enum verdict *verdict;
	/** @box: [nr_boxes] in the order of their tasks; "more" behind its like */
	struct box *box;
	uint32_t nr_boxes;
	/** @waiter: [nr_resources] a task that waits for it; NO_INDEX: not drawn */
	uint32_t *waiter;
	/** @core: [nr_resources] set it keeps in a circle; 0: none */
	uint32_t *core;
	/** @frees_off, @frees: [nr_tasks + 1] resources that the task can release */
	uint32_t *frees_off;
	uint32_t *frees;
	/** @nr_left_out: tasks in a wait that are not drawn */
	uint32_t nr_left_out;
	/** @nr_sets: findings marked */
	uint32_t nr_sets;
};

/** picture_new() - nothing marked, nothing drawn yet */
struct picture *picture_new(const struct world *w);
void picture_free(struct picture *p);

/**
 * picture_mark() - give the tasks of a finding their roles
 * @from: the world that @f is about; its tasks are found by TID and start time
 */
void picture_mark(struct picture *p, const struct world *from, const struct finding *f);

/** picture_draw() - choose what is drawn, and what is alike; O(E log V) */
void picture_draw(struct picture *p);

const char *role_name(enum role role);

#endif /* PICTURE_H */
