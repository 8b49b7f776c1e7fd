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
 *	holder wait N		a mutex; in the midst of each hold it waits for a condition,
 *				and a visitor has the mutex meanwhile: three holds
 *	holder asleep N		the same, but it sleeps in read() until the visitor, who
 *				takes nothing, wakes it: one hold
 *	holder sem N		a semaphore with one unit
 *	holder units N		the same with two: nobody has it
 *	holder none N		no lock at all
 *
 * It prints "ready", begins at the first line of its input, with one that is not
 * counted, as the first call that the lens sees of a thread is; then it prints
 * "held INNER OUTER LONGEST ADDRESS HOLDS": the times in all, in ns of CLOCK_MONOTONIC,
 * from after each taking to before the dropping, and from before to after, which for
 * two threads who never have it both is from the first to the last; the longest of the
 * latter; the lock; and how often it was held. It ends with its input.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
static sem_t sem;

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

static void take_sem(void)
{
	while (sem_wait(&sem))
		;
}

static void post_sem(void)
{
	sem_post(&sem);
}

static void do_nothing(void)
{
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

/** struct visits - of another thread, in the midst of each hold */
static struct visits {
	pthread_barrier_t begin;
	int times;
	/* The one that it ends a wait with, under the mutex, and the one for a sleep. */
	pthread_cond_t cond;
	bool came;
	int pipe[2];
	/** @inner: ns that it had the mutex; @nr_waits: that were waited for it */
	unsigned long inner;
	int nr_waits;
} visits = { .cond = PTHREAD_COND_INITIALIZER };

static void wait_for_visitor(void)
{
	visits.came = false;
	pthread_barrier_wait(&visits.begin);
	while (!visits.came) {
		pthread_cond_wait(&visits.cond, &mutex);
		visits.nr_waits++;
	}
}

/* One that ends takes a lock of the C library. */
static void *stay(void *unused)
{
	for (;;)
		pause();
	return unused;
}

static void *visit_with_mutex(void *unused)
{
	pthread_barrier_wait(&visits.begin);
	/* The first call of a thread that the lens sees counts for nothing. */
	pthread_mutex_lock(&mutex);
	pthread_mutex_unlock(&mutex);
	pthread_barrier_wait(&visits.begin);
	for (int i = 0; i < visits.times; i++) {
		unsigned long from;

		pthread_barrier_wait(&visits.begin);
		pthread_mutex_lock(&mutex);
		from = now();
		rest();
		visits.came = true;
		pthread_cond_signal(&visits.cond);
		visits.inner += now() - from;
		pthread_mutex_unlock(&mutex);
	}
	pthread_barrier_wait(&visits.begin);
	return stay(unused);
}

static void sleep_for_visitor(void)
{
	char c;

	pthread_barrier_wait(&visits.begin);
	while (read(visits.pipe[0], &c, 1) != 1)
		;
}

static void *visit_without(void *unused)
{
	pthread_barrier_wait(&visits.begin);
	pthread_barrier_wait(&visits.begin);
	for (int i = 0; i < visits.times; i++) {
		pthread_barrier_wait(&visits.begin);
		rest();
		while (write(visits.pipe[1], "", 1) != 1)
			;
	}
	pthread_barrier_wait(&visits.begin);
	return stay(unused);
}

/** struct way - how it is held */
static const struct way {
	const char *name;
	void (*take)(void);
	void (*drop)(void);
	const void *lock;
	/** @visit: what another thread does; @pause: and this one, in the midst of a hold */
	void *(*visit)(void *unused);
	void (*pause)(void);
	/** @leaves: then it does not hold the lock */
	bool leaves;
} ways[] = {
	{ .name = "mutex", .take = take_mutex, .drop = drop_mutex, .lock = &mutex },
	{ .name = "try", .take = try_mutex, .drop = drop_mutex, .lock = &mutex },
	{ .name = "deep", .take = take_twice, .drop = drop_mutex, .lock = &mutex },
	{ .name = "read", .take = take_to_read, .drop = drop_rwlock, .lock = &rwlock },
	{ .name = "write", .take = take_to_write, .drop = drop_rwlock, .lock = &rwlock },
	{ .name = "wait", .take = take_mutex, .drop = drop_mutex, .lock = &mutex,
	  .visit = visit_with_mutex, .pause = wait_for_visitor, .leaves = true },
	{ .name = "asleep", .take = take_mutex, .drop = drop_mutex, .lock = &mutex,
	  .visit = visit_without, .pause = sleep_for_visitor },
	{ .name = "sem", .take = take_sem, .drop = post_sem, .lock = &sem },
	{ .name = "units", .take = take_sem, .drop = post_sem, .lock = &sem },
	{ .name = "none", .take = do_nothing, .drop = do_nothing },
};

static const struct way *find_way(const char *name)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++)
		if (!strcmp(name, ways[i].name))
			return &ways[i];
	return NULL;
}

/* Before anybody looks: one that begins takes that lock, too. */
static void start_visitor(const struct way *way, int times)
{
	pthread_t thread;

	visits.times = times;
	if (!way->visit)
		return;
	if (pipe(visits.pipe))
		exit(1);
	pthread_barrier_init(&visits.begin, NULL, 2);
	pthread_create(&thread, NULL, way->visit, NULL);
}

/* Return: how long it was held for certain, in ns. */
static unsigned long hold_once(const struct way *way)
{
	unsigned long from, before_pause = 0;

	way->take();
	from = now();
	rest();
	if (way->pause) {
		if (way->leaves)
			before_pause = now() - from;
		way->pause();
		if (way->leaves)
			from = now();
		rest();
	}
	return before_pause + now() - from;
}

static void hold(const struct way *way, int times)
{
	unsigned long inner = 0, outer = 0, longest = 0, first;
	int nr_holds = times;

	way->take();
	way->drop();
	if (way->visit) {
		pthread_barrier_wait(&visits.begin);
		pthread_barrier_wait(&visits.begin);
	}
	first = now();
	while (times--) {
		unsigned long before = now(), after;

		inner += hold_once(way);
		way->drop();
		after = now();
		outer += after - before;
		if (after - before > longest)
			longest = after - before;
	}
	if (way->visit)
		pthread_barrier_wait(&visits.begin);
	if (way->leaves) {
		outer = now() - first;
		nr_holds += nr_holds + visits.nr_waits;
	}
	printf("held %lu %lu %lu %lu %d\n", inner + visits.inner, outer, longest,
	       (unsigned long)way->lock, nr_holds);
}

int main(int argc, char **argv)
{
	const struct way *way = argc == 3 ? find_way(argv[1]) : NULL;
	pthread_mutexattr_t attr;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!way) {
		fprintf(stderr, "holder: mutex | try | deep | read | write | wait | asleep | sem | units | none, and how often\n");
		return 2;
	}
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	if (way->take == take_twice)
		pthread_mutex_init(&mutex, &attr);
	sem_init(&sem, 0, strcmp(way->name, "units") ? 1 : 2);
	setvbuf(stdout, NULL, _IOLBF, 0);
	start_visitor(way, atoi(argv[2]));
	puts("ready");
	if (getchar() == '\n')
		hold(way, atoi(argv[2]));
	while (getchar() != EOF)
		;
	return 0;
}
