// SPDX-License-Identifier: GPL-2.0
/* lens_holds_test - how long locks were held, summed up of rows written by hand. */
#include "kselftest_harness.h"
#include "lens_holds.h"

static struct lens_hold_key key_of(uint32_t tgid, uint64_t addr, uint64_t site)
{
	return (struct lens_hold_key){ .tgid = tgid, .addr = addr, .site = site };
}

TEST(calls_that_take_the_same_lock_are_one_row)
{
	const struct lens_hold_key key[] = {
		key_of(1, 0x10, 0xa), key_of(2, 0x10, 0xa), key_of(1, 0x10, 0xb),
	};
	const struct lens_hold row[] = {
		{ .nr = 2, .total_ns = 60, .max_ns = 33, .slot = { [4] = 1, [5] = 1 } },
		{ .nr = 1, .total_ns = 100, .max_ns = 100, .slot = { [6] = 1 } },
		{ .nr = 1, .total_ns = 60, .max_ns = 60, .slot = { [5] = 1 } },
	};
	struct lens_holds holds;

	lens_holds_sum(key, row, 3, &holds);
	ASSERT_EQ(2, holds.nr);
	EXPECT_EQ(2, holds.nr_locks);
	EXPECT_EQ(1, holds.hold[0].pid);
	EXPECT_EQ(3, holds.hold[0].nr);
	EXPECT_EQ(120, holds.hold[0].total_ns);
	EXPECT_EQ(60, holds.hold[0].max_ns);
	EXPECT_EQ(0xb, holds.hold[0].site);
	EXPECT_EQ(2, holds.hold[0].slot[5]);
	EXPECT_EQ(2, holds.hold[1].pid);
	lens_holds_free(&holds);
}

TEST(rwlock_is_two_rows_one_for_its_readers)
{
	const uint64_t rwlock = 0x10 | LENS_IS_RWLOCK;
	const struct lens_hold_key key[] = {
		key_of(1, rwlock, 0xa), key_of(1, rwlock | LENS_IS_SHARED, 0xa),
		key_of(1, rwlock | LENS_IS_SHARED, 0xb),
	};
	const struct lens_hold row[] = {
		{ .nr = 1, .total_ns = 50, .max_ns = 50, .slot = { [5] = 1 } },
		{ .nr = 1, .total_ns = 60, .max_ns = 60, .slot = { [5] = 1 } },
		{ .nr = 1, .total_ns = 70, .max_ns = 70, .slot = { [6] = 1 } },
	};
	struct lens_holds holds;

	lens_holds_sum(key, row, 3, &holds);
	ASSERT_EQ(2, holds.nr);
	EXPECT_EQ(rwlock | LENS_IS_SHARED, holds.hold[0].lock);
	EXPECT_EQ(130, holds.hold[0].total_ns);
	EXPECT_EQ(rwlock, holds.hold[1].lock);
	EXPECT_EQ(50, holds.hold[1].total_ns);
	lens_holds_free(&holds);
}

TEST(percentiles_are_ends_of_slots_but_never_above_the_longest)
{
	const struct lens_hold_key key = key_of(1, 0x10, 0xa);
	struct lens_hold row = { .nr = 100, .total_ns = 1, .max_ns = 5000 };
	struct lens_holds holds;

	row.slot[3] = 50;
	row.slot[7] = 49;
	row.slot[12] = 1;
	lens_holds_sum(&key, &row, 1, &holds);
	EXPECT_EQ(16, holds.hold[0].p50_ns);
	EXPECT_EQ(256, holds.hold[0].p99_ns);
	lens_holds_free(&holds);

	row.slot[3] = 49;
	row.slot[7] = 49;
	row.slot[12] = 2;
	lens_holds_sum(&key, &row, 1, &holds);
	EXPECT_EQ(256, holds.hold[0].p50_ns);
	EXPECT_EQ(5000, holds.hold[0].p99_ns);
	lens_holds_free(&holds);
}

TEST(the_last_slot_has_no_end)
{
	const struct lens_hold_key key = key_of(1, 0x10, 0xa);
	struct lens_hold row = { .nr = 1, .total_ns = 1ULL << 50, .max_ns = 1ULL << 50 };
	struct lens_holds holds;

	row.slot[LENS_HOLD_SLOTS - 1] = 1;
	lens_holds_sum(&key, &row, 1, &holds);
	EXPECT_EQ(1ULL << 50, holds.hold[0].p50_ns);
	EXPECT_EQ(0, lens_hold_below_ns(LENS_HOLD_SLOTS - 1));
	EXPECT_EQ(2, lens_hold_below_ns(0));
	EXPECT_EQ(1ULL << (LENS_HOLD_SLOTS - 1), lens_hold_below_ns(LENS_HOLD_SLOTS - 2));
	lens_holds_free(&holds);
}

TEST(those_held_longest_in_all_are_told)
{
	struct lens_hold_key key[LENS_TOLD_HOLDS + 5];
	struct lens_hold row[LENS_TOLD_HOLDS + 5] = { 0 };
	struct lens_holds holds;

	for (uint32_t i = 0; i < LENS_TOLD_HOLDS + 5; i++) {
		key[i] = key_of(1, 16 * (i + 1), 0xa);
		row[i].nr = 1;
		row[i].total_ns = i + 1;
	}
	lens_holds_sum(key, row, LENS_TOLD_HOLDS + 5, &holds);
	ASSERT_EQ(LENS_TOLD_HOLDS, holds.nr);
	EXPECT_EQ(LENS_TOLD_HOLDS + 5, holds.nr_locks);
	for (uint32_t i = 0; i < holds.nr; i++)
		EXPECT_EQ(LENS_TOLD_HOLDS + 5 - i, holds.hold[i].total_ns);
	lens_holds_free(&holds);
}

TEST(nothing_is_nothing)
{
	struct lens_holds holds;

	lens_holds_sum(NULL, NULL, 0, &holds);
	EXPECT_EQ(0, holds.nr);
	EXPECT_EQ(0, holds.nr_locks);
	lens_holds_free(&holds);
}

TEST_HARNESS_MAIN
