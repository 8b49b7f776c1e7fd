/* SPDX-License-Identifier: GPL-2.0 */
/*
 * known - the threads of the machine from one look of a census to the next: who is who,
 * which have slept, and what is kept of one while it sleeps.
 */
#ifndef KNOWN_H
#define KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/census_abi.h"
#include "ran.h"
#include "resolve.h"
#include "world.h"

/** struct known - a thread, and what was read of it since it fell asleep */
struct known {
	struct census_record record;
	/** @look: the latest look that told it, and @place: its place in known_all.told */
	uint32_t look;
	uint32_t place;
	/** @slept: from the look before to this one */
	bool slept;
	/** @quiet: its whole address space has, and the look before saw it */
	bool quiet;
	/** @now, @past: its task in the latest look, and in the one before; NO_INDEX: none */
	uint32_t now;
	uint32_t past;
	/** @has_task, @has_sleeper: the parts below are known */
	bool has_task;
	bool has_sleeper;
	/** @rests: with @has_sleeper: no thread can end what it waits for */
	bool rests;
	struct task task;
	/** @timed: census_timed(), as of look @timed_look */
	enum timed timed;
	uint32_t timed_look;
	/** @sleeper: how it sleeps; its task and row are those of another look */
	struct sleeper sleeper;
	/** @idle: census_idle(); its task is that of another look (owned) */
	struct wait *idle;
};

/** struct known_all - every thread that the kernel told of; all zero: none */
struct known_all {
	/** @known: [nr] as /proc lists them: by process, and in it by age */
	struct known **known;
	uint32_t nr;
	/** @told: [nr_told] whom the latest records are of, in their order */
	struct known **told;
	uint32_t nr_told;
	/** @by_tid: [nr_slots] the same by number; a power of two, at most half in use */
	struct known **by_tid;
	uint32_t nr_slots;
	/**
	 * @in_order: records are of the order in which threads were made. Else they may lack
	 * one that was made while they were taken; its maker then ran not long before, and
	 * what a maker shares counts in the look after, too. Where a look lacks one that
	 * another such one made, numbers have come round once between the two.
	 */
	bool in_order;
	/** @spaces, @tables: of which a thread has run since the look before */
	struct ran spaces;
	struct ran tables;
	/** @look: number of the latest one */
	uint32_t look;
};

/** known_match() - take in the records of one look, [@nr] */
void known_match(struct known_all *all, const struct census_record *record, uint32_t nr);

/** known_forget() - all of them */
void known_forget(struct known_all *all);

/** known_forget_idle() - its wait, if one is kept */
void known_forget_idle(struct known *k);

/** known_slept() - did the thread sleep from record @a to record @b */
bool known_slept(const struct census_record *a, const struct census_record *b);

/** known_letter() - the letter by which /proc tells how the thread sleeps */
char known_letter(const struct census_record *record);

/** known_update() - set in @t what others can change of a thread while it sleeps */
void known_update(const struct census_record *record, struct task *t);

#endif /* KNOWN_H */
