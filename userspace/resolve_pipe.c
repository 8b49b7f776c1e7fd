// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_pipe - reads from empty pipes and writes to full ones.
 *
 * Whoever has the other end open can end the wait, by using it or by closing
 * it. Of a named FIFO that is anybody who may open it: unknown.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "fdscan.h"
#include "proc.h"
#include "resolve.h"
#include "xalloc.h"

/* glibc's own signals, for threads: their handlers write to no pipe. */
#define SIGNALS_OF_LIBC		(3ULL << 31)

/*
 * Anonymous pipes have functions of their own since Linux 6.15. The mutex of a
 * pipe is waited for in the same functions, but uninterruptibly.
 */
static uint32_t pipe_kind(const struct world *w, const struct sleeper *s)
{
	if (w->tasks[s->task].state != 'S')
		return GL_KIND_UNKNOWN;
	if (!strcmp(s->wchan, "pipe_read") || !strcmp(s->wchan, "anon_pipe_read"))
		return GL_KIND_PIPE_R;
	if (!strcmp(s->wchan, "pipe_write") || !strcmp(s->wchan, "anon_pipe_write"))
		return GL_KIND_PIPE_W;
	return GL_KIND_UNKNOWN;
}

/* The calls whose first argument is the pipe's descriptor. */
static bool is_call(long nr)
{
	switch (nr) {
	case SYS_read:
	case SYS_readv:
	case SYS_preadv2:
	case SYS_write:
	case SYS_writev:
	case SYS_pwritev2:
		return true;
	default:
		return false;
	}
}

/* Could a signal handler of the task itself use the other end? */
static bool handles_signals(const struct task *t)
{
	struct proc_ids ids;

	return proc_ids(t->tgid, t->tid, &ids) ||
	       (ids.caught & ~ids.blocked & ~SIGNALS_OF_LIBC);
}

static bool is_releaser(const struct resource *r, uint32_t task)
{
	for (uint32_t i = 0; i < r->nr_releasers; i++)
		if (r->releasers[i] == task)
			return true;
	return false;
}

static uint32_t other_ends(struct world *w, uint64_t ino, uint32_t kind)
{
	const struct fdscan *scan = fdscan_pipes(w);
	uint32_t index;
	char key[64];
	bool new;

	snprintf(key, sizeof(key), "%s %llu", kind_name(kind), (unsigned long long)ino);
	index = world_resource(w, key, &new);
	if (!new)
		return index;
	w->resources[index].evidence = EVIDENCE_READ;
	w->resources[index].unknown = scan->incomplete;
	for (uint32_t i = 0; i < scan->nr_pipes; i++) {
		const struct fd_end *end = &scan->pipes[i];

		if (end->ino == ino && (kind == GL_KIND_PIPE_R ? end->writable : end->readable))
			fdscan_add_releasers(w, scan, end->table, index);
	}
	return index;
}

static void add_ends(struct world *w, struct wait *wait, uint64_t ino)
{
	uint32_t index = other_ends(w, ino, wait->kind);
	const struct resource *r = &w->resources[index];

	/* Without another end the call is about to return. */
	if (!r->nr_releasers ||
	    (is_releaser(r, wait->task) && handles_signals(&w->tasks[wait->task])))
		wait->unknown_releaser = true;
	if (r->nr_releasers)
		world_block_on(w, wait, index);
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	uint32_t kind = pipe_kind(w, s);
	unsigned long long ino;
	struct wait *wait;
	char link[256];

	if (kind == GL_KIND_UNKNOWN || !is_call(s->nr))
		return false;
	fd_link(t->tgid, t->tid, s->args[0], link, sizeof(link));
	wait = world_add_wait(w, s->task, kind);
	/* One resource, whoever may release it: known ones beside unknown ones are no help. */
	wait->needs = NEEDS_ANY;
	wait->timed = proc_timed(t->tgid, t->tid);
	wait->interruptible = true;
	wait->where = xstrdup(s->wchan);
	wait->name = xstrdup(link);
	if (sscanf(link, "pipe:[%llu]", &ino) == 1) {
		wait->id = xasprintf("pipe %llu", ino);
		add_ends(w, wait, ino);
	} else {
		wait->id = xasprintf("fifo %s", link);
		wait->unknown_releaser = true;
	}
	return true;
}

const struct resolver resolve_pipe = { "pipe", resolve };
