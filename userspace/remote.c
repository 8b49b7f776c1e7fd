// SPDX-License-Identifier: GPL-2.0
/*
 * remote - reads which may block, done by a child (remote.h): the parent's side,
 * whatever is asked (remote_ask.c).
 *
 * The socket pair is made anew for each child: an answer can never be taken for
 * that to a later question.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote.h"
#include "remote_ask.h"
#include "remote_child.h"
#include "text.h"
#include "xalloc.h"

/* How long one read may take before it is said to block. */
#define READ_DEADLINE_MS	200
/* Unwinding opens and sorts the symbols of all that the process has mapped. */
#define STACK_DEADLINE_MS	1000
/* The list of file locks waits for a grace period of the kernel's RCU. */
#define LOCKS_DEADLINE_MS	1000
/* After so much time lost to blocked reads, the deadline gets short. */
#define BLOCKED_BUDGET_MS	1500
#define SHORT_DEADLINE_MS	20
/* Deadlines that a child may miss because it waits for a CPU. */
#define MAX_PATIENCE		5

/* Questions out at once: a socket's smallest buffer holds as many. */
#define MAX_AHEAD		16

/** struct ahead - a question asked before its answer is wanted */
struct ahead {
	struct question q;
	bool sent;
	/** @answered: the answer is there and was not handed out yet */
	bool answered;
	ssize_t result;
	/** @buf: [result] the data; NULL if there is none (owned) */
	char *buf;
};

/** struct remote - the parent's side */
struct remote {
	/** @fd: our end; -1: there is no child and none could be made */
	int fd;
	pid_t pid;
	uint64_t nr_blocked;
	uint64_t nr_denied;
	/** @lost_ms: time spent on reads that blocked */
	uint64_t lost_ms;
	/** @at_locks: a child that was given up while it read the file locks; 0: none */
	pid_t at_locks;
	/** @stuck: [nr_stuck] processes that are not asked again */
	pid_t *stuck;
	uint32_t nr_stuck;
	/** @left: [nr_left] children that were given up; they may be there still */
	pid_t *left;
	uint32_t nr_left;
	/** @ahead: [nr_ahead] the questions of the last remote_ahead_go() */
	struct ahead *ahead;
	uint32_t nr_ahead;
};

static int start_child(struct remote *r)
{
	pid_t parent = getpid();
	int pair[2];

	r->fd = -1;
	r->pid = 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	r->pid = fork();
	if (r->pid < 0) {
		r->pid = 0;
		close(pair[0]);
		close(pair[1]);
		return -1;
	}
	if (!r->pid)
		remote_child_main(pair[1], parent);
	close(pair[1]);
	r->fd = pair[0];
	return 0;
}

struct remote *remote_new(void)
{
	struct remote *r = xcalloc(1, sizeof(*r));

	/* All code is in memory from here on: no read is late for being the first of its sort. */
	mlockall(MCL_CURRENT);
	munlockall();
	if (!start_child(r))
		return r;
	free(r);
	return NULL;
}

/* Those that were left behind and have died since: their numbers are free. */
static void reap(struct remote *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->nr_left; i++)
		if (waitpid(r->left[i], NULL, WNOHANG) == 0)
			r->left[kept++] = r->left[i];
	r->nr_left = kept;
}

/* Another process may have the number of one that has ended: that one can be asked. */
static void forget_ended(struct remote *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->nr_stuck; i++)
		if (!kill(r->stuck[i], 0) || errno != ESRCH)
			r->stuck[kept++] = r->stuck[i];
	r->nr_stuck = kept;
}

static bool is_left(const struct remote *r, pid_t pid)
{
	for (uint32_t i = 0; i < r->nr_left; i++)
		if (r->left[i] == pid)
			return true;
	return false;
}

/* A child stuck in the kernel dies when it can; nobody waits for that. */
static void drop_child(struct remote *r)
{
	if (r->fd >= 0)
		close(r->fd);
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		*vec_push(r->left, r->nr_left) = r->pid;
		reap(r);
	}
	r->fd = -1;
	r->pid = 0;
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	drop_child(r);
	remote_ahead_new(r);
	free(r->stuck);
	free(r->left);
	free(r);
}

static bool is_stuck(const struct remote *r, pid_t tgid)
{
	for (uint32_t i = 0; i < r->nr_stuck; i++)
		if (r->stuck[i] == tgid)
			return true;
	return false;
}

