// SPDX-License-Identifier: GPL-2.0
/* lens_calls_test - what the lens makes of calls for mutexes and conditions (lens_calls.h) */
#include "lens_calls.h"

/* --- mutexes --- */

TEST_F(lens, mutex_is_held_until_it_is_dropped)
{
	lock(mutex[0]);
	EXPECT_EQ(1, self->one->nr_held);
	EXPECT_EQ(0, nr_holds(mutex[0]));
	unlock(mutex[0]);
	EXPECT_EQ(0, self->one->nr_held);
	EXPECT_EQ(1, nr_holds(mutex[0]));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, return_of_another_process_is_none_of_this_one)
{
	struct pt_regs regs = { 0 };

	lock(mutex[0]);
	test_bpf.cookie = LENS_LOCK | (uint64_t)(TGID + 1) << LENS_TGID_SHIFT;
	lens_return(&regs);
	EXPECT_EQ(0, lens_missed);
	/* One of its own is one that was missed. */
	come_back(LENS_LOCK, 0);
	EXPECT_EQ(1, lens_missed);
}

/* --- conditions --- */

static uint32_t cond[12];

static void begin_wait(const void *m)
{
	enter(LENS_WAIT, cond, m);
}

static void end_wait(int ret)
{
	come_back(LENS_WAIT, ret);
}

TEST_F(lens, who_waits_for_a_condition_does_not_hold_its_mutex)
{
	lock(mutex[0]);
	begin_wait(mutex[0]);
	EXPECT_EQ(0, self->one->nr_held);
	EXPECT_EQ(1, nr_holds(mutex[0]));
	end_wait(0);
	EXPECT_EQ(1, self->one->nr_held);
	EXPECT_EQ((uintptr_t)mutex[0], self->one->held[0].addr);
	unlock(mutex[0]);
	EXPECT_EQ(0, self->one->nr_held);
	EXPECT_EQ(2, nr_holds(mutex[0]));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, hold_after_the_wait_begins_at_its_return)
{
	lock(mutex[0]);
	begin_wait(mutex[0]);
	test_bpf.now_ns += 1000000;
	end_wait(0);
	EXPECT_EQ(test_bpf.now_ns, self->one->held[0].since_ns);
}

TEST_F(lens, wait_that_is_over_in_time_or_not_has_the_mutex)
{
	static const struct {
		int ret;
		uint32_t nr_held;
	} ends[] = {
		{ 0, 1 }, { ETIMEDOUT, 1 }, { EOWNERDEAD, 1 }, { EINVAL, 1 },
		/* It never had it; or it is nobody's any more. */
		{ EPERM, 0 }, { ENOTRECOVERABLE, 0 },
	};

	for (uint32_t i = 0; i < sizeof(ends) / sizeof(*ends); i++) {
		uint64_t epoch_ns;

		lock(mutex[i]);
		epoch_ns = self->one->epoch_ns;
		begin_wait(mutex[i]);
		end_wait(ends[i].ret);
		EXPECT_EQ(ends[i].nr_held, self->one->nr_held);
		EXPECT_EQ(ends[i].nr_held, epoch_ns == self->one->epoch_ns);
		unlock(mutex[i]);
		EXPECT_EQ(0, self->one->nr_held);
	}
	EXPECT_EQ(0, nr_rows(&tries));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, mutex_taken_twice_is_kept_over_the_wait)
{
	lock(mutex[0]);
	lock(mutex[0]);
	begin_wait(mutex[0]);
	EXPECT_EQ(1, self->one->nr_held);
	EXPECT_EQ(0, nr_rows(&nestings));
	end_wait(0);
	unlock(mutex[0]);
	EXPECT_EQ(1, self->one->nr_held);
	unlock(mutex[0]);
	EXPECT_EQ(0, self->one->nr_held);
	EXPECT_EQ(1, nr_holds(mutex[0]));
}

