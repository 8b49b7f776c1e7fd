// SPDX-License-Identifier: GPL-2.0
/* reduce_test - which tasks never run; each claim with its silent twin */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "worlds.h"

TEST(abba_is_stuck)
{
	EXPECT_STUCK("1 2", "1>a 2>b a=2 b=1");
}

TEST(half_of_abba_is_not)
{
	EXPECT_STUCK("", "1>a 2 a=2 b=1");
}

TEST(self_deadlock_is_stuck)
{
	EXPECT_STUCK("1", "1>a a=1");
	EXPECT_STUCK("", "1>a a=2");
}

TEST(all_wait_is_stuck_by_one_member)
{
	EXPECT_STUCK("1 2", "1>a&b 2>c a=2 b=3 c=1");
	EXPECT_STUCK("", "1>a&b 2>c a=2 b=3 c=3");
}

TEST(all_wait_needs_the_last_member_too)
{
	EXPECT_STUCK("1 2", "1>a&b 2>c a=3 b=2 c=1");
}

TEST(any_wait_has_a_way_out)
{
	EXPECT_STUCK("", "1>a|b 2>c a=2 b=3 c=1");
}

TEST(any_wait_is_stuck_when_both_are)
{
	EXPECT_STUCK("1 2 3", "1>a|b 2>c 3>d a=2 b=3 c=1 d=1");
}

TEST(resource_is_released_by_any_releaser)
{
	EXPECT_STUCK("1 2", "1>a 2>b a=2,1 b=1,2");
	EXPECT_STUCK("", "1>a 2>b a=2,3 b=1,2");
}

TEST(unknown_releaser_can_run)
{
	EXPECT_STUCK("1 2", "1>a 2>b a=2 b=1");
	EXPECT_STUCK("", "1>a 2>b a=2,? b=1");
}

TEST(wait_of_which_nothing_is_known_can_end)
{
	EXPECT_STUCK("", "1>? 2>b b=1");
	EXPECT_STUCK("", "1> 2>b b=1");
}

TEST(known_stuck_member_outweighs_an_unknown_one)
{
	EXPECT_STUCK("1 2", "1>a&? 2>b a=2 b=1");
	EXPECT_STUCK("", "1>a&? 2>b a=2 b=3");
}

TEST(unknown_releaser_frees_an_any_wait)
{
	EXPECT_STUCK("1 2", "1>a|a 2>b a=2 b=1");
	EXPECT_STUCK("", "1>a|? 2>b a=2 b=1");
}

TEST(resource_nobody_was_found_for_is_open)
{
	EXPECT_STUCK("", "1>a a=");
	EXPECT_STUCK("1", "1>a a=+");
}

TEST(dead_owner_never_releases)
{
	EXPECT_STUCK("1 2 3", "1>a 2>b 3>b a=+ b=1");
	EXPECT_STUCK("", "1>a 2>b 3>b a=4 b=1");
}

TEST(dead_is_stronger_than_any_releaser)
{
	EXPECT_STUCK("1", "1>a 2 a=2,+");
	EXPECT_STUCK("1", "1>a a=?,+");
}

TEST(exiting_task_releases_nothing)
{
	EXPECT_STUCK("1", "1>a 2x a=2");
	EXPECT_STUCK("", "1>a 2x a=2,3");
}

TEST(exiting_task_is_not_stuck_itself)
{
	EXPECT_STUCK("1", "1>a 2>b 2x a=2 b=1");
}

TEST(suspended_task_can_be_continued)
{
	EXPECT_STUCK("", "1>a 2>b 2s a=2 b=1");
}

TEST(timed_wait_can_run_when_timers_do)
{
	EXPECT_OF("", say_stuck, "1>a~ 2>b a=2 b=1", true);
	EXPECT_OF("1 2", say_stuck, "1>a~ 2>b a=2 b=1", false);
}

TEST(unknown_timer_counts_as_none)
{
	EXPECT_OF("1 2", say_stuck, "1>a~? 2>b a=2 b=1", true);
}

TEST(diamond_is_free)
{
	EXPECT_STUCK("", "1>a 2>a 3>b&c a=4 b=1 c=2");
	EXPECT_STUCK("1 2 3 4", "1>a 2>a 3>b&c 4>d a=4 b=1 c=2 d=3");
}

TEST(queue_of_200_behind_one_owner_is_free)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	for (int tid = 2; tid <= 201; tid++)
		fprintf(out, "%d>a ", tid);
	fputs("a=1", out);
	fclose(out);
	EXPECT_STUCK("", text);
	free(text);
}

TEST(ring_is_stuck_whatever_its_length)
{
	const unsigned int lengths[] = { 1, 2, 3, 13, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char *text = ring_of(lengths[i]);
		struct world *w = world_of(text);
		struct graph *g = graph_build(w);
		bool stuck[1000];

		EXPECT_EQ(lengths[i], graph_reduce(g, true, stuck));
		graph_free(g);
		world_free(w);
		free(text);
	}
}

TEST(chain_is_free_whatever_its_length)
{
	const unsigned int lengths[] = { 2, 20, 1000 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		char *text = chain_of(lengths[i]);

		EXPECT_STUCK("", text);
		free(text);
	}
}

TEST(number_of_stuck_is_returned)
{
	struct world *w = world_of("1>a 2>b 3>a 4>c a=2 b=1 c=5");
	struct graph *g = graph_build(w);
	bool stuck[5];

	EXPECT_EQ(3, graph_reduce(g, true, stuck));
	EXPECT_TRUE(stuck[0] && stuck[1] && stuck[2]);
	EXPECT_FALSE(stuck[3] || stuck[4]);
	graph_free(g);
	world_free(w);
}

TEST_HARNESS_MAIN
