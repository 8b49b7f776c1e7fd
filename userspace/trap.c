// SPDX-License-Identifier: GPL-2.0
/* trap - the command that is run when a finding begins (trap.h) */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "text.h"
#include "trap.h"

#define MINUTE_NS	60000000000ULL

void trap_reap(struct trap *trap)
{
	for (int i = 0; i < TRAP_MAX_RUNNING; i++)
		if (trap->running[i] && waitpid(trap->running[i], NULL, WNOHANG) != 0)
			trap->running[i] = 0;
}

static int free_place(const struct trap *trap)
{
	for (int i = 0; i < TRAP_MAX_RUNNING; i++)
		if (!trap->running[i])
			return i;
	return -1;
}

static bool too_often(const struct trap *trap, uint64_t now)
{
	return trap->nr_run >= TRAP_MAX_A_MINUTE &&
	       now - trap->begun_ns[trap->nr_run % TRAP_MAX_A_MINUTE] < MINUTE_NS;
}

/* In memory: nobody has to read it for us to go on. -1 with errno set: none. */
static int make_input(const char *input)
{
	int fd = memfd_create("finding", MFD_CLOEXEC);
	size_t len = strlen(input);

	if (fd < 0)
		return -1;
	if (write(fd, input, len) != (ssize_t)len || lseek(fd, 0, SEEK_SET)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void become(const char *command, const char *id, int input)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* A group of its own: the terminal's Ctrl-C is for us. */
	setpgid(0, 0);
	setenv("GRIDLOCK_ID", id, 1);
	dup2(input, STDIN_FILENO);
	/* What it says is not ours to say. */
	dup2(STDERR_FILENO, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

void trap_run(struct trap *trap, const char *id, const char *input)
{
	uint64_t now = now_ns();
	int place, fd;

	if (!trap->command)
		return;
	trap_reap(trap);
	place = free_place(trap);
	fd = place < 0 || too_often(trap, now) ? -1 : make_input(input);
	if (fd < 0) {
		trap->nr_skipped++;
		fprintf(stderr, "gridlock: --exec: skipped for %s: too many at once or in a minute\n",
			id);
		return;
	}
	trap->running[place] = fork();
	if (!trap->running[place])
		become(trap->command, id, fd);
	if (trap->running[place] < 0) {
		trap->running[place] = 0;
		trap->nr_skipped++;
		fprintf(stderr, "gridlock: --exec: %s\n", strerror(errno));
	} else {
		trap->begun_ns[trap->nr_run++ % TRAP_MAX_A_MINUTE] = now;
	}
	close(fd);
}
