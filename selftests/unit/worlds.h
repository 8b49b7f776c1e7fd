/* SPDX-License-Identifier: GPL-2.0 */
/*
 * worlds - worlds written down in one line, and answers about them in one line,
 * so that a test is a question and its answer.
 *
 * A world is words separated by spaces, tasks are numbers (their tid), lower
 * case letters begin resources:
 *
 *	1>a		task 1 waits for resource a
 *	1>a&b		for all of a and b		1>a|b	for any of them
 *	1>?		nothing is known about it	1>a&?	a is, the rest is not
 *	1>a~		the wait ends at a timeout	1>a~?	nobody knows if it does
 *	a=1,2		1 and 2 can release a		a=?	somebody unseen can
 *	a=+		the owner of a is dead		a=	nobody was found
 *	3		task 3 runs			3x	is exiting
 *	3s		is suspended		3@1	is a thread of process 1
 *
 * Tasks are made in the order in which they are first named; each is a process
 * of its own, unless it is named as a thread first. A wait is for an flock that
 * began 20 s ago, known by the kernel's record; resources are recorded and held
 * exclusively.
 */
#ifndef WORLDS_H
#define WORLDS_H

#include <stdbool.h>
#include <stdint.h>

#include "finding.h"
#include "graph.h"
#include "world.h"

/** WORLD_NOW_NS - when every world is looked at */
#define WORLD_NOW_NS	100000000000ULL

struct world *world_of(const char *text);
struct wait *wait_of(const struct world *w, pid_t tid);
struct resource *resource_of(struct world *w, const char *key);

/** ring_of() - n tasks, each waiting for the next: the text, to be freed */
char *ring_of(unsigned int nr);

/** chain_of() - n tasks, each waiting for the next, the last one running */
char *chain_of(unsigned int nr);

/* Answers; strings to be freed. Tasks by tid, sets separated by "; ". */

/** say_stuck() - "1 2": tasks that never run */
char *say_stuck(const struct world *w, bool timers_run);

/** say_cores() - "1 2; 3 4" */
char *say_cores(const struct world *w);

/** say_victims() - of the tasks named, given as "1 2" */
char *say_victims(const struct world *w, const char *tids);

/** say_circle() - "1>2>3" through the tasks named, in that order */
char *say_circle(const struct world *w, const char *tids);

/**
 * say_findings() - "deadlock confirmed 1 2 behind 3" for each; long-wait: "to 3";
 * tasks named beside the members: "owner 4"
 */
char *say_findings(const struct world *w);

/** say_way_out() - of the first deadlock: "1 ends 1 frees 2 3", or "none of 2" processes */
char *say_way_out(const struct world *w);

/*
 * Compare an answer with what it has to be, then free it. The second form
 * asks about a world that is made for the question.
 */
#define EXPECT_SAYS(expected, answer)		\
	do {					\
		char *said = (answer);		\
						\
		EXPECT_STREQ(expected, said);	\
		free(said);			\
	} while (0)

#define EXPECT_OF(expected, say, text, ...)	\
	do {					\
		struct world *w_ = world_of(text);			\
									\
		EXPECT_SAYS(expected, say(w_, ##__VA_ARGS__));		\
		world_free(w_);						\
	} while (0)

#define EXPECT_STUCK(expected, text)	EXPECT_OF(expected, say_stuck, text, true)
#define EXPECT_CORES(expected, text)	EXPECT_OF(expected, say_cores, text)
#define EXPECT_WAY_OUT(expected, text)	EXPECT_OF(expected, say_way_out, text)
#define EXPECT_FINDINGS(expected, text)	EXPECT_OF(expected, say_findings, text)

#endif /* WORLDS_H */
