/* SPDX-License-Identifier: GPL-2.0 */
/*
 * explain - what a task of a finding is and where it waits: its command line,
 * its namespaces and container, its kernel stack and its user stack.
 *
 * Taken once the findings are settled, of their tasks alone, by a child that
 * can be killed, and in bounded time: what does not fit is counted.
 */
#ifndef EXPLAIN_H
#define EXPLAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "ustack.h"
#include "world.h"

struct remote;
struct report;

/** struct explanation - of one task; what could not be read is NULL or 0 */
struct explanation {
	pid_t tid;
	uint64_t start_ticks;
	/** @cmdline: arguments separated by spaces; raw bytes (owned) */
	char *cmdline;
	/** @cgroup: path of its (version 2 or first) group: names the container (owned) */
	char *cgroup;
	/** @pid_ns, @mnt_ns: inode numbers of its namespaces */
	uint64_t pid_ns;
	uint64_t mnt_ns;
	/** @own_pid_ns: its PID namespace is not the reader's */
	bool own_pid_ns;
	/** @ns_tid: its number in its own PID namespace */
	pid_t ns_tid;
	/** @kernel: [nr_kernel] kernel functions, innermost first (owned) */
	char **kernel;
	uint32_t nr_kernel;
	/** @user: its user stack */
	struct frames user;
	/** @no_user: why there is no user stack; NULL if there is (static) */
	const char *no_user;
};

/** struct explanations - of the tasks of all findings */
struct explanations {
	/** @of: [nr] by tid */
	struct explanation *of;
	uint32_t nr;
	/** @nr_left_out: tasks that time or number left out */
	uint32_t nr_left_out;
};

/**
 * explain_report() - explain the members of @r's findings, and roots of long waits
 *
 * Return: to be freed by explanations_free().
 */
struct explanations *explain_report(const struct report *r, struct remote *remote);
void explanations_free(struct explanations *x);

/** explain_find() - the explanation of @task, or NULL; @x may be NULL */
const struct explanation *explain_find(const struct explanations *x, const struct world *w,
				       uint32_t task);

#endif /* EXPLAIN_H */
