// SPDX-License-Identifier: GPL-2.0
/* snapshot_test - nothing in the module's files is trusted */
#include <errno.h>
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>

#include "kselftest_harness.h"
#include "snapshot.h"

/** struct file - a file's bytes, in memory of exactly its size */
struct file {
	char *data;
	size_t size;
};

static struct gl_header header_of(uint32_t type, uint64_t nr)
{
	return (struct gl_header){
		.magic = GL_ABI_MAGIC,
		.version = GL_ABI_VERSION,
		.header_size = sizeof(struct gl_header),
		.record_size = type == GL_RECORD_WAIT ? sizeof(struct gl_wait_record) :
							sizeof(struct gl_lock_record),
		.record_type = type,
		.nr_records = nr,
		.taken_at_ns = 77,
		.load_id = 88,
		.clock_id = 1,
	};
}

/*
 * A file by the sizes of @head: as much of @head and of each record as they
 * have room for, the rest filled with ones.
 */
static struct file file_of(struct gl_header head, const void *records, size_t record_size)
{
	struct file f = { .size = head.header_size + head.nr_records * head.record_size };
	size_t head_size = head.header_size < sizeof(head) ? head.header_size : sizeof(head);
	size_t size = head.record_size < record_size ? head.record_size : record_size;

	f.data = malloc(f.size);
	memset(f.data, 0xff, f.size);
	memcpy(f.data, &head, head_size);
	for (uint64_t i = 0; i < head.nr_records; i++)
		memcpy(f.data + head.header_size + i * head.record_size,
		       (const char *)records + i * record_size, size);
	return f;
}

FIXTURE(rows)
{
	struct gl_wait_record rows[3];
	struct snapshot *s;
};

FIXTURE_SETUP(rows)
{
	for (int i = 0; i < 3; i++) {
		self->rows[i].gen = 100 + i;
		self->rows[i].tid = 10 - i;
		self->rows[i].begin_ns = 1000 + i;
		self->rows[i].kind = GL_KIND_MUTEX;
		strcpy(self->rows[i].comm, "task");
		strcpy(self->rows[i].name, "lock");
	}
}

FIXTURE_TEARDOWN(rows)
{
	snapshot_free(self->s);
	self->s = NULL;
	EXPECT_EQ(0, __lsan_do_recoverable_leak_check());
}

/* Decode and let go of the file: what is decoded is a copy. */
static int decode(FIXTURE_DATA(rows) * self, struct gl_header head)
{
	struct file f = file_of(head, self->rows, sizeof(self->rows[0]));
	int err = snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s);

	free(f.data);
	return err;
}

TEST_F(rows, are_decoded)
{
	ASSERT_EQ(0, decode(self, header_of(GL_RECORD_WAIT, 3)));
	ASSERT_EQ(3, self->s->nr);
	EXPECT_EQ(77, self->s->header.taken_at_ns);
	EXPECT_EQ(NULL, self->s->locks);
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, memcmp(&self->rows[i], &self->s->waits[i], sizeof(self->rows[i])));
}

TEST_F(rows, none_is_a_valid_snapshot)
{
	uint32_t nr;

	ASSERT_EQ(0, decode(self, header_of(GL_RECORD_WAIT, 0)));
	EXPECT_EQ(0, self->s->nr);
	EXPECT_EQ(NULL, snapshot_rows(self->s, 10, &nr));
	EXPECT_EQ(0, nr);
}

TEST_F(rows, truncated_anywhere_are_refused)
{
	struct file f = file_of(header_of(GL_RECORD_WAIT, 3), self->rows, sizeof(self->rows[0]));

	for (size_t size = 0; size < f.size; size++) {
		/* In memory of its own: a read beyond the end is caught. */
		char *data = malloc(size ? size : 1);
		int err;

		memcpy(data, f.data, size);
		err = snapshot_decode(data, size, GL_RECORD_WAIT, &self->s);
		/* Less than a magic number could be any file. */
		ASSERT_EQ(size && size < 8 ? -EBADMSG : -EMSGSIZE, err)
		TH_LOG("at %zu bytes", size);
		free(data);
	}
	free(f.data);
}

TEST_F(rows, bytes_after_the_last_are_ignored)
{
	struct file f = file_of(header_of(GL_RECORD_WAIT, 3), self->rows, sizeof(self->rows[0]));

	((struct gl_header *)f.data)->nr_records = 2;
	ASSERT_EQ(0, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	EXPECT_EQ(2, self->s->nr);
	free(f.data);
}

TEST_F(rows, other_magic_is_no_such_file)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);

	head.magic ^= 1;
	EXPECT_EQ(-EBADMSG, decode(self, head));
}

