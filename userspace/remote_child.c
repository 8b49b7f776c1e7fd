// SPDX-License-Identifier: GPL-2.0
/* remote_child - the child that does the reads which may block (remote_child.h) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/kcmp.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "remote_child.h"
#include "ustack.h"

/* Data of one packet at most. */
#define CHUNK	(32 * 1024)

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

static ssize_t read_memory(pid_t tid, const struct question *q, char *buf, size_t size)
{
	struct iovec here = { buf, size };
	struct iovec there = { (void *)(uintptr_t)q->addr, size };
	ssize_t got = process_vm_readv(tid, &here, 1, &there, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == size ? got : -EFAULT;
}

/* A process's first thread that has ended has no memory: the others have it still. */
static ssize_t answer_memory(const struct question *q, char *buf, size_t size)
{
	ssize_t got = read_memory(q->tgid, q, buf, size);
	struct dirent *entry;
	char path[32];
	DIR *dir;

	if (got != -ESRCH)
		return got;
	snprintf(path, sizeof(path), "/proc/%d/task", q->tgid);
	dir = opendir(path);
	while (dir && got == -ESRCH && (entry = readdir(dir)))
		if (atoi(entry->d_name) > 0)
			got = read_memory(atoi(entry->d_name), q, buf, size);
	if (dir)
		closedir(dir);
	return got;
}

static ssize_t answer_stack(const struct question *q, char *buf, size_t size)
{
	return ustack_read(q->tgid, q->tids[0], buf, size);
}

static ssize_t answer_compare(const struct question *q)
{
	struct kcmp_epoll_slot slot = { .efd = q->fds[1], .tfd = q->fds[0] };
	unsigned long second = q->type == KCMP_EPOLL_TFD ? (unsigned long)&slot :
							   (unsigned long)q->fds[1];
	long order = syscall(SYS_kcmp, q->tids[0], q->tids[1], q->type, (unsigned long)q->fds[0],
			     second);

	return order < 0 ? -errno : order;
}

/* Of a TCP socket: after that time without room at the other side its sends fail. */
static bool has_user_timeout(int fd)
{
	unsigned int ms = 0;
	socklen_t size = sizeof(ms);

	return !getsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, &size) && ms;
}

static ssize_t socket_timed(int fd, int option)
{
	struct timeval timeout = { 0 };
	socklen_t size = sizeof(timeout);

	if (getsockopt(fd, SOL_SOCKET, option, &timeout, &size))
		return -errno;
	return timeout.tv_sec || timeout.tv_usec ||
	       (option == SO_SNDTIMEO && has_user_timeout(fd));
}

static ssize_t tcp_window(int fd)
{
	const size_t end = offsetof(struct tcp_info, tcpi_snd_wnd) + sizeof(__u32);
	struct tcp_info info;
	socklen_t size = sizeof(info);

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size))
		return -errno;
	return size < end ? -EOPNOTSUPP : (ssize_t)info.tcpi_snd_wnd;
}

/* For a moment the child has the socket, too: a descriptor more, and closed again. */
static ssize_t answer_socket(const struct question *q)
{
	int process = syscall(SYS_pidfd_open, q->tgid, 0);
	int fd = process < 0 ? -1 : syscall(SYS_pidfd_getfd, process, q->fds[0], 0);
	ssize_t result = -errno;

	if (fd >= 0) {
		result = q->what == SOCKET_TIMED ? socket_timed(fd, q->type) : tcp_window(fd);
		close(fd);
	}
	if (process >= 0)
		close(process);
	return result;
}

static ssize_t answer_has_robust_list(const struct question *q)
{
	size_t size;
	void *list;

	return syscall(SYS_get_robust_list, q->tgid, &list, &size) ? -errno : !!list;
}

static void send_answer(int fd, ssize_t result, const char *buf)
{
	int64_t head = result;
	size_t first = !buf || result < 0 ? 0 : result < CHUNK ? result : CHUNK;
	struct iovec part[] = { { &head, sizeof(head) }, { (void *)buf, first } };
	struct msghdr packet = { .msg_iov = part, .msg_iovlen = 2 };

	if (sendmsg(fd, &packet, MSG_NOSIGNAL) < 0)
		_exit(0);
	for (ssize_t sent = first; first && sent < result; sent += CHUNK) {
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
		else if (q.what == SOCKET_TIMED || q.what == TCP_WINDOW)
			result = answer_socket(&q);
		else if (q.what == HAS_ROBUST_LIST)
			result = answer_has_robust_list(&q);
		else if (!buf)
			result = -ENOMEM;
		else if (q.what == READ_FILE || q.what == READ_LOCKS)
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

void remote_child_main(int fd, pid_t parent)
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
