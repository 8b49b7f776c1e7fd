// SPDX-License-Identifier: GPL-2.0
/* detect_test - deadlock, transient-cycle and orphaned-lock, with their verdicts */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "worlds.h"

static struct world *abba(void)
{
	return world_of("1>a 2>b a=2 b=1");
}

TEST(abba_is_a_deadlock)
{
	EXPECT_FINDINGS("deadlock confirmed 1 2", "1>a 2>b a=2 b=1");
}

TEST(tasks_that_run_are_silent)
{
	EXPECT_FINDINGS("", "1 2 a=2 b=1");
}

TEST(queue_behind_a_deadlock_is_its_victims)
{
	EXPECT_FINDINGS("deadlock confirmed 1 2 behind 3 4", "3>a 4>c 1>a 2>b a=2 b=1 c=3");
}

TEST(members_of_another_core_are_no_victims)
{
	EXPECT_FINDINGS("deadlock confirmed 1 2; deadlock confirmed 3 4 behind 5",
			"1>a&e 2>b 3>c 4>d 5>c a=2 b=1 c=4 d=3 e=3");
}

TEST(order_is_by_first_tid_whatever_the_world_order)
{
	EXPECT_FINDINGS("deadlock confirmed 1 7; deadlock confirmed 2 5 9",
			"9 7 2>b 5>c 9>a 1>e 7>d a=2 b=5 c=9 d=1 e=7");
}

TEST(circle_is_told)
{
	struct world *w = world_of("3>c 1>a 2>b a=2 b=3 c=1");
	const struct limits limits = { 0 };
	struct findings found = { 0 };

	findings_detect(w, &limits, &found);
	ASSERT_EQ(1, found.nr);
	ASSERT_EQ(3, found.finding[0].nr_circle);
	for (uint32_t i = 0; i < 3; i++)
		EXPECT_EQ((pid_t)i + 1, w->tasks[found.finding[0].circle[i]].tid);
	EXPECT_EQ(NO_INDEX, found.finding[0].root);
	EXPECT_EQ(NULL, found.finding[0].reason);
	findings_free(&found);
	world_free(w);
}

TEST(inferred_edge_is_likely)
{
	struct world *w = abba();

	resource_of(w, "a")->evidence = EVIDENCE_READ;
	EXPECT_SAYS("deadlock confirmed 1 2", say_findings(w));
	resource_of(w, "a")->evidence = EVIDENCE_INFERRED;
	EXPECT_SAYS("deadlock likely 1 2", say_findings(w));
	world_free(w);
}

TEST(inferred_edge_out_of_the_core_does_not_matter)
{
	struct world *w = world_of("1>a&c&d 2>b 3>a a=2 b=1 c=9 d=3,9");

	resource_of(w, "c")->evidence = EVIDENCE_INFERRED;
	resource_of(w, "d")->evidence = EVIDENCE_INFERRED;
	EXPECT_SAYS("deadlock confirmed 1 2 behind 3", say_findings(w));
	world_free(w);
}

TEST(soft_edge_is_real_and_likely)
{
	struct world *w = abba();

	resource_of(w, "a")->soft = true;
	EXPECT_SAYS("deadlock likely 1 2", say_findings(w));
	world_free(w);
}

TEST(soft_edge_out_of_the_core_does_not_matter)
{
	struct world *w = world_of("1>a 2>b 3>c&a a=2 b=1 c=2");

	resource_of(w, "c")->soft = true;
	EXPECT_SAYS("deadlock confirmed 1 2 behind 3", say_findings(w));
	world_free(w);
}

TEST(cap_of_a_member_caps_the_verdict_and_gives_the_reason)
{
	struct world *w = abba();
	const struct limits limits = { 0 };
	struct findings found = { 0 };

	wait_of(w, 2)->cap = VERDICT_POSSIBLE;
	wait_of(w, 2)->cap_reason = "a guess";
	findings_detect(w, &limits, &found);
	ASSERT_EQ(1, found.nr);
	EXPECT_EQ(VERDICT_POSSIBLE, found.finding[0].verdict);
	EXPECT_STREQ("a guess", found.finding[0].reason);
	findings_free(&found);
	world_free(w);
}

TEST(cap_of_a_victim_does_not_matter)
{
	struct world *w = world_of("1>a 2>b 3>a a=2 b=1");

	wait_of(w, 3)->cap = VERDICT_POSSIBLE;
	EXPECT_SAYS("deadlock confirmed 1 2 behind 3", say_findings(w));
	world_free(w);
}

