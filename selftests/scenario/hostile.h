/* SPDX-License-Identifier: GPL-2.0 */
/*
 * hostile - what the situations have in common: the memory they share, the
 * actors, and the situations themselves, which files beside this one make.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#define MAX_ACTORS	8

/** struct shared - what processes and threads of a situation share */
struct shared {
	/** @mutex: process-shared */
	pthread_mutex_t mutex[4];
	/** @tid: of each actor, once it is about to sleep */
	volatile pid_t tid[MAX_ACTORS];
	/** @go: one has done what another waits for */
	volatile bool go;
};

extern struct shared *shared;

/* Unless @holds, say that @what failed, with errno, and end the process. */
void check(bool holds, const char *what);
/* Sleep for a millisecond: waits by asking again, never an ordering. */
void nap(void);
/* Lock mutex @n of those shared. */
void lock(int n);
void sleep_for_ever(void);
/* A descriptor of file @n of the situation's own folder. */
int lock_file(int n);

/* A number for an actor, before any process is made. */
int actor(const char *name);
/* The calling thread is actor @n, and goes to sleep next. */
void be(int n);
/* Wait until actor @n sleeps. */
void wait_for(int n);
/* Run @run, then sleep, in a child that ends with its parent, or in a thread. */
pid_t spawn(void (*run)(void));
void thread(void (*run)(void));
/* As actor 1, lock mutex 0. */
void lock_0_as_1(void);

/* Futexes and memory. */
void foreign_mutex(void);
void counter_like_tid(void);
void owner_unmapped(void);
void clone_with_our_number(void);
void sibling_with_our_number(void);
void stdio_lock(void);
void thread_gone(void);
void heir(void);
void heir_waits(void);
void shared_heir(void);
void first_thread_ended(void);
void first_thread_ended_in_order(void);

/* Children and pipes. */
void any_child(void);
void thread_may_fork(void);
void subreaper(void);
void init_with_guest(void);
void init_alone(void);
void many_groups(void);
void replaced_descriptor(void);
void replaced_by_the_gone(void);
void kept_by_the_gone(void);

/* File locks. */
void flock_abba(void);
void many_timers(void);
void deadly_timer(void);
void lock_in_flight(void);
void ofd_upgrades(void);
void ofd_upgrade(void);
void many_descriptors(void);
void odd_name(void);

/* Holders that go on to another process. */
void hopping_writer(void);
void hopping_stranger(void);
void resting_stranger(void);
void hopping_locker(void);
void hopping_owner(void);
void dead_owner(void);

#endif /* HOSTILE_H */
