// SPDX-License-Identifier: GPL-2.0
/*
 * hostile - situations made to look like deadlocks, or to hide that they are
 * none, one by name. Speaks as scenario does: "ready name=tid ..." once all
 * named threads sleep, and ends with its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "asleep.h"
#include "hostile.h"

struct shared *shared;
static const char *actor_name[MAX_ACTORS];
static int nr_actors;
static char folder[32] = "/tmp/hostile.XXXXXX";

void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	_exit(1);
}

void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void lock(int n)
{
	pthread_mutex_lock(&shared->mutex[n]);
}

void sleep_for_ever(void)
{
	for (;;)
		pause();
}

int lock_file(int n)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%d", folder, n);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	check(fd >= 0, path);
	return fd;
}

/* --- actors ---------------------------------------------------------------- */

/* The number comes last, and once: whoever reads it looks if that task sleeps. */
void be_known_as(int n, pid_t tid)
{
	prctl(PR_SET_NAME, actor_name[n]);
	shared->tid[n] = tid;
}

/* The calling thread is actor @n, and goes to sleep next. */
void be(int n)
{
	be_known_as(n, gettid());
}

/* A number for an actor, before any process is made. */
int actor(const char *name)
{
	actor_name[nr_actors] = name;
	return nr_actors++;
}

void wait_for(int n)
{
	while (!shared->tid[n] || !task_off_cpu(shared->tid[n]))
		nap();
}

pid_t spawn(void (*run)(void))
{
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	close(STDIN_FILENO);
	close(STDOUT_FILENO);
	run();
	sleep_for_ever();
	return 0;
}

static void *thread_main(void *run)
{
	((void (*)(void))run)();
	sleep_for_ever();
	return NULL;
}

void thread(void (*run)(void))
{
	pthread_t t;

	check(!pthread_create(&t, NULL, thread_main, run), "pthread_create");
}

void lock_0_as_1(void)
{
	be(1);
	lock(0);
}

/* clang-format off */
static const struct {
	const char *name;
	void (*make)(void);
} situations[] = {
	{ "foreign-mutex", foreign_mutex },
	{ "counter-like-tid", counter_like_tid },
	{ "any-child", any_child },
	{ "thread-may-fork", thread_may_fork },
	{ "subreaper", subreaper },
	{ "init-with-guest", init_with_guest },
	{ "init-alone", init_alone },
	{ "many-groups", many_groups },
	{ "replaced-descriptor", replaced_descriptor },
	{ "flock-abba", flock_abba },
	{ "many-timers", many_timers },
	{ "deadly-timer", deadly_timer },
	{ "lock-in-flight", lock_in_flight },
	{ "ofd-upgrades", ofd_upgrades },
	{ "ofd-upgrade", ofd_upgrade },
	{ "owner-unmapped", owner_unmapped },
	{ "words-that-change", words_that_change },
	{ "words-that-change-once", words_that_change_once },
	{ "words-that-stay", words_that_stay },
	{ "clone-with-our-number", clone_with_our_number },
	{ "sibling-with-our-number", sibling_with_our_number },
	{ "stdio-lock", stdio_lock },
	{ "thread-gone", thread_gone },
	{ "heir", heir },
	{ "heir-waits", heir_waits },
	{ "shared-heir", shared_heir },
	{ "first-thread-ended", first_thread_ended },
	{ "first-thread-ended-in-order", first_thread_ended_in_order },
	{ "many-descriptors", many_descriptors },
	{ "odd-name", odd_name },
	{ "hopping-writer", hopping_writer },
	{ "hopping-stranger", hopping_stranger },
	{ "resting-stranger", resting_stranger },
	{ "hopping-locker", hopping_locker },
	{ "hopping-owner", hopping_owner },
	{ "dead-owner", dead_owner },
	{ "replaced-by-the-gone", replaced_by_the_gone },
	{ "kept-by-the-gone", kept_by_the_gone },
	{ "table-of-two", table_of_two },
	{ "table-copied", table_copied },
	{ "polls-in-table-of-two", polls_in_table_of_two },
	{ "polls-in-table-copied", polls_in_table_copied },
	{ "timer-writes", timer_writes },
	{ "timer-is-blocked", timer_is_blocked },
	{ "larger-pipe", larger_pipe },
	{ "larger-pipe-waits", larger_pipe_waits },
	{ "vfork-of-another", vfork_of_another },
	{ "vfork-of-its-own", vfork_of_its_own },
	{ "watched-other-end", watched_other_end },
	{ "watched-same-end-in-company", watched_same_end_in_company },
	{ "watched-same-end", watched_same_end },
	{ "number-of-its-maker", number_of_its_maker },
	{ "number-of-its-own", number_of_its_own },
	{ "many-records", many_records },
	{ "records-of-another", records_of_another },
	{ "too-many-locks", too_many_locks },
	{ "locks-alike", locks_alike },
	{ "ring-has-the-pipe", ring_has_the_pipe },
	{ "ring-of-a-member", ring_of_a_member },
	{ "blocked-stranger", blocked_stranger },
	{ "blocked-threads", blocked_threads },
	{ "blocked-sender", blocked_sender },
	{ "blocked-by-files", blocked_by_files },
	{ "closed-under-splice", closed_under_splice },
	{ "splice-of-its-own", splice_of_its_own },
	{ "replaced-file", replaced_file },
	{ "kept-file", kept_file },
	{ "user-timeout", user_timeout },
	{ "no-user-timeout", no_user_timeout },
	{ "paced-senders", paced_senders },
	{ "lost-bytes", lost_bytes },
};

/* clang-format on */

static void share(void)
{
	int fd = memfd_create("hostile", 0);
	pthread_mutexattr_t attr;

	check(fd >= 0 && !ftruncate(fd, sizeof(*shared)), "memfd_create");
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	check(shared != MAP_FAILED, "mmap");
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < 4; i++)
		pthread_mutex_init(&shared->mutex[i], &attr);
	check(mkdtemp(folder), folder);
}

static void say_ready(void)
{
	for (int i = 0; i < nr_actors; i++)
		wait_for(i);
	printf("ready");
	for (int i = 0; i < nr_actors; i++)
		printf(" a%d=%d", i, shared->tid[i]);
	putchar('\n');
	fflush(stdout);
}

static void remove_folder(void)
{
	char path[64];

	for (int i = 0; i < 8; i++) {
		snprintf(path, sizeof(path), "%s/%d", folder, i);
		unlink(path);
	}
	rmdir(folder);
}

int main(int argc, char **argv)
{
	char byte;

	for (size_t i = 0; i < ARRAY_SIZE(situations); i++) {
		if (argc != 2 || strcmp(argv[1], situations[i].name))
			continue;
		share();
		situations[i].make();
		say_ready();
		while (read(STDIN_FILENO, &byte, 1) > 0)
			;
		remove_folder();
		/* The children follow: PR_SET_PDEATHSIG. */
		_exit(0);
	}
	fprintf(stderr, "hostile: no such situation\n");
	return 2;
}
