// SPDX-License-Identifier: GPL-2.0
/* futex_guess - what a futex word belongs to, by the words around it (futex_guess.h) */
#include <linux/futex.h>
#include <string.h>

#include "array.h"
#include "futex_glibc.h"
#include "futex_guess.h"
#include "futex_owner.h"
#include "remote.h"

/* The word as glibc uses it for a plain mutex: locked, and somebody waits. */
#define MUTEX_CONTENDED		2
/* Bits of __kind beside the type: process-shared, elision, no elision. */
#define MUTEX_KIND_SHARED	128
#define MUTEX_KIND_FLAGS	(MUTEX_KIND_SHARED | 256 | 512)
#define MUTEX_KIND_ROBUST	16
#define MUTEX_KIND_PROTECT	64
#define MUTEX_RECURSIVE		1
#define MUTEX_ERRORCHECK	2
#define MUTEX_LAST_TYPE		3
/* Below the priority ceiling that the word of a mutex with one holds too. */
#define MUTEX_CEILING_SHIFT	19
/* musl's _m_type: types as glibc's, process-shared too, but for these */
#define MUSL_KIND_MASK		3
#define MUSL_ROBUST		4
/* pthread_rwlock_t.__readers: a writer has the lock */
#define RWLOCK_WRPHASE		1
#define RWLOCK_WRLOCKED		2
/* Both futexes of a rwlock: somebody sleeps; the low bit is the value. */
#define RWLOCK_USED		2
#define RWLOCK_LAST_FLAGS	2

/* A thread's number is below this (PID_MAX_LIMIT of the kernel's linux/threads.h). */
#define TID_LIMIT		(1U << 22)

/* pthread_cond_t.__wrefs: who waits, above the flags; the lowest is for process-shared */
#define COND_WREFS_SHIFT	3
/* More than that wait for nothing that this is. */
#define MANY_WAITERS		1048576

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

