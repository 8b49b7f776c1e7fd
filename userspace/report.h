/* SPDX-License-Identifier: GPL-2.0 */
/*
 * report - the findings of all looks of one check, each once.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "finding.h"
#include "world.h"

struct explanations;
struct look;
struct remote;

/** struct report_item - a finding and the look that it was made in */
struct report_item {
	/** @id: "d1"; stable within one report */
	char id[16];
	/** @first_ns: when it was first seen; ns CLOCK_MONOTONIC */
	uint64_t first_ns;
	/** @look: index into report.looks */
	uint32_t look;
	/** @finding: index into that look's findings */
	uint32_t finding;
	/** @round: the last round that saw it */
	uint32_t round;
};

/** struct report - owns the looks that its items came from */
struct report {
	struct report_item *item;
	uint32_t nr;
	struct look **looks;
	uint32_t nr_looks;
	/** @round: looks at everything so far */
	uint32_t round;
	/** @unproven: the last round saw what needs proof and could prove none of it */
	bool unproven;
	/** @next_number: [type] number of the next identifier */
	uint32_t next_number[NR_FINDING_TYPES];
	/** @unseen: the largest of what any look could not see */
	struct unseen unseen;
	/** @module: the module's rows were there in every look */
	bool module;
	/** @snap_err: why not; -errno */
	int snap_err;
	/** @explained: what the tasks of the findings are; NULL: not asked for */
	struct explanations *explained;
	/** @window_ns: time looked at */
	uint64_t window_ns;
};

/**
 * report_round() - look at everything once, prove what needs it, keep the rest
 *
 * Findings of earlier rounds stay, but for long waits that have ended.
 */
void report_round(struct report *r, struct remote *remote, const struct limits *limits);

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
