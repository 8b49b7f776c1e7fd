// SPDX-License-Identifier: GPL-2.0
/*
 * holder - threads that hold a lock so often, and measure for how long: for
 * what the lens says of that.
 *
 *	holder N WAY...		so many times in each way, one way after the other, each
 *				by a thread of its own with a lock of its own
 *
 *	mutex			a mutex
 *	try			the same, by pthread_mutex_trylock()
 *	deep			one that may be taken again by who has it, and is
 *	read			an rwlock, to read
 *	write			the same, to write
 *	wait			a mutex; in the midst of each hold it waits for a condition,
 *				and a visitor has the mutex meanwhile: three holds
 *	asleep			the same, but it sleeps in read() until the visitor, who
 *				takes nothing, wakes it: one hold
 *	sem			a semaphore with one unit
 *	units			the same with two: nobody has it
 *	none			no lock at all
 *
 * Those with a visitor stand alone. It prints "ready", and begins with the next way at each
 * line of its input, with one hold that is not counted, as the first call that the lens
 * sees of a thread is; then it prints "held INNER OUTER LONGEST ADDRESS HOLDS": the times
 * in all, in ns of CLOCK_MONOTONIC, from after each taking to before the dropping, and from
 * before to after, which for two threads who never have it both is from the first to the
 * last; the longest of the latter; the lock; and how often it was held. It ends with its
 * input.
 */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#define MAX_WAYS	8

/** struct act - one way, by a thread of its own with locks of its own */
static struct act {
	const struct way *way;
	int times;
	pthread_mutex_t mutex;
	pthread_rwlock_t rwlock;
	sem_t sem;
	/** @turn: it has come, and it is over */
	pthread_barrier_t turn;
} acts[MAX_WAYS], *its = acts;

static void take_mutex(void)
{
	pthread_mutex_lock(&its->mutex);
}

static void drop_mutex(void)
{
	pthread_mutex_unlock(&its->mutex);
}

static void try_mutex(void)
{
	while (pthread_mutex_trylock(&its->mutex))
		;
}

static void take_twice(void)
{
	pthread_mutex_lock(&its->mutex);
	pthread_mutex_lock(&its->mutex);
	pthread_mutex_unlock(&its->mutex);
}

static void take_to_read(void)
{
	pthread_rwlock_rdlock(&its->rwlock);
}

static void take_to_write(void)
{
	pthread_rwlock_wrlock(&its->rwlock);
}

static void drop_rwlock(void)
{
	pthread_rwlock_unlock(&its->rwlock);
}

static void take_sem(void)
{
	while (sem_wait(&its->sem))
		;
}

static void post_sem(void)
{
	sem_post(&its->sem);
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
		pthread_cond_wait(&visits.cond, &its->mutex);
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
	pthread_mutex_lock(&its->mutex);
	pthread_mutex_unlock(&its->mutex);
	pthread_barrier_wait(&visits.begin);
	for (int i = 0; i < visits.times; i++) {
		unsigned long from;

		pthread_barrier_wait(&visits.begin);
		pthread_mutex_lock(&its->mutex);
		from = now();
		rest();
		visits.came = true;
		pthread_cond_signal(&visits.cond);
		visits.inner += now() - from;
		pthread_mutex_unlock(&its->mutex);
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
	/** @lock: where it is among all */
	size_t lock;
	/** @visit: what another thread does; @pause: and this one, in the midst of a hold */
	void *(*visit)(void *unused);
	void (*pause)(void);
	/** @leaves: then it does not hold the lock */
	bool leaves;
} ways[] = {
	{ .name = "mutex", .take = take_mutex, .drop = drop_mutex,
	  .lock = offsetof(struct act, mutex) },
	{ .name = "try", .take = try_mutex, .drop = drop_mutex,
	  .lock = offsetof(struct act, mutex) },
	{ .name = "deep", .take = take_twice, .drop = drop_mutex,
	  .lock = offsetof(struct act, mutex) },
	{ .name = "read", .take = take_to_read, .drop = drop_rwlock,
	  .lock = offsetof(struct act, rwlock) },
	{ .name = "write", .take = take_to_write, .drop = drop_rwlock,
	  .lock = offsetof(struct act, rwlock) },
	{ .name = "wait", .take = take_mutex, .drop = drop_mutex,
	  .lock = offsetof(struct act, mutex),
	  .visit = visit_with_mutex, .pause = wait_for_visitor, .leaves = true },
	{ .name = "asleep", .take = take_mutex, .drop = drop_mutex,
	  .lock = offsetof(struct act, mutex),
	  .visit = visit_without, .pause = sleep_for_visitor },
	{ .name = "sem", .take = take_sem, .drop = post_sem,
	  .lock = offsetof(struct act, sem) },
	{ .name = "units", .take = take_sem, .drop = post_sem,
	  .lock = offsetof(struct act, sem) },
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
	       (unsigned long)its + way->lock, nr_holds);
}

static void *act_in_turn(void *act)
{
	struct act *a = act;

	pthread_barrier_wait(&a->turn);
	its = a;
	hold(a->way, a->times);
	pthread_barrier_wait(&a->turn);
	return stay(NULL);
}

/* Its thread begins before anybody looks, too. */
static void start(struct act *a, const struct way *way, int times)
{
	pthread_mutexattr_t attr;
	pthread_t thread;

	a->way = way;
	a->times = times;
	pthread_mutexattr_init(&attr);
	if (way->take == take_twice)
		pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&a->mutex, &attr);
	pthread_rwlock_init(&a->rwlock, NULL);
	sem_init(&a->sem, 0, strcmp(way->name, "units") ? 1 : 2);
	pthread_barrier_init(&a->turn, NULL, 2);
	start_visitor(way, times);
	pthread_create(&thread, NULL, act_in_turn, a);
}

static void let_act(struct act *a)
{
	for (int i = 0; i < 2; i++)
		pthread_barrier_wait(&a->turn);
}

int main(int argc, char **argv)
{
	const struct way *way[MAX_WAYS];
	int nr_ways = argc - 2;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int i = 0; i < nr_ways && i < MAX_WAYS; i++) {
		way[i] = find_way(argv[i + 2]);
		if (!way[i] || (way[i]->visit && nr_ways > 1))
			nr_ways = 0;
	}
	if (nr_ways < 1 || nr_ways > MAX_WAYS) {
		fprintf(stderr, "holder: how often, and mutex | try | deep | read | write | sem | units | none ..., or wait | asleep\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < nr_ways; i++)
		start(&acts[i], way[i], atoi(argv[1]));
	puts("ready");
	for (int i = 0; i < nr_ways && getchar() == '\n'; i++)
		let_act(&acts[i]);
	while (getchar() != EOF)
		;
	return 0;
}
