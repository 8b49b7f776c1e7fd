/* SPDX-License-Identifier: GPL-2.0 */
/*
 * limits - every bound of the module, with its reason.
 */
#ifndef _GL_LIMITS_H
#define _GL_LIMITS_H

/* Waits in flight that the table is sized for; a parameter at load. */
#define GL_DEFAULT_MAX_WAITS	65536
#define GL_LEAST_MAX_WAITS	16
#define GL_MOST_MAX_WAITS	(1U << 20)

/* Lock rows a CPU; a parameter at load. A row takes 80 bytes. */
#define GL_DEFAULT_MAX_LOCKS	4096
#define GL_LEAST_MAX_LOCKS	16
#define GL_MOST_MAX_LOCKS	65536

/* Seven keys and one count of spilled keys fill a cache line. */
#define GL_BUCKET_SLOTS		7

/*
 * Cache lines that a key may lie in, counted from its home bucket. With four
 * keys for seven places (see gl_waittab_init()) a run of eight full buckets
 * does not occur in practice; one that does is counted as lost.no_slot.
 */
#define GL_BUCKET_WINDOW	8

/* Counters of file-lock waits: so many tasks that wait slow down a few others only. */
#define GL_FILE_WAITERS_BITS	8

/*
 * Rows in a group, of which one word of tags tells, and groups looked at before a
 * lock folds into its kind's `other` row.
 */
#define GL_WORD_TAGS		8
#define GL_TAG_WORDS		2

/*
 * A lock is hot on a CPU when so many waits for it ended there; the first so
 * many hot ones get a histogram each.
 */
#define GL_HOT_ENDS		16
#define GL_NR_HISTS		60

/* Locks on a CPU whose failed waits are told apart by reason: the first ones that fail. */
#define GL_NR_FAILING		64

/*
 * Groups a CPU (tasks, owners, cgroups, each by kind); a parameter at load. A
 * group takes a cache line.
 */
#define GL_DEFAULT_MAX_GROUPS	2048
#define GL_LEAST_MAX_GROUPS	16
#define GL_MOST_MAX_GROUPS	65536

/* Groups looked at before a wait folds into `other`. */
#define GL_GROUP_WINDOW		16

/* Callers a CPU, the frames kept of each, and how many are looked at. */
#define GL_NR_CALLERS		256
#define GL_CALLER_FRAMES	8
#define GL_CALLER_WINDOW	8

/* A stack is looked at when a wait is at least so long: 1 ms. */
#define GL_DEFAULT_CALLER_NS	1000000

/* A wait is told as a trace event, when somebody listens, when it is so long: 1 ms. */
#define GL_DEFAULT_TRACE_NS	1000000

/* With the defaults: what is there once, and what for each CPU. */
#define GL_MOST_TABLE_BYTES	(10U << 20)
#define GL_MOST_CPU_BYTES	(512U << 10)

/*
 * Waits that one task can be in at once: a per-CPU rwsem or an RT rwbase lock
 * around an inner lock. Two are known; four is what the slow paths could
 * reach without a new kind.
 */
#define GL_TASK_DEPTH		4

/* Slots that one task can have: its waits, and a condition and a mutex that are staged. */
#define GL_TASK_SLOTS		(GL_TASK_DEPTH + 2)

/* Contexts that can interrupt each other: task, softirq, hardirq, NMI. */
#define GL_NR_LEVELS		4

/*
 * Spin waits that one context can be in at once: the slow path of an rwlock
 * spins for the spinlock inside (kernel/locking/qrwlock.c). No other nests.
 */
#define GL_SPIN_DEPTH		2

/* Snapshots open at once, each with its own buffer. */
#define GL_MAX_SNAPSHOTS	4

/* Merged lock rows that one snapshot shows: 32 MB of records, and a quarter spare. */
#define GL_MAX_LOCK_RECORDS	65536

/* Merged groups that one snapshot shows: 8 MB of records, and a quarter spare. */
#define GL_MAX_GROUP_RECORDS	16384

/*
 * The functions that tell forms, and how far they are looked for on both sides of one of
 * them. On the four kernels they are 22 to 24, and lie within 22 KiB; code that KASAN
 * checks is some times as long.
 */
#define GL_FORM_FUNCTIONS	64
#define GL_FORM_REACH		((IS_ENABLED(CONFIG_KASAN) ? 192U : 48U) << 10)

/*
 * Frames saved to tell a form: at most seven of our own, two of the tracepoint, and
 * three of the lock and its caller. The function that tells is one of the first four
 * that are not ours.
 */
#define GL_FORM_FRAMES		14
#define GL_FORM_NEAR		4

/* Frames of a sleeper's stack that are searched for its slow path. */
#define GL_STACK_DEPTH		24

/* One probe in so many is timed, to know the module's own cost; power of two. */
#define GL_COST_SAMPLE		64

/* Tasks and futexes or files that come together again and again; 64 bytes each; power of two. */
#define GL_EPISODES		8192

/* Places that an episode may lie in; one that finds none is lost.no_episode. */
#define GL_EPISODE_WINDOW	8

/*
 * Locks of which it is known who has or had them, with holds=1: as many as lock rows
 * of a CPU; 136 bytes each; power of two.
 */
#define GL_HOLD_LOCKS		4096

/* Their addresses that fill a cache line, in which one of them must find a place. */
#define GL_HOLD_BUCKET		8

/*
 * Releases of a lock kept until a waiter gets it that is seen: that of the first waiter
 * of a spinlock, which is not seen, and the one before it.
 */
#define GL_HOLD_RELEASES	2

/* Times that one looks whether an entry is free; it is kept for some 40 instructions. */
#define GL_HOLD_TRIES		32

/* Files whose lock was refused, of which is known who had it; power of two. */
#define GL_TAKERS		1024

/* Episodes are kept so long after they were last read; looks come four times a second. */
#define GL_EPISODE_LEASE_MS	10000

/* Kernel locks whose turns are counted at once; 2.4 KB each; power of two. */
#define GL_TURN_LOCKS		64

/* Places that such a lock may lie in; one that finds none is lost.no_turn_lock. */
#define GL_TURN_WINDOW		4

/* Tasks that wait for such a lock; the waits of further ones are lost.no_turn. */
#define GL_TURN_TASKS		32

/*
 * Who waits less does not starve: turns are counted of locks that somebody was found
 * to have waited for so long. 1 ms.
 */
#define GL_TURN_LEAST_NS	1000000

/* Turns are counted so long after they were last read, and of locks so long idle. */
#define GL_TURN_LEASE_MS	GL_EPISODE_LEASE_MS

#endif /* _GL_LIMITS_H */
