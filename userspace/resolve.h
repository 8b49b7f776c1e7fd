/* SPDX-License-Identifier: GPL-2.0 */
/*
 * resolve - from a sleeping task to what it waits for and who can release it.
 *
 * A resolver is one file and one row in resolvers[] (resolve.c). Each is asked
 * in turn about every sleeping task until one claims it. A system call number
 * alone is no wait: the kernel function the task sleeps in must belong to the
 * resolver's kind.
 */
#ifndef RESOLVE_H
#define RESOLVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "world.h"

struct gl_wait_record;

/** struct sleeper - what is known of a sleeping task before it is resolved */
struct sleeper {
	/** @task: index in the world */
	uint32_t task;
	/** @row: the module's innermost row for this task, or NULL */
	const struct gl_wait_record *row;
	/** @like: task whose wait this one's is like (alike.h) */
	uint32_t like;
	/** @follows: it may be taken for like another's: nothing is to be proven of it */
	bool follows;
	/** @nr: system call number; -1: in none, or not readable */
	long nr;
	/** @args: its arguments */
	uint64_t args[6];
	/** @pc, @sp: where in user space the call was made, and the stack there */
	uint64_t pc;
	uint64_t sp;
	/** @wchan: kernel function it sleeps in, without suffix; "" if unknown */
	char wchan[64];
};

/** struct resolver - one way of waiting */
struct resolver {
	const char *name;
	/**
	 * @resolve: claim @s by adding its wait to @w
	 *
	 * Return: true when claimed; false: not this resolver's kind of wait.
	 */
	bool (*resolve)(struct world *w, const struct sleeper *s);
	/** @read_ahead: ask for what @resolve will read first (remote.h); may be NULL */
	void (*read_ahead)(struct world *w, const struct sleeper *s);
};

extern const struct resolver resolve_klock;
extern const struct resolver resolve_futex;
extern const struct resolver resolve_filelock;
extern const struct resolver resolve_pipe;
extern const struct resolver resolve_unix;
extern const struct resolver resolve_tcp;
extern const struct resolver resolve_eventfd;
extern const struct resolver resolve_poll;
extern const struct resolver resolve_fifo;
extern const struct resolver resolve_vfork;
extern const struct resolver resolve_sysv;
extern const struct resolver resolve_lease;
extern const struct resolver resolve_userfault;
extern const struct resolver resolve_child;

/**
 * world_look() - look at the machine: tasks, then their waits
 * @snap: the module's rows, or NULL
 * @remote: for reads that may block
 * @only: [nr_only] threads whose waits are resolved; NULL: all. The others are
 *	there as holders and count as able to run. A negative number: that thread,
 *	of which nothing is to be proven.
 * @nr_only: entries in @only
 * @census: of a series of looks; NULL: read everything anew
 * @deadline_ns: CLOCK_MONOTONIC; tasks that were not looked at by then are counted
 *	in unseen.not_looked, and count as able to run; 0: take all the time it takes
 *
 * Return: a new world; free with world_free().
 */
struct world *world_look(const struct snapshot *snap, struct remote *remote,
			 const pid_t *only, uint32_t nr_only, struct census *census,
			 uint64_t deadline_ns);

/** world_too_late() - is the time for this look over: what is left counts as not seen */
bool world_too_late(const struct world *w);

#endif /* RESOLVE_H */
