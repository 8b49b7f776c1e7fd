/* SPDX-License-Identifier: GPL-2.0 */
/*
 * describe - tasks, waits and findings in words, for every view.
 *
 * Each function returns a new string that the caller frees.
 */
#ifndef DESCRIBE_H
#define DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "finding.h"
#include "world.h"

/** describe_task() - "comm[tid]", safe to print */
char *describe_task(const struct world *w, uint32_t task);

/** describe_tasks() - "a[1], b[2]", at most @max of them, then "and 7 more" */
char *describe_tasks(const struct world *w, const uint32_t *tasks, uint32_t nr, uint32_t max);

/** describe_wait() - what is waited for: "flock /tmp/b (exclusive)" */
char *describe_wait(const struct wait *wait);

/** describe_relation() - "held by", or what fits a kind that nobody holds (static) */
const char *describe_relation(uint32_t kind);

/** describe_way_out() - whose end would free whom, or that nobody's would */
char *describe_way_out(const struct world *w, const struct finding *f);

/** describe_blockers() - who can end the wait: "a[1]", "nobody alive (was 7)" */
char *describe_blockers(const struct world *w, const struct wait *wait);

/**
 * describe_since() - how long it has been so: the finding's own time, else how
 * long all members have waited
 * @ns_ret: the time; a lower bound when the function returns false
 *
 * Return: true when every member's begin is known.
 */
bool describe_since(const struct world *w, const struct finding *f, uint64_t *ns_ret);

/** The four Coffman conditions, in the order of finding.coffman. */
enum coffman { MUTUAL_EXCLUSION, HOLD_AND_WAIT, NO_PREEMPTION, CIRCULAR_WAIT, NR_COFFMAN };

/** coffman_name() - "mutual_exclusion" ... (static) */
const char *coffman_name(enum coffman condition);

/** describe_coffman() - fill @f->coffman with the evidence for each condition */
void describe_coffman(const struct world *w, struct finding *f);

#endif /* DESCRIBE_H */
