// SPDX-License-Identifier: GPL-2.0
/*
 * detect_priority - a task waits for a lock whose owner is less urgent, was
 * lent no priority, and does not run because a third task has its CPU that is
 * less urgent than the waiter, too.
 */
#include "finding.h"
#include "window.h"
#include "xalloc.h"

/** struct inversion - the three tasks, and since when */
struct inversion {
	uint32_t waiter;
	uint32_t owner;
	uint32_t middle;
	uint64_t since_ns;
};

/*
 * Who had @owner's CPU most of the time, if that is less urgent than @waiter; a
 * more urgent one would have its way whoever owned the lock.
 */
static uint32_t find_middle(const struct world *w, uint32_t waiter, uint32_t owner,
			    const struct runner_series *s)
{
	uint32_t middle = NO_INDEX;
	uint64_t most = 0;

	for (uint32_t i = 0; i < s->others.nr; i++) {
		uint32_t task = window_find(w, &s->others.other[i].task);

		if (s->others.other[i].amount <= most)
			continue;
		middle = task;
		most = s->others.other[i].amount;
	}
	if (middle == NO_INDEX || middle == waiter || middle == owner ||
	    w->tasks[middle].prio <= w->tasks[waiter].prio)
		return NO_INDEX;
	return middle;
}

static bool read_inversion(const struct world *w, uint32_t task, struct inversion *ret)
{
	const struct runner_series *off_cpu;
	const struct wait_series *waiting;
	const struct task *waiter = &w->tasks[task], *owner;

	if (waiter->wait == NO_INDEX)
		return false;
	ret->waiter = task;
	ret->owner = window_sure_holder(w, &w->waits[waiter->wait]);
	if (ret->owner == NO_INDEX)
		return false;
	owner = &w->tasks[ret->owner];
	if (owner->state != 'R' || waiter->prio >= owner->prio || owner->prio < owner->own_prio)
		return false;
	off_cpu = window_runner(w->window, w, ret->owner);
	waiting = window_wait(w->window, w, task);
	if (!off_cpu || off_cpu->nr_looks < 2 || !waiting || waiting->nr_looks < 2)
		return false;
	ret->middle = find_middle(w, task, ret->owner, off_cpu);
	/* As long as both: from then on the owner had it, did not run, and was waited for. */
	ret->since_ns = off_cpu->since_ns > waiting->since_ns ? off_cpu->since_ns :
								waiting->since_ns;
	return ret->middle != NO_INDEX;
}

static void add(const struct world *w, const struct inversion *in, struct findings *found)
{
	struct finding *f = findings_add(found, FINDING_PRIORITY_INVERSION);

	*vec_push(f->tasks, f->nr_tasks) = in->waiter;
	f->since_ns = in->since_ns;
	finding_add_role(f, "owner", in->owner);
	finding_add_role(f, "middle", in->middle);
	finding_add_fact(f, "waiter_priority", UNIT_COUNT, w->tasks[in->waiter].prio);
	finding_add_fact(f, "owner_priority", UNIT_COUNT, w->tasks[in->owner].prio);
	finding_add_fact(f, "middle_priority", UNIT_COUNT, w->tasks[in->middle].prio);
}

static void find(const struct world *w, const struct graph *g, const struct limits *limits,
		 struct findings *found)
{
	(void)g;
	for (uint32_t t = 0; w->window && t < w->nr_tasks; t++) {
		struct inversion in;

		if (read_inversion(w, t, &in) && w->taken_ns - in.since_ns >= limits->inversion_ns)
			add(w, &in, found);
	}
}

const struct detector detect_priority = {
	.name = "priority-inversion",
	.detect = find,
};
