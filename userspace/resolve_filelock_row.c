// SPDX-License-Identifier: GPL-2.0
/* resolve_filelock_row - what the module recorded of a wait for a file lock (see the header) */
#include <stdio.h>
#include <string.h>

#include "fdscan.h"
#include "resolve_filelock_row.h"
#include "resolve.h"

/* The row of a task that was asleep in such a wait; of an earlier one it is no row. */
static bool is_row_of(const struct gl_wait_record *row, const struct wait *wait)
{
	return row && row->kind == wait->kind &&
	       (row->flags & (GL_WAIT_OFF_CPU | GL_WAIT_TASK_GONE)) == GL_WAIT_OFF_CPU;
}

/* As the module names a file. */
static bool names(const struct gl_wait_record *row, const struct file_lock *lock)
{
	char name[GL_NAME_LEN];

	snprintf(name, sizeof(name), "%02x:%02x:%llu", lock->dev_major, lock->dev_minor,
		 (unsigned long long)lock->ino);
	return !strcmp(row->name, name);
}

void filelock_row(struct wait *wait, const struct sleeper *s, const struct file_lock *lock)
{
	if (!is_row_of(s->row, wait))
		return;
	if (!names(s->row, lock)) {
		world_cap(wait, VERDICT_LIKELY,
			  "the module and /proc/locks name different files for a wait");
		return;
	}
	wait->begin_ns = s->row->begin_ns;
	wait->gen = s->row->gen;
}
