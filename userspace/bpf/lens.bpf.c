// SPDX-License-Identifier: GPL-2.0
/*
 * lens - the part in the kernel: entries and returns of the functions for mutexes,
 * rwlocks, conditions and semaphores, in the processes that the reader names.
 *
 * It keeps for each thread the locks that it holds, and tells three things: how
 * often an attempt that may fail did, which locks were held when another one was
 * asked for, and for how long each was. Who waits for a condition does not hold its
 * mutex, and asks for it again. A lock that was taken before anybody looked is not known
 * until it is dropped: what was told of its thread till then counts for nothing,
 * which a new epoch of that thread says. After a call that was missed, whosever it
 * was, nothing is known of any thread but what is seen from then on.
 */
#include <linux/ptrace.h>
#include <linux/bpf.h>
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "lens_abi.h"
#include "lens_holders.bpf.h"
#include "lens_holds.bpf.h"
#include "lens_threads.bpf.h"
#include "lens_sems.bpf.h"

/* glibc: __lock, __count, __owner. musl: _m_type, _m_lock, and _m_count at last. */
#define GLIBC_COUNT		1
#define GLIBC_OWNER		2
/* glibc's rwlock: __cur_writer, a number of a thread. */
#define GLIBC_WRITER		6
#define MUTEX_WORDS		6
#define MUSL_COUNT		5
#define MUSL_RECURSIVE		1
#define MUSL_KIND_MASK		0x3
#define MUSL_TYPE		0
#define MUSL_LOCK		1
/* A plain one has no number of a thread in its lock word. */
#define MUSL_TYPE_MASK		0xf
#define MUSL_OWNER_MASK		0x3fffffff
/* lock() calls timedlock(), which calls trylock(). */
#define MUSL_MAX_OUTER		2

/** @lens_on: every probe is set */
int lens_on;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LENS_MAX_TRIES);
	__type(key, struct lens_try_key);
	__type(value, struct lens_try);
} tries SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LENS_MAX_NESTINGS);
	__type(key, struct lens_nesting_key);
	__type(value, struct lens_nesting);
} nestings SEC(".maps");

/* Empty, always: see is_off(). */
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} no_programs SEC(".maps");

/*
 * Kernels since 6.13 give a program of kprobes or uprobes with much on its stack a
 * stack for each CPU. That of a uprobe can be preempted, and the next task on that CPU
 * then runs it on the same stack: the kernel dies. One that calls others by the tail
 * stays on the stack of its task, whether it comes to the call or not. Nobody is called.
 */
static __always_inline int is_off(struct pt_regs *ctx)
{
	if (lens_on)
		return 0;
	bpf_tail_call(ctx, &no_programs, 0);
	return 1;
}

/*
 * Kernels before 6.6 run the program of a return for every process that has such a
 * probe at the same place, once for each of these.
 */
static __always_inline int is_of_another(__u64 cookie)
{
	return bpf_get_current_pid_tgid() >> 32 != cookie >> LENS_TGID_SHIFT;
}

static __always_inline void note_nesting(struct lens_state *s)
{
	struct lens_nesting_key key = { .epoch_ns = s->epoch_ns, .wanted = s->wanted };
	struct lens_nesting new = { .nr = 1, .wanted_site = s->site }, *old;
	__u64 id = bpf_get_current_pid_tgid();

	key.tgid = id >> 32;
	key.tid = id;
	new.last_ns = bpf_ktime_get_ns();
	for (__u32 i = 0; i < LENS_MAX_HELD; i++) {
		if (i >= s->nr_held)
			break;
		key.held[i] = s->held[i].addr;
		new.held_site[i] = s->held[i].site;
	}
	old = bpf_map_lookup_elem(&nestings, &key);
	if (old) {
		/* No other thread has this key. */
		old->nr++;
		old->last_ns = new.last_ns;
	} else if (bpf_map_update_elem(&nestings, &key, &new, BPF_NOEXIST)) {
		count(LENS_LOST_NESTING);
	}
}

