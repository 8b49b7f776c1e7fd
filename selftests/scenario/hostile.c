// SPDX-License-Identifier: GPL-2.0
/*
 * hostile - situations made to look like deadlocks, or to hide that they are
 * none, one by name. Speaks as scenario does: "ready name=tid ..." once all
 * named threads sleep, and ends with its input.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MAX_ACTORS	8
#define NR_GROUPS	2000
#define NR_TIMERS	80
#define NR_HOLDERS	4
#define NR_FILES	19000

/** struct shared - what processes and threads of a situation share */
struct shared {
	pthread_mutex_t mutex[4];
	/** @tid: of each actor, once it is about to sleep */
	volatile pid_t tid[MAX_ACTORS];
	volatile bool go;
};

static struct shared *shared;
static const char *actor_name[MAX_ACTORS];
static int nr_actors;
static char folder[] = "/tmp/hostile.XXXXXX";

static void check(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	_exit(1);
}

static void nap(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

static void lock(int n)
{
	pthread_mutex_lock(&shared->mutex[n]);
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static int lock_file(int n)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%d", folder, n);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	check(fd >= 0, path);
	return fd;
}

/* --- actors ---------------------------------------------------------------- */

/* The calling thread is actor @n, and goes to sleep next. */
static void be(int n)
{
	prctl(PR_SET_NAME, actor_name[n]);
	shared->tid[n] = gettid();
}

/* A number for an actor, before any process is made. */
static int actor(const char *name)
{
	actor_name[nr_actors] = name;
	return nr_actors++;
}

static bool is_asleep(pid_t tid)
{
	char path[64], wchan[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/wchan", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(wchan, sizeof(wchan), file))
		wchan[0] = '\0';
	fclose(file);
	return wchan[0] && strcmp(wchan, "0");
}

static void wait_for(int n)
{
	while (!shared->tid[n] || !is_asleep(shared->tid[n]))
		nap();
}

static pid_t spawn(void (*run)(void))
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

static void thread(void (*run)(void))
{
	pthread_t t;

	check(!pthread_create(&t, NULL, thread_main, run), "pthread_create");
}

/* --- words that look like a mutex ------------------------------------------ */

/* As Rust's Mutex<[u32; 3]>: 2 is "locked, and somebody waits". */
static uint32_t look_alike[8] = { 2, 0, 0x12345, 3, 0 };

static void wait_look_alike(void)
{
	be(0);
	syscall(SYS_futex, look_alike, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 2, NULL, NULL, ~0);
}

static void foreign_mutex(void)
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

static void counter_like_tid(void)
{
	actor("waiter");
	actor("locker");
	thread(lock_after_go);
	while (!shared->tid[1])
		nap();
	thread(wait_counter);
}

/* --- waits for any child ---------------------------------------------------- */

static void lock_0_as_1(void)
{
	be(1);
	lock(0);
}

static void parent_of_any(void)
{
	lock(0);
	spawn(lock_0_as_1);
	be(0);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

static void any_child(void)
{
	actor("parent");
	actor("child");
	spawn(parent_of_any);
}

static void parent_with_thread(void)
{
	/* It could fork at any time. */
	thread(sleep_for_ever);
	parent_of_any();
}

static void thread_may_fork(void)
{
	actor("parent");
	actor("child");
	spawn(parent_with_thread);
}

static void child_with_child(void)
{
	spawn(sleep_for_ever);
	lock_0_as_1();
}

static void reaper(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	lock(0);
	spawn(child_with_child);
	be(0);
	while (waitpid(-1, NULL, 0) > 0)
		;
}

/* The grandchild can fork and end: its child becomes one of the reaper's. */
static void subreaper(void)
{
	actor("reaper");
	actor("child");
	spawn(reaper);
}

/* --- pipes ------------------------------------------------------------------ */

static int own_pipe[2];

static void write_own_pipe(int sig)
{
	(void)sig;
	(void)!write(own_pipe[1], "x", 1);
}

static void read_own_pipe(void)
{
	static gid_t groups[NR_GROUPS];
	char byte;

	for (int i = 0; i < NR_GROUPS; i++)
		groups[i] = 100000 + i;
	check(!setgroups(NR_GROUPS, groups), "setgroups");
	signal(SIGUSR1, write_own_pipe);
	check(!pipe(own_pipe), "pipe");
	be(0);
	(void)!read(own_pipe[0], &byte, 1);
}

/* So many groups that its status is longer than a page. */
static void many_groups(void)
{
	actor("reader");
	spawn(read_own_pipe);
}

static int first[2], second[2];

static void read_first(void)
{
	char byte;

	lock(0);
	be(0);
	(void)!read(first[0], &byte, 1);
}

static void two_threads_one_read(void)
{
	close(first[1]);
	close(second[1]);
	thread(read_first);
	wait_for(0);
	dup2(second[0], first[0]);
	shared->go = true;
}

static void hold_second(void)
{
	close(first[0]);
	close(first[1]);
	close(second[0]);
	while (!shared->go)
		nap();
	lock_0_as_1();
}

static void hold_first(void)
{
	close(first[0]);
	close(second[0]);
	close(second[1]);
}

/* What is read is another pipe than the descriptor's number says by now. */
static void replaced_descriptor(void)
{
	actor("reader");
	actor("writer");
	check(!pipe(first) && !pipe(second), "pipe");
	spawn(two_threads_one_read);
	spawn(hold_second);
	spawn(hold_first);
	close(first[0]);
	close(first[1]);
	close(second[0]);
	close(second[1]);
}

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

static void flock_abba(void)
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

static void many_timers(void)
{
	before_lock = make_many_timers;
	flock_abba();
}

static void make_deadly_timer(void)
{
	make_timer(SIGUSR1);
}

/* Nobody handles the signal: it ends the process, and with it the wait. */
static void deadly_timer(void)
{
	before_lock = make_deadly_timer;
	flock_abba();
}

static int channel[2];

/* One more reference to the lock's open file, on its way to the receiver. */
static void send_lock(void)
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
	memcpy(CMSG_DATA(cmsg), &file_of[0], sizeof(int));
	check(sendmsg(channel[0], &msg, 0) == 1, "sendmsg");
}

static void lock_in_flight(void)
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
static void ofd_upgrades(void)
{
	actor("one");
	actor("two");
	spawn(upgrade_0);
	spawn(upgrade_1);
}

static void ofd_upgrade(void)
{
	actor("one");
	actor("two");
	spawn(upgrade_0);
	spawn(stay_1);
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
static void owner_unmapped(void)
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

static void lock_what_clone_has(void)
{
	static char stack[65536] __attribute__((aligned(16)));

	check(clone(clone_main, stack + sizeof(stack), CLONE_VM | SIGCHLD, NULL) > 0, "clone");
	while (!shared->go)
		nap();
	be(0);
	lock(1);
}

/* A process in the same memory calls itself, to glibc, by its maker's number. */
static void clone_with_our_number(void)
{
	actor("waiter");
	spawn(lock_what_clone_has);
}

/* --- size ------------------------------------------------------------------- */

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

static void many_descriptors(void)
{
	flock_abba();
	actor("many");
	for (int i = 0; i < NR_HOLDERS; i++) {
		shared->tid[2] = 0;
		spawn(open_many);
		wait_for(2);
	}
}

static void odd_name(void)
{
	actor(") R 1\n(\"\\\xff");
	actor("two");
	spawn(flock_0);
	spawn(flock_1);
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
	{ "many-groups", many_groups },
	{ "replaced-descriptor", replaced_descriptor },
	{ "flock-abba", flock_abba },
	{ "many-timers", many_timers },
	{ "deadly-timer", deadly_timer },
	{ "lock-in-flight", lock_in_flight },
	{ "ofd-upgrades", ofd_upgrades },
	{ "ofd-upgrade", ofd_upgrade },
	{ "owner-unmapped", owner_unmapped },
	{ "clone-with-our-number", clone_with_our_number },
	{ "many-descriptors", many_descriptors },
	{ "odd-name", odd_name },
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

	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
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
