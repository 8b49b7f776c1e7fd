// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_fork - holders that go on to another process all the time: each forks
 * and ends, so that a scan of processes one by one may see none of them.
 */
#include <sched.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "hostile.h"

static pid_t situation;

/* Orphans become the situation's children, and leave nothing when they end. */
static void adopt_orphans(void)
{
	situation = getpid();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	signal(SIGCHLD, SIG_IGN);
}

/* In a child: go on in a child of its own, and so on while the situation is there. */
static void hop(void)
{
	while (!kill(situation, 0)) {
		if (fork() > 0)
			_exit(0);
	}
	_exit(0);
}

/* --- pipes ------------------------------------------------------------------ */

int ring[2][2];
void (*before_read)(void);

/* Reads one pipe, and alone of the actors could write the other. */
static void read_ring(int n)
{
	char byte;

	close(ring[n][1]);
	close(ring[!n][0]);
	if (!n && before_read)
		before_read();
	be(n);
	(void)!read(ring[n][0], &byte, 1);
}

static void read_ring_0(void)
{
	read_ring(0);
}

static void read_ring_1(void)
{
	read_ring(1);
}

void close_ring(void)
{
	for (int n = 0; n < 4; n++)
		close(ring[n / 2][n % 2]);
}

void make_ring(void (*third)(void))
{
	actor("one");
	actor("two");
	adopt_orphans();
	check(!pipe(ring[0]) && !pipe(ring[1]), "pipe");
	spawn(third);
	spawn(read_ring_0);
	spawn(read_ring_1);
	close_ring();
}

/* Somebody, always another process, has an end that could set one free. */
void hopping_writer(void)
{
	make_ring(hop);
}

static void hop_without(void)
{
	close_ring();
	hop();
}

void hopping_stranger(void)
{
	make_ring(hop_without);
}

static void stay_without(void)
{
	close_ring();
}

void resting_stranger(void)
{
	make_ring(stay_without);
}

/* --- file locks ------------------------------------------------------------- */

static int locked[2];

/* Each actor keeps the file it is not to wait for. */
static void flock_ring(int n)
{
	close(locked[!n]);
	locked[!n] = lock_file(!n);
	be(n);
	flock(locked[!n], LOCK_EX);
}

static void flock_ring_0(void)
{
	flock_ring(0);
}

static void flock_ring_1(void)
{
	flock_ring(1);
}

void hopping_locker(void)
{
	actor("one");
	actor("two");
	adopt_orphans();
	for (int n = 0; n < 2; n++) {
		locked[n] = lock_file(n);
		check(!flock(locked[n], LOCK_EX), "flock");
	}
	spawn(hop);
	spawn(flock_ring_0);
	spawn(flock_ring_1);
	close(locked[0]);
	close(locked[1]);
}

/* --- a mutex in a nested PID namespace --------------------------------------- */

/* As hop(), and each has the mutex as long as it is there: its number says so. */
static void hop_with_mutex(void)
{
	/* The word as glibc makes it: locked, with waiters; the owner; its users. */
	shared->mutex[1].__data.__lock = 2;
	shared->mutex[1].__data.__nusers = 1;
	for (;;) {
		shared->mutex[1].__data.__owner = getpid();
		shared->go = true;
		if (fork() > 0)
			_exit(0);
	}
}

static void first_of_namespace(void)
{
	/* Ends with the situation, and all that hops with it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	if (!fork())
		hop_with_mutex();
	sleep_for_ever();
}

static void make_namespace(void)
{
	check(!unshare(CLONE_NEWPID), "unshare");
	if (!fork())
		first_of_namespace();
}

/* Who has it not mapped did not inherit the mutex. */
static void sleep_without_mutex(void)
{
	munmap(shared, sizeof(*shared));
	sleep_for_ever();
}

static void lock_what_hops(void)
{
	while (!shared->go)
		nap();
	be(0);
	lock(1);
}

/* There is always an owner, but never for long, and its number is no number here. */
void hopping_owner(void)
{
	actor("waiter");
	spawn(make_namespace);
	spawn(lock_what_hops);
}

static void die_with_mutex(void)
{
	if (!fork()) {
		lock(1);
		shared->go = true;
		_exit(0);
	}
	sleep_without_mutex();
}

static void die_in_namespace(void)
{
	check(!unshare(CLONE_NEWPID), "unshare");
	if (!fork()) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		die_with_mutex();
	}
	sleep_without_mutex();
}

/* The owner is gone, and nobody came since. */
void dead_owner(void)
{
	actor("waiter");
	spawn(die_in_namespace);
	spawn(lock_what_hops);
}
