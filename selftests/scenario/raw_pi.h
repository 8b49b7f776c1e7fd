/* SPDX-License-Identifier: GPL-2.0 */
/*
 * raw_pi - PI mutexes without a library: a word that holds its owner's number, and
 * the kernel's calls. Which call takes it is up to who takes it.
 */
#ifndef RAW_PI_H
#define RAW_PI_H

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Younger than some C libraries. */
#ifndef FUTEX_LOCK_PI2
#define FUTEX_LOCK_PI2	13
#endif

/** raw_pi_lock() - take it by @op, FUTEX_LOCK_PI or FUTEX_LOCK_PI2; 0 or an errno */
static inline int raw_pi_lock(atomic_uint *word, int op)
{
	unsigned int none = 0;

	if (atomic_compare_exchange_strong(word, &none, (unsigned int)gettid()))
		return 0;
	return syscall(SYS_futex, word, op, 0, NULL) ? errno : 0;
}

/** raw_pi_unlock() - drop it; 0 or an errno */
static inline int raw_pi_unlock(atomic_uint *word)
{
	unsigned int self = gettid();

	if (atomic_compare_exchange_strong(word, &self, 0))
		return 0;
	return syscall(SYS_futex, word, FUTEX_UNLOCK_PI) ? errno : 0;
}

#endif /* RAW_PI_H */
