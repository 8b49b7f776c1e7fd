/* SPDX-License-Identifier: GPL-2.0 */
/*
 * futex_guess - what a futex word belongs to, by the words around it.
 *
 * The kernel knows an address only. glibc's objects are told by their layouts,
 * the same since glibc 2.25; musl's mutexes by theirs, where its code made the
 * call. A likeness is no proof: see who made the call.
 */
#ifndef FUTEX_GUESS_H
#define FUTEX_GUESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "world.h"

/** struct futex_call - the futex call that a task sleeps in */
struct futex_call {
	uint64_t addr;
	uint32_t val;
	enum timed timed;
	/** @pi: the kernel reads the owner from the word */
	bool pi;
	/** @wait: waits for the word to change; with neither: no single word is known */
	bool wait;
	/** @bitset: by FUTEX_WAIT_BITSET, as glibc does for all but mutexes and barriers */
	bool bitset;
	/** @private: the call says that no other process uses the word */
	bool private;
	/** @i386: by a 32-bit program, of whose objects only mutexes are known */
	bool i386;
	/** @musl: made by musl's code, whose objects have other layouts than glibc's */
	bool musl;
};

/** enum futex_object - what a futex word was recognised as part of */
enum futex_object {
	OBJECT_NONE,
	OBJECT_MUTEX,
	OBJECT_PI_MUTEX,
	OBJECT_RWLOCK,
	OBJECT_THREAD,
	OBJECT_COND,
	OBJECT_SEM,
};

/** struct futex_guess - a futex word's object, and what its words say */
struct futex_guess {
	enum futex_object object;
	/** @addr: of the object */
	uint64_t addr;
	/** @number: the TID that its owner wrote; 0: it keeps none */
	pid_t number;
	enum mode mode;
	/** @self: a word that names the waiter itself means that it holds the lock */
	bool self;
	/** @unread: there are no words that could be read */
	bool unread;
};

/** futex_guess() - look at the words around that of @call, of process @tgid */
struct futex_guess futex_guess(struct world *w, pid_t tgid, const struct futex_call *call);
bool futex_guess_same(const struct futex_guess *a, const struct futex_guess *b);

/** futex_guess_ahead() - ask for the words that futex_guess() reads first (remote.h) */
void futex_guess_ahead(struct world *w, pid_t tgid, const struct futex_call *call);

#endif /* FUTEX_GUESS_H */