/* As many words as are mapped: those around may be on a page that is not. */
static bool read_words(struct world *w, pid_t tgid, uint64_t addr, struct words *words)
{
	static const struct { int first, end; } tries[] = {
		{ -WORDS_BEFORE, WORDS_AFTER }, { 0, 5 }, { 0, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
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

static bool is_thread_number(uint32_t number)
{
	return number && number < TID_LIMIT;
}

/*
 * The lock of a FILE has a counter as a mutex has, and then where the owner's
 * struct pthread is: its halves look like __owner and __nusers. That was mapped
 * before anybody waited for the lock, and the map is read after: most numbers are
 * nowhere in it, and need not be read at.
 */
static bool is_stdio_lock(struct world *w, pid_t tgid, const struct words *words)
{
	uint64_t owner = word(words, 2) | (uint64_t)word(words, 3) << 32;

	return futex_map(w, tgid, owner) && glibc_is_thread(w, tgid, owner);
}

/* glibc makes the calls for a robust mutex as for a shared one, always. */
static bool is_call_for(const struct futex_call *call, uint32_t kind)
{
	return call->private == !(kind & (MUTEX_KIND_SHARED | MUTEX_KIND_ROBUST));
}

static bool is_contended(uint32_t lock, uint32_t owner, uint32_t kind)
{
	if (kind & MUTEX_KIND_ROBUST)
		return lock & FUTEX_WAITERS && (lock & FUTEX_TID_MASK) == owner;
	if (kind & MUTEX_KIND_PROTECT)
		lock &= (1U << MUTEX_CEILING_SHIFT) - 1;
	return lock == MUTEX_CONTENDED;
}

/*
 * struct __pthread_mutex_s: __lock, __count, __owner, __nusers, __kind; on i386 the
 * last two the other way round. The owner writes __owner after __lock and clears it
 * before.
 */
static bool looks_like_mutex(const struct futex_call *call, const struct words *words,
			     struct futex_guess *guess)
{
	uint32_t lock = word(words, 0), nusers, flags, kind, type;
	bool recursive;

	if (!has(words, 0, 4) || call->val != lock)
		return false;
	nusers = word(words, call->i386 ? 4 : 3);
	flags = word(words, call->i386 ? 3 : 4);
	kind = flags & ~MUTEX_KIND_FLAGS;
	/* Robust or with a ceiling, not both: that would be no type. */
	type = kind & ~(kind & MUTEX_KIND_ROBUST ? MUTEX_KIND_ROBUST : MUTEX_KIND_PROTECT);
	if (type > MUTEX_LAST_TYPE || !is_thread_number(word(words, 2)) || !nusers ||
	    !is_call_for(call, flags))
		return false;
	recursive = type == MUTEX_RECURSIVE;
	/* Of one with a ceiling, or robust, the lock is counted whatever its type. */
	if ((recursive || kind & (MUTEX_KIND_PROTECT | MUTEX_KIND_ROBUST)) != !!word(words, 1))
		return false;
	if (!is_contended(lock, word(words, 2), kind))
		return false;
	guess->object = OBJECT_MUTEX;
	guess->addr = call->addr;
	guess->number = word(words, 2);
	guess->mode = MODE_EXCLUSIVE;
	/* The other two types are told by pthread_mutex_lock() that it is theirs. */
	guess->self = type != MUTEX_RECURSIVE && type != MUTEX_ERRORCHECK;
	return true;
}

static bool guess_mutex(struct world *w, pid_t tgid, const struct futex_call *call,
			const struct words *words, struct futex_guess *guess)
{
	return looks_like_mutex(call, words, guess) && !is_stdio_lock(w, tgid, words);
}

/*
 * struct __pthread_rwlock_arch_t: __readers, __writers, __wrphase_futex,
 * __writers_futex, two words of padding, __cur_writer, __shared, ..., __flags
 * at 12 words on. @at: where it begins, in words from the futex word.
 */
static bool guess_rwlock_at(const struct futex_call *call, const struct words *words, int at,
			    struct futex_guess *guess)
{
	const uint32_t held = RWLOCK_WRPHASE | RWLOCK_WRLOCKED;

	if (!has(words, at, at + 12) || call->val != word(words, 0) ||
	    (call->val & ~1U) != RWLOCK_USED)
		return false;
	if ((word(words, at) & held) != held || word(words, at + 4) || word(words, at + 5) ||
	    word(words, at + 7) > 1 || word(words, at + 12) > RWLOCK_LAST_FLAGS)
		return false;
	if (!is_thread_number(word(words, at + 6)))
		return false;
	guess->object = OBJECT_RWLOCK;
	guess->addr = call->addr + at * (int)sizeof(words->word[0]);
	guess->number = word(words, at + 6);
	guess->self = false;
	return true;
}

static bool guess_rwlock(const struct futex_call *call, const struct words *words,
			 struct futex_guess *guess)
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
static bool guess_thread(const struct futex_call *call, const struct words *words,
			 struct futex_guess *guess)
{
	if (call->private || call->val != word(words, 0) || call->val <= RWLOCK_USED + 1 ||
	    !is_thread_number(call->val))
		return false;
	guess->object = OBJECT_THREAD;
	guess->addr = call->addr;
	guess->number = call->val;
	guess->mode = MODE_NONE;
	guess->self = false;
	return true;
}

/*
 * union new_sem_t: value, waiters, whether private, padding. Nobody is told to
 * be able to post it.
 */
static bool is_sem(const struct futex_call *call, const struct words *words)
{
	return has(words, 0, 2) && !call->val && !word(words, 0) && word(words, 1) &&
	       word(words, 1) < MANY_WAITERS &&
	       word(words, 2) == (call->private ? 0 : FUTEX_PRIVATE_FLAG);
}

/* struct __pthread_cond_s: ..., __wrefs, __g_signals[2]; one of the two is waited for. */
static bool is_cond(const struct futex_call *call, const struct words *words, int wrefs_at)
{
	uint32_t nr_waiters, wrefs;

	if (!has(words, wrefs_at, 0) || call->val != word(words, 0) || call->val & 1 ||
	    call->val == RWLOCK_USED)
		return false;
	wrefs = word(words, wrefs_at);
	nr_waiters = wrefs >> COND_WREFS_SHIFT;
	return nr_waiters && nr_waiters < MANY_WAITERS && (wrefs & 1) == !call->private;
}

/* What has no owner. What looks like both is called neither. */
static bool guess_event(const struct futex_call *call, const struct words *words,
			struct futex_guess *guess)
{
	bool cond = is_cond(call, words, -1) || is_cond(call, words, -2);
	bool sem = is_sem(call, words);

	if (!call->bitset || cond == sem)
		return false;
	guess->object = sem ? OBJECT_SEM : OBJECT_COND;
	guess->addr = call->addr;
	guess->number = 0;
	guess->mode = MODE_NONE;
	guess->self = false;
	return true;
}

/*
 * musl's pthread_mutex_t: _m_type, _m_lock, _m_waiters, two words, _m_count. The
 * lock of all types but the plain one is the owner's number, and a bit: somebody
 * waits. The plain one is locked and has no owner.
 */
static bool guess_musl(const struct futex_call *call, const struct words *words,
		       struct futex_guess *guess)
{
	uint32_t lock = word(words, 0), type, kind;

	if (!has(words, -1, 4) || call->val != lock || call->bitset)
		return false;
	type = word(words, -1);
	kind = type & MUSL_KIND_MASK;
	if (type & ~(MUSL_KIND_MASK | MUSL_ROBUST | MUTEX_KIND_SHARED) ||
	    kind > MUTEX_ERRORCHECK || !(kind || type & MUSL_ROBUST) ||
	    call->private == !!(type & MUTEX_KIND_SHARED))
		return false;
	if (!(lock & FUTEX_WAITERS) || !is_thread_number(lock & ~FUTEX_WAITERS) ||
	    !word(words, 1) || word(words, 1) > MANY_WAITERS ||
	    (kind != MUTEX_RECURSIVE && word(words, 4)))
		return false;
	guess->object = OBJECT_MUTEX;
	guess->addr = call->addr - sizeof(lock);
	guess->number = lock & ~FUTEX_WAITERS;
	guess->mode = MODE_EXCLUSIVE;
	guess->self = !kind;
	return true;
}

static bool guess_pi(const struct futex_call *call, const struct words *words,
		     struct futex_guess *guess)
{
	guess->object = OBJECT_PI_MUTEX;
	guess->addr = call->addr;
	guess->number = word(words, 0) & FUTEX_TID_MASK;
	guess->mode = MODE_EXCLUSIVE;
	/* Who unlocks writes the next owner's number. */
	guess->self = false;
	return guess->number;
}

struct futex_guess futex_guess(struct world *w, pid_t tgid, const struct futex_call *call)
{
	struct futex_guess guess = { .object = OBJECT_NONE };
	struct words words;
	bool found = false;

	guess.unread = !(call->pi || call->wait) || !read_words(w, tgid, call->addr, &words);
	if (guess.unread)
		return guess;
	if (call->pi)
		found = guess_pi(call, &words, &guess);
	else if (call->i386)
		found = looks_like_mutex(call, &words, &guess);
	else if (call->musl)
		found = guess_musl(call, &words, &guess);
	else
		found = guess_mutex(w, tgid, call, &words, &guess) ||
			guess_rwlock(call, &words, &guess) || guess_thread(call, &words, &guess) ||
			guess_event(call, &words, &guess);
	return found ? guess : (struct futex_guess){ .object = OBJECT_NONE };
}

bool futex_guess_same(const struct futex_guess *a, const struct futex_guess *b)
{
	return a->object == b->object && a->addr == b->addr && a->number == b->number &&
	       a->mode == b->mode && a->self == b->self;
}

void futex_guess_ahead(struct world *w, pid_t tgid, const struct futex_call *call)
{
	struct words words;

	if (call->pi || call->wait)
		remote_ahead_memory(w->remote, tgid,
				    call->addr - WORDS_BEFORE * sizeof(words.word[0]),
				    sizeof(words.word));
}
