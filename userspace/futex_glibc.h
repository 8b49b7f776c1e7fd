/* SPDX-License-Identifier: GPL-2.0 */
/*
 * futex_glibc - is a futex glibc's own? Other runtimes use the same values for
 * other things.
 */
#ifndef FUTEX_GLIBC_H
#define FUTEX_GLIBC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "world.h"

struct sleeper;

/**
 * glibc_called() - did code of glibc's own make the call that @s sleeps in?
 * A call by way of syscall(2), which is in glibc too, is anybody's.
 */
bool glibc_called(struct world *w, const struct sleeper *s);

/** glibc_is_tid() - is the word at @addr the TID in a thread's descriptor? */
bool glibc_is_tid(struct world *w, pid_t tgid, uint64_t addr);

/** glibc_is_thread() - is there a thread's descriptor, struct pthread, at @addr? */
bool glibc_is_thread(struct world *w, pid_t tgid, uint64_t addr);

#endif /* FUTEX_GLIBC_H */
