// SPDX-License-Identifier: GPL-2.0
/*
 * fdscan_hidden - are there files that somebody can use and no table shows
 * (fdscan.h): on their way through a socket, known to io_uring, or kept by a
 * system call whose thread sleeps while others closed the number.
 */
#include <errno.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fdscan.h"
#include "proc.h"
#include "remote.h"
#include "resolve.h"
#include "world.h"

/* Threads whose calls are asked for at one go. */
#define BATCH		64

/* --- the reader itself ---------------------------------------------------------- */

bool fdscan_is_ours(uint64_t ino)
{
	struct stat st;

	for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
		if (!fstat(fd, &st) && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)) &&
		    st.st_ino == ino)
			return true;
	return false;
}

/* --- sockets ------------------------------------------------------------------ */

static bool socket_hides(struct world *w, const struct fdscan *scan, const struct fd_end *end)
{
	const struct fd_table *table = &scan->tables[end->table];
	struct fd_info info;
	bool found;
	int err;

	/* Not looked for is not proven absent. */
	if (world_too_late(w))
		return true;
	err = fd_info_read(w, table->tgid, table->tid, end->fd, &info);
	if (err)
		return err != -ENOENT && err != -ESRCH;
	found = info.nr_hidden || info.truncated;
	fd_info_free(&info);
	return found;
}

static bool sockets_hide(struct world *w, const struct fdscan *scan)
{
	for (uint32_t i = 0; i < scan->nr_sockets; i++)
		if (socket_hides(w, scan, &scan->sockets[i]))
			return true;
	return false;
}

/* --- io_uring ----------------------------------------------------------------- */

/*
 * A ring has files of its own, and keeps those of every request in flight: of
 * these its fdinfo says nothing. What it does later needs no task to wake first,
 * not even one that sleeps in a circle.
 */
static bool has_ring(const struct fdscan *scan)
{
	for (uint32_t i = 0; i < scan->nr_anons; i++)
		if (scan->anons[i].anon == FD_ANON_IO_URING)
			return true;
	return false;
}

/* --- calls in flight ----------------------------------------------------------- */

/* One descriptor can be waited for, and the other be used once that is over. */
static bool has_two_descriptors(long nr)
{
	return nr == SYS_splice || nr == SYS_tee || nr == SYS_sendfile ||
	       nr == SYS_copy_file_range;
}

/* Is there, or was there, somebody else to close what the call goes on with? */
static bool had_company(const struct world *w, pid_t tgid)
{
	const uint32_t *tasks;

	return world_process(w, tgid, &tasks) > 1 || proc_had_threads(tgid);
}

static bool may_keep(const struct task *t)
{
	return !t->kthread && !t->exiting;
}

static bool keeps(struct world *w, const struct task *t)
{
	struct proc_syscall call;
	int err = proc_syscall(w->remote, t, &call);

	if (err == -ENOENT || err == -ESRCH)
		return false;
	return (err || has_two_descriptors(call.nr)) && had_company(w, t->tgid);
}

static bool batch_keeps(struct world *w, uint32_t first, uint32_t end)
{
	bool found = world_too_late(w);

	remote_ahead_new(w->remote);
	for (uint32_t i = first; i < end; i++)
		if (may_keep(&w->tasks[i]))
			proc_sleeper_ahead(w->remote, w->tasks[i].tgid, w->tasks[i].tid);
	remote_ahead_go(w->remote);
	for (uint32_t i = first; i < end && !found; i++)
		if (may_keep(&w->tasks[i]))
			found = keeps(w, &w->tasks[i]);
	remote_ahead_new(w->remote);
	return found;
}

static bool calls_keep(struct world *w)
{
	for (uint32_t i = 0; i < w->nr_tasks; i += BATCH)
		if (batch_keeps(w, i, i + BATCH < w->nr_tasks ? i + BATCH : w->nr_tasks))
			return true;
	return false;
}

bool fdscan_hides(struct world *w)
{
	const struct fdscan *scan = fdscan_ends(w);

	if (!scan->hidden_done) {
		w->fds->hidden_done = true;
		w->fds->hides = has_ring(scan) || sockets_hide(w, scan) || calls_keep(w);
	}
	return scan->hides;
}
