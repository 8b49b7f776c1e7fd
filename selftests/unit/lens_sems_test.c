// SPDX-License-Identifier: GPL-2.0
/* lens_sems_test - what the lens makes of calls for semaphores (lens_calls.h) */
#include "lens_calls.h"

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

/* --- semaphores in orders --- */

/* It is seen to be a lock when who took it has posted it. */
static void make_lock(uint32_t *one)
{
	make_sem(one, 1);
	take_sem(one);
	post_sem(one);
}

static uint64_t lock_named(const uint32_t *one)
{
	return (uintptr_t)one | LENS_IS_SEM;
}

TEST_F(lens, semaphore_that_is_a_lock_comes_before_what_is_asked_for_with_it)
{
	make_lock(sem[0]);
	take_sem(sem[0]);
	EXPECT_EQ(1, self->one->nr_held);
	lock(mutex[0]);
	ASSERT_EQ(1, nr_rows(&nestings));
	EXPECT_EQ((uintptr_t)mutex[0], nesting()->wanted);
	EXPECT_EQ(lock_named(sem[0]), nesting()->held[0]);
	post_sem(sem[0]);
	ASSERT_EQ(1, self->one->nr_held);
	EXPECT_EQ((uintptr_t)mutex[0], self->one->held[0].addr);
	EXPECT_EQ(2, nr_holds(sem[0]));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, semaphore_is_asked_for_with_what_is_held)
{
	make_lock(sem[0]);
	lock(mutex[0]);
	take_sem(sem[0]);
	ASSERT_EQ(1, nr_rows(&nestings));
	EXPECT_EQ(lock_named(sem[0]), nesting()->wanted);
	EXPECT_EQ((uintptr_t)mutex[0], nesting()->held[0]);
}

/* Who asks for the first time cannot know; the reader does, by the time that it tells. */
TEST_F(lens, semaphore_that_may_prove_a_lock_is_asked_for)
{
	make_sem(sem[0], 1);
	lock(mutex[0]);
	take_sem(sem[0]);
	ASSERT_EQ(1, nr_rows(&nestings));
	EXPECT_EQ(lock_named(sem[0]), nesting()->wanted);
}

TEST_F(lens, semaphore_that_is_not_known_to_be_a_lock_is_not_held)
{
	make_sem(sem[0], 1);
	lock(mutex[0]);
	enter(LENS_TRY | LENS_SEM, sem[0], NULL);
	sem[0][0]--;
	come_back(LENS_TRY | LENS_SEM, 0);
	lock(mutex[1]);
	ASSERT_EQ(1, nr_rows(&nestings));
	EXPECT_EQ((uintptr_t)mutex[0], nesting()->held[0]);
	EXPECT_EQ(0, nesting()->held[1]);
}

TEST_F(lens, semaphore_that_is_nobodys_has_no_place_in_orders)
{
	make_lock(sem[0]);
	take_sem(sem[0]);
	run_as(TWO);
	post_sem(sem[0]);
	run_as(ONE);
	lock(mutex[0]);
	test_free_row(test_find(&nestings, nesting(), sizeof(struct lens_nesting_key)));
	for (int i = 0; i < 2; i++) {
		take_sem(sem[0]);
		EXPECT_EQ(1, self->one->nr_held);
		post_sem(sem[0]);
	}
	take_sem(sem[0]);
	EXPECT_EQ(0, nr_rows(&nestings));
	ASSERT_EQ(1, self->one->nr_held);
	EXPECT_EQ((uintptr_t)mutex[0], self->one->held[0].addr);
}

/* The semaphore that was held all the while is missing in it. */
TEST_F(lens, what_was_told_before_it_proved_a_lock_counts_for_nothing)
{
	uint64_t epoch_ns = self->one->epoch_ns;

	make_sem(sem[0], 1);
	take_sem(sem[0]);
	lock(mutex[0]);
	lock(mutex[1]);
	unlock(mutex[1]);
	unlock(mutex[0]);
	EXPECT_EQ(epoch_ns, self->one->epoch_ns);
	post_sem(sem[0]);
	EXPECT_LT(epoch_ns, self->one->epoch_ns);
	/* Once: from now on it is known. */
	epoch_ns = self->one->epoch_ns;
	take_sem(sem[0]);
	post_sem(sem[0]);
	EXPECT_EQ(epoch_ns, self->one->epoch_ns);
}

