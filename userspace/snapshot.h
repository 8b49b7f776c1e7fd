/* SPDX-License-Identifier: GPL-2.0 */
/*
 * snapshot - the module's binary files, decoded and validated.
 *
 * Nothing in a file is trusted: sizes are checked before use, strings are
 * terminated, unknown kinds become "unknown".
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../kmod/uapi/gridlock.h"

/** struct snapshot - one decoded file */
struct snapshot {
	struct gl_header header;
	/** @waits: [nr] with record type GL_RECORD_WAIT; else NULL */
	struct gl_wait_record *waits;
	/** @locks: [nr] with record type GL_RECORD_LOCK; else NULL */
	struct gl_lock_record *locks;
	/** @groups: [nr] with record type GL_RECORD_GROUP; else NULL */
	struct gl_group_record *groups;
	/** @nr: records */
	size_t nr;
	/** @by_tid: [nr] indices into waits, by tid, then by begin_ns descending */
	uint32_t *by_tid;
};

/**
 * snapshot_decode() - validate and copy a file's bytes
 * @data: [size] the file
 * @type: GL_RECORD_*
 * @ret: set to the snapshot on success; free with snapshot_free()
 *
 * Return: 0; -EBADMSG: not such a file; -EPROTONOSUPPORT: a version or record
 * size this reader does not know; -EMSGSIZE: truncated.
 */
int snapshot_decode(const void *data, size_t size, uint32_t type, struct snapshot **ret);
void snapshot_free(struct snapshot *s);

/**
 * snapshot_rows() - the rows of thread @tid, innermost (youngest) first
 * @nr_ret: set to their number
 *
 * Return: indices into waits, or NULL.
 */
const uint32_t *snapshot_rows(const struct snapshot *s, pid_t tid, uint32_t *nr_ret);

#endif /* SNAPSHOT_H */