/* The lock that is asked for, and what it is. */
static __always_inline __u64 lock_of(__u64 addr, __u64 call)
{
	addr &= LENS_ADDR;
	if (call & LENS_RWLOCK)
		addr |= LENS_IS_RWLOCK;
	if (call & LENS_SHARED)
		addr |= LENS_IS_SHARED;
	if (call & LENS_SEM)
		addr |= LENS_IS_SEM;
	return addr;
}

static __always_inline int is_wait(__u64 call)
{
	return (call & LENS_CALL) == LENS_WAIT;
}

/* Calls that a first one may be inside of: musl's functions call each other. */
static __always_inline __u32 outer_calls(__u64 call)
{
	return call & LENS_MUSL ? MUSL_MAX_OUTER : 0;
}

static __always_inline __u32 owner_of(const struct lens_state *s)
{
	__u32 word[GLIBC_WRITER + 1] = { 0 };

	if (s->call & LENS_SEM || (s->call & LENS_MUSL && s->call & LENS_RWLOCK))
		return 0;
	bpf_probe_read_user(word, sizeof(word), (void *)(s->wanted & LENS_ADDR));
	if (!(s->call & LENS_MUSL))
		return word[s->call & LENS_RWLOCK ? GLIBC_WRITER : GLIBC_OWNER];
	return word[MUSL_TYPE] & MUSL_TYPE_MASK ? word[MUSL_LOCK] & MUSL_OWNER_MASK : 0;
}

/* What that one took before its epoch it may have dropped; a namesake never had it. */
static __always_inline __u32 holder_of(const struct lens_state *s)
{
	const struct lens_state *other;
	__u64 since_ns = 0;
	__u32 tid = s->call & LENS_SEM ? who_has_sem(s->wanted, &since_ns) :
					 who_has(s->wanted, &since_ns);

	if (!tid)
		return 0;
	other = bpf_map_lookup_elem(&states, &tid);
	if (!other || other->nr_missed != s->nr_missed || since_ns < other->epoch_ns)
		return 0;
	return tid;
}

static __always_inline void note_failure(const struct lens_state *s, struct lens_try *t,
					 const struct lens_try_key *key)
{
	struct lens_try new = { .nr_failed = 1, .owner = owner_of(s) };

	if (!new.owner && may_be_nameless(s->call))
		new.holder = holder_of(s);
	/* One from before this thread was there is of a namesake. */
	if (t && t->first_ns >= s->since_ns) {
		t->nr_failed++;
		if (new.owner || new.holder) {
			t->owner = new.owner;
			t->holder = new.holder;
		}
		return;
	}
	new.first_ns = bpf_ktime_get_ns();
	if (bpf_map_update_elem(&tries, key, &new, BPF_ANY))
		count(LENS_LOST_TRY);
}

/* By a mutex that may be: that its thread had it before, unseen. */
static __always_inline int is_taken_again(const struct lens_state *s)
{
	int word[MUTEX_WORDS] = { 0 };

	if (s->call & LENS_RWLOCK)
		return 0;
	bpf_probe_read_user(word, sizeof(word), (void *)(s->wanted & LENS_ADDR));
	/* The one counts from 1, the other from 0. */
	if (!(s->call & LENS_MUSL))
		return word[GLIBC_COUNT] > 1;
	return (word[MUSL_TYPE] & MUSL_KIND_MASK) == MUSL_RECURSIVE && word[MUSL_COUNT] > 0;
}

/* Since when semaphores are held is noted with them. */
static __always_inline int is_begin_known(const struct lens_state *s)
{
	return !(s->call & (LENS_UNTOLD | LENS_SEM)) && !is_taken_again(s);
}

static __always_inline void hold(struct lens_state *s)
{
	int place = place_of(s, s->wanted);

	if (place >= 0 && place < LENS_MAX_HELD) {
		s->held[place].depth++;
	} else if (s->nr_held < LENS_MAX_HELD) {
		struct lens_held *held = &s->held[s->nr_held & (LENS_MAX_HELD - 1)];

		held->addr = s->wanted;
		held->site = s->site;
		held->depth = 1;
		held->since_ns = is_begin_known(s) ? bpf_ktime_get_ns() : 0;
		s->nr_held++;
		if (has_holder(s->call) && note_holder(s->wanted))
			count(LENS_LOST_HOLDER);
	} else {
		s->nr_unknown++;
		count(LENS_LOST_HELD);
	}
}

