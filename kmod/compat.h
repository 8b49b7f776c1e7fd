/* SPDX-License-Identifier: GPL-2.0 */
/*
 * compat - every difference between kernel versions; tests of the version are
 * nowhere else.
 */
#ifndef _GL_COMPAT_H
#define _GL_COMPAT_H

#include <linux/sched.h>
#include <linux/version.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#include <linux/filelock.h>
#else
#include <linux/fs.h>
#endif

/*
 * sched_process_exit has a second argument in 7.x. Probes are called through
 * a pointer of the tracepoint's type, so the prototype must fit (kCFI).
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define GL_EXIT_PROTO	void *data, struct task_struct *task, bool group_dead
#else
#define GL_EXIT_PROTO	void *data, struct task_struct *task
#endif

/*
 * Since 6.12 io_uring waits for futexes too, in whatever task submits: that
 * task does not sleep. From 7.x on the caller says so by a NULL task in the
 * sixth argument of futex_wait_setup().
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define GL_FUTEX_SETUP_SLEEPS(regs)	((regs)->r9 != 0)
#else
#define GL_FUTEX_SETUP_SLEEPS(regs)	true
#endif

/* Where who waits for a futex sleeps, and its timer: NULL without a timeout. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 16, 0)
#define GL_FUTEX_SLEEP			"futex_do_wait"
#define GL_FUTEX_SLEEP_TIMER(regs)	((regs)->si)
#else
#define GL_FUTEX_SLEEP			"futex_wait_queue"
#define GL_FUTEX_SLEEP_TIMER(regs)	((regs)->dx)
#endif

/**
 * gl_task_is_queued() - is a task on a run queue, and not only left there?
 * @task: the task
 *
 * Since 6.12 who goes to sleep may stay on the queue for a while, marked.
 *
 * Context: any; the task may change meanwhile.
 *
 * Return: true if it runs, or will without being woken.
 */
static inline bool gl_task_is_queued(const struct task_struct *task)
{
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
	return READ_ONCE(task->on_rq) && !READ_ONCE(task->se.sched_delayed);
#else
	return READ_ONCE(task->on_rq);
#endif
}

/**
 * gl_task_is_pi_blocked() - is a task queued for an rt_mutex?
 * @task: the task
 *
 * Who was requeued from a condition to a PI mutex is, though it sleeps on in the
 * condition's function: nothing else tells of that.
 *
 * Context: any; the task may change meanwhile.
 *
 * Return: true if it is.
 */
static inline bool gl_task_is_pi_blocked(const struct task_struct *task)
{
#ifdef CONFIG_RT_MUTEXES
	return READ_ONCE(task->pi_blocked_on);
#else
	return false;
#endif
}

/* FLAGS_SHARED of kernel/futex/futex.h moved in 6.7. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0)
#define GL_FUTEX_FLAGS_SHARED	0x10
#else
#define GL_FUTEX_FLAGS_SHARED	0x01
#endif

/*
 * File locks have a header of their own since 6.3, a part that they share with
 * leases since 6.9, and leases are another type since.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 9, 0)
#define GL_FILELOCK_FLAGS(fl)	((fl)->c.flc_flags)
#define GL_FILELOCK_TYPE(fl)	((fl)->c.flc_type)
#define gl_file_lease		file_lease
#else
#define GL_FILELOCK_FLAGS(fl)	((fl)->fl_flags)
#define GL_FILELOCK_TYPE(fl)	((fl)->fl_type)
#define gl_file_lease		file_lock
#endif

/* A tracepoint in the function that drops a lock, where others wait for it. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 3, 0)
#define GL_HAS_CONTENDED_RELEASE
#endif

/* percpu_down_write() moved its tracepoint into the slow path in 6.2 or later. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define GL_PCPU_WRITER_COVERAGE \
	"lower-bound: a writer that waits for readers to leave passes no tracepoint"
#else
#define GL_PCPU_WRITER_COVERAGE	"exact: every call counts, contended or not"
#endif

#endif /* _GL_COMPAT_H */
