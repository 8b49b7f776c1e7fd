/* SPDX-License-Identifier: GPL-2.0 */
/*
 * census_walk - all threads of the machine, told in pieces by a program in the kernel.
 *
 * Whoever is there all the while is told, and no thread is told twice; its number can be,
 * where another thread of a process executes a program meanwhile and takes it over.
 * Threads are gone through in an order that does not change: that in which they were
 * made. Each piece begins at a thread that is there still, all before which have been
 * told, and gives the one where the next piece begins. If that one is gone by then, the
 * piece before is told anew, in the place of what it told. Whoever is made meanwhile
 * comes after its maker: if it is not told, its maker runs after the moment that it is
 * told of, or has ended.
 */
#ifndef CENSUS_WALK_H
#define CENSUS_WALK_H

#include <stdint.h>

#include "bpf/census_abi.h"

/** CENSUS_MAX_GONE - that many pieces are told anew, not more */
#define CENSUS_MAX_GONE	64

/** census_tell_fn - run census_walk() with @piece; 0 or -errno */
typedef int census_tell_fn(void *source, struct census_piece *piece);

/**
 * census_walk() - go through all threads
 * @nr_ret: set to their number, if it came to the end
 *
 * Return: CENSUS_END; CENSUS_FULL; CENSUS_GONE: they are too many that go, or the kernel
 * does not tell.
 */
enum census_outcome census_walk(census_tell_fn *tell, void *source, uint32_t *nr_ret);

#endif /* CENSUS_WALK_H */
