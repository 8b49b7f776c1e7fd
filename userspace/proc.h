/* SPDX-License-Identifier: GPL-2.0 */
/*
 * proc - what /proc tells of a task, parsed. Files that can block behind a
 * stuck task (wchan, syscall, maps, fdinfo) are read by way of struct remote;
 * the others take no lock that such a task can hold.
 */
#ifndef PROC_H
#define PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "world.h"

struct remote;

/** proc_tasks() - add every thread of the machine but the reader's own to @w */
void proc_tasks(struct world *w);

/** proc_add_thread() - add one thread to @w, unless it is gone */
void proc_add_thread(struct world *w, pid_t tgid, pid_t tid);

/** proc_add_thread_of() - the same, of a @crowd: by the module's row, if that tells enough */
void proc_add_thread_of(struct world *w, pid_t tgid, pid_t tid, bool crowd);

/**
 * proc_set_priority() - set @t's priorities
 * @prio: the one in force, as field 18 of stat has it
 */
void proc_set_priority(struct task *t, int prio, int nice, int rt_priority, int policy);

/** proc_refresh() - read anew what is known of a thread but its wait */
void proc_refresh(struct task *t);

/**
 * proc_new_tasks() - add the threads that have come since @w was filled
 *
 * A number that is known is taken for the same thread still: for so short a time
 * that no number comes round again.
 *
 * Return: false: they cannot be listed.
 */
bool proc_new_tasks(struct world *w);

/**
 * proc_had_threads() - has a process of one thread had others before
 *
 * What they ran is kept in the process's clock, which is then ahead of the clock
 * of the one that is left. True also where that cannot be told.
 */
bool proc_had_threads(pid_t tgid);

/** proc_forks() - threads and processes made since boot, in all; 0: cannot be read */
uint64_t proc_forks(void);

/** proc_is_ours() - are the numbers in /proc those of the reader's own PID namespace? */
bool proc_is_ours(void);

/** proc_sees_all() - is no process hidden from the reader, by its rights or its PID namespace? */
bool proc_sees_all(void);

/** PROC_HIDES_TASKS - why who holds what others can hold, too, is then no proof */
#define PROC_HIDES_TASKS \
	"tasks that cannot be seen from here may have it too"

/** proc_runs() - set how often and how long a thread has run, in @t; left alone if unknown */
void proc_runs(pid_t tgid, pid_t tid, struct task *t);

/** proc_tracer() - the process that traces a thread; 0: none; -1: cannot be read */
pid_t proc_tracer(pid_t tgid, pid_t tid);

/**
 * proc_wchan() - the kernel function a thread sleeps in
 * @buf: [@size] without suffix (".isra.0", ".constprop.0"); "" while it runs
 *
 * Return: 0 or -errno; -ETIMEDOUT: the read blocked.
 */
int proc_wchan(struct remote *remote, pid_t tgid, pid_t tid, char *buf, size_t size);

/** proc_wchan_ahead() - proc_wchan() comes next (remote.h) */
void proc_wchan_ahead(struct remote *remote, pid_t tgid, pid_t tid);

/** struct proc_syscall - the system call a thread sleeps in */
struct proc_syscall {
	/** @nr: its number; -1: in none, running, or not readable */
	long nr;
	uint64_t args[6];
	uint64_t sp;
	uint64_t pc;
};

/** proc_is_i386() - is it a 32-bit program, whose calls and structures are others */
bool proc_is_i386(const struct task *t);

/** proc_i386_call() - the number of such a one's call here; -1: it is not known */
long proc_i386_call(long nr);

/** proc_sleeper_ahead() - proc_wchan() and proc_syscall() come next (remote.h) */
void proc_sleeper_ahead(struct remote *remote, pid_t tgid, pid_t tid);

/** proc_syscall() - read @ret; 0 or -errno, and then nr is -1 */
int proc_syscall(struct remote *remote, const struct task *t, struct proc_syscall *ret);

/* One for the first PID namespace, and for each of those nested (MAX_PID_NS_LEVEL). */
#define PROC_MAX_NUMBERS	(1 + 32)

/** struct proc_ids - the thread's numbers in its PID namespaces, and its signals */
struct proc_ids {
	/** @numbers: [nr_numbers] its number in each, from ours inwards */
	pid_t numbers[PROC_MAX_NUMBERS];
	uint32_t nr_numbers;
	/** @ns_tid: the last of them: its number in its innermost namespace */
	pid_t ns_tid;
	/** @nested: it has more than one number */
	bool nested;
	/** @caught: signals with a handler, bit n - 1 for signal n */
	uint64_t caught;
	/** @blocked: signals blocked */
	uint64_t blocked;
	/** @ignored: signals ignored */
	uint64_t ignored;
};

/** proc_ids() - from /proc/TID/status; 0 or -errno */
int proc_ids(pid_t tgid, pid_t tid, struct proc_ids *ret);

/** proc_ids_parse() - the same from the text of that file */
void proc_ids_parse(const char *status, pid_t tid, struct proc_ids *ret);

/**
 * proc_timed() - can an armed timer's signal end an interruptible wait
 *
 * Return: TIMED_YES: there is a POSIX timer with an unblocked signal that is
 * caught or ends the process (whether it is armed, /proc does not say);
 * TIMED_UNKNOWN: SIGALRM, SIGVTALRM or SIGPROF is caught and unblocked and an
 * interval timer, which /proc does not list, could raise it; else TIMED_NO.
 */
enum timed proc_timed(pid_t tgid, pid_t tid);

/** struct proc_map - one mapping */
struct proc_map {
	uint64_t start;
	uint64_t end;
	/** @offset: of start in the file */
	uint64_t offset;
	uint64_t inode;
	unsigned int dev_major;
	unsigned int dev_minor;
	bool shared;
	bool executable;
	/** @path: as the kernel prints it; "" if none (owned) */
	char *path;
};

/** struct proc_maps - a process's mappings, ascending */
struct proc_maps {
	struct proc_map *map;
	uint32_t nr;
};

/**
 * proc_maps_read() - read the mappings of a process
 * @tid: a thread that lives: a first one that has ended has none
 *
 * Return: 0 or -errno; free with proc_maps_free().
 */
int proc_maps_read(struct remote *remote, pid_t tgid, pid_t tid, struct proc_maps *ret);

/** proc_maps_read_here() - as proc_maps_read(), and it may block: for a child */
int proc_maps_read_here(pid_t tgid, struct proc_maps *ret);
void proc_maps_free(struct proc_maps *maps);

/** proc_maps_ahead() - proc_maps_read() comes next (remote.h) */
void proc_maps_ahead(struct remote *remote, pid_t tgid, pid_t tid);

/** proc_maps_find() - the mapping that holds @addr, or NULL */
const struct proc_map *proc_maps_find(const struct proc_maps *maps, uint64_t addr);

#endif /* PROC_H */
