/* SPDX-License-Identifier: GPL-2.0 */
/*
 * locks - file locks as /proc/locks and /proc/PID/fdinfo list them.
 */
#ifndef LOCKS_H
#define LOCKS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct remote;

/** enum file_lock_class - who owns a lock, and what it conflicts with */
enum file_lock_class {
	FILE_LOCK_OTHER,
	/** @FILE_LOCK_FLOCK: flock(2), owned by an open file description */
	FILE_LOCK_FLOCK,
	/** @FILE_LOCK_POSIX: fcntl(2), owned by a process */
	FILE_LOCK_POSIX,
	/** @FILE_LOCK_OFD: fcntl(2), owned by an open file description */
	FILE_LOCK_OFD,
	FILE_LOCK_LEASE,
};

/** FILE_LOCK_EOF - the end of a range that goes to the end of the file */
#define FILE_LOCK_EOF	UINT64_MAX

/** struct file_lock - one line */
struct file_lock {
	enum file_lock_class class;
	/** @waiter: not held: queued behind another */
	bool waiter;
	/** @write: exclusive; else shared */
	bool write;
	/** @pid: process that set it or waits; -1 for OFD; 0: not to be seen */
	pid_t pid;
	unsigned int dev_major;
	unsigned int dev_minor;
	uint64_t ino;
	uint64_t start;
	/** @end: last byte, or FILE_LOCK_EOF */
	uint64_t end;
};

/** struct file_locks - /proc/locks */
struct file_locks {
	struct file_lock *lock;
	uint32_t nr;
};

/** file_lock_parse() - one line "ID: [->] CLASS HOW TYPE PID MAJ:MIN:INO START END" */
bool file_lock_parse(const char *line, struct file_lock *ret);

/** file_lock_equal() - do two lines tell of the same lock, as far as one can see */
bool file_lock_equal(const struct file_lock *a, const struct file_lock *b);

/** file_locks_read() - 0 or -errno; free with file_locks_free() */
int file_locks_read(struct remote *remote, struct file_locks *ret);
void file_locks_free(struct file_locks *locks);

#endif /* LOCKS_H */
