/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * gridlock binary interface - what the module's debugfs files hold and the
 * reader decodes; the only header that kernel and user space share.
 *
 * One open of waits.bin or locks.bin is one snapshot: a struct gl_header and
 * header.nr_records records of header.record_size bytes each, native byte
 * order. A file grows compatibly by longer headers and records: readers take
 * the sizes from the header, skip a tail they do not know and treat a missing
 * tail as zero. Any other change raises GL_ABI_VERSION, and readers refuse
 * versions they do not know. Reserved fields are zero.
 */
#ifndef _UAPI_GRIDLOCK_H
#define _UAPI_GRIDLOCK_H

#include <linux/types.h>

#define GL_ABI_MAGIC	0x4b434f4c44495247ULL	/* "GRIDLOCK", little endian */
#define GL_ABI_VERSION	1

/* clang-format off */
/*
 * Every kind of wait, with the name that users see. The kinds that the module
 * records come first; the others are only found by the reader.
 */
#define GL_KIND_LIST(X)				\
	X(UNKNOWN,	"unknown")		\
	X(SPINLOCK,	"spinlock")		\
	X(RWLOCK_R,	"rwlock:R")		\
	X(RWLOCK_W,	"rwlock:W")		\
	X(RWSEM_R,	"rwsem:R")		\
	X(RWSEM_W,	"rwsem:W")		\
	X(MUTEX,	"mutex")		\
	X(RTMUTEX,	"rtmutex")		\
	X(SEMAPHORE,	"semaphore")		\
	X(PCPU_SEM_R,	"pcpu-sem:R")		\
	X(PCPU_SEM_W,	"pcpu-sem:W")		\
	X(RWLOCK_RT_R,	"rwlock-rt:R")		\
	X(RWLOCK_RT_W,	"rwlock-rt:W")		\
	X(FUTEX,	"futex")		\
	X(FUTEX_PI,	"futex-pi")		\
	X(FLOCK,	"flock")		\
	X(POSIX,	"posix")		\
	X(OFD,		"ofd")			\
	X(LEASE,	"lease")		\
	X(SYSV_SEM,	"sysv-sem")		\
	X(SYSV_MSG,	"sysv-msg")		\
	X(MQ,		"mq")			\
	X(PIPE_R,	"pipe:R")		\
	X(PIPE_W,	"pipe:W")		\
	X(UNIX,		"unix")			\
	X(TCP,		"tcp")			\
	X(EVENTFD,	"eventfd")		\
	X(POLL,		"poll")			\
	X(CHILD,	"child")		\
	X(VFORK,	"vfork")		\
	X(JOIN,		"join")			\
	X(COND,		"cond")			\
	X(SEM,		"sem")			\
	X(PTRACE,	"ptrace")		\
	X(USERFAULT,	"userfault")
/* clang-format on */

#define GL_KIND_ENUM(name, string)	GL_KIND_##name,
enum gl_kind {
	GL_KIND_LIST(GL_KIND_ENUM)
	GL_NR_KINDS,
	/* The module counts kinds below this bound; the reader finds the rest. */
	GL_NR_COUNTED_KINDS = GL_KIND_SYSV_SEM,
};

/* clang-format off */
/*
 * The kernel's types of locks, where several share a kind: what a lock is, as far as
 * its first waiter's stack told. SEVERAL: its memory was one, and then another.
 */
#define GL_FORM_LIST(F)				\
	F(UNKNOWN,	"unknown")		\
	F(SPINLOCK,	"spinlock_t")		\
	F(MUTEX,	"mutex")		\
	F(WW_MUTEX,	"ww_mutex")		\
	F(RT_MUTEX,	"rt_mutex")		\
	F(RWLOCK,	"rwlock_t")		\
	F(RWSEM,	"rw_semaphore")		\
	F(SEVERAL,	"several")
/* clang-format on */

#define GL_FORM_ENUM(name, string)	GL_FORM_##name,
enum gl_form {
	GL_FORM_LIST(GL_FORM_ENUM)
	GL_NR_FORMS,
};

/* What a file's records are (gl_header.record_type). */
#define GL_RECORD_WAIT		1
#define GL_RECORD_LOCK		2
#define GL_RECORD_GROUP		3

/* gl_header.flags */
#define GL_FILE_ADDRESSES	(1U << 0)	/* kernel addresses are shown */
#define GL_FILE_TRUNCATED	(1U << 1)	/* rows did not fit: nr_unshown */
#define GL_FILE_HOLDS		(1U << 2)	/* locks.bin: holds are counted */

