// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_hidden - holders that a scan of descriptors does not show: known to
 * io_uring, on their way where nothing can be read, or kept by a call.
 */
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/io_uring.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostile.h"

/* Who sleeps and is no actor. */
#define STRANGER	7

/* --- io_uring ---------------------------------------------------------------- */

static void keep_in_ring(void)
{
	struct io_uring_params params = { 0 };
	int fd = syscall(SYS_io_uring_setup, 8, &params);

	check(fd >= 0, "io_uring_setup");
	check(!syscall(SYS_io_uring_register, fd, IORING_REGISTER_FILES, &ring[0][1], 1),
	      "IORING_REGISTER_FILES");
	close_ring();
	shared->tid[STRANGER] = gettid();
}

/* A stranger has the pipe's end, but not as a descriptor. */
void ring_has_the_pipe(void)
{
	make_ring(keep_in_ring);
	wait_for(STRANGER);
}

/* A ring that nobody uses; but who knows. */
static void have_a_ring(void)
{
	struct io_uring_params params = { 0 };

	check(syscall(SYS_io_uring_setup, 8, &params) >= 0, "io_uring_setup");
}

void ring_of_a_member(void)
{
	before_read = have_a_ring;
	make_ring(close_ring);
}

/* --- a process whose reads block ----------------------------------------------- */

/* Sleep for a word; what is right before it, only this process could bring. */
static void sleep_by_missing_page(void)
{
	size_t size = getpagesize();
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register missing = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1, 0);

	check(pages != MAP_FAILED, "mmap");
	pages[size] = 0;
	missing.range.start = (unsigned long)pages;
	missing.range.len = size;
	check(fd >= 0 && !ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &missing),
	      "userfaultfd");
	shared->tid[STRANGER] = gettid();
	syscall(SYS_futex, pages + size, FUTEX_WAIT, 0, NULL);
}

static void block_reads(void)
{
	close_ring();
	sleep_by_missing_page();
}

void blocked_stranger(void)
{
	make_ring(block_reads);
	wait_for(STRANGER);
}

static void block_reads_of_two(void)
{
	close_ring();
	thread(sleep_for_ever);
	sleep_by_missing_page();
}

void blocked_threads(void)
{
	make_ring(block_reads_of_two);
	wait_for(STRANGER);
}

static void block_and_hide(void)
{
	int channel[2];

	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, channel), "socketpair");
	send_fd(channel[0], ring[0][1]);
	block_reads();
}

/* The pipe's end is on its way through a socket that cannot be looked into. */
void blocked_sender(void)
{
	make_ring(block_and_hide);
	wait_for(STRANGER);
}

void blocked_by_files(void)
{
	flock_abba();
	spawn(sleep_by_missing_page);
	wait_for(STRANGER);
}

/* --- a call in flight ------------------------------------------------------------ */

static int source[2];

static void splice_on(void)
{
	shared->tid[STRANGER] = gettid();
	(void)!splice(source[0], NULL, ring[0][1], NULL, 1, 0);
}

static void splice_and_close(void)
{
	close(source[1]);
	thread(splice_on);
	wait_for(STRANGER);
	close_ring();
	shared->go = true;
}

/* A thread would go on to write to the pipe; its process has closed the number. */
void closed_under_splice(void)
{
	check(!pipe(source), "pipe");
	make_ring(splice_and_close);
	while (!shared->go)
		nap();
}

static void splice_alone(void)
{
	int own[2];

	close(source[1]);
	close_ring();
	check(!pipe(own), "pipe");
	shared->tid[STRANGER] = gettid();
	(void)!splice(source[0], NULL, own[1], NULL, 1, 0);
}

void splice_of_its_own(void)
{
	check(!pipe(source), "pipe");
	make_ring(splice_alone);
	wait_for(STRANGER);
}

/* --- file locks: whose line is it? ------------------------------------------------- */

static int wanted;

/* Actor 1 has file 1, and waits for the mutex of actor 0. */
static void have_file_1(void)
{
	flock(lock_file(1), LOCK_EX);
	shared->tid[4] = 1;
	wait_for(0);
	be(1);
	lock(0);
}

static void have_file_0(void)
{
	flock(lock_file(0), LOCK_EX);
	shared->tid[5] = 1;
}

static void lock_wanted(void)
{
	lock(0);
	be(0);
	flock(wanted, LOCK_EX);
}

static void lock_file_1(void)
{
	shared->tid[STRANGER] = gettid();
	flock(wanted, LOCK_EX);
}

static void want(int n)
{
	while (!shared->tid[4] || !shared->tid[5])
		nap();
	wanted = lock_file(n);
	thread(lock_wanted);
	wait_for(0);
}

/* The number of what is waited for comes to mean another file, with a waiter of its own. */
static void want_0_then_1(void)
{
	want(0);
	check(dup2(lock_file(1), wanted) == wanted, "dup2");
	thread(lock_file_1);
}

static void make_lockers(void (*run)(void))
{
	actor("one");
	actor("two");
	spawn(have_file_0);
	spawn(have_file_1);
	spawn(run);
}

void replaced_file(void)
{
	make_lockers(want_0_then_1);
	wait_for(STRANGER);
}

static void want_1(void)
{
	want(1);
}

void kept_file(void)
{
	make_lockers(want_1);
}
