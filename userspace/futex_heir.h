/* SPDX-License-Identifier: GPL-2.0 */
/*
 * futex_heir - who may go on with a mutex whose owner is gone.
 *
 * A thread that forks with a mutex locked leaves it to the first thread of the
 * child, which may unlock it there: the word has the number of the one that
 * forked, which is no thread of the child, or ends at once in a daemon. A
 * process that runs a program of its own since it was made inherited nothing.
 */
#ifndef FUTEX_HEIR_H
#define FUTEX_HEIR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "world.h"

/**
 * futex_has_heir() - may a living thread have inherited a mutex
 * @tgid: a process that waits for it
 * @addr: where it is, there
 * @resource: the mutex as one without an owner: who waits for it did not inherit it
 */
bool futex_has_heir(struct world *w, pid_t tgid, uint64_t addr, uint32_t resource);

/**
 * futex_may_be_strangers() - may a shared mutex have an owner who goes by another's number
 * @tgid: a process that waits for it
 * @addr: where it is, there
 *
 * glibc keeps a thread's number, and renews it in fork(3): a process made by
 * clone(2) writes the number of the thread that made it. Such a one has not
 * registered its robust mutexes either, which fork(3) does.
 */
bool futex_may_be_strangers(struct world *w, pid_t tgid, uint64_t addr);

#endif /* FUTEX_HEIR_H */
