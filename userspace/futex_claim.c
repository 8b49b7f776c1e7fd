// SPDX-License-Identifier: GPL-2.0
/* futex_claim - who has a lock, or that it has no living owner (futex_claim.h) */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "futex_claim.h"
#include "futex_heir.h"
#include "proc.h"
#include "remote.h"
#include "resolve.h"
#include "world.h"
#include "xalloc.h"

/*
 * Reads of the words of all locks, so long after one another that whoever writes to
 * them gets a CPU in between, be it the only one.
 */
#define NR_READS	8
#define READ_EVERY_MS	4

/** struct claim - what is told of the owner of one lock */
struct claim {
	uint32_t resource;
	/** @tgid: the process whose memory @call and @guess are about */
	pid_t tgid;
	struct futex_call call;
	struct futex_guess guess;
	/** @denied: an owner may have come */
	bool denied;
};

/** struct futex_claims - those of one world */
struct futex_claims {
	struct claim *claim;
	uint32_t nr;
};

static void claims_free(struct futex_claims *claims)
{
	free(claims->claim);
	free(claims);
}

void futex_claim(struct world *w, uint32_t resource, pid_t tgid, const struct futex_call *call,
		 const struct futex_guess *guess)
{
	if (!w->claims) {
		w->claims = xcalloc(1, sizeof(*w->claims));
		w->claims_free = claims_free;
	}
	*vec_push(w->claims->claim, w->claims->nr) = (struct claim){
		.resource = resource, .tgid = tgid, .call = *call, .guess = *guess
	};
}

/* A number that is another one by now was that of somebody who let go. */
static bool still_says_so(struct world *w, const struct claim *claim)
{
	struct futex_guess now = futex_guess(w, claim->tgid, &claim->call);

	return futex_guess_same(&now, &claim->guess);
}

static void disown(struct world *w, const struct claim *claim)
{
	w->resources[claim->resource].dead = false;
	w->resources[claim->resource].unknown = true;
}

/* Those from @first on, as many as are read at one go. */
static void watch_some(struct world *w, uint32_t first)
{
	uint32_t left = w->claims->nr - first;
	uint32_t end = first + (left < REMOTE_AT_ONCE ? left : REMOTE_AT_ONCE);
	const struct claim *claim = w->claims->claim;
	bool late = world_too_late(w);

	remote_ahead_new(w->remote);
	for (uint32_t i = first; i < end && !late; i++)
		futex_guess_ahead(w, claim[i].tgid, &claim[i].call);
	remote_ahead_go(w->remote);
	for (uint32_t i = first; i < end; i++)
		if (late || !still_says_so(w, &claim[i]))
			disown(w, &claim[i]);
	remote_ahead_new(w->remote);
}

void futex_watch_words(struct world *w)
{
	for (int n = 0; w->claims && n < NR_READS; n++) {
		/* No nanosleep(2): asleep in that, the reader rests between two looks. */
		poll(NULL, 0, READ_EVERY_MS);
		for (uint32_t i = 0; i < w->claims->nr; i += REMOTE_AT_ONCE)
			watch_some(w, i);
	}
}

static void reread_some(struct world *w, uint32_t first)
{
	uint32_t left = w->claims->nr - first;
	uint32_t end = first + (left < REMOTE_AT_ONCE ? left : REMOTE_AT_ONCE);
	const struct claim *claim = w->claims->claim;

	remote_ahead_new(w->remote);
	for (uint32_t i = first; i < end; i++)
		futex_guess_ahead(w, claim[i].tgid, &claim[i].call);
	remote_ahead_go(w->remote);
	for (uint32_t i = first; i < end; i++) {
		struct futex_guess now = futex_guess(w, claim[i].tgid, &claim[i].call);

		if (!now.unread && !futex_guess_same(&now, &claim[i].guess))
			w->resources[claim[i].resource].rewritten = true;
	}
	remote_ahead_new(w->remote);
}

void futex_reread(struct world *w)
{
	for (uint32_t i = 0; w->claims && i < w->claims->nr && !world_too_late(w);
	     i += REMOTE_AT_ONCE)
		reread_some(w, i);
}

static bool is_gone(const struct world *w, const struct claim *claim)
{
	return w->resources[claim->resource].dead;
}

bool futex_claims(const struct world *w)
{
	for (uint32_t i = 0; w->claims && i < w->claims->nr; i++)
		if (is_gone(w, &w->claims->claim[i]))
			return true;
	return false;
}

void futex_more(struct world *w, uint32_t first)
{
	for (uint32_t t = first; w->claims && t < w->nr_tasks; t++) {
		struct proc_ids ids;
		int err;

		if (w->tasks[t].kthread || w->tasks[t].exiting)
			continue;
		err = proc_ids(w->tasks[t].tgid, w->tasks[t].tid, &ids);
		if (err == -ENOENT || err == -ESRCH)
			continue;
		for (uint32_t i = 0; i < w->claims->nr; i++)
			w->claims->claim[i].denied |=
				err || ids.ns_tid == w->claims->claim[i].guess.number;
	}
}

void futex_settle(struct world *w, bool settled, const char *reason)
{
	for (uint32_t i = 0; w->claims && i < w->claims->nr; i++) {
		const struct claim *claim = &w->claims->claim[i];
		struct resource *r = &w->resources[claim->resource];

		if (!r->dead)
			continue;
		if (claim->denied || !still_says_so(w, claim)) {
			disown(w, claim);
			continue;
		}
		if (!settled)
			world_cap_waiters(w, claim->resource, VERDICT_LIKELY, reason);
		if (futex_has_heir(w, claim->tgid, claim->guess.addr, claim->resource))
			world_cap_waiters(w, claim->resource, VERDICT_LIKELY,
					  "a process may have inherited the lock when it was forked");
	}
}