static uint64_t deadline_ms(const struct remote *r, enum what what)
{
	if (what == READ_STACK)
		return STACK_DEADLINE_MS;
	if (what == READ_LOCKS)
		return LOCKS_DEADLINE_MS;
	return r->lost_ms < BLOCKED_BUDGET_MS ? READ_DEADLINE_MS : SHORT_DEADLINE_MS;
}

/* Does the child only wait for a CPU? Then the machine is busy, nothing blocks. */
static bool child_is_runnable(const struct remote *r)
{
	char path[64], buf[256], *after_comm;
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", r->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, buf, sizeof(buf) - 1);
		close(fd);
	}
	if (got <= 0)
		return false;
	buf[got] = '\0';
	after_comm = strrchr(buf, ')');
	return after_comm && !strncmp(after_comm, ") R", 3);
}

/* One packet by the moment @end_ns, or later if the child gets no CPU; the bytes or -1. */
static ssize_t receive(const struct remote *r, struct msghdr *packet, uint64_t end_ns)
{
	struct pollfd pfd = { .fd = r->fd, .events = POLLIN };
	ssize_t got = recvmsg(r->fd, packet, MSG_DONTWAIT);
	int patience = MAX_PATIENCE;

	/* Of answers to questions asked ahead, the next is mostly there. */
	while (got < 0 && errno == EAGAIN) {
		uint64_t now = now_ns();
		int left = now < end_ns ? (end_ns - now) / 1000000 + 1 : 0;
		int ready = poll(&pfd, 1, left);

		if (ready > 0)
			return recvmsg(r->fd, packet, 0);
		if (ready < 0 && errno == EINTR) {
			errno = EAGAIN;
			continue;
		}
		if (ready < 0)
			return -1;
		/* Asleep: it blocks, or it has answered since, as after a pause of both. */
		if (!patience-- || !child_is_runnable(r))
			return recvmsg(r->fd, packet, MSG_DONTWAIT);
		end_ns = now + READ_DEADLINE_MS * 1000000ULL;
		errno = EAGAIN;
	}
	return got;
}

/* The read missed its deadline: count it and go on with another child. */
static ssize_t give_up(struct remote *r, pid_t tgid, uint64_t began_ns)
{
	r->nr_blocked++;
	r->lost_ms += (now_ns() - began_ns) / 1000000;
	if (tgid)
		*vec_push(r->stuck, r->nr_stuck) = tgid;
	drop_child(r);
	start_child(r);
	return -ETIMEDOUT;
}

static bool send_question(struct remote *r, const struct question *q)
{
	return send(r->fd, q, sizeof(*q), MSG_NOSIGNAL) == sizeof(*q);
}

/* The answer to the oldest question that is out; buf: [q->len], or NULL without data. */
static ssize_t receive_answer(struct remote *r, const struct question *q, char *buf)
{
	uint64_t began = now_ns(), end = began + deadline_ms(r, q->what) * 1000000;
	int64_t head, got;
	struct iovec part[] = { { &head, sizeof(head) }, { buf, buf ? q->len : 0 } };
	struct msghdr packet = { .msg_iov = part, .msg_iovlen = 2 };

	got = receive(r, &packet, end) - (ssize_t)sizeof(head);
	if (got < 0)
		return give_up(r, q->tgid, began);
	while (buf && got < head) {
		ssize_t n;

		part[0] = (struct iovec){ buf + got, head - got };
		packet.msg_iovlen = 1;
		n = receive(r, &packet, end);
		if (n <= 0)
			return give_up(r, q->tgid, began);
		got += n;
	}
	if (head == -EPERM || head == -EACCES)
		r->nr_denied++;
	return head;
}

/* Only what is asked again later can be told from what was asked ahead. */
static struct ahead *find_ahead(struct remote *r, const struct question *q)
{
	for (uint32_t i = 0; i < r->nr_ahead; i++) {
		struct ahead *a = &r->ahead[i];

		if (a->answered && a->q.what == q->what && a->q.tgid == q->tgid &&
		    a->q.addr == q->addr && !strcmp(a->q.path, q->path))
			return a;
	}
	return NULL;
}

/* Hand out an answer that came ahead, once, if it fits the question. */
static bool take_ahead(struct remote *r, const struct question *q, char *buf, ssize_t *ret)
{
	struct ahead *a = find_ahead(r, q);

	if (!a)
		return false;
	a->answered = false;
	/* A full buffer may have cut the data off. */
	if (a->result > (ssize_t)q->len || (a->result == (ssize_t)a->q.len && q->len > a->q.len))
		return false;
	*ret = a->result;
	if (a->result > 0)
		memcpy(buf, a->buf, a->result);
	return true;
}

