// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_futex - waits for futexes: what the word belongs to, and its owner.
 *
 * The kernel knows an address only. That a word is part of a glibc mutex,
 * rwlock or thread is told by its layout (the same since glibc 2.25), and
 * counts as read when the call was made by glibc's own code. All other futexes
 * (conditions, semaphores, other runtimes) name nobody who could end the wait.
 */
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "futex_owner.h"
#include "proc.h"
#include "remote.h"
#include "resolve.h"
#include "xalloc.h"

/* Younger than some C libraries. */
#define NR_FUTEX_WAITV		449
#define NR_FUTEX_WAIT		455
#define OP_LOCK_PI2		13

/* The word as glibc uses it for a plain mutex: locked, and somebody waits. */
#define MUTEX_CONTENDED		2
/* Bits of __kind beside the type: process-shared, elision, no elision. */
#define MUTEX_KIND_FLAGS	(128 | 256 | 512)
#define MUTEX_KIND_ROBUST	16
#define MUTEX_RECURSIVE		1
#define MUTEX_ERRORCHECK	2
#define MUTEX_LAST_TYPE		3
/* pthread_rwlock_t.__readers: a writer has the lock */
#define RWLOCK_WRPHASE		1
#define RWLOCK_WRLOCKED		2
/* Both futexes of a rwlock: somebody sleeps; the low bit is the value. */
#define RWLOCK_USED		2
#define RWLOCK_LAST_FLAGS	2

/** struct call - the futex call that a task sleeps in */
struct call {
	uint64_t addr;
	uint32_t val;
	enum timed timed;
	/** @pi: the kernel reads the owner from the word */
	bool pi;
	/** @wait: waits for the word to change; with neither: no single word is known */
	bool wait;
	/** @private: the call says that no other process uses the word */
	bool private;
};

/* Words around the one waited for: enough to see a whole rwlock. */
#define WORDS_BEFORE		3
#define WORDS_AFTER		13

/** struct words - memory around a futex word, read at once */
struct words {
	uint32_t word[WORDS_BEFORE + WORDS_AFTER];
	/** @first, @end: which words could be read; 0 is the futex word itself */
	int first;
	int end;
};

/** enum object - what a futex word was recognised as part of */
enum object { OBJECT_NONE, OBJECT_MUTEX, OBJECT_PI_MUTEX, OBJECT_RWLOCK, OBJECT_THREAD };

/** struct guess - a futex word's object, and what its words say */
struct guess {
	enum object object;
	/** @addr: of the object */
	uint64_t addr;
	/** @number: the TID that its owner wrote */
	pid_t number;
	enum mode mode;
	/** @self: a word that names the waiter itself means that it holds the lock */
	bool self;
};

/* The kernel reads these calls' arguments as numbers of the same width. */
static void parse_futex(const struct sleeper *s, struct call *call)
{
	int op = s->args[1] & FUTEX_CMD_MASK;

	call->addr = s->args[0];
	call->val = s->args[2];
	call->private = s->args[1] & FUTEX_PRIVATE_FLAG;
	call->timed = s->args[3] ? TIMED_YES : TIMED_NO;
	call->pi = op == FUTEX_LOCK_PI || op == OP_LOCK_PI2;
	call->wait = op == FUTEX_WAIT || op == FUTEX_WAIT_BITSET;
}

/* The call by its module row, where the registers could not be read. */
static void parse_row(const struct gl_wait_record *row, struct call *call)
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

static const struct gl_wait_record *futex_row(const struct sleeper *s)
{
	const struct gl_wait_record *row = s->row;

	return row && (row->kind == GL_KIND_FUTEX || row->kind == GL_KIND_FUTEX_PI) ? row : NULL;
}

static struct call parse_call(const struct sleeper *s)
{
	struct call call = { .timed = TIMED_UNKNOWN };

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
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++)
		if (!strncmp(s->wchan, functions[i], strlen(functions[i])))
			return s->nr == SYS_futex || s->nr == NR_FUTEX_WAIT ||
			       s->nr == NR_FUTEX_WAITV || s->nr == SYS_restart_syscall ||
			       futex_row(s);
	return false;
}

