/* SPDX-License-Identifier: GPL-2.0 */
/*
 * remote_child - the child of remote.c, and what the two say to each other:
 * packets over a socket pair. A question is one packet. The first packet of an
 * answer says how it went, as an int64_t; the data follows in chunks.
 */
#ifndef REMOTE_CHILD_H
#define REMOTE_CHILD_H

#include <stdint.h>
#include <sys/types.h>

/* Longer than any path below /proc that is asked for. */
#define QUESTION_PATH_SIZE	96

enum what {
	READ_FILE,
	READ_LOCKS,
	READ_LINK,
	READ_MEMORY,
	READ_STACK,
	COMPARE,
	SOCKET_TIMED,
	TCP_WINDOW,
	HAS_ROBUST_LIST,
};

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
	/**
	 * @fds: SOCKET_TIMED, TCP_WINDOW: the descriptor; COMPARE: of each thread, if files
	 * are compared, or one that the other, an epoll descriptor, may watch
	 */
	int fds[2];
	/** @type: COMPARE: KCMP_*; SOCKET_TIMED: SO_* */
	int type;
	char path[QUESTION_PATH_SIZE];
};

/**
 * remote_child_main() - answer questions until the parent is gone
 * @fd: the child's end of the socket pair
 * @parent: who made the child
 */
void remote_child_main(int fd, pid_t parent) __attribute__((noreturn));

#endif /* REMOTE_CHILD_H */
