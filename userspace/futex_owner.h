/* SPDX-License-Identifier: GPL-2.0 */
/*
 * futex_owner - whose thread is meant by a number in a futex word.
 *
 * The number is of the owner's innermost PID namespace, and the owner must map
 * the word: a thread of the same address space, or for shared memory one of a
 * process that maps the same place of the same file. What is read of a process
 * is kept until the world is freed.
 */
#ifndef FUTEX_OWNER_H
#define FUTEX_OWNER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc.h"
#include "world.h"

/**
 * enum owner - what is known of an owner
 * @OWNER_RENAMED: it is gone, and a thread that came after the wait began has its
 *	number: had that taken the lock, the waiter would mostly have been woken
 */
enum owner { OWNER_UNKNOWN, OWNER_TASK, OWNER_GONE, OWNER_RENAMED };

/**
 * futex_map() - the mapping of process @tgid that holds @addr
 *
 * Return: borrowed until the world is freed; NULL: none, or not readable.
 */
const struct proc_map *futex_map(struct world *w, pid_t tgid, uint64_t addr);

/**
 * futex_identity() - what tells the object at @addr of process @tgid from others
 *
 * Shared memory is one place for all who map it; other memory is its process's.
 *
 * Return: to be freed.
 */
char *futex_identity(struct world *w, pid_t tgid, uint64_t addr);

/** struct futex_place - in the memory of one process */
struct futex_place {
	pid_t tgid;
	uint64_t addr;
};

/** futex_place() - of what has this identity; false: of shared memory, or no futex's */
bool futex_place(const char *id, struct futex_place *ret);

/** futex_is_shared() - is it the identity of a futex in shared memory? */
bool futex_is_shared(const char *id);

/** futex_map_ahead() - futex_map() of that process comes next (remote.h) */
void futex_map_ahead(struct world *w, pid_t tgid);

/**
 * futex_maps() - does process @tgid share the place at @offset of what @map maps
 *
 * Return: 1, 0, or -1: not known.
 */
int futex_maps(struct world *w, pid_t tgid, const struct proc_map *map, uint64_t offset);

/**
 * futex_may_have_double() - may another process have the memory of @tgid, for all
 * that could be read. Words in memory of a process that has are nobody's.
 */
bool futex_may_have_double(struct world *w, pid_t tgid);

/** futex_thread() - the thread of process @tgid that calls itself @number, or NO_INDEX */
uint32_t futex_thread(struct world *w, pid_t tgid, pid_t number);

/**
 * futex_owner() - the thread that a word at @addr of process @tgid names
 * @number: the TID in the word
 * @begin_ns: when the wait for it began; ns CLOCK_MONOTONIC; 0: not known
 * @task_ret: set to the task for OWNER_TASK
 *
 * Return: OWNER_GONE only if every thread that could be meant was looked at;
 * OWNER_UNKNOWN also where more than one can be.
 */
enum owner futex_owner(struct world *w, pid_t tgid, uint64_t addr, pid_t number,
		       uint64_t begin_ns, uint32_t *task_ret);

#endif /* FUTEX_OWNER_H */
