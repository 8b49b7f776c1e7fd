/* SPDX-License-Identifier: GPL-2.0 */
/*
 * window - what a run of looks saw of the tasks and resources that matter
 * over time: who could run and did not, who waits and since when, how often
 * a lock changed hands meanwhile, who held what while waiting for what.
 *
 * A series is about one task, or one wait of a task, and lives as long as
 * every look sees it; so a window of hours takes no more room than one of
 * seconds. window_add() is given one look after the other; detectors only
 * read. Nothing here is a verdict.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct census;
struct episode;
struct episodes;
struct gl_wait_record;
struct lens;
struct lens_view;
struct snapshot;
struct turns;
struct wait;
struct world;

/* What happened so long before the latest look no longer counts. */
#define WINDOW_ORDERS_NS	60000000000ULL

/* Orders that are remembered; more are counted as lost. */
#define WINDOW_MAX_ORDERS	4096

/* Tasks that one series remembers as served, or as running, instead. */
#define WINDOW_MAX_OTHERS	16

/** struct window_task - a thread, told from others that had its number */
struct window_task {
	pid_t tid;
	uint64_t start_ticks;
};

/** struct window_other - a task that got what the task of the series did not get */
struct window_other {
	struct window_task task;
	/** @amount: looks that saw it hold the resource, ns or times that it ran */
	uint64_t amount;
};

/** struct window_others - [nr] of them, at most WINDOW_MAX_OTHERS */
struct window_others {
	struct window_other *other;
	uint32_t nr;
};

/** struct runner_series - a task that every look since @since_ns found able to run */
struct runner_series {
	struct window_task task;
	/** @run_ns: time on CPUs so far, as the task's own */
	uint64_t run_ns;
	/** @nr_runs: times put on a CPU so far */
	uint64_t nr_runs;
	/** @ran_ns: of it, since the look before */
	uint64_t ran_ns;
	/** @cpu: its CPU, or the last one */
	int cpu;
	/** @since_ns: the first look that saw it not run since; ns CLOCK_MONOTONIC */
	uint64_t since_ns;
	/** @span_ns: time since then, a gap between two looks counted up to a bound */
	uint64_t span_ns;
	/** @nr_looks: looks since then, the first one included */
	uint32_t nr_looks;
	/** @others: who ran on its CPU since then */
	struct window_others others;
};

/** struct wait_series - a task that every look since @since_ns found in one wait */
struct wait_series {
	struct window_task task;
	/** @id: what it waits for, as struct wait has it (owned) */
	char *id;
	/** @gen: the module's generation of the wait; 0: not known to it */
	uint64_t gen;
	/** @since_ns: the first look that saw this wait; ns CLOCK_MONOTONIC */
	uint64_t since_ns;
	/** @nr_looks: looks since then, the first one included */
	uint32_t nr_looks;
	/** @nr_ahead: tasks that waited longer for it at the first look, or may have had it */
	uint64_t nr_ahead;
	/** @hands_known: @first_hands is set: counters were read while it waited */
	bool hands_known;
	/** @first_hands: how often others had been given the lock by then */
	uint64_t first_hands;
	/** @nr_hands: how often others were given the lock since */
	uint64_t nr_hands;
	/**
	 * @episode_ns: with a futex: since when its task has asked for it, through
	 * many waits, without having had it; ns CLOCK_MONOTONIC; 0: not known
	 */
	uint64_t episode_ns;
	/** @nr_passed: times since @episode_ns that it was woken in vain */
	uint64_t nr_passed;
	/** @others: who held it at the looks since then */
	struct window_others others;
};

/** struct ask_share - how a task fares with a lock, since the first look of a series */
struct ask_share {
	struct window_task task;
	/** @first_turns: times it had had it after a wait by then, and @nr_turns by now */
	uint64_t first_turns;
	uint64_t nr_turns;
	/** @first_waited_ns: for how long it had waited by then, and @waited_ns by now; ns */
	uint64_t first_waited_ns;
	uint64_t waited_ns;
};

/** struct ask_series - a task that every look since @since_ns found waiting for one lock */
struct ask_series {
	struct window_task task;
	/** @res_id: futex, file lock: uaddr of struct episode; else: res_id of struct turn */
	uint64_t res_id;
	/** @since_ns: the first of these looks; ns CLOCK_MONOTONIC */
	uint64_t since_ns;
	/** @nr_looks: how many there were */
	uint32_t nr_looks;
	/** @first_had: times it had had it by then, and @nr_had by now */
	uint64_t first_had;
	uint64_t nr_had;
	/** @first_passed: times it had been passed over by then, and @nr_passed by now */
	uint64_t first_passed;
	uint64_t nr_passed;
	/** @exact: each time that it had it is counted, not only those after a wait */
	bool exact;
	/** @by_turns: it is a kernel lock: what follows is set, and @others are by turns */
	bool by_turns;
	/** @nr_tasks: tasks that waited for it since then; more, if they are too many */
	uint64_t nr_tasks;
	/** @nr_gone: tasks that had waited for it before, and were gone by then */
	uint64_t nr_gone;
	/** @shares: [nr_shares] those tasks that are there still, the one that asks among them */
	struct ask_share *shares;
	uint32_t nr_shares;
	/** @others: who held it at the looks since then; or had turns, and how many */
	struct window_others others;
};

