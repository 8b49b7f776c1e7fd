// SPDX-License-Identifier: GPL-2.0
/* steps_ipc - steps about two ends of something: sockets, eventfds (scenario.h) */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "kselftest.h"
#include "scenario.h"

/* A timeout that no test lives to see. */
#define FAR_SECS	3600

static int result(ssize_t ret)
{
	return ret < 0 ? errno : 0;
}

/* --- pairs ------------------------------------------------------------------ */

static int make_eventfd(int ends[2])
{
	ends[0] = eventfd(0, EFD_CLOEXEC);
	ends[1] = dup(ends[0]);
	return ends[1];
}

/* A connection to a socket of our own that listened just for it. */
static int make_tcp(int ends[2])
{
	struct sockaddr_in name = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t size = sizeof(name);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&name, size) || listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&name, &size) ||
	    connect(ends[0], (struct sockaddr *)&name, size))
		return -1;
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	close(listener);
	return ends[1];
}

int pair_make(enum pair sort, unsigned int n)
{
	static const int types[NR_PAIRS] = {
		[PAIR_STREAM] = SOCK_STREAM,
		[PAIR_DGRAM] = SOCK_DGRAM,
		[PAIR_SEQ] = SOCK_SEQPACKET,
	};
	int *ends = stage.pair[sort][n];

	if (ends[0] >= 0)
		return 0;
	if (sort == PAIR_PIPE)
		return result(pipe2(ends, O_CLOEXEC));
	if (sort == PAIR_TCP)
		return result(make_tcp(ends));
	if (sort == PAIR_EVENTFD)
		return result(make_eventfd(ends));
	return result(socketpair(AF_UNIX, types[sort] | SOCK_CLOEXEC, 0, ends));
}

static bool names_end(const struct actor *a, enum pair sort, int n, unsigned int ends)
{
	for (unsigned int i = 0; a && i < a->nr_steps; i++)
		if ((int)a->step[i].n == n && a->step[i].kind->pair == sort &&
		    a->step[i].kind->ends & ends)
			return true;
	return false;
}

void pairs_close(const struct actor *keeper)
{
	for (int sort = 0; sort < NR_PAIRS; sort++) {
		for (int i = 0; i < 2 * MAX_RES; i++) {
			int *end = &stage.pair[sort][i / 2][i % 2];

			if (*end < 0 || names_end(keeper, sort, i / 2, 1u << i % 2))
				continue;
			close(*end);
			*end = -1;
		}
	}
}

/* --- sockets ---------------------------------------------------------------- */

static int own_end(const struct step *step)
{
	return stage.pair[step->kind->pair][step->n][step->kind->ends == 2];
}

static int run_keep(struct actor *a, const struct step *step)
{
	(void)a;
	(void)step;
	return 0;
}

static int receive(int fd)
{
	char byte;
	ssize_t got = read(fd, &byte, 1);

	return got == 0 ? EPIPE : result(got);
}

static int run_recv(struct actor *a, const struct step *step)
{
	(void)a;
	return receive(own_end(step));
}

static int run_send(struct actor *a, const struct step *step)
{
	static const char page[4096];

	(void)a;
	while (send(own_end(step), page, sizeof(page), MSG_NOSIGNAL) > 0)
		;
	return errno;
}

static int run_timeo(struct actor *a, const struct step *step)
{
	struct timeval timeout = { .tv_sec = FAR_SECS };

	(void)a;
	return result(setsockopt(own_end(step), SOL_SOCKET, SO_RCVTIMEO, &timeout,
				 sizeof(timeout)));
}

/* Leave a descriptor of the end itself on its way, for who receives at the other end. */
static int run_pass(struct actor *a, const struct step *step)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
	int fd = own_end(step);

	(void)a;
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(head), &fd, sizeof(fd));
	return result(sendmsg(fd, &msg, 0));
}

/* An abstract name of this scenario's own. */
static socklen_t name_socket(struct sockaddr_un *name, unsigned int n)
{
	int size;

	*name = (struct sockaddr_un){ .sun_family = AF_UNIX };
	size = snprintf(name->sun_path + 1, sizeof(name->sun_path) - 1, "%s/%u", stage.folder, n);
	return offsetof(struct sockaddr_un, sun_path) + 1 + size;
}

