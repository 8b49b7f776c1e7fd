// SPDX-License-Identifier: GPL-2.0
/*
 * puppet - one task that does what it is told, command by command: for tests in
 * which order and priorities are everything.
 *
 *	puppet FILE NAME
 *
 * FILE holds the locks that the puppets share; the first to come makes them. It
 * prints "ready", reads commands, one a line, and prints "done" after each:
 *
 *	lock KIND N, unlock KIND N	KIND: shm or pi (pthread mutexes), raw-pi (a word
 *					and the kernel's calls), rwlock or rwlock-r (to write
 *					or read a pthread_rwlock), flock (to share it: lock
 *					flock-r, unlock flock), or mutex, rwsem-w, rwsem-r,
 *					rtmutex, sem (kernel locks)
 *	relock KIND N [TIMES]		both at once, so many times (1) in one go, as one who
 *					does not let others in
 *	churn KIND N MS			lock, hold so long, unlock, for ever
 *	retry shm N MS			wait for so long, give up, and try again, for
 *					ever; drop it at once when it is had
 *	await HOW N [MS]		wait at condition N, to be requeued to raw-pi N;
 *					for so long, if at all. HOW it ends: taken, timeout,
 *					or again (a signal came after the requeue)
 *	requeue N			let go of the one who waits at condition N
 *	wait HOW N [TIMES]		wait at condition N by FUTEX_WAIT; again: come for
 *					what is not there, so many times (1)
 *	waitv HOW N [TIMES]		the same by futex_waitv, and at its neighbour too
 *	wake N				end wait or waitv of the one there
 *	policy NAME PRIO		other, rr or idle; PRIO is a nice level or a
 *					real-time priority
 *	cpu N				stay on that CPU
 *	spin				use the CPU, for ever
 *
 * It ends with its input, or with who started it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "raw_pi.h"

#define KERNEL_LOCKS	"/dev/gridlock_scenario"
#define NR_LOCKS	8
#define PRESENT		0x70757070

/* Younger than some C libraries. */
#define NR_FUTEX_WAITV	449

/** struct stage - what the puppets share */
struct stage {
	/** @present: PRESENT when the locks are made */
	unsigned int present;
	pthread_mutex_t shm[NR_LOCKS];
	pthread_mutex_t pi[NR_LOCKS];
	pthread_rwlock_t rwlock[NR_LOCKS];
	/** @raw_pi, @cond: words; of a condition 0, always; one more for waitv */
	atomic_uint raw_pi[NR_LOCKS];
	atomic_uint cond[NR_LOCKS + 1];
};

static struct stage *stage;
static const char *stage_path;
static int lock_fd[NR_LOCKS];
static int kernel_fd = -1;

static int result(int ret)
{
	return ret < 0 ? errno : 0;
}

static void init_locks(void)
{
	pthread_mutexattr_t plain, pi;
	pthread_rwlockattr_t shared;

	pthread_rwlockattr_init(&shared);
	pthread_rwlockattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
	pthread_mutexattr_init(&plain);
	pthread_mutexattr_setpshared(&plain, PTHREAD_PROCESS_SHARED);
	pi = plain;
	pthread_mutexattr_setprotocol(&pi, PTHREAD_PRIO_INHERIT);
	for (int i = 0; i < NR_LOCKS; i++) {
		pthread_mutex_init(&stage->shm[i], &plain);
		pthread_mutex_init(&stage->pi[i], &pi);
		pthread_rwlock_init(&stage->rwlock[i], &shared);
	}
	stage->present = PRESENT;
}

static int set_stage(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || flock(fd, LOCK_EX) || ftruncate(fd, sizeof(*stage)))
		return -1;
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (stage == MAP_FAILED)
		return -1;
	if (stage->present != PRESENT)
		init_locks();
	stage_path = path;
	/* The mapping keeps the file open, and with it the lock. */
	return flock(fd, LOCK_UN) ?: close(fd);
}

