/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lens_holders - who took a lock last, and has it still, where its own words may not
 * tell: an rwlock names a writer at most, musl's and its plain mutex nobody. For
 * lens.bpf.c only.
 *
 * It is noted after the taking and struck out before the dropping: whoever is found
 * here has the lock. One of several readers is, or none.
 */
#ifndef LENS_HOLDERS_BPF_H
#define LENS_HOLDERS_BPF_H

struct holder {
	/** @since_ns: ns CLOCK_MONOTONIC */
	__u64 since_ns;
	__u32 tid;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LENS_MAX_HOLDERS);
	__type(key, struct lens_lock_key);
	__type(value, struct holder);
} holders SEC(".maps");

static __always_inline struct lens_lock_key lock_key_of(__u64 lock)
{
	struct lens_lock_key key = { .addr = lock & LENS_ADDR };

	key.tgid = bpf_get_current_pid_tgid() >> 32;
	return key;
}

/* Return: is there no room? */
static __always_inline int note_holder(__u64 lock)
{
	struct lens_lock_key key = lock_key_of(lock);
	struct holder new = { .tid = bpf_get_current_pid_tgid() };

	new.since_ns = bpf_ktime_get_ns();
	return bpf_map_update_elem(&holders, &key, &new, BPF_ANY) != 0;
}

/* Does the lock that is called for, by enum lens_call, name too few to go by? */
static __always_inline int may_be_nameless(__u64 call)
{
	return (call & (LENS_RWLOCK | LENS_MUSL | LENS_SEM)) != 0;
}

/* Is it noted here who has it? Of a semaphore that is with what makes it a lock. */
static __always_inline int has_holder(__u64 call)
{
	return may_be_nameless(call) && !(call & LENS_SEM);
}

/* Another reader may come in between: that one is then not known, and no harm is done. */
static __always_inline void forget_holder(__u64 lock)
{
	struct lens_lock_key key = lock_key_of(lock);
	struct holder *h = bpf_map_lookup_elem(&holders, &key);

	if (h && h->tid == (__u32)bpf_get_current_pid_tgid())
		bpf_map_delete_elem(&holders, &key);
}

/* 0: nobody is known to have it; since when: @since_ns. */
static __always_inline __u32 who_has(__u64 lock, __u64 *since_ns)
{
	struct lens_lock_key key = lock_key_of(lock);
	const struct holder *h = bpf_map_lookup_elem(&holders, &key);

	if (!h)
		return 0;
	*since_ns = h->since_ns;
	return h->tid;
}

#endif /* LENS_HOLDERS_BPF_H */
