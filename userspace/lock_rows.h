/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lock_rows - rows of the contention table: by lock, kind, task, owner, cgroup or
 * caller, filtered, merged and sorted.
 */
#ifndef LOCK_ROWS_H
#define LOCK_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../kmod/uapi/gridlock.h"

struct snapshot;

/** enum rows_by - what one row stands for; the groups' are GL_BY_* of the ABI */
enum rows_by {
	ROWS_BY_LOCK = 0,
	ROWS_BY_TASK,
	ROWS_BY_OWNER,
	ROWS_BY_CGROUP,
	ROWS_BY_CALLER,
	ROWS_BY_KIND,
};

/** ROW_UNKNOWN - a number that is not counted for this row */
#define ROW_UNKNOWN	UINT64_MAX

/** struct lock_row - one row */
struct lock_row {
	/** @kind: enum gl_kind; GL_NR_KINDS: waits of several kinds */
	uint32_t kind;
	/** @form: enum gl_form: by lock, what it is where its kind does not tell; else unknown */
	uint32_t form;
	/** @label: what the row stands for, safe to print */
	char *label;
	/** @stack: by caller: its stack as the ABI has it, safe to print; else "" */
	char *stack;
	/** @id: identity: of the lock, or of the group within its dimension */
	uint64_t id;
	/** @tid: by task, by owner: its number; else 0 */
	pid_t tid;
	/** @other: what has no row of its own */
	bool other;
	/** @contended: waits that began; of groups, that ended */
	uint64_t contended;
	uint64_t ended;
	uint64_t failed;
	/** @failed_by: [GL_FAILED_*] of @failed; ROW_UNKNOWN for groups */
	uint64_t failed_by[GL_NR_FAILURES];
	/** @lost: waits whose end will never be counted, or ROW_UNKNOWN */
	uint64_t lost;
	/** @waiting: in flight, or ROW_UNKNOWN */
	uint64_t waiting;
	uint64_t total_ns;
	uint64_t max_ns;
	/** @min_ns: or ROW_UNKNOWN */
	uint64_t min_ns;
	/** @p50_ns: at least half of the waits took at most so long; or ROW_UNKNOWN */
	uint64_t p50_ns;
	/** @p99_ns: and 99 of 100 */
	uint64_t p99_ns;
	/** @holds: holds of known length; ROW_UNKNOWN, as the next three: not counted */
	uint64_t holds;
	/** @holds_in_irq: of these, by interrupts */
	uint64_t holds_in_irq;
	uint64_t hold_total_ns;
	uint64_t hold_max_ns;
};

/** struct row_filter - which rows are wanted; NULL members filter nothing */
struct row_filter {
	enum rows_by by;
	/** @types: kinds, separated by commas; "rwsem" is both its sides */
	const char *types;
	/** @lock: start of a symbol, or an address; by lock alone */
	const char *lock;
	/** @function: part of a function's name on the stack; by caller alone */
	const char *function;
};

/**
 * rows_make() - the rows of a snapshot
 * @snap: of locks; by task, owner, cgroup and caller: of groups
 * @ret: set to an array of them; free with rows_free()
 * @is_counted: set to whether the module counts by this at all
 *
 * Return: their number.
 */
size_t rows_make(const struct snapshot *snap, const struct row_filter *filter,
		 struct lock_row **ret, bool *is_counted);
void rows_free(struct lock_row *rows, size_t nr);

/** row_avg_ns() - mean length of the ended waits */
uint64_t row_avg_ns(const struct lock_row *row);

/** row_avg_hold_ns() - mean length of the holds, or ROW_UNKNOWN */
uint64_t row_avg_hold_ns(const struct lock_row *row);

/** rows_have_holds() - does the module count for how long locks were held? */
bool rows_have_holds(const struct snapshot *snap);

#endif /* LOCK_ROWS_H */
