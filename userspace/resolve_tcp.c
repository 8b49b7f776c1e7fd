// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_tcp - TCP between processes of this machine: receiving where nothing
 * came, sending where there is no room.
 *
 * The other side of a connection is the socket with the same two addresses the
 * other way round. Bytes on their way mean that a wait is about to end; a peer
 * that is elsewhere is unknown.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "array.h"
#include "fdscan.h"
#include "ready.h"
#include "remote.h"
#include "sockdiag.h"
#include "xalloc.h"

static bool sleeps(const struct sleeper *s)
{
	static const char *const functions[] = {
		"wait_woken", "sk_wait_data", "sk_stream_wait_memory", "inet_csk_accept",
		"inet_csk_wait_for_connect",
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(s->wchan, functions[i]))
			return true;
	return false;
}

/*
 * Who does not read what has come, or has nothing to send, is waited for. That some has
 * come does not do: more of it may be on its way, and make room here when it arrives.
 */
static bool is_up_to_peer(const struct tcp_socket *socket, const struct tcp_socket *peer,
			  bool write)
{
	return write ? socket->stopped && peer->nr_unread : !peer->nr_unsent;
}

/*
 * Who is held back by nothing but the pacing of its own socket (SO_MAX_PACING_RATE) asks
 * the other side for room, too, and sends when its time has come. It is up to the other
 * side if that has said that there is no room at all: what there is left is filled by
 * asking for more. The answer may wait for who has locked the socket: the child's matter.
 */
static void check_window(struct world *w, struct wait *wait, int fd)
{
	const struct task *t = &w->tasks[wait->task];
	int64_t window = -1;

	if (socket_can_be_asked(w, t, fd))
		window = remote_tcp_window(w->remote, t->tgid, fd);
	if (window > 0)
		wait->unknown_releaser = true;
	else if (window < 0 && w->thorough)
		world_cap(wait, VERDICT_LIKELY, "a socket may be held back by its own pacing");
}

bool tcp_block(struct world *w, struct wait *wait, uint64_t ino, const struct ready *ready)
{
	const struct tcp_sockets *sockets = sockdiag_tcp(w, w->tasks[wait->task].tgid, ino);
	const struct tcp_socket *socket = sockets ? tcp_socket_find(sockets, ino) : NULL;
	const struct tcp_socket *peer, *holder;

	if (!socket)
		return false;
	peer = socket->listens ? NULL : tcp_socket_peer(sockets, socket);
	holder = peer && !peer->ino ? tcp_socket_listener(sockets, peer) : peer;
	if (!holder || !is_up_to_peer(socket, peer, ready->write))
		wait->unknown_releaser = true;
	else
		socket_block_on(w, wait, "tcp", holder->ino);
	if (ready->write && !wait->unknown_releaser)
		check_window(w, wait, ready->fd);
	socket_cap_shared(w, wait, ino);
	return true;
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	struct ready ready = { .fd = s->args[0] };
	bool accepts = s->nr == SYS_accept || s->nr == SYS_accept4;
	struct wait *wait;
	uint64_t ino;

	if (!sleeps(s) || !(ready_call(s, &ready) || accepts) ||
	    !socket_number(t, ready.fd, &ino) || !sockdiag_tcp(w, t->tgid, ino))
		return false;
	wait = ready_add_wait(w, s, GL_KIND_TCP);
	wait->id = xasprintf("tcp %llu", (unsigned long long)ino);
	wait->name = xasprintf("socket:[%llu]", (unsigned long long)ino);
	socket_add_timeout(w, wait, &ready);
	if (accepts)
		wait->unknown_releaser = true;
	else
		tcp_block(w, wait, ino, &ready);
	ready_finish(w, wait);
	return true;
}

const struct resolver resolve_tcp = {
	.name = "tcp",
	.resolve = resolve,
};
