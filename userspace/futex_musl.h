/* SPDX-License-Identifier: GPL-2.0 */
/* futex_musl - was a futex call made by musl's code? */
#ifndef FUTEX_MUSL_H
#define FUTEX_MUSL_H

#include <stdbool.h>

#include "world.h"

struct sleeper;

/**
 * musl_called() - is it musl, mapped as a library, where @s made its call?
 *
 * musl's syscall(2), which anybody may call, is in there too and looks like the
 * rest: that a word belongs to a mutex is inferred. Of a program that has musl
 * linked in nothing tells that it is musl.
 */
bool musl_called(struct world *w, const struct sleeper *s);

#endif /* FUTEX_MUSL_H */
