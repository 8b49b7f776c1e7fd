// SPDX-License-Identifier: GPL-2.0
/* fdscan_info - what one descriptor is: its fdinfo, its link (fdscan.h) */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fdscan.h"
#include "remote.h"
#include "world.h"
#include "xalloc.h"

#define PATH_SIZE	64

/* Nearly every fdinfo fits the first; locks and rings can make it far larger. */
#define INFO_SIZE	16384
#define MAX_INFO_SIZE	(1024 * 1024)

static void parse_target(const char *line, struct fd_info *ret)
{
	unsigned long long ino;
	unsigned int events;
	int fd;

	if (sscanf(line, " %d events: %x data: %*x pos:%*d ino:%llx", &fd, &events, &ino) == 3)
		*vec_push(ret->targets, ret->nr_targets) = (struct fd_target){ fd, events, ino };
	else
		ret->truncated = true;
}

static void parse_info(char *text, struct fd_info *ret)
{
	char *line;

	while ((line = strsep(&text, "\n"))) {
		struct file_lock lock;

		if (!strncmp(line, "flags:", 6))
			ret->flags = strtoul(line + 6, NULL, 8);
		else if (!strncmp(line, "mnt_id:", 7))
			ret->mnt_id = strtol(line + 7, NULL, 10);
		else if (!strncmp(line, "ino:", 4))
			ret->ino = strtoull(line + 4, NULL, 10);
		else if (!strncmp(line, "Pid:", 4))
			ret->pid = strtol(line + 4, NULL, 10);
		else if (!strncmp(line, "scm_fds:", 8))
			ret->nr_hidden = strtoul(line + 8, NULL, 10);
		else if (!strncmp(line, "eventfd-id:", 11))
			ret->eventfd_id = strtol(line + 11, NULL, 10);
		else if (!strncmp(line, "tfd:", 4))
			parse_target(line + 4, ret);
		else if (!strncmp(line, "lock:", 5) && file_lock_parse(line + 5, &lock))
			*vec_push(ret->locks.lock, ret->locks.nr) = lock;
	}
}

/* 0; 1: there was no room for all of it; or -errno */
static int read_and_parse(struct world *w, pid_t tgid, const char *path, char *text, size_t size,
			  struct fd_info *ret)
{
	ssize_t n = remote_read_file(w->remote, tgid, path, text, size);

	*ret = (struct fd_info){ .eventfd_id = -1 };
	if (n < 0)
		return n;
	parse_info(text, ret);
	ret->truncated |= (size_t)n == size - 1;
	return (size_t)n == size - 1;
}

int fd_info_read(struct world *w, pid_t tgid, pid_t tid, int fd, struct fd_info *ret)
{
	char path[PATH_SIZE], text[INFO_SIZE], *more;
	int err;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fdinfo/%d", tgid, tid, fd);
	err = read_and_parse(w, tgid, path, text, sizeof(text), ret);
	if (err <= 0)
		return err;
	fd_info_free(ret);
	more = xcalloc(1, MAX_INFO_SIZE);
	err = read_and_parse(w, tgid, path, more, MAX_INFO_SIZE, ret);
	free(more);
	return err < 0 ? err : 0;
}

void fd_info_free(struct fd_info *info)
{
	file_locks_free(&info->locks);
	free(info->targets);
	info->targets = NULL;
}

const char *fd_link(pid_t tgid, pid_t tid, int fd, char *buf, size_t size)
{
	char path[PATH_SIZE];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", tgid, tid, fd);
	n = readlink(path, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
	return buf;
}

void fd_mode(pid_t tgid, pid_t tid, int fd, bool *readable_ret, bool *writable_ret)
{
	char path[PATH_SIZE];
	struct stat st = { 0 };

	snprintf(path, sizeof(path), "/proc/%d/task/%d/fd/%d", tgid, tid, fd);
	if (lstat(path, &st))
		st.st_mode = 0;
	*readable_ret = st.st_mode & S_IRUSR;
	*writable_ret = st.st_mode & S_IWUSR;
}
