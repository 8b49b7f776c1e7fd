// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_table - two that poll for each other's end, as it seems, and a process
 * that may have changed what the first one's descriptor is. No pipe, no socket and
 * no file is in that table.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostile.h"

static int table_flag;
static pid_t stranger, second;
static int polled, replacement;

static int end_of(pid_t pid)
{
	int fd = syscall(SYS_pidfd_open, pid, 0);

	check(fd >= 0, "pidfd_open");
	return fd;
}

static void poll_for(int fd)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	while (poll(&pollfd, 1, -1) <= 0)
		;
}

static int replace(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wait_for(0);
	dup2(replacement, polled);
	shared->go = true;
	sleep_for_ever();
	return 0;
}

static void poll_for_the_stranger(void)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));

	check(!syscall(SYS_close_range, 0, ~0U, 0), "close_range");
	polled = end_of(stranger);
	replacement = end_of(second);
	check(clone(replace, stack + sizeof(stack), table_flag | SIGCHLD, NULL) > 0, "clone");
	be(0);
	poll_for(polled);
}

static void poll_for_the_first(void)
{
	int fd;

	while (!shared->go)
		nap();
	fd = end_of(shared->tid[0]);
	be(1);
	poll_for(fd);
}

static void poll_beside_process(void)
{
	actor("first");
	actor("second");
	stranger = spawn(sleep_for_ever);
	second = spawn(poll_for_the_first);
	spawn(poll_for_the_stranger);
}

/* The first one waits for the stranger: its descriptor was another when it began. */
void polls_in_table_of_two(void)
{
	table_flag = CLONE_FILES;
	poll_beside_process();
}

/* What is replaced is the other process's own. */
void polls_in_table_copied(void)
{
	poll_beside_process();
}
