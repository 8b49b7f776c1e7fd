// SPDX-License-Identifier: GPL-2.0
/* gridlock chain - from one task along every blocker to the roots. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command.h"
#include "look.h"
#include "remote.h"
#include "view.h"
#include "xalloc.h"

/** struct chain_options - the command line */
struct chain_options {
	const char *tid;
	bool json;
};

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print one JSON object (gridlock.chain/1)", 0 },
	{ 0 }
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct chain_options *o = state->input;

	switch (key) {
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		if (o->tid)
			argp_error(state, "unexpected argument '%s'", arg);
		o->tid = arg;
		return 0;
	case ARGP_KEY_NO_ARGS:
		argp_error(state, "which task? give its TID");
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.args_doc = "TID",
	.doc = "Print the wait chain from one task to its roots. A process ID stands for the main "
	       "thread.\v"
	       "Exits 0, or 2 when it could not look.",
};

static bool parse_tid(const char *arg, pid_t *ret)
{
	char *end;
	long tid;

	errno = 0;
	tid = strtol(arg, &end, 10);
	if (errno || end == arg || *end || tid <= 0 || tid > INT_MAX)
		return false;
	*ret = tid;
	return true;
}

/* Before the look, so that a wrong number is told alone. */
static bool task_exists(pid_t tid)
{
	char *path = xasprintf("/proc/%d", tid);
	bool exists = !access(path, F_OK);

	free(path);
	return exists;
}

static int chain_of(struct remote *remote, pid_t tid, bool json)
{
	struct look *look = command_look(remote);
	uint32_t task;

	if (!look)
		return EXIT_TROUBLE;
	task = world_find_task(look->world, tid);
	if (task == NO_INDEX)
		fprintf(stderr, "gridlock: there is no task %d to look at\n", tid);
	else
		view_chain(look->world, remote, task, json);
	look_free(look);
	return task == NO_INDEX ? EXIT_TROUBLE : EXIT_CLEAN;
}

int cmd_chain(int argc, char **argv)
{
	struct chain_options o = { 0 };
	struct remote *remote;
	int status;
	pid_t tid;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	if (!parse_tid(o.tid, &tid)) {
		fprintf(stderr, "gridlock: '%s' is no TID: give the number of a thread\n", o.tid);
		return EXIT_TROUBLE;
	}
	remote = command_remote();
	if (!remote)
		return EXIT_TROUBLE;
	if (task_exists(tid)) {
		status = chain_of(remote, tid, o.json);
	} else {
		fprintf(stderr, "gridlock: there is no task %d\n", tid);
		status = EXIT_TROUBLE;
	}
	remote_free(remote);
	return status;
}
