// SPDX-License-Identifier: GPL-2.0
/* futex_heir - who may go on with a mutex whose owner is gone (futex_heir.h) */
#include <errno.h>

#include "futex_heir.h"
#include "futex_owner.h"
#include "remote.h"
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
static bool is_first_of_fork(const struct task *t)
{
	return t->tid == t->tgid && t->forked && !t->kthread && !t->exiting;
}

bool futex_has_heir(struct world *w, pid_t tgid, uint64_t addr, uint32_t resource)
{
	const struct proc_map *map = futex_map(w, tgid, addr);

	if (!map)
		return true;
	for (uint32_t i = 0; i < w->nr_tasks; i++) {
		const struct task *t = &w->tasks[i];

		if (!is_first_of_fork(t) || waits_for(w, t, resource))
			continue;
		if (!map->shared ? t->tgid == tgid :
		    world_too_late(w) ||
		    futex_maps(w, t->tgid, map, addr - map->start + map->offset))
			return true;
	}
	return false;
}

/* Each process is asked once in a look; what there is no time to ask is not known. */
static bool is_clone(struct world *w, struct task *t)
{
	if (!is_first_of_fork(t))
		return false;
	if (t->clone == CLONE_NOT_ASKED) {
		int has = world_too_late(w) ? 0 : remote_has_robust_list(w->remote, t->tgid);

		t->clone = has > 0 || has == -ESRCH ? CLONE_NOT : CLONE_MAYBE;
	}
	return t->clone == CLONE_MAYBE;
}

bool futex_may_be_strangers(struct world *w, pid_t tgid, uint64_t addr)
{
	const struct proc_map *map = futex_map(w, tgid, addr);
	uint64_t offset = map ? addr - map->start + map->offset : 0;
	bool found = !map;

	for (uint32_t i = 0; i < w->nr_tasks && map && map->shared && !found; i++)
		if (is_clone(w, &w->tasks[i]))
			found = world_too_late(w) ||
				futex_maps(w, w->tasks[i].tgid, map, offset);
	return found;
}
