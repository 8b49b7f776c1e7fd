// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_filelock - waits in flock(2) and fcntl(2) for locks on files.
 *
 * What is wanted is told by the call's arguments and by the waiter's own line
 * of /proc/locks; who is in the way by the held locks listed there, and by the
 * descriptors through which fdinfo shows these: a lock of an open file
 * description (flock, OFD) can be released by whoever shares that description,
 * a POSIX lock by whoever shares the descriptor table. All locks in the way
 * must go. Waiters queued ahead are wake-up order and hold nobody up.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/syscall.h>

#include "array.h"
#include "fdscan.h"
#include "proc.h"
#include "ready.h"
#include "remote.h"
#include "resolve.h"
#include "resolve_filelock_row.h"
#include "xalloc.h"

/** struct want - the lock that a task sleeps for */
struct want {
	int fd;
	/** @lock: as /proc/locks would tell it once it is held */
	struct file_lock lock;
	/** @range_known: start and end are */
	bool range_known;
};

static bool sleeps(const struct sleeper *s)
{
	static const char *const functions[] = {
		"locks_lock_inode_wait", "flock_lock_inode_wait", "posix_lock_inode_wait",
		"fcntl_setlk", "do_lock_file_wait", "__x64_sys_flock",
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(s->wchan, functions[i]))
			return true;
	return false;
}

/* The range of fcntl(2)'s struct flock; of a relative one only the kernel knows it. */
static bool read_range(struct world *w, pid_t tgid, uint64_t addr, struct want *want)
{
	struct flock range;

	if (remote_read_memory(w->remote, tgid, addr, &range, sizeof(range)) != sizeof(range))
		return false;
	if (range.l_type != F_RDLCK && range.l_type != F_WRLCK)
		return false;
	want->lock.write = range.l_type == F_WRLCK;
	if (range.l_whence != SEEK_SET || range.l_start < 0)
		return true;
	want->range_known = true;
	want->lock.start = range.l_start;
	want->lock.end = FILE_LOCK_EOF;
	if (range.l_len > 0) {
		want->lock.end = range.l_start + range.l_len - 1;
	} else if (range.l_len < 0) {
		want->lock.end = range.l_start - 1;
		want->lock.start = range.l_start + range.l_len;
	}
	return true;
}

static bool parse_call(struct world *w, const struct sleeper *s, struct want *want)
{
	pid_t tgid = w->tasks[s->task].tgid;

	*want = (struct want){ .fd = s->args[0] };
	want->lock.pid = tgid;
	if (s->nr == SYS_flock) {
		want->lock.class = FILE_LOCK_FLOCK;
		want->lock.write = s->args[1] & LOCK_EX;
		want->lock.end = FILE_LOCK_EOF;
		want->range_known = true;
		return true;
	}
	if (s->nr != SYS_fcntl)
		return false;
	if (s->args[1] == F_OFD_SETLKW) {
		want->lock.class = FILE_LOCK_OFD;
		want->lock.pid = -1;
	} else if (s->args[1] == F_SETLKW) {
		want->lock.class = FILE_LOCK_POSIX;
	} else {
		return false;
	}
	return read_range(w, tgid, s->args[2], want);
}

static bool is_waiter_line(const struct file_lock *line, const struct want *want)
{
	return line->waiter && line->class == want->lock.class && line->pid == want->lock.pid &&
	       line->write == want->lock.write && line->ino == want->lock.ino &&
	       (!want->range_known ||
		(line->start == want->lock.start && line->end == want->lock.end));
}

static bool same_place(const struct file_lock *a, const struct file_lock *b)
{
	return a->dev_major == b->dev_major && a->dev_minor == b->dev_minor && a->ino == b->ino &&
	       a->start == b->start && a->end == b->end;
}

/*
 * The waiter's own line tells the device, and the range where the call did
 * not. Several lines that differ could each be this task's.
 */
static bool find_waiter(const struct fdscan *scan, struct want *want)
{
	const struct file_lock *found = NULL;

	for (uint32_t i = 0; i < scan->held.nr; i++) {
		const struct file_lock *line = &scan->held.lock[i];

		if (!is_waiter_line(line, want))
			continue;
		if (found && !same_place(found, line))
			return false;
		found = line;
	}
	if (!found)
		return false;
	want->lock = *found;
	return true;
}

