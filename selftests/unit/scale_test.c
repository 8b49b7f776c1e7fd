// SPDX-License-Identifier: GPL-2.0
/*
 * scale_test - the right answer up to a million tasks, with time and memory
 * printed for each size: ten times the tasks should take about ten times both.
 * How long is too long depends on the machine, so nothing here asserts it.
 */
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "finding.h"
#include "graph.h"
#include "kselftest_harness.h"
#include "world.h"

#define MAX_TASKS 1000000

/** struct answer - what was found, for comparing */
struct answer {
	uint32_t nr_stuck;
	uint32_t nr_cores;
	uint32_t nr_members;
	uint32_t circle_len;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static long max_rss_mb(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss / 1024;
}

/* Task i waits for resource i, which task owner(i) can release. */
static struct world *world_of(uint32_t nr, uint32_t nr_waiting,
			      uint32_t (*owner)(uint32_t i, uint32_t nr))
{
	struct world *w = world_new(NULL, NULL);
	char key[16];
	bool is_new;

	for (uint32_t i = 0; i < nr; i++)
		world_add_task(w, i + 1, i + 1);
	for (uint32_t i = 0; i < nr_waiting; i++) {
		struct wait *wait = world_add_wait(w, i, GL_KIND_FLOCK);

		snprintf(key, sizeof(key), "%u", i);
		world_block_on(w, wait, world_resource(w, key, &is_new));
		world_add_releaser(w, i, owner(i, nr));
	}
	return w;
}

static uint32_t next_owner(uint32_t i, uint32_t nr)
{
	return (i + 1) % nr;
}

/* Pairs of two that wait for each other. */
static uint32_t other_owner(uint32_t i, uint32_t nr)
{
	return i ^ 1;
}

/* A binary tree that grows behind one pair that waits for itself. */
static uint32_t parent_owner(uint32_t i, uint32_t nr)
{
	return i < 2 ? i ^ 1 : i / 2;
}

static struct answer answer_of(const struct graph *g)
{
	bool *stuck = calloc(g->nr_tasks, sizeof(*stuck));
	uint32_t *circle = calloc(g->nr_tasks, sizeof(*circle));
	double start = now_ms(), reduced, done;
	struct answer a = { 0 };
	struct cores *c;

	a.nr_stuck = graph_reduce(g, true, stuck);
	reduced = now_ms();
	c = graph_cores(g, stuck);
	done = now_ms();
	a.nr_cores = c->nr;
	a.nr_members = c->off[c->nr];
	if (c->nr)
		a.circle_len = graph_circle(g, c->task, c->off[1], circle);
	printf(" reduce %8.2f ms  cores %8.2f ms  circle %8.2f ms", reduced - start, done - reduced,
	       now_ms() - done);
	cores_free(c);
	free(circle);
	free(stuck);
	return a;
}

/* @before_mb: what the process had before it made @w */
static struct answer measure(const char *what, struct world *w, long before_mb)
{
	double start = now_ms();
	struct graph *g = graph_build(w);
	struct answer a;

	printf("# %-14s %7u tasks %7u edges: build %8.2f ms ", what, g->nr_tasks,
	       g->need_off[g->nr_tasks] + g->by_off[g->nr_resources], now_ms() - start);
	a = answer_of(g);
	/* The slope: it stays about level where time and memory are linear. */
	printf("  %4ld MB  %6.0f ns and %5.0f bytes a task\n", max_rss_mb(),
	       (now_ms() - start) * 1e6 / g->nr_tasks,
	       (max_rss_mb() - before_mb) * 1048576.0 / g->nr_tasks);
	graph_free(g);
	world_free(w);
	return a;
}

TEST(ring_is_one_core_at_every_size)
{
	for (uint32_t nr = 1000; nr <= MAX_TASKS; nr *= 10) {
		long before_mb = max_rss_mb();
		struct answer a = measure("ring", world_of(nr, nr, next_owner), before_mb);

		EXPECT_EQ(nr, a.nr_stuck);
		EXPECT_EQ(1, a.nr_cores);
		EXPECT_EQ(nr, a.nr_members);
		EXPECT_EQ(nr, a.circle_len);
	}
}

TEST(chain_is_free_at_every_size)
{
	for (uint32_t nr = 1000; nr <= MAX_TASKS; nr *= 10) {
		long before_mb = max_rss_mb();
		struct answer a = measure("chain", world_of(nr, nr - 1, next_owner), before_mb);

		EXPECT_EQ(0, a.nr_stuck);
		EXPECT_EQ(0, a.nr_cores);
	}
}

TEST(pairs_are_cores_of_their_own_at_every_size)
{
	for (uint32_t nr = 1000; nr <= MAX_TASKS; nr *= 10) {
		long before_mb = max_rss_mb();
		struct answer a = measure("pairs", world_of(nr, nr, other_owner), before_mb);

		EXPECT_EQ(nr, a.nr_stuck);
		EXPECT_EQ(nr / 2, a.nr_cores);
		EXPECT_EQ(2, a.circle_len);
	}
}

TEST(tree_of_victims_is_no_core_at_any_size)
{
	for (uint32_t nr = 1000; nr <= MAX_TASKS; nr *= 10) {
		long before_mb = max_rss_mb();
		struct answer a = measure("tree", world_of(nr, nr, parent_owner), before_mb);

		EXPECT_EQ(nr, a.nr_stuck);
		EXPECT_EQ(1, a.nr_cores);
		EXPECT_EQ(2, a.nr_members);
	}
}

/* As many waiters for one resource as can release it: no edge times edge. */
TEST(crowd_around_one_resource_at_every_size)
{
	for (uint32_t nr = 1000; nr <= MAX_TASKS; nr *= 10) {
		long before_mb = max_rss_mb();
		struct world *w = world_new(NULL, NULL);
		struct answer a;
		bool is_new;

		for (uint32_t i = 0; i < nr; i++)
			world_add_task(w, i + 1, i + 1);
		for (uint32_t i = 0; i < nr; i++)
			world_block_on(w, world_add_wait(w, i, GL_KIND_FLOCK),
				       world_resource(w, "one", &is_new));
		for (uint32_t i = 0; i < nr; i++)
			world_add_releaser(w, 0, i);
		a = measure("crowd", w, before_mb);
		EXPECT_EQ(nr, a.nr_stuck);
		EXPECT_EQ(1, a.nr_cores);
		EXPECT_EQ(nr, a.nr_members);
	}
}

/* All detectors, where they have the most to say: many findings at once. */
TEST(many_deadlocks_are_told)
{
	const struct limits limits = { .long_wait_ns = 1 };

	for (uint32_t nr = 100; nr <= 10000; nr *= 10) {
		struct world *w = world_of(nr, nr, other_owner);
		struct findings found = { 0 };
		double start = now_ms();

		findings_detect(w, &limits, &found);
		printf("# %-14s %7u tasks: detect %8.2f ms  %4ld MB\n", "all detectors", nr,
		       now_ms() - start, max_rss_mb());
		EXPECT_EQ(nr / 2, found.nr);
		findings_free(&found);
		world_free(w);
	}
}

TEST_HARNESS_MAIN
