// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_pipe - reads from empty pipes and writes to full ones.
 *
 * Whoever has the other end open can end the wait, by using it or by closing
 * it. Named FIFOs are resolve_fifo.c's.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "array.h"
#include "fdscan.h"
#include "ready.h"
#include "xalloc.h"

/*
 * Anonymous pipes have functions of their own since Linux 6.15. The mutex of a
 * pipe is waited for in the same functions, but uninterruptibly.
 */
static uint32_t pipe_kind(const struct world *w, const struct sleeper *s)
{
	static const struct { const char *function; uint32_t kind; } kinds[] = {
		{ "pipe_read", GL_KIND_PIPE_R },	  { "anon_pipe_read", GL_KIND_PIPE_R },
		{ "pipe_write", GL_KIND_PIPE_W },	  { "anon_pipe_write", GL_KIND_PIPE_W },
		{ "pipe_wait_readable", GL_KIND_PIPE_R }, { "pipe_wait_writable", GL_KIND_PIPE_W },
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(s->wchan, kinds[i].function))
			return w->tasks[s->task].state == 'S' ? kinds[i].kind : GL_KIND_UNKNOWN;
	return GL_KIND_UNKNOWN;
}

/* The pipe's descriptor; splice(2) and its like have two, either of which may be one. */
static bool pipe_fd(const struct sleeper *s, uint32_t kind, struct ready *ret)
{
	bool in = kind == GL_KIND_PIPE_R;

	ret->write = !in;
	switch (s->nr) {
	case SYS_splice:
		ret->fd = s->args[in ? 0 : 2];
		return true;
	case SYS_tee:
		ret->fd = s->args[in ? 0 : 1];
		return true;
	case SYS_sendfile:
		ret->fd = s->args[in ? 1 : 0];
		return true;
	default:
		return ready_call(s, ret) && ret->write == !in;
	}
}

static uint32_t other_ends(struct world *w, uint64_t ino, uint32_t kind)
{
	const struct fdscan *scan = fdscan_ends(w);
	const struct fd_end *end;
	uint32_t index, nr;
	char key[64];
	bool new;

	snprintf(key, sizeof(key), "%s %llu", kind_name(kind), (unsigned long long)ino);
	index = world_resource(w, key, &new);
	if (!new)
		return index;
	w->resources[index].evidence = EVIDENCE_READ;
	w->resources[index].ino = ino;
	w->resources[index].pipe_room = kind == GL_KIND_PIPE_W;
	w->resources[index].unknown = scan->incomplete ||
				      (kind == GL_KIND_PIPE_R && fdscan_is_ours(ino));
	end = fdscan_find(scan->pipes, scan->nr_pipes, ino, &nr);
	for (; nr; nr--, end++)
		if (kind == GL_KIND_PIPE_R ? end->writable : end->readable)
			fdscan_add_releasers(w, scan, end->table, index);
	return index;
}

void pipe_block(struct world *w, struct wait *wait, uint64_t ino, bool write)
{
	uint32_t index = other_ends(w, ino, write ? GL_KIND_PIPE_W : GL_KIND_PIPE_R);

	/* Without another end the call is about to return. */
	if (w->resources[index].nr_releasers)
		world_block_on(w, wait, index);
	else
		wait->unknown_releaser = true;
}

static bool has_awake(const struct world *w, const struct fd_table *table)
{
	for (uint32_t i = 0; i < table->nr_tasks; i++) {
		const struct task *t = &w->tasks[table->tasks[i]];

		if (t->wait == NO_INDEX && !t->exiting)
			return true;
	}
	return false;
}

void pipe_cap_larger(struct world *w, uint32_t resource)
{
	const struct fdscan *scan = fdscan_ends(w);
	const struct fd_end *end;
	uint32_t nr;

	end = fdscan_find(scan->pipes, scan->nr_pipes, w->resources[resource].ino, &nr);
	for (; nr; nr--, end++)
		if (end->writable && has_awake(w, &scan->tables[end->table]))
			world_cap_waiters(w, resource, VERDICT_LIKELY,
					  "another task that can write to the pipe could make it larger");
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	uint32_t kind = pipe_kind(w, s);
	unsigned long long ino;
	struct ready ready;
	struct wait *wait;
	char link[256];

	if (kind == GL_KIND_UNKNOWN || !pipe_fd(s, kind, &ready))
		return false;
	fd_link(t->tgid, t->tid, ready.fd, link, sizeof(link));
	wait = ready_add_wait(w, s, kind);
	wait->name = xstrdup(link);
	if (sscanf(link, "pipe:[%llu]", &ino) == 1) {
		wait->id = xasprintf("pipe %llu", ino);
		pipe_block(w, wait, ino, ready.write);
	} else {
		wait->id = xasprintf("fifo %s", link);
		named_block(w, wait, ready.fd, ready.write);
	}
	ready_finish(w, wait);
	return true;
}

const struct resolver resolve_pipe = {
	.name = "pipe",
	.resolve = resolve,
};
