/* SPDX-License-Identifier: GPL-2.0 */
/* kinds - what the two files of gridlock_kinds share */
#ifndef _KINDS_H
#define _KINDS_H

#include <linux/bits.h>
#include <linux/types.h>

/* Where the waiter is. */
enum context { IN_TASK, IN_SOFTIRQ, IN_HARDIRQ };

/* How its wait ends; NESTED: with the lock, and with interrupts on until then. */
enum outcome { TAKEN, SIGNAL, TIMEOUT, DEADLOCK, NESTED };

/** struct kind - a lock, and how it is made to contend */
struct kind {
	/** @name: in commands */
	const char *name;
	/** @lock: its memory */
	const void *lock;
	/** @bytes: how much that is */
	size_t bytes;
	/** @contexts: bits of enum context */
	unsigned int contexts;
	/** @outcomes: bits of enum outcome */
	unsigned int outcomes;
	/** @is_busy: who holds it must not sleep */
	bool is_busy;
	/** @hold: take it, so that @wait has to wait */
	void (*hold)(void);
	/** @let_go: undo @hold */
	void (*let_go)(void);
	/**
	 * @wait: take it and drop it, in a storm after a while; returns why it was
	 * not taken, once for each error that the lock reported
	 */
	int (*wait)(enum outcome outcome, bool storm);
	/**
	 * @is_queued: of locks for which nobody sleeps: has somebody who waits passed
	 * contention_begin, or come to stay where none is passed? NULL: he sleeps
	 */
	bool (*is_queued)(enum context context);
};

#define LOCK(l)		.lock = &(l), .bytes = sizeof(l)

/* Each ends with one that has no name. */
extern const struct kind kinds_that_spin[];
extern const struct kind kinds_that_sleep[];

void kinds_init_spinning(void);
void kinds_init_sleeping(void);

/* A second spinlock, for a wait within a wait. */
void kinds_inner_hold(void);
void kinds_inner_let_go(void);
void kinds_inner_wait(void);
bool kinds_inner_is_queued(void);

#endif /* _KINDS_H */
