// SPDX-License-Identifier: GPL-2.0
/*
 * hold_test - the module's table of holders, compiled as it is: a hold is told from
 * when it is known for sure, and never from before; what is not known is not told.
 */
#include "kselftest_harness.h"
#include "hold_calls.h"

/* What comes in between, and before which look at shared memory; 0: not any more. */
static void (*interrupt)(struct gl_holdtab *tab);
static struct gl_holdtab *interrupted;
static u32 steps_left;

void kernel_step(void)
{
	if (steps_left && !--steps_left)
		interrupt(interrupted);
}

static void interrupt_at(struct gl_holdtab *tab, u32 step, void (*by)(struct gl_holdtab *tab))
{
	interrupted = tab;
	interrupt = by;
	steps_left = step;
}

FIXTURE(hold)
{
	struct gl_holdtab tab;
	struct gl_hold_found found;
};

FIXTURE_SETUP(hold)
{
	ASSERT_EQ(0, gl_holdtab_init(&self->tab, 16));
}

FIXTURE_TEARDOWN(hold)
{
	gl_holdtab_exit(&self->tab);
}

/* Task @id waits from @begin_ns on, queued, and has it at @now_ns. */
static void queue_takes(FIXTURE_DATA(hold) *self, u64 id, u64 begin_ns, u64 now_ns,
			enum gl_hold_rule rule)
{
	struct gl_hold_waiter who = { .id = id, .begin_ns = begin_ns, .queued_ns = begin_ns,
				      .rule = rule };

	taken(&self->tab, who, now_ns, &self->found);
}

TEST_F(hold, who_was_not_seen_to_take_it_has_had_it_since_somebody_queued)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 50);
	queue_takes(self, 2, 10, 60, GL_HOLD_ONE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(40, self->found.hold_ns[0]);
	EXPECT_FALSE(self->found.in_irq[0]);
	EXPECT_EQ(1, self->found.last_tid);
}

/* The twin: it was free again before anybody came. */
TEST_F(hold, release_before_anybody_queued_is_no_hold)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 50);
	queue_takes(self, 2, 51, 60, GL_HOLD_ONE);
	EXPECT_EQ(0, self->found.nr);
	EXPECT_EQ(0, self->found.last_tid);
}

TEST_F(hold, what_was_before_the_lock_had_an_entry_is_unknown)
{
	gl_hold_expect(&self->tab, LOCK, 11);
	released(&self->tab, 1, 50);
	queue_takes(self, 2, 10, 60, GL_HOLD_ONE);
	EXPECT_EQ(0, self->found.nr);
	EXPECT_EQ(1, self->found.last_tid);
}

TEST_F(hold, who_had_waited_has_had_it_since_then)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	queue_takes(self, 1, 10, 60, GL_HOLD_SEEN);
	released(&self->tab, 1, 100);
	queue_takes(self, 2, 20, 110, GL_HOLD_SEEN);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(40, self->found.hold_ns[0]);
}

/* It may have dropped it and taken it again while nobody was there. */
TEST_F(hold, of_who_had_waited_only_what_somebody_waited_through_is_known)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	queue_takes(self, 1, 10, 60, GL_HOLD_ONE);
	released(&self->tab, 1, 100);
	queue_takes(self, 2, 80, 110, GL_HOLD_ONE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(20, self->found.hold_ns[0]);
}

static u32 found_by_reader(FIXTURE_DATA(hold) *self, bool shared)
{
	struct gl_hold_waiter who = { .id = 2, .begin_ns = 20, .queued_ns = 20,
				      .rule = GL_HOLD_OWNED, .shared = shared };

	gl_hold_expect(&self->tab, LOCK, 10);
	queue_takes(self, 1, 10, 60, GL_HOLD_OWNED);
	/* Both were given it by now. It was dropped and taken again, unseen: nobody waits. */
	released(&self->tab, 1, 100);
	taken(&self->tab, who, 110, &self->found);
	return self->found.nr;
}

TEST_F(hold, who_has_it_with_others_does_not_know_what_was_since)
{
	EXPECT_EQ(0, found_by_reader(self, true));
	EXPECT_EQ(1, self->found.last_tid);
}

