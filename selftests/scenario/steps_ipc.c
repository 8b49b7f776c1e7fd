// SPDX-License-Identifier: GPL-2.0
/* steps_ipc - steps about two ends of something: sockets, eventfds (scenario.h) */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

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
	{ "timeo-a",		run_timeo,	NULL,	1, false, PAIR_STREAM },
	{ "listen",		run_listen,	NULL,	0, false, 0 },
	{ "connect",		run_connect,	NULL,	0, false, 0 },
	{ "connect-recv",	run_connect_recv, NULL,	0, false, 0 },
};
/* clang-format on */

const struct step_kind *step_find_ipc(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}
