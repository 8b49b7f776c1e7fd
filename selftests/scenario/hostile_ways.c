// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_ways - ways out of a wait that neither an owner nor a descriptor shows:
 * a timer's handler, a larger pipe, another child than the one seen, another file
 * than the number says, an owner that goes by another's number.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "hostile.h"

/* Who sleeps and is no actor. */
#define STRANGER	7

/* Until that many seconds have passed a test has ended. */
#define LONG_SECS	100000

#define STACK_SIZE	(64 * 1024)

static int pipe_end[2];

static void make_pipe(void (*actor_0)(void), void (*actor_1)(void), void (*third)(void))
{
	check(!pipe(pipe_end), "pipe");
	spawn(actor_0);
	spawn(actor_1);
	if (third)
		spawn(third);
	close(pipe_end[0]);
	close(pipe_end[1]);
}

/* --- handlers ----------------------------------------------------------------- */

static bool blocks_timer;

static void write_pipe(int sig)
{
	(void)sig;
	(void)!write(pipe_end[1], "x", 1);
}

static void read_with_lock(void)
{
	char byte;

	close(pipe_end[1]);
	lock(0);
	be(0);
	(void)!read(pipe_end[0], &byte, 1);
}

static void lock_with_timer(void)
{
	sigset_t set;

	close(pipe_end[0]);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	signal(SIGALRM, write_pipe);
	if (blocks_timer)
		sigprocmask(SIG_BLOCK, &set, NULL);
	alarm(LONG_SECS);
	wait_for(0);
	lock_0_as_1();
}

static void reader_and_timer(void)
{
	actor("reader");
	actor("locker");
	make_pipe(read_with_lock, lock_with_timer, NULL);
}

/* Who waits for the mutex writes meanwhile, when its timer is over. */
void timer_writes(void)
{
	reader_and_timer();
}

void timer_is_blocked(void)
{
	blocks_timer = true;
	reader_and_timer();
}

/* --- a full pipe --------------------------------------------------------------- */

static void write_with_lock(void)
{
	close(pipe_end[0]);
	lock(0);
	fcntl(pipe_end[1], F_SETFL, O_NONBLOCK);
	while (write(pipe_end[1], "x", 1) == 1)
		;
	fcntl(pipe_end[1], F_SETFL, 0);
	be(0);
	(void)!write(pipe_end[1], "x", 1);
}

static void read_when_locked(void)
{
	close(pipe_end[1]);
	wait_for(0);
	lock_0_as_1();
}

static void have_writing_end(void)
{
	close(pipe_end[0]);
}

static void have_writing_end_and_lock(void)
{
	close(pipe_end[0]);
	wait_for(1);
	shared->tid[STRANGER] = gettid();
	lock(0);
}

/* It could make the pipe larger. */
void larger_pipe(void)
{
	actor("writer");
	actor("reader");
	make_pipe(write_with_lock, read_when_locked, have_writing_end);
}

/* It could, but waits behind the two. */
void larger_pipe_waits(void)
{
	actor("writer");
	actor("reader");
	make_pipe(write_with_lock, read_when_locked, have_writing_end_and_lock);
	wait_for(STRANGER);
}

/* --- children in the parent's memory --------------------------------------------- */

static int parents_file;

static int lock_as_child(void *unused)
{
	int fd;

	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(parents_file);
	fd = lock_file(0);
	be(1);
	flock(fd, LOCK_EX);
	return 0;
}

static int sleep_as_child(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(parents_file);
	shared->tid[STRANGER] = gettid();
	sleep_for_ever();
	return 0;
}

static void start(int (*run)(void *unused), char *stack, int flags)
{
	check(clone(run, stack + STACK_SIZE, flags | CLONE_VM | SIGCHLD, NULL) > 0, "clone");
}

/* Two children, one of them of its own parent's: which is the one it waits for? */
static void wait_for_stranger(void)
{
	static char stacks[2][STACK_SIZE] __attribute__((aligned(16)));

	parents_file = lock_file(0);
	flock(parents_file, LOCK_EX);
	start(lock_as_child, stacks[0], 0);
	wait_for(1);
	be(0);
	start(sleep_as_child, stacks[1], CLONE_PARENT | CLONE_VFORK);
}

static void wait_for_locker(void)
{
	static char stacks[2][STACK_SIZE] __attribute__((aligned(16)));

	parents_file = lock_file(0);
	flock(parents_file, LOCK_EX);
	start(sleep_as_child, stacks[0], CLONE_PARENT);
	wait_for(STRANGER);
	be(0);
	start(lock_as_child, stacks[1], CLONE_VFORK);
}

void vfork_of_another(void)
{
	actor("parent");
	actor("child");
	spawn(wait_for_stranger);
}

void vfork_of_its_own(void)
{
	actor("parent");
	actor("child");
	spawn(wait_for_locker);
}

/* --- what epoll watches ----------------------------------------------------------- */

static void wait_by_epoll(void)
{
	struct epoll_event event = { .events = EPOLLIN };
	int fd = lock_file(0), epoll = epoll_create1(0), again;

	flock(fd, LOCK_EX);
	check(!epoll_ctl(epoll, EPOLL_CTL_ADD, pipe_end[0], &event), "epoll_ctl");
	again = dup(pipe_end[0]);
	if (shared->go) {
		dup2(pipe_end[1], pipe_end[0]);
	} else {
		close(pipe_end[0]);
		dup2(again, pipe_end[0]);
		close(again);
	}
	close(pipe_end[1]);
	be(0);
	epoll_wait(epoll, &event, 1, -1);
}

static void want_file(void)
{
	int fd = lock_file(0);

	wait_for(0);
	be(1);
	flock(fd, LOCK_EX);
}

static void poll_and_lock(void (*third)(void))
{
	actor("poller");
	actor("locker");
	make_pipe(wait_by_epoll, want_file, third);
}

/* The number is that of the pipe's other end by now; a third process may write. */
void watched_other_end(void)
{
	shared->go = true;
	poll_and_lock(have_writing_end);
}

/* The number was free in between. */
void watched_same_end_in_company(void)
{
	poll_and_lock(have_writing_end);
}

/* As that, and there is no third process. */
void watched_same_end(void)
{
	poll_and_lock(NULL);
}

/* --- another's number --------------------------------------------------------------- */

static int have_mutex(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	lock(0);
	shared->go = true;
	sleep_for_ever();
	return 0;
}

static void fork_owner(void)
{
	have_mutex(NULL);
}

static void want_file_after(void)
{
	int fd = lock_file(0);

	wait_for(1);
	be(0);
	flock(fd, LOCK_EX);
}

static void make_by_clone(void)
{
	static char stack[STACK_SIZE] __attribute__((aligned(16)));

	check(clone(have_mutex, stack + STACK_SIZE, SIGCHLD, NULL) > 0, "clone");
	want_file_after();
}

static void make_by_fork(void)
{
	spawn(fork_owner);
	want_file_after();
}

static void want_mutex_with_file(void)
{
	int fd = lock_file(0);

	flock(fd, LOCK_EX);
	while (!shared->go)
		nap();
	lock_0_as_1();
}

/* The owner was made by clone(2), and writes its maker's number into the mutex. */
void number_of_its_maker(void)
{
	actor("maker");
	actor("locker");
	spawn(make_by_clone);
	spawn(want_mutex_with_file);
}

void number_of_its_own(void)
{
	actor("maker");
	actor("locker");
	spawn(make_by_fork);
	spawn(want_mutex_with_file);
}