static int open_lock_file(unsigned int n)
{
	char path[256];

	if (!lock_fd[n]) {
		snprintf(path, sizeof(path), "%s.%u", stage_path, n);
		lock_fd[n] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	return lock_fd[n];
}

static int kernel_command(const char *verb, const char *kind, unsigned int n)
{
	char command[64];

	if (kernel_fd < 0)
		kernel_fd = open(KERNEL_LOCKS, O_RDWR | O_CLOEXEC);
	snprintf(command, sizeof(command), "%s %s %u", verb, kind, n);
	return result(write(kernel_fd, command, strlen(command)));
}

static int take(const char *kind, unsigned int n)
{
	if (!strcmp(kind, "shm"))
		return pthread_mutex_lock(&stage->shm[n]);
	if (!strcmp(kind, "pi"))
		return pthread_mutex_lock(&stage->pi[n]);
	if (!strcmp(kind, "rwlock"))
		return pthread_rwlock_wrlock(&stage->rwlock[n]);
	if (!strcmp(kind, "rwlock-r"))
		return pthread_rwlock_rdlock(&stage->rwlock[n]);
	if (!strcmp(kind, "raw-pi"))
		return raw_pi_lock(&stage->raw_pi[n], FUTEX_LOCK_PI);
	if (!strcmp(kind, "flock"))
		return result(flock(open_lock_file(n), LOCK_EX));
	if (!strcmp(kind, "flock-r"))
		return result(flock(open_lock_file(n), LOCK_SH));
	return kernel_command("lock", kind, n);
}

static int drop(const char *kind, unsigned int n)
{
	if (!strcmp(kind, "shm"))
		return pthread_mutex_unlock(&stage->shm[n]);
	if (!strcmp(kind, "pi"))
		return pthread_mutex_unlock(&stage->pi[n]);
	if (!strncmp(kind, "rwlock", strlen("rwlock")))
		return pthread_rwlock_unlock(&stage->rwlock[n]);
	if (!strcmp(kind, "raw-pi"))
		return raw_pi_unlock(&stage->raw_pi[n]);
	if (!strcmp(kind, "flock"))
		return result(flock(open_lock_file(n), LOCK_UN));
	return kernel_command("unlock", kind, n);
}

static int relock(const char *kind, unsigned int n, int times)
{
	int err;

	do {
		err = drop(kind, n) ?: take(kind, n);
	} while (!err && --times > 0);
	return err;
}

static void hold(unsigned int ms)
{
	struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static int churn(const char *kind, unsigned int n, unsigned int ms)
{
	int err;

	do {
		err = take(kind, n);
		hold(ms);
		err = err ?: drop(kind, n);
	} while (!err);
	return err;
}

static struct timespec from_now(clockid_t clock, unsigned int ms)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_nsec += ms * 1000000L;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static int retry(unsigned int n, unsigned int ms)
{
	struct timespec until;
	int err;

	do {
		until = from_now(CLOCK_REALTIME, ms);
		err = pthread_mutex_timedlock(&stage->shm[n], &until);
		if (!err)
			err = drop("shm", n);
	} while (!err || err == ETIMEDOUT);
	return err;
}

/* A call that ends as it is meant to has no error. */
static int ends(long ret, const char *how)
{
	int err = result(ret), want = 0;

	if (!strcmp(how, "again"))
		want = EAGAIN;
	else if (!strcmp(how, "timeout"))
		want = ETIMEDOUT;
	else if (strcmp(how, "taken"))
		return EINVAL;
	return err == want ? 0 : err ?: EPROTO;
}

static int await(const char *how, unsigned int n, unsigned int ms)
{
	struct timespec until = from_now(CLOCK_MONOTONIC, ms);

	return ends(syscall(SYS_futex, &stage->cond[n], FUTEX_WAIT_REQUEUE_PI, 0,
			    ms ? &until : NULL, &stage->raw_pi[n], 0), how);
}

static int requeue(unsigned int n)
{
	long nr = syscall(SYS_futex, &stage->cond[n], FUTEX_CMP_REQUEUE_PI, 1, 0L,
			  &stage->raw_pi[n], 0);

	return nr == 1 ? 0 : result(nr) ?: ESRCH;
}

static int wait_for_one(const char *how, unsigned int n, int times)
{
	int err;

	do {
		err = ends(syscall(SYS_futex, &stage->cond[n], FUTEX_WAIT, !strcmp(how, "again"),
				   NULL), how);
	} while (!err && --times > 0);
	return err;
}

/* struct futex_waitv of linux/futex.h, which has it since 5.16 */
struct waitv {
	uint64_t val;
	uint64_t uaddr;
	uint32_t flags;
	uint32_t reserved;
};

static int wait_for_both(const char *how, unsigned int n, int times)
{
	struct waitv both[2] = { 0 };
	long ret;
	int err;

	for (int i = 0; i < 2; i++) {
		both[i].val = !strcmp(how, "again");
		both[i].uaddr = (uintptr_t)&stage->cond[n + i];
		both[i].flags = 2;	/* 32 bits wide, shared */
	}
	do {
		ret = syscall(NR_FUTEX_WAITV, both, 2, 0, NULL, CLOCK_MONOTONIC);
		err = ends(ret, how);
	} while (!err && --times > 0);
	return err;
}

static int wake(unsigned int n)
{
	long nr = syscall(SYS_futex, &stage->cond[n], FUTEX_WAKE, 1);

	return nr == 1 ? 0 : result(nr) ?: ESRCH;
}

static int set_policy(const char *name, int prio)
{
	struct sched_param param = { 0 };

	if (!strcmp(name, "rr")) {
		param.sched_priority = prio;
		return result(sched_setscheduler(0, SCHED_RR, &param));
	}
	if (sched_setscheduler(0, strcmp(name, "idle") ? SCHED_OTHER : SCHED_IDLE, &param))
		return errno;
	return result(setpriority(PRIO_PROCESS, 0, prio));
}

static int set_cpu(unsigned int n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(n, &set);
	return result(sched_setaffinity(0, sizeof(set), &set));
}

static int spin(void)
{
	for (;;)
		__asm__ volatile("" ::: "memory");
	return 0;
}

/* "VERB [WORD] [NUMBER]..."; a number that is missing is 0. */
static int obey(char *line)
{
	static const char blanks[] = "\n ";
	char *verb = strtok(line, blanks), *word = strtok(NULL, blanks) ?: "";
	char *first = strtok(NULL, blanks), *second = strtok(NULL, blanks);
	int a = first ? atoi(first) : 0, b = second ? atoi(second) : 0;

	if (!verb || (strcmp(verb, "policy") && (a < 0 || a >= NR_LOCKS)))
		return EINVAL;
	if (!strcmp(verb, "lock"))
		return take(word, a);
	if (!strcmp(verb, "unlock"))
		return drop(word, a);
	if (!strcmp(verb, "relock"))
		return relock(word, a, b);
	if (!strcmp(verb, "churn"))
		return churn(word, a, b);
	if (!strcmp(verb, "retry"))
		return retry(a, b);
	if (!strcmp(verb, "await"))
		return await(word, a, b);
	if (!strcmp(verb, "wait"))
		return wait_for_one(word, a, b);
	if (!strcmp(verb, "waitv"))
		return wait_for_both(word, a, b);
	if (!strcmp(verb, "requeue"))
		return requeue(atoi(word) % NR_LOCKS);
	if (!strcmp(verb, "wake"))
		return wake(atoi(word) % NR_LOCKS);
	if (!strcmp(verb, "policy"))
		return set_policy(word, a);
	if (!strcmp(verb, "cpu"))
		return set_cpu(atoi(word));
	if (!strcmp(verb, "spin"))
		return spin();
	return EINVAL;
}

static void say(const char *what)
{
	if (write(STDOUT_FILENO, what, strlen(what)) < 0)
		_exit(1);
}

int main(int argc, char **argv)
{
	char line[128];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc != 3 || set_stage(argv[1])) {
		fprintf(stderr, "puppet: FILE NAME; %s\n", strerror(errno));
		return 2;
	}
	prctl(PR_SET_NAME, argv[2]);
	/* Nothing is left to be read from a disk when an order is given. */
	mlockall(MCL_CURRENT);
	say("ready\n");
	while (fgets(line, sizeof(line), stdin)) {
		char copy[sizeof(line)];
		int err;

		strcpy(copy, line);
		err = obey(line);
		if (err) {
			fprintf(stderr, "puppet %s: %s: %s", argv[2], strerror(err), copy);
			return 1;
		}
		say("done\n");
	}
	return 0;
}