TEST_F(rows, other_version_is_refused)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);

	head.version = GL_ABI_VERSION + 1;
	EXPECT_EQ(-EPROTONOSUPPORT, decode(self, head));
	head.version = 0;
	EXPECT_EQ(-EPROTONOSUPPORT, decode(self, head));
}

TEST_F(rows, of_another_type_are_refused)
{
	EXPECT_EQ(-EPROTONOSUPPORT, decode(self, header_of(GL_RECORD_LOCK, 3)));
}

TEST_F(rows, larger_records_lose_their_tail)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);

	head.record_size += 40;
	ASSERT_EQ(0, decode(self, head));
	for (int i = 0; i < 3; i++)
		EXPECT_EQ(0, memcmp(&self->rows[i], &self->s->waits[i], sizeof(self->rows[i])));
}

TEST_F(rows, larger_header_loses_its_tail)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);

	head.header_size += 40;
	ASSERT_EQ(0, decode(self, head));
	EXPECT_EQ(102, self->s->waits[2].gen);
}

TEST_F(rows, missing_tail_of_the_header_is_zero)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);

	head.header_size = 96;
	ASSERT_EQ(0, decode(self, head));
	EXPECT_EQ(88, self->s->header.load_id);
	for (int i = 0; i < 4; i++)
		EXPECT_EQ(0, self->s->header.__reserved[i]);
	EXPECT_EQ(102, self->s->waits[2].gen);
}

