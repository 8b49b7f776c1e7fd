// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_poll - waits for any of several descriptors: poll, select, epoll.
 *
 * What is asked for is read from the arguments in the task's memory, of epoll
 * from fdinfo. One descriptor of which it is not known who makes it ready is
 * enough for the task to go on. So is a timeout: what polls with one comes
 * back to its loop, and that is no deadlock and no circle either. So is a
 * handler of a signal that is sent to have something done: waiting for such
 * signals in a poll is what idle servers do.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>

#include "array.h"
#include "fdscan.h"
#include "ready.h"
#include "remote.h"
#include "xalloc.h"

/* Younger than some C libraries. */
#define NR_EPOLL_PWAIT2	441

/* Who polls more than this is not looked into. */
#define MAX_POLLED	1024

/* epoll watches epoll at most so deep (EP_MAX_NESTS of the kernel's eventpoll.c). */
#define MAX_NESTS	4

/** struct request - what a task asked for */
struct request {
	/** @polled: [nr_polled] each descriptor once, but of poll(2) as often as it is there */
	struct polled polled[MAX_POLLED];
	uint32_t nr_polled;
	/** @unreadable: not all of it could be read */
	bool unreadable;
};

static bool sleeps(const struct sleeper *s)
{
	static const char *const functions[] = {
		"do_sys_poll", "do_poll", "do_select", "poll_schedule_timeout", "do_epoll_wait",
		"ep_poll",
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(s->wchan, functions[i]))
			return true;
	return false;
}

static void add_polled(struct request *request, int fd, uint32_t events)
{
	for (uint32_t i = 0; i < request->nr_polled; i++) {
		if (request->polled[i].fd == fd) {
			request->polled[i].events |= events;
			return;
		}
	}
	if (request->nr_polled == MAX_POLLED)
		request->unreadable = true;
	else
		request->polled[request->nr_polled++] = (struct polled){ fd, events };
}

static void read_poll(struct world *w, pid_t tgid, const struct sleeper *s, struct request *request)
{
	struct pollfd pfd[MAX_POLLED];
	size_t size = s->args[1] * sizeof(*pfd);

	if (s->args[1] > MAX_POLLED ||
	    (size && remote_read_memory(w->remote, tgid, s->args[0], pfd, size) != (ssize_t)size)) {
		request->unreadable = true;
		return;
	}
	for (uint32_t i = 0; i < s->args[1]; i++)
		if (pfd[i].fd >= 0)
			request->polled[request->nr_polled++] =
				(struct polled){ pfd[i].fd, pfd[i].events };
}

static void read_set(struct world *w, pid_t tgid, uint64_t addr, uint64_t nr, uint32_t events,
		     struct request *request)
{
	fd_set set;
	/* As the kernel reads it: whole longs. */
	size_t size = (nr + 63) / 64 * sizeof(long);

	if (!addr || !nr)
		return;
	if (nr > FD_SETSIZE ||
	    remote_read_memory(w->remote, tgid, addr, &set, size) != (ssize_t)size) {
		request->unreadable = true;
		return;
	}
	for (uint64_t fd = 0; fd < nr; fd++)
		if (FD_ISSET(fd, &set))
			add_polled(request, fd, events);
}

static void read_select(struct world *w, pid_t tgid, const struct sleeper *s,
			struct request *request)
{
	read_set(w, tgid, s->args[1], s->args[0], POLLIN, request);
	read_set(w, tgid, s->args[2], s->args[0], POLLOUT, request);
	read_set(w, tgid, s->args[3], s->args[0], POLLPRI, request);
}

/* An epoll descriptor is asked for as one; epoll_block() tells what it watches. */
static void read_request(struct world *w, const struct sleeper *s, struct request *request)
{
	pid_t tgid = w->tasks[s->task].tgid;

	switch (s->nr) {
	case SYS_poll:
	case SYS_ppoll:
		read_poll(w, tgid, s, request);
		break;
	case SYS_select:
	case SYS_pselect6:
		read_select(w, tgid, s, request);
		break;
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
	case NR_EPOLL_PWAIT2:
		add_polled(request, s->args[0], POLLIN);
		break;
	default:
		/* A poll that was interrupted and goes on: its arguments are gone. */
		request->unreadable = true;
	}
}

static bool has_timeout(const struct sleeper *s)
{
	switch (s->nr) {
	case SYS_poll:
		return (int)s->args[2] >= 0;
	case SYS_ppoll:
		return s->args[2];
	case SYS_select:
	case SYS_pselect6:
		return s->args[4];
	case SYS_epoll_wait:
	case SYS_epoll_pwait:
		return (int)s->args[3] >= 0;
	case NR_EPOLL_PWAIT2:
		return s->args[3];
	default:
		return false;
	}
}

/* --- epoll ------------------------------------------------------------------ */