TEST(lowest_cap_wins)
{
	struct finding f = { .verdict = VERDICT_CONFIRMED };

	finding_cap(&f, VERDICT_LIKELY, "one");
	finding_cap(&f, VERDICT_CONFIRMED, "two");
	finding_cap(&f, VERDICT_LIKELY, "three");
	EXPECT_EQ(VERDICT_LIKELY, f.verdict);
	EXPECT_STREQ("one", f.reason);
}

TEST(unknown_timer_is_likely)
{
	EXPECT_FINDINGS("deadlock likely 1 2", "1>a~? 2>b a=2 b=1");
}

TEST(circle_with_a_timeout_is_transient)
{
	EXPECT_FINDINGS("transient-cycle confirmed 1 2 behind 3", "1>a~ 2>b 3>b a=2 b=1");
}

TEST(deadlock_is_not_also_transient)
{
	/* 3 and 4 close a circle with 1 only while 3's timer waits. */
	EXPECT_FINDINGS("deadlock confirmed 1 2; long-wait confirmed 3 to 2",
			"1>a&c 2>b 3>d~ a=2 b=1 c=3 d=1");
}

TEST(deadlock_beside_a_transient_cycle)
{
	EXPECT_FINDINGS("deadlock confirmed 3 4; transient-cycle confirmed 1 2",
			"1>a~ 2>b 3>c 4>d a=2 b=1 c=4 d=3");
}

TEST(dead_owner_is_an_orphaned_lock)
{
	EXPECT_FINDINGS("orphaned-lock confirmed 1 2 behind 3", "1>a 2>a 3>b a=+ b=1");
}

TEST(each_dead_lock_is_a_finding)
{
	EXPECT_FINDINGS("orphaned-lock confirmed 1; orphaned-lock confirmed 2", "2>b 1>a a=+ b=+");
}

TEST(dead_lock_nobody_waits_for_is_silent)
{
	EXPECT_FINDINGS("", "1 a=+");
}

TEST(exited_owner_is_an_orphaned_lock)
{
	EXPECT_FINDINGS("orphaned-lock confirmed 1", "1>a 2x a=2");
}

TEST(timed_wait_for_a_dead_lock_is_in_vain)
{
	EXPECT_FINDINGS("orphaned-lock confirmed 1; long-wait confirmed 2 to 1",
			"1>a~ 2>b a=+ b=1");
}

TEST(any_wait_with_a_way_past_the_dead_is_silent)
{
	struct world *w = world_of("1>a|b 2 a=+ b=2");

	wait_of(w, 1)->begin_ns = 0;
	EXPECT_SAYS("", say_findings(w));
	world_free(w);
	EXPECT_FINDINGS("orphaned-lock confirmed 1; orphaned-lock confirmed 1", "1>a|b a=+ b=+");
}

TEST(orphan_by_inference_is_likely)
{
	struct world *w = world_of("1>a a=+");

	resource_of(w, "a")->evidence = EVIDENCE_READ;
	EXPECT_SAYS("orphaned-lock confirmed 1", say_findings(w));
	resource_of(w, "a")->evidence = EVIDENCE_INFERRED;
	EXPECT_SAYS("orphaned-lock likely 1", say_findings(w));
	world_free(w);
}

TEST(orphan_is_capped_by_its_waiters)
{
	struct world *w = world_of("1>a 2>a a=+");

	wait_of(w, 2)->cap = VERDICT_LIKELY;
	EXPECT_SAYS("orphaned-lock likely 1 2", say_findings(w));
	world_free(w);
}

TEST(member_of_a_deadlock_is_told_there_only)
{
	EXPECT_FINDINGS("deadlock confirmed 1 2; orphaned-lock confirmed 3",
			"1>a&c 2>b 3>c a=2 b=1 c=+");
	EXPECT_FINDINGS("deadlock confirmed 1 2", "1>a&c 2>b a=2 b=1 c=+");
}

TEST(member_of_a_deadlock_is_no_victim_of_an_orphan)
{
	EXPECT_FINDINGS("deadlock confirmed 1 2; orphaned-lock confirmed 3",
			"1>a&d 2>b 3>c a=2 b=1 c=+ d=3");
}

TEST(suspended_waiter_is_silent)
{
	EXPECT_FINDINGS("", "1>a 1s 3>c 3s a=3 c=+");
	EXPECT_FINDINGS("long-wait confirmed 2 to 1", "1>a 1s 2>b a=2 b=1");
}

TEST_HARNESS_MAIN
