// SPDX-License-Identifier: GPL-2.0
/*
 * nesting_test - threads that ask for locks with others held, as the lens tells
 * it: views written by hand.
 *
 * "1:ab>c" is: thread 1 asked for c with a and b held; a capital is a lock that is
 * only read; with "-61" behind, 61 seconds before the look.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "lens.h"
#include "worlds.h"
#include "xalloc.h"

#define SECOND_NS	1000000000ULL

static struct lens_lock locks[] = { { "a", "a" }, { "b", "b" }, { "c", "c" }, { "d", "d" } };

static void add(struct lens_view *view, const char *word)
{
	struct nesting *n = vec_push(view->nestings, view->nr_nestings);
	const char *at = strchr(word, ':') + 1;

	n->task.tid = atoi(word);
	for (; *at != '>'; at++) {
		n->held_site[n->nr_held] = "there";
		n->held_shared[n->nr_held] = isupper(*at);
		n->held[n->nr_held++] = tolower(*at) - 'a';
	}
	n->wanted_shared = isupper(at[1]);
	n->wanted = tolower(at[1]) - 'a';
	n->wanted_site = "here";
	n->last_ns = WORLD_NOW_NS;
	if (at[2] == '-')
		n->last_ns -= atoi(at + 3) * SECOND_NS;
}

static char *say_of(const char *tasks, const char *text)
{
	struct lens_view view = { .locks = locks, .nr_locks = 4 };
	struct window window = { .view = &view };
	struct world *w = world_of(tasks);
	char *words = xstrdup(text), *rest = words, *word, *said;

	while ((word = strsep(&rest, " ")))
		add(&view, word);
	w->window = &window;
	said = say_findings(w);
	world_free(w);
	free(view.nestings);
	free(words);
	return said;
}

/* Threads 1 to 3 are there, and run. */
static char *say(const char *text)
{
	return say_of("1 2 3", text);
}

TEST(opposite_orders_are_lock_inversion)
{
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:a>b 2:b>a"));
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:ca>b 2:db>a"));
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:ac>b 2:bd>a"));
}

TEST(same_orders_are_silent)
{
	EXPECT_SAYS("", say("1:a>b 2:a>b"));
	EXPECT_SAYS("", say("1:a>b 2:b>c"));
}

TEST(one_thread_alone_is_silent)
{
	EXPECT_SAYS("", say("1:a>b 1:b>a"));
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:a>b 2:a>b 1:b>a"));
}

TEST(orders_behind_a_gate_are_silent)
{
	EXPECT_SAYS("", say("1:ca>b 2:cb>a"));
	EXPECT_SAYS("", say("1:ca>b 2:bc>a"));
}

TEST(once_without_the_gate_is_enough)
{
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:ca>b 1:a>b 2:cb>a"));
}

TEST(locks_that_keep_nobody_out_are_silent)
{
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:A>b 2:b>a"));
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:A>b 2:B>a"));
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:a>B 2:b>A"));
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:a>b 2:B>A"));
	EXPECT_SAYS("", say("1:A>B 2:B>A"));
	EXPECT_SAYS("", say("1:A>b 2:b>A"));
	EXPECT_SAYS("", say("1:A>b 2:B>A"));
	EXPECT_SAYS("", say("1:a>B 2:B>a"));
}

TEST(gate_that_both_only_read_is_none)
{
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:Ca>b 2:Cb>a"));
	EXPECT_SAYS("", say("1:Ca>b 2:cb>a"));
	EXPECT_SAYS("", say("1:ca>b 2:bC>a"));
}

TEST(one_after_many_that_only_read_is_told)
{
	EXPECT_SAYS("lock-inversion possible 3 4",
		    say_of("1 2 3 4", "1:A>B 2:A>B 3:A>b 4:B>a"));
	EXPECT_SAYS("lock-inversion possible 3 4",
		    say_of("1 2 3 4", "1:A>b 2:A>b 3:a>b 4:b>A"));
}

TEST(two_locks_are_told_once)
{
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:a>b 2:b>a 3:b>a"));
	EXPECT_SAYS("lock-inversion possible 1 2; lock-inversion possible 1 3",
		    say("1:a>b 1:c>d 2:b>a 3:d>c"));
}

TEST(what_is_long_ago_is_silent)
{
	EXPECT_SAYS("lock-inversion possible 1 2", say("1:a>b-59 2:b>a"));
	EXPECT_SAYS("", say("1:a>b-60 2:b>a"));
	EXPECT_SAYS("", say("1:a>b 2:b>a-60"));
}

TEST(deadlock_that_came_of_it_is_told_alone)
{
	EXPECT_SAYS("deadlock confirmed 1 2", say_of("1>b 2>a a=1 b=2", "1:a>b 2:b>a"));
	EXPECT_SAYS("lock-inversion possible 1 2; long-wait confirmed 1 to 2",
		    say_of("1>b 2 b=2", "1:a>b 2:b>a"));
}

TEST(one_of_many_alike_that_is_in_no_deadlock_is_told)
{
	EXPECT_SAYS("deadlock confirmed 1 2; lock-inversion possible 3 4",
		    say_of("1>b 2>a 3 4 a=1 b=2", "1:a>b 2:a>b 3:a>b 4:b>a"));
	EXPECT_SAYS("deadlock confirmed 1 2",
		    say_of("1>b 2>a 3 4 a=1 b=2", "1:a>b 2:a>b 3:a>b 4:a>b"));
}

TEST(thread_that_is_gone_is_silent)
{
	EXPECT_SAYS("", say("1:a>b 4:b>a"));
}

TEST_HARNESS_MAIN
