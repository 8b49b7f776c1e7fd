// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_unix - UNIX sockets: receiving where nothing came, sending where
 * there is no room.
 *
 * Of a connection, whoever has its other end open can end either wait; as long
 * as that end is not accepted, whoever has the socket that listens. Who else
 * has the own end could shut it down: then it is no proof. Of datagrams,
 * whoever has a socket that is connected to this one, and with a name anybody.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "array.h"
#include "fdscan.h"
#include "ready.h"
#include "sockdiag.h"
#include "xalloc.h"

static bool sleeps(const struct world *w, const struct sleeper *s)
{
	static const char *const functions[] = {
		"unix_stream_read_generic", "unix_stream_data_wait", "__skb_wait_for_more_packets",
		"sock_alloc_send_pskb", "sock_wait_for_wmem", "unix_wait_for_peer",
	};

	/* Uninterruptibly: for the socket's mutex, in the same functions. */
	if (w->tasks[s->task].state != 'S')
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(s->wchan, functions[i]))
			return true;
	return false;
}

/* accept(2) waits for anybody who may connect, connect(2) for who accepts. */
static bool is_other_call(long nr)
{
	return nr == SYS_accept || nr == SYS_accept4 || nr == SYS_connect;
}

/* --- connections ------------------------------------------------------------ */

/* The socket that listens and has not accepted the connection yet. */
static const struct unix_socket *find_listener(const struct unix_sockets *sockets, uint64_t ino)
{
	for (uint32_t i = 0; i < sockets->nr; i++)
		for (uint32_t k = 0; k < sockets->socket[i].nr_waiting; k++)
			if (sockets->socket[i].waiting[k] == ino)
				return &sockets->socket[i];
	return NULL;
}

static void block_on_peer(struct world *w, struct wait *wait, const struct unix_sockets *sockets,
			  const struct unix_socket *socket)
{
	const struct unix_socket *listener = NULL;

	if (socket->has_peer && !socket->peer)
		listener = find_listener(sockets, socket->ino);
	if (listener)
		socket_block_on(w, wait, "unix", listener->ino);
	else if (socket->has_peer && socket->peer)
		socket_block_on(w, wait, "unix", socket->peer);
	else
		wait->unknown_releaser = true;
	socket_cap_shared(w, wait, socket->ino);
}

/* --- datagrams -------------------------------------------------------------- */

static void block_on_senders(struct world *w, struct wait *wait, const struct unix_sockets *sockets,
			     const struct unix_socket *socket)
{
	uint32_t index;
	char key[64];
	bool new;

	snprintf(key, sizeof(key), "unix senders to %llu", (unsigned long long)socket->ino);
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_READ;
	for (uint32_t i = 0; i < sockets->nr && new; i++)
		if (sockets->socket[i].has_peer && sockets->socket[i].peer == socket->ino)
			socket_add_holders(w, index, sockets->socket[i].ino);
	if (w->resources[index].nr_releasers)
		world_block_on(w, wait, index);
	else
		wait->unknown_releaser = true;
}

static void block_on_datagrams(struct world *w, struct wait *wait,
			       const struct unix_sockets *sockets,
			       const struct unix_socket *socket, bool write)
{
	world_cap(wait, VERDICT_LIKELY, "datagrams may come from, or be for, other sockets too");
	if (write && socket->has_peer)
		socket_block_on(w, wait, "unix", socket->peer);
	else if (!write && !socket->named)
		block_on_senders(w, wait, sockets, socket);
	else
		wait->unknown_releaser = true;
}

bool unix_block(struct world *w, struct wait *wait, uint64_t ino, bool write)
{
	const struct unix_sockets *sockets = sockdiag_unix(w, w->tasks[wait->task].tgid, ino);
	const struct unix_socket *socket = sockets ? unix_socket_find(sockets, ino) : NULL;

	if (!socket)
		return false;
	if (socket->listens)
		wait->unknown_releaser = true;
	else if (socket->type == SOCK_DGRAM)
		block_on_datagrams(w, wait, sockets, socket, write);
	else
		block_on_peer(w, wait, sockets, socket);
	return true;
}

/* --- one call --------------------------------------------------------------- */

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	struct ready ready = { .fd = s->args[0] };
	struct wait *wait;
	uint64_t ino;

	if (!sleeps(w, s) || !(ready_call(s, &ready) || is_other_call(s->nr)) ||
	    !socket_number(t, ready.fd, &ino) || !sockdiag_unix(w, t->tgid, ino))
		return false;
	wait = ready_add_wait(w, s, GL_KIND_UNIX);
	wait->id = xasprintf("unix %llu", (unsigned long long)ino);
	wait->name = xasprintf("socket:[%llu]", (unsigned long long)ino);
	socket_add_timeout(w, wait, &ready);
	if (is_other_call(s->nr))
		wait->unknown_releaser = true;
	else
		unix_block(w, wait, ino, ready.write);
	ready_finish(w, wait);
	return true;
}

const struct resolver resolve_unix = {
	.name = "unix",
	.resolve = resolve,
};
