/* SPDX-License-Identifier: GPL-2.0 */
/*
 * count - the counters by kind and by lock.
 *
 * Totals and rows are added to independently: no total is derived from its
 * rows, so the one is a check of the other.
 */
#ifndef _GL_COUNT_H
#define _GL_COUNT_H

#include <linux/build_bug.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "cpu.h"

/* Bits of a row's key that hold the address: all that varies, with five-level page tables. */
#define GL_KEY_ADDRESS_BITS	57

/**
 * gl_row_key() - kind and address in one word that is not 0
 * @kind: enum gl_kind; not GL_KIND_UNKNOWN, or @lock is not 0
 * @lock: kernel or user address, or inode number
 *
 * Exact, not a hash: the upper 7 bits of an address say only whether it is the
 * kernel's, and that the kind says as well; see gl_row_address(). Those of an
 * inode number are in the space, see gl_file_space().
 */
static __always_inline u64 gl_row_key(u32 kind, u64 lock)
{
	return (u64)(kind + 1) << GL_KEY_ADDRESS_BITS |
	       (lock & ((1ULL << GL_KEY_ADDRESS_BITS) - 1));
}

static_assert(GL_NR_COUNTED_KINDS < 1 << (64 - GL_KEY_ADDRESS_BITS));

/** gl_row_kind() - the kind that a row's key is of */
static __always_inline u32 gl_row_kind(u64 key)
{
	return (u32)(key >> GL_KEY_ADDRESS_BITS) - 1;
}

/** gl_row_address() - the address that a row's key is of */
static __always_inline u64 gl_row_address(u64 key)
{
	u64 mask = (1ULL << GL_KEY_ADDRESS_BITS) - 1;
	u32 kind = gl_row_kind(key);

	if (kind >= GL_KIND_FUTEX)
		return key & mask;
	return key | ~mask;
}

/** struct gl_resource - what a wait is for */
struct gl_resource {
	/** @kind: enum gl_kind, below GL_NR_COUNTED_KINDS */
	u32 kind;
	/** @lock: address; file lock: low GL_KEY_ADDRESS_BITS of the inode number */
	u64 lock;
	/** @space: futex: the mm, as a number; file lock: see gl_file_space(); else 0 */
	u64 space;
};

/** gl_is_file_kind() - is it a lock on a file, or a lease? */
static __always_inline bool gl_is_file_kind(u32 kind)
{
	return kind >= GL_KIND_FLOCK && kind <= GL_KIND_LEASE;
}

/**
 * gl_file_space() - the device of a file, and what of its inode number has no
 * place in a row's key; not 0, and no address
 * @dev: device of the file system
 * @ino: inode number
 */
static __always_inline u64 gl_file_space(u32 dev, u64 ino)
{
	return 1ULL << 40 | ino >> GL_KEY_ADDRESS_BITS << 32 | dev;
}

/** gl_file_dev() - the device in a space of gl_file_space() */
static __always_inline u32 gl_file_dev(u64 space)
{
	return (u32)space;
}

/** gl_file_ino() - the inode number, of a file lock's resource */
static __always_inline u64 gl_file_ino(u64 lock, u64 space)
{
	return lock | (space >> 32 & 0x7f) << GL_KEY_ADDRESS_BITS;
}

void gl_count_begin(struct gl_cpu *cpu, const struct gl_resource *res);
void gl_count_end(struct gl_cpu *cpu, const struct gl_resource *res, u64 wait_ns, int ret);
void gl_count_hold(struct gl_cpu *cpu, const struct gl_resource *res, u64 hold_ns, bool in_irq);
void gl_count_lost(struct gl_cpu *cpu, const struct gl_resource *res);
int gl_count_reset(void);
void gl_count_reset_locked(void);

extern struct mutex gl_rows_mutex;

#endif /* _GL_COUNT_H */
