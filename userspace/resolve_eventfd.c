// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_eventfd - reads of an eventfd that is zero, writes to a full one.
 *
 * Whoever has the same eventfd open can end the wait. The kernel signals some
 * by itself, for asynchronous I/O or virtual machines, and does not tell which:
 * an eventfd proves nothing, and one that nobody else has says nothing.
 */
#include <stdio.h>
#include <string.h>

#include "array.h"
#include "fdscan.h"
#include "ready.h"
#include "xalloc.h"

/* Until Linux 6.1 eventfd_read(); since then a helper of wait queues. */
static bool sleeps(const struct sleeper *s)
{
	static const char *const functions[] = {
		"eventfd_read", "eventfd_write", "do_wait_intr_irq", "do_wait_intr",
	};

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strcmp(s->wchan, functions[i]))
			return true;
	return false;
}

static uint32_t sharers(struct world *w, int id)
{
	const struct fdscan *scan = fdscan_eventfds(w);
	uint32_t index;
	char key[32];
	bool new;

	snprintf(key, sizeof(key), "eventfd %d", id);
	index = world_resource(w, key, &new);
	if (!new)
		return index;
	w->resources[index].evidence = EVIDENCE_READ;
	w->resources[index].unknown = scan->incomplete;
	for (uint32_t i = 0; i < scan->nr_anons; i++)
		if (scan->anons[i].anon == FD_ANON_EVENTFD && (int)scan->anons[i].ino == id + 1)
			fdscan_add_releasers(w, scan, scan->anons[i].table, index);
	return index;
}

void eventfd_block(struct world *w, struct wait *wait, int fd)
{
	const struct task *t = &w->tasks[wait->task];
	const struct resource *r;
	struct fd_info info;
	uint32_t index;

	world_cap(wait, VERDICT_LIKELY, "the kernel itself may signal an eventfd");
	if (fd_info_read(w, t->tgid, t->tid, fd, &info) || info.eventfd_id < 0) {
		wait->unknown_releaser = true;
		return;
	}
	fd_info_free(&info);
	index = sharers(w, info.eventfd_id);
	r = &w->resources[index];
	if (!r->nr_releasers || (r->nr_releasers == 1 && *r->releasers == wait->task))
		wait->unknown_releaser = true;
	else
		world_block_on(w, wait, index);
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct task *t = &w->tasks[s->task];
	struct ready ready;
	struct wait *wait;
	char link[64];

	if (!sleeps(s) || !ready_call(s, &ready) ||
	    strcmp(fd_link(t->tgid, t->tid, ready.fd, link, sizeof(link)), "anon_inode:[eventfd]"))
		return false;
	wait = ready_add_wait(w, s, GL_KIND_EVENTFD);
	wait->id = xasprintf("eventfd %d of %d", ready.fd, t->tgid);
	wait->name = xasprintf("descriptor %d", ready.fd);
	eventfd_block(w, wait, ready.fd);
	ready_finish(w, wait);
	return true;
}

const struct resolver resolve_eventfd = {
	.name = "eventfd",
	.resolve = resolve,
};
