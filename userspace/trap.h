/* SPDX-License-Identifier: GPL-2.0 */
/*
 * trap - the command that is run when a finding begins. It gets the finding on
 * its standard input, and nothing waits for it.
 */
#ifndef TRAP_H
#define TRAP_H

#include <stdint.h>
#include <sys/types.h>

/* Commands that may run at once, and in any minute: more are counted as skipped. */
#define TRAP_MAX_RUNNING	8
#define TRAP_MAX_A_MINUTE	20

/** struct trap - a command for the shell, and what became of it */
struct trap {
	/** @command: NULL: no trap (borrowed) */
	const char *command;
	/** @running: [TRAP_MAX_RUNNING] processes not reaped yet; 0: none */
	pid_t running[TRAP_MAX_RUNNING];
	/** @begun_ns: [TRAP_MAX_A_MINUTE] when the latest began; a ring */
	uint64_t begun_ns[TRAP_MAX_A_MINUTE];
	/** @nr_run: commands begun */
	uint64_t nr_run;
	/** @nr_skipped: findings for which none was begun */
	uint64_t nr_skipped;
};

/**
 * trap_run() - begin the command, if it has not been begun too often
 * @id: the finding's identifier, as GRIDLOCK_ID in its environment
 * @input: what it gets on its standard input
 */
void trap_run(struct trap *trap, const char *id, const char *input);

/** trap_reap() - collect the commands that have ended */
void trap_reap(struct trap *trap);

#endif /* TRAP_H */
