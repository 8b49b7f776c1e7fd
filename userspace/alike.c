// SPDX-License-Identifier: GPL-2.0
/* alike - sleepers that wait for the same futex, in a crowd (alike.h) */
#include <stdlib.h>
#include <string.h>

#include "alike.h"
#include "resolve.h"
#include "snapshot.h"
#include "xalloc.h"

bool alike_told(const struct gl_wait_record *row)
{
	const uint32_t told = GL_WAIT_OFF_CPU | GL_WAIT_TIMED_KNOWN;
	/* Of who is requeued the row tells what it waited for before. */
	const uint32_t untold = GL_WAIT_TASK_GONE | GL_WAIT_REQUEUED;

	return (row->kind == GL_KIND_FUTEX || row->kind == GL_KIND_FUTEX_PI) &&
	       (row->flags & (told | untold)) == told;
}

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* The order in which they are looked at, as the time may run out. */
enum turn { TURN_RECORDED, TURN_FUTEX, TURN_UNRECORDED };

/* The kernel's own locks have a row that does not tell it all. */
static enum turn turn_of(const struct sleeper *s)
{
	if (!s->row)
		return TURN_UNRECORDED;
	return alike_told(s->row) ? TURN_FUTEX : TURN_RECORDED;
}

/* What is to be proven comes first; of the others, those that are alike lie together. */
static int compare_sleepers(const void *a, const void *b)
{
	const struct sleeper *x = a, *y = b;
	enum turn turn = turn_of(x);
	int order = (x->follows - y->follows) ?: compare_numbers(turn, turn_of(y));

	if (!order && turn == TURN_FUTEX)
		order = compare_numbers(x->row->tgid, y->row->tgid) ?:
			compare_numbers(x->row->res_addr, y->row->res_addr) ?:
			compare_numbers(x->row->kind, y->row->kind) ?:
			compare_numbers(x->row->futex_val, y->row->futex_val);
	return order ?: compare_numbers(x->task, y->task);
}

static bool is_like(const struct sleeper *a, const struct sleeper *b)
{
	return a->follows && b->follows && a->row && b->row && alike_told(a->row) &&
	       alike_told(b->row) &&
	       a->row->tgid == b->row->tgid && a->row->res_addr == b->row->res_addr &&
	       a->row->kind == b->row->kind && a->row->futex_val == b->row->futex_val;
}

uint32_t alike_find(struct sleeper *s, uint32_t nr)
{
	struct sleeper *last = xcalloc(nr, sizeof(*last));
	uint32_t kept = 0, nr_last = 0;

	qsort(s, nr, sizeof(*s), compare_sleepers);
	for (uint32_t i = 0; i < nr; i++) {
		if (kept && is_like(&s[kept - 1], &s[i])) {
			last[nr_last] = s[i];
			last[nr_last++].like = s[kept - 1].task;
		} else {
			s[kept++] = s[i];
		}
	}
	memcpy(&s[kept], last, nr_last * sizeof(*last));
	free(last);
	return kept;
}

/*
 * A wait with an end is no wait without one: timed is each one's own, and so is what the
 * kernel refused. Both are of one process: whose memory tells of the one tells of the other.
 */
static void copy_wait(struct world *w, const struct sleeper *s, struct wait from)
{
	struct wait *wait = world_add_wait(w, s->task, from.kind);

	wait_copy(wait, &from);
	wait->task = s->task;
	wait->timed = s->row->flags & GL_WAIT_TIMED ? TIMED_YES : TIMED_NO;
	wait->refused = false;
	wait->begin_ns = s->row->begin_ns;
	wait->gen = s->row->gen;
	for (uint32_t i = 0; i < from.nr_blockers; i++)
		world_block_on(w, wait, from.blockers[i]);
}

bool alike_follow(struct world *w, const struct sleeper *s)
{
	uint32_t index = w->tasks[s->like].wait;
	const struct wait *wait;

	if (index == NO_INDEX)
		return false;
	wait = &w->waits[index];
	/* Of another kind, or a wait that has changed: it does not tell of this one. */
	if (wait->kind != GL_KIND_FUTEX && wait->kind != GL_KIND_FUTEX_PI &&
	    wait->kind != GL_KIND_COND && wait->kind != GL_KIND_SEM)
		return false;
	/* What a word means that names the waiter is told apart elsewhere. */
	if (!wait->gen || world_is_releaser(w, wait, s->task))
		return false;
	copy_wait(w, s, *wait);
	return true;
}
