// SPDX-License-Identifier: GPL-2.0
/*
 * leaver - threads that are cancelled while they wait, and must clean up behind them:
 * for what the lens may not prevent.
 *
 *	leaver N	N threads, one after the other; each waits for a condition
 *
 * What cleans up is a variable that goes out of scope, as in C++: the thread's stack is
 * unwound for it.
 *
 * It prints "ready", begins at the first line of its input, and prints "left N": as many
 * as left the mutex free. It ends with its input.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t has_it;

static void drop(pthread_mutex_t **m)
{
	pthread_mutex_unlock(*m);
}

static void *wait_for_ever(void *unused)
{
	pthread_mutex_t *m __attribute__((cleanup(drop))) = &mutex;

	pthread_mutex_lock(m);
	pthread_barrier_wait(&has_it);
	for (;;)
		pthread_cond_wait(&cond, m);
	return unused;
}

/* Return: is the mutex free afterwards? */
static int leave(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, wait_for_ever, NULL);
	pthread_barrier_wait(&has_it);
	/* Who gets the mutex by now has it from one that waits. */
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_cancel(thread);
	pthread_join(thread, NULL);
	if (pthread_mutex_trylock(&mutex)) {
		pthread_mutex_init(&mutex, NULL);
		return 0;
	}
	pthread_mutex_unlock(&mutex);
	return 1;
}

int main(int argc, char **argv)
{
	int times = argc == 2 ? atoi(argv[1]) : 0, nr = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!times) {
		fprintf(stderr, "leaver: how many threads?\n");
		return 2;
	}
	pthread_barrier_init(&has_it, NULL, 2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	if (getchar() == '\n') {
		while (times--)
			nr += leave();
		printf("left %d\n", nr);
	}
	while (getchar() != EOF)
		;
	return 0;
}
