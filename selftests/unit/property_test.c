// SPDX-License-Identifier: GPL-2.0
/*
 * property_test - the reader's graph against the definitions, on many thousands
 * of small random worlds. A world that disagrees is printed.
 */
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

#include "finding.h"
#include "graph.h"
#include "kselftest_harness.h"
#include "oracle.h"
#include "way_out.h"
#include "world.h"

#define NR_PUZZLES	40000
#define BIT(i)		(1U << (i))

/* Against a hang only: a busy machine is slow. */
#define GUARD_SECS	300

static uint32_t mask_of(const uint32_t *task, uint32_t nr)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < nr; i++)
		mask |= BIT(task[i]);
	return mask;
}

static uint32_t marked(const bool *mark, uint32_t nr)
{
	uint32_t mask = 0;

	for (uint32_t i = 0; i < nr; i++)
		mask |= mark[i] ? BIT(i) : 0;
	return mask;
}

FIXTURE(puzzles)
{
	uint64_t seed;
	struct puzzle p;
	struct world *w;
	struct graph *g;
	bool stuck[ORACLE_MAX_TASKS];
};

FIXTURE_SETUP(puzzles)
{
	self->seed = 0x67726964;
}

FIXTURE_TEARDOWN(puzzles)
{
	EXPECT_EQ(0, __lsan_do_recoverable_leak_check());
}

static void next_puzzle(FIXTURE_DATA(puzzles) *self)
{
	self->p = puzzle_random(&self->seed);
	self->w = puzzle_world(&self->p);
	self->g = graph_build(self->w);
}

static void drop_puzzle(FIXTURE_DATA(puzzles) *self)
{
	graph_free(self->g);
	world_free(self->w);
}

TEST_F_TIMEOUT(puzzles, stuck_tasks_are_the_largest_set_that_can_stay_so, GUARD_SECS)
{
	uint32_t nr_stuck = 0;

	for (int i = 0; i < NR_PUZZLES; i++) {
		next_puzzle(self);
		for (int timers = 0; timers < 2; timers++) {
			uint32_t nr = graph_reduce(self->g, timers, self->stuck);
			uint32_t stuck = marked(self->stuck, self->p.nr_tasks);

			ASSERT_EQ(oracle_stuck(&self->p, timers), stuck)
				puzzle_print(&self->p);
			ASSERT_EQ(__builtin_popcount(stuck), nr);
			nr_stuck += stuck != 0;
		}
		drop_puzzle(self);
	}
	/* Both answers must have been asked for, often. */
	EXPECT_GT(nr_stuck, NR_PUZZLES / 4);
	EXPECT_LT(nr_stuck, 2 * NR_PUZZLES - NR_PUZZLES / 4);
}

TEST_F_TIMEOUT(puzzles, every_schedule_ends_with_the_stuck_tasks, GUARD_SECS)
{
	for (int i = 0; i < NR_PUZZLES; i++) {
		next_puzzle(self);
		for (int timers = 0; timers < 2; timers++) {
			uint32_t end;

			graph_reduce(self->g, timers, self->stuck);
			ASSERT_TRUE(oracle_schedules(&self->p, timers, &end))
				puzzle_print(&self->p);
			ASSERT_EQ(end, marked(self->stuck, self->p.nr_tasks))
				puzzle_print(&self->p);
		}
		drop_puzzle(self);
	}
}

