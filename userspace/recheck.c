// SPDX-License-Identifier: GPL-2.0
/* recheck - is what was proven once borne out by what is seen later (recheck.h) */
#include "futex_claim.h"
#include "look.h"
#include "proc.h"
#include "recheck.h"
#include "world.h"

static bool is_rewritten(const struct world *w, uint32_t task)
{
	const struct wait *wait;

	if (w->tasks[task].wait == NO_INDEX)
		return false;
	wait = &w->waits[w->tasks[task].wait];
	for (uint32_t i = 0; i < wait->nr_blockers; i++)
		if (w->resources[wait->blockers[i]].rewritten)
			return true;
	return false;
}

/* One that has ended meanwhile has run. */
static bool slept_on(const struct task *t)
{
	struct task now = { 0 };

	proc_runs(t->tgid, t->tid, &now);
	return t->nr_runs && now.nr_runs == t->nr_runs && now.run_ns == t->run_ns;
}

void recheck_read(struct look *look)
{
	futex_reread(look->world);
}

bool recheck_fails(const struct look *look, const struct finding *f)
{
	bool rewritten = false;

	for (uint32_t i = 0; i < f->nr_tasks && !rewritten; i++)
		rewritten = is_rewritten(look->world, f->tasks[i]);
	/* After the words: whoever writes them runs before that. */
	for (uint32_t i = 0; i < f->nr_tasks && rewritten; i++)
		rewritten = slept_on(&look->world->tasks[f->tasks[i]]);
	return rewritten;
}
