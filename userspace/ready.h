/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ready - what has to come before a descriptor can be read or written: the
 * part that calls on one descriptor and polls of several have in common.
 */
#ifndef READY_H
#define READY_H

#include <stdbool.h>
#include <stdint.h>

#include "resolve.h"

/** struct ready - a descriptor of the waiting task, and what it is wanted for */
struct ready {
	int fd;
	/** @write: to be written; else to be read */
	bool write;
};

/** ready_call() - the descriptor that the call of @s sleeps for; false: no such call */
bool ready_call(const struct sleeper *s, struct ready *ret);

/** ready_add_wait() - put @s into a wait of @kind that any blocker's release ends */
struct wait *ready_add_wait(struct world *w, const struct sleeper *s, uint32_t kind);

/** ready_add_timed() - the same where it is known if it ends by itself */
struct wait *ready_add_timed(struct world *w, const struct sleeper *s, uint32_t kind,
			     enum timed timed);

/**
 * ready_cap_replaced() - no proof if the descriptor's number may mean another file by now
 *
 * A call goes on with the file it began with, whatever others make of the number.
 */
void ready_cap_replaced(struct world *w, struct wait *wait);

/**
 * ready_handles_signals() - has a task handlers of signals other than those of the mask @but
 *
 * Return: 1, 0, or -1: it cannot be told.
 */
int ready_handles_signals(const struct task *t, uint64_t but);

/**
 * ready_finish() - call once when all blockers of @wait are added
 *
 * A handler of the waiting task's own signals runs in the midst of the wait and
 * can do what the task itself is able to do.
 */
void ready_finish(struct world *w, struct wait *wait);

/**
 * ready_timer_handles() - may the handler of a timer's signal run in the midst of @t's wait
 *
 * Who waits for a mutex waits on after a signal, but what it can release its handler
 * can release meanwhile. Of other waits it is told by their being timed.
 */
bool ready_timer_handles(const struct world *w, const struct task *t);

/** struct polled - a descriptor of the waiting task, as poll(2) is asked about it */
struct polled {
	int fd;
	/** @events: POLLIN and the like */
	uint32_t events;
};

/**
 * ready_poll() - @wait ends when there is one of @polled.events, or a hang-up
 *
 * Adds the resources that this takes, or sets unknown_releaser where it cannot
 * be told who could bring it about.
 */
void ready_poll(struct world *w, struct wait *wait, const struct polled *polled);

/*
 * Of one sort of descriptor each, for ready_poll() and calls on one. @ino: the number in the
 * descriptor's link. Return of unix_block(), tcp_block(): false: it is of another family.
 */
void pipe_block(struct world *w, struct wait *wait, uint64_t ino, bool write);
bool unix_block(struct world *w, struct wait *wait, uint64_t ino, bool write);
bool tcp_block(struct world *w, struct wait *wait, uint64_t ino, const struct ready *ready);
void named_block(struct world *w, struct wait *wait, int fd, bool write);
void eventfd_block(struct world *w, struct wait *wait, int fd);
void pidfd_block(struct world *w, struct wait *wait, int fd);
void epoll_block(struct world *w, struct wait *wait, int fd);

/**
 * pipe_cap_larger() - no proof of a full pipe if others could make it larger
 *
 * That takes the end to write to (F_SETPIPE_SZ). Once all waits are known: who
 * waits, too, does not.
 */
void pipe_cap_larger(struct world *w, uint32_t resource);

/** socket_number() - the number of the socket that descriptor @fd is; false: it is none */
bool socket_number(const struct task *t, int fd, uint64_t *ino_ret);

/** socket_add_holders() - whoever has the socket with number @ino can release @resource */
void socket_add_holders(struct world *w, uint32_t resource, uint64_t ino);

/**
 * socket_block_on() - @wait is for whoever has the socket with number @ino
 *
 * Nobody found: it is on its way to somebody, or about to be closed: unknown.
 */
void socket_block_on(struct world *w, struct wait *wait, const char *family, uint64_t ino);

/** socket_cap_shared() - no proof if others have the waiting task's own socket @ino, too */
void socket_cap_shared(struct world *w, struct wait *wait, uint64_t ino);

/**
 * socket_can_be_asked() - can the reader have a copy of @t's descriptor @fd, and may it
 *
 * For proofs only; and it can be had of the table of the process's first thread alone.
 */
bool socket_can_be_asked(const struct world *w, const struct task *t, int fd);

/** socket_add_timeout() - the wait ends by itself if the socket has a timeout */
void socket_add_timeout(struct world *w, struct wait *wait, const struct ready *ready);

#endif /* READY_H */
