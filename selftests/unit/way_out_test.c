// SPDX-License-Identifier: GPL-2.0
/* way_out_test - whose end would free the most, on worlds written by hand */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "worlds.h"

TEST(of_two_alike_the_first)
{
	EXPECT_WAY_OUT("1 ends 1 frees 2", "1>a a=2 2>b b=1");
}

TEST(end_of_one_in_a_ring_frees_the_rest)
{
	EXPECT_WAY_OUT("1 ends 1 frees 2 3", "1>a a=2 2>b b=3 3>c c=1");
}

TEST(who_is_waited_for_twice_frees_more)
{
	/* 1 and 3 both wait for 2, which waits for both: without 2 both run. */
	EXPECT_WAY_OUT("2 ends 1 frees 1 3", "1>a a=2 2>b&c b=1 3>a c=3");
}

TEST(victims_freed_count)
{
	/* Either frees the other; only with 2 gone do 3 and 4, for whom a is free. */
	EXPECT_WAY_OUT("1 ends 1 frees 2 3 4", "1>a a=2 2>b b=1 3>a 4>a");
}

TEST(victims_of_another_deadlock_stay)
{
	EXPECT_WAY_OUT("1 ends 1 frees 2", "1>a a=2 2>b b=1 3>c&a c=4 4>d d=3");
}

TEST(any_of_two_waits_is_freed_by_one_end)
{
	EXPECT_WAY_OUT("1 ends 1 frees 2 3", "1>a a=2 2>b|c b=1 c=3 3>d d=2");
}

TEST(either_of_two_holders_frees_the_lock)
{
	EXPECT_WAY_OUT("1 ends 1 frees 2 3", "1>a a=2,3 2>b b=1 3>b");
}

TEST(process_ends_with_all_its_threads)
{
	struct world *w = world_of("1>a 2@1>c a=3 3>b&d b=1 d=2 c=3");

	EXPECT_SAYS("3 ends 1 frees 1 2", say_way_out(w));
	w->tasks[world_find_task(w, 3)].kthread = true;
	EXPECT_SAYS("1 ends 2 frees 3", say_way_out(w));
	world_free(w);
}

TEST(deadlock_inside_one_process_ends_with_it)
{
	EXPECT_WAY_OUT("1 ends 2 frees ", "1>a 2@1>b a=2 b=1");
}

TEST(deadlock_inside_one_process_frees_who_waits_for_its_end)
{
	EXPECT_WAY_OUT("1 ends 2 frees 3", "1>a 2@1>b a=2 b=1 3>c c=1,2");
}

/* The same two with a mutex in shared memory, which outlasts its owner. */
TEST(mutex_in_shared_memory_stays_locked)
{
	struct world *w = world_of("1>a a=2 2>b b=1");

	wait_of(w, 1)->kind = GL_KIND_FUTEX;
	wait_of(w, 2)->kind = GL_KIND_FUTEX;
	EXPECT_SAYS("none of 2", say_way_out(w));
	world_free(w);
}

TEST(of_a_mutex_and_a_file_lock_the_file_lock_is_freed)
{
	struct world *w = world_of("1>a a=2 2>b b=1");

	wait_of(w, 1)->kind = GL_KIND_FUTEX;
	EXPECT_SAYS("1 ends 1 frees 2", say_way_out(w));
	wait_of(w, 1)->kind = GL_KIND_FLOCK;
	wait_of(w, 2)->kind = GL_KIND_FUTEX;
	EXPECT_SAYS("2 ends 1 frees 1", say_way_out(w));
	world_free(w);
}

TEST(pi_mutex_is_handed_on)
{
	struct world *w = world_of("1>a a=2 2>b b=1");

	wait_of(w, 1)->kind = GL_KIND_FUTEX_PI;
	wait_of(w, 2)->kind = GL_KIND_FUTEX_PI;
	EXPECT_SAYS("1 ends 1 frees 2", say_way_out(w));
	world_free(w);
}

/* A task in a kernel lock cannot be killed, unless its sleep can be interrupted. */
TEST(uninterruptible_task_cannot_end)
{
	struct world *w = world_of("1>a a=2 2>b b=1");

	wait_of(w, 1)->kind = GL_KIND_MUTEX;
	EXPECT_SAYS("2 ends 1 frees 1", say_way_out(w));
	wait_of(w, 1)->interruptible = true;
	EXPECT_SAYS("1 ends 1 frees 2", say_way_out(w));
	wait_of(w, 1)->interruptible = false;
	wait_of(w, 2)->kind = GL_KIND_MUTEX;
	EXPECT_SAYS("none of 2", say_way_out(w));
	world_free(w);
}

TEST(kernel_thread_cannot_end)
{
	struct world *w = world_of("1>a a=2 2>b b=1");

	w->tasks[0].kthread = true;
	EXPECT_SAYS("2 ends 1 frees 1", say_way_out(w));
	world_free(w);
}

TEST(large_circle_is_tried_in_part)
{
	char *ring = ring_of(1000);
	struct world *w = world_of(ring);
	char *said = say_way_out(w);

	EXPECT_EQ(0, strncmp("1 ends 1 frees 2 3 4 ", said, 21));
	free(said);
	free(ring);
	world_free(w);
}

TEST_HARNESS_MAIN
