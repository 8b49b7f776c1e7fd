/* SPDX-License-Identifier: GPL-2.0 */
/* resolve_filelock_row - what the module recorded of a wait for a file lock */
#ifndef RESOLVE_FILELOCK_ROW_H
#define RESOLVE_FILELOCK_ROW_H

struct file_lock;
struct sleeper;
struct wait;

/**
 * filelock_row() - complete @wait from the module's row of it, if there is one
 * @wait: its kind is set
 * @s: its task
 * @lock: its line of /proc/locks
 *
 * A row that names another file caps the wait: one of the two is wrong.
 */
void filelock_row(struct wait *wait, const struct sleeper *s, const struct file_lock *lock);

#endif /* RESOLVE_FILELOCK_ROW_H */
