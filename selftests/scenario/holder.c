// SPDX-License-Identifier: GPL-2.0
/*
 * holder - a thread that holds a lock so often, and measures for how long: for
 * what the lens says of that.
 *
 *	holder mutex N		a mutex
 *	holder try N		the same, by pthread_mutex_trylock()
 *	holder deep N		one that may be taken again by who has it, and is
 *	holder read N		an rwlock, to read
 *	holder write N		the same, to write
 *	holder none N		no lock at all
 *
 * It prints "ready", begins at the first line of its input, with one that is not
 * counted, as the first call that the lens sees of a thread is; then it prints
 * "held INNER OUTER LONGEST ADDRESS": the times in all, in ns of CLOCK_MONOTONIC,
 * from after each taking to before the dropping, and from before to after; the
 * longest of the latter; and the lock. It ends with its input.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;

static void take_mutex(void)
{
	pthread_mutex_lock(&mutex);
}

static void drop_mutex(void)
{
	pthread_mutex_unlock(&mutex);
}

static void try_mutex(void)
{
	while (pthread_mutex_trylock(&mutex))
		;
}

static void take_twice(void)
{
	pthread_mutex_lock(&mutex);
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
}

static void take_to_read(void)
{
	pthread_rwlock_rdlock(&rwlock);
}

static void take_to_write(void)
{
	pthread_rwlock_wrlock(&rwlock);
}

static void drop_rwlock(void)
{
	pthread_rwlock_unlock(&rwlock);
}

static void do_nothing(void)
{
}

/** struct way - how it is held */
static const struct way {
	const char *name;
	void (*take)(void);
	void (*drop)(void);
	const void *lock;
} ways[] = {
	{ "mutex", take_mutex, drop_mutex, &mutex },
	{ "try", try_mutex, drop_mutex, &mutex },
	{ "deep", take_twice, drop_mutex, &mutex },
	{ "read", take_to_read, drop_rwlock, &rwlock },
	{ "write", take_to_write, drop_rwlock, &rwlock },
	{ "none", do_nothing, do_nothing, NULL },
};

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(name, ways[i].name))
			return &ways[i];
	return NULL;
}

static unsigned long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000UL + ts.tv_nsec;
}

/* Some time; how much does not matter. */
static void rest(void)
{
	struct timespec ts = { .tv_nsec = 100000 };

	nanosleep(&ts, NULL);
}

static void hold(const struct way *way, int times)
{
	unsigned long inner = 0, outer = 0, longest = 0;

	way->take();
	way->drop();
	while (times--) {
		unsigned long before = now(), from, to, after;

		way->take();
		from = now();
		rest();
		to = now();
		way->drop();
		after = now();
		inner += to - from;
		outer += after - before;
		if (after - before > longest)
			longest = after - before;
	}
	printf("held %lu %lu %lu %lu\n", inner, outer, longest, (unsigned long)way->lock);
}

int main(int argc, char **argv)
{
	const struct way *way = argc == 3 ? find_way(argv[1]) : NULL;
	pthread_mutexattr_t attr;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!way) {
		fprintf(stderr, "holder: mutex | try | deep | read | write | none, and how often\n");
		return 2;
	}
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	if (way->take == take_twice)
		pthread_mutex_init(&mutex, &attr);
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	if (getchar() == '\n')
		hold(way, atoi(argv[2]));
	while (getchar() != EOF)
		;
	return 0;
}
