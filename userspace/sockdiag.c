// SPDX-License-Identifier: GPL-2.0
/* sockdiag - which socket is connected to which (sockdiag.h) */
#include <errno.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sockdiag.h"
#include "world.h"
#include "xalloc.h"

/* State of a socket that listens, as the kernel's tcp_states.h numbers it. */
#define STATE_LISTEN	10

/*
 * What a socket's timer is for, as the kernel's inet_sk_diag_fill() numbers it: to ask
 * again whether there is room at the other side. With bytes on their way it is to send
 * those again.
 */
#define TIMER_PROBE	4

/* What one answer to a dump takes at most (NLMSG_GOODSIZE is less). */
#define ANSWER_SIZE	32768

/* As long as modprobe(8) may take. */
#define MODPROBE_SECS	2

/** struct netns - the sockets of one network namespace */
struct netns {
	/** @ino: of the namespace; 0: could not be told */
	uint64_t ino;
	/** @done: what was dumped, of struct family */
	unsigned int done;
	struct unix_sockets unix_sockets;
	struct tcp_sockets tcp_sockets;
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
		free(diag->netns[n].tcp_sockets.socket);
		free(diag->netns[n].tcp_sockets.by_ports);
	}
	free(diag->netns);
	free(diag);
}

/* --- one dump --------------------------------------------------------------- */

/** parse_fn - add what one answer tells to @netns */
typedef void parse_fn(const struct nlmsghdr *answer, struct netns *netns);

static int error_of(const struct nlmsghdr *answer)
{
	const struct nlmsgerr *err = NLMSG_DATA(answer);

	return answer->nlmsg_len >= NLMSG_LENGTH(sizeof(*err)) && err->error ? err->error : -EIO;
}

/* 1: more to come; 0: that was all; or -errno */
static int parse_answers(const void *buf, int size, parse_fn *parse, struct netns *netns)
{
	for (const struct nlmsghdr *answer = buf; NLMSG_OK(answer, (unsigned int)size);
	     answer = NLMSG_NEXT(answer, size)) {
		if (answer->nlmsg_type == NLMSG_DONE)
			return 0;
		if (answer->nlmsg_type == NLMSG_ERROR)
			return error_of(answer);
		if (answer->nlmsg_type == SOCK_DIAG_BY_FAMILY)
			parse(answer, netns);
	}
	return 1;
}

/* 0 or -errno; -ENOENT: the kernel has no module for it */
static int dump(int fd, const void *request, size_t size, parse_fn *parse, struct netns *netns)
{
	struct nlmsghdr header = {
		.nlmsg_len = NLMSG_LENGTH(size),
		.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
	};
	struct iovec question[] = { { &header, sizeof(header) }, { (void *)request, size } };
	char *buf = xcalloc(1, ANSWER_SIZE);
	int more = writev(fd, question, 2) == (ssize_t)header.nlmsg_len ? 1 : -errno;

	while (more > 0) {
		ssize_t got = recv(fd, buf, ANSWER_SIZE, 0);

		more = got > 0 ? parse_answers(buf, got, parse, netns) : -EIO;
	}
	free(buf);
	return more;
}

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

/** struct module - a part of the kernel, and that it was asked for */
struct module {
	const char *name;
	bool tried;
};

static void dump_by(struct module *module, int fd, const void *request, size_t size,
		    parse_fn *parse, struct netns *netns)
{
	if (dump(fd, request, size, parse, netns) != -ENOENT || module->tried)
		return;
	module->tried = true;
	if (!geteuid() && load_module(module->name))
		dump(fd, request, size, parse, netns);
}

/* --- UNIX ------------------------------------------------------------------- */

static void parse_waiting(const struct rtattr *attr, struct unix_socket *socket)
{
	const uint32_t *ino = RTA_DATA(attr);

	for (size_t i = 0; i < RTA_PAYLOAD(attr) / sizeof(*ino); i++)
		*vec_push(socket->waiting, socket->nr_waiting) = ino[i];
}

