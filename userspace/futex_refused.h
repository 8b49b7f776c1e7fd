/* SPDX-License-Identifier: GPL-2.0 */
/*
 * futex_refused - a PI mutex that the kernel refused to wait for.
 *
 * Where to wait would close a circle of PI mutexes, the kernel says so, and glibc
 * then sleeps for ever (POSIX lets it) by a futex of its own: which mutex was
 * refused is kept nowhere. It was that of a task that waits for the one refused.
 */
#ifndef FUTEX_REFUSED_H
#define FUTEX_REFUSED_H

#include <stdbool.h>

#include "futex_guess.h"

struct sleeper;
struct world;

/** futex_refused() - is it that sleep, and no wait for an object */
bool futex_refused(struct world *w, const struct sleeper *s, const struct futex_call *call);

/** futex_refused_wait() - the wait of a task that was refused; see futex_refused_end() */
void futex_refused_wait(struct world *w, const struct sleeper *s);

/**
 * futex_refused_end() - who may have the mutexes that were refused
 *
 * Once all waits are known. Without anybody it may as well be that the owner is gone.
 */
void futex_refused_end(struct world *w);

#endif /* FUTEX_REFUSED_H */
