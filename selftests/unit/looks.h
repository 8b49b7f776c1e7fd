/* SPDX-License-Identifier: GPL-2.0 */
/*
 * looks - looks at three processes that come one after the other, with a census. The
 * kernel is played by the test; what is read by /proc is the test's own children.
 */
#ifndef LOOKS_H
#define LOOKS_H

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "census.h"
#include "kselftest_harness.h"
#include "proc.h"
#include "remote.h"
#include "world.h"

#define SLEEPS		1

/* --- the kernel, as the test plays it ------------------------------------------------- */

static struct census_record told[8];
static uint32_t nr_told;

static bool in_order = true;

struct census_source *census_source_open(bool *in_order_ret)
{
	*in_order_ret = in_order;
	return (struct census_source *)told;
}

void census_source_close(struct census_source *source)
{
}

const struct census_record *census_source_read(struct census_source *source, uint32_t *nr_ret)
{
	*nr_ret = nr_told;
	return nr_told ? told : NULL;
}

/* --- two records ---------------------------------------------------------------------- */

static const struct census_record sleeper = {
	.task = 0x1000, .mm = 0x2000, .files = 0x3000, .start_ns = 5, .nr_switches = 7,
	.run_ns = 9, .tid = 11, .tgid = 11, .ppid = 1, .state = SLEEPS, .prio = 120,
	.static_prio = 120, .comm = "sleeper",
};

/* --- looks -------------------------------------------------------------------------------- */

FIXTURE(looks)
{
	struct census *census;
	struct world *w, *before;
	/** @child: three processes that sleep until they are killed, by number */
	pid_t child[3];
};

/* A pipe that all of them have, until they are told to close it. */
static int ends[2];

static void close_ends(int sig)
{
	close(ends[0]);
	close(ends[1]);
}

static void wait_until_it_sleeps(pid_t pid)
{
	struct world *w = world_new(NULL, NULL);

	do
		proc_add_thread(w, pid, pid);
	while (w->tasks[w->nr_tasks - 1].state != 'S');
	world_free(w);
}

/* No longer than the test, which may be ended from outside. */
static void be_a_child(pid_t test)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) || getppid() != test)
		_exit(1);
	for (;;)
		pause();
}

FIXTURE_SETUP(looks)
{
	pid_t test = getpid();

	setenv("GRIDLOCK_THREADS", "bpf", 1);
	self->census = census_new(true);
	self->before = NULL;
	ASSERT_EQ(0, pipe(ends));
	signal(SIGUSR1, close_ends);
	for (int i = 0; i < 3; i++) {
		self->child[i] = fork();
		if (!self->child[i])
			be_a_child(test);
		ASSERT_LT(0, self->child[i]);
		wait_until_it_sleeps(self->child[i]);
		told[i] = sleeper;
		told[i].task += i;
		told[i].mm += i;
		told[i].start_ns = i;
		told[i].tid = self->child[i];
		told[i].tgid = self->child[i];
	}
	nr_told = 3;
	self->w = world_new(NULL, remote_new());
	world_add_task(self->w, 1, 1);
	/* The first look of all goes without. */
	EXPECT_FALSE(census_tasks(self->census, self->w));
	census_end(self->census, self->w);
}

static void end_look(FIXTURE_DATA(looks) * self)
{
	struct remote *remote = self->w->remote;

	census_end(self->census, self->w);
	world_free(self->before);
	self->before = self->w;
	self->w = world_new(NULL, remote);
}

/* How many of the threads told were read by /proc, and how many kept? */
static inline const char *look(FIXTURE_DATA(looks) * self)
{
	struct census_counts a, b;
	static char said[64];

	census_read_counts(self->census, &a);
	end_look(self);
	if (!census_tasks(self->census, self->w))
		return "not told";
	census_read_counts(self->census, &b);
	snprintf(said, sizeof(said), "%u tasks, %u kept", self->w->nr_tasks,
		 (unsigned int)(b.nr_kept - a.nr_kept));
	return said;
}

FIXTURE_TEARDOWN(looks)
{
	struct remote *remote = self->w->remote;

	world_free(self->w);
	world_free(self->before);
	census_free(self->census);
	remote_free(remote);
	close_ends(0);
	for (int i = 0; i < 3; i++) {
		kill(self->child[i], SIGKILL);
		waitpid(self->child[i], NULL, 0);
	}
}

#endif /* LOOKS_H */
