/* SPDX-License-Identifier: GPL-2.0 */
/*
 * inversion - two locks that two threads took in opposite orders, whoever saw
 * them do so; for detectors.
 */
#ifndef INVERSION_H
#define INVERSION_H

#include <stdbool.h>
#include <stdint.h>

#include "window.h"

struct findings;
struct world;

/** struct taking - a thread asked for one lock while it held another */
struct taking {
	const struct window_task *task;
	/** @held, @wanted: ids as struct wait has them (borrowed) */
	const char *held;
	const char *wanted;
	/** @held_shared, @wanted_shared: others may have it so at the same time */
	bool held_shared;
	bool wanted_shared;
	/** @from: what tells it; of one array, so that they are in order */
	const void *from;
};

/** struct takings - all that were seen, and what is known beside */
struct takings {
	const struct world *w;
	/** @explained: [w->nr_tasks] in a circle by now, or behind one (owned) */
	bool *explained;
	/** @taking: [nr] (owned) */
	struct taking *taking;
	uint32_t nr;
	/** @share_a_gate: did both do it with a third lock held? Then they never meet */
	bool (*share_a_gate)(const struct takings *all, const struct taking *a,
			     const struct taking *b);
	/** @describe: in words, to be freed */
	char *(*describe)(const struct takings *all, const struct taking *taking);
	/** @context: for these two */
	const void *context;
};

/** takings_begin() - set @all up, with none; @found: what was found before */
void takings_begin(struct takings *all, const struct world *w, const struct findings *found);

/** takings_want() - is that thread still there, and explained by nothing? Then add its own */
bool takings_want(const struct takings *all, const struct window_task *task);

/**
 * takings_end() - add a finding for each two locks that were taken in opposite orders
 *
 * By the first two threads that are seen to: there is one mistake, whoever makes
 * it. None for locks that @found tells of, and none where one of the locks is only
 * read by both. Frees what @all owns.
 * O(n log n) but for locks behind a gate, or read: there each with each.
 */
void takings_end(struct takings *all, struct findings *found);

#endif /* INVERSION_H */