TEST_F(hold, who_has_it_alone_knows_what_was_since)
{
	EXPECT_EQ(1, found_by_reader(self, false));
}

TEST_F(hold, of_a_semaphore_that_is_nothing)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	queue_takes(self, 1, 10, 60, GL_HOLD_SEEN);
	released(&self->tab, 1, 100);
	queue_takes(self, 2, 80, 110, GL_HOLD_SEEN);
	EXPECT_EQ(0, self->found.nr);
}

TEST_F(hold, is_told_once)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 50);
	queue_takes(self, 2, 10, 60, GL_HOLD_ONE);
	queue_takes(self, 3, 10, 70, GL_HOLD_ONE);
	EXPECT_EQ(0, self->found.nr);
}

/* The first waiter of a spinlock, who is not seen, has it in between. */
TEST_F(hold, of_who_came_unseen_in_between_is_unknown)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 50);
	released(&self->tab, 2, 90);
	queue_takes(self, 3, 10, 100, GL_HOLD_ONE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(40, self->found.hold_ns[0]);
	EXPECT_EQ(2, self->found.last_tid);
}

TEST_F(hold, begins_anew_when_another_one_was_seen_to_release_it)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	queue_takes(self, 1, 10, 60, GL_HOLD_ONE);
	released(&self->tab, 2, 70);
	released(&self->tab, 1, 90);
	queue_takes(self, 3, 65, 100, GL_HOLD_ONE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(5, self->found.hold_ns[0]);
}

/* A mutex is free before its release is seen, and was taken by one that spun. */
TEST_F(hold, late_release_is_not_of_who_has_it_by_then)
{
	struct gl_hold_waiter spinner = { .id = 2, .begin_ns = 40, .rule = GL_HOLD_LATE };

	gl_hold_expect(&self->tab, LOCK, 10);
	taken(&self->tab, spinner, 50, &self->found);
	EXPECT_EQ(0, self->found.nr);
	released(&self->tab, 1, 60);
	released(&self->tab, 2, 80);
	queue_takes(self, 3, 45, 90, GL_HOLD_LATE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(30, self->found.hold_ns[0]);
}

/* That it was taken takes its time to be told, and the release is seen before. */
TEST_F(hold, late_release_is_late_though_told_before_who_has_it)
{
	struct gl_hold_waiter spinner = { .id = 2, .begin_ns = 40, .rule = GL_HOLD_LATE };

	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 60);
	taken(&self->tab, spinner, 50, &self->found);
	EXPECT_EQ(0, self->found.nr);
	released(&self->tab, 2, 80);
	queue_takes(self, 3, 45, 90, GL_HOLD_LATE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(30, self->found.hold_ns[0]);
}

/* Which of the two had it then is not to be told. */
TEST_F(hold, who_queues_before_a_late_release_knows_nothing)
{
	struct gl_hold_waiter spinner = { .id = 2, .begin_ns = 40, .rule = GL_HOLD_LATE };

	gl_hold_expect(&self->tab, LOCK, 10);
	taken(&self->tab, spinner, 50, &self->found);
	released(&self->tab, 1, 60);
	released(&self->tab, 2, 80);
	queue_takes(self, 3, 55, 90, GL_HOLD_LATE);
	EXPECT_EQ(0, self->found.nr);
}

/* The twin: who had spun has dropped it, unseen, before anybody was queued. */
TEST_F(hold, release_is_not_late_when_nobody_else_releases_it)
{
	struct gl_hold_waiter spinner = { .id = 2, .begin_ns = 40, .rule = GL_HOLD_LATE };

	gl_hold_expect(&self->tab, LOCK, 10);
	taken(&self->tab, spinner, 50, &self->found);
	released(&self->tab, 1, 60);
	queue_takes(self, 3, 55, 90, GL_HOLD_LATE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_EQ(5, self->found.hold_ns[0]);
}

TEST_F(hold, who_only_spun_leaves_it_to_who_is_queued)
{
	struct gl_hold_waiter spinner = { .id = 2, .begin_ns = 40, .rule = GL_HOLD_LATE };

	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 50);
	taken(&self->tab, spinner, 60, &self->found);
	EXPECT_EQ(0, self->found.nr);
	EXPECT_EQ(1, self->found.last_tid);
	released(&self->tab, 2, 75);
	queue_takes(self, 3, 20, 90, GL_HOLD_LATE);
	ASSERT_EQ(2, self->found.nr);
	EXPECT_EQ(30, self->found.hold_ns[0]);
	EXPECT_EQ(15, self->found.hold_ns[1]);
}

static u32 found_for_owner(FIXTURE_DATA(hold) *self, s32 owner_tid)
{
	struct gl_hold_waiter who = { .id = 2, .begin_ns = 20, .queued_ns = 20,
				      .owner_tid = owner_tid, .rule = GL_HOLD_OWNED };

	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 50);
	taken(&self->tab, who, 60, &self->found);
	return self->found.nr;
}

