/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lens_abi - what the lens in the kernel and the reader share: the maps' keys
 * and values. Numbers of tasks are those of the initial PID namespace.
 */
#ifndef LENS_ABI_H
#define LENS_ABI_H

#include <linux/types.h>

/* Locks that one task may hold at once and still be followed. */
#define LENS_MAX_HELD		8

#define LENS_MAX_TASKS		16384
#define LENS_MAX_TRIES		8192
#define LENS_MAX_NESTINGS	8192
#define LENS_MAX_HOLDS		8192
#define LENS_MAX_HOLDERS	8192
#define LENS_MAX_SEMS		8192

/* Hold times by powers of 2 ns, up to some 18 minutes and more. */
#define LENS_HOLD_SLOTS		41

/**
 * enum lens_call - what a probed function does, and whose: the lower half of a probe's
 * cookie; the upper half is the number of the process that it is set in
 * @LENS_LOCK: waits until it has the lock
 * @LENS_TRY: may come back without it
 * @LENS_WAIT: for a condition: drops its mutex, and has that again when it comes back
 * @LENS_CALL: mask of the above
 * @LENS_MUSL: its locks are musl's, else glibc's
 * @LENS_RWLOCK: its lock is an rwlock
 * @LENS_SHARED: takes that to read, else to write
 * @LENS_UNTOLD: no probe tells of its return
 * @LENS_SEM: its lock is a semaphore; neither: a mutex
 * @LENS_TIMED: waits until a time by CLOCK_REALTIME, its second argument
 * @LENS_CLOCKED: the same, but the second one tells the clock, and the third one the time
 */
enum lens_call {
	LENS_UNLOCK	= 1,
	LENS_LOCK	= 2,
	LENS_TRY	= 3,
	LENS_WAIT	= 4,
	LENS_CALL	= 0xff,
	LENS_MUSL	= 0x100,
	LENS_RWLOCK	= 0x200,
	LENS_SHARED	= 0x400,
	LENS_UNTOLD	= 0x800,
	LENS_SEM	= 0x1000,
	LENS_TIMED	= 0x2000,
	LENS_CLOCKED	= 0x4000,
};

#define LENS_TGID_SHIFT		32

/*
 * The lowest bits of a lock's address are 0, as those of every futex are, and so is the
 * highest one. Where a lock is told of that was taken or asked for, they tell what it is,
 * and how.
 */
#define LENS_IS_RWLOCK		1ULL
#define LENS_IS_SHARED		2ULL
#define LENS_IS_SEM		(1ULL << 63)
#define LENS_ADDR		(~(LENS_IS_RWLOCK | LENS_IS_SHARED | LENS_IS_SEM))

/** enum lens_count - what is counted, for each CPU */
enum lens_count {
	/** @LENS_LOST_TASK: calls of threads for which there was no room */
	LENS_LOST_TASK,
	/** @LENS_LOST_TRY: failed attempts that found no room */
	LENS_LOST_TRY,
	/** @LENS_LOST_NESTING: nested calls that found no room */
	LENS_LOST_NESTING,
	/** @LENS_LOST_HELD: locks taken by a task that held LENS_MAX_HELD already */
	LENS_LOST_HELD,
	/** @LENS_LOST_RETURN: returns of calls whose begin was not seen */
	LENS_LOST_RETURN,
	/** @LENS_LOST_HOLDER: locks taken of which it found no room to note by whom */
	LENS_LOST_HOLDER,
	/** @LENS_LOST_SEM: calls for semaphores that found no room */
	LENS_LOST_SEM,
	NR_LENS_COUNTS
};

/** struct lens_held - a lock that a thread has */
struct lens_held {
	/** @addr: and what it is */
	__u64 addr;
	/** @site: where the call that took it returns to */
	__u64 site;
	/** @depth: times that it took it, and has not dropped it since */
	__u64 depth;
	/** @since_ns: when the first of them returned; 0: not known; ns CLOCK_MONOTONIC */
	__u64 since_ns;
};

/** struct lens_state - a thread; its number is the key, until it ends */
struct lens_state {
	/** @start_ns, @exec_id: tell it from a namesake, and the programs apart that it was */
	__u64 start_ns;
	__u64 exec_id;
	/** @since_ns: seen since then; 0: never; ns CLOCK_MONOTONIC */
	__u64 since_ns;
	/** @epoch_ns: what was told before counts for nothing; the same */
	__u64 epoch_ns;
	/** @nr_missed: calls missed, and doubts, when its epoch began */
	__u64 nr_missed;
	/** @wanted: the lock of the call under way, and what it is; 0: none is */
	__u64 wanted;
	__u64 site;
	/** @deadline_ns: that one waits no longer; ns CLOCK_MONOTONIC; 0: for ever, or unknown */
	__s64 deadline_ns;
	/** @call: of enum lens_call */
	__u32 call;
	/** @nr_inner: calls under way for the same lock inside of that one */
	__u32 nr_inner;
	/** @nr_stray: returns to come, maybe, of calls that began before its epoch */
	__u32 nr_stray;
	__u32 nr_held;
	/** @nr_unknown: locks taken that found no place in @held */
	__u64 nr_unknown;
	struct lens_held held[LENS_MAX_HELD];
};

