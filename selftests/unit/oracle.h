/* SPDX-License-Identifier: GPL-2.0 */
/*
 * oracle - the definitions, word by word, on worlds small enough to try every
 * set of tasks. Nothing here knows of worklists, counters or components: a set
 * of tasks is a bit mask, and a claim about sets is checked for all of them.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stdint.h>

#define ORACLE_MAX_TASKS	7
#define ORACLE_MAX_RESOURCES	7

struct world;

/** struct puzzle - a world as masks; bit i is task i or resource i */
struct puzzle {
	uint32_t nr_tasks;
	uint32_t nr_resources;
	/** @waiting, @any, @timed, @unknown_releaser, @exiting, @suspended: of tasks */
	uint32_t waiting;
	uint32_t any;
	uint32_t timed;
	uint32_t unknown_releaser;
	uint32_t exiting;
	uint32_t suspended;
	/** @lasting: tasks that wait for what outlasts its holders */
	uint32_t lasting;
	/** @need: [nr_tasks] resources waited for */
	uint32_t need[ORACLE_MAX_TASKS];
	/** @unknown, @dead: of resources */
	uint32_t unknown;
	uint32_t dead;
	/** @by: [nr_resources] releasers */
	uint32_t by[ORACLE_MAX_RESOURCES];
};

/** puzzle_random() - small, and stuck about as often as not; @seed is advanced */
struct puzzle puzzle_random(uint64_t *seed);

/** puzzle_world() - the same as a world, to be freed */
struct world *puzzle_world(const struct puzzle *p);

/** puzzle_print() - on stdout, as diagnostics */
void puzzle_print(const struct puzzle *p);

/** oracle_stuck() - the tasks that never run: the largest set that can stay so */
uint32_t oracle_stuck(const struct puzzle *p, bool timers_run);

/**
 * oracle_schedules() - the tasks that have not run after every schedule
 * @ret: set to them
 *
 * Follows each order in which tasks can run, one at a time, to its end.
 *
 * Return: true if all end alike.
 */
bool oracle_schedules(const struct puzzle *p, bool timers_run, uint32_t *ret);

/** oracle_freed() - the tasks that never run as things are, and would if @task ended */
uint32_t oracle_freed(const struct puzzle *p, uint32_t task);

/**
 * oracle_cores() - the largest strongly connected sets, no timers, that no help
 * from outside frees
 * @ret: [2^nr_tasks] set to them, by first member
 *
 * Return: their number.
 */
uint32_t oracle_cores(const struct puzzle *p, bool timers_run, uint32_t *ret);

/** oracle_victims() - the tasks of @stuck outside @set with a path into it */
uint32_t oracle_victims(const struct puzzle *p, uint32_t stuck, uint32_t set);

/** oracle_edge() - does @from wait for @to as long as all of @set is stuck */
bool oracle_edge(const struct puzzle *p, uint32_t set, uint32_t from, uint32_t to);

#endif /* ORACLE_H */
