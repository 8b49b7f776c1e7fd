// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_userfault - page faults that a program in user space has to serve. Who
 * reads the userfaultfd of that memory, the kernel does not tell.
 */
#include <string.h>

#include "resolve.h"
#include "xalloc.h"

static bool resolve(struct world *w, const struct sleeper *s)
{
	struct wait *wait;

	if (strcmp(s->wchan, "handle_userfault"))
		return false;
	wait = world_add_wait(w, s->task, GL_KIND_USERFAULT);
	wait->id = xasprintf("userfault of %d", w->tasks[s->task].tid);
	wait->name = xstrdup("a page");
	wait->where = xstrdup(s->wchan);
	wait->unknown_releaser = true;
	return true;
}

const struct resolver resolve_userfault = {
	.name = "userfault",
	.resolve = resolve,
};
