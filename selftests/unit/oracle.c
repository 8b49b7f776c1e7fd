// SPDX-License-Identifier: GPL-2.0
/* oracle - the definitions, word by word, for small worlds (oracle.h) */
#include <stdio.h>
#include <string.h>

#include "oracle.h"
#include "world.h"

#define BIT(i)	(1U << (i))

/* xorshift64* (Vigna, 2016) */
static uint32_t random_below(uint64_t *seed, uint32_t bound)
{
	*seed ^= *seed >> 12;
	*seed ^= *seed << 25;
	*seed ^= *seed >> 27;
	return (uint32_t)((*seed * 0x2545f4914f6cdd1dULL) >> 33) % bound;
}

static bool one_in(uint64_t *seed, uint32_t bound)
{
	return !random_below(seed, bound);
}

/* One or more bits below @bound; one in most cases. */
static uint32_t random_set(uint64_t *seed, uint32_t bound)
{
	uint32_t set = BIT(random_below(seed, bound));

	while (one_in(seed, 3))
		set |= BIT(random_below(seed, bound));
	return set;
}

struct puzzle puzzle_random(uint64_t *seed)
{
	struct puzzle p = { 0 };

	p.nr_tasks = 1 + random_below(seed, ORACLE_MAX_TASKS);
	p.nr_resources = 1 + random_below(seed, ORACLE_MAX_RESOURCES);
	for (uint32_t t = 0; t < p.nr_tasks; t++) {
		p.waiting |= one_in(seed, 9) ? 0 : BIT(t);
		p.any |= one_in(seed, 3) ? BIT(t) : 0;
		p.timed |= one_in(seed, 9) ? BIT(t) : 0;
		p.unknown_releaser |= one_in(seed, 12) ? BIT(t) : 0;
		p.exiting |= one_in(seed, 15) ? BIT(t) : 0;
		p.suspended |= one_in(seed, 20) ? BIT(t) : 0;
		p.lasting |= one_in(seed, 4) ? BIT(t) : 0;
		p.need[t] = one_in(seed, 20) ? 0 : random_set(seed, p.nr_resources);
	}
	for (uint32_t r = 0; r < p.nr_resources; r++) {
		p.unknown |= one_in(seed, 15) ? BIT(r) : 0;
		p.dead |= one_in(seed, 12) ? BIT(r) : 0;
		p.by[r] = one_in(seed, 20) ? 0 : random_set(seed, p.nr_tasks);
	}
	return p;
}

struct world *puzzle_world(const struct puzzle *p)
{
	struct world *w = world_new(NULL, NULL);
	char key[16];
	bool is_new;

	for (uint32_t t = 0; t < p->nr_tasks; t++) {
		struct task *task = world_add_task(w, t + 1, t + 1);

		task->exiting = p->exiting & BIT(t);
		task->suspended = p->suspended & BIT(t) ? "stopped" : NULL;
	}
	for (uint32_t r = 0; r < p->nr_resources; r++) {
		snprintf(key, sizeof(key), "r%u", r);
		world_resource(w, key, &is_new);
		w->resources[r].evidence = EVIDENCE_RECORDED;
		w->resources[r].unknown = p->unknown & BIT(r);
		w->resources[r].dead = p->dead & BIT(r);
		for (uint32_t t = 0; t < p->nr_tasks; t++)
			if (p->by[r] & BIT(t))
				world_add_releaser(w, r, t);
	}
	for (uint32_t t = 0; t < p->nr_tasks; t++) {
		struct wait *wait;

		if (!(p->waiting & BIT(t)))
			continue;
		wait = world_add_wait(w, t, p->lasting & BIT(t) ? GL_KIND_FUTEX : GL_KIND_FLOCK);
		wait->needs = p->any & BIT(t) ? NEEDS_ANY : NEEDS_ALL;
		wait->timed = p->timed & BIT(t) ? TIMED_YES : TIMED_NO;
		wait->unknown_releaser = p->unknown_releaser & BIT(t);
		for (uint32_t r = 0; r < p->nr_resources; r++)
			if (p->need[t] & BIT(r))
				world_block_on(w, wait, r);
	}
	return w;
}

