/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lens - every call of the functions for mutexes, rwlocks, conditions and semaphores,
 * glibc's or musl's, in the processes that the user names: uprobes whose programs
 * (bpf/lens.bpf.c) count in the kernel.
 *
 * They are set by a child of the reader: that takes the mmap_lock of every
 * process that maps the same library, and one of those may be stuck.
 */
#ifndef LENS_H
#define LENS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "bpf/lens_abi.h"
#include "window.h"

struct argp;
struct episodes;
struct lens;
struct lens_holds;
struct remote;
struct world;

/* Processes that can be named at once. */
#define LENS_MAX_PIDS	64

/** struct lens_pids - the processes that the user named */
struct lens_pids {
	/** @pid: [nr] */
	pid_t pid[LENS_MAX_PIDS];
	uint32_t nr;
};

/** struct lens_lock - a lock, one for all who share it */
struct lens_lock {
	/** @id, @name: as struct wait has them (borrowed) */
	const char *id;
	const char *name;
	/** @nr_dropped: times that a hold of it ended which began while it was looked at */
	uint64_t nr_dropped;
};

/** struct nesting - a thread asked for a lock with these held, and no others */
struct nesting {
	struct window_task task;
	/** @wanted: index into the view's locks */
	uint32_t wanted;
	/** @wanted_shared: it is to be read, as others may at the same time */
	bool wanted_shared;
	/** @held: [nr_held] the same, in the order taken */
	uint32_t held[LENS_MAX_HELD];
	uint32_t nr_held;
	/** @held_shared: [nr_held] it is held to read */
	bool held_shared[LENS_MAX_HELD];
	/** @wanted_site: where the call was made, the first time; "prog+0x12" (borrowed) */
	const char *wanted_site;
	/** @held_site: [nr_held] the same of the calls that took them */
	const char *held_site[LENS_MAX_HELD];
	/** @last_ns: the latest; ns CLOCK_MONOTONIC */
	uint64_t last_ns;
};

/** struct lens_view - what the lens told at the latest look */
struct lens_view {
	/** @nestings: [nr_nestings] by thread */
	struct nesting *nestings;
	uint32_t nr_nestings;
	/** @locks: [nr_locks] those of the nestings, and those that were held */
	struct lens_lock *locks;
	uint32_t nr_locks;
	/** @nr_threads: of all processes that it looks at */
	uint32_t nr_threads;
};

/** struct lens_cost - what the lens took, and lost, since it was opened */
struct lens_cost {
	/** @hits: times that a probe's program ran */
	uint64_t hits;
	/** @lost: events that it could not take in */
	uint64_t lost;
	/** @cpu_ns: time the programs took; the traps before them are not in it; 0: not known */
	uint64_t cpu_ns;
	/** @nr_ended: of the processes named, those that are gone by the latest look */
	uint32_t nr_ended;
	/** @nr_blind: and those that are other programs by then, whose calls are not seen */
	uint32_t nr_blind;
};

/**
 * lens_open() - set the probes in all of these processes
 * @remote: told of the child, which is no task to be looked at
 *
 * Return: the lens, or NULL, and a sentence on stderr says why.
 */
struct lens *lens_open(const struct lens_pids *pids, struct remote *remote);

/** lens_close() - take the probes out again; waits for that, but not for ever */
void lens_close(struct lens *lens);

/**
 * lens_look() - what was counted so far
 * @w: a look that has just been taken
 * @episodes: gets the attempts that failed, by thread and lock
 *
 * Return: the rest, valid until the next call.
 */
const struct lens_view *lens_look(struct lens *lens, struct world *w, struct episodes *episodes);

/**
 * lens_read_holds() - how long locks were held so far (lens_holds.h)
 *
 * Return: valid until the next call or lens_close().
 */
const struct lens_holds *lens_read_holds(struct lens *lens, struct remote *remote);

void lens_read_cost(const struct lens *lens, struct lens_cost *ret);

/** lens_argp - the option --lens: a child parser whose input is a struct lens_pids */
extern const struct argp lens_argp;

#endif /* LENS_H */