/** struct lens_lock_key - a lock in the memory of a process */
struct lens_lock_key {
	__u64 addr;
	__u32 tgid;
	__u32 pad;
};

/** struct lens_sem - what was seen of a semaphore: is it a lock, and whose (lens_sems.bpf.h) */
struct lens_sem {
	/** @since_ns: when it was taken; ns CLOCK_MONOTONIC */
	__u64 since_ns;
	/** @site: where the call that took it returns to */
	__u64 site;
	/** @nr_missed: calls missed, and doubts, when it was heard of first */
	__u64 nr_missed;
	/** @tid: who took it, and has not posted it since; 0: nobody, or not known */
	__u32 tid;
	/** @nr_own: times in a row that it was posted by who took it */
	__u32 nr_own;
	/** @nobodys: it was seen not to be a lock */
	__u32 nobodys;
	/** @poster: who posted it last while it was not known who had it; 0: nobody */
	__u32 poster;
};

/** struct lens_try_key - a thread, and a lock in the memory of its process */
struct lens_try_key {
	__u64 addr;
	__u32 tgid;
	__u32 tid;
};

/** struct lens_try - how the thread fares with attempts that may fail */
struct lens_try {
	/** @first_ns: the first failure; ns CLOCK_MONOTONIC */
	__u64 first_ns;
	/** @nr_failed: refused, timed out, or sent back for a deadlock */
	__u64 nr_failed;
	/** @nr_had: times it had the lock since @first_ns, by whichever call */
	__u64 nr_had;
	/** @owner: the lock's word for who had it, at the latest failure; 0: nobody, or none */
	__u32 owner;
	/** @holder: who was seen to have it, for want of such a word; 0: not known */
	__u32 holder;
};

/**
 * struct lens_nesting_key - a thread asks for a lock that it would wait for,
 * with just these held
 */
struct lens_nesting_key {
	/** @epoch_ns: of the thread's state by now, or what it holds was not all known */
	__u64 epoch_ns;
	/** @wanted: and what it is */
	__u64 wanted;
	/** @held: the same, in the order taken; 0: no more */
	__u64 held[LENS_MAX_HELD];
	__u32 tgid;
	__u32 tid;
};

/** struct lens_nesting - how often, and by which calls the first time */
struct lens_nesting {
	__u64 nr;
	/** @last_ns: the latest; ns CLOCK_MONOTONIC */
	__u64 last_ns;
	/** @wanted_site: where the call returns to */
	__u64 wanted_site;
	/** @held_site: the same of the calls that took the held ones */
	__u64 held_site[LENS_MAX_HELD];
};

/** struct lens_hold_key - a lock in the memory of a process, and who took it */
struct lens_hold_key {
	/** @addr: and what it is */
	__u64 addr;
	/** @site: where the call that took it returns to */
	__u64 site;
	__u32 tgid;
	__u32 pad;
};

/**
 * struct lens_hold - how long it was held, each time from the return of the call
 * that took it to the call that drops it; those that began and ended while looked at
 */
struct lens_hold {
	__u64 nr;
	__u64 total_ns;
	__u64 max_ns;
	/** @slot: [i] those of 2^i ns and more, but less than the next; the last: all longer */
	__u64 slot[LENS_HOLD_SLOTS];
};

/* Two compilers make them, for two machines: without holes, and of one size. */
_Static_assert(sizeof(struct lens_held) == 32, "lens_held");
_Static_assert(sizeof(struct lens_state) == 88 + LENS_MAX_HELD * 32, "lens_state");
_Static_assert(sizeof(struct lens_lock_key) == 16, "lens_lock_key");
_Static_assert(sizeof(struct lens_sem) == 40, "lens_sem");
_Static_assert(sizeof(struct lens_try_key) == 16, "lens_try_key");
_Static_assert(sizeof(struct lens_try) == 32, "lens_try");
_Static_assert(sizeof(struct lens_nesting_key) == 24 + LENS_MAX_HELD * 8, "lens_nesting_key");
_Static_assert(sizeof(struct lens_nesting) == 24 + LENS_MAX_HELD * 8, "lens_nesting");
_Static_assert(sizeof(struct lens_hold_key) == 24, "lens_hold_key");
_Static_assert(sizeof(struct lens_hold) == 24 + LENS_HOLD_SLOTS * 8, "lens_hold");

#endif /* LENS_ABI_H */