/*
 * A call goes on with the file it began with, whatever other threads make of the
 * number since. While the process has one waiter's line only, that is this task's.
 */
static bool is_ambiguous(const struct fdscan *scan, const struct want *want)
{
	for (uint32_t i = 0; i < scan->held.nr; i++) {
		const struct file_lock *line = &scan->held.lock[i];

		if (line->waiter && line->class == want->lock.class &&
		    line->pid == want->lock.pid && !same_place(line, &want->lock))
			return true;
	}
	return false;
}

/* flock(2) minds its own kind only; the other two mind each other. */
static bool conflicts(const struct file_lock *held, const struct file_lock *want)
{
	bool flock = want->class == FILE_LOCK_FLOCK;

	if (held->waiter || held->class == FILE_LOCK_LEASE || held->class == FILE_LOCK_OTHER)
		return false;
	if (flock ? held->class != FILE_LOCK_FLOCK : held->class == FILE_LOCK_FLOCK)
		return false;
	return (held->write || want->write) && held->dev_major == want->dev_major &&
	       held->dev_minor == want->dev_minor && held->ino == want->ino &&
	       held->start <= want->end && held->end >= want->start;
}

static bool has_task(const struct fd_table *table, uint32_t task)
{
	for (uint32_t i = 0; i < table->nr_tasks; i++)
		if (table->tasks[i] == task)
			return true;
	return false;
}

/*
 * Is the lock one that the waiter's own call would replace? A POSIX lock is, if
 * it is of the same descriptor table; an OFD lock if it shows through the very
 * descriptor. flock(2) drops the old lock before it waits.
 */
static bool is_own(const struct fdscan *scan, const struct file_lock *held, uint32_t task,
		   const struct fd_info *info)
{
	if (held->class == FILE_LOCK_OFD) {
		for (uint32_t i = 0; i < info->locks.nr; i++)
			if (file_lock_equal(&info->locks.lock[i], held))
				return true;
		return false;
	}
	if (held->class != FILE_LOCK_POSIX)
		return false;
	for (uint32_t i = 0; i < scan->nr_locks; i++)
		if (file_lock_equal(&scan->locks[i].lock, held) &&
		    has_task(&scan->tables[scan->locks[i].table], task))
			return true;
	return false;
}

static const char *class_name(enum file_lock_class class)
{
	static const char *const names[] = {
		[FILE_LOCK_OTHER] = "other",	[FILE_LOCK_FLOCK] = "flock",
		[FILE_LOCK_POSIX] = "posix",	[FILE_LOCK_OFD] = "ofd",
		[FILE_LOCK_LEASE] = "lease",
	};

	return names[class];
}

uint32_t filelock_held(struct world *w, const struct fdscan *scan, const struct file_lock *held)
{
	char *key = xasprintf("%s %02x:%02x:%llu %llu-%llu %s by %d", class_name(held->class),
			      held->dev_major, held->dev_minor, (unsigned long long)held->ino,
			      (unsigned long long)held->start, (unsigned long long)held->end,
			      held->write ? "exclusive" : "shared", held->pid);
	bool new;
	uint32_t index = world_resource(w, key, &new);
	struct resource *r = &w->resources[index];

	free(key);
	if (!new)
		return index;
	r->evidence = EVIDENCE_READ;
	r->ino = held->ino;
	r->held = held->write ? MODE_EXCLUSIVE : MODE_SHARED;
	r->unknown = scan->files_incomplete;
	for (uint32_t i = 0; i < scan->nr_locks; i++)
		if (file_lock_equal(&scan->locks[i].lock, held))
			fdscan_add_releasers(w, scan, scan->locks[i].table, index);
	return index;
}

/* So many locks alike are told apart: each is compared with each. */
#define MAX_ALIKE	64

/* --- locks that look alike ----------------------------------------------------- */

static uint32_t nr_alike(const struct fdscan *scan, const struct file_lock *held)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < scan->held.nr; i++)
		nr += file_lock_equal(&scan->held.lock[i], held);
	return nr;
}

/* Does descriptor @fd of @t share its open file with the one that shows @lock? */
static int shares_file(struct world *w, const struct fdscan *scan, const struct fd_lock *lock,
		       const struct task *t, int fd)
{
	const struct fd_table *table = &scan->tables[lock->table];

	return remote_same_file(w->remote, table->tgid, table->tid, lock->fd, t->tid, fd);
}

