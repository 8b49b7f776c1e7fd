/* SPDX-License-Identifier: GPL-2.0 */
/*
 * alike - sleepers that the module tells to wait for the same futex, in a crowd:
 * one is resolved, the others follow it and nothing is read of them.
 */
#ifndef ALIKE_H
#define ALIKE_H

#include <stdbool.h>
#include <stdint.h>

struct gl_wait_record;
struct sleeper;
struct world;

/** MANY - sleepers, or threads of a process, from which on they are a crowd */
#define MANY	500

/** alike_told() - does the row alone tell the wait: a futex, off the CPU, timed or not */
bool alike_told(const struct gl_wait_record *row);

/**
 * alike_find() - part followers from the others
 * @s: [@nr] sleepers; the followers are put last
 *
 * Sets sleeper.like of the followers, each to the task of an earlier sleeper.
 *
 * Return: how many are no followers.
 */
uint32_t alike_find(struct sleeper *s, uint32_t nr);

/**
 * alike_follow() - put @s into the wait that the task it is like is in
 *
 * Return: false: it has to be resolved by itself.
 */
bool alike_follow(struct world *w, const struct sleeper *s);

#endif /* ALIKE_H */
