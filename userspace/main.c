// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock - who waits for whom, live: the reader of gridlock.ko and procfs.
 *
 * Each command is a file cmd_*.c; this one only picks it.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "command.h"
#include "xalloc.h"

#define VERSION		"0.1"

/* clang-format off */
static const struct command commands[] = {
	{ "check",  cmd_check,  "look for deadlocks and other waits that never end; one verdict" },
	{ "watch",  cmd_watch,  "the same, for ever: a line when a finding begins, changes, ends" },
	{ "chain",  cmd_chain,  "the wait chain from one task to its root" },
	{ "graph",  cmd_graph,  "the wait-for graph as a picture, deadlocks in red" },
	{ "waits",  cmd_waits,  "every wait in flight: who, for what, how long, held by whom" },
	{ "locks",  cmd_locks,  "lock contention since the module was loaded" },
	{ "status", cmd_status, "what the module sees, its tables, its losses and its cost" },
};

/* clang-format on */

#define NR_COMMANDS	ARRAY_SIZE(commands)

static void print_help(FILE *out)
{
	fputs("Usage: gridlock COMMAND [OPTION...]\n"
	      "Tell who waits for whom, for how long, and why it will never end.\n\n",
	      out);
	for (size_t i = 0; i < NR_COMMANDS; i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].help);
	fputs("\ngridlock COMMAND --help tells the options of a command.\n"
	      "Exit status: 0 nothing found, 1 a finding, 2 could not look.\n",
	      out);
}

/* A verdict that nobody can read is none. */
static int written(int status)
{
	if (!fflush(stdout) && !ferror(stdout))
		return status;
	/* Who has gone and takes no more knows why. */
	if (errno != EPIPE)
		fprintf(stderr, "gridlock: standard output: %s\n", strerror(errno));
	return EXIT_TROUBLE;
}

static int run(const struct command *command, int argc, char **argv)
{
	char *name = xasprintf("gridlock %s", command->name);

	/* argp and its messages call the program by argv[0]. */
	argv[0] = name;
	argp_err_exit_status = EXIT_TROUBLE;
	return written(command->run(argc, argv));
}

/*
 * Close every descriptor but 0, 1 and 2: the reader holds nothing. Of these, one
 * that is closed is opened so that nothing else gets its number; to write there
 * fails as before.
 */
static void close_inherited(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= 2);
	close_range(3, ~0U, 0);
}

int main(int argc, char **argv)
{
	close_inherited();
	if (argc < 2) {
		print_help(stderr);
		return EXIT_TROUBLE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return EXIT_CLEAN;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		puts("gridlock " VERSION);
		return EXIT_CLEAN;
	}
	for (size_t i = 0; i < NR_COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return run(&commands[i], argc - 1, argv + 1);
	fprintf(stderr, "gridlock: no command '%s': gridlock --help lists them\n", argv[1]);
	return EXIT_TROUBLE;
}
