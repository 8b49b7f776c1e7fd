// SPDX-License-Identifier: GPL-2.0
/* socket - what waits in sockets of all families have in common (ready.h) */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "fdscan.h"
#include "ready.h"
#include "remote.h"

bool socket_number(const struct task *t, int fd, uint64_t *ino_ret)
{
	unsigned long long ino;
	char link[64];

	fd_link(t->tgid, t->tid, fd, link, sizeof(link));
	if (sscanf(link, "socket:[%llu]", &ino) != 1)
		return false;
	*ino_ret = ino;
	return true;
}

void socket_add_holders(struct world *w, uint32_t resource, uint64_t ino)
{
	const struct fdscan *scan = fdscan_ends(w);
	const struct fd_end *end;
	uint32_t nr;

	w->resources[resource].unknown |= scan->incomplete || fdscan_is_ours(ino);
	w->resources[resource].ino = ino;
	end = fdscan_find(scan->sockets, scan->nr_sockets, ino, &nr);
	for (; nr && ino; nr--, end++)
		fdscan_add_releasers(w, scan, end->table, resource);
}

void socket_block_on(struct world *w, struct wait *wait, const char *family, uint64_t ino)
{
	uint32_t index;
	char key[64];
	bool new;

	snprintf(key, sizeof(key), "%s holders of %llu", family, (unsigned long long)ino);
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_READ;
	if (new)
		socket_add_holders(w, index, ino);
	if (w->resources[index].nr_releasers)
		world_block_on(w, wait, index);
	else
		wait->unknown_releaser = true;
}

void socket_cap_shared(struct world *w, struct wait *wait, uint64_t ino)
{
	const struct fdscan *scan = fdscan_ends(w);
	const struct fd_end *end;
	uint32_t nr;

	end = fdscan_find(scan->sockets, scan->nr_sockets, ino, &nr);
	for (; nr; nr--, end++) {
		const struct fd_table *table = &scan->tables[end->table];

		if (table->nr_tasks != 1 || *table->tasks != wait->task)
			world_cap(wait, VERDICT_LIKELY,
				  "another task has this end of a socket too and could shut it down");
	}
}

bool socket_can_be_asked(const struct world *w, const struct task *t, int fd)
{
	char link[64], leader_link[64];

	if (!w->thorough)
		return false;
	fd_link(t->tgid, t->tid, fd, link, sizeof(link));
	fd_link(t->tgid, t->tgid, fd, leader_link, sizeof(leader_link));
	return !strcmp(link, leader_link);
}

static enum timed timeout_of(struct world *w, const struct task *t, const struct ready *ready)
{
	int has;

	if (!socket_can_be_asked(w, t, ready->fd))
		return TIMED_UNKNOWN;
	has = remote_socket_timed(w->remote, t->tgid, ready->fd,
				  ready->write ? SO_SNDTIMEO : SO_RCVTIMEO);
	return has < 0 ? TIMED_UNKNOWN : has ? TIMED_YES : TIMED_NO;
}

void socket_add_timeout(struct world *w, struct wait *wait, const struct ready *ready)
{
	enum timed own = timeout_of(w, &w->tasks[wait->task], ready);

	if (own != TIMED_NO && wait->timed != TIMED_YES)
		wait->timed = own;
}
