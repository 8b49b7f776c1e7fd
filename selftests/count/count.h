/* SPDX-License-Identifier: GPL-2.0 */
/* count - what the program in the kernel and the one that loads it share. */
#ifndef _COUNT_H
#define _COUNT_H

#include <linux/types.h>

/* Of the flags of contention_begin (the kernel's trace/events/lock.h), those that matter. */
#define FLAG_SPIN	(1U << 0)
#define FLAG_MUTEX	(1U << 5)

/* All values that its six flags can have together. */
#define NR_FLAGS	64

/* Waits in flight that there is room for: some of each task. */
#define MAX_WAITS	16384

/* No flags are this. */
#define FORGET_NONE	(-1)

/** struct count - of waits with the same flags, seen on one CPU */
struct count {
	__u64 begun;
	/** @ended: with these that failed */
	__u64 ended;
	__u64 failed;
};

/** struct unmatched - what made pairs fail, on one CPU */
struct unmatched {
	/** @no_room: begins that are counted, and whose ends will be strays */
	__u64 no_room;
	/** @strays: ends of waits that were not seen to begin; not counted */
	__u64 strays;
};

#endif /* _COUNT_H */
