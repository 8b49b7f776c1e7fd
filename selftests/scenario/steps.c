// SPDX-License-Identifier: GPL-2.0
/* steps - what each word of an actor's part does (scenario.h) */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest.h"
#include "raw_pi.h"
#include "scenario.h"

#define KERNEL_LOCKS	"/dev/gridlock_scenario"

/* A wait with a timeout that no test lives to see. */
#define FAR_SECS	3600

enum { USE_FLOCK, USE_POSIX, USE_OFD };

static int result(int ret)
{
	return ret < 0 ? errno : 0;
}

/* A mutex in memory that the processes share, or in the process's own. */
#define MUTEX_STEPS(word, locks, member)						\
static int run_##word(struct actor *a, const struct step *step)				\
{											\
	(void)a;									\
	return pthread_mutex_lock(&(locks)->at[step->n].member);			\
}											\
static int undo_##word(struct actor *a, const struct step *step)			\
{											\
	(void)a;									\
	return pthread_mutex_unlock(&(locks)->at[step->n].member);			\
}

MUTEX_STEPS(shm, stage.shared, mutex)
MUTEX_STEPS(pi, stage.shared, pi)
MUTEX_STEPS(mtx, stage.private, mutex)

static int run_pi2(struct actor *a, const struct step *step)
{
	(void)a;
	return raw_pi_lock(&stage.shared->at[step->n].pi2, FUTEX_LOCK_PI2);
}

static int undo_pi2(struct actor *a, const struct step *step)
{
	(void)a;
	return raw_pi_unlock(&stage.shared->at[step->n].pi2);
}

/* glibc raises only who has a real-time priority already. */
static int run_protect(struct actor *a, const struct step *step)
{
	int err = pthread_setschedparam(pthread_self(), SCHED_FIFO,
					&(struct sched_param){ .sched_priority = 1 });

	(void)a;
	return err ? err : pthread_mutex_lock(&stage.shared->at[step->n].protect);
}

static int undo_protect(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_mutex_unlock(&stage.shared->at[step->n].protect);
}

/* The owner died: the kernel hands the lock on, which is what robust is for. */
static int run_robust(struct actor *a, const struct step *step)
{
	pthread_mutex_t *mutex = &stage.shared->at[step->n].robust;
	int err = pthread_mutex_lock(mutex);

	(void)a;
	return err == EOWNERDEAD ? pthread_mutex_consistent(mutex) : err;
}

static int undo_robust(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_mutex_unlock(&stage.shared->at[step->n].robust);
}

static struct timespec far_away(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	ts.tv_sec += FAR_SECS;
	return ts;
}

static int run_timed(struct actor *a, const struct step *step)
{
	struct timespec until = far_away(CLOCK_REALTIME);

	(void)a;
	return pthread_mutex_timedlock(&stage.shared->at[step->n].mutex, &until);
}

static int run_wr(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_rwlock_wrlock(&stage.shared->at[step->n].rwlock);
}

static int run_rd(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_rwlock_rdlock(&stage.shared->at[step->n].rwlock);
}

static int undo_rwlock(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_rwlock_unlock(&stage.shared->at[step->n].rwlock);
}

static int run_wr_first(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_rwlock_wrlock(&stage.shared->at[step->n].writers_first);
}

static int run_rd_last(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_rwlock_rdlock(&stage.shared->at[step->n].writers_first);
}

static int undo_writers_first(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_rwlock_unlock(&stage.shared->at[step->n].writers_first);
}

static int run_sem(struct actor *a, const struct step *step)
{
	(void)a;
	return result(sem_wait(&stage.shared->at[step->n].sem));
}

/* Nobody signals it; the mutex is there because the call wants one. */
static int run_cond(struct actor *a, const struct step *step)
{
	pthread_mutex_t *mutex = &stage.shared->at[step->n].robust;

	(void)a;
	pthread_mutex_lock(mutex);
	return pthread_cond_wait(&stage.shared->at[step->n].cond, mutex);
}

static int run_sleep(struct actor *a, const struct step *step)
{
	struct timespec until = far_away(CLOCK_MONOTONIC);

	(void)a;
	(void)step;
	return clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
}

/* This actor's own open file description of file @n, as flock(1) has one. */
static int open_lock_file(struct actor *a, unsigned int n, int use)
{
	char path[80];

	if (!a->lock_fd[use][n]) {
		snprintf(path, sizeof(path), "%s/%u", stage.folder, n);
		a->lock_fd[use][n] = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	}
	return a->lock_fd[use][n];
}

static int run_flock(struct actor *a, const struct step *step)
{
	return result(flock(open_lock_file(a, step->n, USE_FLOCK), LOCK_EX));
}

static int undo_flock(struct actor *a, const struct step *step)
{
	return result(flock(a->lock_fd[USE_FLOCK][step->n], LOCK_UN));
}