void puzzle_print(const struct puzzle *p)
{
	printf("# waiting %#x any %#x timed %#x unknown %#x exiting %#x suspended %#x lasting %#x\n",
	       p->waiting, p->any, p->timed, p->unknown_releaser, p->exiting, p->suspended,
	       p->lasting);
	for (uint32_t t = 0; t < p->nr_tasks; t++)
		printf("# task %u needs %#x\n", t, p->need[t]);
	printf("# resources: unknown %#x dead %#x\n", p->unknown, p->dead);
	for (uint32_t r = 0; r < p->nr_resources; r++)
		printf("# resource %u by %#x\n", r, p->by[r]);
}

/* Nobody living can release it, now or ever. */
static bool is_dead(const struct puzzle *p, uint32_t r)
{
	if (p->dead & BIT(r))
		return true;
	return !(p->unknown & BIT(r)) && p->by[r] && !(p->by[r] & ~p->exiting);
}

/* Is the resource held if just the tasks of @set do not run? */
static bool is_held(const struct puzzle *p, uint32_t set, uint32_t r, bool dead_holds)
{
	uint32_t living = p->by[r] & ~p->exiting;

	if (is_dead(p, r))
		return dead_holds;
	return !(p->unknown & BIT(r)) && living && !(living & ~set);
}

/* Does the task stay where it is if just the tasks of @set do not run? */
static bool is_held_up(const struct puzzle *p, uint32_t set, uint32_t t, bool timers_run,
		       bool dead_holds)
{
	uint32_t held = 0;

	if (!(p->waiting & BIT(t)) || (p->exiting | p->suspended) & BIT(t))
		return false;
	if (timers_run && p->timed & BIT(t))
		return false;
	for (uint32_t r = 0; r < p->nr_resources; r++)
		if (p->need[t] & BIT(r) && is_held(p, set, r, dead_holds))
			held |= BIT(r);
	if (!(p->any & BIT(t)))
		return held;
	return held && held == p->need[t] && !(p->unknown_releaser & BIT(t));
}

/* With everybody outside @set able to run, does all of it stay where it is? */
static bool stays(const struct puzzle *p, uint32_t set, bool timers_run, bool dead_holds)
{
	for (uint32_t t = 0; t < p->nr_tasks; t++)
		if (set & BIT(t) && !is_held_up(p, set, t, timers_run, dead_holds))
			return false;
	return true;
}

uint32_t oracle_stuck(const struct puzzle *p, bool timers_run)
{
	uint32_t stuck = 0;

	for (uint32_t set = 1; set < BIT(p->nr_tasks); set++)
		if (stays(p, set, timers_run, true))
			stuck |= set;
	return stuck;
}

/* Follow every order from @asleep on; @seen: the sets that were followed already. */
static void follow(const struct puzzle *p, bool timers_run, uint32_t asleep, bool *seen,
		   uint32_t *ends, uint32_t *nr_ends)
{
	bool last = true;

	if (seen[asleep])
		return;
	seen[asleep] = true;
	for (uint32_t t = 0; t < p->nr_tasks; t++) {
		if (!(asleep & BIT(t)) || is_held_up(p, asleep, t, timers_run, true))
			continue;
		last = false;
		follow(p, timers_run, asleep & ~BIT(t), seen, ends, nr_ends);
	}
	if (last)
		ends[(*nr_ends)++] = asleep;
}

bool oracle_schedules(const struct puzzle *p, bool timers_run, uint32_t *ret)
{
	uint32_t ends[1 << ORACLE_MAX_TASKS], nr_ends = 0;
	bool seen[1 << ORACLE_MAX_TASKS] = { false };

	follow(p, timers_run, BIT(p->nr_tasks) - 1, seen, ends, &nr_ends);
	*ret = ends[0];
	return nr_ends == 1;
}

