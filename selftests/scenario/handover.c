// SPDX-License-Identifier: GPL-2.0
/*
 * handover - a mutex changes hands while one who waits for it sleeps on.
 *
 *	handover closed		who gets it waits for what the sleeper has
 *	handover open		who gets it waits for nobody
 *
 * The main thread has the mutex. The heir waits for it, and after that the sleeper,
 * who has another one. Prints "ready HEIR SLEEPER", their TIDs, when both are about
 * to wait. At the first line of its input the main thread drops the mutex: the kernel
 * wakes the heir, who came first, and nobody else. Ends when its input ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t handed = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t spare = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t *next = &spare;
static volatile pid_t heir, sleeper;

static void *run_heir(void *arg)
{
	heir = syscall(SYS_gettid);
	pthread_mutex_lock(&handed);
	pthread_mutex_lock(next);
	for (;;)
		pause();
	return arg;
}

static void *run_sleeper(void *arg)
{
	pthread_mutex_lock(&kept);
	sleeper = syscall(SYS_gettid);
	pthread_mutex_lock(&handed);
	return arg;
}

/* Does that thread sleep, in a call for a futex? */
static int waits(pid_t tid)
{
	char path[64], call[32] = "";
	FILE *in;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", tid);
	in = fopen(path, "r");
	if (!in)
		return 0;
	if (!fgets(call, sizeof(call), in))
		*call = '\0';
	fclose(in);
	return !strncmp(call, "202 ", 4);
}

static void start(void *(*run)(void *arg), volatile pid_t *tid)
{
	pthread_t thread;

	pthread_create(&thread, NULL, run, NULL);
	while (!*tid || !waits(*tid))
		usleep(1000);
}

int main(int argc, char **argv)
{
	char line[16];

	if (argc != 2 || (strcmp(argv[1], "open") && strcmp(argv[1], "closed"))) {
		fprintf(stderr, "usage: handover open|closed\n");
		return 1;
	}
	if (!strcmp(argv[1], "closed"))
		next = &kept;
	pthread_mutex_lock(&handed);
	start(run_heir, &heir);
	start(run_sleeper, &sleeper);
	printf("ready %d %d\n", heir, sleeper);
	fflush(stdout);
	if (fgets(line, sizeof(line), stdin))
		pthread_mutex_unlock(&handed);
	while (fgets(line, sizeof(line), stdin))
		;
	_exit(0);
}
