// SPDX-License-Identifier: GPL-2.0
/*
 * remote - the child that does the reads which may block (remote.h).
 *
 * Child and parent speak over a socket pair of packets, made anew for each
 * child: an answer can never be taken for that to a later question. The first
 * packet of an answer says how it went; the data follows in chunks.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/kcmp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "remote.h"
#include "text.h"
#include "ustack.h"
#include "xalloc.h"

/* How long one read may take before it is said to block. */
#define READ_DEADLINE_MS	200
/* Unwinding opens and sorts the symbols of all that the process has mapped. */
#define STACK_DEADLINE_MS	1000
/* After so much time lost to blocked reads, the deadline gets short. */
#define BLOCKED_BUDGET_MS	1500
#define SHORT_DEADLINE_MS	20
/* Deadlines that a child may miss because it waits for a CPU. */
#define MAX_PATIENCE		5

#define CHUNK			(32 * 1024)
#define PATH_SIZE		96

enum what { READ_FILE, READ_LINK, READ_MEMORY, READ_STACK, COMPARE, SOCKET_TIMED };

/** struct question - one packet from the parent */
struct question {
	enum what what;
	pid_t tgid;
	/** @addr: READ_MEMORY: where */
	uint64_t addr;
	/** @len: room for the data */
	uint64_t len;
	/** @tids: COMPARE: the two threads; READ_STACK: the first */
	pid_t tids[2];
	/** @fds: SOCKET_TIMED: the descriptor; COMPARE: of each thread, if files are compared */
	int fds[2];
	/** @type: COMPARE: KCMP_*; SOCKET_TIMED: SO_* */
	int type;
	char path[PATH_SIZE];
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
	/** @stuck: [nr_stuck] processes that are not asked again */
	pid_t *stuck;
	uint32_t nr_stuck;
	/** @left: [nr_left] children that were given up; they may be there still */
	pid_t *left;
	uint32_t nr_left;
};

/* --- the child --- */

static ssize_t answer_file(const struct question *q, char *buf, size_t size)
{
	int fd = open(q->path, O_RDONLY | O_CLOEXEC);
	size_t nr = 0;
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, buf + nr, size - nr);
		if (got > 0)
			nr += got;
	} while ((got > 0 && nr < size) || (got < 0 && errno == EINTR));
	got = got < 0 && !nr ? -errno : (ssize_t)nr;
	close(fd);
	return got;
}

static ssize_t answer_link(const struct question *q, char *buf, size_t size)
{
	ssize_t got = readlink(q->path, buf, size);

	return got < 0 ? -errno : got;
}

