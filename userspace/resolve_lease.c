// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_lease - opens and truncations that wait for a lease to be given up.
 *
 * The waiter has a line in /proc/locks, which tells the file; the holders are
 * those with a lease on it. The kernel takes a lease away when it is not given
 * up in time (sysctl fs.lease-break-time): such a wait ends by itself.
 */
#include <string.h>

#include "fdscan.h"
#include "resolve.h"
#include "xalloc.h"

/* The file that process @tgid waits for; NULL: not told, or several */
static const struct file_lock *find_waiter(const struct fdscan *scan, pid_t tgid)
{
	const struct file_lock *found = NULL;

	for (uint32_t i = 0; i < scan->held.nr; i++) {
		const struct file_lock *line = &scan->held.lock[i];

		if (line->class != FILE_LOCK_LEASE || !line->waiter || line->pid != tgid)
			continue;
		if (found && found->ino != line->ino)
			return NULL;
		found = line;
	}
	return found;
}

static void add_holders(struct world *w, struct wait *wait, const struct fdscan *scan,
			const struct file_lock *waiter)
{
	for (uint32_t i = 0; i < scan->held.nr; i++) {
		const struct file_lock *held = &scan->held.lock[i];

		if (held->class == FILE_LOCK_LEASE && !held->waiter && held->ino == waiter->ino &&
		    held->dev_major == waiter->dev_major && held->dev_minor == waiter->dev_minor)
			world_block_on(w, wait, filelock_held(w, scan, held));
	}
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct file_lock *waiter;
	const struct fdscan *scan;
	struct wait *wait;

	if (strcmp(s->wchan, "__break_lease"))
		return false;
	scan = fdscan_files(w);
	waiter = find_waiter(scan, w->tasks[s->task].tgid);
	wait = world_add_wait(w, s->task, GL_KIND_LEASE);
	wait->mode = waiter && waiter->write ? MODE_EXCLUSIVE : MODE_SHARED;
	wait->timed = TIMED_YES;
	wait->interruptible = true;
	wait->where = xstrdup(s->wchan);
	wait->id = xasprintf("lease %llu", waiter ? (unsigned long long)waiter->ino : 0);
	wait->name = xasprintf("on inode %llu", waiter ? (unsigned long long)waiter->ino : 0);
	if (waiter)
		add_holders(w, wait, scan, waiter);
	if (!wait->nr_blockers)
		wait->unknown_releaser = true;
	return true;
}

const struct resolver resolve_lease = {
	.name = "lease",
	.resolve = resolve,
};
