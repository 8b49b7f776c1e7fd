// SPDX-License-Identifier: GPL-2.0
/*
 * musl - threads and mutexes of musl, to be compiled by musl-gcc.
 *
 *	musl abba TYPE	two threads wait for each other, by mutexes of that type
 *	musl order TYPE	the second takes its two in the first one's order, and waits
 *			for that one, which reads from its input
 *	musl self robust	a thread waits for the mutex that it has
 *
 * TYPE: plain, recursive, errorcheck, robust or shared (errorcheck, in shared
 * memory). Prints "ready t1=TID t2=TID" when each has made all its calls but the
 * last; the rest is sleeping. Ends when its input ends.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t *mutex;
static pthread_barrier_t both, all;
static const char *shape;
static long tid[2];

static int make_mutexes(const char *type)
{
	int sharing = strcmp(type, "shared") ? MAP_PRIVATE : MAP_SHARED;
	pthread_mutexattr_t attr;

	mutex = mmap(NULL, 4096, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
	if (mutex == MAP_FAILED)
		return -1;
	pthread_mutexattr_init(&attr);
	if (!strcmp(type, "recursive"))
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	else if (!strcmp(type, "errorcheck") || !strcmp(type, "shared"))
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	else if (!strcmp(type, "robust"))
		pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
	if (!strcmp(type, "shared"))
		pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	for (int i = 0; i < 2; i++)
		pthread_mutex_init(&mutex[i], &attr);
	return 0;
}

static void wait_for_the_end(void)
{
	char byte;

	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

/* The first takes 0 and then wants 1; the second the other way round, or neither. */
static void *run(void *arg)
{
	int second = (long)arg, ordered = second && !strcmp(shape, "order");
	int self = !strcmp(shape, "self");

	tid[second] = syscall(SYS_gettid);
	if (!ordered && !(self && second))
		pthread_mutex_lock(&mutex[second]);
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&all);
	if (!strcmp(shape, "order") ? !second : self && second)
		wait_for_the_end();
	else
		pthread_mutex_lock(&mutex[self ? second : !second]);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	if (argc != 3 || make_mutexes(argv[2])) {
		fprintf(stderr, "usage: musl abba|order|self TYPE\n");
		return 1;
	}
	shape = argv[1];
	pthread_barrier_init(&both, NULL, 3);
	pthread_barrier_init(&all, NULL, 3);
	for (long i = 0; i < 2; i++)
		if (pthread_create(&thread, NULL, run, (void *)i))
			return 1;
	pthread_barrier_wait(&both);
	printf("ready t1=%ld t2=%ld\n", tid[0], tid[1]);
	fflush(stdout);
	pthread_barrier_wait(&all);
	wait_for_the_end();
	_exit(0);
}
