/* SPDX-License-Identifier: GPL-2.0 */
/*
 * report - the findings of all looks of one check, each once.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "census.h"
#include "finding.h"
#include "lens.h"
#include "world.h"

struct explanations;
struct look;
struct remote;
struct window;

/** struct cost - what looking took */
struct cost {
	/** @nr_looks: looks at everything */
	uint32_t nr_looks;
	/** @cpu_ns: CPU time of the reader, its child included; ns */
	uint64_t cpu_ns;
	/** @longest_ns: the longest look, proofs included; ns */
	uint64_t longest_ns;
	/** @cpu_pct: of one CPU over the window */
	double cpu_pct;
	/** @census: what was not read anew at each look */
	struct census_counts census;
	/** @lens: with a lens: what that took and lost */
	struct lens_cost lens;
};

/** struct report_item - a finding and the look that it was made in */
struct report_item {
	/** @id: "d1"; stable within one report */
	char id[16];
	/** @uid: "d-3fa90c12": the same for the same tasks in any report of this boot */
	char uid[16];
	/** @hash: of what makes two findings the same */
	uint32_t hash;
	/** @first_ns: when it was first seen; ns CLOCK_MONOTONIC */
	uint64_t first_ns;
	/** @confirmed_ns: when it was first seen as confirmed; 0: it is not */
	uint64_t confirmed_ns;
	/** @look: index into report.looks */
	uint32_t look;
	/** @finding: index into that look's findings */
	uint32_t finding;
	/** @round: the last round that saw it */
	uint32_t round;
	/** @disproved: its proof was no proof (recheck.h): not to be told, whoever sees it again */
	bool disproved;
	/** @told: somebody was told of it as it is, or was then (for who tells) */
	bool told;
	/** @told_verdict: with @told: the verdict then */
	enum verdict told_verdict;
	/** @told_tasks, @told_victims: with @told: how many there were then */
	uint32_t told_tasks;
	uint32_t told_victims;
};

/** struct report - owns the looks that its items came from */
struct report {
	struct report_item *item;
	uint32_t nr;
	struct look **looks;
	uint32_t nr_looks;
	/** @round: looks at everything so far */
	uint32_t round;
	/** @retry: the last round saw what needs proof, and did not prove all of it */
	bool retry;
	/** @next_number: [type] number of the next identifier */
	uint32_t next_number[NR_FINDING_TYPES];
	/** @latest: the latest look at everything: the next one refers to it (one of @looks) */
	const struct look *latest;
	/** @look_ns: what the latest look took, without its proof */
	uint64_t look_ns;
	/**
	 * @unseen: the largest of what any look could not see; @not_looked and @unproven
	 * are the latest round's
	 */
	struct unseen unseen;
	/** @module: the module's rows were there in every look */
	bool module;
	/** @snap_err: why not; -errno */
	int snap_err;
	/** @explained: what the tasks of the findings are; NULL: not asked for */
	struct explanations *explained;
	/** @latest_err: the same of the latest look; 0: they were there */
	int latest_err;
	/** @keeps_all: who tells drops what has ended; else long waits go by themselves */
	bool keeps_all;
	/** @lasts: there will be many rounds: census_new() */
	bool lasts;
	/** @window_ns: time looked at */
	uint64_t window_ns;
	/** @lens: processes are looked at closely; NULL: none are (owned) */
	struct lens *lens;
	/** @holds: how long locks were held in them; NULL: not asked for (the lens has it) */
	const struct lens_holds *holds;
	/** @window: what all rounds saw (owned) */
	struct window *window;
	/** @census: what the next round need not read anew (owned) */
	struct census *census;
	struct cost cost;
};

/**
 * report_round() - look at everything once, prove what needs it, keep the rest
 *
 * Findings of earlier rounds stay, but for long waits that have ended.
 */
void report_round(struct report *r, struct remote *remote, const struct limits *limits);

/**
 * report_keep() - take in the findings of one look
 * @look: taken over
 * @proven: it was a proof: those that need one count; else the others
 */
void report_keep(struct report *r, struct look *look, bool proven);

/**
 * report_note_proof() - what came of the claims of one look
 * @proven: the look that was to prove them; NULL: there were none
 * @late: its time was up
 */
void report_note_proof(struct report *r, const struct look *look, const struct look *proven,
		       bool late);

/**
 * report_lasts_ns() - since when a finding is known to last without a break
 *
 * A deadlock that is confirmed does not end and begin again, nor does a lock get
 * an owner back; what is less than that may have, between two looks.
 */
uint64_t report_lasts_ns(const struct report *r, const struct report_item *item);

/** report_drop() - forget item @index; those after it move up */
void report_drop(struct report *r, uint32_t index);

/**
 * report_end() - the looks are over: sum up what they took
 * @window_ns: time from the first to the end
 */
void report_end(struct report *r, const struct remote *remote, uint64_t window_ns);

const struct finding *report_finding(const struct report *r, const struct report_item *item);
const struct world *report_world(const struct report *r, const struct report_item *item);

/** report_advise() - look for a way out of each deadlock, or of the first of many, @until_ns */
void report_advise(struct report *r, uint64_t until_ns);

/** report_partial() - why the view is not complete, or NULL (static string) */
const char *report_partial(const struct report *r);

/** report_exit_status() - 0 no finding, 1 a finding other than long-wait */
int report_exit_status(const struct report *r);
void report_free(struct report *r);

#endif /* REPORT_H */
