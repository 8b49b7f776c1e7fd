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
void be_known_as(int n, pid_t tid);
/* Wait until actor @n sleeps. */
void wait_for(int n);
/* Run @run, then sleep, in a child that ends with its parent, or in a thread. */
pid_t spawn(void (*run)(void));
void thread(void (*run)(void));
/* As actor 1, lock mutex 0. */
void lock_0_as_1(void);

/* Send a descriptor on its way through the socket @by. */
void send_fd(int by, int fd);
/*
 * Two actors, each of which reads one pipe of ring[] and alone of the two could
 * write the other; and @third, a process that has all of it, or close_ring().
 */
extern int ring[2][2];
void make_ring(void (*third)(void));
void close_ring(void);
/* What the first of them does before, or NULL. */
extern void (*before_read)(void);

/* Futexes and memory. */
void foreign_mutex(void);
void counter_like_tid(void);
void owner_unmapped(void);
void words_that_change(void);
void words_that_change_once(void);
void words_that_stay(void);
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

void table_of_two(void);
void table_copied(void);

/* Polls in a table without pipes, sockets and files. */
void polls_in_table_of_two(void);
void polls_in_table_copied(void);

/* What no owner and no descriptor shows. */
void timer_writes(void);
void timer_is_blocked(void);
void larger_pipe(void);
void larger_pipe_waits(void);
void vfork_of_another(void);
void vfork_of_its_own(void);
void watched_other_end(void);
void watched_same_end_in_company(void);
void watched_same_end(void);
void number_of_its_maker(void);
void number_of_its_own(void);

/* File locks. */
void flock_abba(void);
void many_timers(void);
void deadly_timer(void);
void lock_in_flight(void);
void ofd_upgrades(void);
void ofd_upgrade(void);
void odd_name(void);

/* Many of them. */
void many_descriptors(void);
void many_records(void);
void records_of_another(void);
void too_many_locks(void);
void locks_alike(void);

/* Holders that no descriptor shows. */
void ring_has_the_pipe(void);
void ring_of_a_member(void);
void blocked_stranger(void);
void blocked_threads(void);
void blocked_sender(void);
void blocked_by_files(void);
void closed_under_splice(void);
void splice_of_its_own(void);
void replaced_file(void);
void kept_file(void);

/* Sockets. */
void user_timeout(void);
void no_user_timeout(void);
void paced_senders(void);
void lost_bytes(void);

/* Holders that go on to another process. */
void hopping_writer(void);
void hopping_stranger(void);
void resting_stranger(void);
void hopping_locker(void);
void hopping_owner(void);
void dead_owner(void);

#endif /* HOSTILE_H */
