// SPDX-License-Identifier: GPL-2.0
/*
 * scenario - deadlocks to order, and their healthy twins.
 *
 *	scenario [-t] 'NAME: STEP...' ['NAME: STEP...']...
 *
 * Each argument is an actor: a process, or with -t a thread of one process. It
 * does its steps from left to right and then stays, with all that it holds.
 * 'NAME*:' does them for ever instead, and drops all it holds in between.
 *
 *	shm:N robust:N pi:N protect:N wr:N rd:N	locks of pthread, shared by the processes
 *	wr-first:N rd-last:N		a rwlock of which waiting writers go first
 *	pi2:N				a PI mutex without a library, by FUTEX_LOCK_PI2
 *	mtx:N				a mutex in memory of the process's own
 *	timed:N				shm:N by pthread_mutex_timedlock()
 *	flock:N posix:N ofd:N ofd-r:N	locks on file N; ofd-r is a shared one
 *	kmutex:N krwsem-w:N krwsem-r:N krtmutex:N ksem:N
 *					locks of gridlock_scenario.ko
 *	kmmap:N				mmap() that waits for kmutex:N
 *	rend:N wend:N			keep that end of pipe N; all others close it
 *	read:N fill:N			read a byte from pipe N; write until it is full
 *	fill-quietly:N			fill pipe N, and do not wait
 *	sem:N cond:N sleep		wait for what never comes
 *	T-a:N T-b:N T-a-recv:N T-b-recv:N T-a-send:N T-b-send:N
 *					keep an end of a connection N; receive
 *					from it; send until it is full. T: stream,
 *					dgram, seq of UNIX sockets, or tcp
 *	timeo-a:N			give stream-a:N a timeout
 *	pass-a:N			send stream-a:N through itself
 *	listen:N connect:N connect-recv:N
 *					a listening stream socket, which nobody accepts
 *					from; connect to it; and receive
 *	efd:N efd-read:N efd-fill:N	keep eventfd N; read it; write until it is full
 *	poll poll-timed select epoll	wait until one of the ends named so far can be
 *					read; poll-out: can be written
 *	pidfd:NAME			poll for a child's end, too
 *	handler				handle a signal
 *	fifo-r:N fifo-w:N fifo-rw:N	open FIFO N, and do not wait; fifo-open:N: to
 *					read, and wait; fifo-read:N fifo-fill:N use it
 *	mq-r:N mq-w:N mq-receive:N mq-fill:N
 *					open message queue N; receive; send until full
 *	lease:N lease-break:N		take a lease on file N; open it to write
 *	sysv:N msg:N			take SysV semaphore N; wait for a message
 *	vfork:NAME			start an actor in the own memory, until it ends
 *	fork:NAME wait:NAME join:NAME	start an actor as a child; wait for its end
 *	sync				go on when all that have this step are there
 *	settle				go on when all others are at their '!' step
 *	uffd drop touch			leave the pages of mtx to a userfaultfd that
 *					nobody serves; drop them; read one
 *	exit				die, holding what it holds
 *
 * '!' before a step marks where the actor is meant to sleep. When every actor
 * sleeps in its marked step, or is through, or has done a round of its loop:
 *
 *	ready NAME=TID...
 *
 * is printed. At the end of its input the scenario ends, with all its actors.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "asleep.h"
#include "scenario.h"

struct stage stage;

static volatile sig_atomic_t asked_to_end;

static void die(const char *what, const char *which)
{
	fprintf(stderr, "scenario: %s%s\n", what, which);
	exit(2);
}

static struct actor *find_actor(const char *name)
{
	for (unsigned int i = 0; i < stage.nr_actors; i++)
		if (!strcmp(stage.actor[i].name, name))
			return &stage.actor[i];
	die("there is no actor ", name);
	return NULL;
}

static void parse_step(struct actor *a, char *word)
{
	struct step *step = &a->step[a->nr_steps++];
	char *argument, *end = "";

	if (a->nr_steps == MAX_STEPS)
		die("too many steps: ", a->name);
	step->marked = *word == '!';
	word += step->marked;
	argument = strchr(word, ':');
	if (argument)
		*argument++ = '\0';
	step->kind = step_find(word);
	if (!step->kind)
		die("there is no step ", word);
	if (step->kind->names_actor) {
		step->actor = find_actor(argument ?: "");
		step->actor->forked |= !strcmp(word, "fork") || !strcmp(word, "vfork");
	} else if (argument) {
		step->n = strtoul(argument, &end, 10);
	}
	if (*end || step->n >= MAX_RES)
		die("this is no number of a resource: ", argument);
}

/* "NAME: ..." or "NAME*: ...". Return: its steps. */
static char *parse_name(char *arg)
{
	struct actor *a = &stage.actor[stage.nr_actors++];
	char *colon = strchr(arg, ':');

	if (!colon || colon == arg)
		die("an actor is 'NAME: STEP...', not ", arg);
	*colon = '\0';
	a->loops = colon[-1] == '*';
	if (a->loops)
		colon[-1] = '\0';
	snprintf(a->name, sizeof(a->name), "%s", arg);
	return colon + 1;
}

