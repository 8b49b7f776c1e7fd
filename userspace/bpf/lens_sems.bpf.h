/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lens_sems - who has a semaphore, as far as one can be had; for lens.bpf.c only.
 *
 * It has no owner, and most have none in any sense: there are several units, or who posts
 * one is not who took it. But one with a single unit, that whoever took it posts, is a
 * lock, and has who took it last. What was seen of it so far has to be of that kind.
 */
#ifndef LENS_SEMS_BPF_H
#define LENS_SEMS_BPF_H

/* glibc: the value, waiters, is it shared. musl: the value and a bit, waiters, is it not. */
#define SEM_VALUE	0
#define SEM_SHARING	2
#define SEM_WORDS	3
#define SEM_VALUE_MASK	0x7fffffff

/* CLOCK_MONOTONIC: linux/time.h does not get on with the C library's headers. */
#define MONOTONIC	1

#define NS_PER_SEC	1000000000
/* In ns it still fits; in the year 2242. */
#define LATEST_SEC	(1LL << 33)

/* A call that ends so much before its time may well end for that; ns. */
#define DEADLINE_SLACK	1000000

/*
 * A program may make ever new ones: for want of room what was not called for longest is
 * forgotten, and has to be seen to be a lock anew.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, LENS_MAX_SEMS);
	__type(key, struct lens_lock_key);
	__type(value, struct lens_sem);
} sems SEC(".maps");

/** @lens_sems_made: rows, those included that were forgotten since */
__u64 lens_sems_made;
/** @lens_realtime_ns: CLOCK_REALTIME less CLOCK_MONOTONIC, as of the latest look */
__s64 lens_realtime_ns;

static const struct lens_sem no_sem;

static __always_inline struct lens_sem *row_of_sem(__u64 lock)
{
	struct lens_lock_key key = lock_key_of(lock);
	struct lens_sem *sem = bpf_map_lookup_elem(&sems, &key);
	__u64 nr_missed = lens_missed + lens_doubts;

	if (!sem) {
		if (!bpf_map_update_elem(&sems, &key, &no_sem, BPF_NOEXIST))
			__sync_fetch_and_add(&lens_sems_made, 1);
		sem = bpf_map_lookup_elem(&sems, &key);
	}
	if (!sem) {
		count(LENS_LOST_SEM);
		return NULL;
	}
	/* A call that was missed may have been for this one. */
	if (sem->nr_missed != nr_missed) {
		sem->nr_missed = nr_missed;
		sem->tid = 0;
		sem->nr_own = 0;
		sem->nobodys = 0;
		sem->poster = 0;
	}
	return sem;
}

/* Other processes may have one that is shared, and what they do is not seen here. */
static __always_inline int is_the_only_unit(const __u32 *word, __u64 call)
{
	return !(word[SEM_VALUE] & SEM_VALUE_MASK) && !word[SEM_SHARING] == !(call & LENS_MUSL);
}

/* The current thread has taken a unit. Return: of one that is known to be a lock? */
static __always_inline int note_unit(__u64 lock, __u64 site, __u64 call)
{
	struct lens_sem *sem = row_of_sem(lock);
	__u32 word[SEM_WORDS] = { 0 };

	if (!sem)
		return 0;
	/* The page may be about to be moved: this time it is not known. */
	if (bpf_probe_read_user(word, sizeof(word), (void *)(lock & LENS_ADDR))) {
		sem->tid = 0;
		sem->poster = 0;
		return 0;
	}
	if (sem->tid || !is_the_only_unit(word, call))
		sem->nobodys = 1;
	sem->site = site;
	sem->since_ns = bpf_ktime_get_ns();
	sem->tid = bpf_get_current_pid_tgid();
	return sem->nr_own && !sem->nobodys;
}

/*
 * The current thread posts one: also from a signal's handler, in the midst of any other
 * call. Return: may it have held a lock until now, as far as is known?
 */
static __always_inline int post(__u64 lock)
{
	struct lens_sem *sem = row_of_sem(lock);
	__u32 tid = bpf_get_current_pid_tgid();
	int held = 0;

	/* There was no room to note who took it, either. */
	if (!sem)
		return 1;
	if (!sem->tid) {
		/*
		 * Who took it was not seen: it may be a signal to others. Or this thread
		 * did, by its first call or before that: so once only.
		 */
		held = !sem->nobodys && (sem->nr_own || sem->poster != tid);
		sem->nr_own = 0;
		sem->poster = tid;
	} else if (sem->tid != tid) {
		sem->nobodys = 1;
	} else if (!sem->nobodys) {
		held = 1;
		sem->nr_own++;
		note_hold(lock, sem->site, sem->since_ns);
	}
	sem->tid = 0;
	return held;
}

/* Is it not known to be none? That it is one may show later. */
static __always_inline int may_be_lock(__u64 lock)
{
	struct lens_lock_key key = lock_key_of(lock);
	const struct lens_sem *sem = bpf_map_lookup_elem(&sems, &key);

	return !sem || !sem->nobodys;
}

/*
 * How long the call waits at most, of those that tell why they failed in errno alone. To
 * be called with its arguments; ns CLOCK_MONOTONIC; 0: for ever, or not known, or it does
 * not wait, as there is no such time or clock.
 */
static __always_inline __s64 deadline_of(__u64 call, __u64 second, __u64 third)
{
	void *time = (void *)(call & LENS_CLOCKED ? third : second);
	__u32 clock = call & LENS_CLOCKED ? second : 0;
	__s64 at[2], ns;

	if (!(call & (LENS_TIMED | LENS_CLOCKED)) || clock > MONOTONIC ||
	    bpf_probe_read_user(at, sizeof(at), time) || at[0] > LATEST_SEC ||
	    (__u64)at[1] >= NS_PER_SEC)
		return 0;
	/* That is over, too, and further back need not be told apart. */
	if (at[0] < 0)
		return 1;
	ns = at[0] * NS_PER_SEC + at[1];
	if (clock != MONOTONIC)
		ns -= lens_realtime_ns;
	return ns ?: 1;
}

/* Has it failed for want of a unit? It may have been a signal that ended the wait. */
static __always_inline int is_refused_unit(__u64 call, __s64 deadline_ns)
{
	if ((call & LENS_CALL) != LENS_TRY)
		return 0;
	if (!(call & (LENS_TIMED | LENS_CLOCKED)))
		return 1;
	return deadline_ns && deadline_ns <= (__s64)bpf_ktime_get_ns() + DEADLINE_SLACK;
}

/* Who has it, if it is a lock; since when: @since_ns. */
static __always_inline __u32 who_has_sem(__u64 lock, __u64 *since_ns)
{
	struct lens_lock_key key = lock_key_of(lock);
	const struct lens_sem *sem = bpf_map_lookup_elem(&sems, &key);

	if (!sem || sem->nobodys || !sem->nr_own || sem->nr_missed != lens_missed + lens_doubts)
		return 0;
	*since_ns = sem->since_ns;
	return sem->tid;
}

#endif /* LENS_SEMS_BPF_H */
