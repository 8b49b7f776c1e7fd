// SPDX-License-Identifier: GPL-2.0
/* long_wait_test - who is at the root of waits that last, and when to be silent */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "worlds.h"

#define SECOND_NS 1000000000ULL

static uint32_t count(const struct world *w, uint64_t limit_ns, bool events_too)
{
	const struct limits limits = { .long_wait_ns = limit_ns, .events_too = events_too };
	struct findings found = { 0 };
	uint32_t nr;

	findings_detect(w, &limits, &found);
	nr = found.nr;
	findings_free(&found);
	return nr;
}

TEST(long_wait_names_the_owner)
{
	EXPECT_FINDINGS("long-wait confirmed 1 to 2", "1>a a=2");
}

TEST(short_wait_is_silent)
{
	struct world *w = world_of("1>a a=2");

	EXPECT_EQ(1, count(w, 20 * SECOND_NS - 1, false));
	EXPECT_EQ(1, count(w, 20 * SECOND_NS, false));
	EXPECT_EQ(0, count(w, 20 * SECOND_NS + 1, false));
	world_free(w);
}

TEST(wait_of_unknown_length_is_silent)
{
	struct world *w = world_of("1>a a=2");

	wait_of(w, 1)->begin_ns = 0;
	EXPECT_EQ(0, count(w, SECOND_NS, false));
	wait_of(w, 1)->begin_ns = WORLD_NOW_NS + 1;
	EXPECT_EQ(0, count(w, SECOND_NS, false));
	world_free(w);
}

TEST(unknown_owner_is_silent)
{
	EXPECT_FINDINGS("", "1>?");
	EXPECT_FINDINGS("", "1>a a=?");
	EXPECT_FINDINGS("", "1>a 2 a=2,?");
	EXPECT_FINDINGS("", "1>a a=");
}

TEST(waits_for_locks_only)
{
	const uint32_t locks[] = { GL_KIND_MUTEX, GL_KIND_RWSEM_R,  GL_KIND_RTMUTEX,
				   GL_KIND_FUTEX, GL_KIND_FUTEX_PI, GL_KIND_FLOCK,
				   GL_KIND_POSIX, GL_KIND_OFD,	    GL_KIND_LEASE };
	const uint32_t events[] = { GL_KIND_UNKNOWN, GL_KIND_SYSV_SEM, GL_KIND_SYSV_MSG,
				    GL_KIND_MQ,	     GL_KIND_PIPE_R,   GL_KIND_PIPE_W,
				    GL_KIND_UNIX,    GL_KIND_TCP,      GL_KIND_EVENTFD,
				    GL_KIND_POLL,    GL_KIND_CHILD,    GL_KIND_VFORK,
				    GL_KIND_JOIN,    GL_KIND_COND,     GL_KIND_SEM,
				    GL_KIND_PTRACE,  GL_KIND_USERFAULT };
	struct world *w = world_of("1>a a=2");

	for (size_t i = 0; i < ARRAY_SIZE(locks); i++) {
		wait_of(w, 1)->kind = locks[i];
		EXPECT_EQ(1, count(w, SECOND_NS, false));
	}
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		wait_of(w, 1)->kind = events[i];
		EXPECT_EQ(0, count(w, SECOND_NS, false));
		EXPECT_EQ(1, count(w, SECOND_NS, true));
	}
	world_free(w);
}

TEST(chain_is_one_finding_up_to_its_root)
{
	EXPECT_FINDINGS("long-wait confirmed 1 2 3 to 4", "3>c 2>b 1>a a=2 b=3 c=4");
}

TEST(chain_of_20_is_told_whole)
{
	char *text = chain_of(20);

	EXPECT_FINDINGS("long-wait confirmed 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 to 20",
			text);
	free(text);
}

TEST(root_is_reached_through_short_waits_and_events)
{
	struct world *w = world_of("1>a 2>b 3>c a=2 b=3 c=4");

	wait_of(w, 2)->begin_ns = WORLD_NOW_NS - SECOND_NS;
	wait_of(w, 3)->kind = GL_KIND_CHILD;
	EXPECT_SAYS("long-wait confirmed 1 to 4", say_findings(w));
	world_free(w);
}

TEST(waiters_of_one_owner_are_one_finding)
{
	EXPECT_FINDINGS("long-wait confirmed 1 2 3 to 4", "3>a 1>a 2>b a=4 b=4");
}

TEST(farthest_comes_first)
{
	EXPECT_FINDINGS("long-wait confirmed 5 1 2 to 4", "1>a 2>a 5>b a=4 b=1");
}

TEST(two_roots_are_two_findings)
{
	EXPECT_FINDINGS("long-wait confirmed 1 to 9; long-wait confirmed 2 to 8",
			"1>a 2>b a=9 b=8");
}

TEST(sharer_that_runs_is_the_root)
{
	/* flock(1) waits for the command that it started; both hold the file. */
	EXPECT_FINDINGS("long-wait confirmed 1 2 to 3", "1>a 2>c 3 a=2,3 c=3");
}

TEST(chain_ends_where_several_wait)
{
	EXPECT_FINDINGS("long-wait confirmed 1 to 2; long-wait confirmed 2 to 4; "
			"long-wait confirmed 3 to 5",
			"1>a 2>b 3>c a=2,3 b=4 c=5");
}

TEST(chain_into_a_deadlock_ends)
{
	/* Timed, so no victims: they will give up. 4 waits for itself. */
	EXPECT_FINDINGS("deadlock confirmed 4; long-wait confirmed 1 2 to 4",
			"1>a~ 2>b~ 4>c a=2 b=4 c=4");
	EXPECT_FINDINGS("deadlock confirmed 3 4; long-wait confirmed 1 2 to 4",
			"1>a~ 2>b~ 3>c 4>d a=2 b=3 c=4 d=3");
}

TEST(wait_with_an_unknown_way_out_ends_its_chain)
{
	EXPECT_FINDINGS("long-wait confirmed 1 to 2", "1>a 2>b|? a=2 b=3");
	EXPECT_FINDINGS("long-wait confirmed 1 to 2", "1>a 2>b|c a=2 b=1 c=?");
	EXPECT_FINDINGS("long-wait confirmed 1 2 to 3", "1>a 2>b&c a=2 b=3 c=?");
}

TEST(tasks_of_other_findings_are_left_out)
{
	EXPECT_FINDINGS("deadlock confirmed 1 2 behind 3; long-wait confirmed 4 to 5",
			"1>a 2>b 3>a 4>c a=2 b=1 c=5");
	EXPECT_FINDINGS("orphaned-lock confirmed 1 behind 2", "1>a 2>b a=+ b=1");
	EXPECT_FINDINGS("transient-cycle confirmed 1 2 behind 3", "1>a~ 2>b 3>b a=2 b=1");
}

TEST(suspended_waiter_is_silent)
{
	EXPECT_FINDINGS("", "1>a 1s a=2");
}

TEST(inferred_owner_is_likely)
{
	struct world *w = world_of("1>a a=2");

	resource_of(w, "a")->evidence = EVIDENCE_INFERRED;
	EXPECT_SAYS("long-wait likely 1 to 2", say_findings(w));
	resource_of(w, "a")->evidence = EVIDENCE_READ;
	wait_of(w, 1)->cap = VERDICT_POSSIBLE;
	EXPECT_SAYS("long-wait possible 1 to 2", say_findings(w));
	world_free(w);
}

TEST_HARNESS_MAIN
