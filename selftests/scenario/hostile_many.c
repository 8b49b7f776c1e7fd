// SPDX-License-Identifier: GPL-2.0
/* hostile_many - more locks and descriptors than there is time for, or room. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include "hostile.h"

#define NR_FILES	19000
#define NR_HOLDERS	4

/* Of one file: more than a page of them. */
#define NR_RECORDS	400
/* Of each of 8 files. */
#define NR_TOO_MANY	6000

/* Few enough to be told apart, with many descriptors each. */
#define NR_ALIKE	60
#define NR_COPIES	15

static void open_many(void)
{
	struct rlimit limit = { NR_FILES + 100, NR_FILES + 100 };
	int fd = lock_file(7);

	check(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	for (int i = 0; i < NR_FILES; i++)
		check(dup(fd) >= 0, "dup");
	be(2);
	sleep_for_ever();
}

void many_descriptors(void)
{
	flock_abba();
	actor("many");
	for (int i = 0; i < NR_HOLDERS; i++) {
		shared->tid[2] = 0;
		spawn(open_many);
		wait_for(2);
	}
}

/* --- locks of a range -------------------------------------------------------------- */

static int set_lock(int fd, int cmd, off_t start, off_t len)
{
	struct flock range = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = len,
	};

	return fcntl(fd, cmd, &range);
}

/* Not of bytes 0 and 1. */
static void lock_records(int fd, int nr)
{
	for (int i = 1; i <= nr; i++)
		check(!set_lock(fd, F_SETLK, 2 * i, 1), "F_SETLK");
}

static int file;

static void share_file(void)
{
	lock_records(file, NR_RECORDS);
	shared->tid[4] = 1;
}

static void open_file(void)
{
	close(file);
	file = lock_file(0);
	share_file();
}

static void have_byte(void)
{
	while (!shared->tid[4])
		nap();
	check(!set_lock(file, F_OFD_SETLK, 0, 1), "F_OFD_SETLK");
	shared->tid[5] = 1;
	while (!shared->tid[6])
		nap();
	be(0);
	flock(lock_file(1), LOCK_EX);
}

static void want_byte(void)
{
	int own = lock_file(0);

	close(file);
	flock(lock_file(1), LOCK_EX);
	shared->tid[6] = 1;
	while (!shared->tid[5])
		nap();
	be(1);
	set_lock(own, F_OFD_SETLKW, 0, 1);
}

static void make_records(void (*third)(void))
{
	actor("one");
	actor("two");
	file = lock_file(0);
	spawn(third);
	spawn(have_byte);
	spawn(want_byte);
	close(file);
}

/* Somebody has so many locks that the one that counts is far down his list. */
void many_records(void)
{
	make_records(share_file);
}

void records_of_another(void)
{
	make_records(open_file);
}

/* --- more than there is time for ----------------------------------------------------- */

static void have_too_many(void)
{
	for (int n = 0; n < 8; n++)
		lock_records(lock_file(n), NR_TOO_MANY);
	shared->go = true;
}

static void want_all(void)
{
	int fd = lock_file(0);

	while (!shared->go)
		nap();
	be(0);
	set_lock(fd, F_SETLKW, 0, 0);
}

void too_many_locks(void)
{
	actor("one");
	spawn(have_too_many);
	spawn(want_all);
}

static void have_alike(void)
{
	struct rlimit limit = { NR_FILES, NR_FILES };

	check(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit");
	for (int i = 0; i < NR_ALIKE; i++) {
		int fd = lock_file(0);

		check(!flock(fd, LOCK_SH), "flock");
		for (int k = 0; k < NR_COPIES; k++)
			check(dup(fd) >= 0, "dup");
	}
	shared->go = true;
}

static void want_alone(void)
{
	int fd = lock_file(0);

	while (!shared->go)
		nap();
	be(0);
	flock(fd, LOCK_EX);
}

void locks_alike(void)
{
	actor("one");
	spawn(have_alike);
	spawn(want_alone);
}
