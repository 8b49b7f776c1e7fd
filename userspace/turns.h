/* SPDX-License-Identifier: GPL-2.0 */
/*
 * turns - which task had which of the kernel's locks how often, and for how long it
 * waited, as the module counts it while somebody looks.
 */
#ifndef TURNS_H
#define TURNS_H

#include <stdint.h>
#include <sys/types.h>

/** struct turn - one task and one lock of the kernel's */
struct turn {
	/** @res_id: the lock, as in the module's other files */
	uint64_t res_id;
	pid_t tid;
	/** @start_ticks: the task's start time, clock ticks since boot */
	uint64_t start_ticks;
	/** @nr_tasks: tasks that have waited for the lock; more, if they were too many */
	uint64_t nr_tasks;
	/** @nr_turns: waits that ended with the lock, so far */
	uint64_t nr_turns;
	/** @nr_overtaken: turns of others during its waits, for which these began later */
	uint64_t nr_overtaken;
	/** @waited_ns: its waits that are over, so far; ns */
	uint64_t waited_ns;
};

/** struct turns - [nr] by lock and task */
struct turns {
	struct turn *turn;
	uint32_t nr;
};

/** turns_parse() - from the text of the module's file; lines that are none are left out */
void turns_parse(const char *text, struct turns *ret);

/** turns_read() - from the module, which then counts on for a while; empty without it */
void turns_read(struct turns *ret);
void turns_free(struct turns *turns);

/** turns_of() - the @nr_ret turns of a lock, next to each other */
const struct turn *turns_of(const struct turns *turns, uint64_t res_id, uint32_t *nr_ret);

#endif /* TURNS_H */