TEST_F(lens, nor_does_what_was_while_it_could_not_be_read)
{
	uint64_t epoch_ns;

	make_lock(sem[0]);
	epoch_ns = self->one->epoch_ns;
	test_bpf.unreadable = true;
	take_sem(sem[0]);
	test_bpf.unreadable = false;
	EXPECT_EQ(0, self->one->nr_held);
	post_sem(sem[0]);
	EXPECT_LT(epoch_ns, self->one->epoch_ns);
	/* Nor does that after it was found that this thread posted it, having it or not. */
	epoch_ns = self->one->epoch_ns;
	test_bpf.unreadable = true;
	take_sem(sem[0]);
	test_bpf.unreadable = false;
	post_sem(sem[0]);
	EXPECT_LT(epoch_ns, self->one->epoch_ns);
}

/* Of a thread's first call nothing is believed: so its take was not seen. */
static bool is_doubted_behind_gate_unseen(uint32_t tid)
{
	bool was_believed, is_believed;

	run_as(tid);
	take_sem(sem[0]);
	lock(mutex[0]);
	lock(mutex[1]);
	unlock(mutex[1]);
	unlock(mutex[0]);
	was_believed = state(tid)->epoch_ns == nesting()->epoch_ns;
	post_sem(sem[0]);
	is_believed = state(tid)->epoch_ns == nesting()->epoch_ns;
	test_free_row(test_find(&nestings, nesting(), sizeof(struct lens_nesting_key)));
	return was_believed && !is_believed;
}

TEST_F(lens, nor_does_what_was_behind_one_that_was_taken_unseen)
{
	make_sem(sem[0], 1);
	for (uint32_t tid = TWO + 1; tid < TWO + 4; tid++)
		EXPECT_TRUE(is_doubted_behind_gate_unseen(tid));
	/* Nor if it was a lock until then. */
	run_as(ONE);
	make_lock(sem[0]);
	EXPECT_TRUE(is_doubted_behind_gate_unseen(TWO + 4));
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, nor_does_what_was_while_there_was_no_room_for_it)
{
	const struct lens_try no_try = { 0 };
	uint64_t epoch_ns = self->one->epoch_ns;
	uint32_t what = LENS_LOST_SEM;

	make_sem(sem[0], 1);
	count(what);
	for (struct lens_try_key key = { 0 }; test_bpf.nr < MAX_ROWS; key.addr++)
		bpf_map_update_elem(&tries, &key, &no_try, BPF_ANY);
	take_sem(sem[0]);
	EXPECT_EQ(epoch_ns, self->one->epoch_ns);
	post_sem(sem[0]);
	EXPECT_LT(epoch_ns, self->one->epoch_ns);
	EXPECT_EQ(3, *bpf_map_lookup_elem(&counts, &what));
}

/* The first time it may have been a lock that was taken unseen. */
TEST_F(lens, who_only_signals_goes_on_being_believed)
{
	uint64_t epoch_ns;

	make_sem(sem[0], 0);
	post_sem(sem[0]);
	epoch_ns = self->one->epoch_ns;
	for (int i = 0; i < 3; i++) {
		run_as(ONE);
		post_sem(sem[0]);
		EXPECT_EQ(epoch_ns, self->one->epoch_ns);
	}
	run_as(TWO);
	for (int i = 0; i < 3; i++)
		take_sem(sem[0]);
	/* Nor is anybody else doubted for it from then on. */
	epoch_ns = state(TWO)->epoch_ns;
	for (int i = 0; i < 3; i++)
		post_sem(sem[0]);
	EXPECT_EQ(epoch_ns, state(TWO)->epoch_ns);
	EXPECT_EQ(0, state(TWO)->nr_held);
	EXPECT_EQ(0, lens_missed);
}

/* --- musl --- */

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
