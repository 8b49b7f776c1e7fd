// SPDX-License-Identifier: GPL-2.0
/* graphviz - lay out a graph by graphviz's dot (graphviz.h) */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graphviz.h"
#include "xalloc.h"

#define DEADLINE_MS	60000

/* 0, or -errno; a dot that takes too long is killed. */
static int wait_for(pid_t pid)
{
	struct pollfd pfd = { .fd = syscall(SYS_pidfd_open, pid, 0), .events = POLLIN };
	bool late = pfd.fd < 0 || poll(&pfd, 1, DEADLINE_MS) <= 0;
	int status;

	if (late)
		kill(pid, SIGKILL);
	if (pfd.fd >= 0)
		close(pfd.fd);
	if (waitpid(pid, &status, 0) != pid)
		return -EIO;
	if (late)
		return -ETIMEDOUT;
	return WIFEXITED(status) && !WEXITSTATUS(status) ? 0 : -EIO;
}

static int run(int in, int out)
{
	char *const argv[] = { "dot", "-Tsvg", NULL };
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	err = posix_spawnp(&pid, "dot", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return err ? -err : wait_for(pid);
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t nr = write(fd, data, size);

		if (nr <= 0)
			return nr ? -errno : -EIO;
		data += nr;
		size -= nr;
	}
	return lseek(fd, 0, SEEK_SET) ? -errno : 0;
}

static int read_all(int fd, char **ret, size_t *size_ret)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *data = xreallocarray(NULL, size + 1, 1);

	if (pread(fd, data, size, 0) != size) {
		free(data);
		return -EIO;
	}
	*ret = data;
	*size_ret = size;
	return size ? 0 : -EIO;
}

/* Both ends are files in memory: nobody waits for anybody but for dot's end. */
int graphviz_svg(const char *dot, size_t size, char **ret, size_t *size_ret)
{
	int in = memfd_create("graph", MFD_CLOEXEC), out = memfd_create("svg", MFD_CLOEXEC);
	int err = in < 0 || out < 0 ? -errno : write_all(in, dot, size);

	if (!err)
		err = run(in, out);
	if (!err)
		err = read_all(out, ret, size_ret);
	if (in >= 0)
		close(in);
	if (out >= 0)
		close(out);
	return err;
}
