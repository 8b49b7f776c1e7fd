// SPDX-License-Identifier: GPL-2.0
/*
 * futex_double_test - does another process have the same memory: asked about real
 * processes, by one that may not ask about the first process of the machine.
 */
#define _GNU_SOURCE
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "futex_double.h"
#include "kselftest_harness.h"
#include "remote.h"
#include "world.h"

#define NOBODY	65534
/* Where programs' stacks began, as far as the worlds here say. */
#define HERE	0x1000
#define THERE	0x2000

static int kcmp_vm(pid_t a, pid_t b)
{
	return syscall(SYS_kcmp, a, b, KCMP_VM, 0, 0);
}

/* Nobody's rights, but memory that may be looked at by others like it. */
static void become_nobody(void)
{
	if (!geteuid() && setresuid(NOBODY, NOBODY, NOBODY))
		_exit(1);
	prctl(PR_SET_DUMPABLE, 1);
}

static int sleep_on(void *unused)
{
	for (;;)
		pause();
	return 0;
}

FIXTURE(doubles)
{
	struct world *w;
	struct remote *remote;
	pid_t child, twin;
};

FIXTURE_SETUP(doubles)
{
	static char stack[16384];

	become_nobody();
	self->child = fork();
	if (!self->child)
		_exit(sleep_on(NULL));
	self->twin = clone(sleep_on, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL);
	ASSERT_GT(self->child, 0);
	ASSERT_GT(self->twin, 0);
	self->remote = remote_new();
	ASSERT_NE(NULL, self->remote);
	self->w = world_new(NULL, self->remote);
}

FIXTURE_TEARDOWN(doubles)
{
	world_free(self->w);
	remote_free(self->remote);
	kill(self->child, SIGKILL);
	kill(self->twin, SIGKILL);
	while (wait(NULL) > 0)
		;
}

static uint32_t add(FIXTURE_DATA(doubles) *self, pid_t pid, uint64_t stack_start)
{
	world_add_task(self->w, pid, pid)->stack_start = stack_start;
	return self->w->nr_tasks - 1;
}

/* Is this a kernel that tells, and are the rights those that the test is about? */
static bool is_told(void)
{
	return !kcmp_vm(getpid(), getpid()) && kcmp_vm(1, 1) < 0;
}

TEST_F(doubles, process_of_another_beginning_is_no_double)
{
	uint32_t own = add(self, self->child, HERE);

	if (!is_told())
		SKIP(return, "kcmp(2) does not tell, or tells of all");
	add(self, 1, THERE);
	EXPECT_EQ(0, futex_double(self->w, own));
}

/* The same but for one number: the twin. */
TEST_F(doubles, process_that_tells_nothing_may_be_one)
{
	uint32_t own = add(self, self->child, HERE);

	if (!is_told())
		SKIP(return, "kcmp(2) does not tell, or tells of all");
	add(self, 1, 0);
	EXPECT_EQ(-1, futex_double(self->w, own));
}

/* It may be asked: as a process that is about to end, which has no memory any more. */
TEST_F(doubles, process_that_tells_no_beginning_and_may_be_asked_is_none)
{
	uint32_t own = add(self, self->child, HERE);

	if (!is_told())
		SKIP(return, "kcmp(2) does not tell, or tells of all");
	add(self, self->twin, 0);
	EXPECT_EQ(0, futex_double(self->w, own));
}

TEST_F(doubles, memory_of_two_processes_is_found)
{
	uint32_t own = add(self, getpid(), HERE);

	if (!is_told())
		SKIP(return, "kcmp(2) does not tell, or tells of all");
	add(self, self->child, HERE);
	EXPECT_EQ(0, futex_double(self->w, own));
	world_free(self->w);
	self->w = world_new(NULL, self->remote);
	own = add(self, getpid(), HERE);
	add(self, self->twin, HERE);
	EXPECT_EQ(1, futex_double(self->w, own));
}

TEST_HARNESS_MAIN
