// SPDX-License-Identifier: GPL-2.0
/*
 * lock_rows_test - rows of the contention table: what is merged, what is filtered,
 * what a histogram's percentiles are, and who the caller on a stack is.
 */
#include <stdio.h>
#include <string.h>

#include "../../kmod/uapi/gridlock.h"
#include "kselftest_harness.h"
#include "lock_rows.h"
#include "snapshot.h"

static struct gl_group_record group(uint32_t by, uint32_t kind, int tid, uint64_t ended)
{
	return (struct gl_group_record){ .row = GL_ROW_GROUP, .by = by, .kind = kind, .tid = tid,
					 .tgid = tid, .start_ns = 5, .nr_ended = ended,
					 .total_ns = 100 * ended, .max_ns = 10 * ended };
}

static struct gl_group_record caller(uint32_t kind, const char *stack)
{
	struct gl_group_record r = group(GL_BY_CALLER, kind, 0, 1);

	r.start_ns = 0;
	snprintf(r.stack, sizeof(r.stack), "%s", stack);
	return r;
}

FIXTURE(rows)
{
	struct lock_row *rows;
	size_t nr;
	bool is_counted;
};

FIXTURE_SETUP(rows)
{
	self->rows = NULL;
	self->nr = 0;
}

FIXTURE_TEARDOWN(rows)
{
	rows_free(self->rows, self->nr);
}

static void make(FIXTURE_DATA(rows) *self, struct gl_group_record *groups, size_t nr,
		 struct row_filter filter)
{
	struct snapshot snap = { .groups = groups, .nr = nr };

	self->nr = rows_make(&snap, &filter, &self->rows, &self->is_counted);
}

static struct gl_lock_record lock(uint32_t row, uint64_t begun, uint64_t ended, uint64_t lost)
{
	return (struct gl_lock_record){ .row = row, .kind = GL_KIND_MUTEX, .res_id = row,
					.nr_begun = begun, .nr_ended = ended, .nr_lost = lost };
}

TEST_F(rows, what_is_in_flight_and_why_waits_failed_is_told)
{
	struct gl_lock_record locks[] = {
		lock(GL_ROW_LOCK, 7, 3, 2), lock(GL_ROW_OTHER, 0, 1, 0),
		lock(GL_ROW_OTHER, 3, 2, 2), lock(GL_ROW_LOCK, 3, 2, 1),
		lock(GL_ROW_TOTAL, 9, 9, 0), lock(GL_ROW_OTHER, 0, 0, 0),
	};
	struct snapshot snap = { .locks = locks, .nr = 6 };
	struct row_filter filter = { .by = ROWS_BY_LOCK };

	locks[0].nr_failed_by[GL_FAILED_DEADLOCK] = 2;
	locks[0].form = GL_FORM_WW_MUTEX;
	self->nr = rows_make(&snap, &filter, &self->rows, &self->is_counted);
	ASSERT_EQ(4, self->nr);
	EXPECT_EQ(2, self->rows[0].failed_by[GL_FAILED_DEADLOCK]);
	EXPECT_EQ(0, self->rows[0].failed_by[GL_FAILED_TIMEOUT]);
	EXPECT_EQ(GL_FORM_WW_MUTEX, self->rows[0].form);
	EXPECT_EQ(GL_FORM_UNKNOWN, self->rows[3].form);
	EXPECT_EQ(2, self->rows[0].waiting);
	EXPECT_EQ(ROW_UNKNOWN, self->rows[1].waiting);
	EXPECT_EQ(ROW_UNKNOWN, self->rows[2].waiting);
	EXPECT_EQ(0, self->rows[3].waiting);
}

TEST_F(rows, holds_are_told_where_they_are_counted)
{
	struct gl_lock_record locks[] = { lock(GL_ROW_LOCK, 3, 3, 0), lock(GL_ROW_LOCK, 1, 1, 0) };
	struct snapshot snap = { .locks = locks, .nr = 2, .header.flags = GL_FILE_HOLDS };
	struct row_filter filter = { .by = ROWS_BY_LOCK };

	locks[0].nr_holds = 2;
	locks[0].nr_holds_in_irq = 1;
	locks[0].hold_total_ns = 500;
	locks[0].hold_max_ns = 400;
	self->nr = rows_make(&snap, &filter, &self->rows, &self->is_counted);
	ASSERT_EQ(2, self->nr);
	EXPECT_TRUE(rows_have_holds(&snap));
	EXPECT_EQ(2, self->rows[0].holds);
	EXPECT_EQ(1, self->rows[0].holds_in_irq);
	EXPECT_EQ(250, row_avg_hold_ns(&self->rows[0]));
	EXPECT_EQ(400, self->rows[0].hold_max_ns);
	EXPECT_EQ(0, row_avg_hold_ns(&self->rows[1]));
}

