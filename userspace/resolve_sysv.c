// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_sysv - SysV semaphores and message queues, and POSIX message queues.
 *
 * A semaphore keeps who changed it last. If that was by an operation, and one
 * that left too little for the waiter, it has mostly taken what is missing:
 * inferred, and never more than likely, as anybody may give it back. Who could
 * send or receive a message is nobody known; of a POSIX queue, as far as it is
 * open.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "array.h"
#include "fdscan.h"
#include "proc.h"
#include "ready.h"
#include "remote.h"
#include "xalloc.h"

/* SEMOPM, the kernel's default for the most operations of one call. */
#define MAX_OPS		500

/* The fourth argument of semctl(2), which its user has to declare. */
union semun {
	int val;
	struct semid_ds *buf;
};

/* --- semaphores ------------------------------------------------------------- */

static bool in_own_ipc_namespace(struct world *w, const struct task *t)
{
	char path[64], theirs[64], own[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/ns/ipc", t->tgid, t->tid);
	return remote_read_link(w->remote, t->tgid, path, theirs, sizeof(theirs)) > 0 &&
	       remote_read_link(w->remote, t->tgid, "/proc/self/ns/ipc", own, sizeof(own)) > 0 &&
	       !strcmp(theirs, own);
}

static uint32_t read_ops(struct world *w, const struct sleeper *s, struct sembuf *ops)
{
	pid_t tgid = w->tasks[s->task].tgid;
	size_t size = s->args[2] * sizeof(*ops);

	if (!s->args[2] || s->args[2] > MAX_OPS ||
	    remote_read_memory(w->remote, tgid, s->args[1], ops, size) != (ssize_t)size)
		return 0;
	return s->args[2];
}

/* The first operation that cannot be done now: the kernel waits for that one. */
static const struct sembuf *blocking_op(int id, const struct sembuf *ops, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		int value = semctl(id, ops[i].sem_num, GETVAL);

		if (value < 0)
			return NULL;
		if (ops[i].sem_op < 0 ? value < -ops[i].sem_op : !ops[i].sem_op && value)
			return &ops[i];
	}
	return NULL;
}

/* Was it an operation that changed the set last, not semctl(2)? */
static bool changed_by_operation(int id)
{
	struct semid_ds set;

	return !semctl(id, 0, IPC_STAT, (union semun){ .buf = &set }) && set.sem_otime &&
	       set.sem_otime >= set.sem_ctime;
}

static bool is_ancestor(const struct world *w, pid_t tgid, const struct task *t)
{
	for (int depth = 0; depth < 64 && t->ppid > 0; depth++) {
		uint32_t parent = world_find_task(w, t->ppid);

		if (t->ppid == tgid)
			return true;
		if (parent == NO_INDEX)
			return false;
		t = &w->tasks[parent];
	}
	return false;
}

/* The process that has taken what @op waits for; 0: not known */
static pid_t last_taker(const struct world *w, const struct task *t, int id,
			const struct sembuf *op)
{
	pid_t last = semctl(id, op->sem_num, GETPID);

	if (op->sem_op >= 0 || last <= 0 || last == t->tgid || !changed_by_operation(id))
		return 0;
	/* A parent that made the set has given it its values. */
	if (!(op->sem_flg & SEM_UNDO) && is_ancestor(w, last, t))
		return 0;
	return last;
}

static void block_on_taker(struct world *w, struct wait *wait, int id, const struct sembuf *op)
{
	pid_t last = last_taker(w, &w->tasks[wait->task], id, op);
	uint32_t index;
	char key[64];
	bool new;

	if (!last) {
		wait->unknown_releaser = true;
		return;
	}
	snprintf(key, sizeof(key), "sysv-sem %d:%d taken by %d", id, op->sem_num, last);
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_INFERRED;
	w->resources[index].held = MODE_EXCLUSIVE;
	world_add_process_releasers(w, index, last);
	if (w->resources[index].nr_releasers)
		world_block_on(w, wait, index);
	else
		wait->unknown_releaser = true;
}

static struct wait *add_wait(struct world *w, const struct sleeper *s, uint32_t kind, char *id)
{
	const struct task *t = &w->tasks[s->task];
	struct wait *wait = world_add_wait(w, s->task, kind);

	wait->needs = NEEDS_ANY;
	wait->timed = proc_timed(t->tgid, t->tid);
	wait->interruptible = true;
	wait->id = id;
	wait->where = xstrdup(s->wchan);
	return wait;
}

/* Of semaphores and messages: the set or queue. */
static char *id_of(const struct sleeper *s)
{
	return xasprintf("sysv %d", (int)s->args[0]);
}

static void resolve_sem(struct world *w, const struct sleeper *s)
{
	struct wait *wait = add_wait(w, s, GL_KIND_SYSV_SEM, id_of(s));
	const struct sembuf *op = NULL;
	struct sembuf ops[MAX_OPS];

	if (s->nr == SYS_semtimedop && s->args[3])
		wait->timed = TIMED_YES;
	world_cap(wait, VERDICT_LIKELY, "anybody may give a SysV semaphore back");
	if (in_own_ipc_namespace(w, &w->tasks[s->task]))
		op = blocking_op(s->args[0], ops, read_ops(w, s, ops));
	if (!op) {
		wait->name = xasprintf("%d", (int)s->args[0]);
		wait->unknown_releaser = true;
		return;
	}
	wait->name = xasprintf("%d:%d", (int)s->args[0], op->sem_num);
	block_on_taker(w, wait, s->args[0], op);
}

/* --- message queues ---------------------------------------------------------- */

static void resolve_msg(struct world *w, const struct sleeper *s)
{
	struct wait *wait = add_wait(w, s, GL_KIND_SYSV_MSG, id_of(s));

	wait->name = xasprintf("queue %d%s", (int)s->args[0],
			       s->nr == SYS_msgsnd ? " (full)" : " (empty)");
	wait->unknown_releaser = true;
}

static void resolve_mq(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	bool send = s->nr == SYS_mq_timedsend;
	struct wait *wait;
	char link[256];

	fd_link(t->tgid, t->tid, s->args[0], link, sizeof(link));
	wait = add_wait(w, s, GL_KIND_MQ, xasprintf("mq %s", link));
	wait->name = xasprintf("%s%s", link, send ? " (full)" : " (empty)");
	if (s->args[4])
		wait->timed = TIMED_YES;
	named_block(w, wait, s->args[0], send);
	ready_finish(w, wait);
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	static const struct {
		const char *function;
		long nr[2];
		void (*resolve)(struct world *w, const struct sleeper *s);
	} calls[] = {
		{ "__do_semtimedop", { SYS_semop, SYS_semtimedop }, resolve_sem },
		{ "do_semtimedop", { SYS_semop, SYS_semtimedop }, resolve_sem },
		{ "do_msgrcv", { SYS_msgrcv, SYS_msgrcv }, resolve_msg },
		{ "do_msgsnd", { SYS_msgsnd, SYS_msgsnd }, resolve_msg },
		{ "wq_sleep", { SYS_mq_timedreceive, SYS_mq_timedsend }, resolve_mq },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (strcmp(s->wchan, calls[i].function) ||
		    (s->nr != calls[i].nr[0] && s->nr != calls[i].nr[1]))
			continue;
		calls[i].resolve(w, s);
		return true;
	}
	return false;
}

const struct resolver resolve_sysv = {
	.name = "sysv",
	.resolve = resolve,
};
