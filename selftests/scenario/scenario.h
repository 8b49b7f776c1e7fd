/* SPDX-License-Identifier: GPL-2.0 */
/*
 * scenario - actors that take locks, pipes and children in a given order, and
 * stop where a test wants them. scenario.c has the actors, steps.c the steps,
 * steps_ipc.c those about two ends of something, steps_sysv.c those about what
 * has a name or a key.
 */
#ifndef SCENARIO_H
#define SCENARIO_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

/* Enough for 200 waiters and a few more. */
#define MAX_ACTORS	256

/* Resources of each kind; a ring of 20 is the longest. */
#define MAX_RES		64

/* Steps of one actor, also what it can hold at once. */
#define MAX_STEPS	24

/* As long as a task's name can be, with its NUL. */
#define MAX_NAME	16

/**
 * enum phase - how far an actor got
 * @PHASE_BEGUN: on its way
 * @PHASE_MARKED: about to take the step that is marked with '!'
 * @PHASE_DONE: did all its steps, or a round of them if it loops
 * @PHASE_FAILED: a step failed; the actor is gone
 */
enum phase { PHASE_BEGUN, PHASE_MARKED, PHASE_DONE, PHASE_FAILED };

/** enum pair - things with two ends; an eventfd's two are the same */
enum pair { PAIR_PIPE, PAIR_STREAM, PAIR_DGRAM, PAIR_SEQ, PAIR_TCP, PAIR_EVENTFD, NR_PAIRS };

/** struct progress - what an actor tells the driver; in shared memory */
struct progress {
	atomic_int tid;
	atomic_int phase;
	/** @error: with PHASE_FAILED: the errno and the index of the step */
	int error;
	int step;
};

/** struct step - one word of an actor's part */
struct step {
	const struct step_kind *kind;
	/** @n: number of the resource; 0 if none was given */
	unsigned int n;
	/** @actor: the actor that fork, wait and join name; else NULL */
	struct actor *actor;
	bool marked;
};

/** struct actor - one thread of the scenario */
struct actor {
	char name[MAX_NAME];
	struct step step[MAX_STEPS];
	unsigned int nr_steps;
	/** @loops: does its steps for ever, and drops all it holds in between */
	bool loops;
	/** @forked: another actor starts it */
	bool forked;
	struct progress *progress;
	/** @pid: the child, in the process that forked it */
	pid_t pid;
	pthread_t thread;
	/** @held: [nr_held] steps to undo, in the order done */
	const struct step *held[MAX_STEPS];
	unsigned int nr_held;
	/** @lock_fd: this actor's own open files of the lock files, by use; 0: none */
	int lock_fd[3][MAX_RES];
	/** @kernel_fd: its file of the kernel's locks; 0: none */
	int kernel_fd;
	/** @socket_fd: what it connected; 0: none */
	int socket_fd;
	/** @pid_fd: of another actor; 0: none */
	int pid_fd;
	/** @named_fd: its FIFOs and message queues */
	int named_fd[MAX_RES];
};

/**
 * struct step_kind - what a word means
 * @name: the word
 * @run: does it; 0 or an errno
 * @undo: drops what run took; NULL when nothing is held
 * @ends: ends that it needs: bit 0 a pipe's reading end, or the end "a", bit 1 the other
 * @names_actor: the argument is an actor, not a number
 * @pair: with @ends: of what
 */
struct step_kind {
	const char *name;
	int (*run)(struct actor *a, const struct step *step);
	int (*undo)(struct actor *a, const struct step *step);
	unsigned int ends;
	bool names_actor;
	enum pair pair;
};

/** struct locks - locks of user space, in memory shared or not */
struct locks {
	struct {
		pthread_mutex_t mutex, robust, pi, protect;
		pthread_rwlock_t rwlock, writers_first;
		pthread_cond_t cond;
		sem_t sem;
		/* taken by FUTEX_LOCK_PI2, without a library */
		atomic_uint pi2;
	} at[MAX_RES];
};

/** struct stage - what all actors share */
struct stage {
	bool threads;
	struct actor actor[MAX_ACTORS];
	unsigned int nr_actors;
	/** @folder: holds the files that are locked */
	char folder[64];
	/** @shm_name: of the shared memory that holds @shared */
	char shm_name[64];
	struct locks *shared;
	struct locks *private;
	/** @sync: where every actor with the step "sync" meets; in shared memory */
	pthread_barrier_t *sync;
	struct progress *progress;
	int pair[NR_PAIRS][MAX_RES][2];
	/** @sem_id, @msg_id: of SysV IPC */
	int sem_id;
	int msg_id;
};

extern struct stage stage;

const struct step_kind *step_find(const char *name);
const struct step_kind *step_find_ipc(const char *name);
const struct step_kind *step_find_sysv(const char *name);

/** sysv_make() - make the scenario's semaphores and queue; 0 or an errno */
int sysv_make(void);
void sysv_remove(void);

/** named_remove() - remove FIFO and message queue @n */
void named_remove(unsigned int n);

/** pair_make() - make pair @n of its sort, unless it is there; 0 or an errno */
int pair_make(enum pair sort, unsigned int n);

/** pairs_close() - close the ends that @keeper names in none of its steps; NULL: all */
void pairs_close(const struct actor *keeper);

/** step_undo_all() - drop what the actor holds, last first; 0 or an errno */
int step_undo_all(struct actor *a);

/** actor_play() - do the actor's steps in this thread; never returns */
void actor_play(struct actor *a) __attribute__((noreturn));

/** actor_asleep() - it is at its marked step, off the CPU, and in a wait */
bool actor_asleep(const struct actor *a);

/** actor_rest() - a moment between two looks at the others */
void actor_rest(void);

#endif /* SCENARIO_H */
