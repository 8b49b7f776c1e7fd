// SPDX-License-Identifier: GPL-2.0
/* lens_pids - the processes that the user wants to see through the lens (lens.h) */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "lens.h"

#define KEY_LENS	768

static const struct argp_option options[] = {
	{ "lens", KEY_LENS, "PID", 0,
	  "see every call of this process for mutexes and their like (may be repeated)", 0 },
	{ 0 }
};

/* False: it is no PID, or one too many. */
static bool add_pid(struct lens_pids *pids, const char *arg)
{
	char *end;
	long pid;

	errno = 0;
	pid = strtol(arg, &end, 10);
	if (errno || end == arg || *end || pid < 1 || pid > 4194304 || pids->nr == LENS_MAX_PIDS)
		return false;
	for (uint32_t i = 0; i < pids->nr; i++)
		if (pids->pid[i] == pid)
			return true;
	pids->pid[pids->nr++] = pid;
	return true;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	if (key != KEY_LENS)
		return ARGP_ERR_UNKNOWN;
	if (!add_pid(state->input, arg))
		argp_error(state, "--lens takes a PID, of %d processes at most, not '%s'",
			   LENS_MAX_PIDS, arg);
	return 0;
}

const struct argp lens_argp = { .options = options, .parser = parse };
