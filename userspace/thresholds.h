/* SPDX-License-Identifier: GPL-2.0 */
/*
 * thresholds - the detectors' thresholds as options, for every command that runs
 * detectors.
 */
#ifndef THRESHOLDS_H
#define THRESHOLDS_H

#include <argp.h>
#include <stdint.h>

/* The longest time that an option takes. */
#define THRESHOLDS_MAX_SECS		86400.0

/** thresholds_argp - a child parser whose input is a struct limits */
extern const struct argp thresholds_argp;

/** thresholds_seconds() - an option's seconds as ns; ends the program on nonsense */
uint64_t thresholds_seconds(const char *arg, const char *name, struct argp_state *state);

#endif /* THRESHOLDS_H */
