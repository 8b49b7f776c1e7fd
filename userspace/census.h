/* SPDX-License-Identifier: GPL-2.0 */
/*
 * census - what looks that come one after the other need not read anew.
 *
 * At the begin of a look the kernel tells a record of every thread, each of a moment of
 * its own, and only then anything is read: what a look has read holds until the earliest
 * record of the next one. Who runs after its record was told has run by its next one. A
 * thread that was off the CPU in two records that come after each other, in the
 * same state of sleep, and has not left a CPU in between, slept from the one to the
 * other: what was read of it after the first record is true still, its system call
 * and the function it sleeps in included. Where that goes for all threads that share
 * an address space, nothing in it has changed either, but where others share it, too,
 * or somebody wrote to it from outside, as a debugger does; and where it goes for all
 * that share a table of descriptors, nothing in that. All else is read as ever: threads
 * that ran, shared memory, what a pipe or a socket has in it, file locks.
 *
 * It is for looks that make a series. A proof does without: it reads everything.
 * Where the kernel does not tell, every look reads everything.
 */
#ifndef CENSUS_H
#define CENSUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/census_abi.h"
#include "world.h"

struct census;
struct sleeper;

/** struct census_counts - what became of it; since the begin */
struct census_counts {
	/** @nr_looks: looks for which the kernel told the threads */
	uint32_t nr_looks;
	/** @nr_told: threads told, over all looks */
	uint64_t nr_told;
	/** @nr_kept: of these, those of which nothing was read anew */
	uint64_t nr_kept;
};

/**
 * census_new() - nothing is known yet
 * @lasts: there will be many looks: what the first one costs is worth it
 */
struct census *census_new(bool lasts);
void census_free(struct census *c);

/**
 * census_tasks() - add every thread of the machine but the reader's own to @w
 *
 * As proc_tasks(), and in the same order. From then on @w asks the census of its
 * tasks, until the next call.
 *
 * Return: false: the kernel does not tell them, or it does not pay; nothing was added.
 */
bool census_tasks(struct census *c, struct world *w);

/**
 * census_end() - a look is over
 * @w: what it saw, by whatever means; must stay until the next census_end()
 */
void census_end(struct census *c, const struct world *w);

void census_read_counts(const struct census *c, struct census_counts *ret);

/* --- of the tasks of a look; without a census nothing is known of any --------------- */

/** census_knows() - is it known how @task sleeps, from a look before */
bool census_knows(const struct world *w, uint32_t task);

/** census_recall() - set in @s how its task sleeps; false: it is not known */
bool census_recall(const struct world *w, struct sleeper *s);

/**
 * census_keep() - @s was read in this look, and all of it could be
 * @rests: no thread can end what it waits for, as long as it has no row
 */
void census_keep(struct world *w, const struct sleeper *s, bool rests);

/** census_rests() - is that known of @task */
bool census_rests(const struct world *w, uint32_t task);

/** census_shares_files() - have two tasks one table of descriptors? 1, 0, or -1: not known */
int census_shares_files(const struct world *w, uint32_t a, uint32_t b);

/**
 * census_past() - the look before, if it saw @task in this very sleep, and none of its
 *	address space has run since
 * @task_ret: set to the task's index there
 *
 * Return: what that look saw, or NULL.
 */
const struct world *census_past(const struct world *w, uint32_t task, uint32_t *task_ret);

/** census_past_files() - the same, if nobody who has its table of descriptors has run since */
const struct world *census_past_files(const struct world *w, uint32_t task);

/**
 * census_keep_idle() - keep a copy of @wait beside the looks
 *
 * For as long as its task sleeps (@wait.own_call), or all of its address space.
 */
void census_keep_idle(struct census *c, const struct wait *wait);

/** census_idle() - the wait of @task that is kept so, or NULL */
const struct wait *census_idle(const struct census *c, uint32_t task);

/** census_timed() - proc_timed() of @task, unless it is known */
enum timed census_timed(struct world *w, uint32_t task);

/* --- parts --------------------------------------------------------------------------- */

/* By census_bpf.c, or census_none.c where it cannot be built. */
struct census_source;

/**
 * census_source_open() - NULL: this kernel does not tell, or not us
 * @in_order_ret: set to: it tells of threads in the order in which they were made
 */
struct census_source *census_source_open(bool *in_order_ret);
void census_source_close(struct census_source *source);

/**
 * census_source_read() - every thread that there is
 * @nr_ret: set to their number
 *
 * Return: the records, valid until the next call, or NULL.
 */
const struct census_record *census_source_read(struct census_source *source, uint32_t *nr_ret);

#endif /* CENSUS_H */
