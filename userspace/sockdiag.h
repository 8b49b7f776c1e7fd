/* SPDX-License-Identifier: GPL-2.0 */
/*
 * sockdiag - which socket is connected to which: the kernel's socket
 * diagnostics (NETLINK_SOCK_DIAG), one dump for each network namespace asked
 * about, made when it is first asked for and kept with the world.
 */
#ifndef SOCKDIAG_H
#define SOCKDIAG_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct world;

/** struct unix_socket - one socket of AF_UNIX */
struct unix_socket {
	/** @ino: its number; 0: not accepted yet, so nobody's */
	uint64_t ino;
	/** @peer: number of the socket it is connected to; 0 as above */
	uint64_t peer;
	/** @has_peer: it is connected */
	bool has_peer;
	/** @type: SOCK_STREAM and the like */
	uint8_t type;
	/** @listens: others can connect to it */
	bool listens;
	/** @named: others can find it by a name */
	bool named;
	/** @waiting: [nr_waiting] numbers of sockets that connected and are not accepted yet */
	uint64_t *waiting;
	uint32_t nr_waiting;
};

/** struct unix_sockets - those of one network namespace, by number */
struct unix_sockets {
	struct unix_socket *socket;
	uint32_t nr;
};

/**
 * sockdiag_unix() - the AF_UNIX sockets around the socket with number @ino
 * @tgid: a process that has it: its network namespace is looked into if the
 *	reader's own does not know the socket
 *
 * Return: the namespace's sockets, valid until the next call; NULL: the socket
 * was not found: of another family, or not to be seen.
 */
const struct unix_sockets *sockdiag_unix(struct world *w, pid_t tgid, uint64_t ino);

/** unix_socket_find() - the socket with number @ino, or NULL */
const struct unix_socket *unix_socket_find(const struct unix_sockets *sockets, uint64_t ino);

/** struct tcp_end - one side of a connection; IPv4 as IPv6 writes it */
struct tcp_end {
	uint8_t addr[16];
	/** @port: as the network has it */
	uint16_t port;
};

/** struct tcp_socket - one socket of TCP over IPv4 or IPv6 */
struct tcp_socket {
	/** @ino: its number; 0: not accepted yet, or closed by its owner */
	uint64_t ino;
	struct tcp_end here;
	struct tcp_end there;
	bool listens;
	/** @nr_unread: bytes that have come and were not read */
	uint32_t nr_unread;
	/** @nr_unsent: bytes written that the other side has not acknowledged */
	uint32_t nr_unsent;
	/**
	 * @stopped: all that was sent has come, and there is more, for which the other
	 * side has no room (or which the socket's own pacing holds back)
	 */
	bool stopped;
};

/** struct tcp_sockets - those of one network namespace, by number */
struct tcp_sockets {
	struct tcp_socket *socket;
	uint32_t nr;
	/** @by_ports: [nr] indices into socket, by the ports of both ends */
	uint32_t *by_ports;
};

/** sockdiag_tcp() - as sockdiag_unix(), of TCP sockets; valid until the next call */
const struct tcp_sockets *sockdiag_tcp(struct world *w, pid_t tgid, uint64_t ino);

/** tcp_socket_find() - the socket with number @ino, or NULL */
const struct tcp_socket *tcp_socket_find(const struct tcp_sockets *sockets, uint64_t ino);

/** tcp_socket_peer() - the other side of a connection in this namespace, or NULL */
const struct tcp_socket *tcp_socket_peer(const struct tcp_sockets *sockets,
					 const struct tcp_socket *socket);

/** tcp_socket_listener() - the only socket that listens where @socket is, or NULL */
const struct tcp_socket *tcp_socket_listener(const struct tcp_sockets *sockets,
					     const struct tcp_socket *socket);

#endif /* SOCKDIAG_H */
