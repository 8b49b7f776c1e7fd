// SPDX-License-Identifier: GPL-2.0
/*
 * slowpath - walks a sleeper's kernel stack and looks for the function that
 * waits for its kind of lock.
 *
 * A live slot alone does not prove a wait: its end may have been missed.
 * /proc's wchan and stack cannot tell, as they leave out the functions of the
 * scheduler and with them those of most locks.
 */
#include "slowpath.h"

#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/string.h>

#ifdef CONFIG_UNWINDER_ORC
#include <asm/unwind.h>
#endif

#include "limits.h"
#include "uapi/gridlock.h"

/* Kinds that share functions: one bit each. */
#define FAMILY_MUTEX		BIT(0)
#define FAMILY_RWSEM		BIT(1)
#define FAMILY_RTMUTEX		BIT(2)
#define FAMILY_RWBASE		BIT(3)
#define FAMILY_SEMAPHORE	BIT(4)
#define FAMILY_PCPU		BIT(5)
#define FAMILY_FUTEX		BIT(6)
#define FAMILY_FUTEX_PI		BIT(7)
#define FAMILY_FILELOCK		BIT(8)
#define FAMILY_LEASE		BIT(9)

/*
 * The functions that sleep until the lock is had, and no others: a task may also
 * sleep in the functions around them, for memory or for another lock. Which ones
 * the compiler has inlined differs from kernel to kernel.
 */
static const struct {
	const char *name;
	unsigned long families;
} functions[] = {
	{ "__mutex_lock",				FAMILY_MUTEX },
	{ "__mutex_lock_slowpath",			FAMILY_MUTEX },
	{ "__mutex_lock_killable_slowpath",		FAMILY_MUTEX },
	{ "__mutex_lock_interruptible_slowpath",	FAMILY_MUTEX },
	{ "__ww_mutex_lock",				FAMILY_MUTEX },
	{ "__ww_mutex_lock_slowpath",			FAMILY_MUTEX },
	{ "__ww_mutex_lock_interruptible_slowpath",	FAMILY_MUTEX },
	{ "rwsem_down_read_slowpath",			FAMILY_RWSEM },
	{ "rwsem_down_write_slowpath",			FAMILY_RWSEM },
	{ "__rt_mutex_slowlock",			FAMILY_RTMUTEX },
	{ "__rt_mutex_slowlock_locked",			FAMILY_RTMUTEX },
	{ "rt_mutex_slowlock",				FAMILY_RTMUTEX },
	{ "rtlock_slowlock",				FAMILY_RTMUTEX },
	{ "rtlock_slowlock_locked",			FAMILY_RTMUTEX },
	/* Also for the rt_mutex inside the lock. */
	{ "rwbase_read_lock",				FAMILY_RWBASE | FAMILY_RTMUTEX },
	{ "__rwbase_read_lock",				FAMILY_RWBASE | FAMILY_RTMUTEX },
	{ "rwbase_write_lock",				FAMILY_RWBASE | FAMILY_RTMUTEX },
	{ "___down_common",				FAMILY_SEMAPHORE },
	{ "__down_common",				FAMILY_SEMAPHORE },
	{ "__down",					FAMILY_SEMAPHORE },
	{ "__down_interruptible",			FAMILY_SEMAPHORE },
	{ "__down_killable",				FAMILY_SEMAPHORE },
	{ "__down_timeout",				FAMILY_SEMAPHORE },
	{ "percpu_rwsem_wait",				FAMILY_PCPU },
	{ "__percpu_down_read",				FAMILY_PCPU },
	{ "percpu_down_write",				FAMILY_PCPU },
	{ "futex_wait_queue",				FAMILY_FUTEX },
	{ "futex_do_wait",				FAMILY_FUTEX },
	{ "rt_mutex_wait_proxy_lock",			FAMILY_FUTEX_PI },
	/* The waits for file locks are inlined in these; all sleep in their loop. */
	{ "locks_lock_inode_wait",			FAMILY_FILELOCK },
	{ "flock_lock_inode_wait",			FAMILY_FILELOCK },
	{ "posix_lock_inode_wait",			FAMILY_FILELOCK },
	{ "do_lock_file_wait",				FAMILY_FILELOCK },
	{ "fcntl_setlk",				FAMILY_FILELOCK },
	{ "__break_lease",				FAMILY_LEASE },
};

