// SPDX-License-Identifier: GPL-2.0
/* futex_claim - that a shared mutex has no living owner (futex_claim.h) */
#include <errno.h>
#include <stdlib.h>

#include "futex_claim.h"
#include "futex_heir.h"
#include "proc.h"
#include "world.h"
#include "xalloc.h"

/** struct claim - one mutex without an owner */
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

bool futex_claims(const struct world *w)
{
	return w->claims;
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

/* A number that is another one by now was that of somebody who let go. */
static bool still_says_so(struct world *w, const struct claim *claim)
{
	struct futex_guess now = futex_guess(w, claim->tgid, &claim->call);

	return futex_guess_same(&now, &claim->guess);
}

void futex_settle(struct world *w, bool settled, const char *reason)
{
	for (uint32_t i = 0; w->claims && i < w->claims->nr; i++) {
		const struct claim *claim = &w->claims->claim[i];
		struct resource *r = &w->resources[claim->resource];

		if (claim->denied || !still_says_so(w, claim)) {
			r->dead = false;
			r->unknown = true;
			continue;
		}
		if (!settled)
			world_cap_waiters(w, claim->resource, VERDICT_LIKELY, reason);
		if (futex_has_heir(w, claim->tgid, claim->guess.addr, claim->resource))
			world_cap_waiters(w, claim->resource, VERDICT_LIKELY,
					  "a process may have inherited the lock when it was forked");
	}
}
