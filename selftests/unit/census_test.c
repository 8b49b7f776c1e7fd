// SPDX-License-Identifier: GPL-2.0
/*
 * census_test - whether a thread slept from one record to the next, what is kept of
 * one that did, and that nothing is kept of one that ran. The kernel is played by the
 * test; the threads that are read by /proc are its own children.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "again.h"
#include "array.h"
#include "census.h"
#include "fdscan.h"
#include "known.h"
#include "kselftest_harness.h"
#include "proc.h"
#include "ran.h"
#include "remote.h"
#include "resolve.h"
#include "world.h"

#define SLEEPS		1
#define SLEEPS_DEEP	2
#define IDLES		0x402

/* --- the kernel, as the test plays it ------------------------------------------------- */

static struct census_record told[8];
static uint32_t nr_told;

struct census_source *census_source_open(void)
{
	return (struct census_source *)told;
}

void census_source_close(struct census_source *source)
{
}

const struct census_record *census_source_read(struct census_source *source, uint32_t *nr_ret)
{
	*nr_ret = nr_told;
	return nr_told ? told : NULL;
}

/* --- two records ---------------------------------------------------------------------- */

static const struct census_record sleeper = {
	.task = 0x1000, .mm = 0x2000, .files = 0x3000, .start_ns = 5, .nr_switches = 7,
	.run_ns = 9, .tid = 11, .tgid = 11, .ppid = 1, .state = SLEEPS, .prio = 120,
	.static_prio = 120, .comm = "sleeper",
};

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
	ran_begin(&ran);
	EXPECT_TRUE(ran_not(&ran, 3));
	ran_begin(&ran);
}

/* --- looks -------------------------------------------------------------------------------- */

FIXTURE(looks)
{
	struct census *census;
	struct world *w, *before;
	/** @child: three processes that sleep until they are killed, by number */
	pid_t child[3];
};

/* A pipe that all of them have, until they are told to close it. */
static int ends[2];

static void close_ends(int sig)
{
	close(ends[0]);
	close(ends[1]);
}

static void wait_until_it_sleeps(pid_t pid)
{
	struct world *w = world_new(NULL, NULL);

	do
		proc_add_thread(w, pid, pid);
	while (w->tasks[w->nr_tasks - 1].state != 'S');
	world_free(w);
}

FIXTURE_SETUP(looks)
{
	setenv("GRIDLOCK_THREADS", "bpf", 1);
	self->census = census_new(true);
	self->before = NULL;
	ASSERT_EQ(0, pipe(ends));
	signal(SIGUSR1, close_ends);
	for (int i = 0; i < 3; i++) {
		self->child[i] = fork();
		for (; !self->child[i];)
			pause();
		ASSERT_LT(0, self->child[i]);
		wait_until_it_sleeps(self->child[i]);
		told[i] = sleeper;
		told[i].task += i;
		told[i].mm += i;
		told[i].start_ns = i;
		told[i].tid = self->child[i];
		told[i].tgid = self->child[i];
	}
	nr_told = 3;
	self->w = world_new(NULL, remote_new());
	world_add_task(self->w, 1, 1);
	/* The first look of all goes without. */
	EXPECT_FALSE(census_tasks(self->census, self->w));
	census_end(self->census, self->w);
}

static void end_look(FIXTURE_DATA(looks) * self)
{
	struct remote *remote = self->w->remote;

	census_end(self->census, self->w);
	world_free(self->before);
	self->before = self->w;
	self->w = world_new(NULL, remote);
}

/* How many of the threads told were read by /proc, and how many kept? */
static const char *look(FIXTURE_DATA(looks) * self)
{
	struct census_counts a, b;
	static char said[64];

	census_read_counts(self->census, &a);
	end_look(self);
	if (!census_tasks(self->census, self->w))
		return "not told";
	census_read_counts(self->census, &b);
	snprintf(said, sizeof(said), "%u tasks, %u kept", self->w->nr_tasks,
		 (unsigned int)(b.nr_kept - a.nr_kept));
	return said;
}

