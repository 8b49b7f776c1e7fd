// SPDX-License-Identifier: GPL-2.0
/* command - what the commands that look at the machine have in common (command.h) */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "command.h"
#include "look.h"
#include "proc.h"
#include "remote.h"
#include "source.h"

/*
 * Ahead of those it looks at, where it may: on a machine whose tasks keep all
 * CPUs busy the reader, too, would wait its turn after every read.
 */
#define NICE	(-10)

error_t command_parse_rest(int key, char *arg, struct argp_state *state)
{
	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	argp_error(state, "unexpected argument '%s'", arg);
	return EINVAL;
}

error_t command_parse_json(int key, char *arg, struct argp_state *state)
{
	bool *json = state->input;

	if (key != 'j')
		return command_parse_rest(key, arg, state);
	*json = true;
	return 0;
}

struct remote *command_remote(void)
{
	struct remote *remote;

	if (access("/proc/self/stat", R_OK)) {
		fprintf(stderr, "gridlock: /proc: not mounted: mount -t proc proc /proc\n");
		return NULL;
	}
	if (!proc_is_ours()) {
		fprintf(stderr, "gridlock: /proc: it is of another PID namespace: mount one of this\n");
		return NULL;
	}
	(void)setpriority(PRIO_PROCESS, 0, NICE);
	remote = remote_new();
	if (!remote)
		fprintf(stderr, "gridlock: cannot start a helper process: %s\n", strerror(errno));
	return remote;
}

struct look *command_look(struct remote *remote)
{
	struct look *look = look_take(remote, NULL, 0, NULL, NULL);

	if (!look->snap_err)
		return look;
	source_explain("waits.bin", look->snap_err);
	/* Procfs alone is a view too, but not when the rows should be there. */
	if (source_module_loaded() || getenv("GRIDLOCK_DEBUGFS")) {
		look_free(look);
		return NULL;
	}
	return look;
}
