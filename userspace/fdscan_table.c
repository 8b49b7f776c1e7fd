// SPDX-License-Identifier: GPL-2.0
/* fdscan_table - what one table of descriptors has in it, by its links (fdscan.h) */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fdscan.h"
#include "resolve.h"
#include "text.h"
#include "world.h"
#include "xalloc.h"

#define PATH_SIZE	64

/* Descriptors between two looks at the clock. */
#define LOOK_AT_CLOCK	1024

/* Enough of a link to tell a pipe or socket with its number, or a path. */
#define LINK_SIZE	48

/* The mode of the link itself tells how the file is open; nothing is followed. */
static struct fd_end read_end(DIR *dir, const char *name, uint32_t table)
{
	struct fd_end end = { .table = table, .fd = atoi(name) };
	struct stat st;

	if (!fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW)) {
		end.readable = st.st_mode & S_IRUSR;
		end.writable = st.st_mode & S_IWUSR;
	}
	return end;
}

static enum fd_anon parse_anon(const char *link)
{
	if (!strcmp(link, "anon_inode:[eventfd]"))
		return FD_ANON_EVENTFD;
	if (!strcmp(link, "anon_inode:[eventpoll]"))
		return FD_ANON_EPOLL;
	if (!strcmp(link, "anon_inode:[io_uring]"))
		return FD_ANON_IO_URING;
	return FD_ANON_NONE;
}

/* 0, also when it is closed by now, or -errno */
static int scan_fd(const struct world *w, struct fdscan *scan, DIR *dir, const char *name,
		   uint32_t table)
{
	char link[LINK_SIZE];
	ssize_t n = readlinkat(dirfd(dir), name, link, sizeof(link) - 1);
	unsigned long long ino;

	if (n < 0 && errno == ENAMETOOLONG) {
		/* A name too long to be told is still that of a file. */
		link[0] = '/';
		n = 1;
	}
	if (n <= 0)
		return n < 0 && errno != ENOENT ? -errno : 0;
	link[n] = '\0';
	if (w->thorough)
		*vec_push(scan->numbers, scan->nr_numbers) = (struct fd_number){
			.fd = atoi(name), .link = text_hash(TEXT_HASH, link, n), .table = table
		};
	if (link[0] == '/') {
		*vec_push(scan->files, scan->nr_files) = (struct fd_end){
			.table = table, .fd = atoi(name)
		};
	} else if (sscanf(link, "pipe:[%llu]", &ino) == 1) {
		struct fd_end *end = vec_push(scan->pipes, scan->nr_pipes);

		*end = read_end(dir, name, table);
		end->ino = ino;
	} else if (sscanf(link, "socket:[%llu]", &ino) == 1) {
		struct fd_end *end = vec_push(scan->sockets, scan->nr_sockets);

		*end = (struct fd_end){ .ino = ino, .table = table, .fd = atoi(name) };
	} else if (parse_anon(link) != FD_ANON_NONE) {
		struct fd_end *end = vec_push(scan->anons, scan->nr_anons);

		*end = (struct fd_end){
			.anon = parse_anon(link), .table = table, .fd = atoi(name)
		};
	}
	return 0;
}

int fdscan_table(const struct world *w, struct fdscan *scan, uint32_t table)
{
	struct fd_table *t = &scan->tables[table];
	struct dirent *entry;
	char path[PATH_SIZE];
	unsigned int nr = 0;
	int err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd", t->tgid, t->tid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	for (errno = 0; !err && (entry = readdir(dir)); errno = 0) {
		if (entry->d_name[0] != '.')
			err = scan_fd(w, scan, dir, entry->d_name, table);
		if (++nr % LOOK_AT_CLOCK == 0 && world_too_late(w))
			err = -ETIME;
	}
	err = err ?: -errno;
	closedir(dir);
	return err == -ENOENT ? -ESRCH : err;
}
