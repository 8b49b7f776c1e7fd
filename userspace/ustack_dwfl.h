/* SPDX-License-Identifier: GPL-2.0 */
/* ustack_dwfl - one thread under inspection by libdwfl; for ustack_*.c only */
#ifndef USTACK_DWFL_H
#define USTACK_DWFL_H

#include <elfutils/libdwfl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proc.h"

#define MAX_FRAMES	64
#define CACHE_BYTES	4096

/** struct stop - a frame as far as it is known: where unwinding begins */
struct stop {
	uint64_t pc;
	uint64_t sp;
	/** @bp: the frame pointer; 0: not known */
	uint64_t bp;
	/** @called: 1: pc is the last byte of a call; 0: where the thread is */
	int called;
};

/** struct unwinder - one thread under inspection */
struct unwinder {
	pid_t tgid;
	pid_t tid;
	struct proc_maps maps;
	Dwfl *dwfl;
	/** @from: where the unwinding under way begins */
	struct stop from;
	/** @at: [nr] the frames found; pc of callers is of the call itself */
	struct stop at[MAX_FRAMES];
	bool guessed[MAX_FRAMES];
	uint32_t nr;
	/** @cache: [CACHE_BYTES] memory of the process from cache_at on */
	uint64_t cache_at;
	bool cached;
	unsigned char cache[CACHE_BYTES];
};

/** unwinder_read() - read memory of the process; false if not all of it is there */
bool unwinder_read(const struct unwinder *u, uint64_t addr, void *buf, size_t size);

/** unwinder_word() - read a word, by way of the cache */
bool unwinder_word(struct unwinder *u, uint64_t addr, uint64_t *ret);

/** unwinder_open() - u->dwfl, with a module for each file in u->maps; 0 or -ENOMEM */
int unwinder_open(struct unwinder *u);

#endif /* USTACK_DWFL_H */