/**
 * struct gl_header - start of every binary file
 */
struct gl_header {
	/** @magic: GL_ABI_MAGIC */
	__u64 magic;
	/** @version: GL_ABI_VERSION */
	__u32 version;
	/** @header_size: bytes from the start of the file to the first record */
	__u32 header_size;
	/** @record_size: bytes from one record to the next; multiple of 8 */
	__u32 record_size;
	/** @record_type: GL_RECORD_* */
	__u32 record_type;
	/** @nr_records: records in this file */
	__u64 nr_records;
	/** @nr_unshown: rows that existed but did not fit the snapshot */
	__u64 nr_unshown;
	/** @nr_lost_begins: begin events not recorded, since load; not calls of futex_waitv */
	__u64 nr_lost_begins;
	/** @nr_lost_ends: end events dropped in the probe, since load */
	__u64 nr_lost_ends;
	/** @nr_meanwhile: events that were, or may have been, recorded while it was taken */
	__u64 nr_meanwhile;
	/** @taken_at_ns: start of the snapshot; ns, CLOCK_MONOTONIC */
	__u64 taken_at_ns;
	/** @done_at_ns: end of the snapshot; ns, CLOCK_MONOTONIC */
	__u64 done_at_ns;
	/** @load_id: differs for every load of the module */
	__u64 load_id;
	/** @clock_id: the clock of all moments: 1, CLOCK_MONOTONIC */
	__u32 clock_id;
	/** @flags: GL_FILE_* */
	__u32 flags;
	/** @__reserved: zero */
	__u64 __reserved[4];
};

/* gl_wait_record.flags, and slot state as the snapshot saw it */
#define GL_WAIT_SHARED		(1U << 0)	/* mode shared; else exclusive */
#define GL_WAIT_TIMED		(1U << 1)	/* ends by itself at a timeout */
#define GL_WAIT_TIMED_KNOWN	(1U << 2)	/* GL_WAIT_TIMED is meaningful */
#define GL_WAIT_SPINNING	(1U << 3)	/* in the spin phase or a spinning lock */
#define GL_WAIT_OFF_CPU		(1U << 4)	/* switched out when the row was read */
#define GL_WAIT_IN_SLOWPATH	(1U << 5)	/* its kernel stack is in its kind's slow path */
#define GL_WAIT_SLOWPATH_KNOWN	(1U << 6)	/* the stack could be walked */
#define GL_WAIT_TASK_GONE	(1U << 7)	/* the task exited; row is about to go */
#define GL_WAIT_FUTEX_SHARED	(1U << 8)	/* the call used the shared flag */
#define GL_WAIT_INTERRUPTIBLE	(1U << 9)	/* a signal ends the wait */
#define GL_WAIT_WAS_HANDED	(1U << 10)	/* the lock word already names the waiter */
#define GL_WAIT_REQUEUED	(1U << 11)	/* FUTEX_WAIT_REQUEUE_PI: now for its PI mutex */

/* gl_wait_record.owner_state: what is known of the owner */
#define GL_OWNER_NONE		0	/* this kind keeps no owner */
#define GL_OWNER_UNKNOWN	1	/* could not be read, or changed meanwhile */
#define GL_OWNER_FREE		2	/* the lock word says: nobody */
#define GL_OWNER_KNOWN		3	/* owner_* are the exclusive owner */
#define GL_OWNER_HINT		4	/* last reader or last holder: never proof */
#define GL_OWNER_DEAD		5	/* the owner named by the word is gone */

#define GL_COMM_LEN	16
#define GL_NAME_LEN	64

/**
 * struct gl_wait_record - one wait in flight (waits.bin)
 *
 * Each row is consistent in itself; rows are not of one instant.
 */
