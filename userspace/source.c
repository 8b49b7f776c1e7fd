// SPDX-License-Identifier: GPL-2.0
/* source - the module's files in debugfs (source.h) */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "snapshot.h"
#include "source.h"
#include "xalloc.h"

#define DEBUGFS		"/sys/kernel/debug"

/* A file that grows past this is not the module's: its largest is 65,536 rows. */
#define MAX_FILE_BYTES	((size_t)1 << 30)

static const char *source_dir(void)
{
	const char *dir = getenv("GRIDLOCK_DEBUGFS");

	return dir && *dir ? dir : DEBUGFS "/gridlock";
}

static int read_all(int fd, char **ret, size_t *size_ret)
{
	size_t room = 65536, size = 0;
	char *data = xreallocarray(NULL, room, 1);

	for (;;) {
		ssize_t got = read(fd, data + size, room - size - 1);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || size > MAX_FILE_BYTES) {
			int err = got < 0 ? -errno : -EFBIG;

			free(data);
			return err;
		}
		if (got == 0)
			break;
		size += got;
		if (size + 1 == room) {
			room *= 2;
			data = xreallocarray(data, room, 1);
		}
	}
	data[size] = '\0';
	*ret = data;
	*size_ret = size;
	return 0;
}

int source_read(const char *name, char **ret, size_t *size_ret)
{
	char *path = xasprintf("%s/%s", source_dir(), name);
	/* In a folder that is not the module's there can be a FIFO. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	int err;

	if (fd < 0) {
		err = -errno;
	} else {
		err = fstat(fd, &st) || !S_ISREG(st.st_mode) ? -EBADMSG :
							       read_all(fd, ret, size_ret);
		close(fd);
	}
	free(path);
	return err;
}

int source_snapshot(uint32_t type, struct snapshot **ret)
{
	static const char *const names[] = {
		[GL_RECORD_WAIT] = "waits.bin",
		[GL_RECORD_LOCK] = "locks.bin",
		[GL_RECORD_GROUP] = "groups.bin",
	};
	size_t size;
	char *data;
	int err;

	err = source_read(names[type], &data, &size);
	if (err)
		return err;
	err = snapshot_decode(data, size, type, ret);
	free(data);
	return err;
}

int source_module_loaded(void)
{
	return !access("/sys/module/gridlock", F_OK);
}

static int debugfs_mounted(void)
{
	struct statfs fs;

	return !statfs(DEBUGFS, &fs) && fs.f_type == DEBUGFS_MAGIC;
}

/* Is there the file that every version of the module has? */
static bool has_files(void)
{
	char *path = xasprintf("%s/version", source_dir());
	bool has = !access(path, F_OK);

	free(path);
	return has;
}

/* The one sentence for a file that could not be opened. */
static const char *explain_open(int err)
{
	if (err == -EACCES || err == -EPERM)
		return "permission denied: run as root";
	if (err == -EBUSY)
		return "four snapshots are open already: close one and try again";
	if (err == -ENOENT && has_files())
		return "the module is older than this reader: load the one built with it";
	if (getenv("GRIDLOCK_DEBUGFS"))
		return strerror(-err);
	if (err == -ENOENT && !source_module_loaded())
		return "the module is not loaded: insmod gridlock.ko";
	if (err == -ENOENT && !debugfs_mounted())
		return "debugfs is not mounted: mount -t debugfs none /sys/kernel/debug";
	return strerror(-err);
}

void source_explain(const char *name, int err)
{
	const char *why;

	switch (err) {
	case -EBADMSG:
		why = "this is no gridlock file";
		break;
	case -EPROTONOSUPPORT:
		why = "its version is not known: use the reader built with the module";
		break;
	case -EMSGSIZE:
		why = "it is truncated: copy it again, in one read";
		break;
	default:
		why = explain_open(err);
	}
	fprintf(stderr, "gridlock: %s/%s: %s\n", source_dir(), name, why);
}
