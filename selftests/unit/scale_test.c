// SPDX-License-Identifier: GPL-2.0
/*
 * scale_test - the right answer up to a million tasks, with time and memory
 * printed for each size: ten times the tasks should take about ten times both.
 * How long is too long depends on the machine, so only the slope is asserted.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "finding.h"
#include "graph.h"
#include "kselftest_harness.h"
#include "lens.h"
#include "window.h"
#include "world.h"
#include "xalloc.h"

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
	if (c->nr) {
		struct walk *walk = walk_new(g);

		a.circle_len = walk_circle(walk, c->task, c->off[1], circle);
		walk_free(walk);
	}
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

/* --- all detectors, where they have the most to say --- */

#define MS_NS 1000000ULL

/* A hundred times the tasks: what is quadratic takes a hundred times as long for each. */
#define LEAST_TASKS 1000
#define MOST_TASKS 100000

/* A larger set fits fewer of the CPU's caches: no more than that. */
#define MOST_SLOPE 8

/* A machine with many threads; what watch takes of it is told in per cent. */
#define MANY_TASKS 20000
#define LOOKS_A_SECOND 4

#define NR_TRIES 3

/** struct shape - a situation that can be of any size */
struct shape {
	const char *name;
	struct world *(*make)(uint32_t nr);
	/** @nr_found: findings in it, of @nr tasks */
	uint32_t (*nr_found)(uint32_t nr);
	/** @window: there was a look before that saw the same */
	bool window;
	/** @nest: with it: what thread @i had, and asked for, as the lens tells it */
	void (*nest)(uint32_t i, uint32_t nr, struct nesting *ret);
};

static struct world *make_pairs(uint32_t nr)
{
	return world_of(nr, nr, other_owner);
}

static struct world *make_chain(uint32_t nr)
{
	return world_of(nr, nr - 1, next_owner);
}

/* Each has one that waits behind it, and waits for what nobody can release. */
static struct world *make_orphans(uint32_t nr)
{
	struct world *w = world_of(nr, nr, next_owner);

	for (uint32_t i = 0; i < nr; i += 2)
		w->resources[i].dead = true;
	return w;
}

static struct world *make_queue(uint32_t nr)
{
	struct world *w = world_new(NULL, NULL);
	bool is_new;

	for (uint32_t i = 0; i < nr; i++)
		world_add_task(w, i + 1, i + 1);
	for (uint32_t i = 1; i < nr; i++)
		world_block_on(w, world_add_wait(w, i, GL_KIND_FLOCK),
			       world_resource(w, "one", &is_new));
	world_add_releaser(w, 0, 0);
	return w;
}

static uint32_t half(uint32_t nr)
{
	return nr / 2;
}

static uint32_t one(uint32_t nr)
{
	return 1;
}

static struct world *make_runners(uint32_t nr)
{
	return world_of(nr, 0, other_owner);
}

/* Two and two take two locks in opposite orders. */
static void nest_in_pairs(uint32_t i, uint32_t nr, struct nesting *ret)
{
	ret->nr_held = 1;
	ret->held[0] = i;
	ret->wanted = i ^ 1;
}

/* Half of all take two locks in one order, half in the other, behind a third one. */
static void nest_behind_a_gate(uint32_t i, uint32_t nr, struct nesting *ret)
{
	ret->nr_held = 2;
	ret->held[0] = 2;
	ret->held[1] = i % 2;
	ret->wanted = !(i % 2);
}

static struct lens_view *view_of(const struct shape *shape, uint32_t nr)
{
	struct lens_view *view = calloc(1, sizeof(*view));

	if (!shape->nest)
		return view;
	view->nestings = calloc(nr, sizeof(*view->nestings));
	view->locks = calloc(nr, sizeof(*view->locks));
	view->nr_nestings = nr;
	view->nr_locks = nr;
	for (uint32_t i = 0; i < nr; i++) {
		struct nesting *n = &view->nestings[i];

		shape->nest(i, nr, n);
		n->task.tid = i + 1;
		n->last_ns = MS_NS;
		n->wanted_site = "";
		n->held_site[0] = "";
		n->held_site[1] = "";
		view->locks[i].id = xasprintf("%u", i);
		view->locks[i].name = view->locks[i].id;
	}
	return view;
}

