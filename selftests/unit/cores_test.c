// SPDX-License-Identifier: GPL-2.0
/* cores_test - deadlocks, their victims, and the circle that is told */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "worlds.h"

TEST(abba_is_a_core)
{
	EXPECT_CORES("1 2", "1>a 2>b a=2 b=1");
}

TEST(ordered_locks_are_none)
{
	EXPECT_CORES("", "1>a 2>a 3>b a=4 b=1");
}

TEST(ring_is_one_core)
{
	const unsigned int lengths[] = { 3, 13, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char *text = ring_of(lengths[i]);
		struct world *w = world_of(text);
		struct graph *g = graph_build(w);
		bool stuck[1000];
		struct cores *c;

		graph_reduce(g, true, stuck);
		c = graph_cores(g, stuck);
		ASSERT_EQ(1, c->nr);
		EXPECT_EQ(0, c->off[0]);
		EXPECT_EQ(lengths[i], c->off[1]);
		cores_free(c);
		graph_free(g);
		world_free(w);
		free(text);
	}
}

TEST(core_of_one_needs_an_edge_to_itself)
{
	EXPECT_CORES("1", "1>a a=1");
	EXPECT_CORES("", "1>a a=+");
}

TEST(two_cores_are_told_apart)
{
	EXPECT_CORES("1 2; 3 4", "1>a 2>b 3>c 4>d a=2 b=1 c=4 d=3");
}

TEST(core_that_waits_for_another_is_a_core)
{
	EXPECT_CORES("1 2; 3 4", "1>a&e 2>b 3>c 4>d a=2 b=1 c=4 d=3 e=3");
}

TEST(task_behind_a_core_is_a_victim)
{
	EXPECT_CORES("1 2", "1>a 2>b 3>a 4>c a=2 b=1 c=3");
	EXPECT_OF("3 4", say_victims, "1>a 2>b 3>a 4>c a=2 b=1 c=3", "1 2");
}

TEST(task_that_can_run_is_no_victim)
{
	EXPECT_OF("", say_victims, "1>a 2>b 3>a~ 4>a|e a=2 b=1 e=5", "1 2");
}

TEST(task_behind_another_core_is_no_victim_of_this_one)
{
	EXPECT_OF("6", say_victims, "1>a 2>b 3>c 4>d 5>a 6>c a=2 b=1 c=4 d=3", "3 4");
}

TEST(waiter_for_two_that_are_stuck_is_a_victim_of_both)
{
	EXPECT_OF("5", say_victims, "1>a 2>b 3>c 4>d 5>a&c a=2 b=1 c=4 d=3", "1 2");
	EXPECT_OF("5", say_victims, "1>a 2>b 3>c 4>d 5>a&c a=2 b=1 c=4 d=3", "3 4");
}

TEST(any_wait_with_one_way_out_is_no_core)
{
	EXPECT_CORES("", "1>a|b 2>c a=2 b=3 c=1");
}

TEST(any_wait_with_none_is_in_the_core)
{
	EXPECT_CORES("1 2 3", "1>a|b 2>c 3>d a=2 b=3 c=1 d=1");
}

TEST(readers_both_stuck_are_in_the_core)
{
	/* 1 wants to write; 2 and 3 hold for reading and wait for 1. */
	EXPECT_CORES("1 2 3", "1>r2&r3 2>a 3>a r2=2 r3=3 a=1");
}

TEST(reader_that_runs_leaves_the_other_in_the_core)
{
	EXPECT_CORES("1 2", "1>r2&r3 2>a 3 r2=2 r3=3 a=1");
	EXPECT_CORES("", "1>r2&r3 2 3 r2=2 r3=3 a=1");
}

/* As flock: all who share the open file description can unlock it. */
TEST(every_sharer_must_be_stuck)
{
	EXPECT_CORES("1 2 3", "1>a 2>b 3>b a=2,3 b=1");
	EXPECT_CORES("", "1>a 2>b 3 a=2,3 b=1");
}

TEST(threads_of_a_process_are_releasers)
{
	struct world *w = world_of("1>a 2>b a=2");
	uint32_t b = resource_of(w, "b") - w->resources;

	world_add_task(w, 11, 1);
	world_add_process_releasers(w, b, 1);
	EXPECT_SAYS("", say_cores(w));

	world_block_on(w, world_add_wait(w, world_find_task(w, 11), GL_KIND_PIPE_R), b);
	EXPECT_SAYS("1 2 11", say_cores(w));
	world_free(w);
}

/*
 * Two shells' worth of flock(1): 1 and 4 are the callers, 2 and 5 their shells,
 * 3 and 6 wait for the other's file. All three of a family share the file.
 */
