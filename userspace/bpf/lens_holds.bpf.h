/* SPDX-License-Identifier: GPL-2.0 */
/* lens_holds - how long locks were held, summed in the kernel; for lens.bpf.c only */
#ifndef LENS_HOLDS_BPF_H
#define LENS_HOLDS_BPF_H

/* Others that raise a maximum at the same time, and do it first. */
#define MAX_RIVALS	8

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LENS_MAX_HOLDS);
	__type(key, struct lens_hold_key);
	__type(value, struct lens_hold);
} holds SEC(".maps");

/** @lens_holds_lost: holds that found no room */
__u64 lens_holds_lost;

static const struct lens_hold no_hold;

/* The logarithm to base 2. */
static __always_inline __u32 slot_of(__u64 ns)
{
	__u32 slot = 0;

	for (__u32 bits = 32; bits; bits /= 2) {
		if (ns >> bits) {
			ns >>= bits;
			slot += bits;
		}
	}
	return slot < LENS_HOLD_SLOTS ? slot : LENS_HOLD_SLOTS - 1;
}

static __always_inline void raise_to(__u64 *max, __u64 ns)
{
	for (__u32 i = 0; i < MAX_RIVALS; i++) {
		__u64 old = *max;

		if (ns <= old || __sync_val_compare_and_swap(max, old, ns) == old)
			return;
	}
}

static __always_inline struct lens_hold *row_of_hold(const struct lens_hold_key *key)
{
	struct lens_hold *h = bpf_map_lookup_elem(&holds, key);

	if (h)
		return h;
	bpf_map_update_elem(&holds, key, &no_hold, BPF_NOEXIST);
	return bpf_map_lookup_elem(&holds, key);
}

/* It is dropped: other threads may be about to sum up theirs of the same lock. */
static __always_inline void note_hold(__u64 lock, __u64 site, __u64 since_ns)
{
	__u64 ns = bpf_ktime_get_ns() - since_ns;
	struct lens_hold_key key = { .addr = lock, .site = site };
	struct lens_hold *h;

	key.tgid = bpf_get_current_pid_tgid() >> 32;
	h = row_of_hold(&key);
	if (!h) {
		__sync_fetch_and_add(&lens_holds_lost, 1);
		return;
	}
	__sync_fetch_and_add(&h->nr, 1);
	__sync_fetch_and_add(&h->total_ns, ns);
	__sync_fetch_and_add(&h->slot[slot_of(ns)], 1);
	raise_to(&h->max_ns, ns);
}

#endif /* LENS_HOLDS_BPF_H */
