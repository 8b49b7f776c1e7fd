// SPDX-License-Identifier: GPL-2.0
/* chain_test - the wait chain of one task, as text and as JSON, of any length */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "view.h"
#include "worlds.h"

/* What view_chain() says on stdout, to be freed. */
static char *chain_said(const struct world *w, pid_t tid, bool json)
{
	FILE *before = stdout;
	size_t size;
	char *text;

	fflush(stdout);
	stdout = open_memstream(&text, &size);
	view_chain(w, NULL, world_find_task(w, tid), json);
	fclose(stdout);
	stdout = before;
	return text;
}

static char *say_chain(const struct world *w)
{
	return chain_said(w, 1, false);
}

static int count(const char *text, const char *what)
{
	int nr = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		nr++;
	return nr;
}

#define WAITS(who) "[" who "] waits for flock (exclusive), 20.0 s, held by "

TEST(task_that_runs_is_its_own_root)
{
	EXPECT_OF("running: [1] waits for no lock (state S)\n", say_chain, "1 2>a a=1");
}

TEST(chain_ends_at_the_root)
{
	EXPECT_OF(WAITS("1") "[2]\n"
		  WAITS("2") "[3]\n"
		  "running: [3] waits for no lock (state S)\n",
		  say_chain, "1>a a=2 2>b b=3");
}

TEST(circle_is_told_once)
{
	EXPECT_OF(WAITS("1") "[2]\n"
		  WAITS("2") "[1]\n"
		  "circle: back to [1]: deadlock candidate; run gridlock check\n",
		  say_chain, "1>a a=2 2>b b=1");
}

TEST(circle_behind_the_start_leads_back_to_its_first)
{
	EXPECT_OF(WAITS("1") "[2]\n"
		  WAITS("2") "[3]\n"
		  WAITS("3") "[2]\n"
		  "circle: back to [2]: deadlock candidate; run gridlock check\n",
		  say_chain, "1>a a=2 2>b b=3 3>c c=2");
}

TEST(all_of_several_branch)
{
	EXPECT_OF(WAITS("1") "[2] and [3]; all of these:\n"
		  "  running: [2] waits for no lock (state S)\n"
		  "  running: [3] waits for no lock (state S)\n",
		  say_chain, "1>a&b a=2 b=3");
}

TEST(any_of_several_branch)
{
	EXPECT_OF(WAITS("1") "[2] or [3]; any of these:\n"
		  "  running: [2] waits for no lock (state S)\n"
		  "  running: [3] waits for no lock (state S)\n",
		  say_chain, "1>a|b a=2 b=3");
}

TEST(several_holders_of_one_are_any)
{
	EXPECT_OF(WAITS("1") "[2], [3]; any of these:\n"
		  "  running: [2] waits for no lock (state S)\n"
		  "  running: [3] waits for no lock (state S)\n",
		  say_chain, "1>a a=2,3");
}

TEST(several_holders_of_all_are_one_of_each)
{
	EXPECT_OF(WAITS("1") "[2], [3] and [3]; of all these, one of each:\n"
		  "  running: [2] waits for no lock (state S)\n"
		  "  running: [3] waits for no lock (state S)\n",
		  say_chain, "1>a&b a=2,3 b=3");
}

TEST(branches_that_meet_are_told_once)
{
	EXPECT_OF(WAITS("1") "[2] and [3]; all of these:\n"
		  "  " WAITS("2") "[4]\n"
		  "  running: [4] waits for no lock (state S)\n"
		  "  " WAITS("3") "[4]\n"
		  "  [4]: see above\n",
		  say_chain, "1>a&b a=2 b=3 2>c 3>c c=4");
}

TEST(dead_owner_ends_the_chain)
{
	EXPECT_OF(WAITS("1") "nobody alive\n"
		  "dead owner: it is gone\n",
		  say_chain, "1>a a=+");
}

TEST(unknown_holder_ends_the_chain)
{
	EXPECT_OF(WAITS("1") "unknown\nunknown holder\n", say_chain, "1>?");
}

TEST(stopped_holder_ends_the_chain)
{
	EXPECT_OF(WAITS("1") "[2]\nsuspended: [2] is stopped\n", say_chain, "1>a a=2 2s");
}

static void expect_length(struct __test_metadata *_metadata, unsigned int nr)
{
	char *chain = chain_of(nr), *said;
	struct world *w = world_of(chain);

	said = chain_said(w, 1, false);
	EXPECT_EQ(nr, count(said, "\n"));
	EXPECT_EQ(nr - 1, count(said, "waits for flock"));
	EXPECT_EQ(1, count(said, "running"));
	free(said);
	free(chain);
	world_free(w);
}

TEST(chain_of_1000)
{
	expect_length(_metadata, 1000);
}

TEST(chain_of_10000)
{
	expect_length(_metadata, 10000);
}

TEST(circle_of_1000)
{
	char *ring = ring_of(1000), *said;
	struct world *w = world_of(ring);

	said = chain_said(w, 500, false);
	EXPECT_EQ(1001, count(said, "\n"));
	EXPECT_EQ(1, count(said, "circle: back to [500]"));
	free(said);
	free(ring);
	world_free(w);
}

TEST(json_has_every_hop_and_what_it_needs)
{
	struct world *w = world_of("1>a|b a=2,3 b=4 2>c c=1 4x 5>a");
	char *said = chain_said(w, 1, true);

	EXPECT_EQ(1, count(said, "\"schema\":\"gridlock.chain/1\""));
	EXPECT_EQ(4, count(said, "\"comm\""));
	EXPECT_EQ(1, count(said, "\"needs\":\"any\",\n      \"blocked_by\""));
	EXPECT_EQ(1, count(said, "\"needs\":\"all\",\n      \"blocked_by\""));
	EXPECT_EQ(1, count(said, "\"end\":\"circle\""));
	EXPECT_EQ(2, count(said, "\"end\":\"running\""));
	free(said);
	world_free(w);
}

TEST_HARNESS_MAIN
