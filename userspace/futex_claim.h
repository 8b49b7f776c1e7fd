/* SPDX-License-Identifier: GPL-2.0 */
/*
 * futex_claim - what the words of a lock say of its owner holds for a proof only if
 * they stay. That it has no living owner holds only if nobody came meanwhile whose
 * number the word is, and is certain only if nobody can have inherited it
 * (futex_heir.h): kept until that is known.
 */
#ifndef FUTEX_CLAIM_H
#define FUTEX_CLAIM_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "futex_guess.h"

/** futex_claim() - @resource has an owner or none, by @guess about @call */
void futex_claim(struct world *w, uint32_t resource, pid_t tgid, const struct futex_call *call,
		 const struct futex_guess *guess);

/**
 * futex_watch_words() - read the words again for some tens of milliseconds
 *
 * Nobody changes them whose owner and waiters sleep. The owner of those that do
 * not stay is not known. Sleeps.
 */
void futex_watch_words(struct world *w);

/** futex_reread() - mark the resources whose words say something else by now */
void futex_reread(struct world *w);

/** futex_claims() - are there any of owners that are gone */
bool futex_claims(const struct world *w);

/** futex_more() - see if one of the tasks from index @first on is such an owner */
void futex_more(struct world *w, uint32_t first);

/**
 * futex_settle() - take back what does not hold
 * @settled: all who came were shown to futex_more()
 * @reason: for those that cannot be more than likely if not
 */
void futex_settle(struct world *w, bool settled, const char *reason);

#endif /* FUTEX_CLAIM_H */