/* Each task is a process of its own here. */
TEST_F_TIMEOUT(puzzles, way_out_frees_what_it_says_and_no_other_frees_more, GUARD_SECS)
{
	const struct limits limits = { .long_wait_ns = 1 };
	uint32_t nr_ways = 0, nr_none = 0;

	for (int i = 0; i < NR_PUZZLES; i++) {
		struct findings found = { 0 };

		next_puzzle(self);
		findings_detect(self->w, &limits, &found);
		for (uint32_t k = 0; k < found.nr; k++) {
			const struct finding *f = &found.finding[k];
			struct way_out *way;
			int most = 0;

			if (f->type != FINDING_DEADLOCK)
				continue;
			way = way_out_find(self->w, f, UINT64_MAX);
			for (uint32_t m = 0; m < f->nr_tasks; m++) {
				int nr = __builtin_popcount(oracle_freed(&self->p, f->tasks[m]));

				most = nr > most ? nr : most;
			}
			ASSERT_EQ(most, (int)way->nr_frees)
				puzzle_print(&self->p);
			if (most) {
				ASSERT_EQ(oracle_freed(&self->p, way->task),
					  mask_of(way->frees, way->nr_frees))
					puzzle_print(&self->p);
			} else if (f->nr_tasks > 1) {
				ASSERT_EQ(NO_INDEX, way->task);
			}
			nr_ways += most > 0;
			nr_none += !most && f->nr_tasks > 1;
			way_out_free(way);
		}
		findings_free(&found);
		drop_puzzle(self);
	}
	EXPECT_GT(nr_ways, NR_PUZZLES / 20);
	EXPECT_GT(nr_none, NR_PUZZLES / 200);
}

TEST_F_TIMEOUT(puzzles, cores_are_the_largest_connected_sets_that_stay, GUARD_SECS)
{
	uint32_t nr_cores = 0, nr_several = 0, nr_behind = 0;

	for (int i = 0; i < NR_PUZZLES; i++) {
		next_puzzle(self);
		for (int timers = 0; timers < 2; timers++) {
			uint32_t expected[1 << ORACLE_MAX_TASKS];
			uint32_t nr = oracle_cores(&self->p, timers, expected);
			uint32_t nr_stuck = graph_reduce(self->g, timers, self->stuck);
			struct cores *c = graph_cores(self->g, self->stuck);

			ASSERT_EQ(nr, c->nr)
				puzzle_print(&self->p);
			for (uint32_t k = 0; k < nr; k++)
				ASSERT_EQ(expected[k], mask_of(&c->task[c->off[k]],
							       c->off[k + 1] - c->off[k]))
					puzzle_print(&self->p);
			for (uint32_t k = 0; k < nr; k++)
				for (uint32_t m = c->off[k] + 1; m < c->off[k + 1]; m++)
					ASSERT_LT(c->task[m - 1], c->task[m]);
			nr_cores += nr > 0;
			nr_several += nr > 1;
			nr_behind += nr_stuck > c->off[nr];
			cores_free(c);
		}
		drop_puzzle(self);
	}
	EXPECT_GT(nr_cores, NR_PUZZLES / 10);
	EXPECT_GT(nr_several, NR_PUZZLES / 100);
	EXPECT_GT(nr_behind, NR_PUZZLES / 10);
}

TEST_F_TIMEOUT(puzzles, victims_are_those_with_a_path_into_the_core, GUARD_SECS)
{
	uint32_t nr_victims = 0;

	for (int i = 0; i < NR_PUZZLES; i++) {
		struct walk *walk;
		struct cores *c;

		next_puzzle(self);
		walk = walk_new(self->g);
		graph_reduce(self->g, true, self->stuck);
		c = graph_cores(self->g, self->stuck);
		for (uint32_t k = 0; k < c->nr; k++) {
			const uint32_t *core = &c->task[c->off[k]];
			uint32_t nr = c->off[k + 1] - c->off[k];
			uint32_t expected = oracle_victims(&self->p,
							   marked(self->stuck, self->p.nr_tasks),
							   mask_of(core, nr));
			uint32_t *victims, nr_found;

			nr_found = walk_victims(walk, self->stuck, core, nr, &victims);
			ASSERT_EQ(__builtin_popcount(expected), nr_found)
				puzzle_print(&self->p);
			ASSERT_EQ(expected, mask_of(victims, nr_found))
				puzzle_print(&self->p);
			nr_victims += expected != 0;
			free(victims);
		}
		walk_free(walk);
		cores_free(c);
		drop_puzzle(self);
	}
	EXPECT_GT(nr_victims, NR_PUZZLES / 100);
}

