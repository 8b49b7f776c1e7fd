/* SPDX-License-Identifier: GPL-2.0 */
/* lens_nestings - who asked for a lock with others held; for lens_*.c only */
#ifndef LENS_NESTINGS_H
#define LENS_NESTINGS_H

#include "bpf/lens_abi.h"
#include "lens.h"
#include "lens_sems.h"

struct lens_names;
struct world;

/** struct lens_uses - what the locks of a nesting are used as, as far as they are semaphores */
struct lens_uses {
	enum lens_use wanted;
	/** @held: in the order taken, one for each that the nesting's key has */
	enum lens_use held[LENS_MAX_HELD];
};

/**
 * lens_nestings_add() - one more for @view, unless it says nothing of the order of locks
 * @names: gets its locks
 * @w: the look; of threads that are not in it nothing is told
 * @key, @row: as the kernel has it
 */
void lens_nestings_add(struct lens_view *view, struct lens_names *names, struct world *w,
		       const struct lens_nesting_key *key, const struct lens_nesting *row,
		       const struct lens_uses *uses);

/** lens_nestings_sort() - bring all of @view into the order that it promises */
void lens_nestings_sort(struct lens_view *view);

#endif /* LENS_NESTINGS_H */
