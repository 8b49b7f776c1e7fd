/* SPDX-License-Identifier: GPL-2.0 */
/*
 * episode - how a task fares with one futex over many waits, or with one file's
 * lock or a ww_mutex over many attempts: a task that wakes, finds the lock taken and
 * waits again is still asking for it, and so is one that is refused and tries again.
 *
 * Kept only while somebody looks (see probe_episode.c), apart from the wait
 * table: a wait costs one test of gl_episodes_on otherwise.
 */
#ifndef _GL_EPISODE_H
#define _GL_EPISODE_H

#include <linux/atomic.h>
#include <linux/types.h>

struct gl_resource;
struct hrtimer_sleeper;

/* gl_episode.woke: how the latest wait ended */
#define GL_WOKE_NOT		0	/* it has not, or it began the episode's first */
#define GL_WOKE_WOKEN		1	/* somebody woke the task */
#define GL_WOKE_TIMEOUT		2	/* its time was up */
#define GL_WOKE_SIGNAL		3	/* a signal, perhaps: counts for nothing */

/* gl_episode.uaddr of a lock of the kernel's: no address, but a number with this bit set. */
#define GL_EPISODE_NUMBER	(1ULL << 63)

/* With it: set of a ww_mutex, and not of the lock of a file. */
#define GL_EPISODE_WW		(1ULL << 62)

/**
 * struct gl_episode - one task and one futex, lock of a file or ww_mutex
 *
 * Only the task itself writes here; it is freed when the task is gone. Readers
 * take what they find: a count and @since_ns of different moments make an
 * episode look shorter or less eventful than it is.
 */
struct gl_episode {
	/** @task: the task as a number; 0: free. Claimed by cmpxchg */
	atomic64_t task;
	/** @uaddr: user address, or see GL_EPISODE_NUMBER; 0: not filled yet */
	u64 uaddr;
	/** @start_ns: the task's start time; ns since boot */
	u64 start_ns;
	/**
	 * @since_ns: first wait since it last had the lock; file lock: begin of the
	 * latest wait, or first refusal; ns, CLOCK_MONOTONIC; 0: none
	 */
	u64 since_ns;
	union {
		/** @timer: of the latest wait, on the task's own stack; NULL: none */
		const struct hrtimer_sleeper *timer;
		/** @seen_given: file lock: how often it had been given when the task last tried */
		u64 seen_given;
	};
	/** @tid: the task, in the initial PID namespace */
	s32 tid;
	/**
	 * @nr_overtaken: since @since_ns: woken, and asleep again without having had it;
	 * file lock: and it was given to others meanwhile
	 */
	u32 nr_overtaken;
	/** @nr_timeouts: waits that ended by their timeout; else: refusals */
	u32 nr_timeouts;
	/**
	 * @nr_had: times that it had waited, and then woke others: it had the lock;
	 * file lock: times that it was given it; ww_mutex: that it was refused, and
	 * then dropped it
	 */
	u32 nr_had;
	union {
		/** @woke: GL_WOKE_* */
		u32 woke;
		/**
		 * @by_tid: at the latest refusal, file lock: who was given it last;
		 * ww_mutex: who had it; 0: unknown
		 */
		s32 by_tid;
	};
	/** @nr_passed: as @nr_overtaken, in all episodes so far */
	u32 nr_passed;
};

/** gl_episode_has_number() - is it about a lock of the kernel's, not a futex? */
static inline bool gl_episode_has_number(const struct gl_episode *e)
{
	return e->uaddr & GL_EPISODE_NUMBER;
}

/** gl_episode_is_ww() - is it about a ww_mutex? */
static inline bool gl_episode_is_ww(const struct gl_episode *e)
{
	return gl_episode_has_number(e) && e->uaddr & GL_EPISODE_WW;
}

extern bool gl_episodes_on;
extern bool gl_backoffs_on;

int gl_episodes_init(void);
void gl_episodes_exit(void);
u64 gl_episodes_bytes(void);
void gl_episodes_clear(void);
void gl_episodes_collect(void);
bool gl_episodes_read(u32 idx, struct gl_episode *copy);

void gl_episode_sleep(u64 uaddr, const struct hrtimer_sleeper *timer);
void gl_episode_wake(u64 uaddr);
void gl_episode_release(u64 uaddr);
void gl_episode_blocked(const struct gl_resource *res, u64 range, u64 begin_ns);
void gl_episode_tried(const struct gl_resource *res, u64 range, int ret);
void gl_episode_backed_off(u64 lock, s32 owner_tid);
void gl_episode_dropped(u64 lock);

#endif /* _GL_EPISODE_H */