FIXTURE_TEARDOWN(looks)
{
	struct remote *remote = self->w->remote;

	world_free(self->w);
	world_free(self->before);
	census_free(self->census);
	remote_free(remote);
	close_ends(0);
	for (int i = 0; i < 3; i++) {
		kill(self->child[i], SIGKILL);
		waitpid(self->child[i], NULL, 0);
	}
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

/* --- waits that must be what they were ------------------------------------------------------ */

/* Task 0 waits for a lock that task 1, of the same address space, has. */
static void wait_in_memory(FIXTURE_DATA(looks) * self)
{
	struct wait *wait = world_add_wait(self->w, 0, GL_KIND_FUTEX);
	uint32_t index;
	bool new;

	wait->mode = MODE_EXCLUSIVE;
	wait->timed = TIMED_YES;
	wait->own_space = true;
	wait->id = strdup("futex mm:1 0x10");
	wait->name = strdup("pthread mutex 0x10");
	index = world_resource(self->w, "held by 1", &new);
	self->w->resources[index].evidence = EVIDENCE_READ;
	self->w->resources[index].held = MODE_EXCLUSIVE;
	world_add_releaser(self->w, index, 1);
	world_block_on(self->w, wait, index);
}

static bool follows(FIXTURE_DATA(looks) * self, const struct gl_wait_record *row)
{
	return again_follow(self->w, 0, row);
}

/* A look in which that wait was seen, and the begin of the next. */
static void two_looks(FIXTURE_DATA(looks) * self)
{
	told[1].mm = told[0].mm;
	look(self);
	wait_in_memory(self);
	look(self);
}

TEST_F(looks, wait_in_a_space_that_slept_is_what_it_was)
{
	const struct wait *wait;
	const struct resource *r;

	two_looks(self);
	ASSERT_TRUE(follows(self, NULL));
	wait = &self->w->waits[self->w->tasks[0].wait];
	EXPECT_EQ(GL_KIND_FUTEX, wait->kind);
	EXPECT_EQ(MODE_EXCLUSIVE, wait->mode);
	EXPECT_EQ(TIMED_YES, wait->timed);
	EXPECT_TRUE(wait->own_space);
	EXPECT_STREQ("futex mm:1 0x10", wait->id);
	EXPECT_STREQ("pthread mutex 0x10", wait->name);
	EXPECT_FALSE(wait->unknown_releaser);
	ASSERT_EQ(1, wait->nr_blockers);
	r = &self->w->resources[wait->blockers[0]];
	EXPECT_STREQ("held by 1", r->key);
	EXPECT_EQ(EVIDENCE_READ, r->evidence);
	EXPECT_EQ(MODE_EXCLUSIVE, r->held);
	ASSERT_EQ(1, r->nr_releasers);
	EXPECT_EQ(self->child[1], self->w->tasks[r->releasers[0]].tid);
}

/* Who polls with a timeout waits for nothing that has a name, or is known. */
TEST_F(looks, wait_without_words_stays_so)
{
	struct wait *wait;

	look(self);
	wait = world_add_wait(self->w, 0, GL_KIND_POLL);
	wait->own_space = true;
	wait->unknown_releaser = true;
	look(self);
	ASSERT_TRUE(follows(self, NULL));
	wait = &self->w->waits[self->w->tasks[0].wait];
	EXPECT_EQ(NULL, wait->name);
	EXPECT_TRUE(wait->unknown_releaser);
}

TEST_F(looks, holder_that_ran_may_have_dropped_it)
{
	told[1].mm = told[0].mm;
	look(self);
	wait_in_memory(self);
	told[1].nr_switches++;
	look(self);
	EXPECT_FALSE(follows(self, NULL));
}

TEST_F(looks, wait_that_others_can_change_is_resolved_again)
{
	told[1].mm = told[0].mm;
	look(self);
	wait_in_memory(self);
	self->w->waits[0].own_space = false;
	look(self);
	EXPECT_FALSE(follows(self, NULL));
}

TEST_F(looks, wait_of_another_row_is_resolved_again)
{
	struct gl_wait_record row = { .gen = 7, .begin_ns = 8 };

	two_looks(self);
	EXPECT_FALSE(follows(self, &row));
	self->before->waits[0].gen = 7;
	EXPECT_FALSE(follows(self, &row));
	EXPECT_FALSE(follows(self, NULL));
	self->before->waits[0].begin_ns = 8;
	EXPECT_TRUE(follows(self, &row));
}

/* --- waits that are left out ---------------------------------------------------------------- */

/* Task 0 waits for nobody that is known, in memory that it shares with task 1. */
static void wait_for_nobody(FIXTURE_DATA(looks) * self)
{
	struct wait *wait;

	told[1].mm = told[0].mm;
	look(self);
	wait = world_add_wait(self->w, 0, GL_KIND_FUTEX);
	wait->own_space = true;
	wait->unknown_releaser = true;
	wait->id = strdup("futex mm:1 0x10");
}

static bool is_left_out(FIXTURE_DATA(looks) * self)
{
	again_end(self->census, self->w);
	look(self);
	return again_idles(self->w, 0, NULL);
}

TEST_F(looks, wait_for_nobody_is_left_out_while_its_space_sleeps)
{
	wait_for_nobody(self);
	EXPECT_FALSE(again_idles(self->w, 0, NULL));
	EXPECT_TRUE(is_left_out(self));
	EXPECT_EQ(0, self->w->nr_waits);
	/* It is a lock whose owner is not known, in every look. */
	EXPECT_EQ(1, self->w->unseen.unknown_owner);
	/* Look after look, though no look has seen it since. */
	EXPECT_TRUE(is_left_out(self));
	EXPECT_FALSE(again_idles(self->w, 1, NULL));
	told[1].nr_switches++;
	EXPECT_FALSE(is_left_out(self));
	EXPECT_EQ(0, self->w->unseen.unknown_owner);
	/* From then on it has to be seen again. */
	EXPECT_FALSE(is_left_out(self));
}

TEST_F(looks, wait_told_by_its_call_is_left_out_while_its_thread_sleeps)
{
	wait_for_nobody(self);
	self->w->waits[0].own_call = true;
	EXPECT_TRUE(is_left_out(self));
	told[1].nr_switches++;
	EXPECT_TRUE(is_left_out(self));
	told[0].nr_switches++;
	EXPECT_FALSE(is_left_out(self));
	EXPECT_FALSE(is_left_out(self));
}

TEST_F(looks, wait_of_another_row_is_not_left_out)
{
	struct gl_wait_record row = { .gen = 7, .begin_ns = 8 };

	wait_for_nobody(self);
	self->w->waits[0].gen = 7;
	self->w->waits[0].begin_ns = 8;
	EXPECT_FALSE(is_left_out(self));
	EXPECT_TRUE(again_idles(self->w, 0, &row));
	row.gen++;
	EXPECT_FALSE(again_idles(self->w, 0, &row));
}

/** struct reason - why a wait is no such one */
struct reason {
	const char *name;
	void (*change)(struct world *w, struct wait *wait);
};

static void is_known(struct world *w, struct wait *wait)
{
	wait->unknown_releaser = false;
}

static void is_of_others(struct world *w, struct wait *wait)
{
	wait->own_space = false;
}

static void is_mutex(struct world *w, struct wait *wait)
{
	wait->comes_back = true;
}

static void is_pi(struct world *w, struct wait *wait)
{
	wait->kind = GL_KIND_FUTEX_PI;
}

static void is_refused(struct world *w, struct wait *wait)
{
	wait->refused = true;
}

static void is_blocked(struct world *w, struct wait *wait)
{
	bool new;

	world_block_on(w, wait, world_resource(w, "held", &new));
}

static const struct reason reasons[] = {
	{ "somebody known ends it", is_known }, { "others can change it", is_of_others },
	{ "its queue is told of", is_mutex },	{ "its queue is the kernel's", is_pi },
	{ "it was refused", is_refused },	{ "something holds it", is_blocked },
};

TEST_F(looks, wait_that_matters_is_not_left_out)
{
	wait_for_nobody(self);
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		struct wait *wait = self->w->tasks[0].wait == NO_INDEX ?
					    world_add_wait(self->w, 0, GL_KIND_FUTEX) :
					    &self->w->waits[self->w->tasks[0].wait];

		wait->own_space = true;
		wait->unknown_releaser = true;
		reasons[i].change(self->w, wait);
		EXPECT_FALSE(is_left_out(self)) TH_LOG("although %s", reasons[i].name);
	}
}

