// SPDX-License-Identifier: GPL-2.0
/*
 * settle - did the look see all who could set a member free (settle.h).
 *
 * Who holds a pipe, a socket or a file lock is told by a scan of all tables of
 * descriptors, task by task. A holder that forks and ends after the tasks were
 * listed and before its turn leaves what it held to a child that nobody has
 * seen. So tasks are listed again, after the scan. A task of the first list
 * that is there still had its turn. Those that came since have theirs now, and
 * the kernel's count of forks tells that none came meanwhile: then the second
 * list was all there was, and each of it was looked at after it was made.
 *
 * The same goes for a mutex's owner in a nested PID namespace, who cannot be
 * asked for by its number.
 *
 * What this leaves out: a descriptor that goes from one task to another by
 * itself, not with a fork. Those on their way are seen (fdscan_hides()).
 */
#include <stdlib.h>

#include "fdscan.h"
#include "futex_claim.h"
#include "proc.h"
#include "ready.h"
#include "resolve.h"
#include "settle.h"
#include "world.h"
#include "xalloc.h"

/* Times that a quiet moment is looked for. */
#define MAX_TRIES	10

/* Forks in which no number comes round again: they are given in turn, of 32,768 at least. */
#define MAX_FORKS	10000

static const char in_motion[] =
	"tasks come and go faster than it can be seen what each of them holds";

/* Does anything in this look depend on who was there? */
static bool depends(const struct world *w)
{
	bool any = futex_claims(w) || fdscan_asked_sharing(w);

	for (uint32_t r = 0; r < w->nr_resources && !any; r++)
		any = w->resources[r].ino;
	return any;
}

/* List and look at who came; true: that was all, and nobody came meanwhile. */
static bool see_new_tasks(struct world *w)
{
	uint64_t nr_forks = proc_forks();
	uint32_t first = w->nr_tasks;

	if (!nr_forks || !w->nr_forks || nr_forks - w->nr_forks >= MAX_FORKS)
		return false;
	if (nr_forks == w->nr_forks)
		return true;
	if (!proc_new_tasks(w))
		return false;
	fdscan_more(w, first);
	futex_more(w, first);
	return proc_forks() == nr_forks;
}

static bool is_settled(struct world *w)
{
	for (int i = 0; i < MAX_TRIES && !world_too_late(w); i++)
		if (see_new_tasks(w))
			return true;
	return false;
}

/* --- who else could release what is all seen ---------------------------------- */

/** enum handles - does a timer run a handler in the midst of a task's wait */
enum handles { HANDLES_UNKNOWN, HANDLES_NOT, HANDLES };

/* @handles: [w->nr_tasks] each task is asked about once */
static void cap_handlers(struct world *w, uint32_t resource, enum handles *handles)
{
	bool found = world_too_late(w);

	for (uint32_t i = 0; i < w->resources[resource].nr_releasers && !found; i++) {
		uint32_t task = w->resources[resource].releasers[i];

		if (handles[task] == HANDLES_UNKNOWN)
			handles[task] = ready_timer_handles(w, &w->tasks[task]) ? HANDLES :
										 HANDLES_NOT;
		found = handles[task] == HANDLES;
	}
	if (found)
		world_cap_waiters(w, resource, VERDICT_LIKELY,
				  "the handler of a timer's signal could release what others wait for");
}

static void cap_others(struct world *w)
{
	enum handles *handles = xcalloc(w->nr_tasks, sizeof(*handles));
	bool sees_all = proc_sees_all();

	for (uint32_t r = 0; r < w->nr_resources; r++) {
		if (!w->resources[r].ino)
			continue;
		if (!sees_all)
			world_cap_waiters(w, r, VERDICT_LIKELY, PROC_HIDES_TASKS);
		if (w->resources[r].pipe_room)
			pipe_cap_larger(w, r);
		cap_handlers(w, r, handles);
	}
	free(handles);
}

void settle(struct world *w)
{
	bool settled;

	futex_watch_words(w);
	if (!depends(w))
		return;
	settled = is_settled(w);
	futex_settle(w, settled, in_motion);
	fdscan_settle(w, settled, in_motion);
	for (uint32_t r = 0; r < w->nr_resources; r++) {
		if (!w->resources[r].ino)
			continue;
		if (fdscan_holds(w, w->resources[r].ino))
			w->resources[r].unknown = true;
		else if (!settled)
			world_cap_waiters(w, r, VERDICT_LIKELY, in_motion);
	}
	cap_others(w);
}