/* As many words as are mapped: those around may be on a page that is not. */
static bool read_words(struct world *w, pid_t tgid, uint64_t addr, struct words *words)
{
	static const struct { int first, end; } tries[] = {
		{ -WORDS_BEFORE, WORDS_AFTER }, { 0, 5 }, { 0, 1 },
	};

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		size_t size = (tries[i].end - tries[i].first) * sizeof(words->word[0]);
		ssize_t got;

		memset(words, 0, sizeof(*words));
		words->first = tries[i].first;
		words->end = tries[i].end;
		got = remote_read_memory(w->remote, tgid,
					 addr + words->first * (int)sizeof(words->word[0]),
					 &words->word[WORDS_BEFORE + words->first], size);
		if (got == (ssize_t)size)
			return true;
	}
	return false;
}

static bool has(const struct words *words, int first, int last)
{
	return first >= words->first && last < words->end;
}

/* The word @at words on from the futex word. */
static uint32_t word(const struct words *words, int at)
{
	return words->word[WORDS_BEFORE + at];
}

/*
 * struct __pthread_mutex_s: __lock, __count, __owner, __nusers, __kind. The
 * owner writes __owner after __lock and clears it before.
 */
static bool guess_mutex(const struct call *call, const struct words *words, struct guess *guess)
{
	uint32_t lock = word(words, 0), kind, type;
	bool robust;

	if (!has(words, 0, 4) || call->val != lock)
		return false;
	kind = word(words, 4) & ~MUTEX_KIND_FLAGS;
	robust = kind & MUTEX_KIND_ROBUST;
	type = kind & ~MUTEX_KIND_ROBUST;
	if (type > MUTEX_LAST_TYPE || !word(words, 2) || word(words, 2) > FUTEX_TID_MASK ||
	    !word(words, 3) || (type == MUTEX_RECURSIVE) != !!word(words, 1))
		return false;
	if (robust ? !(lock & FUTEX_WAITERS) || (lock & FUTEX_TID_MASK) != word(words, 2) :
		     lock != MUTEX_CONTENDED)
		return false;
	guess->object = OBJECT_MUTEX;
	guess->addr = call->addr;
	guess->number = word(words, 2);
	guess->mode = MODE_EXCLUSIVE;
	/* The other two types are told by pthread_mutex_lock() that it is theirs. */
	guess->self = type != MUTEX_RECURSIVE && type != MUTEX_ERRORCHECK;
	return true;
}

/*
 * struct __pthread_rwlock_arch_t: __readers, __writers, __wrphase_futex,
 * __writers_futex, two words of padding, __cur_writer, __shared, ..., __flags
 * at 12 words on. @at: where it begins, in words from the futex word.
 */
static bool guess_rwlock_at(const struct call *call, const struct words *words, int at,
			    struct guess *guess)
{
	const uint32_t held = RWLOCK_WRPHASE | RWLOCK_WRLOCKED;

	if (!has(words, at, at + 12) || call->val != word(words, 0) ||
	    (call->val & ~1U) != RWLOCK_USED)
		return false;
	if ((word(words, at) & held) != held || word(words, at + 4) || word(words, at + 5) ||
	    word(words, at + 7) > 1 || word(words, at + 12) > RWLOCK_LAST_FLAGS)
		return false;
	if (!word(words, at + 6) || word(words, at + 6) > FUTEX_TID_MASK)
		return false;
	guess->object = OBJECT_RWLOCK;
	guess->addr = call->addr + at * (int)sizeof(words->word[0]);
	guess->number = word(words, at + 6);
	guess->self = false;
	return true;
}

static bool guess_rwlock(const struct call *call, const struct words *words, struct guess *guess)
{
	if (guess_rwlock_at(call, words, -2, guess)) {
		/* Readers wait for the write phase, 1, to end. */
		guess->mode = call->val & 1 ? MODE_SHARED : MODE_EXCLUSIVE;
		return true;
	}
	guess->mode = MODE_EXCLUSIVE;
	return guess_rwlock_at(call, words, -3, guess);
}

/* pthread_join(): the thread's own TID, which the kernel clears when it ends. */
static bool guess_thread(const struct call *call, const struct words *words, struct guess *guess)
{
	if (call->private || call->val != word(words, 0) || call->val <= RWLOCK_USED + 1 ||
	    call->val > FUTEX_TID_MASK)
		return false;
	guess->object = OBJECT_THREAD;
	guess->addr = call->addr;
	guess->number = call->val;
	guess->mode = MODE_NONE;
	guess->self = false;
	return true;
}