uint32_t oracle_freed(const struct puzzle *p, uint32_t task)
{
	struct puzzle after = *p;

	after.waiting &= ~BIT(task);
	for (uint32_t t = 0; t < p->nr_tasks; t++) {
		/* What any of its waiters waits for as lasting, lasts for all. */
		for (uint32_t r = 0; p->waiting & p->lasting & BIT(t) && r < p->nr_resources; r++) {
			if (!(p->need[t] & BIT(r)) || !(after.by[r] & BIT(task)))
				continue;
			after.by[r] &= ~BIT(task);
			if (!after.by[r] && !(p->unknown & BIT(r)))
				after.dead |= BIT(r);
		}
	}
	return oracle_stuck(p, true) & ~oracle_stuck(&after, true) & ~BIT(task);
}

bool oracle_edge(const struct puzzle *p, uint32_t set, uint32_t from, uint32_t to)
{
	for (uint32_t r = 0; r < p->nr_resources; r++)
		if (p->need[from] & BIT(r) && is_held(p, set, r, false) &&
		    p->by[r] & ~p->exiting & BIT(to))
			return true;
	return false;
}

/* reach[i]: the tasks of @set that i leads to in one step or more (Warshall). */
static void close_paths(const struct puzzle *p, uint32_t set, uint32_t *reach)
{
	memset(reach, 0, ORACLE_MAX_TASKS * sizeof(*reach));
	for (uint32_t i = 0; i < p->nr_tasks; i++)
		for (uint32_t j = 0; j < p->nr_tasks; j++)
			if (set & BIT(i) && set & BIT(j) && oracle_edge(p, set, i, j))
				reach[i] |= BIT(j);
	for (uint32_t via = 0; via < p->nr_tasks; via++)
		for (uint32_t i = 0; i < p->nr_tasks; i++)
			if (reach[i] & BIT(via))
				reach[i] |= reach[via];
}

static bool is_connected(const struct puzzle *p, uint32_t set)
{
	uint32_t reach[ORACLE_MAX_TASKS];

	close_paths(p, set, reach);
	for (uint32_t t = 0; t < p->nr_tasks; t++)
		if (set & BIT(t) && reach[t] != set)
			return false;
	return true;
}

static uint32_t first_bit(uint32_t set)
{
	return set & -set;
}

/* Keep @set unless a larger one has it; drop the smaller ones that it has. */
static uint32_t keep_largest(uint32_t *sets, uint32_t nr, uint32_t set)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < nr; i++)
		if (!(set & ~sets[i]))
			return nr;
	for (uint32_t i = 0; i < nr; i++)
		if (sets[i] & ~set)
			sets[kept++] = sets[i];
	sets[kept++] = set;
	return kept;
}

uint32_t oracle_cores(const struct puzzle *p, bool timers_run, uint32_t *ret)
{
	uint32_t nr = 0;

	for (uint32_t set = 1; set < BIT(p->nr_tasks); set++)
		if (stays(p, set, timers_run, false) && is_connected(p, set))
			nr = keep_largest(ret, nr, set);
	for (uint32_t i = 0; i < nr; i++) {
		for (uint32_t k = i + 1; k < nr; k++) {
			uint32_t set = ret[k];

			if (first_bit(set) > first_bit(ret[i]))
				continue;
			ret[k] = ret[i];
			ret[i] = set;
		}
	}
	return nr;
}

uint32_t oracle_victims(const struct puzzle *p, uint32_t stuck, uint32_t set)
{
	uint32_t reach[ORACLE_MAX_TASKS], victims = 0;

	close_paths(p, stuck, reach);
	for (uint32_t t = 0; t < p->nr_tasks; t++)
		if (stuck & ~set & BIT(t) && reach[t] & set)
			victims |= BIT(t);
	return victims;
}
