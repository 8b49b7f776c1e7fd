/* SPDX-License-Identifier: GPL-2.0 */
/*
 * fdscan - who holds which pipe ends, sockets, files and file locks: one scan
 * of every descriptor table of the machine, made when it is first asked for and
 * kept with the world.
 *
 * Descriptors are told by their links and fdinfo alone; nothing is opened or
 * stat'ed behind them. A file on its way through a socket, known to io_uring, or
 * in use by a call after its number was closed is not seen: only that there may
 * be one (fdscan_hides()).
 */
#ifndef FDSCAN_H
#define FDSCAN_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "locks.h"

struct world;

/** struct fd_table - the threads that share a descriptor table */
struct fd_table {
	pid_t tgid;
	/** @tid: the thread it was read of */
	pid_t tid;
	/** @tasks: [nr_tasks] indices into world.tasks */
	uint32_t *tasks;
	uint32_t nr_tasks;
	/** @sharing: is it another process's, too; of fdscan_shares_table() */
	enum fd_sharing { SHARING_NOT_ASKED, SHARING_NONE, SHARING_MAYBE } sharing;
};

/** struct fd_number - a descriptor of whatever kind, to compare tables by */
struct fd_number {
	int fd;
	/** @link: hash of what its link says */
	uint32_t link;
	/** @table: index into fdscan.tables */
	uint32_t table;
};

/** enum fd_anon - descriptors without a name or a number of their own */
enum fd_anon { FD_ANON_NONE, FD_ANON_EVENTFD, FD_ANON_EPOLL, FD_ANON_IO_URING };

/** struct fd_end - one descriptor of a pipe, a socket, or a file */
struct fd_end {
	/** @ino: inode number, of an eventfd its id; 0: not read */
	uint64_t ino;
	/** @mnt_id: of a file: its mount; 0: not read */
	int mnt_id;
	/** @anon: what it is, in fdscan.anons */
	enum fd_anon anon;
	/** @table: index into fdscan.tables */
	uint32_t table;
	int fd;
	bool readable;
	bool writable;
};

/** struct fd_lock - a file lock seen through a descriptor */
struct fd_lock {
	/** @table: index into fdscan.tables */
	uint32_t table;
	int fd;
	struct file_lock lock;
};

/** struct lock_groups - which of the locks that look alike are of one open file */
struct lock_groups {
	/** @lock: what all of them look like */
	struct file_lock lock;
	/**
	 * @first: [nr_locks] of each lock in fdscan.locks like that the first one of
	 * the same open file, which may be itself; NULL: not all could be compared
	 */
	uint32_t *first;
};

/** struct fdscan - the scan; read only but for fdscan*.c and resolve_filelock.c's groups */
struct fdscan {
	struct fd_table *tables;
	uint32_t nr_tables;
	/** @pipes: [nr_pipes] descriptors of pipes without a name, by @ino */
	struct fd_end *pipes;
	uint32_t nr_pipes;
	/** @sockets: [nr_sockets] descriptors of sockets of every family, by @ino */
	struct fd_end *sockets;
	uint32_t nr_sockets;
	/** @anons: [nr_anons] see enum fd_anon; @ino only by fdscan_eventfds() */
	struct fd_end *anons;
	uint32_t nr_anons;
	/** @numbers: [nr_numbers] every descriptor, of a proof; @numbers_sorted: and in order */
	struct fd_number *numbers;
	uint32_t nr_numbers;
	bool numbers_sorted;
	/** @files: [nr_files] descriptors with a path; @ino only by fdscan_files() */
	struct fd_end *files;
	uint32_t nr_files;
	/** @locks: [nr_locks] by fdscan_files() */
	struct fd_lock *locks;
	uint32_t nr_locks;
	/** @groups: [nr_groups] by resolve_filelock.c, as they are asked for */
	struct lock_groups *groups;
	uint32_t nr_groups;
	/** @held: /proc/locks; by fdscan_files() */
	struct file_locks held;
	/** @nr_files_read: of a scan of such tasks: those of @files with their @ino */
	uint32_t nr_files_read;
	/** @more: of tasks that came later (owned); NULL: there were none */
	struct fdscan *more;
	/**
	 * @past: while it is made, the scan of the look before (borrowed), @now its
	 * tables' indices in this one, or NO_INDEX, and @past_at those gone through
	 */
	const struct fdscan *past;
	uint32_t *now;
	uint32_t past_at;
	/** @incomplete: a table could not be read */
	bool incomplete;
	/** @files_incomplete: files of a table, or /proc/locks, could not be read */
	bool files_incomplete;
	/**
	 * @files_blocked: files of a process could not be read as its reads block.
	 * Whether the process has them open to no avail or not is not known.
	 */
	bool files_blocked;
	/** @files_done: fdscan_files() was here */
	bool files_done;
	/** @hidden_done, @hides: fdscan_hides() was here; and found one */
	bool hidden_done;
	bool hides;
	/** @eventfds_done: fdscan_eventfds() was here */
	bool eventfds_done;
};

/** fdscan_ends() - the scan, with every pipe end and socket */
const struct fdscan *fdscan_ends(struct world *w);

