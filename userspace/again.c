// SPDX-License-Identifier: GPL-2.0
/*
 * again - waits that must be what they were at the look before (again.h).
 *
 * What the look before read of the wait, it read after it had asked who sleeps, and
 * each thread of the address space has slept from then until this look asked. So no
 * word of a lock was written, nothing was mapped in its place, no signal was given
 * another handler, no timer was made, and no thread has come or gone.
 */
#include "../kmod/uapi/gridlock.h"
#include "again.h"
#include "census.h"
#include "world.h"
#include "xalloc.h"

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
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
	wait = world_add_wait(w, task, past->kind);
	wait->mode = past->mode;
	wait->needs = past->needs;
	wait->timed = past->timed;
	wait->comes_back = past->comes_back;
	wait->interruptible = past->interruptible;
	wait->own_space = true;
	wait->begin_ns = past->begin_ns;
	wait->gen = past->gen;
	wait->cap = past->cap;
	wait->cap_reason = past->cap_reason;
	wait->id = copy(past->id);
	wait->name = copy(past->name);
	wait->where = copy(past->where);
	wait->unknown_releaser = past->unknown_releaser;
	for (uint32_t i = 0; i < past->nr_blockers; i++)
		copy_resource(w, wait, from, &from->resources[past->blockers[i]]);
	return true;
}