static bool guess_pi(const struct call *call, const struct words *words, struct guess *guess)
{
	guess->object = OBJECT_PI_MUTEX;
	guess->addr = call->addr;
	guess->number = word(words, 0) & FUTEX_TID_MASK;
	guess->mode = MODE_EXCLUSIVE;
	/* Who unlocks writes the next owner's number. */
	guess->self = false;
	return guess->number;
}

static struct guess guess_object(struct world *w, pid_t tgid, const struct call *call)
{
	struct guess guess = { .object = OBJECT_NONE };
	struct words words;
	bool found = false;

	if (!(call->pi || call->wait) || !read_words(w, tgid, call->addr, &words))
		return guess;
	if (call->pi)
		found = guess_pi(call, &words, &guess);
	else
		found = guess_mutex(call, &words, &guess) ||
			guess_rwlock(call, &words, &guess) || guess_thread(call, &words, &guess);
	return found ? guess : (struct guess){ .object = OBJECT_NONE };
}

static bool same_guess(const struct guess *a, const struct guess *b)
{
	return a->object == b->object && a->addr == b->addr && a->number == b->number &&
	       a->mode == b->mode && a->self == b->self;
}

/* Was the call made by code of glibc? Of others the words may mean other things. */
static bool called_by_glibc(struct world *w, const struct sleeper *s)
{
	static const char *const names[] = {
		"libc.so.6", "libc-2.", "libpthread.so.0", "libpthread-2.",
	};
	const struct proc_map *map;
	const char *name;

	if (s->nr < 0)
		return false;
	map = futex_map(w, w->tasks[s->task].tgid, s->pc);
	name = map ? strrchr(map->path, '/') : NULL;
	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
		if (!strncmp(name + 1, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Shared memory is one place for all who map it; other memory is its process's. */
static char *identity(struct world *w, pid_t tgid, uint64_t addr)
{
	const struct proc_map *map = futex_map(w, tgid, addr);

	if (!map || !map->shared || !map->inode)
		return xasprintf("futex mm:%d 0x%llx", tgid, (unsigned long long)addr);
	return xasprintf("futex %02x:%02x:%llu+0x%llx", map->dev_major, map->dev_minor,
			 (unsigned long long)map->inode,
			 (unsigned long long)(addr - map->start + map->offset));
}

static char *name_of(struct world *w, pid_t tgid, const struct guess *guess)
{
	static const char *const names[] = {
		[OBJECT_NONE] = "futex",
		[OBJECT_MUTEX] = "pthread mutex",
		[OBJECT_PI_MUTEX] = "PI mutex",
		[OBJECT_RWLOCK] = "rwlock",
		[OBJECT_THREAD] = "thread",
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
static enum owner find_thread(struct world *w, uint32_t self, const struct guess *guess,
			      uint32_t *task_ret)
{
	pid_t tgid = w->tasks[self].tgid;
	const struct proc_map *map = futex_map(w, tgid, guess->addr);

	*task_ret = map && !map->shared && !map->inode ? futex_thread(w, tgid, guess->number) :
							 NO_INDEX;
	if (*task_ret == NO_INDEX || *task_ret == self || w->tasks[*task_ret].exiting)
		return OWNER_UNKNOWN;
	return OWNER_TASK;
}

static enum owner find_owner(struct world *w, uint32_t self, const struct guess *guess,
			     enum evidence evidence, uint32_t *task_ret)
{
	enum owner owner;

	if (guess->object == OBJECT_THREAD)
		return find_thread(w, self, guess, task_ret);
	owner = futex_owner(w, w->tasks[self].tgid, guess->addr, guess->number, task_ret);
	if (owner == OWNER_TASK && *task_ret == self && !guess->self)
		return OWNER_UNKNOWN;
	/* Words that only look like a lock name anybody, and mostly nobody. */
	if (owner == OWNER_GONE && evidence == EVIDENCE_INFERRED)
		return OWNER_UNKNOWN;
	return owner;
}

/** struct holder - who has the object, and how that is known */
struct holder {
	enum owner owner;
	uint32_t task;
	enum evidence evidence;
};

/*
 * Where it is for a proof, the words are read again at the end: what changed
 * meanwhile is not known.
 */
static struct holder find_holder(struct world *w, const struct sleeper *s,
				 const struct call *call, const struct guess *guess)
{
	struct holder holder = { .evidence = EVIDENCE_READ };
	struct guess again;

	/* What a PI word means is the kernel's business, not a library's. */
	if (guess->object != OBJECT_PI_MUTEX && !called_by_glibc(w, s))
		holder.evidence = EVIDENCE_INFERRED;
	holder.owner = find_owner(w, s->task, guess, holder.evidence, &holder.task);
	if (!w->thorough)
		return holder;
	again = guess_object(w, w->tasks[s->task].tgid, call);
	if (!same_guess(guess, &again))
		holder.owner = OWNER_UNKNOWN;
	return holder;
}

/* Waiters that saw other owners, or the owner dead, have a resource of their own. */
static void add_resource(struct world *w, struct wait *wait, const struct guess *guess,
			 const struct holder *holder)
{
	bool gone = holder->owner == OWNER_GONE, new;
	char *key = xasprintf("%s held by %d%s", wait->id, guess->number, gone ? ", gone" : "");
	uint32_t index = world_resource(w, key, &new);
	struct resource *r = &w->resources[index];

	if (new || holder->evidence < r->evidence)
		r->evidence = holder->evidence;
	r->held = guess->object == OBJECT_THREAD ? MODE_NONE : MODE_EXCLUSIVE;
	r->dead = gone;
	if (gone)
		r->dead_tid = guess->number;
	else
		world_add_releaser(w, index, holder->task);
	world_block_on(w, wait, index);
	free(key);
}

static uint32_t kind_of(const struct call *call, const struct guess *guess)
{
	if (guess->object == OBJECT_THREAD)
		return GL_KIND_JOIN;
	return call->pi ? GL_KIND_FUTEX_PI : GL_KIND_FUTEX;
}

static void add_wait(struct world *w, const struct sleeper *s, const struct call *call,
		     const struct guess *guess, const struct holder *holder)
{
	const struct gl_wait_record *row = futex_row(s);
	struct wait *wait = world_add_wait(w, s->task, kind_of(call, guess));
	pid_t tgid = w->tasks[s->task].tgid;

	wait->mode = guess->mode;
	wait->timed = call->timed;
	wait->interruptible = true;
	if (row && row->res_addr == call->addr) {
		wait->begin_ns = row->begin_ns;
		wait->gen = row->gen;
	}
	wait->id = identity(w, tgid, guess->addr);
	wait->name = call->addr ? name_of(w, tgid, guess) : xstrdup("futexes");
	wait->where = s->wchan[0] ? xstrdup(s->wchan) : NULL;
	if (holder->owner == OWNER_UNKNOWN)
		wait->unknown_releaser = true;
	else
		add_resource(w, wait, guess, holder);
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	struct holder holder = { .owner = OWNER_UNKNOWN };
	struct guess guess;
	struct call call;

	if (!sleeps(s))
		return false;
	call = parse_call(s);
	guess = guess_object(w, w->tasks[s->task].tgid, &call);
	if (guess.object != OBJECT_NONE)
		holder = find_holder(w, s, &call, &guess);
	/* A likeness alone gives no name. */
	if (holder.owner == OWNER_UNKNOWN &&
	    (guess.object == OBJECT_THREAD || holder.evidence == EVIDENCE_INFERRED))
		guess.object = OBJECT_NONE;
	if (guess.object == OBJECT_NONE)
		guess = (struct guess){ .addr = call.addr, .mode = MODE_EXCLUSIVE };
	add_wait(w, s, &call, &guess, &holder);
	return true;
}

/* What resolve() reads first. */
static void read_ahead(struct world *w, const struct sleeper *s)
{
	pid_t tgid = w->tasks[s->task].tgid;
	struct words words;
	struct call call;

	if (!sleeps(s))
		return;
	call = parse_call(s);
	if (!(call.pi || call.wait))
		return;
	remote_ahead_memory(w->remote, tgid, call.addr - WORDS_BEFORE * sizeof(words.word[0]),
			    sizeof(words.word));
	futex_map_ahead(w, tgid);
}

const struct resolver resolve_futex = {
	.name = "futex",
	.resolve = resolve,
	.read_ahead = read_ahead,
};
