/* SPDX-License-Identifier: GPL-2.0 */
/*
 * again - waits that must be what they were at the look before: only threads that have
 * all slept since could have changed anything. Nothing is read of them.
 */
#ifndef AGAIN_H
#define AGAIN_H

#include <stdbool.h>
#include <stdint.h>

struct gl_wait_record;
struct world;

/**
 * again_follow() - put @task into the wait of the look before
 * @row: the module's row of it, or NULL
 *
 * Return: false: it has to be resolved.
 */
bool again_follow(struct world *w, uint32_t task, const struct gl_wait_record *row);

#endif /* AGAIN_H */
