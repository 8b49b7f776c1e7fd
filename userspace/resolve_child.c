// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_child - waits for children to end: wait4(2) and waitid(2).
 *
 * Any live thread of a child can end it. A call for one child needs that one,
 * a call for several any of them, and those yet to come: another thread can
 * make one, and a reaper gets the orphans among its descendants. A tracer waits
 * by the same calls for what it traces, which need not be children: then
 * somebody unseen can end the wait.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fdscan.h"
#include "proc.h"
#include "ready.h"
#include "xalloc.h"

/* Of Linux 6.9: O_EXCL among a pidfd's flags. */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD	O_EXCL
#endif

/** enum who - the children that a call is for */
enum who { WHO_ANY, WHO_ONE, WHO_GROUP, WHO_PIDFD };

/** struct call - a wait call's arguments */
struct call {
	enum who who;
	/** @id: process, process group or descriptor */
	pid_t id;
};

static bool parse_wait4(pid_t pid, struct call *call)
{
	call->who = pid == -1 ? WHO_ANY : pid > 0 ? WHO_ONE : WHO_GROUP;
	call->id = pid < 0 ? -pid : pid;
	return true;
}

static bool parse_waitid(int type, pid_t id, struct call *call)
{
	call->id = id;
	switch (type) {
	case P_ALL:
		call->who = WHO_ANY;
		return true;
	case P_PID:
		call->who = WHO_ONE;
		return true;
	case P_PGID:
		call->who = WHO_GROUP;
		return true;
	case P_PIDFD:
		call->who = WHO_PIDFD;
		return true;
	default:
		return false;
	}
}

static bool parse_call(const struct sleeper *s, struct call *call)
{
	if (strcmp(s->wchan, "do_wait") && strcmp(s->wchan, "kernel_wait4") &&
	    strcmp(s->wchan, "kernel_waitid"))
		return false;
	if (s->nr == SYS_wait4)
		return parse_wait4(s->args[0], call);
	if (s->nr == SYS_waitid)
		return parse_waitid(s->args[0], s->args[1], call);
	return false;
}

/* --- who traces ------------------------------------------------------------ */

static void add_tracer(struct world *w, pid_t tracer)
{
	for (uint32_t i = 0; i < w->nr_tracers; i++)
		if (w->tracers[i] == tracer)
			return;
	*vec_push(w->tracers, w->nr_tracers) = tracer;
}

/* One read for each thread of the machine: only to prove what was found. */
static bool is_tracer(struct world *w, pid_t tgid)
{
	if (!w->thorough)
		return false;
	for (uint32_t t = 0; t < w->nr_tasks && !w->tracers_known; t++) {
		pid_t tracer = w->tasks[t].kthread ? 0 : proc_tracer(w->tasks[t].tgid,
								     w->tasks[t].tid);
		uint32_t task = tracer > 0 ? world_find_task(w, tracer) : NO_INDEX;

		if (tracer > 0)
			add_tracer(w, task == NO_INDEX ? tracer : w->tasks[task].tgid);
	}
	w->tracers_known = true;
	for (uint32_t i = 0; i < w->nr_tracers; i++)
		if (w->tracers[i] == tgid)
			return true;
	return false;
}

/* --- children -------------------------------------------------------------- */

/* How far in @parent's PID namespace is: the first is 1; 0: it cannot be told. */
static uint32_t depth_of(const struct task *parent)
{
	struct proc_ids ids;

	return proc_ids(parent->tgid, parent->tid, &ids) ? 0 : ids.nr_numbers;
}

/*
 * Is it @number by which a waiter so far in knows @child? A child is in its
 * parent's PID namespace or, further in, in one below.
 */
static bool has_number(uint32_t depth, const struct task *child, pid_t number)
{
	struct proc_ids ids;

	if (depth == 1)
		return child->tgid == number;
	if (!depth || proc_ids(child->tgid, child->tgid, &ids))
		return true;
	return ids.nr_numbers >= depth && ids.numbers[depth - 1] == number;
}

static bool is_meant(const struct call *call, uint32_t depth, const struct task *child)
{
	/* The number that a pidfd is of is told as we have it. */
	return call->who == WHO_PIDFD ? child->tgid == call->id :
					has_number(depth, child, call->id);
}

/* A child can change its group: one of another group may come to be meant. */
static bool is_for_several(const struct call *call)
{
	return call->who == WHO_ANY || call->who == WHO_GROUP;
}

static void add_child(struct world *w, struct wait *wait, const struct task *child)
{
	uint32_t index;
	char key[32];
	bool new;

	snprintf(key, sizeof(key), "child %d", child->tgid);
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_READ;
	world_add_process_releasers(w, index, child->tgid);
	/* A child that is all dead is about to be waited for. */
	if (w->resources[index].nr_releasers)
		world_block_on(w, wait, index);
	else
		wait->unknown_releaser = true;
}

/* Is @task below @tgid, but no child of it? */
static bool is_descendant(const struct world *w, const struct task *task, pid_t tgid)
{
	uint32_t depth = 0, at;
	pid_t parent = task->ppid;

	for (; parent > 0 && parent != tgid && depth < w->nr_tasks; depth++) {
		at = world_find_task(w, parent);
		parent = at == NO_INDEX ? 0 : w->tasks[at].ppid;
	}
	return depth && parent == tgid;
}

/* Is it the process that gets the orphans of its PID namespace? */
static bool is_init(const struct task *t)
{
	struct proc_ids ids;

	return t->tgid == 1 || (!proc_ids(t->tgid, t->tgid, &ids) && ids.nested && ids.ns_tid == 1);
}

