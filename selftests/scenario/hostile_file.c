// SPDX-License-Identifier: GPL-2.0
/*
 * hostile_file - file locks that end by a timer, are on their way.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "hostile.h"

#define NR_TIMERS	80

/* --- file locks ------------------------------------------------------------- */

static void (*before_lock)(void);
static int file_of[2];

static void flock_actor(int n)
{
	int other = lock_file(!n);

	file_of[n] = lock_file(n);
	flock(file_of[n], LOCK_EX);
	if (!n && before_lock)
		before_lock();
	shared->tid[4 + n] = 1;
	while (!shared->tid[4 + !n])
		nap();
	be(n);
	flock(other, LOCK_EX);
}

static void flock_0(void)
{
	flock_actor(0);
}

static void flock_1(void)
{
	flock_actor(1);
}

void flock_abba(void)
{
	actor("one");
	actor("two");
	spawn(flock_0);
	spawn(flock_1);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void make_timer(int sig)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = sig };
	struct itimerspec when = { .it_value.tv_sec = 3600 };
	timer_t timer;

	check(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
	check(!timer_settime(timer, 0, &when, NULL), "timer_settime");
}

static void make_many_timers(void)
{
	struct sigaction action = { .sa_handler = on_alarm };

	signal(SIGURG, SIG_IGN);
	sigaction(SIGUSR1, &action, NULL);
	for (int i = 0; i < NR_TIMERS; i++)
		make_timer(!i ? SIGUSR1 : SIGURG);
}

void many_timers(void)
{
	before_lock = make_many_timers;
	flock_abba();
}

static void make_deadly_timer(void)
{
	make_timer(SIGUSR1);
}

/* Nobody handles the signal: it ends the process, and with it the wait. */
void deadly_timer(void)
{
	before_lock = make_deadly_timer;
	flock_abba();
}

static int channel[2];

void send_fd(int by, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	check(sendmsg(by, &msg, 0) == 1, "sendmsg");
}

/* One more reference to the lock's open file, on its way to the receiver. */
static void send_lock(void)
{
	send_fd(channel[0], file_of[0]);
}

void lock_in_flight(void)
{
	check(!socketpair(AF_UNIX, SOCK_STREAM, 0, channel), "socketpair");
	before_lock = send_lock;
	flock_abba();
	spawn(sleep_for_ever);
}

static int set_ofd(int fd, int type, int cmd)
{
	struct flock range = { .l_type = type, .l_whence = SEEK_SET, .l_len = 1 };

	return fcntl(fd, cmd, &range);
}

static void upgrade(int n, int wanted)
{
	int fd = lock_file(0);

	check(!set_ofd(fd, F_RDLCK, F_OFD_SETLK), "F_OFD_SETLK");
	shared->tid[4 + n] = 1;
	while (!shared->tid[4 + !n])
		nap();
	be(n);
	set_ofd(fd, wanted, F_OFD_SETLKW);
}

static void upgrade_0(void)
{
	upgrade(0, F_WRLCK);
}

static void upgrade_1(void)
{
	upgrade(1, F_WRLCK);
}

static void stay_1(void)
{
	upgrade(1, F_RDLCK);
}

/* Both read, both want to write: the kernel looks for no circle of these. */
void ofd_upgrades(void)
{
	actor("one");
	actor("two");
	spawn(upgrade_0);
	spawn(upgrade_1);
}

void ofd_upgrade(void)
{
	actor("one");
	actor("two");
	spawn(upgrade_0);
	spawn(stay_1);
}

void odd_name(void)
{
	actor(") R 1\n(\"\\\xff");
	actor("two");
	spawn(flock_0);
	spawn(flock_1);
}
