// SPDX-License-Identifier: GPL-2.0
/* graph_test - a world's lookups, and the graph that is built from it */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "worlds.h"

static bool contains(const uint32_t *array, uint32_t from, uint32_t to, uint32_t value)
{
	for (uint32_t i = from; i < to; i++)
		if (array[i] == value)
			return true;
	return false;
}

TEST(task_is_found_by_tid)
{
	struct world *w = world_new(NULL, NULL);

	EXPECT_EQ(NO_INDEX, world_find_task(w, 7));
	for (pid_t tid = 1; tid <= 1000; tid++)
		world_add_task(w, tid * 3, 1);
	for (pid_t tid = 1; tid <= 1000; tid++) {
		EXPECT_EQ((uint32_t)tid - 1, world_find_task(w, tid * 3));
		EXPECT_EQ(NO_INDEX, world_find_task(w, tid * 3 + 1));
	}
	world_free(w);
}

TEST(new_task_is_in_no_wait)
{
	struct world *w = world_new(NULL, NULL);

	EXPECT_EQ(NO_INDEX, world_add_task(w, 1, 1)->wait);
	world_free(w);
}

TEST(reused_tid_finds_the_later_task)
{
	struct world *w = world_new(NULL, NULL);

	world_add_task(w, 5, 5);
	world_add_task(w, 6, 6);
	world_add_task(w, 5, 6);
	EXPECT_EQ(2, world_find_task(w, 5));
	EXPECT_EQ(1, world_find_task(w, 6));
	world_free(w);
}

TEST(process_lists_its_threads)
{
	struct world *w = world_new(NULL, NULL);
	const uint32_t *tasks;

	for (pid_t tid = 1; tid <= 300; tid++)
		world_add_task(w, tid, tid % 3);
	ASSERT_EQ(100, world_process(w, 2, &tasks));
	EXPECT_EQ(1, tasks[0]);
	EXPECT_EQ(298, tasks[99]);
	EXPECT_EQ(0, world_process(w, 3, &tasks));
	world_free(w);
}

TEST(resource_is_found_by_key)
{
	struct world *w = world_new(NULL, NULL);
	char key[16];
	bool is_new;

	for (uint32_t i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "key %u", i);
		EXPECT_EQ(i, world_resource(w, key, &is_new));
		EXPECT_TRUE(is_new);
	}
	EXPECT_EQ(567, world_resource(w, "key 567", &is_new));
	EXPECT_FALSE(is_new);
	EXPECT_EQ(1000, w->nr_resources);
	world_free(w);
}

TEST(releasers_are_ascending_and_once_each)
{
	struct world *w = world_of("1 2 3 a=3,1,3,2,1");

	ASSERT_EQ(3, w->resources[0].nr_releasers);
	for (uint32_t i = 0; i < 3; i++)
		EXPECT_EQ(i, w->resources[0].releasers[i]);
	world_free(w);
}

TEST(process_releasers_are_its_live_threads)
{
	struct world *w = world_of("1 a=?");

	world_add_task(w, 10, 10);
	world_add_task(w, 11, 10)->exiting = true;
	world_add_task(w, 12, 10);
	world_add_process_releasers(w, 0, 10);
	world_add_process_releasers(w, 0, 10);
	ASSERT_EQ(2, w->resources[0].nr_releasers);
	EXPECT_EQ(world_find_task(w, 10), w->resources[0].releasers[0]);
	EXPECT_EQ(world_find_task(w, 12), w->resources[0].releasers[1]);
	world_free(w);
}

TEST(blocker_counts_once)
{
	struct world *w = world_of("1>b&a&b a=2 b=2");
	struct graph *g = graph_build(w);

	EXPECT_EQ(2, wait_of(w, 1)->nr_blockers);
	EXPECT_EQ(2, g->need_off[1] - g->need_off[0]);
	graph_free(g);
	world_free(w);
}

TEST(blocker_named_twice_by_hand_counts_once)
{
	struct world *w = world_of("1>a&b a=2 b=2");
	struct graph *g;

	wait_of(w, 1)->blockers[1] = wait_of(w, 1)->blockers[0];
	g = graph_build(w);
	EXPECT_EQ(1, g->need_off[1] - g->need_off[0]);
	graph_free(g);
	world_free(w);
}

TEST(edges_run_both_ways)
{
	struct world *w = world_of("1>a&b 2>b 3 a=2,3 b=3 c=1");
	struct graph *g = graph_build(w);

	ASSERT_EQ(3, g->need_off[3]);
	ASSERT_EQ(3, g->wanted_off[3]);
	ASSERT_EQ(4, g->by_off[3]);
	ASSERT_EQ(4, g->frees_off[3]);
	for (uint32_t t = 0; t < 3; t++) {
		for (uint32_t r = 0; r < 3; r++) {
			EXPECT_EQ(contains(g->need, g->need_off[t], g->need_off[t + 1], r),
				  contains(g->wanted, g->wanted_off[r], g->wanted_off[r + 1], t));
			EXPECT_EQ(contains(g->frees, g->frees_off[t], g->frees_off[t + 1], r),
				  contains(g->by, g->by_off[r], g->by_off[r + 1], t));
		}
	}
	EXPECT_TRUE(contains(g->wanted, g->wanted_off[1], g->wanted_off[2], 1));
	EXPECT_TRUE(contains(g->frees, g->frees_off[0], g->frees_off[1], 2));
	graph_free(g);
	world_free(w);
}

TEST(waits_are_marked)
{
	struct world *w = world_of("1>a 2>a|b~ 3 4>a~? a=3 b=3");
	struct graph *g = graph_build(w);
	const bool waits[] = { true, true, false, true };
	const bool any[] = { false, true, false, false };
	const bool timed[] = { false, true, false, false };

	EXPECT_EQ(0, memcmp(waits, g->waits, sizeof(waits)));
	EXPECT_EQ(0, memcmp(any, g->any, sizeof(any)));
	EXPECT_EQ(0, memcmp(timed, g->timed, sizeof(timed)));
	graph_free(g);
	world_free(w);
}

TEST(resources_are_open_or_dead)
{
	struct world *w = world_of("1 2x a=1 b=? c= d=+ e=2 f=1,2 g=1,+ h=?,+");
	struct graph *g = graph_build(w);
	/*                       a      b      c      d      e      f      g      h */
	const bool open[] = { false, true, true, false, false, false, false, false };
	const bool dead[] = { false, false, false, true, true, false, true, true };

	EXPECT_EQ(0, memcmp(open, g->open, sizeof(open)));
	EXPECT_EQ(0, memcmp(dead, g->dead, sizeof(dead)));
	graph_free(g);
	world_free(w);
}

TEST(empty_world_is_an_empty_graph)
{
	EXPECT_STUCK("", "");
	EXPECT_CORES("", "");
	EXPECT_FINDINGS("", "");
}

TEST(names_are_those_of_the_output)
{
	EXPECT_STREQ("rwsem:R", kind_name(GL_KIND_RWSEM_R));
	EXPECT_STREQ("userfault", kind_name(GL_NR_KINDS - 1));
	EXPECT_STREQ("unknown", kind_name(GL_NR_KINDS));
	EXPECT_STREQ("recorded", evidence_name(EVIDENCE_RECORDED));
	EXPECT_STREQ("likely", verdict_name(VERDICT_LIKELY));
	EXPECT_STREQ("shared", mode_name(MODE_SHARED));
	EXPECT_STREQ("transient-cycle", finding_type_name(FINDING_TRANSIENT_CYCLE));
}

TEST_HARNESS_MAIN
