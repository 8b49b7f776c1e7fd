/* SPDX-License-Identifier: GPL-2.0 */
/*
 * remote - reads of other tasks that may block, done by a child that can be
 * killed.
 *
 * A task's cmdline, maps, stack, wchan, syscall and memory can block behind
 * its mmap_lock or exec_update_lock, a userfault, FUSE or NFS. Every such read
 * goes through here: the child does it, the parent waits until a deadline. A
 * read that misses it is counted, the child is killed (and, if it cannot die,
 * left behind) and replaced, and that process is not asked again, until it has
 * ended.
 */
#ifndef REMOTE_H
#define REMOTE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct remote;

/** remote_new() - start the child; NULL with errno set when it cannot */
struct remote *remote_new(void);
void remote_free(struct remote *r);

/**
 * remote_read_file() - read @path (a file below /proc) whole, up to @size - 1
 * @tgid: the process it belongs to, for "is not asked again"
 * @buf: NUL-terminated on success
 *
 * Return: bytes read, or -errno; -ETIMEDOUT: it blocked.
 */
ssize_t remote_read_file(struct remote *r, pid_t tgid, const char *path, char *buf, size_t size);

/**
 * remote_read_locks() - read /proc/locks whole, as remote_read_file()
 *
 * The kernel makes its reader wait until every CPU has passed through the
 * scheduler: on PREEMPT_RT, one that a real-time task keeps for itself may not.
 */
ssize_t remote_read_locks(struct remote *r, char *buf, size_t size);

/** remote_read_link() - readlink of @path below /proc; as remote_read_file() */
ssize_t remote_read_link(struct remote *r, pid_t tgid, const char *path, char *buf, size_t size);

/**
 * remote_read_memory() - read [@addr, @addr + @len) of process @tgid
 *
 * Return: @len, or -errno (-EFAULT: not all of it is mapped); -ETIMEDOUT.
 */
ssize_t remote_read_memory(struct remote *r, pid_t tgid, uint64_t addr, void *buf, size_t len);

/**
 * remote_user_stack() - unwind a thread: ustack_read()
 * @buf: NUL-terminated on success
 *
 * Return: bytes read, or -errno; -ETIMEDOUT: it took more than a second.
 */
ssize_t remote_user_stack(struct remote *r, pid_t tgid, pid_t tid, char *buf, size_t size);

/**
 * remote_kcmp() - do two threads share a kernel object: kcmp(2)
 * @tgid: the process of @tid1
 * @type: KCMP_FILES and the like
 *
 * Return: 1: they do; 0: they do not; or -errno.
 */
int remote_kcmp(struct remote *r, pid_t tgid, pid_t tid1, pid_t tid2, int type);

/**
 * remote_kcmp_order() - as remote_kcmp(), and which of the two objects comes first
 *
 * Return: 0: they share it; 1: that of @tid1 is the lower, 2: the higher one; or -errno.
 */
int remote_kcmp_order(struct remote *r, pid_t tgid, pid_t tid1, pid_t tid2, int type);

/**
 * remote_same_file() - are two descriptors one open file description: kcmp(2)
 * @tgid: the process of @tid1
 *
 * Return: 1: they are; 0: they are not; or -errno.
 */
int remote_same_file(struct remote *r, pid_t tgid, pid_t tid1, int fd1, pid_t tid2, int fd2);

/**
 * remote_epoll_target() - is it descriptor @target that an epoll descriptor watches by that number
 *
 * It watches the file that was added, whatever the number means by now: kcmp(2).
 * Return: 1: it is; 0: it is not; or -errno.
 */
int remote_epoll_target(struct remote *r, pid_t tgid, pid_t tid, int epoll, int target);

/**
 * remote_socket_timed() - has a socket a timeout of its own
 * @tgid: a process that has it as descriptor @fd
 * @option: SO_RCVTIMEO or SO_SNDTIMEO
 *
 * Return: 1: it has; 0: it has not; or -errno.
 */
int remote_socket_timed(struct remote *r, pid_t tgid, int fd, int option);

/**
 * remote_tcp_window() - for how much the other side of a TCP connection has room
 * @tgid: a process that has this side as descriptor @fd
 *
 * Return: bytes, as the other side has said, what is on its way included; or -errno.
 */
int64_t remote_tcp_window(struct remote *r, pid_t tgid, int fd);

/**
 * remote_has_robust_list() - has the first thread of @tgid told the kernel where its robust
 * mutexes are: get_robust_list(2)
 *
 * Return: 1: it has; 0: it has not; or -errno.
 */
int remote_has_robust_list(struct remote *r, pid_t tgid);

/*
 * Reads ahead. Each read costs two switches between reader and child; who
 * knows what will be read next can have it read at one go:
 *
 *	remote_ahead_new(r);
 *	remote_ahead_file(r, ...);	as many as there are
 *	remote_ahead_memory(r, ...);
 *	remote_ahead_go(r);
 *
 * The next remote_read_file() or remote_read_memory() of the same gets that
 * answer, once; another one after it reads anew. Reads that block are counted
 * when they are tried, and are not tried again.
 */

/* As many tasks as are asked about at one go; each answer is looked up among all. */
#define REMOTE_AT_ONCE	64

/** remote_ahead_new() - forget what was read ahead */
void remote_ahead_new(struct remote *r);

/** remote_ahead_file() - @path will be read, up to @size - 1 bytes of it */
void remote_ahead_file(struct remote *r, pid_t tgid, const char *path, size_t size);

/** remote_ahead_memory() - [@addr, @addr + @len) of process @tgid will be read */
void remote_ahead_memory(struct remote *r, pid_t tgid, uint64_t addr, size_t len);

/** remote_ahead_go() - do these reads */
void remote_ahead_go(struct remote *r);

/** remote_blocked() - reads given up so far because they blocked */
uint64_t remote_blocked(const struct remote *r);

/** remote_denied() - reads refused so far (-EPERM, -EACCES) */
uint64_t remote_denied(const struct remote *r);

/** remote_pid() - the child's PID, to leave it out of every holder set; 0: none */
pid_t remote_pid(const struct remote *r);

/** remote_adopt() - @pid is a child of ours, too; it is not ended with the others */
void remote_adopt(struct remote *r, pid_t pid);

/** remote_is_child() - is @pid a child of ours, one given up and still there included */
bool remote_is_child(const struct remote *r, pid_t pid);

#endif /* REMOTE_H */