/**
 * fdscan_find() - those with number @ino
 * @ends: [@nr] fdscan.pipes or fdscan.sockets
 * @nr_ret: set to their number
 *
 * O(log nr). Return: the first of them.
 */
const struct fd_end *fdscan_find(const struct fd_end *ends, uint32_t nr, uint64_t ino,
				 uint32_t *nr_ret);

/** fdscan_eventfds() - the scan, with the id of every eventfd too */
const struct fdscan *fdscan_eventfds(struct world *w);

/** fdscan_files() - the scan, with every file's inode and the locks on them too */
const struct fdscan *fdscan_files(struct world *w);

/**
 * fdscan_more() - scan also the tables of tasks that came later
 * @first: index in @w of the first of them
 *
 * What they have is not in the lists of the scan itself: fdscan_holds() tells.
 * Where nobody has asked for a scan, nothing is done.
 */
void fdscan_more(struct world *w, uint32_t first);

/** fdscan_holds() - has such a task a descriptor with number @ino, or could not be read? */
bool fdscan_holds(const struct world *w, uint64_t ino);

/**
 * fdscan_is_ours() - is number @ino that of the pipe or socket which the reader writes to
 *
 * The reader is no task of the world, but who waits for what it has to say goes on.
 */
bool fdscan_is_ours(uint64_t ino);

/**
 * fdscan_hides() - may somebody use a file that no table shows
 *
 * Some reads for each socket and each thread of the machine: for proofs only.
 */
bool fdscan_hides(struct world *w);

/** HIDDEN_DESCRIPTORS - why that is no proof */
#define HIDDEN_DESCRIPTORS \
	"io_uring, a socket or a call in flight may have files that no descriptor shows"

/**
 * fdscan_shares_table() - may another process use the descriptor table of @task, too
 *
 * So it is of clone(2) with CLONE_FILES and without CLONE_THREAD. For proofs only.
 */
bool fdscan_shares_table(struct world *w, uint32_t task);

/**
 * fdscan_table() - read what @table has in it; of fdscan.c
 *
 * Return: 0; -ESRCH: the thread is gone; -ETIME: the look's time is over; or another error.
 */
int fdscan_table(const struct world *w, struct fdscan *scan, uint32_t table);

/**
 * fdscan_again() - is @table, that of @task, what it was at the look before? Of fdscan.c
 *
 * Then nothing is to be read of it: fdscan_again_end() adds what it has in it.
 */
bool fdscan_again(struct world *w, struct fdscan *scan, uint32_t table, uint32_t task);

/** fdscan_again_end() - all tables are there */
void fdscan_again_end(struct fdscan *scan);

/** fdscan_asked_sharing() - is there a table of which that was told not to be so */
bool fdscan_asked_sharing(const struct world *w);

/**
 * fdscan_settle() - take back of such tables what does not hold
 * @settled: all who came were shown to fdscan_more()
 * @reason: why their waits cannot be more than likely if not
 */
void fdscan_settle(struct world *w, bool settled, const char *reason);

/** fdscan_add_releasers() - whoever shares @table can release @resource */
void fdscan_add_releasers(struct world *w, const struct fdscan *scan, uint32_t table,
			  uint32_t resource);

/**
 * filelock_held() - the lock @held, one of @scan.held, with those who can release it
 *
 * Of resolve_filelock.c. Return: the resource's index.
 */
uint32_t filelock_held(struct world *w, const struct fdscan *scan, const struct file_lock *held);

/** struct fd_target - what an epoll descriptor watches */
struct fd_target {
	int fd;
	/** @events: EPOLLIN and the like */
	uint32_t events;
	/** @ino: inode number of the file that @fd was when it was added */
	uint64_t ino;
};

/** struct fd_info - what fdinfo says of one descriptor; free with fd_info_free() */
struct fd_info {
	unsigned int flags;
	int mnt_id;
	uint64_t ino;
	/** @pid: of a pidfd, the process; 0: not a pidfd; -1: it is gone */
	pid_t pid;
	/** @nr_hidden: of a socket: descriptors on their way through it */
	unsigned int nr_hidden;
	/** @eventfd_id: of an eventfd, tells it from others; -1: not known */
	int eventfd_id;
	/** @locks: the locks it holds */
	struct file_locks locks;
	/** @targets: [nr_targets] of an epoll descriptor */
	struct fd_target *targets;
	uint32_t nr_targets;
	/** @truncated: there was more than could be read */
	bool truncated;
};

/** fd_info_read() - 0 or -errno */
int fd_info_read(struct world *w, pid_t tgid, pid_t tid, int fd, struct fd_info *ret);
void fd_info_free(struct fd_info *info);

/** fd_link() - what descriptor @fd of a thread leads to; "" if it cannot be read */
const char *fd_link(pid_t tgid, pid_t tid, int fd, char *buf, size_t size);

/** fd_mode() - how descriptor @fd of a thread is open; both false: cannot be read */
void fd_mode(pid_t tgid, pid_t tid, int fd, bool *readable_ret, bool *writable_ret);

#endif /* FDSCAN_H */