TEST_F_TIMEOUT(puzzles, circle_of_a_core_is_closed_and_inside, GUARD_SECS)
{
	for (int i = 0; i < NR_PUZZLES; i++) {
		uint32_t circle[ORACLE_MAX_TASKS];
		struct walk *walk;
		struct cores *c;

		next_puzzle(self);
		walk = walk_new(self->g);
		graph_reduce(self->g, true, self->stuck);
		c = graph_cores(self->g, self->stuck);
		for (uint32_t k = 0; k < c->nr; k++) {
			const uint32_t *core = &c->task[c->off[k]];
			uint32_t nr = c->off[k + 1] - c->off[k];
			uint32_t set = mask_of(core, nr);
			uint32_t len = walk_circle(walk, core, nr, circle);

			ASSERT_GT(len, nr > 1);
			ASSERT_EQ(len, __builtin_popcount(mask_of(circle, len)));
			ASSERT_EQ(0, mask_of(circle, len) & ~set);
			for (uint32_t m = 0; m < len; m++)
				ASSERT_TRUE(oracle_edge(&self->p, set, circle[m],
							circle[(m + 1) % len]))
					puzzle_print(&self->p);
		}
		walk_free(walk);
		cores_free(c);
		drop_puzzle(self);
	}
}

TEST_F_TIMEOUT(puzzles, set_has_a_circle_if_part_of_it_stays, GUARD_SECS)
{
	for (int i = 0; i < NR_PUZZLES; i++) {
		uint32_t circle[ORACLE_MAX_TASKS], all[ORACLE_MAX_TASKS];
		uint32_t cores[1 << ORACLE_MAX_TASKS];
		struct walk *walk;

		next_puzzle(self);
		walk = walk_new(self->g);
		for (uint32_t t = 0; t < self->p.nr_tasks; t++)
			all[t] = t;
		ASSERT_EQ(oracle_cores(&self->p, false, cores) > 0,
			  walk_circle(walk, all, self->p.nr_tasks, circle) > 0)
			puzzle_print(&self->p);
		walk_free(walk);
		drop_puzzle(self);
	}
}

/* The tasks of all findings of one type; counts them. */
static uint32_t found_tasks(const struct findings *found, enum finding_type type, uint32_t *nr_ret)
{
	uint32_t mask = 0;

	*nr_ret = 0;
	for (uint32_t i = 0; i < found->nr; i++) {
		if (found->finding[i].type != type)
			continue;
		(*nr_ret)++;
		mask |= mask_of(found->finding[i].tasks, found->finding[i].nr_tasks);
	}
	return mask;
}

TEST_F_TIMEOUT(puzzles, findings_are_the_cores_with_and_without_timers, GUARD_SECS)
{
	const struct limits limits = { .long_wait_ns = 1 };
	uint32_t nr_transient = 0;

	for (int i = 0; i < NR_PUZZLES; i++) {
		uint32_t sets[1 << ORACLE_MAX_TASKS];
		uint32_t nr_expected, nr, nr_other = 0, dead = 0, other = 0;
		struct findings found = { 0 };

		next_puzzle(self);
		findings_detect(self->w, &limits, &found);

		nr_expected = oracle_cores(&self->p, true, sets);
		for (uint32_t k = 0; k < nr_expected; k++)
			dead |= sets[k];
		ASSERT_EQ(dead, found_tasks(&found, FINDING_DEADLOCK, &nr))
			puzzle_print(&self->p);
		ASSERT_EQ(nr_expected, nr);

		nr_expected = oracle_cores(&self->p, false, sets);
		for (uint32_t k = 0; k < nr_expected; k++) {
			other |= sets[k] & dead ? 0 : sets[k];
			nr_other += !(sets[k] & dead);
		}
		ASSERT_EQ(other, found_tasks(&found, FINDING_TRANSIENT_CYCLE, &nr))
			puzzle_print(&self->p);
		ASSERT_EQ(nr_other, nr);
		nr_transient += nr;

		/* Whoever is stuck is in a finding, as a member or behind one. */
		bool told[ORACLE_MAX_TASKS] = { false };

		findings_mark(&found, NR_FINDING_TYPES, true, told);
		ASSERT_EQ(0, oracle_stuck(&self->p, true) & ~marked(told, self->p.nr_tasks))
			puzzle_print(&self->p);
		findings_free(&found);
		drop_puzzle(self);
	}
	EXPECT_GT(nr_transient, NR_PUZZLES / 100);
}

TEST_HARNESS_MAIN