static int lock_range(struct actor *a, unsigned int n, int use, int type)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

	return result(fcntl(open_lock_file(a, n, use), use == USE_OFD ? F_OFD_SETLKW : F_SETLKW,
			    &range));
}

static int run_posix(struct actor *a, const struct step *step)
{
	return lock_range(a, step->n, USE_POSIX, F_WRLCK);
}

static int undo_posix(struct actor *a, const struct step *step)
{
	return lock_range(a, step->n, USE_POSIX, F_UNLCK);
}

static int run_ofd(struct actor *a, const struct step *step)
{
	return lock_range(a, step->n, USE_OFD, F_WRLCK);
}

static int run_ofd_r(struct actor *a, const struct step *step)
{
	return lock_range(a, step->n, USE_OFD, F_RDLCK);
}

static int undo_ofd(struct actor *a, const struct step *step)
{
	return lock_range(a, step->n, USE_OFD, F_UNLCK);
}

static int run_nothing(struct actor *a, const struct step *step)
{
	(void)a;
	(void)step;
	return 0;
}

static int run_fill(struct actor *a, const struct step *step)
{
	static const char page[4096];

	(void)a;
	while (write(stage.pair[PAIR_PIPE][step->n][1], page, sizeof(page)) > 0)
		;
	return errno;
}

static int run_read(struct actor *a, const struct step *step)
{
	char byte;
	ssize_t got = read(stage.pair[PAIR_PIPE][step->n][0], &byte, 1);

	(void)a;
	return got == 0 ? EPIPE : result(got);
}

/* The module drops locks when their owner's descriptor table goes: have one. */
static int open_kernel_locks(struct actor *a)
{
	if (a->kernel_fd)
		return a->kernel_fd;
	if (stage.threads && unshare(CLONE_FILES))
		return -1;
	a->kernel_fd = open(KERNEL_LOCKS, O_RDWR | O_CLOEXEC);
	return a->kernel_fd;
}

static int kernel_command(struct actor *a, const char *verb, const char *kind, unsigned int n)
{
	char command[64];

	snprintf(command, sizeof(command), "%s %s %u", verb, kind, n);
	if (open_kernel_locks(a) < 0)
		return errno;
	return result(write(a->kernel_fd, command, strlen(command)));
}

#define KERNEL_STEPS(word, kind)							\
static int run_##word(struct actor *a, const struct step *step)				\
{											\
	return kernel_command(a, "lock", kind, step->n);				\
}											\
static int undo_##word(struct actor *a, const struct step *step)			\
{											\
	return kernel_command(a, "unlock", kind, step->n);				\
}

KERNEL_STEPS(kmutex, "mutex")
KERNEL_STEPS(krwsem_w, "rwsem-w")
KERNEL_STEPS(krwsem_r, "rwsem-r")
KERNEL_STEPS(krtmutex, "rtmutex")
KERNEL_STEPS(ksem, "sem")

/* Wait for kernel mutex n inside mmap(), with the own mmap_lock held. */
static int run_kmmap(struct actor *a, const struct step *step)
{
	if (open_kernel_locks(a) < 0)
		return errno;
	mmap(NULL, sysconf(_SC_PAGESIZE), PROT_READ, MAP_PRIVATE, a->kernel_fd,
	     step->n * sysconf(_SC_PAGESIZE));
	return errno == ENODEV ? 0 : errno;
}

static int run_sync(struct actor *a, const struct step *step)
{
	int err = pthread_barrier_wait(stage.sync);

	(void)a;
	(void)step;
	return err == PTHREAD_BARRIER_SERIAL_THREAD ? 0 : err;
}

/* Until all others are at the step that they stop in. */
static int run_settle(struct actor *a, const struct step *step)
{
	(void)step;
	for (unsigned int i = 0; i < stage.nr_actors; i++)
		while (&stage.actor[i] != a && !actor_asleep(&stage.actor[i]))
			actor_rest();
	return 0;
}

static int run_fork(struct actor *a, const struct step *step)
{
	(void)a;
	step->actor->pid = fork();
	if (step->actor->pid == 0)
		actor_play(step->actor);
	return result(step->actor->pid);
}

static int run_wait(struct actor *a, const struct step *step)
{
	(void)a;
	return result(waitpid(step->actor->pid, NULL, 0));
}

static int run_join(struct actor *a, const struct step *step)
{
	(void)a;
	return pthread_join(step->actor->thread, NULL);
}

/* No exit handler, no unlocking: as if it had been killed. */
static int run_exit(struct actor *a, const struct step *step)
{
	(void)step;
	a->progress->phase = PHASE_DONE;
	syscall(stage.threads ? SYS_exit : SYS_exit_group, 0);
	return 0;
}

/* From here on, a page dropped from the own memory is not there until somebody brings it. */
static int run_uffd(struct actor *a, const struct step *step)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (unsigned long)stage.private, sizeof(struct locks) },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	long page = sysconf(_SC_PAGESIZE);

	(void)a;
	(void)step;
	range.range.len = (range.range.len + page - 1) / page * page;
	if (fd < 0 || ioctl(fd, UFFDIO_API, &api))
		return errno;
	return result(ioctl(fd, UFFDIO_REGISTER, &range));
}