TEST_F(looks, wait_left_out_is_told_of_whom_others_wait_for)
{
	struct wait *wait;
	uint32_t index;
	bool new;

	wait_for_nobody(self);
	ASSERT_TRUE(is_left_out(self));
	again_tell_releasers(self->w);
	EXPECT_EQ(NO_INDEX, self->w->tasks[0].wait);
	index = world_resource(self->w, "held by 0", &new);
	world_add_releaser(self->w, index, 0);
	world_add_releaser(self->w, index, 1);
	again_tell_releasers(self->w);
	again_tell_releasers(self->w);
	ASSERT_EQ(1, self->w->nr_waits);
	wait = &self->w->waits[0];
	EXPECT_EQ(0, wait->task);
	EXPECT_EQ(0, self->w->tasks[0].wait);
	EXPECT_STREQ("futex mm:1 0x10", wait->id);
	EXPECT_TRUE(wait->unknown_releaser);
	EXPECT_EQ(NO_INDEX, self->w->tasks[1].wait);
}

/* --- tables of descriptors ------------------------------------------------------------------ */

TEST_F(looks, table_is_what_it_was_while_all_who_have_it_sleep)
{
	look(self);
	told[2].files++;
	look(self);
	/* Who had it has left it: that one may have changed it before. */
	EXPECT_EQ(NULL, census_past_files(self->w, 0));
	look(self);
	EXPECT_EQ(self->before, census_past_files(self->w, 0));
	told[1].nr_switches++;
	look(self);
	EXPECT_EQ(NULL, census_past_files(self->w, 0));
	EXPECT_EQ(self->before, census_past_files(self->w, 2));
	told[0].files = 0;
	look(self);
	look(self);
	EXPECT_EQ(self->before, census_past_files(self->w, 2));
	EXPECT_EQ(NULL, census_past_files(self->w, 0));
}