/* The same file without the flag: the twin. */
TEST_F(rows, holds_are_unknown_where_they_are_not_counted)
{
	struct gl_lock_record locks[] = { lock(GL_ROW_LOCK, 3, 3, 0) };
	struct snapshot snap = { .locks = locks, .nr = 1 };
	struct row_filter filter = { .by = ROWS_BY_LOCK };

	self->nr = rows_make(&snap, &filter, &self->rows, &self->is_counted);
	ASSERT_EQ(1, self->nr);
	EXPECT_FALSE(rows_have_holds(&snap));
	EXPECT_EQ(ROW_UNKNOWN, self->rows[0].holds);
	EXPECT_EQ(ROW_UNKNOWN, row_avg_hold_ns(&self->rows[0]));
}

TEST_F(rows, a_task_is_one_row_over_kinds)
{
	struct gl_group_record groups[] = {
		group(GL_BY_TASK, GL_KIND_MUTEX, 7, 2), group(GL_BY_TASK, GL_KIND_RWSEM_R, 8, 1),
		group(GL_BY_TASK, GL_KIND_RWSEM_R, 7, 3), group(GL_BY_OWNER, GL_KIND_MUTEX, 7, 9),
	};

	make(self, groups, 4, (struct row_filter){ .by = ROWS_BY_TASK });
	ASSERT_TRUE(self->is_counted);
	ASSERT_EQ(2, self->nr);
	EXPECT_EQ(7, self->rows[0].tid);
	EXPECT_EQ(5, self->rows[0].contended);
	EXPECT_EQ(500, self->rows[0].total_ns);
	EXPECT_EQ(30, self->rows[0].max_ns);
	EXPECT_EQ(1, self->rows[1].contended);
}

/* The same number, begun at another time: the twin. */
TEST_F(rows, two_tasks_of_one_number_are_two_rows)
{
	struct gl_group_record groups[] = {
		group(GL_BY_TASK, GL_KIND_MUTEX, 7, 2), group(GL_BY_TASK, GL_KIND_RWSEM_R, 7, 3),
	};

	groups[1].start_ns++;
	make(self, groups, 2, (struct row_filter){ .by = ROWS_BY_TASK });
	EXPECT_EQ(2, self->nr);
}

/* Idle tasks have the number 0 and began at 0; so has what is no task's. */
TEST_F(rows, waits_of_no_task_are_not_those_of_the_idle_tasks)
{
	struct gl_group_record groups[] = {
		group(GL_BY_TASK, GL_KIND_SPINLOCK, 0, 2),
		group(GL_BY_TASK, GL_KIND_SPINLOCK, 0, 4),
		group(GL_BY_TASK, GL_KIND_MUTEX, 0, 3),
		group(GL_BY_TASK, GL_KIND_RWSEM_R, 0, 1),
	};

	for (size_t i = 0; i < 4; i++)
		groups[i].start_ns = 0;
	groups[1].row = GL_ROW_OTHER;
	groups[2].row = GL_ROW_OTHER;
	make(self, groups, 4, (struct row_filter){ .by = ROWS_BY_TASK });
	ASSERT_EQ(2, self->nr);
	EXPECT_EQ(3, self->rows[0].contended);
	EXPECT_STREQ("(others)", self->rows[1].label);
	EXPECT_EQ(7, self->rows[1].contended);
}

TEST_F(rows, types_are_filtered_before_they_are_merged)
{
	struct gl_group_record groups[] = {
		group(GL_BY_TASK, GL_KIND_MUTEX, 7, 2), group(GL_BY_TASK, GL_KIND_RWSEM_R, 7, 3),
		group(GL_BY_TASK, GL_KIND_RWSEM_W, 7, 4),
	};

	make(self, groups, 3, (struct row_filter){ .by = ROWS_BY_TASK, .types = "rwsem" });
	ASSERT_EQ(1, self->nr);
	EXPECT_EQ(7, self->rows[0].contended);
}

TEST_F(rows, what_is_not_counted_is_told)
{
	struct gl_group_record groups[] = { group(GL_BY_TASK, GL_KIND_MUTEX, 7, 2) };

	make(self, groups, 1, (struct row_filter){ .by = ROWS_BY_OWNER });
	EXPECT_FALSE(self->is_counted);
	EXPECT_EQ(0, self->nr);
}

