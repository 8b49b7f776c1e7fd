/* SPDX-License-Identifier: GPL-2.0 */
/*
 * world - what one look at the machine saw: tasks, the waits they are in, and
 * the resources they wait for with the tasks able to release each.
 *
 * Resolvers fill a world; the graph, the detectors and the views only read it.
 * Everything is arrays and indices, owned by the world and freed with it.
 *
 * The rule that gives the arrays their meaning: a task in a wait can run when
 * ALL (or, with NEEDS_ANY, one) of the wait's resources become free; a
 * resource becomes free when ANY of its releasers can run, or when somebody
 * unseen may release it. A task without a wait can run.
 */
#ifndef WORLD_H
#define WORLD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "../kmod/uapi/gridlock.h"

#define NO_INDEX	UINT32_MAX

/**
 * enum evidence - where an edge comes from
 * @EVIDENCE_INFERRED: from habit or a hint; never more than a likely verdict
 * @EVIDENCE_READ: from user memory or procfs, validated
 * @EVIDENCE_RECORDED: from the kernel's own words, by the module
 */
enum evidence { EVIDENCE_INFERRED, EVIDENCE_READ, EVIDENCE_RECORDED };

/** enum verdict - how sure a finding is; ordered */
enum verdict { VERDICT_POSSIBLE, VERDICT_LIKELY, VERDICT_CONFIRMED };

/** enum needs - how many of a wait's resources must become free */
enum needs { NEEDS_ALL, NEEDS_ANY };

/** enum timed - does the wait end by itself */
enum timed { TIMED_NO, TIMED_YES, TIMED_UNKNOWN };

/** enum mode - how a resource is wanted or held; MODE_NONE: no lock (pipe, child) */
enum mode { MODE_NONE, MODE_SHARED, MODE_EXCLUSIVE };

/** struct task - one thread */
struct task {
	/** @tid: thread id in the reader's PID namespace */
	pid_t tid;
	/** @tgid: its process */
	pid_t tgid;
	/** @start_ticks: start time, clock ticks since boot (/proc stat field 22) */
	uint64_t start_ticks;
	/** @ppid: parent process */
	pid_t ppid;
	/** @comm: raw name, NUL-terminated; escape before printing */
	char comm[GL_COMM_LEN];
	/** @state: state letter of /proc stat */
	char state;
	/** @stack_start: where the program's stack began; 0: cannot be read, or has ended */
	uint64_t stack_start;
	/**
	 * @prio: the priority in force, as /proc tells it: lower is more urgent, below
	 * 0 is real-time; a task that has been lent a priority shows that one
	 */
	int prio;
	/** @own_prio: the priority that it has of its own, on the same scale */
	int own_prio;
	/** @cpu: the CPU that it is on, or was last on */
	int cpu;
	/** @run_ns: time it has had on CPUs; ns, counted at clock ticks; with @nr_runs */
	uint64_t run_ns;
	/**
	 * @nr_runs: times it was put on a CPU; 0: not known. Read of tasks with state R
	 * and, last of all, of those that wait and hold what others wait for
	 */
	uint64_t nr_runs;
	/** @kthread: a kernel thread */
	bool kthread;
	/** @forked: runs no program since it was made: its memory was its maker's */
	bool forked;
	/** @clone: may it be of clone(2), not of fork(3); of futex_may_be_strangers() */
	enum { CLONE_NOT_ASKED, CLONE_NOT, CLONE_MAYBE } clone;
	/** @exiting: zombie or dead: its descriptors are gone, it runs no more */
	bool exiting;
	/** @by_row: nothing was read of it: the module's row told it to wait */
	bool by_row;
	/** @suspended: stopped, traced or frozen; NULL or the reason as a word */
	const char *suspended;
	/** @wait: index into world.waits, or NO_INDEX when it can run */
	uint32_t wait;
};

