// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_futex - waits for futexes: what the word belongs to, and its owner.
 *
 * That a word is part of a glibc mutex, rwlock or thread is told by the words
 * around it (futex_guess.h), and counts as read when the call was made by
 * glibc's own code; that it is one of musl's mutexes is inferred. All other
 * futexes (conditions, semaphores, other runtimes) name nobody who could end the
 * wait.
 */
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "array.h"
#include "futex_claim.h"
#include "futex_glibc.h"
#include "futex_guess.h"
#include "futex_heir.h"
#include "futex_musl.h"
#include "futex_owner.h"
#include "futex_refused.h"
#include "proc.h"
#include "remote.h"
#include "resolve.h"
#include "xalloc.h"

/* Younger than some C libraries. */
#define NR_FUTEX_WAITV		449
#define NR_FUTEX_WAIT		455
#define OP_LOCK_PI2		13

static const struct gl_wait_record *futex_row(const struct sleeper *s)
{
	const struct gl_wait_record *row = s->row;

	return row && (row->kind == GL_KIND_FUTEX || row->kind == GL_KIND_FUTEX_PI) ? row : NULL;
}

/* The row of a task's wait, if the wait is for the word that the call is taken to be for. */
static const struct gl_wait_record *row_of(const struct sleeper *s, const struct futex_call *call)
{
	const struct gl_wait_record *row = futex_row(s);

	return row && row->res_addr == call->addr ? row : NULL;
}

/*
 * Who waits to be requeued from a condition to a PI mutex names both, and the kernel
 * alone knows which of them it sleeps for. It moves nobody back to the condition.
 */
static bool is_requeued(const struct sleeper *s)
{
	const struct gl_wait_record *row = futex_row(s);

	if (!row || (s->args[1] & FUTEX_CMD_MASK) != FUTEX_WAIT_REQUEUE_PI)
		return false;
	return row->kind == GL_KIND_FUTEX_PI ? row->res_addr == s->args[4] :
	       row->flags & GL_WAIT_REQUEUED && row->res_addr == s->args[0];
}

/* The kernel reads these calls' arguments as numbers of the same width. */
static void parse_futex(const struct sleeper *s, struct futex_call *call)
{
	int op = s->args[1] & FUTEX_CMD_MASK;

	call->addr = s->args[0];
	call->val = s->args[2];
	call->private = s->args[1] & FUTEX_PRIVATE_FLAG;
	call->timed = s->args[3] ? TIMED_YES : TIMED_NO;
	call->pi = op == FUTEX_LOCK_PI || op == OP_LOCK_PI2;
	call->bitset = op == FUTEX_WAIT_BITSET;
	call->wait = op == FUTEX_WAIT || call->bitset;
	if (!is_requeued(s))
		return;
	call->addr = s->args[4];
	call->pi = true;
}

/* The call by its module row, where the registers could not be read. */
static void parse_row(const struct gl_wait_record *row, struct futex_call *call)
{
	call->addr = row->res_addr;
	call->val = row->futex_val;
	call->private = !(row->flags & GL_WAIT_FUTEX_SHARED);
	call->timed = TIMED_UNKNOWN;
	if (row->flags & GL_WAIT_TIMED_KNOWN)
		call->timed = row->flags & GL_WAIT_TIMED ? TIMED_YES : TIMED_NO;
	call->pi = row->kind == GL_KIND_FUTEX_PI;
	call->wait = !call->pi;
}

static struct futex_call parse_call(const struct sleeper *s)
{
	struct futex_call call = { .timed = TIMED_UNKNOWN };

	switch (s->nr) {
	case SYS_futex:
		parse_futex(s, &call);
		break;
	case NR_FUTEX_WAIT:
		call.addr = s->args[0];
		call.val = s->args[1];
		call.private = s->args[3] & FUTEX_PRIVATE_FLAG;
		call.timed = s->args[4] ? TIMED_YES : TIMED_NO;
		call.wait = true;
		break;
	case NR_FUTEX_WAITV:
		call.timed = s->args[3] ? TIMED_YES : TIMED_NO;
		break;
	case SYS_restart_syscall:
		/* A wait with a timeout, gone on with after a signal. */
		call.timed = TIMED_YES;
		break;
	default:
		if (futex_row(s))
			parse_row(futex_row(s), &call);
	}
	return call;
}

/* Is it asleep in the kernel's futex code, not in a page fault or a signal stop? */
static bool sleeps(const struct sleeper *s)
{
	static const char *const functions[] = {
		"futex_", "__futex_", "do_futex", "rt_mutex_", "__rt_mutex_",
	};

	if (!s->wchan[0])
		return futex_row(s) && futex_row(s)->flags & GL_WAIT_OFF_CPU;
	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		if (!strncmp(s->wchan, functions[i], strlen(functions[i])))
			return s->nr == SYS_futex || s->nr == NR_FUTEX_WAIT ||
			       s->nr == NR_FUTEX_WAITV || s->nr == SYS_restart_syscall ||
			       futex_row(s);
	return false;
}

