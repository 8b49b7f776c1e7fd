// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_fifo - what is found by a name: FIFOs and POSIX message queues.
 *
 * Who has it open can end a wait, and so can anybody who opens it: no more than
 * likely. A task that only its own process could help waits for strangers.
 */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "fdscan.h"
#include "ready.h"
#include "remote.h"
#include "xalloc.h"

/* One inode number on two mounts can be one file or two: then it is not known. */
static void add_openers(struct world *w, uint32_t resource, const struct fd_info *info,
			bool readers)
{
	const struct fdscan *scan = fdscan_files(w);

	w->resources[resource].unknown = scan->files_incomplete;
	for (uint32_t i = 0; i < scan->nr_files; i++) {
		const struct fd_end *file = &scan->files[i];

		if (file->ino != info->ino || !(readers ? file->readable : file->writable))
			continue;
		if (file->mnt_id == info->mnt_id)
			fdscan_add_releasers(w, scan, file->table, resource);
		else
			w->resources[resource].unknown = true;
	}
}

static bool has_stranger(const struct world *w, const struct resource *r, pid_t tgid)
{
	for (uint32_t i = 0; i < r->nr_releasers; i++)
		if (w->tasks[r->releasers[i]].tgid != tgid)
			return true;
	return false;
}

void named_block(struct world *w, struct wait *wait, int fd, bool write)
{
	const struct task *t = &w->tasks[wait->task];
	struct fd_info info;
	uint32_t index;
	char key[64];
	bool new;

	world_cap(wait, VERDICT_LIKELY, "anybody may open what has a name");
	if (fd_info_read(w, t->tgid, t->tid, fd, &info) || !info.ino) {
		wait->unknown_releaser = true;
		return;
	}
	fd_info_free(&info);
	snprintf(key, sizeof(key), "named %d:%llu %s", info.mnt_id, (unsigned long long)info.ino,
		 write ? "readers" : "writers");
	index = world_resource(w, key, &new);
	w->resources[index].evidence = EVIDENCE_READ;
	if (new)
		add_openers(w, index, &info, write);
	if (has_stranger(w, &w->resources[index], t->tgid))
		world_block_on(w, wait, index);
	else
		wait->unknown_releaser = true;
}

/* --- open(2) of a FIFO ------------------------------------------------------- */

static bool parse_open(const struct sleeper *s, uint64_t *path_ret, bool *write_ret)
{
	switch (s->nr) {
	case SYS_open:
		*path_ret = s->args[0];
		*write_ret = (s->args[1] & O_ACCMODE) == O_WRONLY;
		return true;
	case SYS_creat:
		*path_ret = s->args[0];
		*write_ret = true;
		return true;
	case SYS_openat:
		*path_ret = s->args[1];
		*write_ret = (s->args[2] & O_ACCMODE) == O_WRONLY;
		return true;
	default:
		return false;
	}
}

/* Read so much as is mapped: a short name may be near the end of a page. */
static char *read_path(struct world *w, pid_t tgid, uint64_t addr)
{
	char path[256];

	for (size_t size = sizeof(path) - 1; size >= 16; size /= 2) {
		memset(path, 0, sizeof(path));
		if (remote_read_memory(w->remote, tgid, addr, path, size) == (ssize_t)size)
			return xstrdup(path);
	}
	return xstrdup("a FIFO");
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	pid_t tgid = w->tasks[s->task].tgid;
	struct wait *wait;
	uint64_t path;
	bool write;

	if (strcmp(s->wchan, "wait_for_partner") || !parse_open(s, &path, &write))
		return false;
	wait = ready_add_wait(w, s, write ? GL_KIND_PIPE_W : GL_KIND_PIPE_R);
	wait->name = read_path(w, tgid, path);
	wait->id = xasprintf("open of fifo %s", wait->name);
	wait->unknown_releaser = true;
	return true;
}

const struct resolver resolve_fifo = {
	.name = "fifo",
	.resolve = resolve,
};