TEST_F(lens, lock_that_is_kept_over_the_wait_comes_before_its_mutex)
{
	lock(mutex[0]);
	lock(mutex[1]);
	EXPECT_EQ(1, nr_rows(&nestings));
	test_free_row(test_find(&nestings, nesting(), sizeof(struct lens_nesting_key)));
	begin_wait(mutex[0]);
	ASSERT_EQ(1, nr_rows(&nestings));
	EXPECT_EQ((uintptr_t)mutex[0], nesting()->wanted);
	EXPECT_EQ((uintptr_t)mutex[1], nesting()->held[0]);
	EXPECT_EQ(0, nesting()->held[1]);
	EXPECT_EQ(self->one->epoch_ns, nesting()->epoch_ns);
	end_wait(0);
	EXPECT_EQ(2, self->one->nr_held);
}

TEST_F(lens, lock_that_is_dropped_before_the_wait_does_not)
{
	lock(mutex[1]);
	unlock(mutex[1]);
	lock(mutex[0]);
	begin_wait(mutex[0]);
	EXPECT_EQ(0, nr_rows(&nestings));
	end_wait(0);
}

TEST_F(lens, mutex_taken_before_anybody_looked_is_known_after_the_wait)
{
	uint64_t epoch_ns = self->one->epoch_ns;

	begin_wait(mutex[0]);
	EXPECT_LT(epoch_ns, self->one->epoch_ns);
	end_wait(0);
	EXPECT_EQ(1, self->one->nr_held);
	unlock(mutex[0]);
	EXPECT_EQ(1, nr_holds(mutex[0]));
	EXPECT_EQ(0, lens_missed);
}

/* The lens came while it waited: what it has is not known, and nothing is lost. */
TEST_F(lens, return_of_a_wait_that_began_before_is_not_known)
{
	run_as(ONE + 10);
	end_wait(0);
	EXPECT_EQ(0, state(ONE + 10)->nr_held);
	unlock(mutex[0]);
	EXPECT_EQ(0, nr_holds(mutex[0]));
	EXPECT_EQ(0, lens_missed);
	/* But only the first one can be such a return. */
	end_wait(0);
	EXPECT_EQ(1, lens_missed);
}

TEST_F(lens, call_that_is_inside_of_another_one_is_part_of_it)
{
	lock(mutex[0]);
	begin_wait(mutex[0]);
	begin_wait(mutex[0]);
	end_wait(0);
	EXPECT_EQ(0, self->one->nr_held);
	end_wait(0);
	EXPECT_EQ(1, self->one->nr_held);
	EXPECT_EQ(1, nr_holds(mutex[0]));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, call_in_the_midst_of_a_wait_is_not_understood)
{
	lock(mutex[0]);
	begin_wait(mutex[0]);
	enter(LENS_LOCK, mutex[1], NULL);
	EXPECT_EQ(1, lens_missed);
}

/* --- where threads may be cancelled, no probe tells of returns --- */

static void wait_untold(const void *m)
{
	enter(LENS_WAIT | LENS_UNTOLD, cond, m);
}

TEST_F(lens, who_drops_the_mutex_has_come_back_with_it)
{
	lock(mutex[0]);
	wait_untold(mutex[0]);
	EXPECT_EQ(0, self->one->nr_held);
	unlock(mutex[0]);
	EXPECT_EQ(0, self->one->nr_held);
	/* Since when it had it was not known. */
	EXPECT_EQ(1, nr_holds(mutex[0]));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, who_asks_for_another_lock_has_come_back_with_its_mutex)
{
	lock(mutex[0]);
	wait_untold(mutex[0]);
	enter(LENS_LOCK, mutex[1], NULL);
	ASSERT_EQ(1, nr_rows(&nestings));
	EXPECT_EQ((uintptr_t)mutex[1], nesting()->wanted);
	EXPECT_EQ((uintptr_t)mutex[0], nesting()->held[0]);
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, who_waits_again_has_come_back_before)
{
	lock(mutex[0]);
	for (int i = 0; i < 3; i++)
		wait_untold(mutex[0]);
	EXPECT_EQ(0, self->one->nr_held);
	EXPECT_EQ(1, nr_holds(mutex[0]));
	EXPECT_EQ(0, lens_missed);
}

TEST_HARNESS_MAIN