/* The first lock before @i of the same open file, or @i; -errno: not all could be compared */
static int64_t first_of_file(struct world *w, const struct fdscan *scan, const uint32_t *first,
			     uint32_t i)
{
	const struct fd_lock *lock = &scan->locks[i];
	const struct task *t = &w->tasks[*scan->tables[lock->table].tasks];

	for (uint32_t k = 0; k < i; k++) {
		int same;

		if (first[k] != k || !file_lock_equal(&scan->locks[k].lock, &lock->lock))
			continue;
		if (world_too_late(w))
			return -ETIME;
		same = shares_file(w, scan, &scan->locks[k], t, lock->fd);
		if (same)
			return same < 0 ? same : (int64_t)k;
	}
	return i;
}

/* See struct lock_groups. */
static uint32_t *group_by_file(struct world *w, const struct fdscan *scan,
			       const struct file_lock *held)
{
	uint32_t *first = xcalloc(scan->nr_locks, sizeof(*first));

	for (uint32_t i = 0; i < scan->nr_locks; i++) {
		int64_t found = i;

		if (file_lock_equal(&scan->locks[i].lock, held))
			found = first_of_file(w, scan, first, i);
		if (found < 0) {
			free(first);
			return NULL;
		}
		first[i] = found;
	}
	return first;
}

/* Once for all who wait for one of them: to compare takes long. */
static const uint32_t *groups_of(struct world *w, const struct fdscan *scan,
				 const struct file_lock *held)
{
	struct lock_groups *groups;

	for (uint32_t i = 0; i < scan->nr_groups; i++)
		if (file_lock_equal(&scan->groups[i].lock, held))
			return scan->groups[i].first;
	groups = vec_push(w->fds->groups, w->fds->nr_groups);
	groups->lock = *held;
	groups->first = group_by_file(w, scan, held);
	return groups->first;
}

static void block_on_file(struct world *w, struct wait *wait, const struct fdscan *scan,
			  uint32_t first, uint32_t table)
{
	const struct file_lock *held = &scan->locks[first].lock;
	char *key = xasprintf("%s %02x:%02x:%llu %llu-%llu of file %u", class_name(held->class),
			      held->dev_major, held->dev_minor, (unsigned long long)held->ino,
			      (unsigned long long)held->start, (unsigned long long)held->end,
			      first);
	bool new;
	uint32_t index = world_resource(w, key, &new);

	free(key);
	w->resources[index].evidence = EVIDENCE_READ;
	w->resources[index].ino = held->ino;
	w->resources[index].held = held->write ? MODE_EXCLUSIVE : MODE_SHARED;
	w->resources[index].unknown |= scan->files_incomplete;
	fdscan_add_releasers(w, scan, table, index);
	world_block_on(w, wait, index);
}

/*
 * Several open files can have locks of which /proc tells the same: which
 * descriptors share one is asked for. The waiter's own is no hindrance.
 */
static void add_alike(struct world *w, struct wait *wait, const struct fdscan *scan,
		      const struct file_lock *held, int fd)
{
	const struct task *t = &w->tasks[wait->task];
	const uint32_t *first = groups_of(w, scan, held);
	bool *in_the_way;

	/* As one, which any of them all can release: less is claimed by that. */
	if (!first) {
		world_block_on(w, wait, filelock_held(w, scan, held));
		return;
	}
	in_the_way = xcalloc(scan->nr_locks, sizeof(*in_the_way));
	for (uint32_t i = 0; i < scan->nr_locks; i++) {
		if (!file_lock_equal(&scan->locks[i].lock, held))
			continue;
		/* The first of a file comes before the others. */
		if (first[i] == i)
			in_the_way[i] = !world_too_late(w) &&
					!shares_file(w, scan, &scan->locks[i], t, fd);
		if (in_the_way[first[i]])
			block_on_file(w, wait, scan, first[i], scan->locks[i].table);
	}
	free(in_the_way);
}

/* Is line @i of /proc/locks the first of those that look like it? */
static bool is_first_line(const struct fdscan *scan, uint32_t i)
{
	for (uint32_t k = 0; k < i; k++)
		if (file_lock_equal(&scan->held.lock[k], &scan->held.lock[i]))
			return false;
	return true;
}

