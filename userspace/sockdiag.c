// SPDX-License-Identifier: GPL-2.0
/* sockdiag - which socket is connected to which (sockdiag.h) */
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sockdiag.h"
#include "world.h"
#include "xalloc.h"

/* State of a socket that listens, as the kernel's tcp_states.h numbers it. */
#define STATE_LISTEN	10

/* What one answer to a dump takes at most (NLMSG_GOODSIZE is less). */
#define ANSWER_SIZE	32768

/* As long as modprobe(8) may take. */
#define MODPROBE_SECS	2

/** struct netns - the sockets of one network namespace */
struct netns {
	/** @ino: of the namespace; 0: could not be told */
	uint64_t ino;
	struct unix_sockets unix_sockets;
};

/** struct sockdiag - what was dumped for one world */
struct sockdiag {
	struct netns *netns;
	uint32_t nr_netns;
};

static void diag_free(struct sockdiag *diag)
{
	for (uint32_t n = 0; n < diag->nr_netns; n++) {
		struct unix_sockets *sockets = &diag->netns[n].unix_sockets;

		for (uint32_t i = 0; i < sockets->nr; i++)
			free(sockets->socket[i].waiting);
		free(sockets->socket);
	}
	free(diag->netns);
	free(diag);
}

/* --- one dump --------------------------------------------------------------- */

static void parse_waiting(const struct rtattr *attr, struct unix_socket *socket)
{
	const uint32_t *ino = RTA_DATA(attr);

	for (size_t i = 0; i < RTA_PAYLOAD(attr) / sizeof(*ino); i++)
		*vec_push(socket->waiting, socket->nr_waiting) = ino[i];
}

static void parse_unix(const struct nlmsghdr *answer, struct unix_sockets *sockets)
{
	const struct unix_diag_msg *msg = NLMSG_DATA(answer);
	int left = answer->nlmsg_len - NLMSG_LENGTH(sizeof(*msg));
	struct unix_socket *socket;

	if (left < 0)
		return;
	socket = vec_push(sockets->socket, sockets->nr);
	socket->ino = msg->udiag_ino;
	socket->type = msg->udiag_type;
	socket->listens = msg->udiag_state == STATE_LISTEN;
	for (const struct rtattr *attr = (const void *)(msg + 1); RTA_OK(attr, left);
	     attr = RTA_NEXT(attr, left)) {
		switch (attr->rta_type) {
		case UNIX_DIAG_NAME:
			socket->named = true;
			break;
		case UNIX_DIAG_PEER:
			socket->has_peer = true;
			socket->peer = *(const uint32_t *)RTA_DATA(attr);
			break;
		case UNIX_DIAG_ICONS:
			parse_waiting(attr, socket);
			break;
		}
	}
}

static int ask_unix(int fd)
{
	struct {
		struct nlmsghdr header;
		struct unix_diag_req request;
	} question = {
		.header = {
			.nlmsg_len = sizeof(question),
			.nlmsg_type = SOCK_DIAG_BY_FAMILY,
			.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
		},
		.request = {
			.sdiag_family = AF_UNIX,
			.udiag_states = ~0U,
			.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS,
		},
	};

	return send(fd, &question, sizeof(question), 0) == sizeof(question) ? 0 : -errno;
}

static int error_of(const struct nlmsghdr *answer)
{
	const struct nlmsgerr *err = NLMSG_DATA(answer);

	return answer->nlmsg_len >= NLMSG_LENGTH(sizeof(*err)) && err->error ? err->error : -EIO;
}

