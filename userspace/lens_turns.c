// SPDX-License-Identifier: GPL-2.0
/*
 * lens_turns - how often locks that are waited for were dropped (lens_turns.h)
 *
 * There may be thousands of locks, and few of them are waited for when somebody looks: to
 * find out what each is called would cost more than the rest of the look.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "futex_owner.h"
#include "lens_names.h"
#include "lens_turns.h"
#include "world.h"
#include "xalloc.h"

/** struct waited - what tasks wait for */
struct waited {
	/** @place: [nr] in the memory of one process */
	struct futex_place *place;
	uint32_t nr;
	/** @shared: some wait for what others may have elsewhere */
	bool shared;
};

static int compare(const void *a, const void *b)
{
	const struct futex_place *x = a, *y = b;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static struct waited find_waited(const struct world *w)
{
	struct waited waited = { 0 };

	for (uint32_t i = 0; i < w->nr_waits; i++) {
		const char *id = w->waits[i].id;
		struct futex_place place;

		if (!id)
			continue;
		if (futex_place(id, &place))
			*vec_push(waited.place, waited.nr) = place;
		else if (futex_is_shared(id))
			waited.shared = true;
	}
	if (waited.nr)
		qsort(waited.place, waited.nr, sizeof(*waited.place), compare);
	return waited;
}

static bool is_waited(const struct waited *waited, pid_t tgid, uint64_t lock)
{
	struct futex_place place = { tgid, lock & LENS_ADDR };

	return waited->shared || (waited->nr && bsearch(&place, waited->place, waited->nr,
							sizeof(place), compare));
}

/*
 * Words of a lock that threads sleep at: the lock's own address, and of glibc's rwlocks
 * __wrphase_futex and __writers_futex, which the reader takes for no part of a lock
 * that is held to read.
 */
static void add(struct lens_names *names, struct world *w, const struct waited *waited,
		const struct lens_hold_key *key, uint64_t nr)
{
	static const uint32_t words[] = { 0, 8, 12 };
	uint32_t nr_words = key->addr & LENS_IS_RWLOCK ? ARRAY_SIZE(words) : 1;

	for (uint32_t i = 0; i < nr_words; i++) {
		uint64_t word = key->addr + words[i];
		uint32_t lock;

		if (!is_waited(waited, key->tgid, word))
			continue;
		lock = lens_names_lock(names, w, key->tgid, word);
		names->locks[lock].nr_dropped += nr;
	}
}

void lens_turns_add(struct lens_names *names, struct world *w, const struct lens_hold_key *key,
		    const struct lens_hold *row, uint32_t nr)
{
	struct waited waited = find_waited(w);
	const uint32_t *tasks;

	for (uint32_t i = 0; i < nr; i++)
		if (world_process(w, key[i].tgid, &tasks))
			add(names, w, &waited, &key[i], row[i].nr);
	free(waited.place);
}
