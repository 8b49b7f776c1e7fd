// SPDX-License-Identifier: GPL-2.0
/*
 * census_test - whether a thread slept from one record to the next, what is kept of
 * one that did, and that nothing is kept of one that ran.
 */
#define _GNU_SOURCE
#include <sched.h>

#include "array.h"
#include "known.h"
#include "looks.h"
#include "ran.h"
#include "resolve.h"

#define SLEEPS_DEEP	2
#define IDLES		0x402

/* --- two records ---------------------------------------------------------------------- */

static bool slept(struct census_record before, struct census_record after)
{
	return known_slept(&before, &after);
}

#define WITH(field, value) ({ struct census_record r = sleeper; r.field = (value); r; })

TEST(who_is_off_the_cpu_in_one_state_and_has_not_switched_slept)
{
	EXPECT_TRUE(slept(sleeper, sleeper));
	EXPECT_TRUE(slept(WITH(state, SLEEPS_DEEP), WITH(state, SLEEPS_DEEP)));
	EXPECT_TRUE(slept(WITH(state, IDLES), WITH(state, IDLES)));
}

TEST(what_others_change_of_a_sleeper_is_no_run)
{
	EXPECT_TRUE(slept(sleeper, WITH(prio, 100)));
	EXPECT_TRUE(slept(sleeper, WITH(static_prio, 100)));
	EXPECT_TRUE(slept(sleeper, WITH(policy, SCHED_BATCH)));
	EXPECT_TRUE(slept(sleeper, WITH(ppid, 2)));
	EXPECT_TRUE(slept(sleeper, WITH(comm[0], 'S')));
}

TEST(each_sign_of_a_run_is_one)
{
	EXPECT_FALSE(slept(sleeper, WITH(nr_switches, 8)));
	EXPECT_FALSE(slept(sleeper, WITH(run_ns, 10)));
	EXPECT_FALSE(slept(sleeper, WITH(on_cpu, 1)));
	EXPECT_FALSE(slept(WITH(on_cpu, 1), sleeper));
	EXPECT_FALSE(slept(WITH(state, 0), WITH(state, 0)));
	EXPECT_FALSE(slept(sleeper, WITH(state, 0)));
	EXPECT_FALSE(slept(sleeper, WITH(state, SLEEPS_DEEP)));
	EXPECT_FALSE(slept(sleeper, WITH(mm, 0)));
	EXPECT_FALSE(slept(sleeper, WITH(files, 0)));
}

TEST(each_sign_of_another_thread_is_one)
{
	EXPECT_FALSE(slept(sleeper, WITH(task, 0x1001)));
	EXPECT_FALSE(slept(sleeper, WITH(start_ns, 6)));
	EXPECT_FALSE(slept(sleeper, WITH(tid, 12)));
	EXPECT_FALSE(slept(sleeper, WITH(tgid, 12)));
}

/** struct urgency - as the kernel has it, and as /proc tells it */
struct urgency {
	int policy, prio, static_prio, rt_priority;
	int shown, own;
};

