// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_vfork - vfork(2) and posix_spawn(3): the parent sleeps until the child
 * has a program of its own, or has ended.
 *
 * The child is one that shares the parent's memory. Where several do, of
 * several threads that vfork, any of them may be the one.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "remote.h"
#include "resolve.h"
#include "xalloc.h"

static bool sleeps(const struct sleeper *s)
{
	if (strcmp(s->wchan, "kernel_clone") && strcmp(s->wchan, "wait_for_vfork_done"))
		return false;
	return s->nr == SYS_vfork || s->nr == SYS_clone || s->nr == SYS_clone3;
}

/*
 * Is the child one of the caller's own process, and in its memory, as that of
 * vfork(2)? With CLONE_VFORK alone it need be neither.
 */
static bool is_usual(struct world *w, const struct sleeper *s)
{
	uint64_t flags = CLONE_VM;

	if (s->nr == SYS_clone)
		flags = s->args[0];
	/* The flags are the first of clone3(2)'s arguments. */
	else if (s->nr == SYS_clone3 &&
		 remote_read_memory(w->remote, w->tasks[s->task].tgid, s->args[0], &flags,
				    sizeof(flags)) != sizeof(flags))
		return false;
	return (flags & (CLONE_VM | CLONE_PARENT | CLONE_THREAD)) == CLONE_VM;
}

static void add_children(struct world *w, struct wait *wait, uint32_t resource)
{
	const struct task *parent = &w->tasks[wait->task];

	for (uint32_t t = 0; t < w->nr_tasks; t++) {
		const struct task *child = &w->tasks[t];
		int same;

		if (child->ppid != parent->tgid || child->exiting || child->kthread)
			continue;
		same = remote_kcmp(w->remote, parent->tgid, parent->tid, child->tid, KCMP_VM);
		if (same > 0)
			world_add_releaser(w, resource, t);
		else if (same < 0 && same != -ESRCH)
			w->resources[resource].unknown = true;
	}
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	struct wait *wait;
	uint32_t index;
	char key[32];
	bool new;

	if (!sleeps(s))
		return false;
	wait = world_add_wait(w, s->task, GL_KIND_VFORK);
	wait->id = xasprintf("vfork of %d", t->tid);
	wait->name = xstrdup("child");
	wait->where = xstrdup(s->wchan);
	snprintf(key, sizeof(key), "vfork %d", t->tid);
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_READ;
	add_children(w, wait, index);
	/* Without a child that shares memory the call is about to return. */
	if (w->resources[index].nr_releasers && is_usual(w, s))
		world_block_on(w, wait, index);
	else
		wait->unknown_releaser = true;
	return true;
}

const struct resolver resolve_vfork = {
	.name = "vfork",
	.resolve = resolve,
};
