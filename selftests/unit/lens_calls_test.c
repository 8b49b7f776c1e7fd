// SPDX-License-Identifier: GPL-2.0
/*
 * lens_calls_test - what the lens makes of calls and returns, one after the other: its
 * program of the kernel, compiled as it is, with maps that are tables here.
 */
#include "kselftest_harness.h"
#include "../../userspace/bpf/lens.bpf.c"

#define TGID	100
#define ONE	101
#define TWO	102

/* Words of glibc's mutexes, as they lie in memory; nobody but the lens reads them. */
static uint32_t mutex[LENS_MAX_HELD + 2][10];
static uint32_t cond[12];

static struct task_struct task = { .start_time = 1, .self_exec_id = 1 };

static void run_as(uint32_t tid)
{
	test_bpf.id = (uint64_t)TGID << 32 | tid;
}

static void enter(uint64_t call, const void *first, const void *second)
{
	unsigned long site = 0x1000 + call;
	struct pt_regs regs = {
		.rdi = (uintptr_t)first, .rsi = (uintptr_t)second, .rsp = (uintptr_t)&site,
	};

	test_bpf.cookie = call | (uint64_t)TGID << LENS_TGID_SHIFT;
	lens_enter(&regs);
}

static void come_back(uint64_t call, int ret)
{
	struct pt_regs regs = { .rax = ret };

	test_bpf.cookie = call | (uint64_t)TGID << LENS_TGID_SHIFT;
	lens_return(&regs);
}

static void lock(const void *m)
{
	enter(LENS_LOCK, m, NULL);
	come_back(LENS_LOCK, 0);
}

static void unlock(const void *m)
{
	enter(LENS_UNLOCK, m, NULL);
}

static void begin_wait(const void *m)
{
	enter(LENS_WAIT, cond, m);
}

static void end_wait(int ret)
{
	come_back(LENS_WAIT, ret);
}

static struct lens_state *state(uint32_t tid)
{
	return bpf_map_lookup_elem(&states, &tid);
}

static uint32_t nr_rows(const void *map)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < test_bpf.nr; i++)
		nr += test_bpf.row[i].map == map;
	return nr;
}

/* Of all its rows, where a test makes one only. */
static const struct lens_nesting_key *nesting(void)
{
	for (uint32_t i = 0; i < test_bpf.nr; i++)
		if (test_bpf.row[i].map == &nestings)
			return test_bpf.row[i].key;
	return NULL;
}

/* Times that holds of this lock ended, whichever call it was taken by. */
static uint64_t nr_holds(const void *lock)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < test_bpf.nr; i++) {
		const struct lens_hold_key *key = test_bpf.row[i].key;
		const struct lens_hold *hold = test_bpf.row[i].value;

		if (test_bpf.row[i].map == &holds &&
		    (key->addr & LENS_ADDR) == (uintptr_t)lock)
			nr += hold->nr;
	}
	return nr;
}

FIXTURE(lens)
{
	struct lens_state *one;
};

/* The first call of each thread is one of which nothing is believed. */
FIXTURE_SETUP(lens)
{
	test_bpf.task = &task;
	lens_on = 1;
	run_as(TWO);
	unlock(mutex[LENS_MAX_HELD + 1]);
	run_as(ONE);
	unlock(mutex[LENS_MAX_HELD + 1]);
	self->one = state(ONE);
	ASSERT_NE(NULL, self->one);
}

FIXTURE_TEARDOWN(lens)
{
	while (test_bpf.nr)
		test_free_row(&test_bpf.row[0]);
}

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

/* --- semaphores --- */

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
