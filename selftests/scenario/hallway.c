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
 *	hallway kept		as same, but the first one, with both, waits for a condition
 *				with A: it drops that and takes it again, and keeps B
 *	hallway left		the same, but it waits before it takes B
 *
 * With -c before that, the two mutexes are such as check who has them. With -s there
 * are semaphores in their place, and with -x each thread posts what the other one has
 * taken, at the end of a round, and not its own. With -t there are semaphores, and who
 * tries waits for a moment; with -i it would wait long, but a signal ends that. With
 * -m MODES there are rwlocks in the place of the two and of the gate: three letters, r or
 * w, tell how the first thread takes the one it takes first, the other one, and the gate;
 * and three more how the second one does.
 *
 * Several of these, with a / between, are as many halls, with two threads each.
 *
 * It prints "ready ADDRESS TID TID...": where the code of pthread_mutex_lock() is, and
 * the two of each hall. It ends with its input or with who started it.
 */
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum place { FIRST, OTHER, GATE, NR_PLACES };

#define NR_OWN		8
#define MOMENT_NS	2000000
#define LONG_SECS	3600
#define MAX_HALLS	12

/** struct hall - two threads, and what they take */
static struct hall {
	const char *way;
	/** @modes: of rwlocks; NULL: mutexes are taken */
	const char *modes;
	/** @sems: semaphores are; @crossed: each is posted by who has not taken it */
	bool sems;
	bool crossed;
	/** @timed: who tries for one waits; @signals: until a signal comes */
	bool timed;
	bool signals;
	/** @every: a round of so many in which the second one leaves its own; 0: none */
	unsigned int every;
	pthread_mutex_t mutex[2];
	pthread_mutex_t gate;
	pthread_cond_t cond;
	sem_t sem[2];
	pthread_rwlock_t rwlock[2];
	pthread_rwlock_t rwgate;
	/** @own: as many as the lens follows: the gate finds no place there */
	pthread_mutex_t own[2][NR_OWN];
	pthread_barrier_t step;
	pid_t tid[2];
} halls[MAX_HALLS];

static int nr_halls;

#ifdef MAY_CANCEL
/* Nobody calls it. */
int (*const may_cancel)(pthread_t thread) = pthread_cancel;
#endif

static void keep_step(struct hall *h)
{
	pthread_barrier_wait(&h->step);
}

/* Not too fast to be looked at, however many there are; nothing depends on it. */
static void rest(void)
{
	struct timespec ts = { .tv_nsec = nr_halls * 1000000L };

	nanosleep(&ts, NULL);
}

static bool reads(const struct hall *h, int self, enum place place)
{
	return h->modes[self * NR_PLACES + place] == 'r';
}

static void take(struct hall *h, int self, int which, enum place place)
{
	if (h->sems)
		sem_wait(&h->sem[which]);
	else if (!h->modes)
		pthread_mutex_lock(&h->mutex[which]);
	else if (reads(h, self, place))
		pthread_rwlock_rdlock(&h->rwlock[which]);
	else
		pthread_rwlock_wrlock(&h->rwlock[which]);
}

static int wait_in_time(struct hall *h, int which)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += h->signals ? LONG_SECS : 0;
	end.tv_nsec += MOMENT_NS;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	return sem_timedwait(&h->sem[which], &end);
}

static int try(struct hall *h, int self, int which)
{
	if (h->timed)
		return wait_in_time(h, which);
	if (h->sems)
		return sem_trywait(&h->sem[which]);
	if (!h->modes)
		return pthread_mutex_trylock(&h->mutex[which]);
	return reads(h, self, OTHER) ? pthread_rwlock_tryrdlock(&h->rwlock[which]) :
				       pthread_rwlock_trywrlock(&h->rwlock[which]);
}

static void drop(struct hall *h, int which)
{
	if (h->sems)
		sem_post(&h->sem[which]);
	else if (h->modes)
		pthread_rwlock_unlock(&h->rwlock[which]);
	else
		pthread_mutex_unlock(&h->mutex[which]);
}

static void take_gate(struct hall *h, int self)
{
	if (!h->modes)
		pthread_mutex_lock(&h->gate);
	else if (reads(h, self, GATE))
		pthread_rwlock_rdlock(&h->rwgate);
	else
		pthread_rwlock_wrlock(&h->rwgate);
}

static void drop_gate(struct hall *h)
{
	if (h->modes)
		pthread_rwlock_unlock(&h->rwgate);
	else
		pthread_mutex_unlock(&h->gate);
}

static void try_round(struct hall *h, int self, unsigned int round)
{
	bool leaves = self == 1 && h->every && round % h->every == 0;

	if (!leaves)
		take(h, self, self, FIRST);
	keep_step(h);
	if (!try(h, self, !self))
		drop(h, !self);
	keep_step(h);
	if (!leaves)
		drop(h, h->crossed ? !self : self);
}

/* For a condition, until a time that is over: it does not depend on anybody. */
static void wait_with(struct hall *h, int self, int which, const char *way)
{
	struct timespec past = { 0 };

	if (self == 0 && !strcmp(h->way, way))
		pthread_cond_timedwait(&h->cond, &h->mutex[which], &past);
}

