// SPDX-License-Identifier: GPL-2.0
/*
 * again - waits that must be what they were at an earlier look (again.h).
 *
 * What the look before read of the wait, it read after it had asked who sleeps, and
 * each thread of the address space has slept from then until this look had asked. So no
 * word of a lock was written, nothing was mapped in its place, no signal was given
 * another handler, no timer was made, and no thread has come or gone.
 */
#include "../kmod/uapi/gridlock.h"
#include "again.h"
#include "census.h"
#include "world.h"
#include "xalloc.h"

static struct wait *add_copy(struct world *w, uint32_t task, const struct wait *from)
{
	struct wait *wait = world_add_wait(w, task, from->kind);

	wait_copy(wait, from);
	wait->task = task;
	return wait;
}

/* The release of @past by the same threads; they are of the same address space. */
static void copy_resource(struct world *w, struct wait *wait, const struct world *from,
			  const struct resource *past)
{
	bool new;
	uint32_t index = world_resource(w, past->key, &new);
	struct resource *r = &w->resources[index];

	if (new || past->evidence < r->evidence)
		r->evidence = past->evidence;
	r->held = past->held;
	for (uint32_t i = 0; i < past->nr_releasers; i++) {
		uint32_t task = world_find_task(w, from->tasks[past->releasers[i]].tid);

		if (task == NO_INDEX)
			w->resources[index].unknown = true;
		else
			world_add_releaser(w, index, task);
	}
	world_block_on(w, wait, index);
}

/* The module's row is of a moment of its own: it has to tell of the same wait. */
static bool is_told_alike(const struct gl_wait_record *row, const struct wait *past)
{
	if (!row)
		return !past->gen;
	return row->gen == past->gen && row->begin_ns == past->begin_ns;
}

bool again_follow(struct world *w, uint32_t task, const struct gl_wait_record *row)
{
	const struct world *from;
	const struct wait *past;
	struct wait *wait;
	uint32_t before;

	from = census_past(w, task, &before);
	if (!from || from->tasks[before].wait == NO_INDEX)
		return false;
	past = &from->waits[from->tasks[before].wait];
	if (!past->own_space || !is_told_alike(row, past))
		return false;
	wait = add_copy(w, task, past);
	for (uint32_t i = 0; i < past->nr_blockers; i++)
		copy_resource(w, wait, from, &from->resources[past->blockers[i]]);
	return true;
}

/* --- waits that need not be in a look ---------------------------------------------- */

/*
 * Is it one that nobody known can end, and that is no part of a queue for a lock? Its
 * task counts as able to run, and nothing else is ever found out by it.
 */
static bool is_idle(const struct wait *wait)
{
	return (wait->own_space || wait->own_call) && wait->unknown_releaser &&
	       !wait->nr_blockers && !wait->comes_back && !wait->refused &&
	       wait->kind != GL_KIND_FUTEX_PI;
}

void again_end(struct census *c, const struct world *w)
{
	for (uint32_t i = 0; i < w->nr_waits; i++)
		if (is_idle(&w->waits[i]))
			census_keep_idle(c, &w->waits[i]);
}

bool again_idles(struct world *w, uint32_t task, const struct gl_wait_record *row)
{
	const struct wait *idle = w->census ? census_idle(w->census, task) : NULL;

	if (!idle || !is_told_alike(row, idle))
		return false;
	w->unseen.unknown_owner += kind_is_lock(idle->kind);
	return true;
}

void again_tell(struct world *w, const struct census *c, uint32_t task)
{
	const struct wait *idle = census_idle(c, task);

	if (idle && w->tasks[task].wait == NO_INDEX)
		add_copy(w, task, idle);
}

void again_tell_releasers(struct world *w)
{
	for (uint32_t r = 0; w->census && r < w->nr_resources; r++)
		for (uint32_t i = 0; i < w->resources[r].nr_releasers; i++)
			again_tell(w, w->census, w->resources[r].releasers[i]);
}
