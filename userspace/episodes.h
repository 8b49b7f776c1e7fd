/* SPDX-License-Identifier: GPL-2.0 */
/*
 * episodes - how threads fare with futexes, file locks and ww_mutexes that they ask
 * for again and again, as the module counts it while somebody looks.
 */
#ifndef EPISODES_H
#define EPISODES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** struct episode - one thread and one futex, lock of a file or ww_mutex */
struct episode {
	pid_t tid;
	/** @start_ticks: the thread's start time, clock ticks since boot */
	uint64_t start_ticks;
	/** @uaddr: address of the word in its memory; else: a number above all of them */
	uint64_t uaddr;
	/**
	 * @since_ns: first wait since it last had the lock; file lock: begin of the wait,
	 * or first refusal; ns CLOCK_MONOTONIC; 0: none
	 */
	uint64_t since_ns;
	/** @nr_overtaken: since then: woken, and asleep again without having had it */
	uint64_t nr_overtaken;
	/** @nr_passed: the same, in all episodes so far */
	uint64_t nr_passed;
	/** @nr_timeouts: waits that ended by their timeout, or refusals, so far */
	uint64_t nr_timeouts;
	/** @nr_had: times that it had the lock after a wait, so far */
	uint64_t nr_had;
	/** @exact: each failure is counted, and each time that it had it, after a wait or not */
	bool exact;
	/** @owner: with @exact: who had it at the latest failure; 0: not known */
	pid_t owner;
	/** @run_ns: time the thread has had on CPUs; ns; 0: not known */
	uint64_t run_ns;
};

/** struct episodes - [nr] by tid and uaddr */
struct episodes {
	struct episode *episode;
	uint32_t nr;
	/** @nr_sorted: the first so many are in order */
	uint32_t nr_sorted;
};

/** episodes_parse() - from the text of the module's file; lines that are none are left out */
void episodes_parse(const char *text, struct episodes *ret);

/** episodes_read() - from the module, which then counts on for a while; empty without it */
void episodes_read(struct episodes *ret);
void episodes_free(struct episodes *episodes);

/** episodes_get() - as episodes_find(), and one made when there is none; sort them then */
struct episode *episodes_get(struct episodes *episodes, pid_t tid, uint64_t uaddr);
void episodes_sort(struct episodes *episodes);

/** episodes_find() - of this thread and address, or NULL */
const struct episode *episodes_find(const struct episodes *episodes, pid_t tid, uint64_t uaddr);

/** episodes_of_wait() - of a thread that waits for a file lock since @begin_ns, or NULL */
const struct episode *episodes_of_wait(const struct episodes *episodes, pid_t tid,
				       uint64_t begin_ns);

#endif /* EPISODES_H */
