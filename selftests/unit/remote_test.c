// SPDX-License-Identifier: GPL-2.0
/*
 * remote_test - reads that block, given up: of a FIFO that nobody writes to. What
 * the child was is known by its number; when it has ended, the kernel says.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "remote.h"

FIXTURE(blocked)
{
	struct remote *remote;
	char folder[32], fifo[64];
};

FIXTURE_SETUP(blocked)
{
	strcpy(self->folder, "/tmp/remote_test.XXXXXX");
	ASSERT_NE(NULL, mkdtemp(self->folder));
	snprintf(self->fifo, sizeof(self->fifo), "%s/fifo", self->folder);
	ASSERT_EQ(0, mkfifo(self->fifo, 0600));
	self->remote = remote_new();
	ASSERT_NE(NULL, self->remote);
}

FIXTURE_TEARDOWN(blocked)
{
	remote_free(self->remote);
	unlink(self->fifo);
	rmdir(self->folder);
}

static ssize_t read_fifo(FIXTURE_DATA(blocked) * self, pid_t tgid)
{
	char buf[16];

	return remote_read_file(self->remote, tgid, self->fifo, buf, sizeof(buf));
}

/* Wait until it has ended, but leave it to who has to. -1: somebody did before. */
static int wait_for_end(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
}

static void read_nothing(FIXTURE_DATA(blocked) * self)
{
	remote_ahead_new(self->remote);
	remote_ahead_go(self->remote);
}

TEST_F(blocked, child_that_was_given_up_is_replaced_and_leaves_no_zombie)
{
	for (uint64_t nr = 1; nr <= 3; nr++) {
		pid_t child = remote_pid(self->remote);

		EXPECT_EQ(-ETIMEDOUT, read_fifo(self, 0));
		EXPECT_EQ(nr, remote_blocked(self->remote));
		EXPECT_NE(child, remote_pid(self->remote));
		if (!wait_for_end(child))
			EXPECT_TRUE(remote_is_child(self->remote, child));
		read_nothing(self);
		EXPECT_FALSE(remote_is_child(self->remote, child));
		EXPECT_EQ(-1, wait_for_end(child));
		EXPECT_EQ(ECHILD, errno);
	}
}

TEST_F(blocked, process_that_blocked_is_not_asked_again)
{
	pid_t child;

	EXPECT_EQ(-ETIMEDOUT, read_fifo(self, 1));
	child = remote_pid(self->remote);
	read_nothing(self);
	EXPECT_EQ(-ETIMEDOUT, read_fifo(self, 1));
	EXPECT_EQ(1, remote_blocked(self->remote));
	EXPECT_EQ(child, remote_pid(self->remote));
	EXPECT_EQ(-ETIMEDOUT, read_fifo(self, 2));
	EXPECT_EQ(2, remote_blocked(self->remote));
}

/* By then its number may be another one's. */
TEST_F(blocked, process_that_has_ended_since_may_be_asked_again)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	EXPECT_EQ(-ETIMEDOUT, read_fifo(self, child));
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	read_nothing(self);
	EXPECT_EQ(-ETIMEDOUT, read_fifo(self, child));
	EXPECT_EQ(2, remote_blocked(self->remote));
}

TEST_F(blocked, child_that_is_adopted_is_one_until_it_ends)
{
	pid_t child = fork();

	if (!child)
		for (;;)
			pause();
	EXPECT_FALSE(remote_is_child(self->remote, child));
	remote_adopt(self->remote, child);
	read_nothing(self);
	EXPECT_TRUE(remote_is_child(self->remote, child));
	kill(child, SIGKILL);
	EXPECT_EQ(0, wait_for_end(child));
	read_nothing(self);
	EXPECT_FALSE(remote_is_child(self->remote, child));
}

TEST_HARNESS_MAIN
