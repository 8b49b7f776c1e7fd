/* SPDX-License-Identifier: GPL-2.0 */
/*
 * recheck - is what was proven once borne out by what is seen later.
 *
 * A proof holds for its moment, and for ever if only owners write into the words of
 * their locks. Words that say something else later, while all members slept on since
 * the proof, were written by somebody else: then they were so at the proof, for all
 * that is known.
 */
#ifndef RECHECK_H
#define RECHECK_H

#include <stdbool.h>

struct finding;
struct look;

/** recheck_read() - read again what the proof was made of; before recheck_fails() */
void recheck_read(struct look *look);

/** recheck_fails() - was a lock of @f, proven by @look, rewritten while its members slept */
bool recheck_fails(const struct look *look, const struct finding *f);

#endif /* RECHECK_H */
