/* SPDX-License-Identifier: GPL-2.0 */
/*
 * finding - what a detector says: a type, a verdict, the tasks concerned and
 * the evidence. Detectors make findings; views print them and compute nothing.
 */
#ifndef FINDING_H
#define FINDING_H

#include <stdbool.h>
#include <stdint.h>

#include "world.h"

struct graph;
struct walk;
struct way_out;

/* clang-format off */
#define FINDING_LIST(X)				\
	X(DEADLOCK,		"deadlock")		\
	X(ORPHANED_LOCK,	"orphaned-lock")	\
	X(STARVATION,		"starvation")		\
	X(CPU_STARVATION,	"cpu-starvation")	\
	X(LIVELOCK,		"livelock")		\
	X(PRIORITY_INVERSION,	"priority-inversion")	\
	X(TRANSIENT_CYCLE,	"transient-cycle")	\
	X(LOCK_INVERSION,	"lock-inversion")	\
	X(LONG_WAIT,		"long-wait")
/* clang-format on */

#define FINDING_ENUM(name, string)	FINDING_##name,
enum finding_type { FINDING_LIST(FINDING_ENUM) NR_FINDING_TYPES };

/** struct finding_role - a task that a finding names beside its members */
struct finding_role {
	/** @name: what it is to them: "by", "owner", "middle" (static) */
	const char *name;
	uint32_t task;
};

/** enum unit - what the number of a fact is */
enum unit { UNIT_COUNT, UNIT_RATIO, UNIT_NS, UNIT_TEXT };

/** struct fact - a piece of evidence, with its name in JSON and in words */
struct fact {
	/** @name: "overtaken" (static) */
	const char *name;
	/** @task: the member that it is about; NO_INDEX: the finding as a whole */
	uint32_t task;
	enum unit unit;
	double number;
	/** @text: with UNIT_TEXT (owned) */
	char *text;
};

/** struct finding - one finding; task indices are into the world it was made from */
struct finding {
	enum finding_type type;
	enum verdict verdict;
	/** @reason: why the verdict is not higher; NULL when confirmed (borrowed) */
	const char *reason;
	/**
	 * @tasks: [nr_tasks] members: a core, or the waiters concerned, by tid;
	 * long-wait: farthest from the root first (owned)
	 */
	uint32_t *tasks;
	uint32_t nr_tasks;
	/** @circle: [nr_circle] members in wait order, for the telling (owned) */
	uint32_t *circle;
	uint32_t nr_circle;
	/** @victims: [nr_victims] tasks that wait behind (owned) */
	uint32_t *victims;
	uint32_t nr_victims;
	/** @root: long-wait: the task at the root of the chain; else NO_INDEX */
	uint32_t root;
	/** @way_out: deadlock: whose end would free the most; else NULL (owned) */
	struct way_out *way_out;
	/** @coffman: deadlock: the four conditions in words; else NULLs (owned) */
	char *coffman[4];
	/**
	 * @key: tells findings about the same tasks apart; NULL: there is one. Of an
	 * orphaned lock it is the lock, whoever waits for it (owned)
	 */
	char *key;
	/** @since_ns: when it began, where no wait tells; ns CLOCK_MONOTONIC; 0: see there */
	uint64_t since_ns;
	/** @roles: [nr_roles] other tasks concerned (owned) */
	struct finding_role *roles;
	uint32_t nr_roles;
	/** @facts: [nr_facts] evidence in numbers and words (owned) */
	struct fact *facts;
	uint32_t nr_facts;
};

/** struct findings - a growing list */
struct findings {
	struct finding *finding;
	uint32_t nr;
};

/** struct limits - the thresholds of DESIGN's findings table, all options */
struct limits {
	/** @long_wait_ns: a wait this long with a known owner is a long-wait */
	uint64_t long_wait_ns;
	/** @until_ns: when all looking is to end; ns CLOCK_MONOTONIC; 0: no limit */
	uint64_t until_ns;
	/** @events_too: long-wait also for pipes, children and other events */
	bool events_too;
	/** @starvation_ns: one wait this long during which others are served */
	uint64_t starvation_ns;
	/** @overtaken: so many times */
	uint64_t overtaken;
	/** @cpu_starvation_ns: able to run this long, and not run once */
	uint64_t cpu_starvation_ns;
	/** @cpu_looks: seen so by so many looks */
	uint64_t cpu_looks;
	/** @inversion_ns: an owner is kept off the CPU this long while its better waits */
	uint64_t inversion_ns;
	/** @livelock_ns: attempts without success for so long */
	uint64_t livelock_ns;
	/** @attempts: so many by each task */
	uint64_t attempts;
};

/** limits_default - as DESIGN's table has them */
extern const struct limits limits_default;

/** struct detector - one file and one row in detectors[] */
struct detector {
	const char *name;
	void (*detect)(const struct world *w, const struct graph *g, const struct limits *limits,
		       struct findings *found);
};

extern const struct detector detect_deadlock;
extern const struct detector detect_transient;
extern const struct detector detect_orphan;
extern const struct detector detect_starvation;
extern const struct detector detect_livelock;
extern const struct detector detect_cpu;
extern const struct detector detect_priority;
extern const struct detector detect_order;
extern const struct detector detect_nesting;
extern const struct detector detect_long_wait;

/**
 * findings_detect() - run every detector over one look
 * @found: empty; filled by type, then by the first task's tid
 */
void findings_detect(const struct world *w, const struct limits *limits, struct findings *found);

/**
 * findings_add() - a finding of @type, zeroed but for verdict (VERDICT_CONFIRMED)
 * and root (NO_INDEX); valid until the next call
 */
struct finding *findings_add(struct findings *found, enum finding_type type);
void findings_free(struct findings *found);

/** finding_clear() - free what the finding owns */
void finding_clear(struct finding *f);

/** finding_add_role() - @task is @name to the members */
void finding_add_role(struct finding *f, const char *name, uint32_t task);

/** finding_add_fact() - evidence about the finding: a number in @unit */
void finding_add_fact(struct finding *f, const char *name, enum unit unit, double number);

/** finding_add_text() - evidence about the finding: words, taken over */
void finding_add_text(struct finding *f, const char *name, char *text);

/**
 * finding_add_victims() - those of @stuck who wait for a task of the finding, by tid
 * @told: [nr_tasks] tasks that are no victims, as another finding has them
 */
void finding_add_victims(struct finding *f, const struct world *w, struct walk *walk,
			 const bool *stuck, const bool *told);

/** finding_cap() - lower the verdict to @cap for @reason; never raises it */
void finding_cap(struct finding *f, enum verdict cap, const char *reason);

/**
 * findings_mark() - which tasks the findings of @type are about
 * @type: NR_FINDING_TYPES: of every type
 * @victims: their victims too
 * @mark: [nr_tasks] set to true for those, else left alone
 */
void findings_mark(const struct findings *found, enum finding_type type, bool victims, bool *mark);

/**
 * finding_set() - the tasks marked, by tid, as an array of their own
 * @ret: set to it, to be freed by the caller; NULL when there is none
 *
 * Return: their number.
 */
uint32_t finding_set(const struct world *w, const bool *mark, uint32_t **ret);

/** finding_sort() - put [nr] tasks in order by tid */
void finding_sort(const struct world *w, uint32_t *tasks, uint32_t nr);

const char *finding_type_name(enum finding_type type);

#endif /* FINDING_H */