static void add_holder(struct world *w, struct wait *wait, const struct fdscan *scan, uint32_t i,
		       const struct want *want, const struct fd_info *info)
{
	const struct file_lock *held = &scan->held.lock[i];
	uint32_t alike = held->class == FILE_LOCK_POSIX ? 1 : nr_alike(scan, held);

	if (alike > 1 && alike <= MAX_ALIKE) {
		if (is_first_line(scan, i))
			add_alike(w, wait, scan, held, want->fd);
	} else if (!is_own(scan, held, wait->task, info)) {
		world_block_on(w, wait, filelock_held(w, scan, held));
	}
}

/* All must go: where the time is over, those that were found are claimed alone. */
static void add_holders(struct world *w, struct wait *wait, const struct fdscan *scan,
			const struct want *want, const struct fd_info *info)
{
	for (uint32_t i = 0; i < scan->held.nr; i++) {
		if (!conflicts(&scan->held.lock[i], &want->lock))
			continue;
		if (world_too_late(w))
			break;
		add_holder(w, wait, scan, i, want, info);
	}
	if (!wait->nr_blockers)
		wait->unknown_releaser = true;
	if (scan->files_blocked)
		world_cap(wait, VERDICT_LIKELY,
			  "who else has the files is not known: reads of a process block");
}

/* What makes the wait no proof, whoever is in the way. */
static void cap_uncertain(struct world *w, struct wait *wait, const struct fdscan *scan,
			  const struct want *want)
{
	/* Of an OFD lock no line tells the process. */
	if (want->lock.class == FILE_LOCK_OFD || is_ambiguous(scan, want))
		ready_cap_replaced(w, wait);
	if (w->thorough && wait->nr_blockers && fdscan_hides(w))
		world_cap(wait, VERDICT_LIKELY, HIDDEN_DESCRIPTORS);
}

static uint32_t kind_of(enum file_lock_class class)
{
	switch (class) {
	case FILE_LOCK_FLOCK:
		return GL_KIND_FLOCK;
	case FILE_LOCK_OFD:
		return GL_KIND_OFD;
	default:
		return GL_KIND_POSIX;
	}
}

static char *name_of(const struct task *t, const struct want *want)
{
	char path[256];

	fd_link(t->tgid, t->tid, want->fd, path, sizeof(path));
	if (!*path || want->lock.class == FILE_LOCK_FLOCK ||
	    (!want->lock.start && want->lock.end == FILE_LOCK_EOF))
		return xstrdup(path);
	if (want->lock.end == FILE_LOCK_EOF)
		return xasprintf("%s from %llu on", path, (unsigned long long)want->lock.start);
	return xasprintf("%s bytes %llu-%llu", path, (unsigned long long)want->lock.start,
			 (unsigned long long)want->lock.end);
}

static struct wait *add_wait(struct world *w, const struct sleeper *s, const struct want *want)
{
	const struct task *t = &w->tasks[s->task];
	struct wait *wait = world_add_wait(w, s->task, kind_of(want->lock.class));

	wait->mode = want->lock.write ? MODE_EXCLUSIVE : MODE_SHARED;
	wait->timed = proc_timed(t->tgid, t->tid);
	wait->interruptible = true;
	wait->id = xasprintf("%s %02x:%02x:%llu", class_name(want->lock.class),
			     want->lock.dev_major, want->lock.dev_minor,
			     (unsigned long long)want->lock.ino);
	wait->name = name_of(t, want);
	wait->where = xstrdup(s->wchan);
	return wait;
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	const struct fdscan *scan;
	struct fd_info info;
	struct want want;
	struct wait *wait;
	bool found;

	if (!sleeps(s) || !parse_call(w, s, &want))
		return false;
	found = !fd_info_read(w, t->tgid, t->tid, want.fd, &info) && info.ino;
	scan = fdscan_files(w);
	want.lock.ino = info.ino;
	found = found && find_waiter(scan, &want);
	wait = add_wait(w, s, &want);
	if (found) {
		filelock_row(wait, s, &want.lock);
		add_holders(w, wait, scan, &want, &info);
	} else {
		wait->unknown_releaser = true;
	}
	cap_uncertain(w, wait, scan, &want);
	fd_info_free(&info);
	return true;
}

const struct resolver resolve_filelock = {
	.name = "filelock",
	.resolve = resolve,
};