TEST_F(rows, caller_is_below_the_code_of_the_lock)
{
	struct gl_group_record groups[] = {
		caller(GL_KIND_MUTEX, "__mutex_lock.isra.0+0x1 mutex_lock+0x2 do_it+0x3 x+0x4"),
		caller(GL_KIND_MUTEX, "__traceiter_x+0x9 mutex_lock+0x2 do_it+0x3 y+0x4"),
		caller(GL_KIND_SEMAPHORE, "__down+0x1 down+0x2 download+0x3"),
	};

	make(self, groups, 3, (struct row_filter){ .by = ROWS_BY_CALLER });
	ASSERT_EQ(2, self->nr);
	EXPECT_STREQ("do_it+0x3", self->rows[0].label);
	EXPECT_EQ(2, self->rows[0].contended);
	EXPECT_STREQ("download+0x3", self->rows[1].label);
}

TEST_F(rows, stack_is_safe_to_print)
{
	struct gl_group_record groups[] = {
		caller(GL_KIND_MUTEX, "mutex_lock+0x2 do\033[2J\xff+0x3 x\n+0x4"),
	};

	make(self, groups, 1, (struct row_filter){ .by = ROWS_BY_CALLER });
	ASSERT_EQ(1, self->nr);
	EXPECT_STREQ("do\\x1b[2J\\xff+0x3", self->rows[0].label);
	EXPECT_STREQ("mutex_lock+0x2 do\\x1b[2J\\xff+0x3 x\\x0a+0x4", self->rows[0].stack);
}

/* The longest stack that the module tells, of what takes most room. */
TEST_F(rows, stack_is_told_whole)
{
	char stack[GL_STACK_LEN];
	struct gl_group_record groups[1];

	memset(stack, '\n', sizeof(stack));
	stack[sizeof(stack) - 1] = '\0';
	groups[0] = caller(GL_KIND_MUTEX, stack);
	make(self, groups, 1, (struct row_filter){ .by = ROWS_BY_CALLER });
	ASSERT_EQ(1, self->nr);
	EXPECT_EQ(4 * (sizeof(stack) - 1), strlen(self->rows[0].stack));
}

TEST_F(rows, stacks_are_filtered_by_names_without_offsets)
{
	struct gl_group_record groups[] = {
		caller(GL_KIND_MUTEX, "mutex_lock+0x2 do_it+0xabc x+0x4"),
		caller(GL_KIND_MUTEX, "mutex_lock+0x2 other+0x3 abc_x+0x4"),
	};

	make(self, groups, 2, (struct row_filter){ .by = ROWS_BY_CALLER, .function = "abc" });
	ASSERT_EQ(1, self->nr);
	EXPECT_STREQ("other+0x3", self->rows[0].label);
}

static void make_lock(FIXTURE_DATA(rows) *self, struct gl_lock_record *lock)
{
	struct snapshot snap = { .locks = lock, .nr = 1 };
	struct row_filter filter = { .by = ROWS_BY_LOCK };

	self->nr = rows_make(&snap, &filter, &self->rows, &self->is_counted);
}

/* 98 waits below 1024 ns, one below 2048 ns, one of 5000 ns. */
static struct gl_lock_record lock_with_waits(void)
{
	struct gl_lock_record lock = { .row = GL_ROW_LOCK, .kind = GL_KIND_MUTEX, .nr_begun = 100,
				       .nr_ended = 100, .max_ns = 5000, .flags = GL_LOCK_HIST };

	lock.hist[9] = 98;
	lock.hist[10] = 1;
	lock.hist[12] = 1;
	return lock;
}

TEST_F(rows, percentiles_are_ends_of_buckets)
{
	struct gl_lock_record lock = lock_with_waits();

	make_lock(self, &lock);
	ASSERT_EQ(1, self->nr);
	EXPECT_EQ(1023, self->rows[0].p50_ns);
	EXPECT_EQ(2047, self->rows[0].p99_ns);
}

TEST_F(rows, percentile_is_never_above_the_longest)
{
	struct gl_lock_record lock = lock_with_waits();

	lock.hist[12] = 3;
	make_lock(self, &lock);
	EXPECT_EQ(5000, self->rows[0].p99_ns);
}

TEST_F(rows, without_a_histogram_there_is_no_percentile)
{
	struct gl_lock_record lock = lock_with_waits();

	lock.flags = 0;
	make_lock(self, &lock);
	EXPECT_EQ(ROW_UNKNOWN, self->rows[0].p50_ns);
}

TEST_HARNESS_MAIN