static ssize_t answer_memory(const struct question *q, char *buf, size_t size)
{
	struct iovec here = { buf, size };
	struct iovec there = { (void *)(uintptr_t)q->addr, size };
	ssize_t got = process_vm_readv(q->tgid, &here, 1, &there, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? got : -EFAULT;
}

static ssize_t answer_stack(const struct question *q, char *buf, size_t size)
{
	return ustack_read(q->tgid, q->tids[0], buf, size);
}

static ssize_t answer_compare(const struct question *q)
{
	long order = syscall(SYS_kcmp, q->tids[0], q->tids[1], q->type, (unsigned long)q->fds[0],
			     (unsigned long)q->fds[1]);

	return order < 0 ? -errno : order;
}

/* For a moment the child has the socket, too: a descriptor more, and closed again. */
static ssize_t answer_socket_timed(const struct question *q)
{
	struct timeval timeout = { 0 };
	socklen_t size = sizeof(timeout);
	int process = syscall(SYS_pidfd_open, q->tgid, 0);
	int fd = process < 0 ? -1 : syscall(SYS_pidfd_getfd, process, q->fds[0], 0);
	ssize_t result = -errno;

	if (fd >= 0) {
		result = getsockopt(fd, SOL_SOCKET, q->type, &timeout, &size) ? -errno :
			 timeout.tv_sec || timeout.tv_usec;
		close(fd);
	}
	if (process >= 0)
		close(process);
	return result;
}

static void send_answer(int fd, ssize_t result, const char *buf)
{
	int64_t head = result;

	if (send(fd, &head, sizeof(head), MSG_NOSIGNAL) < 0)
		_exit(0);
	for (ssize_t sent = 0; buf && sent < result; sent += CHUNK) {
		size_t left = result - sent;

		if (send(fd, buf + sent, left < CHUNK ? left : CHUNK, MSG_NOSIGNAL) < 0)
			_exit(0);
	}
}

static void answer_all(int fd)
{
	struct question q;

	while (recv(fd, &q, sizeof(q), 0) == sizeof(q)) {
		char *buf = q.len ? malloc(q.len + 1) : NULL;
		ssize_t result;

		if (q.what == COMPARE)
			result = answer_compare(&q);
		else if (q.what == SOCKET_TIMED)
			result = answer_socket_timed(&q);
		else if (!buf)
			result = -ENOMEM;
		else if (q.what == READ_FILE)
			result = answer_file(&q, buf, q.len);
		else if (q.what == READ_LINK)
			result = answer_link(&q, buf, q.len);
		else if (q.what == READ_STACK)
			result = answer_stack(&q, buf, q.len);
		else
			result = answer_memory(&q, buf, q.len);
		send_answer(fd, result, buf);
		free(buf);
	}
}

static void child_main(int fd, pid_t parent)
{
	/* Ends with the parent, however that ends. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
	dup2(fd, 0);
	close_range(1, ~0U, 0);
	answer_all(0);
	_exit(0);
}

/* --- the parent --- */

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
		child_main(pair[1], parent);
	close(pair[1]);
	r->fd = pair[0];
	return 0;
}

struct remote *remote_new(void)
{
	struct remote *r = xcalloc(1, sizeof(*r));

	if (!start_child(r))
		return r;
	free(r);
	return NULL;
}

/* A child stuck in the kernel dies when it can; nobody waits for that. */
static void drop_child(struct remote *r)
{
	if (r->fd >= 0)
		close(r->fd);
	if (r->pid > 0) {
		kill(r->pid, SIGKILL);
		if (waitpid(r->pid, NULL, WNOHANG) <= 0)
			*vec_push(r->left, r->nr_left) = r->pid;
	}
	r->fd = -1;
	r->pid = 0;
}

void remote_free(struct remote *r)
{
	if (!r)
		return;
	drop_child(r);
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
static ssize_t receive(const struct remote *r, void *buf, size_t size, uint64_t end_ns)
{
	struct pollfd pfd = { .fd = r->fd, .events = POLLIN };
	int patience = MAX_PATIENCE;

	for (;;) {
		uint64_t now = now_ns();
		int left = now < end_ns ? (end_ns - now) / 1000000 + 1 : 0;
		int ready = poll(&pfd, 1, left);

		if (ready > 0)
			return recv(r->fd, buf, size, 0);
		if (ready < 0 && errno == EINTR)
			continue;
		if (ready < 0 || !patience-- || !child_is_runnable(r))
			return -1;
		end_ns = now + READ_DEADLINE_MS * 1000000ULL;
	}
}

/* The read missed its deadline: count it and go on with another child. */
static ssize_t give_up(struct remote *r, pid_t tgid, uint64_t began_ns)
{
	r->nr_blocked++;
	r->lost_ms += (now_ns() - began_ns) / 1000000;
	*vec_push(r->stuck, r->nr_stuck) = tgid;
	drop_child(r);
	start_child(r);
	return -ETIMEDOUT;
}

static ssize_t ask(struct remote *r, const struct question *q, char *buf)
{
	uint64_t began = now_ns(), end = began + deadline_ms(r, q->what) * 1000000;
	int64_t head;

	if (is_stuck(r, q->tgid))
		return -ETIMEDOUT;
	if (r->fd < 0 && start_child(r))
		return -ECHILD;
	if (send(r->fd, q, sizeof(*q), MSG_NOSIGNAL) != sizeof(*q) ||
	    receive(r, &head, sizeof(head), end) != sizeof(head))
		return give_up(r, q->tgid, began);
	for (int64_t got = 0; buf && got < head;) {
		ssize_t n = receive(r, buf + got, head - got, end);

		if (n <= 0)
			return give_up(r, q->tgid, began);
		got += n;
	}
	if (head == -EPERM || head == -EACCES)
		r->nr_denied++;
	return head;
}

static ssize_t ask_path(struct remote *r, enum what what, pid_t tgid, const char *path, char *buf,
			size_t size)
{
	struct question q = { .what = what, .tgid = tgid, .len = size - 1 };
	ssize_t got;

	if (snprintf(q.path, sizeof(q.path), "%s", path) >= (int)sizeof(q.path))
		return -ENAMETOOLONG;
	got = ask(r, &q, buf);
	if (got >= 0)
		buf[got] = '\0';
	return got;
}

ssize_t remote_read_file(struct remote *r, pid_t tgid, const char *path, char *buf, size_t size)
{
	return ask_path(r, READ_FILE, tgid, path, buf, size);
}

ssize_t remote_read_link(struct remote *r, pid_t tgid, const char *path, char *buf, size_t size)
{
	return ask_path(r, READ_LINK, tgid, path, buf, size);
}

ssize_t remote_read_memory(struct remote *r, pid_t tgid, uint64_t addr, void *buf, size_t len)
{
	struct question q = { .what = READ_MEMORY, .tgid = tgid, .addr = addr, .len = len };

	return ask(r, &q, buf);
}

ssize_t remote_user_stack(struct remote *r, pid_t tgid, pid_t tid, char *buf, size_t size)
{
	struct question q = {
		.what = READ_STACK, .tgid = tgid, .tids = { tid }, .len = size - 1
	};
	ssize_t got = ask(r, &q, buf);

	if (got >= 0)
		buf[got] = '\0';
	return got;
}

int remote_kcmp(struct remote *r, pid_t tgid, pid_t tid1, pid_t tid2, int type)
{
	struct question q = {
		.what = COMPARE, .tgid = tgid, .tids = { tid1, tid2 }, .type = type
	};
	ssize_t order = ask(r, &q, NULL);

	return order < 0 ? order : !order;
}

int remote_same_file(struct remote *r, pid_t tgid, pid_t tid1, int fd1, pid_t tid2, int fd2)
{
	struct question q = {
		.what = COMPARE, .tgid = tgid, .tids = { tid1, tid2 }, .fds = { fd1, fd2 },
		.type = KCMP_FILE
	};
	ssize_t order = ask(r, &q, NULL);

	return order < 0 ? order : !order;
}

int remote_socket_timed(struct remote *r, pid_t tgid, int fd, int option)
{
	struct question q = { .what = SOCKET_TIMED, .tgid = tgid, .fds = { fd }, .type = option };

	return ask(r, &q, NULL);
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

bool remote_is_child(const struct remote *r, pid_t pid)
{
	for (uint32_t i = 0; i < r->nr_left; i++)
		if (r->left[i] == pid)
			return true;
	return pid && pid == r->pid;
}

void reader_close_inherited(void)
{
	close_range(3, ~0U, 0);
}
