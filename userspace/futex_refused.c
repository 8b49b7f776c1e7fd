// SPDX-License-Identifier: GPL-2.0
/* futex_refused - a PI mutex that the kernel refused to wait for (futex_refused.h) */
#include <stdio.h>
#include <stdlib.h>

#include "futex_glibc.h"
#include "futex_refused.h"
#include "resolve.h"
#include "xalloc.h"

/*
 * The word is a variable of the function that locks, and that one's callee makes
 * the call: this far above the stack pointer at most. An object of a caller's is
 * further up.
 */
#define FRAME_SIZE	96

bool futex_refused(struct world *w, const struct sleeper *s, const struct futex_call *call)
{
	return call->bitset && !call->val && call->timed == TIMED_NO && s->nr >= 0 &&
	       call->addr >= s->sp && call->addr - s->sp < FRAME_SIZE && glibc_called(w, s);
}

void futex_refused_wait(struct world *w, const struct sleeper *s)
{
	struct wait *wait = world_add_wait(w, s->task, GL_KIND_FUTEX_PI);
	pid_t tid = w->tasks[s->task].tid;
	char key[32];
	bool new;

	wait->mode = MODE_EXCLUSIVE;
	wait->interruptible = true;
	wait->refused = true;
	wait->id = xasprintf("refused to %d", tid);
	wait->name = xstrdup("PI mutex that the kernel refused");
	wait->where = xstrdup(s->wchan);
	snprintf(key, sizeof(key), "refused to %d", tid);
	world_block_on(w, wait, world_resource(w, key, &new));
	world_cap(wait, VERDICT_LIKELY, "which mutex was refused is not known");
}

/* --- who may have it ----------------------------------------------------------- */

static bool waits_for_any(const struct world *w, const struct wait *wait, const bool *tasks)
{
	for (uint32_t i = 0; i < wait->nr_blockers; i++) {
		const struct resource *r = &w->resources[wait->blockers[i]];

		for (uint32_t k = 0; k < r->nr_releasers; k++)
			if (tasks[r->releasers[k]])
				return true;
	}
	return false;
}

/* One step further from the task that was refused; false: there is none. */
static bool add_waiters(const struct world *w, bool *behind)
{
	bool found = false;

	for (uint32_t i = 0; i < w->nr_waits; i++) {
		const struct wait *wait = &w->waits[i];

		if (wait->kind != GL_KIND_FUTEX_PI || wait->refused || behind[wait->task] ||
		    !waits_for_any(w, wait, behind))
			continue;
		behind[wait->task] = true;
		found = true;
	}
	return found;
}

static void end_one(struct world *w, struct wait *wait)
{
	bool *behind = xcalloc(w->nr_tasks, sizeof(*behind));
	struct resource *r = &w->resources[*wait->blockers];

	behind[wait->task] = true;
	while (!world_too_late(w) && add_waiters(w, behind))
		;
	behind[wait->task] = false;
	r->evidence = EVIDENCE_INFERRED;
	r->held = MODE_EXCLUSIVE;
	for (uint32_t t = 0; t < w->nr_tasks; t++)
		if (behind[t])
			world_add_releaser(w, *wait->blockers, t);
	wait->unknown_releaser = !r->nr_releasers;
	free(behind);
}

void futex_refused_end(struct world *w)
{
	for (uint32_t i = 0; i < w->nr_waits; i++)
		if (w->waits[i].refused)
			end_one(w, &w->waits[i]);
}
