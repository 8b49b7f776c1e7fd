// SPDX-License-Identifier: GPL-2.0
/*
 * lens_sight - are the processes that were named still seen? (lens_sight.h)
 *
 * Who executes a program that uses the same C library still is: the probes are in
 * that file.
 */
#include <stdbool.h>

#include "lens.h"
#include "lens_sight.h"
#include "proc.h"
#include "world.h"

/* Who cannot be read is in unseen.blocked_reads, and may have it still. */
static bool maps_file(const struct world *w, pid_t pid, const struct lens_file *file)
{
	pid_t tid = w->tasks[world_live_thread(w, pid)].tid;
	struct proc_maps maps;
	bool found = false;

	if (proc_maps_read(w->remote, pid, tid, &maps))
		return true;
	for (uint32_t i = 0; i < maps.nr && !found; i++)
		found = maps.map[i].executable && maps.map[i].inode == file->inode &&
			maps.map[i].dev_major == file->dev_major &&
			maps.map[i].dev_minor == file->dev_minor;
	proc_maps_free(&maps);
	return found;
}

static void count(struct lens_target *target, const struct world *w, struct lens_cost *ret)
{
	uint32_t task = world_find_task(w, target->pid);
	const struct task *t = task == NO_INDEX ? NULL : &w->tasks[task];

	if (t && !target->start_ticks)
		target->start_ticks = t->start_ticks;
	if (!t || t->start_ticks != target->start_ticks ||
	    world_live_thread(w, target->pid) == NO_INDEX)
		ret->nr_ended++;
	else if (!maps_file(w, target->pid, &target->file))
		ret->nr_blind++;
}

void lens_sight_count(struct lens_target *targets, uint32_t nr, const struct world *w,
		      struct lens_cost *ret)
{
	ret->nr_ended = 0;
	ret->nr_blind = 0;
	for (uint32_t i = 0; i < nr; i++)
		count(&targets[i], w, ret);
}