TEST_F(hold, owner_by_the_word_has_it)
{
	ASSERT_EQ(1, found_for_owner(self, 1));
	EXPECT_EQ(30, self->found.hold_ns[0]);
}

/* A reader among others: it may have come after. */
TEST_F(hold, without_an_owner_nothing_is_known_of_readers)
{
	EXPECT_EQ(0, found_for_owner(self, 0));
	EXPECT_EQ(1, self->found.last_tid);
}

TEST_F(hold, another_one_than_the_owner_has_not_had_it)
{
	EXPECT_EQ(0, found_for_owner(self, 7));
}

TEST_F(hold, who_was_not_seen_to_take_a_semaphore_has_not_had_it)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	released(&self->tab, 1, 50);
	queue_takes(self, 2, 10, 60, GL_HOLD_SEEN);
	EXPECT_EQ(0, self->found.nr);
	EXPECT_EQ(1, self->found.last_tid);
}

TEST_F(hold, interrupt_is_told)
{
	struct gl_holder irq = { .id = 5, .tgid = GL_HOLDER_IN_IRQ };

	gl_hold_expect(&self->tab, LOCK, 10);
	gl_hold_released(&self->tab, gl_hold_find(&self->tab, LOCK), LOCK, &irq, 50);
	queue_takes(self, 2, 10, 60, GL_HOLD_ONE);
	ASSERT_EQ(1, self->found.nr);
	EXPECT_TRUE(self->found.in_irq[0]);
	EXPECT_EQ(0, self->found.last_tid);
}

static u32 found_after_loss(FIXTURE_DATA(hold) *self, u64 queued_ns)
{
	gl_hold_expect(&self->tab, LOCK, 10);
	gl_hold_lost(&self->tab, 30);
	released(&self->tab, 1, 50);
	queue_takes(self, 2, queued_ns, 60, GL_HOLD_ONE);
	return self->found.nr;
}

TEST_F(hold, after_a_loss_nothing_is_known)
{
	EXPECT_EQ(0, found_after_loss(self, 30));
}

TEST_F(hold, what_began_after_a_loss_is_known)
{
	EXPECT_EQ(1, found_after_loss(self, 31));
}

TEST_F(hold, what_a_busy_entry_loses_is_unknown)
{
	struct gl_holder who = { .id = 1, .tid = 1, .tgid = 1 };
	struct gl_hold *hold;

	gl_hold_expect(&self->tab, LOCK, 10);
	hold = gl_hold_find(&self->tab, LOCK);
	hold->busy.counter = 1;
	EXPECT_FALSE(gl_hold_released(&self->tab, hold, LOCK, &who, 40));
	hold->busy.counter = 0;
	released(&self->tab, 3, 50);
	queue_takes(self, 2, 10, 60, GL_HOLD_ONE);
	EXPECT_EQ(0, self->found.nr);
}

/* More than anything here takes. */
#define NR_MOMENTS	200

/* Its entry goes to another one, and then it gets that of a third one. */
static void enter_again(struct gl_holdtab *tab)
{
	u64 n;

	for (n = 1; n < 64 && gl_hold_find(tab, LOCK); n++)
		gl_hold_expect(tab, n << 6, 10 + n);
	gl_hold_expect(tab, LOCK, 80);
}

