/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lens_holds - how long locks were held: what the lens in the kernel summed up, by
 * process and lock, those that were held the longest in all.
 */
#ifndef LENS_HOLDS_H
#define LENS_HOLDS_H

#include <stdint.h>
#include <sys/types.h>

#include "bpf/lens_abi.h"

struct remote;

/* Locks that are told of. */
#define LENS_TOLD_HOLDS	16

/** struct hold - of one lock in one process; of an rwlock, to read or to write */
struct hold {
	/** @lock: its address, and what it is, as the kernel tells it */
	uint64_t lock;
	/** @site: of the call that took it for @max_ns */
	uint64_t site;
	pid_t pid;
	uint64_t nr;
	uint64_t total_ns;
	uint64_t max_ns;
	/** @p50_ns, @p99_ns: so many of a hundred took no longer; up to twice what is true */
	uint64_t p50_ns;
	uint64_t p99_ns;
	/** @slot: as struct lens_hold has it */
	uint64_t slot[LENS_HOLD_SLOTS];
	/** @name: "pthread mutex 0x..."; @longest_at: "prog+0x12" for @site (owned) */
	char *name;
	char *longest_at;
};

/** struct lens_holds - the longest in all come first */
struct lens_holds {
	/** @hold: [nr] (owned) */
	struct hold *hold;
	uint32_t nr;
	/** @nr_locks: locks that were held, told of or not */
	uint32_t nr_locks;
	/** @lost: holds that are not among them, as there was no room */
	uint64_t lost;
};

/**
 * lens_holds_sum() - by process and lock, whoever took it
 * @key, @row: [@nr] as the kernel has them, in any order
 */
void lens_holds_sum(const struct lens_hold_key *key, const struct lens_hold *row, uint32_t nr,
		    struct lens_holds *ret);

/** lens_holds_name() - what the addresses are, in processes that are still there */
void lens_holds_name(struct lens_holds *holds, struct remote *remote);

/** lens_hold_below_ns() - all of slot @slot took less; of the last one: 0, any time */
uint64_t lens_hold_below_ns(uint32_t slot);

void lens_holds_free(struct lens_holds *holds);

#endif /* LENS_HOLDS_H */