static void parse_actors(char **arg, unsigned int nr)
{
	char *steps[MAX_ACTORS];

	if (!nr || nr > MAX_ACTORS)
		die("scenario [-t] 'NAME: STEP...'...", "");
	for (unsigned int i = 0; i < nr; i++)
		steps[i] = parse_name(arg[i]);
	for (unsigned int i = 0; i < nr; i++)
		for (char *word = strtok(steps[i], " "); word; word = strtok(NULL, " "))
			parse_step(&stage.actor[i], word);
}

static void init_locks(struct locks *locks, int pshared)
{
	pthread_mutexattr_t mutex, robust, pi, protect;
	pthread_rwlockattr_t rwlock, writers_first;
	pthread_condattr_t cond;

	pthread_mutexattr_init(&mutex);
	pthread_mutexattr_setpshared(&mutex, pshared);
	robust = mutex;
	pthread_mutexattr_setrobust(&robust, PTHREAD_MUTEX_ROBUST);
	pi = mutex;
	pthread_mutexattr_setprotocol(&pi, PTHREAD_PRIO_INHERIT);
	protect = mutex;
	pthread_mutexattr_setprotocol(&protect, PTHREAD_PRIO_PROTECT);
	pthread_mutexattr_setprioceiling(&protect, 1);
	pthread_rwlockattr_init(&rwlock);
	pthread_rwlockattr_setpshared(&rwlock, pshared);
	writers_first = rwlock;
	pthread_rwlockattr_setkind_np(&writers_first, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_condattr_init(&cond);
	pthread_condattr_setpshared(&cond, pshared);
	for (int i = 0; i < MAX_RES; i++) {
		pthread_mutex_init(&locks->at[i].mutex, &mutex);
		pthread_mutex_init(&locks->at[i].robust, &robust);
		pthread_mutex_init(&locks->at[i].pi, &pi);
		pthread_mutex_init(&locks->at[i].protect, &protect);
		pthread_rwlock_init(&locks->at[i].rwlock, &rwlock);
		pthread_rwlock_init(&locks->at[i].writers_first, &writers_first);
		pthread_cond_init(&locks->at[i].cond, &cond);
		sem_init(&locks->at[i].sem, pshared, 0);
	}
}

static void *map(size_t size, int flags, int fd)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (at == MAP_FAILED)
		die("no memory: ", strerror(errno));
	return at;
}

/* A named file, as programs that share locks have it. */
static struct locks *map_shared_locks(void)
{
	int fd;

	snprintf(stage.shm_name, sizeof(stage.shm_name), "/scenario.%d", getpid());
	fd = shm_open(stage.shm_name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || ftruncate(fd, sizeof(struct locks)))
		die("no shared memory: ", strerror(errno));
	return map(sizeof(struct locks), MAP_SHARED, fd);
}

static unsigned int count_sync(void)
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < stage.nr_actors; i++)
		for (unsigned int j = 0; j < stage.actor[i].nr_steps; j++)
			nr += !strcmp(stage.actor[i].step[j].kind->name, "sync");
	return nr;
}

static void make_pairs(void)
{
	memset(stage.pair, -1, sizeof(stage.pair));
	for (unsigned int i = 0; i < stage.nr_actors; i++) {
		for (unsigned int j = 0; j < stage.actor[i].nr_steps; j++) {
			const struct step *step = &stage.actor[i].step[j];
			int err = step->kind->ends ? pair_make(step->kind->pair, step->n) : 0;

			if (err)
				die("no pair of ends: ", strerror(err));
		}
	}
}

static void set_stage(void)
{
	pthread_barrierattr_t attr;
	unsigned int nr_sync = count_sync();

	snprintf(stage.folder, sizeof(stage.folder), "/tmp/scenario.XXXXXX");
	if (!mkdtemp(stage.folder))
		die("no folder in /tmp: ", strerror(errno));
	stage.shared = map_shared_locks();
	init_locks(stage.shared, PTHREAD_PROCESS_SHARED);
	stage.private = map(sizeof(struct locks), MAP_PRIVATE | MAP_ANONYMOUS, -1);
	init_locks(stage.private, PTHREAD_PROCESS_PRIVATE);
	stage.progress = map(sizeof(struct progress) * MAX_ACTORS, MAP_SHARED | MAP_ANONYMOUS, -1);
	stage.sync = map(sizeof(*stage.sync), MAP_SHARED | MAP_ANONYMOUS, -1);
	pthread_barrierattr_init(&attr);
	pthread_barrierattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	if (nr_sync)
		pthread_barrier_init(stage.sync, &attr, nr_sync);
	for (unsigned int i = 0; i < stage.nr_actors; i++)
		stage.actor[i].progress = &stage.progress[i];
	make_pairs();
	if (sysv_make())
		die("no SysV IPC: ", strerror(errno));
	/* Bring all code into memory now: a marked step then sleeps in what it waits for. */
	mlockall(MCL_CURRENT);
	munlockall();
}

