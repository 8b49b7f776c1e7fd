/* SPDX-License-Identifier: GPL-2.0 */
/*
 * way_out - which one process's end would free the most tasks of others from a
 * deadlock. Advice: nothing is ever ended.
 *
 * The end of a task is the end of its process. What ends with a process is
 * known by kind: its file locks, its ends of pipes, itself as somebody's child.
 * A mutex in shared memory does not: it stays locked, and its end would help
 * nobody. Nor does a process end that waits for a kernel lock with its signals
 * off.
 */
#ifndef WAY_OUT_H
#define WAY_OUT_H

#include <stdint.h>

struct finding;
struct world;

/** struct way_out - the best process to end */
struct way_out {
	/** @task: a member in that process; NO_INDEX: no end of one would help */
	uint32_t task;
	/** @nr_ends: members that end with it */
	uint32_t nr_ends;
	/** @frees: [nr_frees] stuck tasks of other processes that could run then, by tid (owned) */
	uint32_t *frees;
	uint32_t nr_frees;
	/** @nr_tried: processes asked about; of a large deadlock not all */
	uint32_t nr_tried;
};

/**
 * way_out_find() - the way out of @f, a deadlock in @w
 *
 * For each process with a member the graph is reduced without it, O(V + E), but
 * for no more of them once it is @until_ns (CLOCK_MONOTONIC);
 * the most tasks freed win, then the fewest members ended, then the first.
 *
 * Return: to be freed by way_out_free().
 */
struct way_out *way_out_find(const struct world *w, const struct finding *f, uint64_t until_ns);
void way_out_free(struct way_out *way);

#endif /* WAY_OUT_H */
