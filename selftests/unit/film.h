/* SPDX-License-Identifier: GPL-2.0 */
/*
 * film - look after look at worlds written by hand, and the module's rows and
 * counters with them, taken in by a window.
 */
#ifndef FILM_H
#define FILM_H

#include "snapshot.h"
#include "window.h"
#include "worlds.h"

#define MS_NS		1000000ULL

/* What the module's rows of every film are of. */
#define FILM_LOAD_ID	7
#define FILM_LOCK_ID	0xabc

/** struct film - a window and the look that it took in last */
struct film {
	struct window *window;
	struct world *w;
	uint64_t now_ns;
	/** @rows, @index: the module's rows of the look to come */
	struct gl_wait_record rows[4];
	uint32_t index[4];
	struct snapshot snap;
	/** @lock: the module's counters of the look to come */
	struct gl_lock_record lock;
	struct snapshot locks;
	/** @episodes: the module's file of that name at the look to come; NULL: none */
	const char *episodes;
	/** @turns: the same */
	const char *turns;
};

void film_begin(struct film *film);
void film_end(struct film *film);

/**
 * film_next() - the next look, @passed_ms later, at the world that @text tells
 *
 * As in worlds.h. What is waited for goes by its first letter: "a1" and "a2" are
 * a in two hands.
 */
struct world *film_next(struct film *film, const char *text, uint64_t passed_ms);

/** film_row() - the module's row @i of this look: a wait of @tid for the film's lock */
void film_row(struct film *film, uint32_t i, pid_t tid, uint64_t gen, uint64_t begin_ns);

/** film_wait() - the same, of a wait of @kind that the look itself sees as well */
void film_wait(struct film *film, uint32_t i, pid_t tid, uint64_t gen, uint64_t begin_ns,
	       uint32_t kind);

/** film_take_in() - the look is as it should be: give it to the window */
void film_take_in(struct film *film);

/** film_take_in_with() - with the module's file of episodes, which is freed */
void film_take_in_with(struct film *film, char *episodes);

/** film_say() - end it. Return: what is found at the last look, to be freed */
char *film_say(struct film *film);

#endif /* FILM_H */
