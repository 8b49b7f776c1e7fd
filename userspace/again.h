/* SPDX-License-Identifier: GPL-2.0 */
/*
 * again - waits that must be what they were at the look before: only threads that have
 * all slept since could have changed anything. Nothing is read of them.
 *
 * Most of these nobody known can end, such as that of an idle worker. They are kept
 * beside the looks: a look leaves them out, but of tasks that others wait for and of
 * those that it tells of.
 */
#ifndef AGAIN_H
#define AGAIN_H

#include <stdbool.h>
#include <stdint.h>

struct census;
struct gl_wait_record;
struct world;

/**
 * again_follow() - put @task into the wait of the look before
 * @row: the module's row of it, or NULL
 *
 * Return: false: it has to be resolved.
 */
bool again_follow(struct world *w, uint32_t task, const struct gl_wait_record *row);

/** again_idles() - is @task in such a wait still? Then it need not be in @w; @row: as above */
bool again_idles(struct world *w, uint32_t task, const struct gl_wait_record *row);

/** again_tell() - put @task of @w into the wait that was left out, if one was */
void again_tell(struct world *w, const struct census *c, uint32_t task);

/** again_tell_releasers() - the same of all that others wait for */
void again_tell_releasers(struct world *w);

/** again_end() - keep such waits of @w, a look that is over and had @c */
void again_end(struct census *c, const struct world *w);

#endif /* AGAIN_H */