static int run_listen(struct actor *a, const struct step *step)
{
	struct sockaddr_un name;
	socklen_t size = name_socket(&name, step->n);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)a;
	if (fd < 0 || bind(fd, (const struct sockaddr *)&name, size))
		return errno;
	return result(listen(fd, 1));
}

static int run_connect(struct actor *a, const struct step *step)
{
	struct sockaddr_un name;
	socklen_t size = name_socket(&name, step->n);

	a->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return result(connect(a->socket_fd, (const struct sockaddr *)&name, size));
}

static int run_connect_recv(struct actor *a, const struct step *step)
{
	(void)step;
	return receive(a->socket_fd);
}

/* Until a write would wait. */
static int run_fill_quietly(struct actor *a, const struct step *step)
{
	static const char page[4096];
	int fd = own_end(step), flags = fcntl(fd, F_GETFL);

	(void)a;
	if (fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return errno;
	while (write(fd, page, sizeof(page)) > 0)
		;
	return errno == EAGAIN ? result(fcntl(fd, F_SETFL, flags)) : errno;
}

/* --- eventfds, polls --------------------------------------------------------- */

static int run_efd_read(struct actor *a, const struct step *step)
{
	uint64_t value;

	(void)a;
	return result(read(own_end(step), &value, sizeof(value)));
}

/* The largest value that an eventfd takes leaves no room for one more. */
static int run_efd_fill(struct actor *a, const struct step *step)
{
	uint64_t value = UINT64_MAX - 1;

	(void)a;
	for (int i = 0; i < 2; i++)
		if (write(own_end(step), &value, sizeof(value)) < 0)
			return errno;
	return 0;
}

/* What the actor reads or writes by the steps before this one. */
static int collect_ends(const struct actor *a, const struct step *step, short events,
			struct pollfd *pfd)
{
	int nr = 0;

	for (const struct step *s = a->step; s < step; s++) {
		bool pipe = s->kind->pair == PAIR_PIPE;

		if (!s->kind->ends)
			continue;
		/* Of a pipe, the end that this event can come to. */
		if (pipe && s->kind->ends != (events == POLLIN ? 1 : 2))
			continue;
		pfd[nr++] = (struct pollfd){ .fd = own_end(s), .events = events };
	}
	if (a->pid_fd)
		pfd[nr++] = (struct pollfd){ .fd = a->pid_fd, .events = POLLIN };
	return nr;
}

static int run_poll(struct actor *a, const struct step *step)
{
	struct pollfd pfd[MAX_STEPS + 1];

	return result(poll(pfd, collect_ends(a, step, POLLIN, pfd), -1));
}

static int run_poll_out(struct actor *a, const struct step *step)
{
	struct pollfd pfd[MAX_STEPS + 1];

	return result(poll(pfd, collect_ends(a, step, POLLOUT, pfd), -1));
}

static int run_poll_timed(struct actor *a, const struct step *step)
{
	struct pollfd pfd[MAX_STEPS + 1];

	return result(poll(pfd, collect_ends(a, step, POLLIN, pfd), FAR_SECS * 1000));
}

static int run_select(struct actor *a, const struct step *step)
{
	struct pollfd pfd[MAX_STEPS + 1];
	int nr = collect_ends(a, step, POLLIN, pfd), last = 0;
	fd_set set;

	FD_ZERO(&set);
	for (int i = 0; i < nr; i++) {
		FD_SET(pfd[i].fd, &set);
		last = pfd[i].fd > last ? pfd[i].fd : last;
	}
	return result(select(last + 1, &set, NULL, NULL, NULL));
}

static int run_epoll(struct actor *a, const struct step *step)
{
	struct pollfd pfd[MAX_STEPS + 1];
	int nr = collect_ends(a, step, POLLIN, pfd), epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	for (int i = 0; i < nr; i++)
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, pfd[i].fd, &event))
			return errno;
	return result(epoll_wait(epoll, &event, 1, -1));
}