TEST_F(hold, release_told_to_an_entry_that_was_given_up_is_lost)
{
	u32 step, nr_known = 0;

	for (step = 1; step < NR_MOMENTS; step++) {
		gl_holdtab_exit(&self->tab);
		ASSERT_EQ(0, gl_holdtab_init(&self->tab, 16));
		gl_hold_expect(&self->tab, LOCK, 10);
		interrupt_at(&self->tab, step, enter_again);
		released(&self->tab, 1, 150);
		steps_left = 0;
		released(&self->tab, 2, 190);
		queue_takes(self, 3, 100, 200, GL_HOLD_ONE);
		nr_known += self->found.nr;
		/* The other one has had it since 150 alone. */
		for (u32 i = 0; i < self->found.nr; i++)
			EXPECT_GE(50, self->found.hold_ns[i]);
	}
	EXPECT_LT(0, nr_known);
}

static bool entered;

/* Another one waits for it as well, and by then it is released for the first time. */
static void enter_and_release(struct gl_holdtab *tab)
{
	entered = gl_hold_expect(tab, LOCK, 10) >= 0;
	released(tab, 1, 50);
}

TEST_F(hold, entry_that_another_one_made_meanwhile_stays)
{
	u32 step, nr_known = 0;

	for (step = 1; step < NR_MOMENTS; step++) {
		gl_holdtab_exit(&self->tab);
		ASSERT_EQ(0, gl_holdtab_init(&self->tab, 16));
		entered = false;
		interrupt_at(&self->tab, step, enter_and_release);
		gl_hold_expect(&self->tab, LOCK, 5);
		steps_left = 0;
		if (!entered)
			continue;
		released(&self->tab, 2, 90);
		queue_takes(self, 3, 10, 100, GL_HOLD_ONE);
		nr_known += self->found.nr;
		for (u32 i = 0; i < self->found.nr; i++)
			EXPECT_GE(40, self->found.hold_ns[i]);
	}
	EXPECT_LT(0, nr_known);
}

static u32 nr_entries(const struct gl_holdtab *tab)
{
	u32 nr = 0;

	for (u32 i = 0; i < tab->nr; i++) {
		const struct gl_hold_bucket *bucket = &tab->buckets[i / GL_HOLD_BUCKET];

		nr += (u64)bucket->lock[i % GL_HOLD_BUCKET].counter == LOCK;
	}
	return nr;
}

/* The entries that are given up are its neighbours', from the last place to the first. */
TEST_F(hold, lock_has_one_entry_though_two_enter_it_at_once)
{
	u32 step, i;
	u64 n;

	for (step = 1; step < NR_MOMENTS; step++) {
		gl_holdtab_exit(&self->tab);
		ASSERT_EQ(0, gl_holdtab_init(&self->tab, 16));
		for (n = 1; n < 64; n++)
			gl_hold_expect(&self->tab, n << 6, 1);
		for (i = 0; i < self->tab.nr; i++)
			self->tab.holds[i].event_ns = self->tab.nr - i;
		interrupt_at(&self->tab, step, enter_and_release);
		gl_hold_expect(&self->tab, LOCK, 100);
		steps_left = 0;
		EXPECT_GE(1, nr_entries(&self->tab));
	}
}

TEST_F(hold, oldest_entry_is_given_up)
{
	u64 lock[2 * GL_HOLD_BUCKET], n, nr = 0;

	/* As many as two buckets have, and all in the first one's. */
	for (n = 1; nr < GL_HOLD_BUCKET + 1; n++)
		if (gl_hold_expect(&self->tab, n << 6, 0) == 0 &&
		    gl_hold_find(&self->tab, n << 6) < &self->tab.holds[GL_HOLD_BUCKET])
			lock[nr++] = n << 6;
		else if (nr == GL_HOLD_BUCKET)
			break;
	gl_holdtab_exit(&self->tab);
	ASSERT_EQ(0, gl_holdtab_init(&self->tab, 16));
	ASSERT_EQ(GL_HOLD_BUCKET, nr);
	for (n = 0; n < nr; n++)
		EXPECT_EQ(0, gl_hold_expect(&self->tab, lock[n], n == 3 ? 5 : 10 + n));
	for (n = lock[nr - 1] + 64; gl_hold_find(&self->tab, lock[3]); n += 64)
		gl_hold_expect(&self->tab, n, 100);
	for (n = 0; n < nr; n++)
		EXPECT_EQ(n != 3, !!gl_hold_find(&self->tab, lock[n]));
}

TEST_HARNESS_MAIN