static void take_both(struct hall *h, int self, int first)
{
	int nr_own = strcmp(h->way, "deep") ? 0 : NR_OWN;
	bool gated = nr_own || !strcmp(h->way, "gated");

	for (int i = 0; i < nr_own; i++)
		pthread_mutex_lock(&h->own[self][i]);
	if (gated)
		take_gate(h, self);
	take(h, self, first, FIRST);
	wait_with(h, self, first, "left");
	take(h, self, !first, OTHER);
	wait_with(h, self, first, "kept");
	for (int i = 0; i < 2 && !h->crossed; i++)
		drop(h, i ? first : !first);
	if (gated)
		drop_gate(h);
	while (nr_own--)
		pthread_mutex_unlock(&h->own[self][nr_own]);
}

static bool is_of_one_order(const struct hall *h)
{
	return !strcmp(h->way, "same") || !strcmp(h->way, "kept") || !strcmp(h->way, "left");
}

/* The one, and then the other. */
static void order_round(struct hall *h, int self)
{
	for (int turn = 0; turn < 2; turn++) {
		if (turn == self)
			take_both(h, self, is_of_one_order(h) ? 0 : self);
		keep_step(h);
		for (int i = 0; i < 2 && h->crossed && turn != self; i++)
			drop(h, i);
	}
}

static void ignore(int sig)
{
	(void)sig;
}

/* Signals to both, over and over; no call is begun anew after one. */
static void *disturb(void *hall)
{
	struct sigaction action = { .sa_handler = ignore };
	struct timespec moment = { .tv_nsec = MOMENT_NS };
	struct hall *h = hall;

	sigaction(SIGUSR1, &action, NULL);
	for (;;) {
		nanosleep(&moment, NULL);
		for (int i = 0; i < 2; i++)
			syscall(SYS_tgkill, getpid(), h->tid[i], SIGUSR1);
	}
	return NULL;
}

static void act(struct hall *h, int self)
{
	prctl(PR_SET_NAME, self ? "two" : "one");
	__atomic_store_n(&h->tid[self], syscall(SYS_gettid), __ATOMIC_RELEASE);
	keep_step(h);
	for (unsigned int round = 1;; round++) {
		if (!strcmp(h->way, "tries"))
			try_round(h, self, round);
		else
			order_round(h, self);
		rest();
	}
}

static void *act_one(void *hall)
{
	act(hall, 0);
	return NULL;
}

static void *act_two(void *hall)
{
	act(hall, 1);
	return NULL;
}

/* @type: of the two mutexes */
static void make_locks(struct hall *h, int type)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, type);
	pthread_mutex_init(&h->gate, NULL);
	pthread_cond_init(&h->cond, NULL);
	pthread_rwlock_init(&h->rwgate, NULL);
	pthread_barrier_init(&h->step, NULL, 2);
	for (int i = 0; i < 2; i++) {
		pthread_mutex_init(&h->mutex[i], &attr);
		pthread_rwlock_init(&h->rwlock[i], NULL);
		sem_init(&h->sem[i], 0, 1);
		for (int k = 0; k < NR_OWN; k++)
			pthread_mutex_init(&h->own[i][k], NULL);
	}
}

/* One hall of @argv, which ends with NULL or a slash. Return: what is left, or NULL. */
static char **make_hall(char **argv)
{
	struct hall *h = &halls[nr_halls];
	int type = PTHREAD_MUTEX_DEFAULT;

	if (nr_halls++ == MAX_HALLS)
		return NULL;
	if (*argv && !strcmp(*argv, "-c")) {
		type = PTHREAD_MUTEX_ERRORCHECK;
		argv++;
	} else if (*argv && **argv == '-' && strlen(*argv) == 2 && strchr("sxti", (*argv)[1])) {
		h->sems = true;
		h->crossed = (*argv)[1] == 'x';
		h->signals = (*argv)[1] == 'i';
		h->timed = h->signals || (*argv)[1] == 't';
		argv++;
	} else if (*argv && !strcmp(*argv, "-m")) {
		h->modes = argv[1];
		if (!h->modes || strlen(h->modes) != 2 * NR_PLACES)
			return NULL;
		argv += 2;
	}
	h->way = *argv++;
	if (!h->way)
		return NULL;
	if (*argv && strcmp(*argv, "/"))
		h->every = atoi(*argv++);
	make_locks(h, type);
	return *argv && strcmp(*argv, "/") ? NULL : argv;
}

static void start(struct hall *h)
{
	pthread_t thread;

	pthread_create(&thread, NULL, act_one, h);
	pthread_create(&thread, NULL, act_two, h);
	while (!__atomic_load_n(&h->tid[0], __ATOMIC_ACQUIRE) ||
	       !__atomic_load_n(&h->tid[1], __ATOMIC_ACQUIRE))
		rest();
	if (h->signals)
		pthread_create(&thread, NULL, disturb, h);
	printf(" %d %d", h->tid[0], h->tid[1]);
}

int main(int argc, char **argv)
{
	struct pollfd in = { .fd = STDIN_FILENO };

	(void)argc;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	do {
		argv = make_hall(argv + 1);
	} while (argv && *argv);
	if (!argv) {
		fprintf(stderr, "hallway: [-c | -s | -x | -t | -i | -m MODES] tries N | opposite | same | gated | deep | kept | left [/ ...]\n");
		return 2;
	}
	printf("ready %lu", (unsigned long)&pthread_mutex_lock);
	for (int i = 0; i < nr_halls; i++)
		start(&halls[i]);
	putchar('\n');
	fflush(stdout);
	while (poll(&in, 1, -1) < 0)
		;
	return 0;
}