/* What the link /proc/PID/ns/pid says; false if it cannot be read. */
static bool pid_namespace(pid_t tgid, char *buf, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", tgid);
	len = readlink(path, buf, size - 1);
	if (len < 0)
		return false;
	buf[len] = '\0';
	return true;
}

/*
 * Who entered the PID namespace from outside is no descendant of its init, but
 * leaves its children to it.
 */
static bool has_guest(const struct world *w, const struct task *init)
{
	char ours[64], theirs[64];

	if (!pid_namespace(init->tgid, ours, sizeof(ours)))
		return true;
	for (uint32_t i = 0; i < w->nr_tasks; i++) {
		const struct task *t = &w->tasks[i];

		if (t->tid != t->tgid || t->kthread || t->tgid == init->tgid ||
		    is_descendant(w, t, init->tgid) || t->ppid == init->tgid)
			continue;
		if (!pid_namespace(t->tgid, theirs, sizeof(theirs)))
			continue;
		if (!strcmp(ours, theirs))
			return true;
	}
	return false;
}

/*
 * The orphans that can be handed down. Only init is known for a reaper: /proc
 * does not tell of PR_SET_CHILD_SUBREAPER. Only to prove what was found.
 */
static void add_orphans(struct world *w, struct wait *wait, uint32_t index)
{
	const struct task *parent = &w->tasks[wait->task];
	bool init = is_init(parent);

	if (w->thorough && init && has_guest(w, parent))
		world_cap(wait, VERDICT_LIKELY,
			  "a process that entered the PID namespace could leave children to its init");
	for (uint32_t t = 0; w->thorough && t < w->nr_tasks; t++) {
		if (w->tasks[t].exiting || !is_descendant(w, &w->tasks[t], parent->tgid))
			continue;
		if (init)
			world_add_releaser(w, index, t);
		else
			world_cap(wait, VERDICT_LIKELY,
				  "a descendant could become a child of the waiting process");
	}
}

static void add_children_to_come(struct world *w, struct wait *wait)
{
	const struct task *parent = &w->tasks[wait->task];
	const uint32_t *threads;
	uint32_t nr = world_process(w, parent->tgid, &threads), index;
	char key[48];
	bool new;

	snprintf(key, sizeof(key), "children of %d to come", parent->tid);
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_READ;
	for (uint32_t i = 0; i < nr; i++)
		if (threads[i] != wait->task && !w->tasks[threads[i]].exiting)
			world_add_releaser(w, index, threads[i]);
	add_orphans(w, wait, index);
	if (w->resources[index].nr_releasers)
		world_block_on(w, wait, index);
}

/* The reader is no task of the world, but will end, and with that the wait. */
static bool is_our_parent(const struct task *t)
{
	return t->tgid == getppid();
}

static void add_children(struct world *w, struct wait *wait, const struct call *call)
{
	const struct task *parent = &w->tasks[wait->task];
	uint32_t depth = call->who == WHO_ONE ? depth_of(parent) : 0;

	for (uint32_t t = 0; t < w->nr_tasks; t++) {
		const struct task *child = &w->tasks[t];

		if (child->tid == child->tgid && child->ppid == parent->tgid &&
		    (is_for_several(call) || is_meant(call, depth, child)))
			add_child(w, wait, child);
	}
	if (is_for_several(call))
		add_children_to_come(w, wait);
	if (!wait->nr_blockers || is_tracer(w, parent->tgid) ||
	    (is_for_several(call) && is_our_parent(parent)))
		wait->unknown_releaser = true;
}

static pid_t pidfd_process(struct world *w, const struct task *t, int fd)
{
	struct fd_info info;
	pid_t pid = 0;

	if (!fd_info_read(w, t->tgid, t->tid, fd, &info))
		pid = info.pid;
	fd_info_free(&info);
	return pid;
}

/* Ready when the process ends; a pidfd made for one thread, when that does. */
void pidfd_block(struct world *w, struct wait *wait, int fd)
{
	const struct task *t = &w->tasks[wait->task];
	struct fd_info info;
	uint32_t task;

	if (!fd_info_read(w, t->tgid, t->tid, fd, &info))
		fd_info_free(&info);
	task = info.pid > 0 ? world_find_task(w, info.pid) : NO_INDEX;
	if (task == NO_INDEX || info.flags & PIDFD_THREAD)
		wait->unknown_releaser = true;
	else
		add_child(w, wait, &w->tasks[task]);
}

static char *name_of(const struct call *call)
{
	switch (call->who) {
	case WHO_ANY:
		return xstrdup("any child");
	case WHO_GROUP:
		return call->id ? xasprintf("child of process group %d", call->id) :
				  xstrdup("child of the own process group");
	default:
		return xasprintf("child %d", call->id);
	}
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	struct wait *wait;
	struct call call;

	if (!parse_call(s, &call))
		return false;
	if (call.who == WHO_PIDFD)
		call.id = pidfd_process(w, t, call.id);
	wait = world_add_wait(w, s->task, GL_KIND_CHILD);
	wait->needs = NEEDS_ANY;
	wait->timed = proc_timed(t->tgid, t->tid);
	wait->interruptible = true;
	wait->id = xasprintf("child of %d", t->tgid);
	wait->name = name_of(&call);
	wait->where = xstrdup(s->wchan);
	add_children(w, wait, &call);
	return true;
}

const struct resolver resolve_child = {
	.name = "child",
	.resolve = resolve,
};
