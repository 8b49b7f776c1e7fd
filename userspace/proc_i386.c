// SPDX-License-Identifier: GPL-2.0
/*
 * proc_i386 - the system calls of 32-bit programs, by the numbers of ours (proc.h)
 *
 * Only of calls whose arguments mean the same in both: that of all others is not known.
 * The kernel's arch/x86/entry/syscalls/syscall_32.tbl has the numbers.
 */
#include <sys/syscall.h>

#include "array.h"
#include "proc.h"

/* The address space of a 32-bit program, which has its stack at the end. */
#define SPACE_END	(1ULL << 32)

bool proc_is_i386(const struct task *t)
{
	return t->stack_start && t->stack_start < SPACE_END;
}

long proc_i386_call(long nr)
{
	static const struct { long i386, ours; } calls[] = {
		{ 0, SYS_restart_syscall },
		{ 3, SYS_read },
		{ 4, SYS_write },
		{ 7, SYS_wait4 },	/* waitpid */
		{ 114, SYS_wait4 },
		{ 143, SYS_flock },
		{ 187, SYS_sendfile },
		{ 239, SYS_sendfile },
		{ 240, SYS_futex },
		{ 313, SYS_splice },
		{ 315, SYS_tee },
		{ 377, SYS_copy_file_range },
		{ 422, SYS_futex },	/* futex_time64 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].i386 == nr)
			return calls[i].ours;
	return -1;
}
