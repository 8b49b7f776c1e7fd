// SPDX-License-Identifier: GPL-2.0
/* steps_sysv - steps about things with names or keys: FIFOs, message queues, SysV (scenario.h) */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest.h"
#include "scenario.h"

static int result(ssize_t ret)
{
	return ret < 0 ? errno : 0;
}

/* --- SysV ------------------------------------------------------------------- */

/* The fourth argument of semctl(2), which its user has to declare. */
union semun {
	int val;
};

/* One set of semaphores for the scenario, each 1: made by the driver. */
int sysv_make(void)
{
	union semun one = { .val = 1 };

	stage.sem_id = semget(IPC_PRIVATE, MAX_RES, IPC_CREAT | 0600);
	stage.msg_id = msgget(IPC_PRIVATE, IPC_CREAT | 0600);
	if (stage.sem_id < 0 || stage.msg_id < 0)
		return errno;
	for (int i = 0; i < MAX_RES; i++)
		if (semctl(stage.sem_id, i, SETVAL, one))
			return errno;
	return 0;
}

void sysv_remove(void)
{
	semctl(stage.sem_id, 0, IPC_RMID);
	msgctl(stage.msg_id, IPC_RMID, NULL);
}

static int operate(unsigned int n, int number)
{
	struct sembuf op = { .sem_num = n, .sem_op = number };

	return result(semop(stage.sem_id, &op, 1));
}

static int run_sysv(struct actor *a, const struct step *step)
{
	(void)a;
	return operate(step->n, -1);
}

static int undo_sysv(struct actor *a, const struct step *step)
{
	(void)a;
	return operate(step->n, 1);
}

/* A message of a type that nobody sends. */
static int run_msg(struct actor *a, const struct step *step)
{
	struct {
		long type;
		char byte;
	} msg;

	(void)a;
	return result(msgrcv(stage.msg_id, &msg, 1, step->n + 1, 0));
}

/* --- FIFOs ------------------------------------------------------------------ */

/* Both ends are there at once when it is opened to read and write. */
static int open_fifo(unsigned int n, int mode)
{
	char path[80], self[40];
	int both, fd;

	snprintf(path, sizeof(path), "%s/fifo%u", stage.folder, n);
	if (mkfifo(path, 0600) && errno != EEXIST)
		return -1;
	both = open(path, O_RDWR | O_CLOEXEC);
	if (both < 0)
		return -1;
	snprintf(self, sizeof(self), "/proc/self/fd/%d", both);
	fd = open(self, mode | O_CLOEXEC);
	close(both);
	return fd;
}

static int run_fifo_r(struct actor *a, const struct step *step)
{
	a->named_fd[step->n] = open_fifo(step->n, O_RDONLY);
	return result(a->named_fd[step->n]);
}

static int run_fifo_w(struct actor *a, const struct step *step)
{
	a->named_fd[step->n] = open_fifo(step->n, O_WRONLY);
	return result(a->named_fd[step->n]);
}

static int run_fifo_rw(struct actor *a, const struct step *step)
{
	a->named_fd[step->n] = open_fifo(step->n, O_RDWR);
	return result(a->named_fd[step->n]);
}

static int run_fifo_read(struct actor *a, const struct step *step)
{
	char byte;
	ssize_t got = read(a->named_fd[step->n], &byte, 1);

	return got == 0 ? EPIPE : result(got);
}

static int run_fifo_fill(struct actor *a, const struct step *step)
{
	static const char page[4096];

	while (write(a->named_fd[step->n], page, sizeof(page)) > 0)
		;
	return errno;
}

static int run_fifo_open(struct actor *a, const struct step *step)
{
	char path[80];

	(void)a;
	snprintf(path, sizeof(path), "%s/fifo%u", stage.folder, step->n);
	if (mkfifo(path, 0600) && errno != EEXIST)
		return errno;
	return result(open(path, O_RDONLY | O_CLOEXEC));
}

/* --- leases ------------------------------------------------------------------- */

static int open_leased(unsigned int n, int mode)
{
	char path[80];

	snprintf(path, sizeof(path), "%s/%u", stage.folder, n);
	return open(path, mode | O_CREAT | O_CLOEXEC, 0600);
}

/* The signal that somebody wants it is not heard. */
static int run_lease(struct actor *a, const struct step *step)
{
	int fd = open_leased(step->n, O_RDONLY);

	(void)a;
	signal(SIGIO, SIG_IGN);
	return result(fcntl(fd, F_SETLEASE, F_RDLCK));
}

static int run_lease_break(struct actor *a, const struct step *step)
{
	(void)a;
	return result(open_leased(step->n, O_WRONLY));
}

/* --- POSIX message queues ------------------------------------------------------ */

static int open_queue(struct actor *a, unsigned int n, int mode)
{
	struct mq_attr attr = { .mq_maxmsg = 1, .mq_msgsize = 1 };
	char name[96];

	snprintf(name, sizeof(name), "%s.%u", stage.shm_name, n);
	a->named_fd[n] = mq_open(name, O_CREAT | mode, 0600, &attr);
	return result(a->named_fd[n]);
}

static int run_mq_r(struct actor *a, const struct step *step)
{
	return open_queue(a, step->n, O_RDONLY);
}

static int run_mq_w(struct actor *a, const struct step *step)
{
	return open_queue(a, step->n, O_WRONLY);
}

static int run_mq_receive(struct actor *a, const struct step *step)
{
	char byte;

	return result(mq_receive(a->named_fd[step->n], &byte, 1, NULL));
}

static int run_mq_fill(struct actor *a, const struct step *step)
{
	for (int i = 0; i < 2; i++)
		if (mq_send(a->named_fd[step->n], "", 1, 0))
			return errno;
	return 0;
}

void named_remove(unsigned int n)
{
	char name[96];

	snprintf(name, sizeof(name), "%s/fifo%u", stage.folder, n);
	unlink(name);
	snprintf(name, sizeof(name), "%s.%u", stage.shm_name, n);
	mq_unlink(name);
}

/* --- vfork ------------------------------------------------------------------- */

/* The child plays on in the parent's memory, as far as it needs none of its own. */
static int run_vfork(struct actor *a, const struct step *step)
{
	pid_t pid = vfork();

	(void)a;
	if (pid == 0)
		actor_play(step->actor);
	return result(pid);
}

/* clang-format off */
static const struct step_kind kinds[] = {
	{ "sysv",		run_sysv,	undo_sysv,	0, false, 0 },
	{ "msg",		run_msg,	NULL,		0, false, 0 },
	{ "fifo-r",		run_fifo_r,	NULL,		0, false, 0 },
	{ "fifo-w",		run_fifo_w,	NULL,		0, false, 0 },
	{ "fifo-rw",		run_fifo_rw,	NULL,		0, false, 0 },
	{ "fifo-read",		run_fifo_read,	NULL,		0, false, 0 },
	{ "fifo-fill",		run_fifo_fill,	NULL,		0, false, 0 },
	{ "fifo-open",		run_fifo_open,	NULL,		0, false, 0 },
	{ "lease",		run_lease,	NULL,		0, false, 0 },
	{ "lease-break",	run_lease_break, NULL,		0, false, 0 },
	{ "mq-r",		run_mq_r,	NULL,		0, false, 0 },
	{ "mq-w",		run_mq_w,	NULL,		0, false, 0 },
	{ "mq-receive",		run_mq_receive,	NULL,		0, false, 0 },
	{ "mq-fill",		run_mq_fill,	NULL,		0, false, 0 },
	{ "vfork",		run_vfork,	NULL,		0, true,  0 },
};

/* clang-format on */

const struct step_kind *step_find_sysv(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}