/** struct wait - what one task waits for */
struct wait {
	/** @task: index of the waiting task */
	uint32_t task;
	/** @kind: enum gl_kind */
	uint32_t kind;
	/** @mode: how the resource is wanted */
	enum mode mode;
	/** @needs: ALL or ANY of the resources */
	enum needs needs;
	/** @timed: does it end by itself; UNKNOWN caps the verdict at likely */
	enum timed timed;
	/** @comes_back: who is woken and finds it taken waits again: a pthread mutex */
	bool comes_back;
	/** @refused: the kernel refused it, as it would be a deadlock (futex_refused.h) */
	bool refused;
	/**
	 * @own_space: nothing but threads of its own address space can change what is
	 * told of it here, and its holder is one if it has any
	 */
	bool own_space;
	/** @own_call: what is told of it here goes for as long as the task sleeps */
	bool own_call;
	/** @interruptible: a signal can end it */
	bool interruptible;
	/** @begin_ns: when it began, ns CLOCK_MONOTONIC; 0: before anybody looked */
	uint64_t begin_ns;
	/** @gen: generation of the module's slot; 0 when procfs alone knows the wait */
	uint64_t gen;
	/** @cap: the highest verdict this wait can support */
	enum verdict cap;
	/** @cap_reason: why cap is below confirmed; NULL if it is not */
	const char *cap_reason;
	/** @id: stable identity of what is waited for, e.g. "flock 08:01:1234" (owned) */
	char *id;
	/** @name: name for people, e.g. "/tmp/b" or "pthread mutex 0x7f.." (owned) */
	char *name;
	/** @where: kernel function the task sleeps in (owned; NULL if unknown) */
	char *where;
	/** @blockers: indices into world.resources; ascending */
	uint32_t *blockers;
	/** @nr_blockers: entries in blockers; 0 with unknown_releaser set: nothing known */
	uint32_t nr_blockers;
	/**
	 * @unknown_releaser: somebody unseen may end this wait: it can run. With
	 * NEEDS_ALL that goes for the part unseen only: known blockers still hold
	 * it, as one stuck member is enough
	 */
	bool unknown_releaser;
};

/** struct resource - one thing held, and who can release it */
struct resource {
	/** @key: identity for find-or-create, unique in the world (owned) */
	char *key;
	/** @evidence: how the holders are known */
	enum evidence evidence;
	/** @held: how it is held */
	enum mode held;
	/** @unknown: somebody unseen may release it: counts as able to run */
	bool unknown;
	/** @dead: its owner is gone for ever: never released, whatever else */
	bool dead;
	/** @rewritten: its words said something else afterwards (recheck.h) */
	bool rewritten;
	/** @dead_tid: with dead: the thread that was the owner; 0 if not known */
	pid_t dead_tid;
	/**
	 * @ino: number of the pipe, socket or file of which a descriptor makes a
	 * task a releaser; 0: who can release it is told by other means
	 */
	uint64_t ino;
	/** @pipe_room: room in a full pipe, which a larger pipe has, too */
	bool pipe_room;
	/** @soft: queued ahead only, not held (a writer that new readers respect) */
	bool soft;
	/** @releasers: indices of tasks, any of which can release it; ascending */
	uint32_t *releasers;
	/** @nr_releasers: entries in releasers */
	uint32_t nr_releasers;
};

/** struct unseen - what this look could not see; all counts */
struct unseen {
	/** @events_lost: begin events the module lost since load */
	uint64_t events_lost;
	/** @waits_lost: end events lost, and rows that did not fit a snapshot */
	uint64_t waits_lost;
	/** @unknown_owner: waits on locks whose owner could not be told */
	uint64_t unknown_owner;
	/** @blocked_reads: reads given up because they blocked */
	uint64_t blocked_reads;
	/** @denied_reads: reads refused: not root, or a namespace in between */
	uint64_t denied_reads;
	/** @not_looked: tasks not looked at, as the time was up */
	uint64_t not_looked;
	/** @unproven: what looked like a circle or an orphaned lock, with no time to prove it */
	uint64_t unproven;
};

struct census;
struct fdscan;
struct futex_cache;
struct futex_claims;
struct futex_doubles;
struct remote;
struct snapshot;
struct sockdiag;
struct window;

