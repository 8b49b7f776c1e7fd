// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock check - look for a while, then say one verdict.
 *
 * The first look is taken and proven at once; further looks come on a steady
 * grid until the window ends, for what builds up only over time.
 */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "command.h"
#include "explain.h"
#include "lens.h"
#include "remote.h"
#include "report.h"
#include "source.h"
#include "text.h"
#include "thresholds.h"
#include "view.h"

#define DEFAULT_WINDOW_SECS	3.0

/* The most that looking for ways out may take; the graphs may be large. */
#define ADVICE_NS		1000000000ULL

/* Time between looks: often enough to catch a circle that a timeout breaks. */
#define GRID_NS			250000000ULL

/* From then on what is costly once and saves at each look (census.h) pays. */
#define LONG_WINDOW_NS		10000000000ULL

/*
 * What may come after the window: a look begun in it, and its proof. What is
 * left of the five seconds goes to explaining what was found and to printing.
 */
#define LATE_NS			2000000000ULL

/** struct check_options - the command line */
struct check_options {
	uint64_t window_ns;
	struct limits limits;
	struct lens_pids lens;
	bool json;
	bool strict;
	bool verbose;
};

enum { KEY_FOR = 256, KEY_STRICT };

static const struct argp_option options[] = {
	{ "for", KEY_FOR, "SECS", 0, "look for SECS seconds (default 3)", 0 },
	{ "verbose", 'v', NULL, 0,
	  "tell of each task its command line, container and stacks, and what looking cost", 0 },
	{ "json", 'j', NULL, 0, "print one JSON object (gridlock.check/1)", 0 },
	{ "strict", KEY_STRICT, NULL, 0, "exit 2 when the view was not complete", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct check_options *o = state->input;

	switch (key) {
	case KEY_FOR:
		o->window_ns = thresholds_seconds(arg, "for", state);
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'v':
		o->verbose = true;
		return 0;
	case KEY_STRICT:
		o->strict = true;
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &o->lens;
		state->child_inputs[1] = &o->limits;
		return 0;
	default:
		return command_parse_rest(key, arg, state);
	}
}

static const struct argp_child children[] = {
	{ &lens_argp, 0, NULL, 0 }, { &thresholds_argp, 0, NULL, 0 }, { 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.children = children,
	.doc = "Look for deadlocks, starvation and other waits that end too late or never, and "
	       "prove what is found.\v"
	       "Exits 0 when nothing was found, 1 on a finding other than long-wait, 2 when it "
	       "could not look.",
};

static void sleep_until(uint64_t at_ns)
{
	for (uint64_t now = now_ns(); now < at_ns; now = now_ns()) {
		uint64_t left = at_ns - now;
		struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };

		nanosleep(&ts, NULL);
	}
}

/*
 * Is there time for one more look, which gets half of what is left, if it takes up to
 * half as long again as the latest? One that is cut short sees less than that.
 */
static bool has_time(const struct report *report, uint64_t until_ns)
{
	return now_ns() + 3 * report->look_ns <= until_ns;
}

static void look_for(struct report *report, struct remote *remote, const struct check_options *o)
{
	uint64_t start = now_ns(), end = start + o->window_ns, next = start;
	struct limits limits = o->limits;

	limits.until_ns = end + LATE_NS;
	report->lasts = o->window_ns >= LONG_WINDOW_NS;
	do {
		report_round(report, remote, &limits);
		/* A slow machine skips grid points, it does not pile them up. */
		while (next <= now_ns())
			next += GRID_NS;
		sleep_until(next < end ? next : end);
		/* A proof can fail by chance, as when a signal came: try again. */
	} while (has_time(report, limits.until_ns) &&
		 (now_ns() < end || (report->retry && now_ns() < end + LATE_NS / 2)));
	report_end(report, remote, now_ns() - start);
}

/* The module is in but its rows are not to be had: say so, whatever is found. */
static void explain_rows(const struct report *report)
{
	if (report->snap_err && (source_module_loaded() || getenv("GRIDLOCK_DEBUGFS")))
		source_explain("waits.bin", report->snap_err);
}

int cmd_check(int argc, char **argv)
{
	struct check_options o = {
		.window_ns = DEFAULT_WINDOW_SECS * 1e9,
		.limits = limits_default,
	};
	struct report report = { 0 };
	struct remote *remote;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	remote = command_remote();
	if (!remote)
		return EXIT_TROUBLE;
	if (o.lens.nr)
		report.lens = lens_open(&o.lens, remote);
	if (o.lens.nr && !report.lens) {
		remote_free(remote);
		return EXIT_TROUBLE;
	}
	look_for(&report, remote, &o);
	/* Only now, when nothing else depends on what it may cost. */
	report_advise(&report, now_ns() + ADVICE_NS);
	if (report.lens && (o.verbose || o.json))
		report.holds = lens_read_holds(report.lens, remote);
	if (o.verbose || o.json)
		report.explained = explain_report(&report, remote);
	remote_free(remote);

	explain_rows(&report);
	if (o.json)
		view_json_report(&report);
	else
		view_text_report(&report, o.verbose);
	status = report_exit_status(&report);
	if (o.strict && report_partial(&report))
		status = EXIT_TROUBLE;
	report_free(&report);
	return status;
}
