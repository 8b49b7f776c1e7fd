// SPDX-License-Identifier: GPL-2.0
/* futex_glibc - is a futex glibc's own? (futex_glibc.h) */
#include <string.h>

#include "array.h"
#include "futex_glibc.h"
#include "futex_owner.h"
#include "remote.h"
#include "resolve.h"

/*
 * Where struct pthread has its tid, and where it says its own address: at its
 * beginning, which is the thread control block of the x86-64 ABI. The same
 * since glibc 2.4; libthread_db and debuggers count on it.
 */
#define PTHREAD_TID		720
#define PTHREAD_SELF		16

/*
 * syscall(2) takes the sixth argument from the stack right before the
 * instruction: mov 8(%rsp),%r9; syscall. Code with a call of its own knows its
 * arguments.
 */
static const uint8_t syscall_stub[] = { 0x4c, 0x8b, 0x4c, 0x24, 0x08, 0x0f, 0x05 };

static bool is_stub(struct world *w, pid_t tgid, uint64_t pc)
{
	uint8_t code[sizeof(syscall_stub)];
	ssize_t got = remote_read_memory(w->remote, tgid, pc - sizeof(code), code, sizeof(code));

	return got != sizeof(code) || !memcmp(code, syscall_stub, sizeof(code));
}

bool glibc_called(struct world *w, const struct sleeper *s)
{
	static const char *const names[] = {
		"libc.so.6", "libc-2.", "libpthread.so.0", "libpthread-2.",
	};
	pid_t tgid = w->tasks[s->task].tgid;
	const struct proc_map *map;
	const char *name;

	if (s->nr < 0)
		return false;
	map = futex_map(w, tgid, s->pc);
	name = map ? strrchr(map->path, '/') : NULL;
	for (size_t i = 0; name && i < ARRAY_SIZE(names); i++)
		if (!strncmp(name + 1, names[i], strlen(names[i])))
			return !is_stub(w, tgid, s->pc);
	return false;
}

bool glibc_is_tid(struct world *w, pid_t tgid, uint64_t addr)
{
	uint64_t self;

	return remote_read_memory(w->remote, tgid, addr - PTHREAD_TID, &self, sizeof(self)) ==
	       sizeof(self) && self == addr - PTHREAD_TID;
}

bool glibc_is_thread(struct world *w, pid_t tgid, uint64_t addr)
{
	uint64_t self;

	return remote_read_memory(w->remote, tgid, addr + PTHREAD_SELF, &self, sizeof(self)) ==
	       sizeof(self) && self == addr;
}