/** struct world - one look */
struct world {
	struct task *tasks;
	uint32_t nr_tasks;
	struct wait *waits;
	uint32_t nr_waits;
	struct resource *resources;
	uint32_t nr_resources;
	struct unseen unseen;
	/** @taken_ns: when the look began; ns CLOCK_MONOTONIC */
	uint64_t taken_ns;
	/** @deadline_ns: when it is to end; 0: none; ns CLOCK_MONOTONIC */
	uint64_t deadline_ns;
	/**
	 * @thorough: the look is to prove a claim about a few tasks: whatever
	 * could set one of them free is looked for, at any cost
	 */
	bool thorough;
	/** @nr_forks: with thorough: proc_forks() when the look began */
	uint64_t nr_forks;
	/** @snap: the module's rows, borrowed; NULL without the module */
	const struct snapshot *snap;
	/** @window: what the looks up to this one saw, borrowed; NULL: this one is alone */
	const struct window *window;
	/**
	 * @census: while the look lasts: who slept since the one before, borrowed; NULL:
	 * not known
	 */
	struct census *census;
	/** @remote: reads that may block; borrowed */
	struct remote *remote;
	/** @futexes: what was read of processes that share futexes; futex_owner.c only */
	struct futex_cache *futexes;
	/** @futexes_free: frees futexes; NULL as long as that is */
	void (*futexes_free)(struct futex_cache *cache);
	/** @doubles: which processes share memory; by way of futex_double.h */
	struct futex_doubles *doubles;
	/** @doubles_free: frees doubles; NULL as long as that is */
	void (*doubles_free)(struct futex_doubles *doubles);
	/** @claims: mutexes told to have no owner; by way of futex_claim.h */
	struct futex_claims *claims;
	/** @claims_free: frees claims; NULL as long as that is */
	void (*claims_free)(struct futex_claims *claims);
	/** @fds: who holds which descriptors; by way of fdscan.h */
	struct fdscan *fds;
	/** @fds_free: frees fds; NULL as long as that is */
	void (*fds_free)(struct fdscan *scan);
	/** @socks: which socket is connected to which; by way of sockdiag.h */
	struct sockdiag *socks;
	/** @socks_free: frees socks; NULL as long as that is */
	void (*socks_free)(struct sockdiag *diag);
	/** @tracers: [nr_tracers] processes that trace others; resolve_child.c only */
	pid_t *tracers;
	uint32_t nr_tracers;
	/** @tracers_known: @tracers is filled */
	bool tracers_known;
	/** @index: lookup tables; world.c and the scans only */
	struct world_index *index;
};

struct world *world_new(const struct snapshot *snap, struct remote *remote);
void world_free(struct world *w);

/** world_expect() - about so many threads will be added */
void world_expect(struct world *w, uint32_t nr_tasks);

/**
 * world_add_task() - add a thread
 *
 * Of two with the same @tid (reused while we looked) the later is found.
 *
 * Return: the zeroed entry, with wait set to NO_INDEX; valid until the next
 * world_add_task(). Use world_find_task() to get at it later.
 */
struct task *world_add_task(struct world *w, pid_t tid, pid_t tgid);

/** world_find_task() - index of the thread @tid, or NO_INDEX */
uint32_t world_find_task(const struct world *w, pid_t tid);

/**
 * world_process() - the threads of process @tgid
 * @tasks_ret: set to an array of task indices, valid until tasks are added
 *
 * Return: their number; 0 when the process is not there.
 */
uint32_t world_process(const struct world *w, pid_t tgid, const uint32_t **tasks_ret);

/** world_live_thread() - a thread of process @tgid that has not exited; NO_INDEX: none */
uint32_t world_live_thread(const struct world *w, pid_t tgid);

/**
 * world_add_wait() - put @task into a wait of @kind
 *
 * Return: the entry, zeroed but for task, kind and cap (VERDICT_CONFIRMED);
 * valid until the next world_add_wait(). A task has at most one wait.
 */
struct wait *world_add_wait(struct world *w, uint32_t task, uint32_t kind);

/** wait_copy() - set @to to what is told of @from, but for its blockers; then wait_clear() it */
void wait_copy(struct wait *to, const struct wait *from);

/** wait_clear() - free what @wait owns */
void wait_clear(struct wait *wait);

/**
 * world_resource() - find or create the resource named @key
 * @new_ret: set to true when it was created (then fill it in)
 *
 * Return: its index. The entry is world.resources[index].
 */
uint32_t world_resource(struct world *w, const char *key, bool *new_ret);

/** world_add_releaser() - @task can release @resource; a second time is ignored */
void world_add_releaser(struct world *w, uint32_t resource, uint32_t task);

/** world_add_process_releasers() - every live thread of @tgid can release @resource */
void world_add_process_releasers(struct world *w, uint32_t resource, pid_t tgid);

/** world_block_on() - @wait is for (also) @resource; a second time is ignored */
void world_block_on(struct world *w, struct wait *wait, uint32_t resource);

/** world_cap() - @wait supports no verdict above @cap, for @reason; never raises it */
void world_cap(struct wait *wait, enum verdict cap, const char *reason);

/** world_cap_waiters() - world_cap() for every wait that @resource blocks */
void world_cap_waiters(struct world *w, uint32_t resource, enum verdict cap, const char *reason);

/** world_is_releaser() - is @task among those that can release a blocker of @wait */
bool world_is_releaser(const struct world *w, const struct wait *wait, uint32_t task);

const char *kind_name(uint32_t kind);

/** form_name() - the kernel's name of a type of locks (GL_FORM_*) */
const char *form_name(uint32_t form);

/** kind_is_lock() - has it owners; the other kinds are events, which may well never come */
bool kind_is_lock(uint32_t kind);

const char *evidence_name(enum evidence evidence);
const char *verdict_name(enum verdict verdict);
const char *mode_name(enum mode mode);

#endif /* WORLD_H */
