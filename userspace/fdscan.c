// SPDX-License-Identifier: GPL-2.0
/* fdscan - who holds which pipe ends, sockets, files and file locks (fdscan.h) */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "alike.h"
#include "census.h"
#include "fdscan.h"
#include "remote.h"
#include "resolve.h"
#include "world.h"
#include "xalloc.h"

#define PATH_SIZE	64

/*
 * Of so many threads with one table, one can run, for all that is known: each of
 * their waits for a descriptor would have an edge to all the others.
 */
#define MAX_SHARERS	1000

static void scan_free(struct fdscan *scan)
{
	for (uint32_t i = 0; i < scan->nr_tables; i++)
		free(scan->tables[i].tasks);
	free(scan->tables);
	free(scan->numbers);
	free(scan->pipes);
	free(scan->sockets);
	free(scan->anons);
	free(scan->files);
	free(scan->locks);
	for (uint32_t i = 0; i < scan->nr_groups; i++)
		free(scan->groups[i].first);
	free(scan->groups);
	file_locks_free(&scan->held);
	if (scan->more)
		scan_free(scan->more);
	free(scan);
}

/* --- one process ---------------------------------------------------------- */

static uint32_t add_table(struct fdscan *scan, const struct task *task)
{
	struct fd_table *table = vec_push(scan->tables, scan->nr_tables);

	table->tgid = task->tgid;
	table->tid = task->tid;
	return scan->nr_tables - 1;
}

static void add_member(struct fd_table *table, uint32_t task)
{
	*vec_push(table->tasks, table->nr_tasks) = task;
}

/*
 * Does the thread use that table? If it cannot be told, the scan is incomplete;
 * of a process whose reads block each thread is read as if it had its own.
 */
static bool shares_table(struct world *w, struct fdscan *scan, const struct fd_table *table,
			 uint32_t index)
{
	const struct task *task = &w->tasks[index];
	int same = census_shares_files(w, table->tasks[0], index);

	if (same < 0)
		same = remote_kcmp(w->remote, table->tgid, table->tid, task->tid, KCMP_FILES);
	if (same >= 0)
		return same;
	if (same == -ESRCH || same == -ETIMEDOUT)
		return false;
	scan->incomplete = true;
	return true;
}

/* A table of its own, for @task; false if that is gone or cannot be read. */
static bool scan_task(struct world *w, struct fdscan *scan, uint32_t task)
{
	uint32_t table = add_table(scan, &w->tasks[task]);
	int err = fdscan_again(w, scan, table, task) ? 0 : fdscan_table(w, scan, table);

	if (err == -EACCES || err == -EPERM)
		w->unseen.denied_reads++;
	if (err && err != -ESRCH)
		scan->incomplete = true;
	add_member(&scan->tables[table], task);
	return !err;
}

/*
 * A thread that is gone may have become the process, by execve(2), with a table
 * of its own: read the process's again.
 */
static void scan_leader_again(struct world *w, struct fdscan *scan, pid_t tgid)
{
	uint32_t leader = world_find_task(w, tgid);

	if (leader != NO_INDEX && !w->tasks[leader].exiting)
		scan_task(w, scan, leader);
}

/*
 * Threads nearly always share their process's table; the few that do not are
 * scanned each by itself. A denied process is asked once only.
 */
static void scan_process(struct world *w, struct fdscan *scan, const uint32_t *tasks, uint32_t nr)
{
	uint32_t shared = NO_INDEX;
	bool lost = false;

	for (uint32_t i = 0; i < nr; i++) {
		const struct task *task = &w->tasks[tasks[i]];
		bool read;

		if (task->exiting)
			continue;
		/* To ask that of a crowd takes long: only where it is for a proof. */
		if (shared != NO_INDEX &&
		    ((nr > MANY && !w->thorough) ||
		     shares_table(w, scan, &scan->tables[shared], tasks[i]))) {
			add_member(&scan->tables[shared], tasks[i]);
			continue;
		}
		read = scan_task(w, scan, tasks[i]);
		if (read && shared == NO_INDEX)
			shared = scan->nr_tables - 1;
		else if (shared == NO_INDEX && scan->incomplete)
			return;
		lost |= !read && task->tid != task->tgid;
	}
	if (lost)
		scan_leader_again(w, scan, w->tasks[tasks[0]].tgid);
}

static void scan_all(struct world *w, struct fdscan *scan)
{
	for (uint32_t i = 0; i < w->nr_tasks; i++) {
		const uint32_t *tasks;
		uint32_t nr;

		if (world_too_late(w)) {
			scan->incomplete = true;
			w->unseen.not_looked++;
			return;
		}
		if (w->tasks[i].kthread)
			continue;
		nr = world_process(w, w->tasks[i].tgid, &tasks);
		if (nr && tasks[0] == i)
			scan_process(w, scan, tasks, nr);
	}
}

/* By number, and then in the order of the tables. */
static int compare_ends(const void *a, const void *b)
{
	const struct fd_end *x = a, *y = b;

	if (x->ino != y->ino)
		return x->ino < y->ino ? -1 : 1;
	return (x->table > y->table) - (x->table < y->table);
}

static struct fdscan *get_scan(struct world *w)
{
	struct fdscan *scan = w->fds;