/* Whoever else has the epoll descriptor can add to what it watches. */
static void add_sharers(struct world *w, const struct task *t, int fd, uint32_t resource)
{
	const struct fdscan *scan = fdscan_ends(w);

	for (uint32_t i = 0; i < scan->nr_anons; i++) {
		const struct fd_end *end = &scan->anons[i];
		const struct fd_table *table = &scan->tables[end->table];
		int same;

		if (end->anon != FD_ANON_EPOLL)
			continue;
		if (world_too_late(w)) {
			w->resources[resource].unknown = true;
			return;
		}
		same = remote_same_file(w->remote, t->tgid, t->tid, fd, table->tid, end->fd);
		if (same > 0)
			fdscan_add_releasers(w, scan, end->table, resource);
		else if (same < 0 && same != -ESRCH && same != -EBADF)
			w->resources[resource].unknown = true;
	}
	w->resources[resource].unknown |= scan->incomplete;
}

static void block_on_sharers(struct world *w, struct wait *wait, int fd)
{
	const struct task *t = &w->tasks[wait->task];
	const struct resource *r;
	uint32_t index;
	char key[48];
	bool new;

	snprintf(key, sizeof(key), "epoll %d of %d", fd, t->tid);
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_READ;
	if (new)
		add_sharers(w, t, fd, index);
	r = &w->resources[index];
	if (r->unknown || r->nr_releasers > 1)
		world_block_on(w, wait, index);
}

/* Two files can have been added by one number, if that was closed in between. */
static bool is_there_twice(const struct fd_info *info, int fd)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < info->nr_targets; i++)
		nr += info->targets[i].fd == fd;
	return nr > 1;
}

/*
 * Is the number still of the file that was added? Files without a name share one
 * inode number, and so do the ends of a pipe: where it is for a proof, the kernel is asked.
 */
static bool is_target(struct world *w, const struct task *t, int epoll,
		      const struct fd_info *info, const struct fd_target *target)
{
	unsigned long long ino;
	char link[64];

	if (w->thorough)
		return !is_there_twice(info, target->fd) &&
		       remote_epoll_target(w->remote, t->tgid, t->tid, epoll, target->fd) > 0;
	fd_link(t->tgid, t->tid, target->fd, link, sizeof(link));
	if (sscanf(link, "pipe:[%llu]", &ino) == 1 || sscanf(link, "socket:[%llu]", &ino) == 1)
		return ino == target->ino;
	return *link;
}

void epoll_block(struct world *w, struct wait *wait, int fd)
{
	const struct task *t = &w->tasks[wait->task];
	static unsigned int nests;
	struct fd_info info;

	if (nests == MAX_NESTS || fd_info_read(w, t->tgid, t->tid, fd, &info)) {
		wait->unknown_releaser = true;
		return;
	}
	nests++;
	wait->unknown_releaser |= info.truncated;
	for (uint32_t i = 0; i < info.nr_targets && !wait->unknown_releaser; i++) {
		struct polled polled = { info.targets[i].fd, info.targets[i].events };

		if (is_target(w, t, fd, &info, &info.targets[i]))
			ready_poll(w, wait, &polled);
		else
			wait->unknown_releaser = true;
	}
	nests--;
	fd_info_free(&info);
	if (!wait->unknown_releaser)
		block_on_sharers(w, wait, fd);
}

/* --- one call --------------------------------------------------------------- */

/* Signals that end a program, or tell of its own faults, are no work that comes. */
static uint64_t signals_of_the_end(void)
{
	static const int signals[] = {
		SIGINT, SIGQUIT, SIGTERM, SIGABRT, SIGSEGV, SIGBUS,  SIGFPE,  SIGILL,
		SIGSYS, SIGTRAP, SIGPIPE, SIGXCPU, SIGXFSZ, SIGTSTP, SIGTTIN, SIGTTOU,
	};
	uint64_t mask = 0;

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		mask |= 1ULL << (signals[i] - 1);
	return mask;
}

static char *name_of(const struct task *t, const struct request *request)
{
	char link[64];

	if (!request->nr_polled)
		return NULL;
	if (request->nr_polled != 1)
		return xasprintf("of %u descriptors", request->nr_polled);
	fd_link(t->tgid, t->tid, request->polled->fd, link, sizeof(link));
	return xasprintf("of %s", link);
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	struct request request = { .nr_polled = 0 };
	bool timed = has_timeout(s);
	struct wait *wait;
	int goes_on;

	if (!sleeps(s))
		return false;
	wait = timed ? ready_add_timed(w, s, GL_KIND_POLL, TIMED_YES) :
		       ready_add_wait(w, s, GL_KIND_POLL);
	wait->own_call = timed;
	goes_on = timed ? 1 : ready_handles_signals(t, signals_of_the_end());
	/* Most polls are such, and are not looked into any further. */
	if (goes_on) {
		wait->unknown_releaser = true;
		/* What could not be read this time is to be read at the next look. */
		wait->own_space = goes_on > 0;
	} else {
		read_request(w, s, &request);
	}
	wait->unknown_releaser |= request.unreadable;
	wait->id = xasprintf("poll of %d", t->tid);
	wait->name = name_of(t, &request);
	for (uint32_t i = 0; i < request.nr_polled && !wait->unknown_releaser; i++)
		ready_poll(w, wait, &request.polled[i]);
	ready_finish(w, wait);
	return true;
}

const struct resolver resolve_poll = {
	.name = "poll",
	.resolve = resolve,
};
