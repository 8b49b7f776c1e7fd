// SPDX-License-Identifier: GPL-2.0
/* futex_musl - was a futex call made by musl's code? (futex_musl.h) */
#include <string.h>

#include "futex_musl.h"
#include "futex_owner.h"
#include "resolve.h"

bool musl_called(struct world *w, const struct sleeper *s)
{
	const struct proc_map *map = s->nr < 0 ? NULL : futex_map(w, w->tasks[s->task].tgid, s->pc);
	const char *name = map ? strrchr(map->path, '/') : NULL;

	/* The loader is the library; Debian has it in a folder of musl's own. */
	return name && (!strncmp(name, "/ld-musl-", strlen("/ld-musl-")) ||
			(!strcmp(name, "/libc.so") && strstr(map->path, "-linux-musl/")));
}
