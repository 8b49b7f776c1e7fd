/* SPDX-License-Identifier: GPL-2.0 */
/* lens_names - what addresses that the lens tells of are; for lens_*.c only */
#ifndef LENS_NAMES_H
#define LENS_NAMES_H

#include <stdint.h>
#include <sys/types.h>

#include "lens.h"

struct world;

/** struct lens_names - addresses that were asked about, each looked up once */
struct lens_names {
	/** @all: [nr] what is known (owned) */
	struct lens_name **all;
	uint32_t nr;
	/** @places, @sites: of them, addresses of locks and of code; trees of tsearch(3) */
	void *places;
	void *sites;
	/** @look: number of the look that asks */
	uint32_t look;
	/** @locks: [nr_locks] what the places of this look are: shared ones once */
	struct lens_lock *locks;
	uint32_t nr_locks;
	/** @ids: the places that came first for each of them; a tree */
	void *ids;
};

/** lens_names_begin() - another look asks: what the last one did not ask for is forgotten */
void lens_names_begin(struct lens_names *names);

/**
 * lens_names_lock() - index into @names->locks of a lock of process @tgid
 * @lock: its address, and what it is, as the kernel tells it; however it is taken
 */
uint32_t lens_names_lock(struct lens_names *names, struct world *w, pid_t tgid, uint64_t lock);

/** lens_names_site() - "prog+0x12": code at @addr of process @tgid; until the next look */
const char *lens_names_site(struct lens_names *names, struct world *w, pid_t tgid,
			    uint64_t addr);

void lens_names_free(struct lens_names *names);

#endif /* LENS_NAMES_H */