static void view_free(struct lens_view *view)
{
	for (uint32_t i = 0; i < view->nr_locks; i++)
		free((char *)view->locks[i].id);
	free(view->locks);
	free(view->nestings);
	free(view);
}

static uint32_t none(uint32_t nr)
{
	return 0;
}

/* What a look tells beside the graph: what is waited for, and since when. */
static void fill_in(struct world *w, uint64_t now_ns)
{
	w->taken_ns = now_ns;
	for (uint32_t i = 0; i < w->nr_tasks; i++)
		w->tasks[i].nr_runs = 1;
	for (uint32_t i = 0; i < w->nr_resources; i++)
		w->resources[i].held = MODE_EXCLUSIVE;
	for (uint32_t i = 0; i < w->nr_waits; i++) {
		w->waits[i].begin_ns = MS_NS;
		w->waits[i].id = strdup(w->resources[w->waits[i].blockers[0]].key);
	}
}

static double cpu_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

/* All that a look costs beside the reading, ns of CPU time for each task. */
static double detect_once(struct __test_metadata *_metadata, const struct shape *shape,
			  uint32_t nr)
{
	struct limits limits = limits_default;
	struct window *window = shape->window ? window_new() : NULL;
	struct lens_view *view = view_of(shape, nr);
	struct findings found = { 0 };
	double start, took = 0;

	limits.long_wait_ns = 1;
	for (uint64_t look = 1; look <= 3; look++) {
		struct world *w = shape->make(nr);

		fill_in(w, 1000 * MS_NS * look);
		start = cpu_ms();
		if (window)
			window_add(window, w, NULL, NULL, NULL);
		if (shape->nest)
			window->view = view;
		w->window = window;
		findings_detect(w, &limits, &found);
		took = cpu_ms() - start;
		EXPECT_EQ(shape->nr_found(nr), found.nr)
			TH_LOG("%s of %u", shape->name, nr);
		findings_free(&found);
		world_free(w);
	}
	window_free(window);
	view_free(view);
	return took * 1e6 / nr;
}

/* The least of some tries: what else the machine does only adds. */
static double detect(struct __test_metadata *_metadata, const struct shape *shape, uint32_t nr)
{
	double least = detect_once(_metadata, shape, nr);

	for (int i = 1; i < NR_TRIES; i++) {
		double again = detect_once(_metadata, shape, nr);

		if (again < least)
			least = again;
	}
	printf("# %-14s %7u tasks: all detectors %6.0f ns a task  %4ld MB  %5.2f %% of a CPU at %u looks a second\n",
	       shape->name, nr, least, max_rss_mb(), least * nr * LOOKS_A_SECOND / 1e7,
	       LOOKS_A_SECOND);
	return least;
}

static void check_slope(struct __test_metadata *_metadata, const struct shape *shape)
{
	double small = detect(_metadata, shape, LEAST_TASKS);

	for (uint32_t nr = 10 * LEAST_TASKS; nr <= MOST_TASKS; nr *= 10) {
		EXPECT_LT(detect(_metadata, shape, nr), MOST_SLOPE * small)
			TH_LOG("%s of %u", shape->name, nr);
	}
	detect(_metadata, shape, MANY_TASKS);
}

TEST(each_of_many_deadlocks_takes_as_long_at_every_size)
{
	check_slope(_metadata, &(struct shape){ "pairs", make_pairs, half, false, NULL });
}

TEST(each_of_many_orphans_takes_as_long_at_every_size)
{
	check_slope(_metadata, &(struct shape){ "orphans", make_orphans, half, false, NULL });
}

TEST(each_of_a_chain_takes_as_long_at_every_size)
{
	check_slope(_metadata, &(struct shape){ "chain", make_chain, one, true, NULL });
}

TEST(each_of_a_queue_takes_as_long_at_every_size)
{
	check_slope(_metadata, &(struct shape){ "queue", make_queue, one, true, NULL });
}

TEST(each_of_many_opposite_orders_takes_as_long_at_every_size)
{
	check_slope(_metadata,
		    &(struct shape){ "nestings", make_runners, half, true, nest_in_pairs });
}

TEST(each_of_a_crowd_behind_a_gate_takes_as_long_at_every_size)
{
	check_slope(_metadata,
		    &(struct shape){ "gate", make_runners, none, true, nest_behind_a_gate });
}

TEST_HARNESS_MAIN