static void parse_unix(const struct nlmsghdr *answer, struct netns *netns)
{
	struct unix_sockets *sockets = &netns->unix_sockets;
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

static int compare_unix(const void *a, const void *b)
{
	const struct unix_socket *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static void dump_unix(int fd, struct netns *netns)
{
	static struct module module = { "unix_diag", false };
	struct unix_diag_req request = {
		.sdiag_family = AF_UNIX,
		.udiag_states = ~0U,
		.udiag_show = UDIAG_SHOW_NAME | UDIAG_SHOW_PEER | UDIAG_SHOW_ICONS,
	};
	struct unix_sockets *sockets = &netns->unix_sockets;

	dump_by(&module, fd, &request, sizeof(request), parse_unix, netns);
	if (sockets->nr)
		qsort(sockets->socket, sockets->nr, sizeof(*sockets->socket), compare_unix);
}

const struct unix_socket *unix_socket_find(const struct unix_sockets *sockets, uint64_t ino)
{
	struct unix_socket key = { .ino = ino };

	if (!ino || !sockets->nr)
		return NULL;
	return bsearch(&key, sockets->socket, sockets->nr, sizeof(key), compare_unix);
}

/* --- TCP -------------------------------------------------------------------- */

static struct tcp_end tcp_end(uint8_t family, const uint32_t *addr, uint16_t port)
{
	struct tcp_end end = { .port = port };

	if (family == AF_INET6) {
		memcpy(end.addr, addr, 16);
		return end;
	}
	end.addr[10] = 0xff;
	end.addr[11] = 0xff;
	memcpy(end.addr + 12, addr, 4);
	return end;
}

static void parse_tcp(const struct nlmsghdr *answer, struct netns *netns)
{
	const struct inet_diag_msg *msg = NLMSG_DATA(answer);
	struct tcp_socket *socket;

	if (answer->nlmsg_len < NLMSG_LENGTH(sizeof(*msg)))
		return;
	socket = vec_push(netns->tcp_sockets.socket, netns->tcp_sockets.nr);
	socket->ino = msg->idiag_inode;
	socket->listens = msg->idiag_state == STATE_LISTEN;
	socket->nr_unread = msg->idiag_rqueue;
	socket->nr_unsent = msg->idiag_wqueue;
	socket->stopped = msg->idiag_timer == TIMER_PROBE;
	socket->here = tcp_end(msg->idiag_family, msg->id.idiag_src, msg->id.idiag_sport);
	socket->there = tcp_end(msg->idiag_family, msg->id.idiag_dst, msg->id.idiag_dport);
}

static int compare_tcp(const void *a, const void *b)
{
	const struct tcp_socket *x = a, *y = b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static uint32_t ports(const struct tcp_end *here, const struct tcp_end *there)
{
	return (uint32_t)here->port << 16 | there->port;
}

static int compare_ports(const void *a, const void *b, void *arg)
{
	const struct tcp_socket *sockets = arg;
	const struct tcp_socket *s = &sockets[*(const uint32_t *)a];
	const struct tcp_socket *t = &sockets[*(const uint32_t *)b];
	uint32_t x = ports(&s->here, &s->there), y = ports(&t->here, &t->there);

	return (x > y) - (x < y);
}

static void sort_by_ports(struct tcp_sockets *sockets)
{
	sockets->by_ports = xcalloc(sockets->nr, sizeof(*sockets->by_ports));
	for (uint32_t i = 0; i < sockets->nr; i++)
		sockets->by_ports[i] = i;
	if (sockets->nr)
		qsort_r(sockets->by_ports, sockets->nr, sizeof(*sockets->by_ports), compare_ports,
			sockets->socket);
}

static void dump_tcp(int fd, struct netns *netns)
{
	static struct module module = { "tcp_diag", false };
	struct inet_diag_req_v2 request = { .sdiag_protocol = IPPROTO_TCP, .idiag_states = ~0U };
	struct tcp_sockets *sockets = &netns->tcp_sockets;

	request.sdiag_family = AF_INET;
	dump_by(&module, fd, &request, sizeof(request), parse_tcp, netns);
	request.sdiag_family = AF_INET6;
	dump_by(&module, fd, &request, sizeof(request), parse_tcp, netns);
	if (sockets->nr)
		qsort(sockets->socket, sockets->nr, sizeof(*sockets->socket), compare_tcp);
	sort_by_ports(sockets);
}

const struct tcp_socket *tcp_socket_find(const struct tcp_sockets *sockets, uint64_t ino)
{
	struct tcp_socket key = { .ino = ino };

	if (!ino || !sockets->nr)
		return NULL;
	return bsearch(&key, sockets->socket, sockets->nr, sizeof(key), compare_tcp);
}

static bool same_end(const struct tcp_end *a, const struct tcp_end *b)
{
	return a->port == b->port && !memcmp(a->addr, b->addr, sizeof(a->addr));
}

const struct tcp_socket *tcp_socket_peer(const struct tcp_sockets *sockets,
					 const struct tcp_socket *socket)
{
	uint32_t want = ports(&socket->there, &socket->here), low = 0, high = sockets->nr;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct tcp_socket *at = &sockets->socket[sockets->by_ports[mid]];

		if (ports(&at->here, &at->there) < want)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < sockets->nr; low++) {
		const struct tcp_socket *peer = &sockets->socket[sockets->by_ports[low]];

		if (ports(&peer->here, &peer->there) != want)
			break;
		if (!peer->listens && same_end(&peer->here, &socket->there) &&
		    same_end(&peer->there, &socket->here))
			return peer;
	}
	return NULL;
}

const struct tcp_socket *tcp_socket_listener(const struct tcp_sockets *sockets,
					     const struct tcp_socket *socket)
{
	const struct tcp_socket *found = NULL;

	for (uint32_t i = 0; i < sockets->nr; i++) {
		if (!sockets->socket[i].listens ||
		    sockets->socket[i].here.port != socket->here.port)
			continue;
		if (found)
			return NULL;
		found = &sockets->socket[i];
	}
	return found;
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

/** struct family - one dump of those that a namespace can have */
struct family {
	void (*dump)(int fd, struct netns *netns);
	bool (*has)(const struct netns *netns, uint64_t ino);
	/** @done: bit in netns.done */
	unsigned int done;
};

static bool has_unix(const struct netns *netns, uint64_t ino)
{
	return unix_socket_find(&netns->unix_sockets, ino);
}

static bool has_tcp(const struct netns *netns, uint64_t ino)
{
	return tcp_socket_find(&netns->tcp_sockets, ino);
}

static const struct family unix_family = { dump_unix, has_unix, 1 };
static const struct family tcp_family = { dump_tcp, has_tcp, 2 };

static struct netns *find_netns(struct world *w, uint64_t ino)
{
	struct netns *netns;

	if (!w->socks) {
		w->socks = xcalloc(1, sizeof(*w->socks));
		w->socks_free = diag_free;
	}
	for (uint32_t i = 0; i < w->socks->nr_netns; i++)
		if (w->socks->netns[i].ino == ino)
			return &w->socks->netns[i];
	netns = vec_push(w->socks->netns, w->socks->nr_netns);
	netns->ino = ino;
	return netns;
}

static struct netns *get_netns(struct world *w, const char *path, bool own,
			       const struct family *family)
{
	struct netns *netns = find_netns(w, netns_ino(path));
	int fd;

	if (netns->done & family->done)
		return netns;
	netns->done |= family->done;
	fd = own ? socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG) :
		   open_diag(path);
	if (fd >= 0) {
		family->dump(fd, netns);
		close(fd);
	}
	return netns;
}

/* The reader's own namespace first: of most tasks it is the same. */
static const struct netns *netns_of(struct world *w, pid_t tgid, uint64_t ino,
				    const struct family *family)
{
	const struct netns *netns = get_netns(w, "/proc/self/ns/net", true, family);
	char path[64];

	if (family->has(netns, ino))
		return netns;
	snprintf(path, sizeof(path), "/proc/%d/ns/net", tgid);
	netns = get_netns(w, path, false, family);
	return family->has(netns, ino) ? netns : NULL;
}

const struct unix_sockets *sockdiag_unix(struct world *w, pid_t tgid, uint64_t ino)
{
	const struct netns *netns = netns_of(w, tgid, ino, &unix_family);

	return netns ? &netns->unix_sockets : NULL;
}

const struct tcp_sockets *sockdiag_tcp(struct world *w, pid_t tgid, uint64_t ino)
{
	const struct netns *netns = netns_of(w, tgid, ino, &tcp_family);

	return netns ? &netns->tcp_sockets : NULL;
}
