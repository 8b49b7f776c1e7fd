// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock watch - look for ever: a line when a finding begins, changes, ends.
 *
 * What is told goes by the finding's identifier, which another watch, started
 * later, gives it again. A module that is unloaded is missed and told, and
 * used again when it is back.
 */
#include <argp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "lens.h"
#include "thresholds.h"
#include "remote.h"
#include "report.h"
#include "text.h"
#include "trap.h"
#include "view.h"

/* Time between two looks. */
#define GRID_NS		250000000ULL

/* A finding that so many looks in a row do not see has ended. */
#define ENDED_ROUNDS	3

#define TIME_SIZE	32

/** struct watch - the command line, and what goes on */
struct watch {
	struct limits limits;
	struct lens_pids lens;
	bool json;
	struct trap trap;
	struct report report;
	/** @module: the module's rows were there at the look before */
	bool module;
	/** @lens_told: what the lens has lost, and whom, as told last */
	struct lens_cost lens_told;
	/** @found: there was a finding other than long-wait */
	bool found;
};

#define KEY_EXEC	256

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print JSON objects, one a line (gridlock.watch/1)", 0 },
	{ "exec", KEY_EXEC, "CMD", 0,
	  "run CMD by sh when a finding begins: it is on standard input, its identifier in "
	  "$GRIDLOCK_ID; at most 8 at once and 20 a minute", 0 },
	{ 0 }
};

static volatile sig_atomic_t asked_to_end;

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct watch *watch = state->input;

	switch (key) {
	case KEY_EXEC:
		watch->trap.command = arg;
		return 0;
	case 'j':
		watch->json = true;
		return 0;
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &watch->lens;
		state->child_inputs[1] = &watch->limits;
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
	.doc = "Look for what check looks for, until interrupted, and tell each finding when it "
	       "begins, changes and ends.\v"
	       "Exits 0 when nothing was found, 1 on a finding other than long-wait, 2 when it "
	       "could not look.",
};

static void on_signal(int sig)
{
	(void)sig;
	asked_to_end = 1;
}

/* Signals come only while we rest: no look is ever cut short. */
static void catch_signals(sigset_t *at_rest)
{
	struct sigaction action = { .sa_handler = on_signal };
	sigset_t signals;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, at_rest);
	sigdelset(at_rest, SIGINT);
	sigdelset(at_rest, SIGTERM);
}

static const char *time_of_day(char *buf)
{
	struct timespec now;
	struct tm tm;
	size_t len;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(buf, TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(buf + len, TIME_SIZE - len, ".%03ldZ", now.tv_nsec / 1000000);
	return buf;
}

static struct json_object *json_event(const char *event)
{
	struct json_object *o = json_object_new_object();
	char time[TIME_SIZE];

	json_object_object_add(o, "schema", json_object_new_string("gridlock.watch/1"));
	json_object_object_add(o, "time", json_object_new_string(time_of_day(time)));
	json_object_object_add(o, "event", json_object_new_string(event));
	return o;
}

static const char *as_line(struct json_object *o)
{
	return json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
							 JSON_C_TO_STRING_NOSLASHESCAPE);
}

static void tell(struct watch *watch, struct report_item *item, const char *event)
{
	struct json_object *o = json_event(event);
	char time[TIME_SIZE];

	json_object_object_add(o, "finding", view_json_finding(&watch->report, item, item->uid));
	if (watch->json)
		puts(as_line(o));
	else
		view_text_event(&watch->report, item, time_of_day(time), event);
	fflush(stdout);
	if (!strcmp(event, "begin"))
		trap_run(&watch->trap, item->uid, as_line(o));
	json_object_put(o);
	item->told = true;
	item->told_verdict = report_finding(&watch->report, item)->verdict;
	item->told_tasks = report_finding(&watch->report, item)->nr_tasks;
	item->told_victims = report_finding(&watch->report, item)->nr_victims;
}