TEST(two_families_that_wait_through_children_are_one_core)
{
	EXPECT_CORES("1 2 3 4 5 6", "1>c2 2>c3 3>f2 4>c5 5>c6 6>f1 c2=2 c3=3 c5=5 c6=6 "
				    "f1=1,2,3 f2=4,5,6");
}

TEST(two_families_are_free_if_one_sharer_runs)
{
	EXPECT_CORES("", "1>c2 2>c3 3>f2 4 5>c6 6>f1 c2=2 c3=3 c5=5 c6=6 f1=1,2,3 f2=4,5,6");
}

TEST(dead_owner_makes_victims_but_no_core)
{
	EXPECT_CORES("", "1>a 2>b 3>b a=+ b=1");
}

TEST(circle_held_by_the_dead_alone_is_no_core)
{
	/* 1 would go on as soon as either a or b came; only the dead a stops it. */
	EXPECT_CORES("", "1>a|b 2>c a=+ b=2 c=1");
	EXPECT_CORES("1 2", "1>a&b 2>c a=+ b=2 c=1");
}

TEST(core_inside_a_component_is_isolated)
{
	/*
	 * 1 and 2 deadlock. 3 waits for 1, and 1 also for what 3 could give: one
	 * strongly connected component, and all of it stays stuck by itself.
	 */
	EXPECT_CORES("1 2 3", "1>a&d 2>b 3>c a=2 b=1 c=1 d=3");
	/*
	 * Here 3 waits for any of 1 and 4, and 4 is stuck only behind 5 and 6:
	 * with help from outside 3 could run, so it belongs to no deadlock, and
	 * 1 and 2 are one without it.
	 */
	EXPECT_CORES("1 2; 5 6", "1>a&d 2>b 3>c|e 4>f 5>g 6>h a=2 b=1 c=1 d=3 e=4 f=5 g=6 h=5");
}

TEST(component_that_help_from_outside_dissolves_is_none)
{
	/* 1 and 2 wait for each other, but 3 could free 1; 3 is behind 4 and 5. */
	EXPECT_CORES("4 5", "1>a|c 2>b 3>d 4>e 5>f a=2 b=1 c=3 d=4 e=5 f=4");
	EXPECT_OF("1 2 3", say_victims, "1>a|c 2>b 3>d 4>e 5>f a=2 b=1 c=3 d=4 e=5 f=4", "4 5");
}

TEST(edge_that_outside_can_cut_does_not_connect)
{
	/* 1 and 2 hold themselves; between them only what 3, stuck by 4, could cut. */
	EXPECT_CORES("1; 2; 4", "1>a&c 2>b&d 3>e 4>f a=1 b=2 c=2,3 d=1,3 e=4 f=4");
	EXPECT_CORES("1 2; 4", "1>a&c 2>b&d 3>e 4>f a=1 b=2 c=2 d=1 e=4 f=4");
}

TEST(members_and_cores_ascend_whatever_the_order_of_search)
{
	EXPECT_CORES("9 2 5; 7 1", "9 7 2>b 5>c 9>a 1>e 7>d a=2 b=5 c=9 d=1 e=7");
}

TEST(circle_goes_round_the_ring)
{
	EXPECT_OF("1>2>3", say_circle, "1>a 2>b 3>c a=2 b=3 c=1", "1 2 3");
	EXPECT_OF("1>3>2", say_circle, "1>a 2>b 3>c a=3 b=1 c=2", "1 2 3");
}

TEST(circle_of_one_is_told)
{
	EXPECT_OF("1", say_circle, "1>a a=1", "1");
}

TEST(circle_starts_where_asked)
{
	EXPECT_OF("2>3>1", say_circle, "1>a 2>b 3>c a=2 b=3 c=1", "2 3 1");
}

TEST(circle_takes_no_short_cut)
{
	EXPECT_OF("1>2>3", say_circle, "1>a 2>b&d 3>c a=2 b=3 c=1 d=1", "1 2 3");
}

TEST(circle_leaves_out_who_only_leads_to_it)
{
	/* From 1 on: 2, 3, and 3 waits for 2 alone. */
	EXPECT_OF("2>3", say_circle, "1>a 2>b&e 3>c a=2 b=3 e=1 c=2", "1 2 3");
}

TEST(set_that_is_not_stuck_has_no_circle)
{
	EXPECT_OF("", say_circle, "1>a 2>b 3 a=2 b=3", "1 2");
	EXPECT_OF("", say_circle, "1>a 2>b a=2 b=1", "1");
}

TEST_HARNESS_MAIN