static void *play_thread(void *arg)
{
	actor_play(arg);
}

/* One process with all actors as threads; its first thread only waits for the end. */
static void play_threads(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (unsigned int i = 0; i < stage.nr_actors; i++)
		if (pthread_create(&stage.actor[i].thread, NULL, play_thread, &stage.actor[i]))
			_exit(1);
	for (;;)
		pause();
}

static void start_actors(void)
{
	if (stage.threads && !fork())
		play_threads();
	for (unsigned int i = 0; !stage.threads && i < stage.nr_actors; i++)
		if (!stage.actor[i].forked && !fork())
			actor_play(&stage.actor[i]);
	pairs_close(NULL);
}

/* Return: the state letter of /proc/TID/stat, or 0 when it is gone. */
static char task_state(pid_t tid)
{
	char path[64], line[512], *after_comm;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", tid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	after_comm = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	fclose(file);
	return after_comm ? after_comm[2] : 0;
}

bool actor_asleep(const struct actor *a)
{
	char state;

	if (a->progress->phase != PHASE_MARKED)
		return false;
	state = task_state(a->progress->tid);
	return (state == 'S' || state == 'D') && task_off_cpu(a->progress->tid);
}

void actor_rest(void)
{
	struct timespec moment = { .tv_nsec = 1000000 };

	nanosleep(&moment, NULL);
}

static bool actor_exits(const struct actor *a)
{
	return a->nr_steps && !strcmp(a->step[a->nr_steps - 1].kind->name, "exit");
}

static bool actor_is_ready(const struct actor *a)
{
	char state;

	if (a->progress->phase != PHASE_DONE)
		return actor_asleep(a);
	if (!actor_exits(a))
		return true;
	state = task_state(a->progress->tid);
	return !state || state == 'Z' || state == 'X';
}

static void check_failed(const struct actor *a)
{
	const struct progress *p = a->progress;

	if (p->phase != PHASE_FAILED)
		return;
	fprintf(stderr, "scenario: %s: %s: %s\n", a->name,
		p->step < (int)a->nr_steps ? a->step[p->step].kind->name : "undo",
		strerror(p->error));
	asked_to_end = 2;
}

/* Has who started us given up? It never writes: all that comes is the end. */
static void check_input(void)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };

	if (poll(&input, 1, 0) > 0 && !asked_to_end)
		asked_to_end = 1;
}

static void wait_until_ready(void)
{
	for (unsigned int i = 0; i < stage.nr_actors && !asked_to_end; i++) {
		while (!actor_is_ready(&stage.actor[i]) && !asked_to_end) {
			check_failed(&stage.actor[i]);
			check_input();
			actor_rest();
		}
	}
	if (asked_to_end)
		return;
	printf("ready");
	for (unsigned int i = 0; i < stage.nr_actors; i++)
		printf(" %s=%d", stage.actor[i].name, stage.progress[i].tid);
	putchar('\n');
	fflush(stdout);
}

static void wait_for_end_of_input(void)
{
	char byte;

	while (!asked_to_end && read(STDIN_FILENO, &byte, 1) > 0)
		;
}

/* Not those who are gone already: their numbers may be somebody else's. */
static bool actor_is_there(const struct actor *a)
{
	return a->progress->tid && !(actor_exits(a) && a->progress->phase == PHASE_DONE);
}

static void kill_actors(int sig)
{
	for (unsigned int i = 0; i < stage.nr_actors; i++)
		if (actor_is_there(&stage.actor[i]))
			kill(stage.progress[i].tid, sig);
}

static void clean_up(void)
{
	char path[80];

	/* Stopped first: nobody runs on with what another one's death gives him. */
	kill_actors(SIGSTOP);
	kill_actors(SIGKILL);
	/* SIGCHLD is ignored: this returns when the last child is gone. */
	waitpid(-1, NULL, 0);
	for (int i = 0; i < MAX_RES; i++) {
		snprintf(path, sizeof(path), "%s/%d", stage.folder, i);
		unlink(path);
		named_remove(i);
	}
	sysv_remove();
	rmdir(stage.folder);
	shm_unlink(stage.shm_name);
}

static void on_signal(int sig)
{
	(void)sig;
	asked_to_end = 1;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };

	stage.threads = argc > 1 && !strcmp(argv[1], "-t");
	parse_actors(argv + 1 + stage.threads, argc - 1 - stage.threads);
	set_stage();
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_IGN);
	start_actors();
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	wait_until_ready();
	wait_for_end_of_input();
	clean_up();
	return asked_to_end == 2 ? 1 : 0;
}