	if (scan)
		return scan;
	scan = xcalloc(1, sizeof(*scan));
	w->fds = scan;
	w->fds_free = scan_free;
	scan_all(w, scan);
	fdscan_again_end(scan);
	if (scan->nr_pipes)
		qsort(scan->pipes, scan->nr_pipes, sizeof(*scan->pipes), compare_ends);
	if (scan->nr_sockets)
		qsort(scan->sockets, scan->nr_sockets, sizeof(*scan->sockets), compare_ends);
	return scan;
}

const struct fd_end *fdscan_find(const struct fd_end *ends, uint32_t nr, uint64_t ino,
				 uint32_t *nr_ret)
{
	uint32_t low = 0, high = nr, end;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (ends[mid].ino < ino)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < nr && ends[end].ino == ino; end++)
		;
	*nr_ret = end - low;
	return ends + low;
}

const struct fdscan *fdscan_ends(struct world *w)
{
	return get_scan(w);
}

/* --- files, eventfds -------------------------------------------------------- */

/* Has the thread that a table was read of left it to others? */
static bool lost_reader(const struct fd_table *table)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", table->tgid, table->tid);
	return table->nr_tasks > 1 && access(path, F_OK);
}

static bool is_open_to(unsigned int flags, unsigned int mode)
{
	unsigned int open = flags & O_ACCMODE;

	return !(flags & O_PATH) && (open == mode || open == O_RDWR);
}

static void scan_file(struct world *w, struct fdscan *scan, struct fd_end *file)
{
	const struct fd_table *table = &scan->tables[file->table];
	struct fd_info info;
	int err = fd_info_read(w, table->tgid, table->tid, file->fd, &info);

	if (err == -ETIMEDOUT)
		scan->files_blocked = true;
	else if (err && ((err != -ENOENT && err != -ESRCH) || lost_reader(table)))
		scan->files_incomplete = true;
	scan->files_incomplete |= info.truncated;
	file->ino = info.ino;
	file->mnt_id = info.mnt_id;
	file->readable = !err && is_open_to(info.flags, O_RDONLY);
	file->writable = !err && is_open_to(info.flags, O_WRONLY);
	for (uint32_t i = 0; i < info.locks.nr; i++) {
		struct fd_lock *lock = vec_push(scan->locks, scan->nr_locks);

		lock->table = file->table;
		lock->fd = file->fd;
		lock->lock = info.locks.lock[i];
	}
	fd_info_free(&info);
}

/* /proc/locks is read first: a lock that is taken meanwhile has no waiter yet. */
const struct fdscan *fdscan_files(struct world *w)
{
	struct fdscan *scan = get_scan(w);

	if (scan->files_done)
		return scan;
	scan->files_done = true;
	scan->files_incomplete = scan->incomplete || file_locks_read(w->remote, &scan->held);
	for (uint32_t i = 0; i < scan->nr_files && !world_too_late(w); i++)
		scan_file(w, scan, &scan->files[i]);
	scan->files_incomplete |= world_too_late(w);
	return scan;
}

const struct fdscan *fdscan_eventfds(struct world *w)
{
	struct fdscan *scan = get_scan(w);

	for (uint32_t i = 0; i < scan->nr_anons && !scan->eventfds_done; i++) {
		const struct fd_table *table = &scan->tables[scan->anons[i].table];
		struct fd_info info;
		int err;

		if (scan->anons[i].anon != FD_ANON_EVENTFD || scan->anons[i].ino)
			continue;
		if (world_too_late(w)) {
			scan->incomplete = true;
			break;
		}
		err = fd_info_read(w, table->tgid, table->tid, scan->anons[i].fd, &info);
		if (err != -ENOENT && err != -ESRCH && info.eventfd_id < 0)
			scan->incomplete = true;
		/* From 1 on: 0 is not read. */
		scan->anons[i].ino = info.eventfd_id + 1;
		fd_info_free(&info);
	}
	scan->eventfds_done = true;
	return scan;
}

/* --- tasks that came later --------------------------------------------------- */

void fdscan_more(struct world *w, uint32_t first)
{
	struct fdscan *more;

	if (!w->fds)
		return;
	if (!w->fds->more)
		w->fds->more = xcalloc(1, sizeof(*more));
	more = w->fds->more;
	for (uint32_t i = first; i < w->nr_tasks; i++)
		if (!w->tasks[i].kthread && !w->tasks[i].exiting)
			scan_task(w, more, i);
	for (; more->nr_files_read < more->nr_files; more->nr_files_read++)
		scan_file(w, more, &more->files[more->nr_files_read]);
}

static bool has_number(const struct fd_end *ends, uint32_t nr, uint64_t ino)
{
	for (uint32_t i = 0; i < nr; i++)
		if (ends[i].ino == ino)
			return true;
	return false;
}

bool fdscan_holds(const struct world *w, uint64_t ino)
{
	const struct fdscan *more = w->fds ? w->fds->more : NULL;

	return more && (more->incomplete || more->files_incomplete || more->files_blocked ||
			has_number(more->pipes, more->nr_pipes, ino) ||
			has_number(more->sockets, more->nr_sockets, ino) ||
			has_number(more->files, more->nr_files, ino));
}

void fdscan_add_releasers(struct world *w, const struct fdscan *scan, uint32_t table,
			  uint32_t resource)
{
	const struct fd_table *t = &scan->tables[table];

	if (t->nr_tasks > MAX_SHARERS) {
		w->resources[resource].unknown = true;
		return;
	}
	for (uint32_t i = 0; i < t->nr_tasks; i++)
		world_add_releaser(w, resource, t->tasks[i]);
}
