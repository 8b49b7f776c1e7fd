/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ran - of what threads share, such as an address space: that of which one has run.
 *
 *	ran_begin(r, false);	nobody has; true: only those of the latest time have
 *	ran_add(r, which);	one that has @which has; as many as there are
 *	ran_end(r);
 *	ran_not(r, which)	nobody that has @which has
 */
#ifndef RAN_H
#define RAN_H

#include <stdbool.h>
#include <stdint.h>

/** struct ran - all zero: nobody has run */
struct ran {
	/** @which: [nr] in order from ran_end() on; @past: [nr_past] those of the time before */
	uint64_t *which;
	uint32_t nr;
	uint64_t *past;
	uint32_t nr_past;
	/** @asked, @answer: the latest one that was asked about */
	uint64_t asked;
	bool answer;
};

/** ran_begin() - forget those that were added; @keep: but for those since the latest time */
void ran_begin(struct ran *r, bool keep);

/** ran_free() - all there is */
void ran_free(struct ran *r);

/** ran_add() - 0 is nothing that is shared */
void ran_add(struct ran *r, uint64_t which);
void ran_end(struct ran *r);

/** ran_not() - false of 0, too */
bool ran_not(struct ran *r, uint64_t which);

#endif /* RAN_H */