static int run_drop(struct actor *a, const struct step *step)
{
	(void)a;
	(void)step;
	return result(madvise(stage.private, sizeof(struct locks), MADV_DONTNEED));
}

static int run_touch(struct actor *a, const struct step *step)
{
	(void)a;
	(void)step;
	return *(volatile char *)stage.private & 0;
}

/* clang-format off */
static const struct step_kind kinds[] = {
	{ "shm",	run_shm,	undo_shm,	0, false, 0 },
	{ "robust",	run_robust,	undo_robust,	0, false, 0 },
	{ "pi",		run_pi,		undo_pi,	0, false, 0 },
	{ "pi2",	run_pi2,	undo_pi2,	0, false, 0 },
	{ "protect",	run_protect,	undo_protect,	0, false, 0 },
	{ "timed",	run_timed,	undo_shm,	0, false, 0 },
	{ "mtx",	run_mtx,	undo_mtx,	0, false, 0 },
	{ "wr",		run_wr,		undo_rwlock,	0, false, 0 },
	{ "rd",		run_rd,		undo_rwlock,	0, false, 0 },
	{ "wr-first",	run_wr_first,	undo_writers_first, 0, false, 0 },
	{ "rd-last",	run_rd_last,	undo_writers_first, 0, false, 0 },
	{ "sem",	run_sem,	NULL,		0, false, 0 },
	{ "cond",	run_cond,	NULL,		0, false, 0 },
	{ "sleep",	run_sleep,	NULL,		0, false, 0 },
	{ "flock",	run_flock,	undo_flock,	0, false, 0 },
	{ "posix",	run_posix,	undo_posix,	0, false, 0 },
	{ "ofd",	run_ofd,	undo_ofd,	0, false, 0 },
	{ "ofd-r",	run_ofd_r,	undo_ofd,	0, false, 0 },
	{ "rend",	run_nothing,	NULL,		1, false, 0 },
	{ "wend",	run_nothing,	NULL,		2, false, 0 },
	{ "read",	run_read,	NULL,		1, false, 0 },
	{ "fill",	run_fill,	NULL,		2, false, 0 },
	{ "kmutex",	run_kmutex,	undo_kmutex,	0, false, 0 },
	{ "krwsem-w",	run_krwsem_w,	undo_krwsem_w,	0, false, 0 },
	{ "krwsem-r",	run_krwsem_r,	undo_krwsem_r,	0, false, 0 },
	{ "krtmutex",	run_krtmutex,	undo_krtmutex,	0, false, 0 },
	{ "ksem",	run_ksem,	undo_ksem,	0, false, 0 },
	{ "kmmap",	run_kmmap,	NULL,		0, false, 0 },
	{ "sync",	run_sync,	NULL,		0, false, 0 },
	{ "settle",	run_settle,	NULL,		0, false, 0 },
	{ "fork",	run_fork,	NULL,		0, true, 0 },
	{ "wait",	run_wait,	NULL,		0, true, 0 },
	{ "join",	run_join,	NULL,		0, true, 0 },
	{ "exit",	run_exit,	NULL,		0, false, 0 },
	{ "uffd",	run_uffd,	NULL,		0, false, 0 },
	{ "drop",	run_drop,	NULL,		0, false, 0 },
	{ "touch",	run_touch,	NULL,		0, false, 0 },
};

/* clang-format on */

const struct step_kind *step_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return step_find_ipc(name);
}

int step_undo_all(struct actor *a)
{
	int err = 0;

	while (a->nr_held && !err) {
		const struct step *step = a->held[--a->nr_held];

		err = step->kind->undo(a, step);
	}
	return err;
}

static void fail(struct actor *a, int step, int err)
{
	a->progress->error = err;
	a->progress->step = step;
	a->progress->phase = PHASE_FAILED;
	_exit(1);
}

static void play_once(struct actor *a)
{
	int err;

	for (unsigned int i = 0; i < a->nr_steps; i++) {
		const struct step *step = &a->step[i];

		if (step->marked)
			a->progress->phase = PHASE_MARKED;
		err = step->kind->run(a, step);
		if (err)
			fail(a, i, err);
		if (step->kind->undo)
			a->held[a->nr_held++] = step;
	}
}

void actor_play(struct actor *a)
{
	int null = open("/dev/null", O_RDWR);

	if (!stage.threads) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGCHLD, SIG_DFL);
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		pairs_close(a);
	}
	close(null);
	prctl(PR_SET_NAME, a->name);
	a->progress->tid = gettid();
	do {
		play_once(a);
		if (a->loops && step_undo_all(a))
			fail(a, a->nr_steps, EPROTO);
		a->progress->phase = PHASE_DONE;
	} while (a->loops);
	for (;;)
		pause();
}