TEST(priorities_are_those_of_proc)
{
	static const struct urgency all[] = {
		{ SCHED_OTHER, 120, 120, 0, 20, 20 },	  { SCHED_OTHER, 115, 115, 0, 15, 15 },
		{ SCHED_OTHER, 139, 139, 0, 39, 39 },	  { SCHED_BATCH, 120, 120, 0, 20, 20 },
		{ SCHED_FIFO, 49, 120, 50, -51, -51 },	  { SCHED_RR, 98, 120, 1, -2, -2 },
		{ SCHED_OTHER, 49, 120, 0, -51, 20 },	  { SCHED_IDLE, 120, 120, 0, 60, 60 },
		{ SCHED_IDLE, 49, 120, 0, -51, 60 },
		{ SCHED_DEADLINE, -1, 120, 0, -101, -101 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct census_record record = sleeper;
		struct task t = { 0 };

		record.policy = all[i].policy;
		record.prio = all[i].prio;
		record.static_prio = all[i].static_prio;
		record.rt_priority = all[i].rt_priority;
		known_update(&record, &t);
		EXPECT_EQ(all[i].shown, t.prio) TH_LOG("row %zu", i);
		EXPECT_EQ(all[i].own, t.own_prio) TH_LOG("row %zu", i);
	}
}

TEST(name_and_parent_are_those_of_the_record_but_of_a_kernel_thread)
{
	struct task t = { .comm = "before", .ppid = 1 };
	struct task k = { .comm = "kworker/0:1-mm", .kthread = true };
	struct census_record record = WITH(ppid, 77);

	memset(record.comm, 'x', sizeof(record.comm));
	known_update(&record, &t);
	EXPECT_STREQ("xxxxxxxxxxxxxxx", t.comm);
	EXPECT_EQ(77, t.ppid);
	known_update(&record, &k);
	EXPECT_STREQ("kworker/0:1-mm", k.comm);
}

TEST(what_has_run_is_told_from_what_has_not)
{
	struct ran ran = { 0 };

	ran_end(&ran);
	EXPECT_TRUE(ran_not(&ran, 3));
	EXPECT_FALSE(ran_not(&ran, 0));
	for (uint64_t i = 9; i; i -= 3)
		ran_add(&ran, i);
	ran_add(&ran, 0);
	ran_end(&ran);
	for (uint64_t i = 1; i <= 9; i++)
		EXPECT_EQ(i % 3 != 0, ran_not(&ran, i));
	EXPECT_FALSE(ran_not(&ran, 0));
	ran_begin(&ran, true);
	ran_add(&ran, 4);
	ran_end(&ran);
	EXPECT_FALSE(ran_not(&ran, 3));
	EXPECT_FALSE(ran_not(&ran, 4));
	ran_begin(&ran, true);
	EXPECT_TRUE(ran_not(&ran, 3));
	EXPECT_FALSE(ran_not(&ran, 4));
	ran_begin(&ran, false);
	EXPECT_TRUE(ran_not(&ran, 4));
	ran_free(&ran);
}

TEST_F(looks, all_are_read_once_and_then_those_that_ran)
{
	EXPECT_STREQ("3 tasks, 0 kept", look(self));
	EXPECT_STREQ("3 tasks, 3 kept", look(self));
	told[1].nr_switches++;
	EXPECT_STREQ("3 tasks, 2 kept", look(self));
	EXPECT_STREQ("3 tasks, 3 kept", look(self));
	EXPECT_STREQ("not told", (nr_told = 0, look(self)));
	EXPECT_STREQ("3 tasks, 0 kept", (nr_told = 3, look(self)));
}

TEST_F(looks, what_is_kept_is_what_proc_said)
{
	const struct task *kept, *read;

	look(self);
	look(self);
	for (int i = 0; i < 3; i++) {
		kept = &self->w->tasks[i];
		read = &self->before->tasks[i];
		EXPECT_EQ(self->child[i], kept->tid);
		EXPECT_EQ(read->start_ticks, kept->start_ticks);
		EXPECT_EQ(read->stack_start, kept->stack_start);
		EXPECT_EQ(read->state, kept->state);
		EXPECT_EQ(NO_INDEX, kept->wait);
	}
}

TEST_F(looks, what_others_change_of_who_is_kept_is_that_of_the_record)
{
	look(self);
	EXPECT_STREQ("3 tasks, 3 kept", look(self));
	EXPECT_STREQ("sleeper", self->w->tasks[1].comm);
	strcpy(told[1].comm, "another");
	told[1].ppid = 77;
	for (int i = 0; i < 2; i++) {
		EXPECT_STREQ("3 tasks, 3 kept", look(self));
		EXPECT_STREQ("another", self->w->tasks[1].comm);
		EXPECT_EQ(77, self->w->tasks[1].ppid);
		EXPECT_STREQ("sleeper", self->w->tasks[2].comm);
	}
}

/* The kernel goes by number of the thread, /proc by number of the process. */
TEST_F(looks, order_is_that_of_proc)
{
	struct census_record last = told[2];

	told[2] = told[0];
	told[0] = last;
	look(self);
	look(self);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(self->child[i], self->w->tasks[i].tid);
}

TEST_F(looks, who_is_gone_is_no_task_and_who_comes_is_read)
{
	look(self);
	nr_told = 2;
	EXPECT_STREQ("2 tasks, 2 kept", look(self));
	nr_told = 3;
	EXPECT_STREQ("3 tasks, 2 kept", look(self));
}

TEST_F(looks, thread_with_the_number_of_another_is_read)
{
	look(self);
	told[2].task = 0x9999;
	EXPECT_STREQ("3 tasks, 2 kept", look(self));
	told[2].start_ns++;
	EXPECT_STREQ("3 tasks, 2 kept", look(self));
	EXPECT_STREQ("3 tasks, 3 kept", look(self));
}

/* A state that /proc did not see when the rest was read: frozen in between. */
TEST_F(looks, other_letter_than_the_state_is_read_again)
{
	for (int i = 0; i < 3; i++)
		told[i].state = SLEEPS_DEEP;
	look(self);
	EXPECT_STREQ("3 tasks, 0 kept", look(self));
}

static void keep_call(FIXTURE_DATA(looks) * self, uint32_t task, long nr)
{
	struct sleeper s = { .task = task, .nr = nr, .wchan = "do_nothing" };

	census_keep(self->w, &s, nr == 34);
}

TEST_F(looks, call_is_known_as_long_as_the_thread_sleeps)
{
	struct sleeper s = { .task = 1 };

	look(self);
	EXPECT_FALSE(census_knows(self->w, 1));
	keep_call(self, 1, 42);
	/* Not before another record tells that it slept on. */
	EXPECT_FALSE(census_knows(self->w, 1));
	look(self);
	EXPECT_FALSE(census_knows(self->w, 0));
	ASSERT_TRUE(census_recall(self->w, &s));
	EXPECT_EQ(42, s.nr);
	EXPECT_STREQ("do_nothing", s.wchan);
	EXPECT_EQ(1, s.task);
	told[1].nr_switches++;
	look(self);
	EXPECT_FALSE(census_knows(self->w, 1));
	look(self);
	EXPECT_FALSE(census_knows(self->w, 1));
}

TEST_F(looks, who_rests_does_so_as_long_as_it_sleeps)
{
	look(self);
	keep_call(self, 0, 34);
	keep_call(self, 1, 42);
	EXPECT_FALSE(census_rests(self->w, 0));
	look(self);
	EXPECT_TRUE(census_rests(self->w, 0));
	EXPECT_FALSE(census_rests(self->w, 1));
	told[0].nr_switches++;
	look(self);
	EXPECT_FALSE(census_rests(self->w, 0));
}

TEST_F(looks, past_is_there_while_the_whole_address_space_sleeps)
{
	uint32_t task;

	told[0].mm = told[1].mm;
	look(self);
	EXPECT_EQ(NULL, census_past(self->w, 0, &task));
	look(self);
	EXPECT_EQ(self->before, census_past(self->w, 0, &task));
	EXPECT_EQ(0, task);
	/* One thread of it runs, ends, or comes: nothing is known of any of them. */
	told[1].nr_switches++;
	look(self);
	EXPECT_EQ(NULL, census_past(self->w, 0, &task));
	EXPECT_EQ(self->before, census_past(self->w, 2, &task));
	look(self);
	EXPECT_EQ(self->before, census_past(self->w, 0, &task));
	told[1] = told[2];
	nr_told = 2;
	look(self);
	EXPECT_EQ(NULL, census_past(self->w, 0, &task));
	ASSERT_EQ(self->before, census_past(self->w, 1, &task));
	EXPECT_EQ(2, task);
	look(self);
	told[2] = told[0];
	told[2].tid = self->child[2] + 1;
	nr_told = 3;
	EXPECT_EQ(self->before, census_past(self->w, 0, &task));
	look(self);
	EXPECT_EQ(NULL, census_past(self->w, 0, &task));
}

TEST_F(looks, where_one_may_be_lacking_a_run_counts_for_two_looks)
{
	uint32_t task;

	in_order = false;
	look(self);
	EXPECT_EQ(NULL, census_past(self->w, 0, &task));
	look(self);
	EXPECT_EQ(NULL, census_past(self->w, 0, &task));
	EXPECT_EQ(NULL, census_past_files(self->w, 0));
	look(self);
	EXPECT_EQ(self->before, census_past(self->w, 0, &task));
	EXPECT_EQ(self->before, census_past_files(self->w, 0));
	told[0].nr_switches++;
	for (int i = 0; i < 2; i++) {
		look(self);
		EXPECT_EQ(NULL, census_past(self->w, 0, &task));
		EXPECT_EQ(NULL, census_past_files(self->w, 1));
		EXPECT_EQ(self->before, census_past(self->w, 1, &task));
	}
	look(self);
	EXPECT_EQ(self->before, census_past(self->w, 0, &task));
}

TEST_F(looks, tables_of_descriptors_are_told_apart)
{
	told[2].files++;
	look(self);
	EXPECT_EQ(1, census_shares_files(self->w, 0, 1));
	EXPECT_EQ(0, census_shares_files(self->w, 0, 2));
	EXPECT_EQ(-1, census_shares_files(self->w, 0, 3));
	EXPECT_EQ(-1, census_shares_files(self->before, 0, 1));
	told[0].files = 0;
	told[1].files = 0;
	look(self);
	EXPECT_EQ(-1, census_shares_files(self->w, 0, 1));
}

TEST_HARNESS_MAIN
