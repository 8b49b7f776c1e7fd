// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_memory - futexes, and memory that is not what it seems.
 */
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

/* --- words that look like a mutex ------------------------------------------ */

/* As Rust's Mutex<[u32; 3]>: 2 is "locked, and somebody waits". */
static uint32_t look_alike[8] = { 2, 0, 0x12345, 3, 0 };

static void wait_look_alike(void)
{
	be(0);
	syscall(SYS_futex, look_alike, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 2, NULL, NULL, ~0);
}

void foreign_mutex(void)
{
	actor("waiter");
	thread(wait_look_alike);
}

/* A counter that happens to be a thread's number. */
static uint32_t counter[64];

static void wait_counter(void)
{
	lock(0);
	counter[32] = shared->tid[1];
	shared->go = true;
	be(0);
	syscall(SYS_futex, &counter[32], FUTEX_WAIT, counter[32], NULL, NULL, 0);
}

static void lock_after_go(void)
{
	be(1);
	while (!shared->go)
		nap();
	lock(0);
}

void counter_like_tid(void)
{
	actor("waiter");
	actor("locker");
	thread(lock_after_go);
	while (!shared->tid[1])
		nap();
	thread(wait_counter);
}

/* --- words that a third one writes ------------------------------------------ */

static void lock_0_as_0(void)
{
	while (!shared->go)
		nap();
	be(0);
	lock(0);
}

static void lock_1_as_1(void)
{
	while (!shared->go)
		nap();
	be(1);
	lock(1);
}

/* Who has both says in their words that each waiter has the other's. */
static void lie(void)
{
	shared->mutex[0].__data.__owner = shared->tid[1];
	shared->mutex[1].__data.__owner = shared->tid[0];
}

static void lie_now_and_then(void)
{
	const pid_t self = gettid();

	for (;;) {
		lie();
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		shared->mutex[0].__data.__owner = self;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
		shared->mutex[1].__data.__owner = self;
		__atomic_signal_fence(__ATOMIC_SEQ_CST);
	}
}

static void own_both_and_lie(void)
{
	lock(0);
	lock(1);
	shared->go = true;
	wait_for(0);
	wait_for(1);
	lie();
}

static void own_and_lie(void)
{
	own_both_and_lie();
	thread(lie_now_and_then);
}

static void own_and_lie_till_told(void)
{
	const pid_t self = gettid();
	sigset_t told;
	int sig;

	sigemptyset(&told);
	sigaddset(&told, SIGUSR1);
	sigprocmask(SIG_BLOCK, &told, NULL);
	own_both_and_lie();
	be(2);
	sigwait(&told, &sig);
	shared->mutex[0].__data.__owner = self;
	shared->mutex[1].__data.__owner = self;
}

static void lie_to_two(void (*liar)(void))
{
	actor("first");
	actor("second");
	if (liar == own_and_lie_till_told)
		actor("liar");
	spawn(lock_0_as_0);
	spawn(lock_1_as_1);
	spawn(liar);
}

/* The owner of both lets the words of their owners change all the time. */
void words_that_change(void)
{
	lie_to_two(own_and_lie);
}

/* As above, but once, when the liar gets SIGUSR1: till then a look believes them. */
void words_that_change_once(void)
{
	lie_to_two(own_and_lie_till_told);
}

/* What stays is believed. */
void words_that_stay(void)
{
	lie_to_two(own_both_and_lie);
}

/* --- memory ----------------------------------------------------------------- */

static void lock_and_unmap(void)
{
	pthread_mutex_lock(&shared->mutex[1]);
	shared->go = true;
	munmap(shared, sizeof(*shared));
}

static void lock_1_after_go(void)
{
	while (!shared->go)
		nap();
	be(0);
	lock(1);
}

/* The owner has the memory's file open still, and may map it again. */
void owner_unmapped(void)
{
	actor("waiter");
	spawn(lock_and_unmap);
	spawn(lock_1_after_go);
}

static int clone_main(void *arg)
{
	(void)arg;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	lock(1);
	shared->go = true;
	sleep_for_ever();
	return 0;
}

static void clone_and_lock(int flags)
{
	static char stack[65536] __attribute__((aligned(16)));

	check(clone(clone_main, stack + sizeof(stack), flags | CLONE_VM | SIGCHLD, NULL) > 0,
	      "clone");
	while (!shared->go)
		nap();
	be(0);
	lock(1);
}

static void lock_what_clone_has(void)
{
	clone_and_lock(0);
}

static void lock_what_sibling_has(void)
{
	clone_and_lock(CLONE_PARENT);
}

/* A process in the same memory calls itself, to glibc, by its maker's number. */
void clone_with_our_number(void)
{
	actor("waiter");
	spawn(lock_what_clone_has);
}

/* As above, and it is no child of its maker. */
void sibling_with_our_number(void)
{
	actor("waiter");
	spawn(lock_what_sibling_has);
}
