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

struct sem {
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
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LENS_MAX_SEMS);
	__type(key, struct holder_key);
	__type(value, struct sem);
} sems SEC(".maps");

static const struct sem no_sem;

static __always_inline struct sem *row_of_sem(__u64 lock)
{
	struct holder_key key = holder_key_of(lock);
	struct sem *sem = bpf_map_lookup_elem(&sems, &key);
	__u64 nr_missed = lens_missed + lens_doubts;

	if (!sem) {
		bpf_map_update_elem(&sems, &key, &no_sem, BPF_NOEXIST);
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
	}
	return sem;
}

/* Other processes may have one that is shared, and what they do is not seen here. */
static __always_inline int is_the_only_unit(const __u32 *word, __u64 call)
{
	return !(word[SEM_VALUE] & SEM_VALUE_MASK) && !word[SEM_SHARING] == !(call & LENS_MUSL);
}

/* The current thread has taken a unit. */
static __always_inline void note_unit(__u64 lock, __u64 site, __u64 call)
{
	struct sem *sem = row_of_sem(lock);
	__u32 word[SEM_WORDS] = { 0 };

	if (!sem)
		return;
	/* The page may be about to be moved: this time it is not known. */
	if (bpf_probe_read_user(word, sizeof(word), (void *)(lock & LENS_ADDR))) {
		sem->tid = 0;
		return;
	}
	if (sem->tid || !is_the_only_unit(word, call))
		sem->nobodys = 1;
	sem->site = site;
	sem->since_ns = bpf_ktime_get_ns();
	sem->tid = bpf_get_current_pid_tgid();
}

/* It posts one: also from a signal's handler, in the midst of any other call. */
static __always_inline void post(__u64 lock)
{
	struct sem *sem = row_of_sem(lock);

	if (!sem)
		return;
	if (!sem->tid) {
		/* Who took it was not seen: it may be a signal to others. */
		sem->nr_own = 0;
	} else if (sem->tid != (__u32)bpf_get_current_pid_tgid()) {
		sem->nobodys = 1;
	} else if (!sem->nobodys) {
		sem->nr_own++;
		note_hold(lock, sem->site, sem->since_ns);
	}
	sem->tid = 0;
}

/* Who has it, if it is a lock; since when: @since_ns. */
static __always_inline __u32 who_has_sem(__u64 lock, __u64 *since_ns)
{
	struct holder_key key = holder_key_of(lock);
	const struct sem *sem = bpf_map_lookup_elem(&sems, &key);

	if (!sem || sem->nobodys || !sem->nr_own || sem->nr_missed != lens_missed + lens_doubts)
		return 0;
	*since_ns = sem->since_ns;
	return sem->tid;
}

#endif /* LENS_SEMS_BPF_H */