static int run_pidfd(struct actor *a, const struct step *step)
{
	a->pid_fd = syscall(SYS_pidfd_open, step->actor->pid, 0);
	return result(a->pid_fd);
}

static void on_signal(int sig)
{
	(void)sig;
}

static int run_handler(struct actor *a, const struct step *step)
{
	(void)a;
	(void)step;
	return signal(SIGUSR1, on_signal) == SIG_ERR ? errno : 0;
}

/* clang-format off */
static const struct step_kind kinds[] = {
	{ "stream-a",		run_keep,	NULL,	1, false, PAIR_STREAM },
	{ "stream-b",		run_keep,	NULL,	2, false, PAIR_STREAM },
	{ "stream-a-recv",	run_recv,	NULL,	1, false, PAIR_STREAM },
	{ "stream-b-recv",	run_recv,	NULL,	2, false, PAIR_STREAM },
	{ "stream-a-send",	run_send,	NULL,	1, false, PAIR_STREAM },
	{ "stream-b-send",	run_send,	NULL,	2, false, PAIR_STREAM },
	{ "dgram-a",		run_keep,	NULL,	1, false, PAIR_DGRAM },
	{ "dgram-b",		run_keep,	NULL,	2, false, PAIR_DGRAM },
	{ "dgram-a-recv",	run_recv,	NULL,	1, false, PAIR_DGRAM },
	{ "dgram-b-recv",	run_recv,	NULL,	2, false, PAIR_DGRAM },
	{ "dgram-a-send",	run_send,	NULL,	1, false, PAIR_DGRAM },
	{ "dgram-b-send",	run_send,	NULL,	2, false, PAIR_DGRAM },
	{ "seq-a",		run_keep,	NULL,	1, false, PAIR_SEQ },
	{ "seq-b",		run_keep,	NULL,	2, false, PAIR_SEQ },
	{ "seq-a-recv",		run_recv,	NULL,	1, false, PAIR_SEQ },
	{ "seq-b-recv",		run_recv,	NULL,	2, false, PAIR_SEQ },
	{ "seq-a-send",		run_send,	NULL,	1, false, PAIR_SEQ },
	{ "seq-b-send",		run_send,	NULL,	2, false, PAIR_SEQ },
	{ "tcp-a",		run_keep,	NULL,	1, false, PAIR_TCP },
	{ "tcp-b",		run_keep,	NULL,	2, false, PAIR_TCP },
	{ "tcp-a-recv",		run_recv,	NULL,	1, false, PAIR_TCP },
	{ "tcp-b-recv",		run_recv,	NULL,	2, false, PAIR_TCP },
	{ "tcp-a-send",		run_send,	NULL,	1, false, PAIR_TCP },
	{ "tcp-b-send",		run_send,	NULL,	2, false, PAIR_TCP },
	{ "timeo-a",		run_timeo,	NULL,	1, false, PAIR_STREAM },
	{ "pass-a",		run_pass,	NULL,	1, false, PAIR_STREAM },
	{ "listen",		run_listen,	NULL,	0, false, 0 },
	{ "connect",		run_connect,	NULL,	0, false, 0 },
	{ "connect-recv",	run_connect_recv, NULL,	0, false, 0 },
	{ "fill-quietly",	run_fill_quietly, NULL,	2, false, PAIR_PIPE },
	{ "efd",		run_keep,	NULL,	1, false, PAIR_EVENTFD },
	{ "efd-read",		run_efd_read,	NULL,	1, false, PAIR_EVENTFD },
	{ "efd-fill",		run_efd_fill,	NULL,	1, false, PAIR_EVENTFD },
	{ "poll",		run_poll,	NULL,	0, false, 0 },
	{ "poll-out",		run_poll_out,	NULL,	0, false, 0 },
	{ "poll-timed",		run_poll_timed,	NULL,	0, false, 0 },
	{ "select",		run_select,	NULL,	0, false, 0 },
	{ "epoll",		run_epoll,	NULL,	0, false, 0 },
	{ "pidfd",		run_pidfd,	NULL,	0, true,  0 },
	{ "handler",		run_handler,	NULL,	0, false, 0 },
};

/* clang-format on */

const struct step_kind *step_find_ipc(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return step_find_sysv(name);
}
