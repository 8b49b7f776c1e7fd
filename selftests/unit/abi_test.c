// SPDX-License-Identifier: GPL-2.0
/*
 * abi_test - the binary interface, in literal numbers: every field where the
 * readers that are out there expect it, and no holes.
 */
#include <stddef.h>

#include "../../kmod/uapi/gridlock.h"
#include "kselftest_harness.h"

/* Each field with the offset it has had since version 1, in order. */
#define HEADER_FIELDS(X)                                                                  \
	X(magic, 0) X(version, 8) X(header_size, 12) X(record_size, 16) X(record_type, 20) \
	X(nr_records, 24) X(nr_unshown, 32) X(nr_lost_begins, 40) X(nr_lost_ends, 48)      \
	X(nr_meanwhile, 56) X(taken_at_ns, 64) X(done_at_ns, 72) X(load_id, 80)            \
	X(clock_id, 88) X(flags, 92) X(__reserved, 96)

#define WAIT_FIELDS(X)                                                                    \
	X(gen, 0) X(res_id, 8) X(res_addr, 16) X(space_id, 24) X(begin_ns, 32)             \
	X(start_ns, 40) X(nr_switches, 48) X(owner_start_ns, 56) X(tid, 64) X(tgid, 68)    \
	X(owner_tid, 72) X(owner_tgid, 76) X(slot, 80) X(kind, 84) X(flags, 88)            \
	X(owner_state, 92) X(task_state, 96) X(nr_overtaken, 100) X(cpu, 104)              \
	X(__reserved0, 108) X(futex_val, 112) X(__reserved1, 116)                          \
	X(comm, 128) X(owner_comm, 144) X(name, 160)

#define LOCK_FIELDS(X)                                                                    \
	X(res_id, 0) X(res_addr, 8) X(space_id, 16) X(nr_begun, 24) X(nr_ended, 32)        \
	X(nr_failed, 40) X(nr_lost, 48) X(total_ns, 56) X(min_ns, 64) X(max_ns, 72)        \
	X(row, 80) X(kind, 84) X(flags, 88) X(tgid, 92) X(hist, 96) X(name, 416)          \
	X(nr_failed_by, 480) X(form, 504) X(__reserved, 508) X(nr_holds, 512)               \
	X(nr_holds_in_irq, 520) X(hold_total_ns, 528) X(hold_max_ns, 536)

#define GROUP_FIELDS(X)                                                                   \
	X(nr_ended, 0) X(nr_failed, 8) X(total_ns, 16) X(max_ns, 24) X(start_ns, 32)       \
	X(cgroup_id, 40) X(row, 48) X(by, 52) X(kind, 56) X(tid, 60) X(tgid, 64)           \
	X(nr_frames, 68) X(comm, 72) X(stack, 88)

TEST(header_fields_stay_where_they_are)
{
	struct gl_header h;
	size_t sum = 0;

#define CHECK(field, offset)					\
	EXPECT_EQ(offset, offsetof(struct gl_header, field));	\
	sum += sizeof(h.field);
	HEADER_FIELDS(CHECK)
#undef CHECK
	EXPECT_EQ(128, sizeof(h));
	EXPECT_EQ(128, sum);
}

TEST(wait_fields_stay_where_they_are)
{
	struct gl_wait_record r;
	size_t sum = 0;

#define CHECK(field, offset)					\
	EXPECT_EQ(offset, offsetof(struct gl_wait_record, field));	\
	sum += sizeof(r.field);
	WAIT_FIELDS(CHECK)
#undef CHECK
	EXPECT_EQ(224, sizeof(r));
	EXPECT_EQ(224, sum);
}

TEST(lock_fields_stay_where_they_are)
{
	struct gl_lock_record r;
	size_t sum = 0;

#define CHECK(field, offset)					\
	EXPECT_EQ(offset, offsetof(struct gl_lock_record, field));	\
	sum += sizeof(r.field);
	LOCK_FIELDS(CHECK)
#undef CHECK
	EXPECT_EQ(544, sizeof(r));
	EXPECT_EQ(544, sum);
}

TEST(group_fields_stay_where_they_are)
{
	struct gl_group_record r;
	size_t sum = 0;

#define CHECK(field, offset)					\
	EXPECT_EQ(offset, offsetof(struct gl_group_record, field));	\
	sum += sizeof(r.field);
	GROUP_FIELDS(CHECK)
#undef CHECK
	EXPECT_EQ(464, sizeof(r));
	EXPECT_EQ(464, sum);
}

TEST(magic_reads_gridlock)
{
	const __u64 magic = GL_ABI_MAGIC;

	EXPECT_EQ(0, memcmp(&magic, "GRIDLOCK", 8));
	EXPECT_EQ(1, GL_ABI_VERSION);
}

/* Kinds are stored as numbers: new ones go where they move no other. */
TEST(kinds_keep_their_numbers)
{
	EXPECT_EQ(0, GL_KIND_UNKNOWN);
	EXPECT_EQ(1, GL_KIND_SPINLOCK);
	EXPECT_EQ(6, GL_KIND_MUTEX);
	EXPECT_EQ(12, GL_KIND_RWLOCK_RT_W);
	EXPECT_EQ(13, GL_KIND_FUTEX);
	EXPECT_EQ(14, GL_KIND_FUTEX_PI);
	EXPECT_EQ(15, GL_KIND_FLOCK);
	EXPECT_EQ(19, GL_KIND_SYSV_SEM);
	EXPECT_EQ(19, GL_NR_COUNTED_KINDS);
	EXPECT_EQ(34, GL_KIND_USERFAULT);
}

TEST(forms_keep_their_numbers)
{
	EXPECT_EQ(0, GL_FORM_UNKNOWN);
	EXPECT_EQ(1, GL_FORM_SPINLOCK);
	EXPECT_EQ(3, GL_FORM_WW_MUTEX);
	EXPECT_EQ(6, GL_FORM_RWSEM);
	EXPECT_EQ(7, GL_FORM_SEVERAL);
}

TEST(flags_and_states_keep_their_numbers)
{
	EXPECT_EQ(1, GL_RECORD_WAIT);
	EXPECT_EQ(2, GL_RECORD_LOCK);
	EXPECT_EQ(0x001, GL_WAIT_SHARED);
	EXPECT_EQ(0x400, GL_WAIT_WAS_HANDED);
	EXPECT_EQ(0x800, GL_WAIT_REQUEUED);
	EXPECT_EQ(3, GL_OWNER_KNOWN);
	EXPECT_EQ(5, GL_OWNER_DEAD);
	EXPECT_EQ(1, GL_ROW_TOTAL);
	EXPECT_EQ(3, GL_ROW_OTHER);
	EXPECT_EQ(4, GL_ROW_GROUP);
	EXPECT_EQ(3, GL_RECORD_GROUP);
	EXPECT_EQ(1, GL_BY_TASK);
	EXPECT_EQ(4, GL_BY_CALLER);
	EXPECT_EQ(40, GL_NR_BUCKETS);
	EXPECT_EQ(4, GL_FILE_HOLDS);
	EXPECT_EQ(0, GL_FAILED_SIGNAL);
	EXPECT_EQ(2, GL_FAILED_DEADLOCK);
}

TEST_HARNESS_MAIN