static char *name_of(struct world *w, pid_t tgid, const struct futex_guess *guess)
{
	static const char *const names[] = {
		[OBJECT_NONE] = "futex",
		[OBJECT_MUTEX] = "pthread mutex",
		[OBJECT_PI_MUTEX] = "PI mutex",
		[OBJECT_RWLOCK] = "rwlock",
		[OBJECT_THREAD] = "thread",
		[OBJECT_COND] = "pthread condition",
		[OBJECT_SEM] = "semaphore",
	};
	const struct proc_map *map = futex_map(w, tgid, guess->addr);

	if (guess->object == OBJECT_THREAD)
		return xasprintf("thread %d", guess->number);
	if (map && map->shared && *map->path)
		return xasprintf("%s 0x%llx (shared memory %s)", names[guess->object],
				 (unsigned long long)guess->addr, map->path);
	return xasprintf("%s 0x%llx", names[guess->object], (unsigned long long)guess->addr);
}

/* Only a live thread of its own process, in memory of its own, can be joined. */
static enum owner find_thread(struct world *w, uint32_t self, const struct futex_guess *guess,
			      uint32_t *task_ret)
{
	pid_t tgid = w->tasks[self].tgid;
	const struct proc_map *map = futex_map(w, tgid, guess->addr);

	*task_ret = NO_INDEX;
	if (map && !map->shared && !map->inode && glibc_is_tid(w, tgid, guess->addr))
		*task_ret = futex_thread(w, tgid, guess->number);
	if (*task_ret == NO_INDEX || *task_ret == self || w->tasks[*task_ret].exiting)
		return OWNER_UNKNOWN;
	return OWNER_TASK;
}

static enum owner find_owner(struct world *w, const struct sleeper *s,
			     const struct futex_call *call, const struct futex_guess *guess,
			     enum evidence evidence, uint32_t *task_ret)
{
	const struct gl_wait_record *row = row_of(s, call);
	uint64_t begin_ns = row ? row->begin_ns : 0;
	uint32_t self = s->task;
	enum owner owner;

	if (guess->object == OBJECT_THREAD)
		return find_thread(w, self, guess, task_ret);
	if (!guess->number)
		return OWNER_UNKNOWN;
	owner = futex_owner(w, w->tasks[self].tgid, guess->addr, guess->number, begin_ns,
			    task_ret);
	if (owner == OWNER_TASK && *task_ret == self && !guess->self)
		return OWNER_UNKNOWN;
	/* Words that only look like a lock name anybody, and mostly nobody. */
	if ((owner == OWNER_GONE || owner == OWNER_RENAMED) && evidence == EVIDENCE_INFERRED)
		return OWNER_UNKNOWN;
	return owner;
}

/** struct holder - who has the object, and how that is known */
struct holder {
	enum owner owner;
	uint32_t task;
	enum evidence evidence;
	/** @own_space: as in struct wait */
	bool own_space;
};

/*
 * Where it is for a proof, the words are read again at the end: what changed
 * meanwhile is not known. That they stay is seen later (futex_claim.h).
 */
static struct holder find_holder(struct world *w, const struct sleeper *s,
				 const struct futex_call *call, const struct futex_guess *guess)
{
	struct holder holder = { .evidence = EVIDENCE_READ };
	struct futex_guess again;

	/* What a PI word means is the kernel's business, not a library's. */
	if (guess->object != OBJECT_PI_MUTEX && !glibc_called(w, s))
		holder.evidence = EVIDENCE_INFERRED;
	holder.owner = find_owner(w, s, call, guess, holder.evidence, &holder.task);
	if (!w->thorough)
		return holder;
	again = futex_guess(w, w->tasks[s->task].tgid, call);
	if (!futex_guess_same(guess, &again))
		holder.owner = OWNER_UNKNOWN;
	return holder;
}

/* Waiters that saw other owners, or the owner dead, have a resource of their own. */
static void add_resource(struct world *w, struct wait *wait, const struct futex_call *call,
			 const struct futex_guess *guess, const struct holder *holder)
{
	bool gone = holder->owner != OWNER_TASK, new;
	char *key = xasprintf("%s held by %d%s", wait->id, guess->number, gone ? ", gone" : "");
	uint32_t index = world_resource(w, key, &new);
	struct resource *r = &w->resources[index];

	if (new || holder->evidence < r->evidence)
		r->evidence = holder->evidence;
	r->held = guess->object == OBJECT_THREAD ? MODE_NONE : MODE_EXCLUSIVE;
	r->dead = gone;
	if (gone)
		r->dead_tid = guess->number;
	if (w->thorough && new)
		futex_claim(w, index, w->tasks[wait->task].tgid, call, guess);
	if (!gone)
		world_add_releaser(w, index, holder->task);
	world_block_on(w, wait, index);
	free(key);
}

