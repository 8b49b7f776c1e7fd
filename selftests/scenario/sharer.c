// SPDX-License-Identifier: GPL-2.0
/*
 * sharer - a table of descriptors changes while one of its two processes sleeps on.
 *
 *	sharer closes	the other one closes what the sleeper could write to
 *	sharer copies	the other one only copies it
 *
 * The reader has a file lock and reads from a pipe. The writer has an end of the pipe to
 * write to, and waits for that lock. So has the sleeper, who waits for nobody, and shares
 * its table with the other one, by clone(2). Prints "ready READER WRITER SLEEPER", their
 * numbers, when all have started. At the first line of its input the other one does what
 * it is there for; then "done" is printed. Ends, with all of them, when its input ends.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <unistd.h>

static char path[32] = "/tmp/sharer.XXXXXX";
static int filled[2], told[2], done[2], closes;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	exit(1);
}

static void say(int fd)
{
	check(write(fd, "", 1) == 1, "write");
}

static void hear(int fd)
{
	char byte;

	check(read(fd, &byte, 1) == 1, "read");
}

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static int open_file(void)
{
	int fd = open(path, O_RDONLY);

	check(fd >= 0, "open");
	return fd;
}

static void lock(int fd)
{
	check(!flock(fd, LOCK_EX), "flock");
}

static void be_reader(void)
{
	close(filled[1]);
	lock(open_file());
	say(done[1]);
	hear(filled[0]);
}

static void be_writer(void)
{
	/* The file has lost its name by the time that it waits. */
	int fd = open_file();

	say(done[1]);
	lock(fd);
}

static int be_the_other(void *unused)
{
	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	say(done[1]);
	hear(told[0]);
	check(closes ? !close(filled[1]) : dup(filled[1]) >= 0, "the descriptor");
	say(done[1]);
	sleep_for_ever();
	return 0;
}

static void be_sleeper(void)
{
	static char stack[64 * 1024] __attribute__((aligned(16)));

	check(clone(be_the_other, stack + sizeof(stack), CLONE_FILES | SIGCHLD, NULL) > 0, "clone");
	sleep_for_ever();
}

/* A process that does so, once it has said that it is there. */
static pid_t start(void (*be)(void))
{
	pid_t pid = fork();

	check(pid >= 0, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		be();
		sleep_for_ever();
	}
	hear(done[0]);
	return pid;
}

int main(int argc, char **argv)
{
	pid_t reader, writer, sleeper;
	char line[16];

	if (argc != 2 || (strcmp(argv[1], "closes") && strcmp(argv[1], "copies"))) {
		fprintf(stderr, "usage: sharer closes|copies\n");
		return 1;
	}
	closes = !strcmp(argv[1], "closes");
	check(mkstemp(path) >= 0 && !pipe(filled) && !pipe(told) && !pipe(done), "files");
	reader = start(be_reader);
	writer = start(be_writer);
	sleeper = start(be_sleeper);
	unlink(path);
	close(filled[0]);
	close(filled[1]);
	printf("ready %d %d %d\n", reader, writer, sleeper);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 0;
	say(told[1]);
	hear(done[0]);
	puts("done");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
