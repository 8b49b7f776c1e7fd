/* SPDX-License-Identifier: GPL-2.0 */
/*
 * futex_double - processes that share an address space without being one. A
 * process made to share memory, by vfork() or clone(), goes by its maker's
 * number as far as glibc knows: whose word a mutex is cannot be told then. It
 * need not be a child, and its maker may have ended.
 */
#ifndef FUTEX_DOUBLE_H
#define FUTEX_DOUBLE_H

#include <stdint.h>

struct world;

/**
 * futex_double() - has another process the memory of this one
 * @task: a live thread of it
 *
 * All processes of one beginning are put in order by kcmp(2), no farther than
 * what was asked needs: n log n questions for n of them, not one for each pair.
 *
 * Return: 1: one has; 0: none has; -1: it cannot be told, as where a process lets
 * nobody ask about its memory.
 */
int futex_double(struct world *w, uint32_t task);

#endif /* FUTEX_DOUBLE_H */