static __always_inline void strike_out(struct lens_state *s, __u32 place)
{
	for (__u32 i = 0; i < LENS_MAX_HELD - 1; i++)
		if (i >= place)
			s->held[i] = s->held[i + 1];
	s->nr_held--;
}

/* Not static, either: proven once, as place_of(). */
__noinline int let_go(struct lens_state *s, __u64 lock, __u64 call)
{
	int place = place_of(s, lock);

	if (!s)
		return 0;
	if (place < 0 || place >= LENS_MAX_HELD) {
		/* It held one that was not known to be held; which one of them, if more. */
		if (s->nr_unknown)
			miss(LENS_LOST_HELD);
		begin_epoch(s);
		return 0;
	}
	/* glibc's wait for a condition, too, keeps a mutex that was taken more than once. */
	if (--s->held[place].depth)
		return 0;
	if (has_holder(call))
		forget_holder(s->held[place].addr);
	if (s->held[place].since_ns)
		note_hold(s->held[place].addr, s->held[place].site, s->held[place].since_ns);
	strike_out(s, place);
	return 0;
}

/*
 * It has a unit. What was held before by the same semaphore is over: somebody else has
 * posted that, which is no lock then.
 */
static __always_inline void hold_unit(struct lens_state *s)
{
	int place = place_of(s, s->wanted);

	if (place >= 0 && place < LENS_MAX_HELD)
		strike_out(s, place);
	if (note_unit(s->wanted, s->site, s->call))
		hold(s);
}

/*
 * A unit is posted. If that shows the semaphore to be a lock, it was one all the while,
 * and what was told of the thread meanwhile lacks it.
 */
static __always_inline void drop_unit(__u64 lock)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct lens_state *s = bpf_map_lookup_elem(&states, &tid);
	int held = post(lock);

	if (s && (held || place_of(s, lock) >= 0))
		let_go(s, lock, LENS_SEM);
}

/* Has it the lock, now that it is back? */
static __always_inline int has_it(const struct lens_state *s, int ret)
{
	if (!ret || ret == EOWNERDEAD)
		return 1;
	/* The mutex of a condition: it waited for too long, or not at all for a wrong time. */
	return is_wait(s->call) && (ret == ETIMEDOUT || ret == EINVAL);
}

/* Did others have it, or may they have had it? */
static __always_inline int is_refused(const struct lens_state *s, int ret)
{
	if (s->call & LENS_SEM)
		return ret && is_refused_unit(s->call, s->deadline_ns);
	return ret == EBUSY || ret == ETIMEDOUT || ret == EDEADLK;
}

static __always_inline void end(struct lens_state *s, int ret)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct lens_try_key key = { .addr = s->wanted & LENS_ADDR, .tgid = id >> 32, .tid = id };
	struct lens_try *t = bpf_map_lookup_elem(&tries, &key);

	if (has_it(s, ret)) {
		if (t)
			t->nr_had++;
		if (s->call & LENS_SEM)
			hold_unit(s);
		else
			hold(s);
	} else if (is_wait(s->call)) {
		begin_epoch(s);
	} else if (is_refused(s, ret)) {
		note_failure(s, t, &key);
	}
	s->wanted = 0;
}

/*
 * Of a wait for a condition no return is seen: that is over, as its thread does something
 * else. However it ended, also by the end of its thread, whose handlers then run, the
 * mutex is held again; since when is not known.
 */
static __always_inline void end_untold(struct lens_state *s)
{
	if (s->wanted && s->call & LENS_UNTOLD)
		end(s, 0);
}

/* May it call a function of its kind for the same lock? glibc's oldest for conditions do. */
static __always_inline int may_nest(__u64 call)
{
	return (call & LENS_CALL) != LENS_UNLOCK && (call & LENS_MUSL || is_wait(call));
}

