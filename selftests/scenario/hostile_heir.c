// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_heir - mutexes whose word names another than who will unlock them,
 * or is none of a mutex at all.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "hostile.h"

/* --- the lock of a FILE ------------------------------------------------------ */

#define STACK_SIZE	0x40000
/*
 * An address of which each half could be a number of a mutex: a thread's with
 * its stack here has its descriptor, which is at the top of the stack, below it.
 */
#define STACK_PLACE	((void *)0x100000000000)

static FILE *file;
/* _IO_lock_t, and what comes behind it. */
static int file_lock[8] __attribute__((aligned(16)));

static void *keep_file(void *arg)
{
	flockfile(file);
	/* As it is behind a lock that has no counter, or when somebody else has the next. */
	file_lock[4] = file_lock[1];
	shared->go = true;
	sleep_for_ever();
	return arg;
}

static void want_file(void)
{
	while (!shared->go)
		nap();
	be(0);
	flockfile(file);
}

void stdio_lock(void)
{
	void *stack = mmap(STACK_PLACE, STACK_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	pthread_attr_t attr;
	pthread_t t;

	actor("waiter");
	file = tmpfile();
	check(file && stack == STACK_PLACE, "memory for a stack");
	file->_lock = (void *)file_lock;
	pthread_attr_init(&attr);
	pthread_attr_setstack(&attr, stack, STACK_SIZE);
	check(!pthread_create(&t, &attr, keep_file, NULL), "pthread_create");
	thread(want_file);
}

/* --- a mutex whose owner is gone --------------------------------------------- */

static pthread_mutex_t own[2] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };

static void *lock_and_end(void *arg)
{
	pthread_mutex_lock(&own[0]);
	return arg;
}

static void lock_own(void)
{
	be(0);
	pthread_mutex_lock(&own[0]);
}

/* Nobody inherited this: the program began after its process was made. */
void thread_gone(void)
{
	pthread_t t;

	actor("waiter");
	check(!pthread_create(&t, NULL, lock_and_end, NULL), "pthread_create");
	pthread_join(t, NULL);
	thread(lock_own);
}

static void wait_in_a_thread(void)
{
	thread(lock_own);
}

/* The child's first thread is the one that locked it, and can unlock it. */
void heir(void)
{
	actor("waiter");
	pthread_mutex_lock(&own[0]);
	spawn(wait_in_a_thread);
}

/* The child's first thread waits for it itself. */
void heir_waits(void)
{
	actor("waiter");
	pthread_mutex_lock(&own[0]);
	spawn(lock_own);
}

static pid_t situation;

static void lock_as_daemon(void)
{
	lock(1);
	/* This ends here, and the word keeps its number. */
	if (fork() > 0)
		_exit(0);
	while (getppid() != situation)
		nap();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	shared->go = true;
}

static void lock_1_after_go(void)
{
	while (!shared->go)
		nap();
	be(0);
	lock(1);
}

/* As heir(), in shared memory: the daemon can unlock what it locked as its parent. */
void shared_heir(void)
{
	actor("waiter");
	situation = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGCHLD, SIG_IGN);
	spawn(lock_as_daemon);
	spawn(lock_1_after_go);
}

/* --- a process whose first thread has ended ------------------------------------ */

static pthread_t first_thread;
static pthread_barrier_t both;

static void lock_0_then_1(void)
{
	pthread_join(first_thread, NULL);
	pthread_mutex_lock(&own[0]);
	pthread_barrier_wait(&both);
	be(0);
	pthread_mutex_lock(&own[1]);
}

static void lock_1_then_0(void)
{
	pthread_mutex_lock(&own[1]);
	pthread_barrier_wait(&both);
	be(1);
	pthread_mutex_lock(&own[0]);
}

static void lock_1_then_none(void)
{
	pthread_mutex_lock(&own[1]);
	pthread_barrier_wait(&both);
	be(1);
}

static void end_first(void (*second)(void))
{
	first_thread = pthread_self();
	pthread_barrier_init(&both, NULL, 2);
	thread(lock_0_then_1);
	thread(second);
	pthread_exit(NULL);
}

static void end_before_deadlock(void)
{
	end_first(lock_1_then_0);
}

static void end_before_wait(void)
{
	end_first(lock_1_then_none);
}

void first_thread_ended(void)
{
	actor("one");
	actor("two");
	spawn(end_before_deadlock);
}

/* As above, but the second thread takes one mutex only. */
void first_thread_ended_in_order(void)
{
	actor("one");
	actor("two");
	spawn(end_before_wait);
}
