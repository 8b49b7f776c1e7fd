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

/* Of a list of mounts, so much is looked into. */
#define MOUNTS_SIZE	(256 * 1024)

/* The device of mount @mnt_id as a task sees it, "MAJOR:MINOR"; "" if not told */
static void read_device(struct world *w, const struct task *t, int mnt_id, char *ret, size_t size)
{
	char *text = xcalloc(1, MOUNTS_SIZE), *line, *rest = text;
	char path[64], device[32];
	int id;

	*ret = '\0';
	snprintf(path, sizeof(path), "/proc/%d/task/%d/mountinfo", t->tgid, t->tid);
	if (remote_read_file(w->remote, t->tgid, path, text, MOUNTS_SIZE) > 0)
		while (!*ret && (line = strsep(&rest, "\n")))
			if (sscanf(line, "%d %*d %31s", &id, device) == 2 && id == mnt_id)
				snprintf(ret, size, "%s", device);
	free(text);
}

/* Inode numbers are of a file system, which may be mounted more than once. */
static int same_device(struct world *w, const struct task *a, int mnt_a, uint32_t b, int mnt_b)
{
	char device_a[32], device_b[32];

	if (mnt_a == mnt_b)
		return 1;
	read_device(w, a, mnt_a, device_a, sizeof(device_a));
	read_device(w, &w->tasks[b], mnt_b, device_b, sizeof(device_b));
	return *device_a && *device_b ? !strcmp(device_a, device_b) : -1;
}

static void add_openers(struct world *w, uint32_t resource, const struct task *t,
			const struct fd_info *info, bool readers)
{
	const struct fdscan *scan = fdscan_files(w);

	w->resources[resource].unknown = scan->files_incomplete || scan->files_blocked;
	for (uint32_t i = 0; i < scan->nr_files; i++) {
		const struct fd_end *file = &scan->files[i];
		int same;

		if (file->ino != info->ino || !(readers ? file->readable : file->writable))
			continue;
		same = same_device(w, t, info->mnt_id, *scan->tables[file->table].tasks,
				   file->mnt_id);
		if (same > 0)
			fdscan_add_releasers(w, scan, file->table, resource);
		w->resources[resource].unknown |= same < 0;
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
		add_openers(w, index, t, &info, write);
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
