/* SPDX-License-Identifier: GPL-2.0 */
/*
 * walk - through the kernel's lists of threads, from any of them on; since Linux 6.10.
 *
 * A process has its place in the list of all where it was made, and a thread in that of
 * its process: new ones come last, and only execve(2) puts one in the place of another,
 * of the same process. What the lists say is there as long as one goes through them by
 * RCU, from a thread on that was in them then.
 */
#ifndef WALK_BPF_H
#define WALK_BPF_H

/* Parents of parents, of the reader. */
#define MAX_ANCESTORS	4096

/* As large as the kernel's. */
struct bpf_iter_num {
	__u64 opaque;
};

/* Only who takes the walk needs it. */
#define MAY_LACK __ksym __weak

MAY_LACK int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end);
MAY_LACK int *bpf_iter_num_next(struct bpf_iter_num *it);
MAY_LACK void bpf_iter_num_destroy(struct bpf_iter_num *it);
MAY_LACK void bpf_rcu_read_lock(void);
MAY_LACK void bpf_rcu_read_unlock(void);
MAY_LACK struct task_struct *bpf_task_from_pid(int pid);
MAY_LACK void bpf_task_release(struct task_struct *t);
MAY_LACK void *bpf_rdonly_cast(const void *address, __u32 type);

/* The thread at that address: to be read only, and 0 where there is nothing. */
static __always_inline struct task_struct *thread_at(const void *address)
{
	return bpf_rdonly_cast(address, bpf_core_type_id_kernel(struct task_struct));
}

/*
 * Who has that number, or NULL. It loses the number before it leaves the lists, so it
 * is in them at some moment of this RCU section.
 */
static __always_inline struct task_struct *find_thread(int tid)
{
	struct task_struct *found = bpf_task_from_pid(tid), *t;

	if (!found)
		return NULL;
	t = thread_at(found);
	bpf_task_release(found);
	return t;
}

/* The next one of the process, or the first one of the next process. */
static __always_inline struct task_struct *next_thread(const struct task_struct *t)
{
	const struct list_head *link = t->thread_node.next;

	if (link != &t->signal->thread_head)
		return thread_at((const char *)link -
				 bpf_core_field_offset(struct task_struct, thread_node));
	link = t->group_leader->tasks.next;
	return thread_at((const char *)link - bpf_core_field_offset(struct task_struct, tasks));
}

/* What a CPU does that has nothing to do: the list ends where it begins. */
static __always_inline bool is_end(const struct task_struct *t)
{
	/* Where nothing can be read it is 0 all over. */
	return !t->pid && t->group_leader == t;
}

/*
 * The first thread of all; NULL if it is not found. The list hangs on the first idle task,
 * of which everybody is a descendant. There need be nobody who has the number 1.
 */
static __always_inline struct task_struct *first_thread(void)
{
	struct task_struct *t = thread_at(bpf_get_current_task_btf()), *first = NULL;
	struct bpf_iter_num it;

	bpf_iter_num_new(&it, 0, MAX_ANCESTORS);
	while (bpf_iter_num_next(&it)) {
		if (is_end(t)) {
			first = next_thread(t);
			break;
		}
		t = thread_at(t->real_parent);
	}
	bpf_iter_num_destroy(&it);
	return first;
}

#endif /* WALK_BPF_H */