/* 1: more to come; 0: that was all; or -errno */
static int parse_answers(const void *buf, int size, struct unix_sockets *sockets)
{
	for (const struct nlmsghdr *answer = buf; NLMSG_OK(answer, (unsigned int)size);
	     answer = NLMSG_NEXT(answer, size)) {
		if (answer->nlmsg_type == NLMSG_DONE)
			return 0;
		if (answer->nlmsg_type == NLMSG_ERROR)
			return error_of(answer);
		if (answer->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			parse_unix(answer, sockets);
	}
	return 1;
}

static int compare_sockets(const void *a, const void *b)
{
	const struct unix_socket *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static int dump_unix(int fd, struct unix_sockets *sockets)
{
	char *buf = xcalloc(1, ANSWER_SIZE);
	int more = ask_unix(fd) ?: 1;

	while (more > 0) {
		ssize_t got = recv(fd, buf, ANSWER_SIZE, 0);

		more = got > 0 ? parse_answers(buf, got, sockets) : -EIO;
	}
	free(buf);
	if (sockets->nr)
		qsort(sockets->socket, sockets->nr, sizeof(*sockets->socket), compare_sockets);
	return more;
}

/* --- the kernel's part ------------------------------------------------------ */

/*
 * The kernel loads its module by itself when it is asked, but with the modprobe
 * and the modules of init's root folder, which need not be this one.
 */
static bool load_module(const char *name)
{
	pid_t child = fork();
	int status = -1;

	if (!child) {
		alarm(MODPROBE_SECS);
		execlp("modprobe", "modprobe", "-qb", name, NULL);
		_exit(1);
	}
	return child > 0 && waitpid(child, &status, 0) == child && !status;
}

static void dump(int fd, struct netns *netns)
{
	static bool tried;

	if (dump_unix(fd, &netns->unix_sockets) != -ENOENT || tried)
		return;
	tried = true;
	if (!geteuid() && load_module("unix_diag"))
		dump_unix(fd, &netns->unix_sockets);
}

/* --- namespaces ------------------------------------------------------------- */

static uint64_t netns_ino(const char *path)
{
	unsigned long long ino;
	char link[64];
	ssize_t n = readlink(path, link, sizeof(link) - 1);

	link[n > 0 ? n : 0] = '\0';
	return sscanf(link, "net:[%llu]", &ino) == 1 ? ino : 0;
}

/* A socket belongs to the namespace that it was made in. */
static int open_diag(const char *netns)
{
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int other = open(netns, O_RDONLY | O_CLOEXEC);
	int fd = -1;

	if (own >= 0 && other >= 0 && !setns(other, CLONE_NEWNET)) {
		fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
		if (setns(own, CLONE_NEWNET))
			abort();
	}
	close(own);
	close(other);
	return fd;
}

static struct netns *get_netns(struct world *w, const char *path, bool own)
{
	uint64_t ino = netns_ino(path);
	struct netns *netns;
	int fd;

	if (!w->socks) {
		w->socks = xcalloc(1, sizeof(*w->socks));
		w->socks_free = diag_free;
	}
	for (uint32_t i = 0; i < w->socks->nr_netns; i++)
		if (w->socks->netns[i].ino == ino)
			return &w->socks->netns[i];
	netns = vec_push(w->socks->netns, w->socks->nr_netns);
	netns->ino = ino;
	fd = own ? socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG) :
		   open_diag(path);
	if (fd >= 0) {
		dump(fd, netns);
		close(fd);
	}
	return netns;
}

const struct unix_socket *unix_socket_find(const struct unix_sockets *sockets, uint64_t ino)
{
	struct unix_socket key = { .ino = ino };

	if (!ino || !sockets->nr)
		return NULL;
	return bsearch(&key, sockets->socket, sockets->nr, sizeof(key), compare_sockets);
}

const struct unix_sockets *sockdiag_unix(struct world *w, pid_t tgid, uint64_t ino)
{
	struct netns *netns = get_netns(w, "/proc/self/ns/net", true);
	char path[64];

	if (unix_socket_find(&netns->unix_sockets, ino))
		return &netns->unix_sockets;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", tgid);
	netns = get_netns(w, path, false);
	return unix_socket_find(&netns->unix_sockets, ino) ? &netns->unix_sockets : NULL;
}
