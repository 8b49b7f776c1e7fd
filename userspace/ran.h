/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ran - of what threads share, such as an address space: that of which one has run.
 *
 *	ran_begin(r);		nobody has
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
	/** @which: [nr] in order from ran_end() on */
	uint64_t *which;
	uint32_t nr;
	/** @asked, @answer: the latest one that was asked about */
	uint64_t asked;
	bool answer;
};

/** ran_begin() - forget, and free, all */
void ran_begin(struct ran *r);

/** ran_add() - 0 is nothing that is shared */
void ran_add(struct ran *r, uint64_t which);
void ran_end(struct ran *r);

/** ran_not() - false of 0, too */
bool ran_not(struct ran *r, uint64_t which);

#endif /* RAN_H */
