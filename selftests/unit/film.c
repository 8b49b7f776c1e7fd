// SPDX-License-Identifier: GPL-2.0
/* film - look after look, taken in by a window (film.h) */
#include <stdlib.h>

#include "episodes.h"
#include "film.h"
#include "turns.h"
#include "xalloc.h"

void film_begin(struct film *film)
{
	*film = (struct film){ .window = window_new(), .now_ns = WORLD_NOW_NS };
	for (uint32_t i = 0; i < 4; i++)
		film->index[i] = i;
	film->snap.header.load_id = FILM_LOAD_ID;
	film->snap.waits = film->rows;
	film->snap.by_tid = film->index;
	film->lock = (struct gl_lock_record){ .row = GL_ROW_LOCK, .res_id = FILM_LOCK_ID };
	film->locks.header.load_id = FILM_LOAD_ID;
	film->locks.locks = &film->lock;
	film->locks.nr = 1;
}

void film_end(struct film *film)
{
	world_free(film->w);
	window_free(film->window);
}

struct world *film_next(struct film *film, const char *text, uint64_t passed_ms)
{
	world_free(film->w);
	film->now_ns += passed_ms * MS_NS;
	film->w = world_of(text);
	film->w->taken_ns = film->now_ns;
	film->w->snap = &film->snap;
	for (uint32_t i = 0; i < film->w->nr_waits; i++) {
		struct wait *wait = &film->w->waits[i];

		wait->begin_ns = film->now_ns - MS_NS;
		if (wait->nr_blockers)
			wait->id = xasprintf("%.1s",
					     film->w->resources[wait->blockers[0]].key);
	}
	return film->w;
}

void film_take_in(struct film *film)
{
	struct episodes episodes;
	struct turns turns;

	episodes_parse(film->episodes, &episodes);
	turns_parse(film->turns, &turns);
	window_add(film->window, film->w, &film->locks, &episodes, &turns);
	episodes_free(&episodes);
	turns_free(&turns);
	film->w->window = film->window;
}

void film_take_in_with(struct film *film, char *episodes)
{
	film->episodes = episodes;
	film_take_in(film);
	film->episodes = NULL;
	free(episodes);
}

char *film_say(struct film *film)
{
	char *said = say_findings(film->w);

	film_end(film);
	return said;
}

void film_row(struct film *film, uint32_t i, pid_t tid, uint64_t gen, uint64_t begin_ns)
{
	film->rows[i] = (struct gl_wait_record){
		.gen = gen, .res_id = FILM_LOCK_ID, .tid = tid, .kind = GL_KIND_RTMUTEX,
		.begin_ns = begin_ns
	};
	film->snap.nr = i + 1;
}

void film_wait(struct film *film, uint32_t i, pid_t tid, uint64_t gen, uint64_t begin_ns,
	       uint32_t kind)
{
	struct wait *wait = wait_of(film->w, tid);

	wait->gen = gen;
	wait->begin_ns = begin_ns;
	film_row(film, i, tid, gen, begin_ns);
	film->rows[i].kind = kind;
}