static uint32_t kind_of(const struct futex_call *call, const struct futex_guess *guess)
{
	switch (guess->object) {
	case OBJECT_THREAD:
		return GL_KIND_JOIN;
	case OBJECT_COND:
		return GL_KIND_COND;
	case OBJECT_SEM:
		return GL_KIND_SEM;
	default:
		break;
	}
	return call->pi ? GL_KIND_FUTEX_PI : GL_KIND_FUTEX;
}

/* Who has the same memory as the owner, or a number alike, may be the one that is meant. */
static void cap_holder(struct world *w, struct wait *wait, const struct futex_guess *guess,
		       const struct holder *holder)
{
	const struct proc_map *map = futex_map(w, w->tasks[wait->task].tgid, guess->addr);
	uint32_t owner = holder->owner == OWNER_TASK ? holder->task : wait->task;

	if (holder->owner == OWNER_RENAMED)
		world_cap(wait, VERDICT_LIKELY,
			  "a task that came after this wait began has its owner's number by now");
	if (w->thorough && map && map->shared && !proc_sees_all())
		world_cap(wait, VERDICT_LIKELY, PROC_HIDES_TASKS);
	if (w->thorough && guess->object != OBJECT_PI_MUTEX && holder->owner == OWNER_TASK &&
	    futex_may_be_strangers(w, w->tasks[wait->task].tgid, guess->addr))
		world_cap(wait, VERDICT_LIKELY,
			  "a process made by clone(2) may have it under its maker's number");
	if (futex_may_have_double(w, w->tasks[owner].tgid))
		world_cap(wait, VERDICT_LIKELY,
			  "it cannot be told if another process has the same memory");
}

/* Of a number that is no thread's here, memory alone does not tell whose it is. */
static bool is_of_own_space(struct world *w, const struct sleeper *s,
			    const struct futex_guess *guess, const struct holder *holder)
{
	const struct proc_map *map;

	/* What could not be read this time is to be read at the next look. */
	if (s->nr < 0 || guess->unread || (guess->number && holder->owner != OWNER_TASK))
		return false;
	map = futex_map(w, w->tasks[s->task].tgid, guess->addr);
	return map && !map->shared;
}

static void add_wait(struct world *w, const struct sleeper *s, const struct futex_call *call,
		     const struct futex_guess *guess, const struct holder *holder)
{
	const struct gl_wait_record *row = row_of(s, call);
	struct wait *wait = world_add_wait(w, s->task, kind_of(call, guess));
	pid_t tgid = w->tasks[s->task].tgid;

	wait->mode = guess->mode;
	wait->timed = call->timed;
	wait->comes_back = guess->object == OBJECT_MUTEX && holder->evidence == EVIDENCE_READ;
	wait->interruptible = true;
	if (row) {
		wait->begin_ns = row->begin_ns;
		wait->gen = row->gen;
	}
	wait->id = futex_identity(w, tgid, guess->addr);
	wait->name = call->addr ? name_of(w, tgid, guess) : xstrdup("futexes");
	wait->where = s->wchan[0] ? xstrdup(s->wchan) : NULL;
	wait->own_space = holder->own_space;
	if (holder->owner == OWNER_UNKNOWN)
		wait->unknown_releaser = true;
	else
		add_resource(w, wait, call, guess, holder);
	if (holder->owner != OWNER_UNKNOWN && guess->object != OBJECT_THREAD)
		cap_holder(w, wait, guess, holder);
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	struct holder holder = { .owner = OWNER_UNKNOWN };
	struct futex_guess guess;
	struct futex_call call;

	if (!sleeps(s))
		return false;
	call = parse_call(s);
	call.i386 = proc_is_i386(&w->tasks[s->task]);
	call.musl = call.wait && !call.i386 && musl_called(w, s);
	guess = futex_guess(w, w->tasks[s->task].tgid, &call);
	if (!guess.number && futex_refused(w, s, &call)) {
		futex_refused_wait(w, s);
		return true;
	}
	if (guess.object != OBJECT_NONE)
		holder = find_holder(w, s, &call, &guess);
	else
		guess.addr = call.addr;
	holder.own_space = is_of_own_space(w, s, &guess, &holder);
	/* A likeness alone gives no name. */
	if (holder.owner == OWNER_UNKNOWN &&
	    (guess.object == OBJECT_THREAD || holder.evidence == EVIDENCE_INFERRED))
		guess.object = OBJECT_NONE;
	if (guess.object == OBJECT_NONE)
		guess = (struct futex_guess){ .addr = call.addr, .mode = MODE_EXCLUSIVE };
	add_wait(w, s, &call, &guess, &holder);
	return true;
}

/* What resolve() reads first. */
static void read_ahead(struct world *w, const struct sleeper *s)
{
	pid_t tgid = w->tasks[s->task].tgid;
	struct futex_call call;

	if (!sleeps(s))
		return;
	call = parse_call(s);
	futex_guess_ahead(w, tgid, &call);
	if (call.pi || call.wait)
		futex_map_ahead(w, tgid);
}

const struct resolver resolve_futex = {
	.name = "futex",
	.resolve = resolve,
	.read_ahead = read_ahead,
};
