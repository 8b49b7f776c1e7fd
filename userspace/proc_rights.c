// SPDX-License-Identifier: GPL-2.0
/* proc_rights - whose processes /proc shows to the reader (proc.h) */
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc.h"

/* The initial namespaces; fixed since Linux 3.8 (include/linux/proc_ns.h). */
#define INITIAL_PID_NS	"pid:[4026531836]"
#define INITIAL_USER_NS	"user:[4026531837]"

bool proc_is_ours(void)
{
	char self[16] = "";

	return readlink("/proc/self", self, sizeof(self) - 1) > 0 && atoi(self) == getpid();
}

static bool is_own_namespace(const char *path, const char *name)
{
	char ns[64] = "";

	return readlink(path, ns, sizeof(ns) - 1) > 0 && !strcmp(ns, name);
}

/* Is none of the processes that /proc could list closed to the reader (hidepid)? */
static bool may_read_all(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return !syscall(SYS_capget, &head, caps) &&
	       caps[CAP_TO_INDEX(CAP_SYS_PTRACE)].effective & CAP_TO_MASK(CAP_SYS_PTRACE);
}

/* Root of another user namespace has its rights over that one only. */
bool proc_sees_all(void)
{
	return is_own_namespace("/proc/self/ns/pid", INITIAL_PID_NS) &&
	       is_own_namespace("/proc/self/ns/user", INITIAL_USER_NS) && may_read_all();
}
