// SPDX-License-Identifier: GPL-2.0
/* futex_heir - who may go on with a mutex whose owner is gone (futex_heir.h) */
#include "futex_heir.h"
#include "futex_owner.h"
#include "resolve.h"

static bool waits_for(const struct world *w, const struct task *t, uint32_t resource)
{
	const struct wait *wait = t->wait == NO_INDEX ? NULL : &w->waits[t->wait];

	for (uint32_t i = 0; wait && i < wait->nr_blockers; i++)
		if (wait->blockers[i] == resource)
			return true;
	return false;
}

/* Is it a forked process's first thread, the only one that fork() makes? */
static bool may_inherit(const struct world *w, const struct task *t, uint32_t resource)
{
	return t->tid == t->tgid && t->forked && !t->kthread && !t->exiting &&
	       !waits_for(w, t, resource);
}

bool futex_has_heir(struct world *w, pid_t tgid, uint64_t addr, uint32_t resource)
{
	const struct proc_map *map = futex_map(w, tgid, addr);

	if (!map)
		return true;
	for (uint32_t i = 0; i < w->nr_tasks; i++) {
		const struct task *t = &w->tasks[i];

		if (!may_inherit(w, t, resource))
			continue;
		if (!map->shared ? t->tgid == tgid :
		    world_too_late(w) ||
		    futex_maps(w, t->tgid, map, addr - map->start + map->offset))
			return true;
	}
	return false;
}
