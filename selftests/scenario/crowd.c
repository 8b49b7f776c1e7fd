// SPDX-License-Identifier: GPL-2.0
/*
 * crowd - many threads of one process that wait for mutexes, or for nobody, for what
 * a scenario with its actors and steps is too large for.
 *
 *	crowd queue N	N threads wait for one mutex, which the main thread has
 *	crowd chain N	thread i waits for what thread i + 1 has; the last one sleeps
 *	crowd ring N	as a chain, and the last one waits for the first
 *	crowd knot N	as a queue, and two of the threads wait for each other
 *	crowd rest N	a third of the threads sleeps, a third waits for a condition that
 *			nobody signals, a third polls no descriptor, for weeks
 *
 * Prints "ready PID TID", the TID of the first thread, when every thread is
 * about to make its last call; the rest is sleeping. Ends when its input ends.
 */
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STACK_BYTES	(32 * 1024)

/** struct crowd - what the threads share */
struct crowd {
	/** @mutex: [nr + 1] */
	pthread_mutex_t *mutex;
	long nr;
	/** @chain, @ring, @knot, @rest: as on the command line; none: a queue */
	int chain;
	int ring;
	int knot;
	int rest;
	/** @nr_holding: threads that have taken their own mutex */
	long nr_holding;
	/** @nr_done: threads that have no call but the last to make */
	long nr_done;
	/** @first: TID of the first thread */
	pid_t first;
	pthread_mutex_t guard;
	pthread_cond_t changed;
	/** @never: is not signalled */
	pthread_cond_t never;
};

static struct crowd crowd = {
	.guard = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.never = PTHREAD_COND_INITIALIZER,
};

/* Count one up; then wait until all have, if @all. */
static void count(long *nr, int all)
{
	pthread_mutex_lock(&crowd.guard);
	if (++*nr == crowd.nr)
		pthread_cond_broadcast(&crowd.changed);
	while (all && *nr < crowd.nr)
		pthread_cond_wait(&crowd.changed, &crowd.guard);
	pthread_mutex_unlock(&crowd.guard);
}

static void wait_for_ever(void)
{
	pthread_mutex_lock(&crowd.guard);
	pthread_cond_wait(&crowd.never, &crowd.guard);
	pthread_mutex_unlock(&crowd.guard);
}

static void rest(long i)
{
	for (;;) {
		if (i % 3 == 0)
			pause();
		else if (i % 3 == 1)
			poll(NULL, 0, INT_MAX);
		else
			wait_for_ever();
	}
}

static void *run(void *arg)
{
	int tied = crowd.knot && (long)arg < 2;
	long i = (long)arg, next = crowd.chain || crowd.ring ? i + 1 : tied ? !i : crowd.nr;

	if (!i)
		crowd.first = syscall(SYS_gettid);
	if (crowd.chain || crowd.ring || tied)
		pthread_mutex_lock(&crowd.mutex[i]);
	count(&crowd.nr_holding, 1);
	if (crowd.ring && next == crowd.nr)
		next = 0;
	count(&crowd.nr_done, 0);
	if (crowd.rest)
		rest(i);
	if (crowd.chain && next == crowd.nr)
		pause();
	pthread_mutex_lock(&crowd.mutex[next]);
	return NULL;
}

static int start(void)
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	pthread_attr_setguardsize(&attr, 0);
	for (long i = 0; i < crowd.nr; i++) {
		int err = pthread_create(&thread, &attr, run, (void *)i);

		if (err) {
			fprintf(stderr, "crowd: thread %ld: %s\n", i, strerror(err));
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	char byte;

	crowd.nr = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
	if (crowd.nr <= 0 || crowd.nr > INT_MAX) {
		fprintf(stderr, "usage: crowd queue|chain|ring|knot|rest N\n");
		return 1;
	}
	crowd.chain = !strcmp(argv[1], "chain");
	crowd.ring = !strcmp(argv[1], "ring");
	crowd.knot = !strcmp(argv[1], "knot");
	crowd.rest = !strcmp(argv[1], "rest");
	crowd.mutex = calloc(crowd.nr + 1, sizeof(*crowd.mutex));
	pthread_mutex_lock(&crowd.mutex[crowd.nr]);
	if (start())
		return 1;
	pthread_mutex_lock(&crowd.guard);
	while (crowd.nr_done < crowd.nr)
		pthread_cond_wait(&crowd.changed, &crowd.guard);
	pthread_mutex_unlock(&crowd.guard);
	printf("ready %d %d\n", getpid(), crowd.first);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	_exit(0);
}
