// SPDX-License-Identifier: GPL-2.0
/* lens_sems_test - what the lens makes of calls for semaphores (lens_calls.h) */
#include "lens_calls.h"

/* glibc's: the value, waiters, is it shared; whoever takes or posts changes the value, too. */
static uint32_t sem[2][8];

static void take_sem(uint32_t *one)
{
	enter(LENS_LOCK | LENS_SEM, one, NULL);
	one[0]--;
	come_back(LENS_LOCK | LENS_SEM, 0);
}

static void post_sem(uint32_t *one)
{
	enter(LENS_UNLOCK | LENS_SEM, one, NULL);
	one[0]++;
}

static void fail_to_take(uint32_t *one)
{
	enter(LENS_TRY | LENS_SEM, one, NULL);
	come_back(LENS_TRY | LENS_SEM, -1);
}

static const struct lens_try *try_of(uint32_t tid, const uint32_t *one)
{
	struct lens_try_key key = { .addr = (uintptr_t)one, .tgid = TGID, .tid = tid };

	return bpf_map_lookup_elem(&tries, &key);
}

static void make_sem(uint32_t *one, uint32_t value)
{
	memset(one, 0, sizeof(sem[0]));
	one[0] = value;
}

/* Two is refused while One has it, which posts it itself, as it did before. */
static uint32_t refuser(uint32_t *one)
{
	run_as(ONE);
	take_sem(one);
	run_as(TWO);
	fail_to_take(one);
	run_as(ONE);
	post_sem(one);
	return try_of(TWO, one)->holder;
}

TEST_F(lens, semaphore_with_one_unit_has_who_took_it)
{
	make_sem(sem[0], 1);
	/* By one time alone it is not known that it is a lock. */
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(ONE, refuser(sem[0]));
	EXPECT_EQ(2, try_of(TWO, sem[0])->nr_failed);
	EXPECT_EQ(2, nr_holds(sem[0]));
	EXPECT_EQ(0, self->one->nr_held);
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, who_gets_it_now_and_then_is_counted)
{
	make_sem(sem[0], 1);
	refuser(sem[0]);
	run_as(TWO);
	enter(LENS_TRY | LENS_SEM, sem[0], NULL);
	sem[0][0]--;
	come_back(LENS_TRY | LENS_SEM, 0);
	EXPECT_EQ(1, try_of(TWO, sem[0])->nr_had);
	EXPECT_EQ(1, try_of(TWO, sem[0])->nr_failed);
}

TEST_F(lens, semaphore_with_two_units_is_nobodys)
{
	make_sem(sem[0], 2);
	take_sem(sem[0]);
	post_sem(sem[0]);
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(0, nr_holds(sem[0]));
}

TEST_F(lens, semaphore_that_two_take_is_nobodys)
{
	make_sem(sem[0], 1);
	refuser(sem[0]);
	take_sem(sem[0]);
	/* A unit that came unseen. */
	sem[0][0]++;
	run_as(TWO);
	take_sem(sem[0]);
	sem[0][0]++;
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(1, nr_holds(sem[0]));
}

TEST_F(lens, semaphore_that_another_thread_posts_is_nobodys)
{
	make_sem(sem[0], 1);
	refuser(sem[0]);
	take_sem(sem[0]);
	run_as(TWO);
	post_sem(sem[0]);
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(1, nr_holds(sem[0]));
}

TEST_F(lens, post_by_who_was_not_seen_to_take_it_is_a_doubt)
{
	make_sem(sem[0], 0);
	post_sem(sem[0]);
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(ONE, refuser(sem[0]));
	post_sem(sem[0]);
	sem[0][0]--;
	run_as(ONE);
	take_sem(sem[0]);
	run_as(TWO + 1);
	unlock(mutex[0]);
	fail_to_take(sem[0]);
	EXPECT_EQ(0, try_of(TWO + 1, sem[0])->holder);
}

TEST_F(lens, semaphore_that_is_shared_is_nobodys)
{
	make_sem(sem[0], 1);
	sem[0][SEM_SHARING] = 128;
	refuser(sem[0]);
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(0, nr_holds(sem[0]));
}

TEST_F(lens, semaphore_that_cannot_be_read_is_nobodys_till_it_can)
{
	make_sem(sem[0], 1);
	refuser(sem[0]);
	test_bpf.unreadable = true;
	EXPECT_EQ(0, refuser(sem[0]));
	test_bpf.unreadable = false;
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(ONE, refuser(sem[0]));
	EXPECT_EQ(3, nr_holds(sem[0]));
}

TEST_F(lens, call_that_was_missed_makes_semaphores_unknown)
{
	make_sem(sem[0], 1);
	refuser(sem[0]);
	lens_doubts++;
	run_as(TWO);
	unlock(mutex[0]);
	run_as(ONE);
	unlock(mutex[0]);
	EXPECT_EQ(0, refuser(sem[0]));
	EXPECT_EQ(ONE, refuser(sem[0]));
}

TEST_F(lens, signal_that_ends_a_wait_is_no_refusal)
{
	make_sem(sem[0], 0);
	enter(LENS_LOCK | LENS_SEM, sem[0], NULL);
	come_back(LENS_LOCK | LENS_SEM, -1);
	EXPECT_EQ(NULL, try_of(ONE, sem[0]));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, handler_may_post_in_the_midst_of_any_call)
{
	make_sem(sem[0], 0);
	enter(LENS_LOCK, mutex[0], NULL);
	post_sem(sem[0]);
	come_back(LENS_LOCK, 0);
	EXPECT_EQ(1, self->one->nr_held);
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, semaphore_has_no_place_in_orders)
{
	make_sem(sem[0], 1);
	lock(mutex[0]);
	take_sem(sem[0]);
	lock(mutex[1]);
	ASSERT_EQ(1, nr_rows(&nestings));
	EXPECT_EQ((uintptr_t)mutex[0], nesting()->held[0]);
	EXPECT_EQ(0, nesting()->held[1]);
}

TEST_F(lens, semaphore_of_musl_calls_its_own_functions)
{
	const uint64_t musl = LENS_MUSL | LENS_SEM;

	make_sem(sem[0], 1);
	sem[0][SEM_SHARING] = 128;
	for (int i = 0; i < 2; i++) {
		enter(LENS_LOCK | musl, sem[0], NULL);
		enter(LENS_TRY | musl, sem[0], NULL);
		enter(LENS_TRY | musl, sem[0], NULL);
		come_back(LENS_TRY | musl, -1);
		sem[0][0]--;
		come_back(LENS_TRY | musl, 0);
		come_back(LENS_LOCK | musl, 0);
		enter(LENS_UNLOCK | musl, sem[0], NULL);
		sem[0][0]++;
	}
	EXPECT_EQ(2, nr_holds(sem[0]));
	EXPECT_EQ(0, nr_rows(&tries));
	EXPECT_EQ(0, lens_missed);
}

TEST_HARNESS_MAIN