static unsigned long family_of_kind(u32 kind)
{
	switch (kind) {
	case GL_KIND_MUTEX:
		return FAMILY_MUTEX;
	case GL_KIND_RWSEM_R:
	case GL_KIND_RWSEM_W:
		return FAMILY_RWSEM;
	case GL_KIND_RTMUTEX:
		return FAMILY_RTMUTEX;
	case GL_KIND_RWLOCK_RT_R:
	case GL_KIND_RWLOCK_RT_W:
		return FAMILY_RWBASE;
	case GL_KIND_SEMAPHORE:
		return FAMILY_SEMAPHORE;
	case GL_KIND_PCPU_SEM_R:
	case GL_KIND_PCPU_SEM_W:
		return FAMILY_PCPU;
	case GL_KIND_FUTEX:
		return FAMILY_FUTEX;
	case GL_KIND_FUTEX_PI:
		return FAMILY_FUTEX_PI;
	case GL_KIND_FLOCK:
	case GL_KIND_POSIX:
	case GL_KIND_OFD:
		return FAMILY_FILELOCK;
	case GL_KIND_LEASE:
		return FAMILY_LEASE;
	default:
		return 0;
	}
}

#ifdef CONFIG_UNWINDER_ORC

/* What the compiler made of a function, "name.constprop.0", still is that function. */
static unsigned long families_of_name(const char *name)
{
	size_t len = strcspn(name, "."), i;

	for (i = 0; i < ARRAY_SIZE(functions); i++)
		if (strlen(functions[i].name) == len && !memcmp(name, functions[i].name, len))
			return functions[i].families;
	return 0;
}

/*
 * Which families a return address belongs to. Looking up a symbol takes
 * microseconds, and sleepers share most of their frames: remember some. An
 * entry packs the families above the address, so that it is read and written
 * at once; kernel text addresses have their 16 upper bits set.
 */
static unsigned long families_of_address(unsigned long address)
{
	static unsigned long cache[256];
	unsigned long *entry = &cache[hash_long(address, 8)];
	unsigned long seen = READ_ONCE(*entry), families;
	char name[KSYM_SYMBOL_LEN];

	if (seen && (seen | 0xffffUL << 48) == address)
		return seen >> 48;
	/* A call may be a function's last instruction: it returns behind it. */
	sprint_symbol_no_offset(name, address - 1);
	families = families_of_name(name);
	WRITE_ONCE(*entry, (address & ~(0xffffUL << 48)) | families << 48);
	return families;
}

/*
 * The return addresses on a task's stack. A module cannot hold a stack: when its
 * task has exited it goes back to a cache, from which a fork that is refused by
 * its memory cgroup, or a CPU that goes offline, unmaps it. Preemption is off, so
 * that all this would have to come to pass within the microseconds of a walk.
 */
static unsigned int save_stack(struct task_struct *task, unsigned long frames[GL_STACK_DEPTH])
{
	struct unwind_state state;
	unsigned int nr = 0;

	preempt_disable();
	if (READ_ONCE(task->stack)) {
		for (unwind_start(&state, task, NULL, NULL);
		     !unwind_done(&state) && nr < GL_STACK_DEPTH; unwind_next_frame(&state)) {
			frames[nr] = unwind_get_return_address(&state);
			if (!frames[nr])
				break;
			nr++;
		}
	}
	preempt_enable();
	return nr;
}

static enum gl_slowpath walk(struct task_struct *task, unsigned long wanted)
{
	unsigned long frames[GL_STACK_DEPTH];
	unsigned int nr = save_stack(task, frames), i;

	for (i = 0; i < nr; i++)
		if (families_of_address(frames[i]) & wanted)
			return GL_SLOWPATH_INSIDE;
	return nr ? GL_SLOWPATH_OUTSIDE : GL_SLOWPATH_UNKNOWN;
}

#else

static enum gl_slowpath walk(struct task_struct *task, unsigned long wanted)
{
	return GL_SLOWPATH_UNKNOWN;
}

#endif /* CONFIG_UNWINDER_ORC */

/**
 * gl_slowpath_of() - is a task inside the slow path of a kind?
 * @task: the task; the caller holds a reference
 * @kind: enum gl_kind
 *
 * Says nothing reliable of a task that runs meanwhile; the unwinder copes
 * with stacks that change.
 *
 * Context: process; may sleep.
 *
 * Return: what the stack says.
 */
enum gl_slowpath gl_slowpath_of(struct task_struct *task, u32 kind)
{
	unsigned long wanted = family_of_kind(kind);

	return wanted ? walk(task, wanted) : GL_SLOWPATH_UNKNOWN;
}
