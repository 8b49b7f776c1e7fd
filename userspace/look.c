// SPDX-License-Identifier: GPL-2.0
/* look - one whole look at the machine (look.h) */
#include <stdlib.h>

#include "again.h"
#include "census.h"
#include "episodes.h"
#include "lens.h"
#include "look.h"
#include "proc.h"
#include "resolve.h"
#include "source.h"
#include "turns.h"
#include "window.h"
#include "xalloc.h"

/* The module's counters, where the window asks for them; NULL: none. */
static struct snapshot *read_locks(const struct window *window)
{
	struct snapshot *locks;

	if (!window || !window->wants_locks || source_snapshot(GL_RECORD_LOCK, &locks))
		return NULL;
	return locks;
}

/* Of those who hold and wait: with it, the window tells who slept all along. */
static void read_runs(struct world *w)
{
	for (uint32_t i = 0; i < w->nr_waits; i++) {
		uint32_t holder = window_sure_holder(w, &w->waits[i]);
		struct task *t = holder == NO_INDEX ? NULL : &w->tasks[holder];

		if (t && t->wait != NO_INDEX && !t->nr_runs)
			proc_runs(t->tgid, t->tid, t);
	}
}

/* What those who fail over and over use up meanwhile. */
static void read_times(struct episodes *episodes, const struct world *w)
{
	for (uint32_t i = 0; i < episodes->nr; i++) {
		struct episode *e = &episodes->episode[i];
		uint32_t task = e->nr_timeouts ? world_find_task(w, e->tid) : NO_INDEX;
		struct task t = { 0 };

		if (task == NO_INDEX)
			continue;
		proc_runs(w->tasks[task].tgid, e->tid, &t);
		e->run_ns = t.run_ns;
	}
}

/* The lens tells of locks that are waited for, whoever may have them: it needs all waits. */
static void end_census(const struct window *window, const struct world *w)
{
	census_end(window->census, w);
	if (!window->lens)
		again_end(window->census, w);
}

/* What is told of its tasks is told with their waits. */
static void tell_waits(struct look *look, const struct census *census)
{
	for (uint32_t i = 0; i < look->found.nr; i++) {
		const struct finding *f = &look->found.finding[i];

		for (uint32_t k = 0; k < f->nr_tasks; k++)
			again_tell(look->world, census, f->tasks[k]);
		for (uint32_t k = 0; k < f->nr_victims; k++)
			again_tell(look->world, census, f->victims[k]);
		for (uint32_t k = 0; k < f->nr_roles; k++)
			again_tell(look->world, census, f->roles[k].task);
	}
}

struct look *look_take(struct remote *remote, const pid_t *only, uint32_t nr_only,
		       struct window *window, const struct limits *limits)
{
	struct look *look = xcalloc(1, sizeof(*look));
	struct episodes episodes;
	struct snapshot *locks;
	struct turns turns;

	/* Module rows first: reading them never blocks on another task. */
	locks = read_locks(window);
	look->snap_err = source_snapshot(GL_RECORD_WAIT, &look->snap);
	look->world = world_look(look->snap, remote, only, nr_only,
				 window ? window->census : NULL, limits ? limits->until_ns : 0);
	if (window) {
		if (window->census)
			end_census(window, look->world);
		read_runs(look->world);
		/*
		 * Not at the first look, which is all about deadlocks: the module then
		 * sets a probe, and that takes its time.
		 */
		episodes = (struct episodes){ 0 };
		turns = (struct turns){ 0 };
		if (window->nr_looks) {
			episodes_read(&episodes);
			turns_read(&turns);
		}
		if (window->lens)
			window->view = lens_look(window->lens, look->world, &episodes);
		read_times(&episodes, look->world);
		window_add(window, look->world, locks, &episodes, &turns);
		episodes_free(&episodes);
		turns_free(&turns);
		look->world->window = window;
	}
	snapshot_free(locks);
	if (limits)
		findings_detect(look->world, limits, &look->found);
	if (window && window->census)
		tell_waits(look, window->census);
	return look;
}

void look_free(struct look *look)
{
	if (!look)
		return;
	findings_free(&look->found);
	world_free(look->world);
	snapshot_free(look->snap);
	free(look);
}
