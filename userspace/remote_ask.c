// SPDX-License-Identifier: GPL-2.0
/* remote_ask - what the child can be asked (remote.h) */
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>

#include "remote.h"
#include "remote_ask.h"

bool remote_path_question(struct question *q, enum what what, pid_t tgid, const char *path,
			  size_t size)
{
	*q = (struct question){ .what = what, .tgid = tgid, .len = size - 1 };
	return snprintf(q->path, sizeof(q->path), "%s", path) < (int)sizeof(q->path);
}

static ssize_t ask_path(struct remote *r, enum what what, pid_t tgid, const char *path, char *buf,
			size_t size)
{
	struct question q;
	ssize_t got;

	if (!remote_path_question(&q, what, tgid, path, size))
		return -ENAMETOOLONG;
	got = remote_ask(r, &q, buf);
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

	return remote_ask(r, &q, buf);
}

ssize_t remote_user_stack(struct remote *r, pid_t tgid, pid_t tid, char *buf, size_t size)
{
	struct question q = {
		.what = READ_STACK, .tgid = tgid, .tids = { tid }, .len = size - 1
	};
	ssize_t got = remote_ask(r, &q, buf);

	if (got >= 0)
		buf[got] = '\0';
	return got;
}

int remote_kcmp_order(struct remote *r, pid_t tgid, pid_t tid1, pid_t tid2, int type)
{
	struct question q = {
		.what = COMPARE, .tgid = tgid, .tids = { tid1, tid2 }, .type = type
	};

	return remote_ask(r, &q, NULL);
}

int remote_kcmp(struct remote *r, pid_t tgid, pid_t tid1, pid_t tid2, int type)
{
	int order = remote_kcmp_order(r, tgid, tid1, tid2, type);

	return order < 0 ? order : !order;
}

int remote_same_file(struct remote *r, pid_t tgid, pid_t tid1, int fd1, pid_t tid2, int fd2)
{
	struct question q = {
		.what = COMPARE, .tgid = tgid, .tids = { tid1, tid2 }, .fds = { fd1, fd2 },
		.type = KCMP_FILE
	};
	ssize_t order = remote_ask(r, &q, NULL);

	return order < 0 ? order : !order;
}

int remote_epoll_target(struct remote *r, pid_t tgid, pid_t tid, int epoll, int target)
{
	struct question q = {
		.what = COMPARE, .tgid = tgid, .tids = { tid, tid }, .fds = { target, epoll },
		.type = KCMP_EPOLL_TFD
	};
	ssize_t order = remote_ask(r, &q, NULL);

	return order < 0 ? order : !order;
}

int remote_socket_timed(struct remote *r, pid_t tgid, int fd, int option)
{
	struct question q = { .what = SOCKET_TIMED, .tgid = tgid, .fds = { fd }, .type = option };

	return remote_ask(r, &q, NULL);
}

int64_t remote_tcp_window(struct remote *r, pid_t tgid, int fd)
{
	struct question q = { .what = TCP_WINDOW, .tgid = tgid, .fds = { fd } };

	return remote_ask(r, &q, NULL);
}

int remote_has_robust_list(struct remote *r, pid_t tgid)
{
	struct question q = { .what = HAS_ROBUST_LIST, .tgid = tgid };

	return remote_ask(r, &q, NULL);
}
