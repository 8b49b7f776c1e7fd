/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lock_print - the contention table for people, as separated fields, and as JSON.
 */
#ifndef LOCK_PRINT_H
#define LOCK_PRINT_H

#include "lock_rows.h"

/**
 * rows_print() - print the first rows
 * @holds: with the columns of holds
 * @separator: separates fields, with times in ns; NULL: columns for people
 * @stacks: under each caller its whole stack
 */
void rows_print(const struct lock_row *rows, size_t nr, enum rows_by by, bool holds,
		const char *separator, bool stacks);
void rows_print_json(const struct lock_row *rows, size_t nr, enum rows_by by, bool holds);

#endif /* LOCK_PRINT_H */