static void tell_of_module(struct watch *watch)
{
	bool there = !watch->report.latest_err;
	struct json_object *o;
	char time[TIME_SIZE];

	if (there == watch->module)
		return;
	watch->module = there;
	if (watch->json) {
		o = json_event("module");
		json_object_object_add(o, "module", json_object_new_boolean(there));
		puts(as_line(o));
		json_object_put(o);
	} else {
		printf("%s module %s\n", time_of_day(time),
		       there ? "is there" : "is not there: waits for kernel locks are not seen");
	}
	fflush(stdout);
}

static void tell_of_lens(struct watch *watch)
{
	struct lens_cost cost;
	struct json_object *o;
	char time[TIME_SIZE];

	lens_read_cost(watch->report.lens, &cost);
	if (cost.lost == watch->lens_told.lost && cost.nr_ended == watch->lens_told.nr_ended &&
	    cost.nr_blind == watch->lens_told.nr_blind)
		return;
	watch->lens_told = cost;
	if (watch->json) {
		o = json_event("lens");
		view_json_lens(o, &cost);
		puts(as_line(o));
		json_object_put(o);
	} else {
		printf("%s lens   %llu events lost of %llu, %u processes ended, %u no longer seen\n",
		       time_of_day(time), (unsigned long long)cost.lost,
		       (unsigned long long)cost.hits, cost.nr_ended, cost.nr_blind);
	}
	fflush(stdout);
}

static void tell_all(struct watch *watch)
{
	struct report *r = &watch->report;

	tell_of_module(watch);
	if (r->lens)
		tell_of_lens(watch);
	for (uint32_t i = 0; i < r->nr;) {
		struct report_item *item = &r->item[i];
		const struct finding *f = report_finding(r, item);

		watch->found |= f->type != FINDING_LONG_WAIT;
		if (r->round - item->round >= ENDED_ROUNDS || item->disproved) {
			tell(watch, item, "end");
			report_drop(r, i);
			continue;
		}
		if (!item->told)
			tell(watch, item, "begin");
		else if (item->told_verdict != f->verdict || item->told_tasks != f->nr_tasks ||
			 item->told_victims != f->nr_victims)
			tell(watch, item, "change");
		i++;
	}
}

/* Until then, or a signal, or the end of who reads what we say. */
static void rest_until(uint64_t at_ns, const sigset_t *at_rest)
{
	uint64_t now = now_ns(), left = at_ns > now ? at_ns - now : 0;
	struct timespec ts = { .tv_sec = left / 1000000000, .tv_nsec = left % 1000000000 };
	struct pollfd out = { .fd = STDOUT_FILENO };

	if (ppoll(&out, 1, &ts, at_rest) > 0 && out.revents & (POLLERR | POLLNVAL))
		asked_to_end = 1;
}

static void look_for_ever(struct watch *watch, struct remote *remote)
{
	uint64_t next = now_ns();
	sigset_t at_rest;

	catch_signals(&at_rest);
	while (!asked_to_end) {
		report_round(&watch->report, remote, &watch->limits);
		tell_all(watch);
		trap_reap(&watch->trap);
		/* A slow machine skips grid points, it does not pile them up. */
		while (next <= now_ns())
			next += GRID_NS;
		rest_until(next, &at_rest);
	}
}

int cmd_watch(int argc, char **argv)
{
	struct watch watch = { .limits = limits_default, .module = true };
	struct remote *remote;

	argp_parse(&argp, argc, argv, 0, NULL, &watch);
	watch.report.keeps_all = true;
	watch.report.lasts = true;
	remote = command_remote();
	if (!remote)
		return EXIT_TROUBLE;
	if (watch.lens.nr)
		watch.report.lens = lens_open(&watch.lens, remote);
	if (watch.lens.nr && !watch.report.lens) {
		remote_free(remote);
		return EXIT_TROUBLE;
	}
	/* Who no longer reads ends us by way of rest_until(), not by a signal. */
	signal(SIGPIPE, SIG_IGN);
	look_for_ever(&watch, remote);
	remote_free(remote);
	report_free(&watch.report);
	return watch.found ? EXIT_FINDING : EXIT_CLEAN;
}
