// SPDX-License-Identifier: GPL-2.0
/*
 * count - the part in the kernel: waits for locks as two tracepoints tell them, by the
 * flags that they began with.
 *
 * That an end tells no flags, and that a mutex is waited for in phases, each of which
 * begins anew, is all that is made of the events here.
 */
#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#include "count.h"

/** @forget: of a wait that began with these flags, one end goes by unseen */
const volatile __s64 forget = FORGET_NONE;
__u64 nr_forgotten;

/** struct wait_key - a task and what it waits for; in an interrupt, the task below */
struct wait_key {
	__u64 task;
	__u64 lock;
};

/**
 * struct wait - begun and not ended; flags and FLAGS_BEGUN, or 0
 *
 * A lock that sleeps may begin with the spinlock that guards it: who waits for the
 * one then spins for the other, at the same address.
 */
struct wait {
	__u32 sleeps;
	__u32 spins;
};

#define FLAGS_BEGUN	(1U << 31)

/* Memory for all is taken beforehand: no program asks for any. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_WAITS);
	__type(key, struct wait_key);
	__type(value, struct wait);
} waits SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_FLAGS);
	__type(key, __u32);
	__type(value, struct count);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct unmatched);
} unmatched SEC(".maps");

static __always_inline struct unmatched *get_unmatched(void)
{
	__u32 index = 0;

	return bpf_map_lookup_elem(&unmatched, &index);
}

static __always_inline bool only_spins(__u32 flags)
{
	return (flags & (FLAG_SPIN | FLAG_MUTEX)) == FLAG_SPIN;
}

static __always_inline struct wait_key key_of(__u64 lock)
{
	return (struct wait_key){ .task = bpf_get_current_task(), .lock = lock };
}

SEC("raw_tp/contention_begin")
int count_begin(struct bpf_raw_tracepoint_args *ctx)
{
	struct wait_key key = key_of(ctx->args[0]);
	__u32 flags = ctx->args[1] & (NR_FLAGS - 1);
	struct wait *old = bpf_map_lookup_elem(&waits, &key);
	struct wait wait = old ? *old : (struct wait){ 0 };
	struct unmatched *none = get_unmatched();
	struct count *count;

	/* The next phase of a wait that is counted. */
	if (flags & FLAG_MUTEX && wait.sleeps)
		return 0;
	count = bpf_map_lookup_elem(&counts, &flags);
	if (count)
		count->begun++;
	if (only_spins(flags))
		wait.spins = flags | FLAGS_BEGUN;
	else
		wait.sleeps = flags | FLAGS_BEGUN;
	if (bpf_map_update_elem(&waits, &key, &wait, BPF_ANY) && none)
		none->no_room++;
	return 0;
}

SEC("raw_tp/contention_end")
int count_end(struct bpf_raw_tracepoint_args *ctx)
{
	struct wait_key key = key_of(ctx->args[0]);
	struct wait *wait = bpf_map_lookup_elem(&waits, &key);
	struct unmatched *none = get_unmatched();
	struct count *count;
	__u32 flags;

	if (!wait) {
		if (none)
			none->strays++;
		return 0;
	}
	/* What was begun last ends first. */
	flags = (wait->spins ?: wait->sleeps) & ~FLAGS_BEGUN;
	if (wait->spins)
		wait->spins = 0;
	else
		wait->sleeps = 0;
	if (!wait->sleeps)
		bpf_map_delete_elem(&waits, &key);
	if (flags == forget && !__sync_fetch_and_add(&nr_forgotten, 1))
		return 0;
	count = bpf_map_lookup_elem(&counts, &flags);
	if (!count)
		return 0;
	count->ended++;
	if ((int)ctx->args[1] < 0)
		count->failed++;
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
