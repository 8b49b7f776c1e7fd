// SPDX-License-Identifier: GPL-2.0
/* ustack_modules - memory and mapped files of a process, for libdwfl (ustack_dwfl.h) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "ustack_dwfl.h"
#include "xalloc.h"

bool unwinder_read(const struct unwinder *u, uint64_t addr, void *buf, size_t size)
{
	struct iovec here = { buf, size }, there = { (void *)(uintptr_t)addr, size };

	return process_vm_readv(u->tgid, &here, 1, &there, 1, 0) == (ssize_t)size;
}

bool unwinder_word(struct unwinder *u, uint64_t addr, uint64_t *ret)
{
	uint64_t at = addr & ~(uint64_t)(CACHE_BYTES - 1);

	if (addr - at > CACHE_BYTES - sizeof(*ret))
		return unwinder_read(u, addr, ret, sizeof(*ret));
	if (!u->cached || u->cache_at != at) {
		u->cached = unwinder_read(u, at, u->cache, CACHE_BYTES);
		u->cache_at = at;
		if (!u->cached)
			return false;
	}
	memcpy(ret, &u->cache[addr - at], sizeof(*ret));
	return true;
}

static bool is_file(int fd, const struct proc_map *map)
{
	struct stat st;

	return !fstat(fd, &st) && st.st_ino == map->inode && S_ISREG(st.st_mode);
}

/*
 * The mapped file itself, whatever its path leads to by now and in whichever
 * mount namespace it is; where that takes more rights than there are, by path.
 */
static int open_mapped(const struct unwinder *u, const struct proc_map *map)
{
	char path[4096 + 64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", u->tgid,
		 (unsigned long long)map->start, (unsigned long long)map->end);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/root%s", u->tgid, map->path);
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd >= 0 && !is_file(fd, map)) {
		close(fd);
		fd = -1;
	}
	return fd;
}

static const struct proc_map *map_at(Dwfl_Module *mod, void **userdata)
{
	const struct unwinder *u = *userdata;
	Dwarf_Addr start = 0;

	dwfl_module_info(mod, NULL, &start, NULL, NULL, NULL, NULL, NULL);
	return proc_maps_find(&u->maps, start);
}

static int find_elf(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
		    char **file_name, Elf **elf)
{
	const struct proc_map *map = map_at(mod, userdata);

	(void)name;
	(void)base;
	(void)elf;
	if (!map)
		return -1;
	*file_name = xstrdup(map->path);
	return open_mapped(*userdata, map);
}

/* Separate debug files are neither looked for here nor asked for elsewhere. */
static int find_debuginfo(Dwfl_Module *mod, void **userdata, const char *name, Dwarf_Addr base,
			  const char *file_name, const char *link, GElf_Word crc, char **ret)
{
	(void)mod;
	(void)userdata;
	(void)name;
	(void)base;
	(void)file_name;
	(void)link;
	(void)crc;
	(void)ret;
	return -1;
}

static const Dwfl_Callbacks file_callbacks = {
	.find_elf = find_elf,
	.find_debuginfo = find_debuginfo,
};

static bool same_file(const struct proc_map *a, const struct proc_map *b)
{
	return a->inode == b->inode && a->dev_major == b->dev_major &&
	       a->dev_minor == b->dev_minor && !strcmp(a->path, b->path);
}

static void report_module(struct unwinder *u, const struct proc_map *first, uint64_t end)
{
	Dwfl_Module *mod;
	void **userdata;

	/* Of other offsets libdwfl cannot tell where the file's addresses are. */
	if (first->offset)
		return;
	mod = dwfl_report_module(u->dwfl, first->path, first->start, end);
	if (!mod)
		return;
	dwfl_module_info(mod, &userdata, NULL, NULL, NULL, NULL, NULL, NULL);
	*userdata = u;
}

/* Mappings of one file in a row, if any can be executed, are a module. */
static void report_modules(struct unwinder *u)
{
	uint32_t last;

	dwfl_report_begin(u->dwfl);
	for (uint32_t i = 0; i < u->maps.nr; i = last + 1) {
		const struct proc_map *map = &u->maps.map[i];
		bool executable = map->executable;

		for (last = i; last + 1 < u->maps.nr && same_file(map, map + last + 1 - i); last++)
			executable |= u->maps.map[last + 1].executable;
		if (map->inode && executable)
			report_module(u, map, u->maps.map[last].end);
	}
	dwfl_report_end(u->dwfl, NULL, NULL);
}

int unwinder_open(struct unwinder *u)
{
	u->dwfl = dwfl_begin(&file_callbacks);
	if (!u->dwfl)
		return -ENOMEM;
	report_modules(u);
	return 0;
}
