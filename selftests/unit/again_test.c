// SPDX-License-Identifier: GPL-2.0
/*
 * again_test - waits that must be what they were at an earlier look: they are as long as
 * nobody has run who can change them, and not any longer.
 */
#define _GNU_SOURCE
#include "../../kmod/uapi/gridlock.h"
#include "again.h"
#include "array.h"
#include "looks.h"

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

/** struct change - what happens between two looks; does the wait stay left out? */
struct change {
	const char *name;
	void (*change)(void);
	bool space_stays, call_stays;
};

static void nothing(void)
{
}

static void it_runs(void)
{
	told[0].nr_switches++;
}

static void it_is_another(void)
{
	told[0].task += 100;
	told[0].start_ns += 100;
}

static void it_executes(void)
{
	told[0].mm += 100;
}

static void neighbour_runs(void)
{
	told[1].nr_switches++;
}

static void neighbour_ends(void)
{
	told[1] = told[2];
	nr_told = 2;
}

static void neighbour_executes(void)
{
	told[1].mm += 100;
}

/* Be it a thread of it, or a process that has the same memory. */
static void neighbour_comes(void)
{
	told[3] = told[0];
	told[3].task += 100;
	told[3].start_ns += 100;
	told[3].tid = told[2].tid + 1;
	told[3].tgid = told[3].tid;
	nr_told = 4;
}

static void stranger_runs(void)
{
	told[2].nr_switches++;
}

static void stranger_ends(void)
{
	nr_told = 2;
}

static const struct change changes[] = {
	{ "nothing happens", nothing, true, true },
	{ "another one runs", stranger_runs, true, true },
	{ "another one ends", stranger_ends, true, true },
	{ "it runs", it_runs, false, false },
	{ "another one has its number", it_is_another, false, false },
	{ "it executes a program", it_executes, false, false },
	{ "one who has its memory runs", neighbour_runs, false, true },
	{ "one who has its memory ends", neighbour_ends, false, true },
	{ "one who has its memory leaves it", neighbour_executes, false, true },
	{ "one who has its memory comes", neighbour_comes, false, true },
};

/* All as at the begin, and a wait that is left out. */
static void leave_out(FIXTURE_DATA(looks) * self, const struct census_record *at_first, bool call)
{
	memcpy(told, at_first, 3 * sizeof(*told));
	nr_told = 3;
	look(self);
	wait_for_nobody(self);
	self->w->waits[0].own_call = call;
}

TEST_F(looks, wait_is_left_out_until_somebody_can_have_changed_it)
{
	struct census_record at_first[3];

	memcpy(at_first, told, sizeof(at_first));
	for (size_t i = 0; i < 2 * ARRAY_SIZE(changes); i++) {
		const struct change *c = &changes[i / 2];
		bool call = i % 2;

		leave_out(self, at_first, call);
		EXPECT_TRUE(is_left_out(self)) TH_LOG("before %s", c->name);
		c->change();
		EXPECT_EQ(call ? c->call_stays : c->space_stays, is_left_out(self))
			TH_LOG("%s, %s", c->name, call ? "by its call" : "by its space");
		EXPECT_EQ(call ? c->call_stays : c->space_stays, is_left_out(self))
			TH_LOG("%s, %s, later", c->name, call ? "by its call" : "by its space");
	}
}

TEST_HARNESS_MAIN
