// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_wait - waits for children and pipes that somebody can still end.
 */
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

#define NR_GROUPS	2000

/* --- waits for any child ---------------------------------------------------- */

static void parent_of_any(void)
{
	lock(0);
	spawn(lock_0_as_1);
	be(0);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

void any_child(void)
{
	actor("parent");
	actor("child");
	spawn(parent_of_any);
}

static void parent_with_thread(void)
{
	/* It could fork at any time. */
	thread(sleep_for_ever);
	parent_of_any();
}

void thread_may_fork(void)
{
	actor("parent");
	actor("child");
	spawn(parent_with_thread);
}

static void child_with_child(void)
{
	spawn(sleep_for_ever);
	lock_0_as_1();
}

static void reaper(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	lock(0);
	spawn(child_with_child);
	be(0);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* The grandchild can fork and end: its child becomes one of the reaper's. */
void subreaper(void)
{
	actor("reaper");
	actor("child");
	spawn(reaper);
}

/* In a PID namespace of its own a process does not know the number seen outside. */
static void be_from_outside(int n)
{
	char number[16] = "";

	check(readlink("/proc/self", number, sizeof(number) - 1) > 0, "/proc/self");
	be_known_as(n, atoi(number));
}

static void want_file(void)
{
	int fd = lock_file(0);

	be_from_outside(1);
	flock(fd, LOCK_EX);
}

static void init_of_namespace(void)
{
	int fd = lock_file(0);

	check(!flock(fd, LOCK_EX), "flock");
	while (!shared->go)
		nap();
	spawn(want_file);
	be_from_outside(0);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void namespace_with_guest(void)
{
	check(!unshare(CLONE_NEWPID), "unshare");
	spawn(init_of_namespace);
	spawn(sleep_for_ever);
	shared->go = true;
}

static void namespace_alone(void)
{
	check(!unshare(CLONE_NEWPID), "unshare");
	spawn(init_of_namespace);
	shared->go = true;
}

/* The guest's parent is outside; a child that it leaves is the init's to wait for. */
void init_with_guest(void)
{
	actor("init");
	actor("child");
	spawn(namespace_with_guest);
}

void init_alone(void)
{
	actor("init");
	actor("child");
	spawn(namespace_alone);
}

/* --- pipes ------------------------------------------------------------------ */

static int own_pipe[2];

static void write_own_pipe(int sig)
{
	(void)sig;
	(void)!write(own_pipe[1], "x", 1);
}

static void read_own_pipe(void)
{
	static gid_t groups[NR_GROUPS];
	char byte;

	for (int i = 0; i < NR_GROUPS; i++)
		groups[i] = 100000 + i;
	check(!setgroups(NR_GROUPS, groups), "setgroups");
	signal(SIGUSR1, write_own_pipe);
	check(!pipe(own_pipe), "pipe");
	be(0);
	(void)!read(own_pipe[0], &byte, 1);
}

/* So many groups that its status is longer than a page. */
void many_groups(void)
{
	actor("reader");
	spawn(read_own_pipe);
}

static int first[2], second[2];

static void read_first(void)
{
	char byte;

	lock(0);
	be(0);
	(void)!read(first[0], &byte, 1);
}

static void two_threads_one_read(void)
{
	close(first[1]);
	close(second[1]);
	thread(read_first);
	wait_for(0);
	dup2(second[0], first[0]);
	shared->go = true;
}

static void hold_second(void)
{
	close(first[0]);
	close(first[1]);
	close(second[0]);
	while (!shared->go)
		nap();
	lock_0_as_1();
}

static void hold_first(void)
{
	close(first[0]);
	close(second[0]);
	close(second[1]);
}

/* What is read is another pipe than the descriptor's number says by now. */
void replaced_descriptor(void)
{
	actor("reader");
	actor("writer");
	check(!pipe(first) && !pipe(second), "pipe");
	spawn(two_threads_one_read);
	spawn(hold_second);
	spawn(hold_first);
	close(first[0]);
	close(first[1]);
	close(second[0]);
	close(second[1]);
}

/* --- a thread that has ended ------------------------------------------------- */

static bool replaces;

static void *replace_and_end(void *unused)
{
	(void)unused;
	shared->tid[7] = gettid();
	wait_for(0);
	if (replaces)
		dup2(second[0], first[0]);
	shared->go = true;
	return NULL;
}

static void read_first_and_be_left(void)
{
	pthread_t t;

	close(first[1]);
	close(second[1]);
	check(!pthread_create(&t, NULL, replace_and_end, NULL), "pthread_create");
	read_first();
}

static void hold_second_when_left(void)
{
	char path[32];

	while (!shared->go)
		nap();
	snprintf(path, sizeof(path), "/proc/%d", shared->tid[7]);
	while (!access(path, F_OK))
		nap();
	hold_second();
}

static void read_beside(void (*reader)(void), void (*writer)(void))
{
	actor("reader");
	actor("writer");
	check(!pipe(first) && !pipe(second), "pipe");
	spawn(reader);
	spawn(writer);
	spawn(hold_first);
	close(first[0]);
	close(first[1]);
	close(second[0]);
	close(second[1]);
}

/* As replaced_descriptor(), and who replaced it has ended. */
void replaced_by_the_gone(void)
{
	replaces = true;
	read_beside(read_first_and_be_left, hold_second_when_left);
}

/* The thread did nothing: the pipe that is read is the one seen. */
void kept_by_the_gone(void)
{
	read_beside(read_first_and_be_left, hold_second_when_left);
}

/* --- a process with the same table ---------------------------------------------- */

static int table_flag;

static int replace_as_process(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	wait_for(0);
	dup2(second[0], first[0]);
	shared->go = true;
	sleep_for_ever();
	return 0;
}

static void read_first_beside_process(void)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));

	close(first[1]);
	close(second[1]);
	check(clone(replace_as_process, stack + sizeof(stack), table_flag | SIGCHLD, NULL) > 0,
	      "clone");
	read_first();
}

/* As replaced_descriptor(), by another process. */
void table_of_two(void)
{
	table_flag = CLONE_FILES;
	read_beside(read_first_beside_process, hold_second);
}

/* What is replaced is the other process's own: the reader reads what it says. */
void table_copied(void)
{
	read_beside(read_first_beside_process, hold_second);
}