struct gl_wait_record {
	/** @gen: generation: another value is another wait, never reused while loaded */
	__u64 gen;
	/** @res_id: opaque identity of the resource; equal to lock rows' res_id */
	__u64 res_id;
	/**
	 * @res_addr: lock address (0 when hidden); always shown: of a futex the user
	 * address, of a file lock the inode number
	 */
	__u64 res_addr;
	/** @space_id: opaque identity of a futex's address space, a file's device; else 0 */
	__u64 space_id;
	/** @begin_ns: when the wait began; ns, CLOCK_MONOTONIC */
	__u64 begin_ns;
	/** @start_ns: the task's start time; ns since boot (as /proc's starttime) */
	__u64 start_ns;
	/** @nr_switches: voluntary and involuntary context switches of the task */
	__u64 nr_switches;
	/** @owner_start_ns: the owner's start time; 0 unless KNOWN or HINT */
	__u64 owner_start_ns;
	/** @tid: waiting thread, in the initial PID namespace */
	__s32 tid;
	/** @tgid: its process */
	__s32 tgid;
	/** @owner_tid: owning thread; 0 unless KNOWN, HINT or DEAD */
	__s32 owner_tid;
	/** @owner_tgid: its process; 0 if unknown */
	__s32 owner_tgid;
	/** @slot: index of the slot in the wait table; spin slots lie above it */
	__u32 slot;
	/** @kind: enum gl_kind */
	__u32 kind;
	/** @flags: GL_WAIT_* */
	__u32 flags;
	/** @owner_state: GL_OWNER_* */
	__u32 owner_state;
	/** @task_state: the kernel's task state bits when the row was read */
	__u32 task_state;
	/** @nr_overtaken: zero; of futexes and file locks `episodes` tells it */
	__u32 nr_overtaken;
	/** @cpu: CPU of a spinning wait; else the last one of the task */
	__u32 cpu;
	/** @__reserved0: zero */
	__u32 __reserved0;
	/** @futex_val: value the caller expected in the word */
	__u32 futex_val;
	/** @__reserved1: zero */
	__u32 __reserved1[3];
	/** @comm: name of the waiting task, NUL-terminated */
	char comm[GL_COMM_LEN];
	/** @owner_comm: name of the owner, NUL-terminated; empty if unknown */
	char owner_comm[GL_COMM_LEN];
	/** @name: symbol of a static lock, "major:minor:inode" of a file; else empty */
	char name[GL_NAME_LEN];
};

/* gl_lock_record.row: what a row of locks.bin counts */
#define GL_ROW_TOTAL	1	/* all waits of a kind, counted apart from the rows */
#define GL_ROW_LOCK	2	/* one lock of a kind */
#define GL_ROW_OTHER	3	/* waits of a kind that found no row of their lock (group) */
#define GL_ROW_GROUP	4	/* groups.bin: one task, owner, cgroup or caller of a kind */

/* gl_group_record.by: what the waits are grouped by; 0 in TOTAL rows */
#define GL_BY_TASK	1	/* who waited; waits of interrupts are `other` */
#define GL_BY_OWNER	2	/* who held the lock, or released it last; unknown: `other` */
#define GL_BY_CGROUP	3	/* the cgroup of who waited, in the unified hierarchy */
#define GL_BY_CALLER	4	/* who called for the lock; below the threshold: `other` */
#define GL_NR_BY	4

/* Bucket n: 2^n <= ns < 2^(n+1); the first takes 0, the last the rest. */
#define GL_NR_BUCKETS	40

/* gl_lock_record.flags */
#define GL_LOCK_HIST	(1U << 0)	/* hist[] is counted for this row */

/* gl_lock_record.nr_failed_by: why it was not taken; further reasons are not told apart */
#define GL_FAILED_SIGNAL	0	/* -EINTR */
#define GL_FAILED_TIMEOUT	1	/* -ETIME, -ETIMEDOUT */
#define GL_FAILED_DEADLOCK	2	/* -EDEADLK: the kernel saw one, or a ww_mutex backs off */
#define GL_NR_FAILURES		3

/**
 * struct gl_lock_record - counters of a kind or of one lock (locks.bin)
 *
 * At quiescence, for each kind: the sum over its LOCK and OTHER rows equals
 * its TOTAL row, for each reason to fail and for holds as well, and nr_begun ==
 * nr_ended + waits in flight + nr_lost. Under load the two sides differ by at most
 * header.nr_meanwhile; those of nr_holds and nr_holds_in_irq by twice as many, as one
 * end may tell of two holds.
 *
 * OTHER rows also have the waits that were in flight at a reset, until they end.
 * A LOCK row never has more ends than begins. An OTHER row may: a wait that began
 * in a row and found none on the CPU that it ended on has ended in OTHER.
 */
