// SPDX-License-Identifier: GPL-2.0
/* proc_maps - what a process has mapped, as /proc tells it (proc.h) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proc.h"
#include "remote.h"
#include "xalloc.h"

#define PATH_SIZE	64

/* Most processes' mappings fit. */
#define MAPS_SIZE	(64 * 1024)

void proc_maps_ahead(struct remote *remote, pid_t tgid, pid_t tid)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", tgid, tid);
	remote_ahead_file(remote, tgid, path, MAPS_SIZE);
}

/* Read a file of unknown size; its bytes (free them) or NULL with -errno in *err. */
static char *read_whole(struct remote *remote, pid_t tgid, const char *path, int *err)
{
	size_t size = MAPS_SIZE;

	for (;; size *= 4) {
		char *buf = xcalloc(1, size);
		ssize_t got = remote_read_file(remote, tgid, path, buf, size);

		if (got >= 0 && (size_t)got < size - 1)
			return buf;
		free(buf);
		if (got < 0 || size > (64 << 20)) {
			*err = got < 0 ? got : -EFBIG;
			return NULL;
		}
	}
}

static bool parse_map(char *line, struct proc_map *map)
{
	unsigned long long start, end, offset, inode;
	char perms[8];
	int path_at = 0;

	if (sscanf(line, "%llx-%llx %7s %llx %x:%x %llu %n", &start, &end, perms, &offset,
		   &map->dev_major, &map->dev_minor, &inode, &path_at) < 7)
		return false;
	map->start = start;
	map->end = end;
	map->offset = offset;
	map->inode = inode;
	map->executable = perms[2] == 'x';
	map->shared = perms[3] == 's';
	map->path = xstrdup(path_at ? line + path_at : "");
	return true;
}

int proc_maps_read_here(pid_t tgid, struct proc_maps *ret)
{
	char path[PATH_SIZE], *line = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *in;

	*ret = (struct proc_maps){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/maps", tgid);
	in = fopen(path, "re");
	if (!in)
		return -errno;
	while ((len = getline(&line, &size, in)) > 0) {
		struct proc_map map = { 0 };

		line[len - 1] = '\0';
		if (parse_map(line, &map))
			*vec_push(ret->map, ret->nr) = map;
	}
	free(line);
	fclose(in);
	return 0;
}

int proc_maps_read(struct remote *remote, pid_t tgid, pid_t tid, struct proc_maps *ret)
{
	char path[PATH_SIZE], *buf, *line, *rest;
	int err = 0;

	*ret = (struct proc_maps){ 0 };
	snprintf(path, sizeof(path), "/proc/%d/task/%d/maps", tgid, tid);
	buf = read_whole(remote, tgid, path, &err);
	if (!buf)
		return err;
	for (rest = buf; (line = strsep(&rest, "\n"));) {
		struct proc_map map = { 0 };

		if (parse_map(line, &map))
			*vec_push(ret->map, ret->nr) = map;
	}
	free(buf);
	return 0;
}

void proc_maps_free(struct proc_maps *maps)
{
	for (uint32_t i = 0; i < maps->nr; i++)
		free(maps->map[i].path);
	free(maps->map);
	*maps = (struct proc_maps){ 0 };
}

const struct proc_map *proc_maps_find(const struct proc_maps *maps, uint64_t addr)
{
	uint32_t low = 0, high = maps->nr;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct proc_map *map = &maps->map[mid];

		if (addr >= map->start && addr < map->end)
			return map;
		if (addr < map->start)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}
