// SPDX-License-Identifier: GPL-2.0
/*
 * load - what benchmarks let run.
 *
 *	load pipe THREADS MILLISECONDS	all of them write a byte to one pipe and read
 *					one; prints the operations a second
 *	load waiters NUMBER		as many threads wait for a futex; prints
 *					"ready", and ends when its input is closed
 */
#include <err.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MAX_THREADS	100000

/* Enough for a thread that only waits. */
#define STACK_BYTES	(PTHREAD_STACK_MIN + 4096)

static int ends[2];
static unsigned int word;
static int stop, nr_started;

static double now_secs(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void *write_and_read(void *arg)
{
	unsigned long *ops = arg;
	char byte = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		if (write(ends[1], &byte, 1) != 1 || read(ends[0], &byte, 1) != 1)
			err(1, "pipe");
		++*ops;
	}
	return NULL;
}

static void run_pipe(long nr, long msecs)
{
	struct timespec span = { msecs / 1000, msecs % 1000 * 1000000 };
	/* Counts of their own, far apart. */
	unsigned long (*ops)[16] = calloc(nr, sizeof(*ops)), sum = 0;
	pthread_t *threads = calloc(nr, sizeof(*threads));
	double start;

	if (!ops || !threads || pipe(ends))
		err(1, "pipe");
	start = now_secs();
	for (long i = 0; i < nr; i++)
		if (pthread_create(&threads[i], NULL, write_and_read, ops[i]))
			errx(1, "no thread %ld", i);
	nanosleep(&span, NULL);
	__atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
	for (long i = 0; i < nr; i++) {
		pthread_join(threads[i], NULL);
		sum += ops[i][0];
	}
	printf("%.0f\n", sum / (now_secs() - start));
	free(threads);
	free(ops);
}

static void *wait_for_word(void *arg)
{
	(void)arg;
	__atomic_fetch_add(&nr_started, 1, __ATOMIC_RELAXED);
	for (;;)
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	return NULL;
}

static void run_waiters(long nr)
{
	pthread_attr_t attr;
	pthread_t thread;
	char byte;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (long i = 0; i < nr; i++)
		if (pthread_create(&thread, &attr, wait_for_word, NULL))
			errx(1, "no thread %ld", i);
	while (__atomic_load_n(&nr_started, __ATOMIC_RELAXED) < nr)
		usleep(10000);
	puts("ready");
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
}

static long parse_count(const char *text)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (*end || value < 1 || value > MAX_THREADS)
		errx(2, "%s is not from 1 to %d", text, MAX_THREADS);
	return value;
}

int main(int argc, char **argv)
{
	if (argc == 4 && !strcmp(argv[1], "pipe"))
		run_pipe(parse_count(argv[2]), parse_count(argv[3]));
	else if (argc == 3 && !strcmp(argv[1], "waiters"))
		run_waiters(parse_count(argv[2]));
	else
		errx(2, "usage: load pipe THREADS MILLISECONDS | load waiters NUMBER");
	return 0;
}