struct gl_lock_record {
	/** @res_id: opaque identity of the lock; 0 for TOTAL and OTHER */
	__u64 res_id;
	/** @res_addr: address as in gl_wait_record; 0 when hidden */
	__u64 res_addr;
	/** @space_id: opaque identity of a futex's address space, a file's device; else 0 */
	__u64 space_id;
	/** @nr_begun: contentions opened */
	__u64 nr_begun;
	/** @nr_ended: contentions closed, failed ones included */
	__u64 nr_ended;
	/**
	 * @nr_failed: contentions closed without the lock (ret < 0); a file lock that
	 * was refused at once is one, of no length
	 */
	__u64 nr_failed;
	/** @nr_lost: contentions opened whose end will never be counted */
	__u64 nr_lost;
	/** @total_ns: sum of the closed waits; ns */
	__u64 total_ns;
	/** @min_ns: shortest closed wait; ns; 0 if none */
	__u64 min_ns;
	/** @max_ns: longest closed wait; ns */
	__u64 max_ns;
	/** @row: GL_ROW_* */
	__u32 row;
	/** @kind: enum gl_kind */
	__u32 kind;
	/** @flags: GL_LOCK_* */
	__u32 flags;
	/** @tgid: futex, file lock: a process that waited; else 0 */
	__s32 tgid;
	/**
	 * @hist: closed waits by log2 of their length in ns; of a LOCK row since
	 * the lock became hot on a CPU, so that their sum is at most nr_ended
	 */
	__u64 hist[GL_NR_BUCKETS];
	/** @name: symbol of a static lock, "major:minor:inode" of a file; else empty */
	char name[GL_NAME_LEN];
	/**
	 * @nr_failed_by: of nr_failed, by GL_FAILED_*; an OTHER row also has those of
	 * locks that fail on a CPU where too many did before (GL_NR_FAILING)
	 */
	__u64 nr_failed_by[GL_NR_FAILURES];
	/**
	 * @form: enum gl_form: of a LOCK row on PREEMPT_RT of kind rtmutex and
	 * rwlock-rt:*, elsewhere of kind mutex; UNKNOWN of others, and where the
	 * stack does not tell. Found once: memory that becomes another lock keeps it
	 */
	__u32 form;
	/** @__reserved: zero */
	__u32 __reserved;
	/**
	 * @nr_holds: holds that a wait ended after, and whose length is known at least in
	 * part; like the next three only counted with GL_FILE_HOLDS, else 0
	 */
	__u64 nr_holds;
	/** @nr_holds_in_irq: of these, by an interrupt */
	__u64 nr_holds_in_irq;
	/**
	 * @hold_total_ns: sum of the lengths; ns. Of each hold the part counts that somebody
	 * queued for the lock waited through, up to its release: a lower bound
	 */
	__u64 hold_total_ns;
	/** @hold_max_ns: the longest of them; ns */
	__u64 hold_max_ns;
};

#define GL_STACK_LEN	376

/**
 * struct gl_group_record - ended waits of one kind, grouped (groups.bin)
 *
 * At quiescence, for each kind and each dimension that is counted: the sum over
 * its GROUP and OTHER rows equals the kind's TOTAL row.
 */
struct gl_group_record {
	/** @nr_ended: waits that ended, failed ones included */
	__u64 nr_ended;
	/** @nr_failed: of those, without the lock (ret < 0) */
	__u64 nr_failed;
	/** @total_ns: sum of those waits; ns */
	__u64 total_ns;
	/** @max_ns: the longest; ns */
	__u64 max_ns;
	/** @start_ns: TASK: its start time; ns since boot (as /proc's starttime) */
	__u64 start_ns;
	/** @cgroup_id: CGROUP: its id (the inode of its folder) */
	__u64 cgroup_id;
	/** @row: GL_ROW_TOTAL, GL_ROW_GROUP or GL_ROW_OTHER */
	__u32 row;
	/** @by: GL_BY_* */
	__u32 by;
	/** @kind: enum gl_kind */
	__u32 kind;
	/** @tid: TASK, OWNER: its number in the initial PID namespace */
	__s32 tid;
	/** @tgid: TASK, OWNER: its process */
	__s32 tgid;
	/** @nr_frames: CALLER: names in @stack, and those that did not fit */
	__u32 nr_frames;
	/** @comm: TASK: its name at its last wait; OWNER: now, empty if gone */
	char comm[GL_COMM_LEN];
	/** @stack: CALLER: "symbol+0xoffset" each, blanks between, innermost first */
	char stack[GL_STACK_LEN];
};

#endif /* _UAPI_GRIDLOCK_H */
