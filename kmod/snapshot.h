/* SPDX-License-Identifier: GPL-2.0 */
/*
 * snapshot - copies of the tables for user space: one for each open file, at
 * most GL_MAX_SNAPSHOTS at once.
 */
#ifndef _GL_SNAPSHOT_H
#define _GL_SNAPSHOT_H

#include <linux/build_bug.h>
#include <linux/stddef.h>
#include <linux/types.h>

#include "uapi/gridlock.h"

/**
 * struct gl_snapshot - a header and its records, as the binary file shows them
 */
struct gl_snapshot {
	/** @bytes: size of @header and the records after it */
	size_t bytes;
	/** @header: start of the file */
	struct gl_header header;
	/** @records: header.nr_records of them */
	u8 records[] __aligned(8);
};

/* The file is @header and @records without a gap. */
static_assert(offsetof(struct gl_snapshot, records) ==
	      offsetof(struct gl_snapshot, header) + sizeof(struct gl_header));

void gl_snapshot_init(void);
struct gl_snapshot *gl_snapshot_take(u32 record_type);
void gl_snapshot_free(struct gl_snapshot *snap);

u64 gl_snapshot_id(u64 lock, u64 space);
u64 gl_snapshot_address(const struct gl_snapshot *snap, u32 kind, u64 lock, u64 space);
void gl_snapshot_name(u32 kind, u64 lock, u64 space, char name[GL_NAME_LEN]);

/* The kinds of snapshot: how many records to make room for, and filling them. */
u64 gl_waits_size(void);
int gl_waits_fill(struct gl_snapshot *snap, u64 room);
u64 gl_rows_size(void);
int gl_rows_fill(struct gl_snapshot *snap, u64 room);
u64 gl_groups_size(void);
int gl_groups_fill(struct gl_snapshot *snap, u64 room);

#endif /* _GL_SNAPSHOT_H */
