// SPDX-License-Identifier: GPL-2.0
/*
 * hallway - two threads that never wait for each other, but get in each other's
 * way, or would one day: for what only the lens sees.
 *
 *	hallway tries N		each has its own mutex and tries for the other's, in
 *				step, so that each try fails; but in one round of N
 *				(0: in none) the second one leaves its own free
 *	hallway opposite	one takes A, then B; when it is through the other one
 *				takes B, then A; and so on
 *	hallway same		both take A, then B
 *	hallway gated		as opposite, but each has taken a third one before
 *	hallway deep		as gated, but each has more of its own before that one
 *
 * With -c before that, the two mutexes are such as check who has them.
 *
 * It prints "ready TID TID ADDRESS", the last one being where the code of
 * pthread_mutex_lock() is, and ends with its input or with who started it.
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex[2] = { PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER };
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
/* As many as the lens follows: the gate finds no place there. */
static pthread_mutex_t own[2][8];
static pthread_barrier_t step;
static const char *way;
static unsigned int every;
static pid_t tid[2];

static void keep_step(void)
{
	pthread_barrier_wait(&step);
}

/* Not too fast to be looked at; nothing depends on it. */
static void rest(void)
{
	struct timespec ts = { .tv_nsec = 1000000 };

	nanosleep(&ts, NULL);
}

static void try_round(int self, unsigned int round)
{
	bool leaves = self == 1 && every && round % every == 0;

	if (!leaves)
		pthread_mutex_lock(&mutex[self]);
	keep_step();
	if (!pthread_mutex_trylock(&mutex[!self]))
		pthread_mutex_unlock(&mutex[!self]);
	keep_step();
	if (!leaves)
		pthread_mutex_unlock(&mutex[self]);
}

static void take_both(int self, int first)
{
	int nr_own = strcmp(way, "deep") ? 0 : 8;
	bool gated = nr_own || !strcmp(way, "gated");

	for (int i = 0; i < nr_own; i++)
		pthread_mutex_lock(&own[self][i]);
	if (gated)
		pthread_mutex_lock(&gate);
	pthread_mutex_lock(&mutex[first]);
	pthread_mutex_lock(&mutex[!first]);
	pthread_mutex_unlock(&mutex[!first]);
	pthread_mutex_unlock(&mutex[first]);
	if (gated)
		pthread_mutex_unlock(&gate);
	while (nr_own--)
		pthread_mutex_unlock(&own[self][nr_own]);
}

/* The one, and then the other. */
static void order_round(int self)
{
	for (int turn = 0; turn < 2; turn++) {
		if (turn == self)
			take_both(self, strcmp(way, "same") ? self : 0);
		keep_step();
	}
}

static void *act(void *arg)
{
	int self = arg ? 1 : 0;

	prctl(PR_SET_NAME, self ? "two" : "one");
	tid[self] = syscall(SYS_gettid);
	keep_step();
	for (unsigned int round = 1;; round++) {
		if (!strcmp(way, "tries"))
			try_round(self, round);
		else
			order_round(self);
		rest();
	}
	return NULL;
}

static void make_checking(void)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK);
	for (int i = 0; i < 2; i++)
		pthread_mutex_init(&mutex[i], &attr);
}

int main(int argc, char **argv)
{
	struct pollfd in = { .fd = STDIN_FILENO };
	pthread_t thread;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (argc > 1 && !strcmp(argv[1], "-c")) {
		make_checking();
		argv++;
		argc--;
	}
	if (argc < 2 || argc > 3) {
		fprintf(stderr, "hallway: [-c] tries N | opposite | same | gated | deep\n");
		return 2;
	}
	way = argv[1];
	every = argc > 2 ? atoi(argv[2]) : 0;
	pthread_barrier_init(&step, NULL, 2);
	for (int i = 0; i < 16; i++)
		pthread_mutex_init(&own[i / 8][i % 8], NULL);
	pthread_create(&thread, NULL, act, NULL);
	pthread_create(&thread, NULL, act, &step);
	while (!__atomic_load_n(&tid[0], __ATOMIC_ACQUIRE) ||
	       !__atomic_load_n(&tid[1], __ATOMIC_ACQUIRE))
		rest();
	printf("ready %d %d %lu\n", tid[0], tid[1], (unsigned long)&pthread_mutex_lock);
	fflush(stdout);
	while (poll(&in, 1, -1) < 0)
		;
	return 0;
}
