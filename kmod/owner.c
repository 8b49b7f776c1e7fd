// SPDX-License-Identifier: GPL-2.0
/*
 * owner - reads lock words of waits in flight, when a snapshot is taken.
 *
 * The lock can be freed as soon as its waiter has left: all reads are by
 * copy_from_kernel_nofault(), and the caller throws the result away unless
 * the wait is still the same after it.
 *
 * The bits of the words are private to kernel/locking; they are the same in
 * all kernels from 6.1 to 7.3.
 */
#include "owner.h"

#include <linux/mutex.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/rtmutex.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/semaphore.h>
#include <linux/string.h>
#include <linux/threads.h>
#include <linux/uaccess.h>

/* mutex.h: WAITERS 1, HANDOFF 2, PICKUP 4: handed to the task it names */
#define GL_MUTEX_BITS		7UL
#define GL_MUTEX_PICKUP		4UL
/* rwsem.c: of the owner word READER_OWNED 1, NONSPINNABLE 2; of the count */
#define GL_RWSEM_BITS		3UL
#define GL_RWSEM_READER_OWNED	1UL
#define GL_RWSEM_WRITER_LOCKED	1UL
#define GL_RWSEM_READERS		(~0xffUL & LONG_MAX)
/* rtmutex_common.h: HAS_WAITERS */
#define GL_RT_MUTEX_BITS		1UL

static bool peek(u64 address, unsigned long *word)
{
	return !copy_from_kernel_nofault(word, (void *)(unsigned long)address, sizeof(*word));
}

/*
 * Which task a word names. The task may be gone, its memory another's: it is
 * the owner only if its number leads back to it. A task loses its number while
 * it still runs the end of do_exit(): dead is only who will never run again.
 */
static void identify(unsigned long word, u32 state, struct gl_owner *owner)
{
	const struct task_struct *task = (void *)word, *found;
	unsigned int task_state;
	pid_t pid;

	if (copy_from_kernel_nofault(&task_state, &task->__state, sizeof(task_state)) ||
	    copy_from_kernel_nofault(&pid, &task->pid, sizeof(pid)) || pid <= 0)
		return;
	rcu_read_lock();
	found = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID);
	if (found == task) {
		owner->state = state;
		owner->tid = found->pid;
		owner->tgid = found->tgid;
		owner->start_ns = found->start_boottime;
		memcpy(owner->comm, found->comm, sizeof(owner->comm));
		owner->comm[sizeof(owner->comm) - 1] = '\0';
	} else if (state == GL_OWNER_KNOWN && task_state == TASK_DEAD) {
		owner->state = GL_OWNER_DEAD;
		owner->tid = pid;
	}
	rcu_read_unlock();
}

/* The word is read again after its task was looked up: one that moved is unknown. */
static void identify_exclusive(u64 address, unsigned long word, unsigned long bits,
			       struct gl_owner *owner)
{
	unsigned long again;

	if (!(word & ~bits)) {
		owner->state = GL_OWNER_FREE;
		return;
	}
	identify(word & ~bits, GL_OWNER_KNOWN, owner);
	if (!peek(address, &again) || (again & ~bits) != (word & ~bits))
		*owner = (struct gl_owner){ .state = GL_OWNER_UNKNOWN };
}

static void read_rt_mutex(u64 base, const struct task_struct *waiter, struct gl_owner *owner)
{
	u64 address = base + offsetof(struct rt_mutex_base, owner);
	unsigned long word;

	if (!peek(address, &word))
		return;
	identify_exclusive(address, word, GL_RT_MUTEX_BITS, owner);
	owner->handed = (word & ~GL_RT_MUTEX_BITS) == (unsigned long)waiter;
}

#ifdef CONFIG_PREEMPT_RT

/* rwlock_t and rw_semaphore: a writer owns the inner rtmutex, readers are a number. */
static void read_rwbase(u64 lock, const struct task_struct *waiter, struct gl_owner *owner)
{
	u64 readers = lock + offsetof(struct rwbase_rt, readers);
	int nr;

	if (copy_from_kernel_nofault(&nr, (void *)(unsigned long)readers, sizeof(nr)))
		return;
	if (nr == WRITER_BIAS)
		read_rt_mutex(lock + offsetof(struct rwbase_rt, rtmutex), waiter, owner);
}

#else /* !CONFIG_PREEMPT_RT */

static void read_mutex(u64 lock, const struct task_struct *waiter, struct gl_owner *owner)
{
	u64 address = lock + offsetof(struct mutex, owner);
	unsigned long word;

	if (!peek(address, &word))
		return;
	identify_exclusive(address, word, GL_MUTEX_BITS, owner);
	owner->handed = word & GL_MUTEX_PICKUP && (word & ~GL_MUTEX_BITS) == (unsigned long)waiter;
}