/* The lock that is called for: of a wait for a condition the mutex, which comes second. */
static __always_inline __u64 lock_of_call(struct pt_regs *ctx, __u64 call)
{
	__u64 first = PT_REGS_PARM1(ctx), second = PT_REGS_PARM2(ctx);

	/* Both are read: the kernel takes no program that chooses a place to read. */
	barrier_var(first);
	barrier_var(second);
	return lock_of(is_wait(call) ? second : first, call);
}

static __always_inline __s64 deadline_of_call(struct pt_regs *ctx, __u64 call)
{
	__u64 second = PT_REGS_PARM2(ctx), third = PT_REGS_PARM3(ctx);

	/* Both are read: as in lock_of_call(). */
	barrier_var(second);
	barrier_var(third);
	return deadline_of(call, second, third);
}

static __always_inline void ask_for(struct lens_state *s, __u64 lock, __u64 call,
				    struct pt_regs *ctx)
{
	__u64 sp = PT_REGS_SP(ctx);

	s->wanted = lock;
	s->call = call;
	s->deadline_ns = deadline_of_call(ctx, call);
	s->site = 0;
	bpf_probe_read_user(&s->site, sizeof(s->site), (void *)sp);
	/* Who only tries does not wait, and orders nothing; nor does what is no lock. */
	if ((call & LENS_CALL) != LENS_TRY && s->nr_held && !s->nr_unknown &&
	    place_of(s, lock) < 0 && (!(call & LENS_SEM) || may_be_lock(lock)))
		note_nesting(s);
}

static __always_inline void begin(struct lens_state *s, __u64 lock, __u64 call,
				  struct pt_regs *ctx)
{
	int drops = (call & LENS_CALL) == LENS_UNLOCK;

	/* glibc's functions call no others, nor do those that drop: the one before is over. */
	if (drops || !(call & LENS_MUSL))
		s->nr_stray = 0;
	end_untold(s);
	/* One inside of another: that is one call, and ends with the outer one. */
	if (s->wanted && s->wanted == lock && may_nest(call) && may_nest(s->call)) {
		s->nr_inner++;
		return;
	}
	/* The one under way did not return, or a signal's handler came in between. */
	if (s->wanted) {
		miss(LENS_LOST_RETURN);
		return;
	}
	if (drops || is_wait(call))
		let_go(s, lock, call);
	if (!drops)
		ask_for(s, lock, call, ctx);
}

/* A return without a begin: that came before the lens did, or was missed. */
static __always_inline void end_unknown(struct lens_state *s, int anew, __u64 call)
{
	if (anew)
		s->nr_stray = outer_calls(call);
	else if (s->nr_stray)
		s->nr_stray--;
	else
		miss(LENS_LOST_RETURN);
}

SEC("uretprobe")
int lens_return(struct pt_regs *ctx)
{
	__u64 call = bpf_get_attach_cookie(ctx);
	struct lens_state *s;
	int anew;

	if (is_off(ctx) || is_of_another(call))
		return 0;
	s = current_state(&anew);
	if (!s)
		return 0;
	if (!s->wanted)
		end_unknown(s, anew, call);
	else if (s->nr_inner)
		s->nr_inner--;
	else
		end(s, PT_REGS_RC(ctx));
	return 0;
}

SEC("uprobe")
int lens_enter(struct pt_regs *ctx)
{
	__u64 call = bpf_get_attach_cookie(ctx);
	int drops = (call & LENS_CALL) == LENS_UNLOCK, anew;
	struct lens_state *s;
	__u64 lock;

	if (is_off(ctx) || is_of_another(call))
		return 0;
	lock = lock_of_call(ctx, call);
	if (drops && call & LENS_SEM) {
		drop_unit(lock);
		return 0;
	}
	s = current_state(&anew);
	if (!s)
		return 0;
	/* It may have come to the probe before there was one at its return. */
	if (anew)
		s->nr_stray = drops ? 0 : 1 + outer_calls(call);
	else
		begin(s, lock, call, ctx);
	return 0;
}

SEC("raw_tp/sched_process_exit")
int lens_exit(void *ctx)
{
	__u32 tid = bpf_get_current_pid_tgid();

	(void)ctx;
	bpf_map_delete_elem(&states, &tid);
	return 0;
}

const char lens_license[] SEC("license") = "GPL";
