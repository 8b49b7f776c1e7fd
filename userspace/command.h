/* SPDX-License-Identifier: GPL-2.0 */
/*
 * command - the subcommands of gridlock; one file each, one row in main.c.
 */
#ifndef COMMAND_H
#define COMMAND_H

#include <argp.h>

/* Exit statuses of every command. */
#define EXIT_CLEAN	0
#define EXIT_FINDING	1
#define EXIT_TROUBLE	2

/** struct command - a row of the table in main.c */
struct command {
	const char *name;
	/** @run: argv[0] is "gridlock NAME"; returns the exit status */
	int (*run)(int argc, char **argv);
	/** @help: one line for gridlock --help */
	const char *help;
};

/** command_parse_rest() - what no option of a command is: it takes no arguments */
error_t command_parse_rest(int key, char *arg, struct argp_state *state);

/** command_parse_json() - of a command whose one option is -j, with a bool for its input */
error_t command_parse_json(int key, char *arg, struct argp_state *state);

struct look;
struct remote;

/** command_remote() - what reads that may block need; NULL after a sentence on stderr */
struct remote *command_remote(void);

/**
 * command_look() - look once at everything, for a command that shows what it sees
 *
 * Without the module procfs alone is looked at, after a note on stderr.
 *
 * Return: the look, or NULL after a sentence on stderr: the module's rows are
 * there and could not be read.
 */
struct look *command_look(struct remote *remote);

int cmd_status(int argc, char **argv);
int cmd_locks(int argc, char **argv);
int cmd_waits(int argc, char **argv);
int cmd_chain(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_graph(int argc, char **argv);
int cmd_watch(int argc, char **argv);

#endif /* COMMAND_H */