/* Ends of the pipe that child @i has, for all that this look knows. */
static uint32_t nr_ends(FIXTURE_DATA(looks) * self, int i)
{
	const struct fdscan *scan = fdscan_ends(self->w);
	uint32_t nr = 0;
	struct stat st;

	fstat(ends[0], &st);
	for (uint32_t k = 0; k < scan->nr_pipes; k++) {
		const struct fd_table *table = &scan->tables[scan->pipes[k].table];

		nr += scan->pipes[k].ino == st.st_ino && table->tgid == self->child[i] &&
		      table->tasks[0] == i;
	}
	return nr;
}

static void have_it_closed(FIXTURE_DATA(looks) * self, int i)
{
	char link[64];

	kill(self->child[i], SIGUSR1);
	while (*fd_link(self->child[i], self->child[i], ends[1], link, sizeof(link)))
		;
}

TEST_F(looks, table_is_read_again_once_somebody_who_has_it_has_run)
{
	for (int i = 0; i < 3; i++)
		told[i].files += i;
	look(self);
	EXPECT_EQ(2, nr_ends(self, 1));
	/* The kernel as played here says that it slept: what was read is kept. */
	have_it_closed(self, 1);
	look(self);
	EXPECT_EQ(2, nr_ends(self, 1));
	told[1].nr_switches++;
	look(self);
	EXPECT_EQ(0, nr_ends(self, 1));
	EXPECT_EQ(2, nr_ends(self, 0));
	EXPECT_EQ(2, nr_ends(self, 2));
	/* Another thread that has the same table has run. */
	have_it_closed(self, 2);
	told[2].files = told[0].files;
	told[2].nr_switches++;
	have_it_closed(self, 0);
	look(self);
	EXPECT_EQ(0, nr_ends(self, 0));
	EXPECT_EQ(0, nr_ends(self, 1));
}

TEST_F(looks, table_is_read_again_after_a_look_that_did_not)
{
	look(self);
	EXPECT_EQ(2, nr_ends(self, 1));
	look(self);
	have_it_closed(self, 1);
	look(self);
	EXPECT_EQ(0, nr_ends(self, 1));
}

TEST_HARNESS_MAIN
