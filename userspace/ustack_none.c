// SPDX-License-Identifier: GPL-2.0
/* ustack_none - in the place of ustack_dwfl.c in a build without libdw */
#include <errno.h>

#include "ustack.h"

ssize_t ustack_read(pid_t tgid, pid_t tid, char *buf, size_t size)
{
	(void)tgid;
	(void)tid;
	(void)buf;
	(void)size;
	return -ENOSYS;
}
