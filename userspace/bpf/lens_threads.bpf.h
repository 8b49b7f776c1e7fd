/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lens_threads - what is known of each thread that calls: which locks it holds, and since
 * when that is to be believed. For lens.bpf.c only.
 */
#ifndef LENS_THREADS_BPF_H
#define LENS_THREADS_BPF_H

/* Of the kernel's, what is read here. */
struct task_struct {
	__u64 start_time;
	__u64 self_exec_id;
} __attribute__((preserve_access_index));

/** @lens_missed: calls that were not seen, or not understood */
__u64 lens_missed;
/** @lens_doubts: times that the reader found that there were more of them */
__u64 lens_doubts;

/*
 * Memory for all is taken beforehand: a kernel whose locks sleep has none to give
 * in the midst of a program.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LENS_MAX_TASKS);
	__type(key, __u32);
	__type(value, struct lens_state);
} states SEC(".maps");

static const struct lens_state no_state;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NR_LENS_COUNTS);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");

static __always_inline void count(__u32 what)
{
	__u64 *nr = bpf_map_lookup_elem(&counts, &what);

	if (nr)
		__sync_fetch_and_add(nr, 1);
}

/* One that matters to all: it may have taken a lock or dropped one. */
static __always_inline void miss(__u32 what)
{
	count(what);
	__sync_fetch_and_add(&lens_missed, 1);
}

static __always_inline void begin_epoch(struct lens_state *s)
{
	s->epoch_ns = bpf_ktime_get_ns();
}

/* What it holds by now is not known. */
static __always_inline void begin_anew(struct lens_state *s, __u64 nr_missed)
{
	s->nr_missed = nr_missed;
	s->nr_held = 0;
	s->nr_unknown = 0;
	s->wanted = 0;
	s->nr_inner = 0;
	s->nr_stray = 0;
	begin_epoch(s);
}

/* Its own row, which no other thread touches, and which it alone gives back. */
static __always_inline struct lens_state *row_of_current(void)
{
	__u32 tid = bpf_get_current_pid_tgid();
	struct lens_state *s = bpf_map_lookup_elem(&states, &tid);

	if (s)
		return s;
	bpf_map_update_elem(&states, &tid, &no_state, BPF_NOEXIST);
	return bpf_map_lookup_elem(&states, &tid);
}

/* @anew: set if this is the first that is believed of the thread */
static __always_inline struct lens_state *current_state(int *anew)
{
	struct task_struct *task = bpf_get_current_task_btf();
	__u64 nr_missed = lens_missed + lens_doubts;
	struct lens_state *s;
	__u64 start_ns, exec_id;

	*anew = 0;
	s = row_of_current();
	if (!s) {
		miss(LENS_LOST_TASK);
		return NULL;
	}
	start_ns = task->start_time;
	exec_id = task->self_exec_id;
	if (!s->since_ns || s->start_ns != start_ns || s->exec_id != exec_id) {
		s->start_ns = start_ns;
		s->exec_id = exec_id;
		s->since_ns = bpf_ktime_get_ns();
		*anew = 1;
	} else if (s->nr_missed != nr_missed) {
		*anew = 1;
	}
	if (*anew)
		begin_anew(s, nr_missed);
	return s;
}

/*
 * However it was taken: the call that drops it does not say, and nobody has it both ways.
 *
 * A function by itself, not static: the kernel then proves it once, and not anew with all
 * that it may answer wherever it is called, which takes several times as long.
 */
__noinline int place_of(const struct lens_state *s, __u64 lock)
{
	int place = -1;

	if (!s)
		return -1;
	for (__u32 i = 0; i < LENS_MAX_HELD; i++)
		if (i < s->nr_held && !((s->held[i].addr ^ lock) & LENS_ADDR))
			place = i;
	return place;
}

#endif /* LENS_THREADS_BPF_H */