static void read_rwsem(u64 lock, struct gl_owner *owner)
{
	u64 address = lock + offsetof(struct rw_semaphore, owner);
	unsigned long count, word;

	if (!peek(lock + offsetof(struct rw_semaphore, count), &count) || !peek(address, &word))
		return;
	if (count & GL_RWSEM_WRITER_LOCKED) {
		/* Between taking the lock and writing its name the word is old. */
		if (word & ~GL_RWSEM_BITS && !(word & GL_RWSEM_READER_OWNED))
			identify_exclusive(address, word, GL_RWSEM_BITS, owner);
	} else if (!(count & GL_RWSEM_READERS)) {
		owner->state = GL_OWNER_FREE;
	} else if (word & ~GL_RWSEM_BITS && word & GL_RWSEM_READER_OWNED) {
		identify(word & ~GL_RWSEM_BITS, GL_OWNER_HINT, owner);
	}
}

#endif /* CONFIG_PREEMPT_RT */

static void read_semaphore(u64 lock, struct gl_owner *owner)
{
#ifdef CONFIG_DETECT_HUNG_TASK_BLOCKER
	unsigned long word;

	if (peek(lock + offsetof(struct semaphore, last_holder), &word) && word)
		identify(word, GL_OWNER_HINT, owner);
#else
	owner->state = GL_OWNER_NONE;
#endif
}

/* The word that names the owner of a lock of this kind; 0: none does so for sure. */
static __always_inline u64 owner_word(u32 kind, u64 lock)
{
#ifdef CONFIG_PREEMPT_RT
	if (kind == GL_KIND_RWLOCK_RT_R || kind == GL_KIND_RWLOCK_RT_W)
		return lock + offsetof(struct rwbase_rt, rtmutex.owner);
#else
	if (kind == GL_KIND_MUTEX)
		return lock + offsetof(struct mutex, owner);
	if (kind == GL_KIND_RWSEM_R || kind == GL_KIND_RWSEM_W)
		return lock + offsetof(struct rw_semaphore, owner);
#endif
	return kind == GL_KIND_RTMUTEX ? lock + offsetof(struct rt_mutex_base, owner) : 0;
}

/**
 * gl_owner_peek() - who holds a lock in whose slow path the current task is
 * @kind: enum gl_kind
 * @lock: its address
 * @tid: gets the owner's number; left alone if unknown
 * @tgid: gets its process
 *
 * A moment's view, to count by it and never to prove anything. All kinds
 * keep flags in the low three bits at most, and of a reader's lock one that says
 * that its name is no owner's.
 *
 * Context: any, preemption disabled.
 */
notrace void gl_owner_peek(u32 kind, u64 lock, s32 *tid, s32 *tgid)
{
	u64 address = owner_word(kind, lock);
	const struct task_struct *task;
	unsigned long word;
	pid_t pids[2];

	if (!address || !peek(address, &word))
		return;
	if ((kind == GL_KIND_RWSEM_R || kind == GL_KIND_RWSEM_W) && word & GL_RWSEM_READER_OWNED)
		return;
	task = (void *)(word & ~GL_MUTEX_BITS);
	if (!task || task == current ||
	    copy_from_kernel_nofault(&pids[0], &task->pid, sizeof(pids[0])) ||
	    copy_from_kernel_nofault(&pids[1], &task->tgid, sizeof(pids[1])))
		return;
	/* Nonsense was no task. */
	if (pids[0] <= 0 || pids[0] >= PID_MAX_LIMIT || pids[1] <= 0 || pids[1] >= PID_MAX_LIMIT)
		return;
	*tid = pids[0];
	*tgid = pids[1];
}

/**
 * gl_owner_is_set() - does anybody hold a mutex in whose slow path the current task is?
 * @mutex: its address; not on PREEMPT_RT, where it is an rt_mutex
 *
 * Context: any, preemption disabled.
 *
 * Return: true if there is one, or it is on its way to one.
 */
notrace bool gl_owner_is_set(u64 mutex)
{
#ifdef CONFIG_PREEMPT_RT
	return false;
#else
	unsigned long word;

	return peek(mutex + offsetof(struct mutex, owner), &word) && word & ~GL_MUTEX_BITS;
#endif
}

/**
 * gl_owner_read() - who holds a lock
 * @kind: enum gl_kind
 * @lock: its address
 * @waiter: the task that waits for it
 * @owner: gets the answer
 *
 * Context: process; takes rcu_read_lock(). The lock may be gone.
 */
void gl_owner_read(u32 kind, u64 lock, const struct task_struct *waiter, struct gl_owner *owner)
{
	*owner = (struct gl_owner){ .state = GL_OWNER_UNKNOWN };
	switch (kind) {
#ifdef CONFIG_PREEMPT_RT
	case GL_KIND_RWLOCK_RT_R:
	case GL_KIND_RWLOCK_RT_W:
		read_rwbase(lock, waiter, owner);
		break;
#else
	case GL_KIND_MUTEX:
		read_mutex(lock, waiter, owner);
		break;
	case GL_KIND_RWSEM_R:
	case GL_KIND_RWSEM_W:
		read_rwsem(lock, owner);
		break;
#endif
	case GL_KIND_RTMUTEX:
		read_rt_mutex(lock, waiter, owner);
		break;
	case GL_KIND_SEMAPHORE:
		read_semaphore(lock, owner);
		break;
	default:
		owner->state = GL_OWNER_NONE;
	}
}
