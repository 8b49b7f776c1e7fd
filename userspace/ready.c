// SPDX-License-Identifier: GPL-2.0
/* ready - what has to come before a descriptor can be read or written (ready.h) */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "census.h"
#include "fdscan.h"
#include "proc.h"
#include "ready.h"
#include "xalloc.h"

/* glibc's own signals, for threads: their handlers touch no descriptor. */
#define SIGNALS_OF_LIBC		(3ULL << 31)

bool ready_call(const struct sleeper *s, struct ready *ret)
{
	ret->fd = s->args[0];
	switch (s->nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_preadv2:
	case SYS_recvfrom:
	case SYS_recvmsg:
	case SYS_recvmmsg:
		ret->write = false;
		return true;
	case SYS_write:
	case SYS_writev:
	case SYS_pwritev2:
	case SYS_sendto:
	case SYS_sendmsg:
	case SYS_sendmmsg:
		ret->write = true;
		return true;
	default:
		return false;
	}
}

static bool has_company(const struct world *w, pid_t tgid)
{
	const uint32_t *tasks;
	uint32_t nr = world_process(w, tgid, &tasks);

	for (uint32_t i = 0; i < nr && nr > 1; i++)
		if (w->tasks[tasks[i]].tid != tgid && !w->tasks[tasks[i]].exiting)
			return true;
	return false;
}

void ready_cap_replaced(struct world *w, struct wait *wait)
{
	pid_t tgid = w->tasks[wait->task].tgid;

	if (has_company(w, tgid))
		world_cap(wait, VERDICT_LIKELY,
			  "another thread may have replaced the descriptor since the wait began");
	else if (w->thorough && fdscan_shares_table(w, wait->task))
		world_cap(wait, VERDICT_LIKELY,
			  "another process may have replaced the descriptor since the wait began");
	else if (w->thorough && proc_had_threads(tgid))
		world_cap(wait, VERDICT_LIKELY,
			  "a thread that has ended may have replaced the descriptor before");
}

struct wait *ready_add_timed(struct world *w, const struct sleeper *s, uint32_t kind,
			     enum timed timed)
{
	struct wait *wait = world_add_wait(w, s->task, kind);

	/* One resource, whoever may release it: known ones beside unknown ones are no help. */
	wait->needs = NEEDS_ANY;
	ready_cap_replaced(w, wait);
	wait->timed = timed;
	wait->interruptible = true;
	wait->where = xstrdup(s->wchan);
	return wait;
}

struct wait *ready_add_wait(struct world *w, const struct sleeper *s, uint32_t kind)
{
	return ready_add_timed(w, s, kind, census_timed(w, s->task));
}

/* Which ends of a pipe is the descriptor, whatever it is asked for? */
static void pipe_poll(struct world *w, struct wait *wait, uint64_t ino, int fd)
{
	const struct task *t = &w->tasks[wait->task];
	bool readable, writable;

	fd_mode(t->tgid, t->tid, fd, &readable, &writable);
	if (readable)
		pipe_block(w, wait, ino, false);
	if (writable)
		pipe_block(w, wait, ino, true);
	if (!readable && !writable)
		wait->unknown_releaser = true;
	if (w->thorough && !wait->unknown_releaser && fdscan_hides(w))
		world_cap(wait, VERDICT_LIKELY, HIDDEN_DESCRIPTORS);
}

static bool socket_block(struct world *w, struct wait *wait, uint64_t ino, int fd, bool write)
{
	struct ready ready = { .fd = fd, .write = write };

	return unix_block(w, wait, ino, write) || tcp_block(w, wait, ino, &ready);
}

static bool socket_poll(struct world *w, struct wait *wait, uint64_t ino,
			const struct polled *polled)
{
	if (polled->events & POLLOUT && !socket_block(w, wait, ino, polled->fd, true))
		return false;
	/* A hang-up is told to who only sends, too. */
	return socket_block(w, wait, ino, polled->fd, false);
}

void ready_poll(struct world *w, struct wait *wait, const struct polled *polled)
{
	const struct task *t = &w->tasks[wait->task];
	unsigned long long ino;
	char link[64];

	fd_link(t->tgid, t->tid, polled->fd, link, sizeof(link));
	if (sscanf(link, "pipe:[%llu]", &ino) == 1)
		pipe_poll(w, wait, ino, polled->fd);
	else if (!strcmp(link, "anon_inode:[eventfd]"))
		eventfd_block(w, wait, polled->fd);
	else if (!strcmp(link, "anon_inode:[eventpoll]"))
		epoll_block(w, wait, polled->fd);
	else if (!strcmp(link, "anon_inode:[pidfd]") || !strncmp(link, "pidfd:[", 7))
		pidfd_block(w, wait, polled->fd);
	else if (sscanf(link, "socket:[%llu]", &ino) != 1 ||
		 !socket_poll(w, wait, ino, polled))
		wait->unknown_releaser = true;
	if (w->thorough && !wait->unknown_releaser && fdscan_hides(w))
		world_cap(wait, VERDICT_LIKELY, HIDDEN_DESCRIPTORS);
}

int ready_handles_signals(const struct task *t, uint64_t but)
{
	struct proc_ids ids;

	if (proc_ids(t->tgid, t->tid, &ids))
		return -1;
	return (ids.caught & ~ids.blocked & ~SIGNALS_OF_LIBC & ~but) != 0;
}

static bool is_futex(uint32_t kind)
{
	return kind == GL_KIND_FUTEX || kind == GL_KIND_FUTEX_PI || kind == GL_KIND_JOIN ||
	       kind == GL_KIND_COND || kind == GL_KIND_SEM;
}

bool ready_timer_handles(const struct world *w, const struct task *t)
{
	return t->wait != NO_INDEX && is_futex(w->waits[t->wait].kind) &&
	       proc_timed(t->tgid, t->tid) != TIMED_NO;
}

void ready_finish(struct world *w, struct wait *wait)
{
	if (!wait->nr_blockers ||
	    (world_is_releaser(w, wait, wait->task) &&
	     ready_handles_signals(&w->tasks[wait->task], 0)))
		wait->unknown_releaser = true;
	if (w->thorough && !wait->unknown_releaser && fdscan_hides(w))
		world_cap(wait, VERDICT_LIKELY, HIDDEN_DESCRIPTORS);
}
