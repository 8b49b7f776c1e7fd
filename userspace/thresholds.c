// SPDX-License-Identifier: GPL-2.0
/* thresholds - the detectors' thresholds as options (thresholds.h) */
#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "finding.h"
#include "thresholds.h"

enum {
	KEY_LONG_WAIT = 512, KEY_EVENTS, KEY_STARVATION, KEY_OVERTAKEN, KEY_CPU_STARVATION,
	KEY_INVERSION, KEY_LIVELOCK, KEY_ATTEMPTS,
};

static const struct argp_option options[] = {
	{ NULL, 0, NULL, 0, "Thresholds:", 1 },
	{ "long-wait", KEY_LONG_WAIT, "SECS", 0, "tell waits this long (default 10)", 1 },
	{ "events", KEY_EVENTS, NULL, 0,
	  "tell long waits for events too (pipes, children, conditions)", 1 },
	{ "starvation", KEY_STARVATION, "SECS", 0,
	  "tell waits this long during which others are served (default 1)", 1 },
	{ "overtaken", KEY_OVERTAKEN, "N", 0,
	  "with --starvation: others are served so many times meanwhile (default 8)", 1 },
	{ "cpu-starvation", KEY_CPU_STARVATION, "SECS", 0,
	  "tell tasks that can run and get no CPU for so long (default 1)", 1 },
	{ "priority-inversion", KEY_INVERSION, "SECS", 0,
	  "tell lock owners kept off the CPU so long while a more urgent task waits (default 0.5)",
	  1 },
	{ "livelock", KEY_LIVELOCK, "SECS", 0,
	  "tell tasks that fail for so long to get what others of them have (default 1.5)", 1 },
	{ "attempts", KEY_ATTEMPTS, "N", 0,
	  "with --livelock: each of them fails so many times (default 20)", 1 },
	{ 0 }
};

uint64_t thresholds_seconds(const char *arg, const char *name, struct argp_state *state)
{
	char *end;
	double secs;

	errno = 0;
	secs = strtod(arg, &end);
	if (errno || end == arg || *end || !isfinite(secs) || secs <= 0 ||
	    secs > THRESHOLDS_MAX_SECS)
		argp_error(state, "--%s takes seconds above 0 and up to %.0f, not '%s'", name,
			   THRESHOLDS_MAX_SECS, arg);
	return secs * 1e9;
}

static uint64_t parse_count(const char *arg, const char *name, struct argp_state *state)
{
	unsigned long long nr;
	char *end;

	errno = 0;
	nr = strtoull(arg, &end, 10);
	if (errno || end == arg || *end || *arg == '-' || !nr)
		argp_error(state, "--%s takes a number above 0, not '%s'", name, arg);
	return nr;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct limits *limits = state->input;

	switch (key) {
	case KEY_LONG_WAIT:
		limits->long_wait_ns = thresholds_seconds(arg, "long-wait", state);
		return 0;
	case KEY_EVENTS:
		limits->events_too = true;
		return 0;
	case KEY_STARVATION:
		limits->starvation_ns = thresholds_seconds(arg, "starvation", state);
		return 0;
	case KEY_OVERTAKEN:
		limits->overtaken = parse_count(arg, "overtaken", state);
		return 0;
	case KEY_CPU_STARVATION:
		limits->cpu_starvation_ns = thresholds_seconds(arg, "cpu-starvation", state);
		return 0;
	case KEY_INVERSION:
		limits->inversion_ns = thresholds_seconds(arg, "priority-inversion", state);
		return 0;
	case KEY_LIVELOCK:
		limits->livelock_ns = thresholds_seconds(arg, "livelock", state);
		return 0;
	case KEY_ATTEMPTS:
		limits->attempts = parse_count(arg, "attempts", state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

const struct argp thresholds_argp = { .options = options, .parser = parse };