/** struct retry_series - a task that does not get a lock, and comes back */
struct retry_series {
	struct window_task task;
	/** @uaddr: the futex, in its memory; other locks: as in struct episode */
	uint64_t uaddr;
	/** @since_ns: from then on it failed between any two looks; ns CLOCK_MONOTONIC */
	uint64_t since_ns;
	/** @first_timeouts: failures by then, and @nr_timeouts by now */
	uint64_t first_timeouts;
	uint64_t nr_timeouts;
	/** @nr_had: times it had it after a wait; the same since @since_ns */
	uint64_t nr_had;
	/** @exact: every failure and success is counted, not only those after a wait */
	bool exact;
	/** @first_run_ns: time on CPUs by then, and @run_ns by now; ns; 0: not known */
	uint64_t first_run_ns;
	uint64_t run_ns;
	/** @others: who held it at the looks since then */
	struct window_others others;
};

/** struct lock_series - a lock that the module counts */
struct lock_series {
	/** @res_id: its identity in the module's rows */
	uint64_t res_id;
	/** @nr_taken: waits that ended with the lock, since load */
	uint64_t nr_taken;
	/** @nr_failed: waits that ended without it, since load */
	uint64_t nr_failed;
};

/** struct order - a task held one resource while it waited for another */
struct order {
	struct window_task task;
	/** @held, @wanted: ids as struct wait has them (owned) */
	char *held;
	char *wanted;
	/** @held_name, @wanted_name: names for people (owned) */
	char *held_name;
	char *wanted_name;
	/** @last_ns: the latest look that saw it; ns CLOCK_MONOTONIC */
	uint64_t last_ns;
};

/** struct window - owns all its parts */
struct window {
	/** @runners: [nr_runners] by tid */
	struct runner_series *runners;
	uint32_t nr_runners;
	/** @waits: [nr_waits] by tid */
	struct wait_series *waits;
	uint32_t nr_waits;
	/** @locks: [nr_locks] by res_id; none unless the latest look had them */
	struct lock_series *locks;
	uint32_t nr_locks;
	/** @retries: [nr_retries] by tid and address */
	struct retry_series *retries;
	uint32_t nr_retries;
	/** @asks: [nr_asks] by tid */
	struct ask_series *asks;
	uint32_t nr_asks;
	/** @orders: [nr_orders] as first seen */
	struct order *orders;
	uint32_t nr_orders;
	/** @sleepers: [nr_sleepers] tasks that held and waited at the latest look: nr_runs */
	struct window_other *sleepers;
	uint32_t nr_sleepers;
	/** @nr_orders_lost: orders that found no room */
	uint64_t nr_orders_lost;
	/** @nr_looks: looks so far */
	uint32_t nr_looks;
	/** @now_ns: when the latest look began; ns CLOCK_MONOTONIC */
	uint64_t now_ns;
	/** @load_id: of the module, as of the latest look; 0: no module */
	uint64_t load_id;
	/** @census: what a look need not read anew; NULL: it reads everything (borrowed) */
	struct census *census;
	/** @lens: what a look reads, too; NULL: none (borrowed) */
	struct lens *lens;
	/** @view: what it told the latest look; NULL: none (borrowed) */
	const struct lens_view *view;
	/** @wants_locks: the next look should read the module's counters first */
	bool wants_locks;
};

struct window *window_new(void);
void window_free(struct window *win);

/**
 * window_add() - take in one more look
 * @w: the look's world; its times never go back
 * @locks: counters that were read before the world's waits; NULL: none
 * @episodes: read after them; NULL: none
 * @turns: the same
 */
void window_add(struct window *win, const struct world *w, const struct snapshot *locks,
		const struct episodes *episodes, const struct turns *turns);

/** window_runner() - the series of @task of @w as able to run, or NULL */
const struct runner_series *window_runner(const struct window *win, const struct world *w,
					  uint32_t task);

/** window_wait() - the series of @task of @w as waiting, or NULL */
const struct wait_series *window_wait(const struct window *win, const struct world *w,
				      uint32_t task);

/** window_ask() - the series of @task of @w as asking for what it waits for, or NULL */
const struct ask_series *window_ask(const struct window *win, const struct world *w,
				    uint32_t task);

/** window_episode() - the module's count of @wait and those before it for the lock; NULL */
const struct episode *window_episode(const struct world *w, const struct wait *wait,
				     const struct episodes *episodes);

/** window_sure_holder() - the one task that certainly holds it, not the waiter; NO_INDEX */
uint32_t window_sure_holder(const struct world *w, const struct wait *wait);

/** window_row() - the module's row of @wait, or NULL */
const struct gl_wait_record *window_row(const struct world *w, const struct wait *wait);

/**
 * window_task_compare() - for qsort() and bsearch(), by tid
 * @a, @b: struct window_task, or what begins with one
 */
int window_task_compare(const void *a, const void *b);

/**
 * window_search() - the series of @task, or NULL
 * @series: [@nr] of @size bytes each, which begin with a struct window_task; by tid
 * @hint: the place near which it is, as a rule
 */
void *window_search(const struct window_task *task, void *series, uint32_t nr, size_t size,
		    uint32_t hint);

/** window_find() - the index in @w of a thread of a series; NO_INDEX: gone */
uint32_t window_find(const struct world *w, const struct window_task *task);

/** window_others_add() - add @amount to what @task got */
void window_others_add(struct window_others *others, const struct window_task *task,
		       uint64_t amount);

/* Parts of window_add(), one file each; the latest look's time is set by then. */
void window_add_runners(struct window *win, const struct world *w, uint64_t passed_ns);
void window_add_waits(struct window *win, const struct world *w, const struct snapshot *locks,
		      const struct episodes *episodes);
void window_add_asks(struct window *win, const struct world *w, const struct episodes *episodes,
		     const struct turns *turns);
void window_add_retries(struct window *win, const struct world *w,
			const struct episodes *episodes);
void window_add_orders(struct window *win, const struct world *w);
void window_drop_waits(struct window *win);
void window_drop_asks(struct window *win);
void window_drop_retries(struct window *win);
void window_drop_orders(struct window *win);

#endif /* WINDOW_H */