ssize_t remote_ask(struct remote *r, const struct question *q, char *buf)
{
	uint64_t began = now_ns();
	ssize_t result;

	if (take_ahead(r, q, buf, &result))
		return result;
	if (is_stuck(r, q->tgid))
		return -ETIMEDOUT;
	if (r->fd < 0 && start_child(r))
		return -ECHILD;
	if (!send_question(r, q))
		return give_up(r, q->tgid, began);
	return receive_answer(r, q, buf);
}

ssize_t remote_read_locks(struct remote *r, char *buf, size_t size)
{
	struct question q = { .what = READ_LOCKS, .len = size - 1, .path = "/proc/locks" };
	pid_t child = r->pid;
	ssize_t got;

	/* As long as one child is at it, another one would only wait behind it. */
	reap(r);
	if (is_left(r, r->at_locks)) {
		r->nr_blocked++;
		return -ETIMEDOUT;
	}
	r->at_locks = 0;
	got = remote_ask(r, &q, buf);
	if (got == -ETIMEDOUT)
		r->at_locks = child;
	else if (got >= 0)
		buf[got] = '\0';
	return got;
}

/* --- reads ahead --- */

void remote_ahead_new(struct remote *r)
{
	for (uint32_t i = 0; i < r->nr_ahead; i++)
		free(r->ahead[i].buf);
	free(r->ahead);
	r->ahead = NULL;
	r->nr_ahead = 0;
}

void remote_ahead_file(struct remote *r, pid_t tgid, const char *path, size_t size)
{
	struct question q;

	if (!remote_path_question(&q, READ_FILE, tgid, path, size))
		return;
	for (uint32_t i = 0; i < r->nr_ahead; i++)
		if (r->ahead[i].q.tgid == tgid && !strcmp(r->ahead[i].q.path, path))
			return;
	vec_push(r->ahead, r->nr_ahead)->q = q;
}

void remote_ahead_memory(struct remote *r, pid_t tgid, uint64_t addr, size_t len)
{
	vec_push(r->ahead, r->nr_ahead)->q = (struct question){
		.what = READ_MEMORY, .tgid = tgid, .addr = addr, .len = len
	};
}

/* Send questions on, so far that the child's buffer cannot run full; returns how far. */
static uint32_t send_ahead(struct remote *r, uint32_t sent, uint32_t done)
{
	for (; sent < r->nr_ahead && sent - done < MAX_AHEAD; sent++) {
		struct ahead *a = &r->ahead[sent];

		a->sent = !is_stuck(r, a->q.tgid) && send_question(r, &a->q);
	}
	return sent;
}

/* An answer is kept in as many bytes as it has. */
static void keep_answer(struct remote *r, struct ahead *a, char *buf)
{
	a->result = receive_answer(r, &a->q, buf);
	a->answered = a->result != -ETIMEDOUT;
	if (a->result > 0) {
		a->buf = xcalloc(1, a->result);
		memcpy(a->buf, buf, a->result);
	}
}

void remote_ahead_go(struct remote *r)
{
	uint32_t sent = 0, done;
	size_t room = 0;
	char *buf;

	reap(r);
	forget_ended(r);
	for (uint32_t i = 0; i < r->nr_ahead; i++)
		room = r->ahead[i].q.len > room ? r->ahead[i].q.len : room;
	buf = xcalloc(1, room + 1);
	for (done = 0; done < r->nr_ahead; done++) {
		pid_t child = r->pid;

		if (r->fd < 0 && start_child(r))
			break;
		sent = send_ahead(r, sent, done);
		if (r->ahead[done].sent)
			keep_answer(r, &r->ahead[done], buf);
		/* The questions that a lost child had are asked of the next one. */
		if (r->pid != child)
			sent = done + 1;
	}
	free(buf);
}

uint64_t remote_blocked(const struct remote *r)
{
	return r->nr_blocked;
}

uint64_t remote_denied(const struct remote *r)
{
	return r->nr_denied;
}

pid_t remote_pid(const struct remote *r)
{
	return r->pid;
}

void remote_adopt(struct remote *r, pid_t pid)
{
	*vec_push(r->left, r->nr_left) = pid;
}

bool remote_is_child(const struct remote *r, pid_t pid)
{
	return is_left(r, pid) || (pid && pid == r->pid);
}