/* Version 1 has all of today's fields: less is no file of ours. */
TEST_F(rows, sizes_below_those_of_version_1_are_refused)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);
	struct file f = file_of(head, self->rows, sizeof(self->rows[0]));
	struct gl_header *in = (struct gl_header *)f.data;

	in->record_size = head.record_size - 8;
	EXPECT_EQ(-EPROTONOSUPPORT, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	in->record_size = 0;
	EXPECT_EQ(-EPROTONOSUPPORT, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	*in = head;
	in->header_size = 88;
	EXPECT_EQ(-EPROTONOSUPPORT, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	in->header_size = 0;
	EXPECT_EQ(-EPROTONOSUPPORT, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	free(f.data);
}

TEST_F(rows, odd_record_size_is_refused)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);

	head.record_size += 4;
	EXPECT_EQ(-EPROTONOSUPPORT, decode(self, head));
}

TEST_F(rows, sizes_that_overflow_are_refused)
{
	struct gl_header head = header_of(GL_RECORD_WAIT, 3);
	struct file f = file_of(head, self->rows, sizeof(self->rows[0]));
	struct gl_header *in = (struct gl_header *)f.data;

	/* nr_records * record_size is the right size again, modulo 2^64. */
	in->nr_records = (1ULL << 59) + 3;
	EXPECT_EQ(-EMSGSIZE, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	in->nr_records = UINT64_MAX;
	EXPECT_EQ(-EMSGSIZE, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	*in = head;
	in->header_size = UINT32_MAX;
	EXPECT_EQ(-EMSGSIZE, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	*in = head;
	in->record_size = UINT32_MAX - 7;
	EXPECT_EQ(-EMSGSIZE, snapshot_decode(f.data, f.size, GL_RECORD_WAIT, &self->s));
	free(f.data);
}

TEST_F(rows, strings_are_terminated)
{
	memset(self->rows[1].comm, 'x', sizeof(self->rows[1].comm));
	memset(self->rows[1].owner_comm, 'y', sizeof(self->rows[1].owner_comm));
	memset(self->rows[1].name, 'z', sizeof(self->rows[1].name));
	ASSERT_EQ(0, decode(self, header_of(GL_RECORD_WAIT, 3)));
	EXPECT_EQ(15, strlen(self->s->waits[1].comm));
	EXPECT_EQ(15, strlen(self->s->waits[1].owner_comm));
	EXPECT_EQ(63, strlen(self->s->waits[1].name));
}

TEST_F(rows, kinds_out_of_range_are_unknown)
{
	self->rows[0].kind = GL_NR_KINDS - 1;
	self->rows[1].kind = GL_NR_KINDS;
	self->rows[2].kind = UINT32_MAX;
	ASSERT_EQ(0, decode(self, header_of(GL_RECORD_WAIT, 3)));
	EXPECT_EQ(GL_NR_KINDS - 1, self->s->waits[0].kind);
	EXPECT_EQ(GL_KIND_UNKNOWN, self->s->waits[1].kind);
	EXPECT_EQ(GL_KIND_UNKNOWN, self->s->waits[2].kind);
}

TEST_F(rows, are_found_by_tid)
{
	const uint32_t *row;
	uint32_t nr;

	ASSERT_EQ(0, decode(self, header_of(GL_RECORD_WAIT, 3)));
	for (pid_t tid = 8; tid <= 10; tid++) {
		row = snapshot_rows(self->s, tid, &nr);
		ASSERT_EQ(1, nr);
		EXPECT_EQ(tid, self->s->waits[row[0]].tid);
	}
	EXPECT_EQ(NULL, snapshot_rows(self->s, 7, &nr));
	EXPECT_EQ(0, nr);
	EXPECT_EQ(NULL, snapshot_rows(self->s, 11, &nr));
	EXPECT_EQ(NULL, snapshot_rows(self->s, -1, &nr));
}

TEST_F(rows, of_one_task_come_youngest_first)
{
	const uint32_t *row;
	uint32_t nr;

	self->rows[0].tid = 5;
	self->rows[2].tid = 5;
	ASSERT_EQ(0, decode(self, header_of(GL_RECORD_WAIT, 3)));
	row = snapshot_rows(self->s, 5, &nr);
	ASSERT_EQ(2, nr);
	EXPECT_EQ(102, self->s->waits[row[0]].gen);
	EXPECT_EQ(100, self->s->waits[row[1]].gen);
}

TEST(lock_rows_are_decoded)
{
	struct gl_lock_record rows[2] = {
		{ .row = GL_ROW_TOTAL, .kind = GL_KIND_MUTEX, .nr_begun = 5 },
		{ .row = GL_ROW_LOCK, .kind = GL_NR_KINDS, .nr_begun = 3, .form = GL_NR_FORMS },
	};
	struct snapshot *s;
	struct file f;

	rows[0].form = GL_FORM_WW_MUTEX;
	memset(rows[1].name, 'n', sizeof(rows[1].name));
	f = file_of(header_of(GL_RECORD_LOCK, 2), rows, sizeof(rows[0]));
	ASSERT_EQ(0, snapshot_decode(f.data, f.size, GL_RECORD_LOCK, &s));
	free(f.data);
	EXPECT_EQ(2, s->nr);
	EXPECT_EQ(NULL, s->waits);
	EXPECT_EQ(5, s->locks[0].nr_begun);
	EXPECT_EQ(GL_KIND_MUTEX, s->locks[0].kind);
	EXPECT_EQ(GL_KIND_UNKNOWN, s->locks[1].kind);
	EXPECT_EQ(GL_FORM_WW_MUTEX, s->locks[0].form);
	EXPECT_EQ(GL_FORM_UNKNOWN, s->locks[1].form);
	EXPECT_EQ(63, strlen(s->locks[1].name));
	snapshot_free(s);
}

/* As modules write them that do not tell forms. */
TEST(lock_rows_of_the_second_version_are_decoded)
{
	struct gl_lock_record row = { .nr_failed_by = { 1, 2, 3 }, .form = GL_FORM_MUTEX };
	struct gl_header head = header_of(GL_RECORD_LOCK, 1);
	struct snapshot *s;
	struct file f;

	head.record_size = 504;
	f = file_of(head, &row, sizeof(row));
	ASSERT_EQ(0, snapshot_decode(f.data, f.size, GL_RECORD_LOCK, &s));
	EXPECT_EQ(3, s->locks[0].nr_failed_by[GL_FAILED_DEADLOCK]);
	EXPECT_EQ(GL_FORM_UNKNOWN, s->locks[0].form);
	snapshot_free(s);
	free(f.data);
}

/* As modules write them that do not count failures by reason. */
TEST(lock_rows_of_the_first_version_are_decoded)
{
	struct gl_lock_record row = { .nr_failed = 5, .nr_failed_by = { 1, 2, 3 } };
	struct gl_header head = header_of(GL_RECORD_LOCK, 1);
	struct snapshot *s;
	struct file f;

	head.record_size = 480;
	f = file_of(head, &row, sizeof(row));
	ASSERT_EQ(0, snapshot_decode(f.data, f.size, GL_RECORD_LOCK, &s));
	EXPECT_EQ(5, s->locks[0].nr_failed);
	for (int i = 0; i < GL_NR_FAILURES; i++)
		EXPECT_EQ(0, s->locks[0].nr_failed_by[i]);
	snapshot_free(s);
	f.data[offsetof(struct gl_header, record_size)] -= 8;
	EXPECT_EQ(-EPROTONOSUPPORT, snapshot_decode(f.data, f.size, GL_RECORD_LOCK, &s));
	free(f.data);
}

TEST(no_snapshot_can_be_freed)
{
	snapshot_free(NULL);
}

TEST_HARNESS_MAIN
