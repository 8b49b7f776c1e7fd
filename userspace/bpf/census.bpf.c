// SPDX-License-Identifier: GPL-2.0
/*
 * census - the part in the kernel: one record for each thread of the machine. Since
 * Linux 6.10 a program can go through the lists of threads by itself, into memory that
 * the reader has, too; before, it is called with one after the other by an iterator,
 * which looks each number up and takes five times as long.
 */
#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "census_abi.h"

/* Of the kernel's, what is read here. */
struct sched_entity {
	__u64 sum_exec_runtime;
} __attribute__((preserve_access_index));

struct mm_struct;
struct files_struct;

struct list_head {
	struct list_head *next;
} __attribute__((preserve_access_index));

struct signal_struct {
	struct list_head thread_head;
} __attribute__((preserve_access_index));

struct task_struct {
	unsigned int __state;
	int on_cpu;
	int prio;
	int static_prio;
	unsigned int rt_priority;
	unsigned int policy;
	int pid;
	int tgid;
	unsigned long nvcsw;
	unsigned long nivcsw;
	__u64 start_boottime;
	struct sched_entity se;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct signal_struct *signal;
	struct list_head tasks;
	struct list_head thread_node;
	struct mm_struct *mm;
	struct files_struct *files;
	char comm[CENSUS_COMM_LEN];
} __attribute__((preserve_access_index));

#include "walk.bpf.h"

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
} __attribute__((preserve_access_index));

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
} __attribute__((preserve_access_index));

/* Of the walk; the reader says how many there is room for. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct census_record);
} records SEC(".maps");

static __always_inline __u64 nr_switches(const struct task_struct *t)
{
	return *(volatile unsigned long *)&t->nvcsw + *(volatile unsigned long *)&t->nivcsw;
}

/* An int, or one byte in later kernels: read as wide as it is. */
static __always_inline __u32 is_on_cpu(const struct task_struct *t)
{
	__u64 on_cpu;

	/* A kernel for one CPU may do without. */
	if (!bpf_core_field_exists(t->on_cpu))
		return 1;
	barrier();
	on_cpu = BPF_CORE_READ_BITFIELD(t, on_cpu);
	barrier();
	return !!on_cpu;
}

/*
 * A switch is counted before on_cpu is cleared, and x86 loads in order. So a thread
 * that is off the CPU between two readings of one count had left it by the first
 * one; and the next time that it leaves a CPU the count is another.
 */
static __always_inline void tell(const struct task_struct *t, struct census_record *record)
{
	__u64 switches = nr_switches(t);

	barrier();
	record->nr_switches = switches;
	record->task = (__u64)t;
	record->mm = (__u64)t->mm;
	record->files = (__u64)t->files;
	record->start_ns = t->start_boottime;
	record->run_ns = t->se.sum_exec_runtime;
	record->tid = t->pid;
	record->tgid = t->tgid;
	record->ppid = t->real_parent->tgid;
	record->state = t->__state;
	record->policy = t->policy;
	record->prio = t->prio;
	record->static_prio = t->static_prio;
	record->rt_priority = t->rt_priority;
	__builtin_memcpy(record->comm, t->comm, sizeof(record->comm));
	record->on_cpu = is_on_cpu(t) | (nr_switches(t) != switches);
}

SEC("iter/task")
int census_tell(struct bpf_iter__task *ctx)
{
	struct task_struct *t = ctx->task;
	struct census_record record = { 0 };

	if (!t)
		return 0;
	tell(t, &record);
	bpf_seq_write(ctx->meta->seq, &record, sizeof(record));
	return 0;
}

/* Where a piece is to begin; NULL: who was there is gone, and may have left its number. */
static __always_inline struct task_struct *thread_of(const struct census_border *border)
{
	struct task_struct *t;

	if (!border->tid)
		return first_thread();
	t = find_thread(border->tid);
	if (!t || (__u64)t != border->task || t->start_boottime != border->start_ns)
		return NULL;
	return t;
}

/* Tell of some threads, from the border on; says what came of it. */
static __always_inline __u32 tell_some(struct census_piece *piece)
{
	struct task_struct *t = thread_of(&piece->from);
	struct bpf_iter_num it;
	__u32 at = piece->from.nr, outcome = CENSUS_MORE;

	if (!t)
		return CENSUS_GONE;
	bpf_iter_num_new(&it, 0, CENSUS_PIECE);
	while (bpf_iter_num_next(&it)) {
		struct census_record *record;

		record = bpf_map_lookup_elem(&records, &at);
		if (!record) {
			outcome = CENSUS_FULL;
			break;
		}
		tell(t, record);
		at++;
		t = next_thread(t);
		if (is_end(t)) {
			outcome = CENSUS_END;
			break;
		}
	}
	bpf_iter_num_destroy(&it);
	piece->to.nr = at;
	piece->to.task = (__u64)t;
	piece->to.start_ns = t->start_boottime;
	piece->to.tid = t->pid;
	return outcome;
}

SEC("syscall")
int census_walk(struct census_piece *piece)
{
	bpf_rcu_read_lock();
	piece->outcome = tell_some(piece);
	bpf_rcu_read_unlock();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
