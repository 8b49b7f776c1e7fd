// SPDX-License-Identifier: GPL-2.0
/* report_test - findings of several looks: since when each is said to last */
#include <stdlib.h>

#include "kselftest_harness.h"
#include "look.h"
#include "report.h"
#include "view.h"
#include "worlds.h"
#include "xalloc.h"

#define SECOND_NS	1000000000ULL

/* A proof of this world at that second; whose waits have no beginning that is known. */
static struct look *proof(const char *text, uint64_t second, enum verdict cap)
{
	struct look *look = xcalloc(1, sizeof(*look));
	const struct limits limits = { .long_wait_ns = UINT64_MAX };

	look->world = world_of(text);
	look->world->taken_ns = WORLD_NOW_NS + second * SECOND_NS;
	for (uint32_t i = 0; i < look->world->nr_waits; i++) {
		look->world->waits[i].begin_ns = 0;
		look->world->waits[i].cap = cap;
		look->world->waits[i].cap_reason = "the test says so";
	}
	findings_detect(look->world, &limits, &look->found);
	return look;
}

/* What the first finding says, and its first member's wait; -1: nothing. */
static double at_least(const struct report *r, bool of_member)
{
	struct json_object *o = view_json_finding(r, &r->item[0], "x"), *at = o, *number;
	double seconds = -1;

	if (of_member) {
		json_object_object_get_ex(o, "tasks", &at);
		at = json_object_array_get_idx(at, 0);
		json_object_object_get_ex(at, "waits_for", &at);
	}
	if (json_object_object_get_ex(at, "at_least_s", &number))
		seconds = json_object_get_double(number);
	json_object_put(o);
	return seconds;
}

#define EXPECT_LASTS(seconds, r)				\
	do {							\
		EXPECT_EQ(seconds, at_least(&(r), false));	\
		EXPECT_EQ(seconds, at_least(&(r), true));	\
		report_free(&(r));				\
	} while (0)

#define ABBA	"1>a 2>b a=2 b=1"

TEST(confirmed_deadlock_lasts_since_it_was_found)
{
	struct report r = { 0 };

	report_keep(&r, proof(ABBA, 0, VERDICT_CONFIRMED), true);
	report_keep(&r, proof(ABBA, 3, VERDICT_CONFIRMED), true);
	EXPECT_LASTS(3, r);
}

/* Its tasks may have left their waits and come back. */
TEST(likely_deadlock_is_of_the_look_that_saw_it)
{
	struct report r = { 0 };

	report_keep(&r, proof(ABBA, 0, VERDICT_LIKELY), true);
	report_keep(&r, proof(ABBA, 3, VERDICT_LIKELY), true);
	EXPECT_LASTS(0, r);
}

TEST(deadlock_lasts_since_it_was_confirmed)
{
	struct report r = { 0 };

	report_keep(&r, proof(ABBA, 0, VERDICT_LIKELY), true);
	report_keep(&r, proof(ABBA, 3, VERDICT_CONFIRMED), true);
	report_keep(&r, proof(ABBA, 5, VERDICT_CONFIRMED), true);
	EXPECT_LASTS(2, r);
}

TEST(later_doubt_does_not_undo_what_was_confirmed)
{
	struct report r = { 0 };

	report_keep(&r, proof(ABBA, 0, VERDICT_CONFIRMED), true);
	report_keep(&r, proof(ABBA, 3, VERDICT_CONFIRMED), true);
	report_keep(&r, proof(ABBA, 5, VERDICT_LIKELY), true);
	ASSERT_EQ(1, r.nr);
	EXPECT_EQ(VERDICT_CONFIRMED, report_finding(&r, &r.item[0])->verdict);
	EXPECT_LASTS(3, r);
}

static uint32_t victims_after(uint64_t not_looked)
{
	struct look *later = proof(ABBA " 3>a", 3, VERDICT_CONFIRMED);
	struct report r = { 0 };
	uint32_t nr;

	later->world->unseen.not_looked = not_looked;
	report_keep(&r, proof(ABBA " 3>a 4>a", 0, VERDICT_CONFIRMED), true);
	report_keep(&r, later, true);
	nr = report_finding(&r, &r.item[0])->nr_victims;
	report_free(&r);
	return nr;
}

TEST(victims_stay_where_a_later_look_was_cut_short)
{
	EXPECT_EQ(2, victims_after(1));
}

/* It looked at all: the one is gone. */
TEST(victims_that_are_gone_are_told_no_more)
{
	EXPECT_EQ(1, victims_after(0));
}

static uint64_t unproven_of(const char *seen, const char *proven, bool late, bool *retry_ret)
{
	struct look *look = proof(seen, 0, VERDICT_CONFIRMED);
	struct look *again = proof(proven, 0, VERDICT_CONFIRMED);
	struct report r = { .unseen.unproven = 7 };

	report_note_proof(&r, look, again, late);
	look_free(look);
	look_free(again);
	*retry_ret = r.retry;
	return r.unseen.unproven;
}

TEST(what_there_was_no_time_to_prove_is_counted)
{
	bool retry;

	EXPECT_EQ(1, unproven_of(ABBA, "1>a a=2 2", true, &retry));
	EXPECT_TRUE(retry);
	EXPECT_EQ(1, unproven_of(ABBA " 3>c 4>d c=4 d=3", ABBA, true, &retry));
}

/* Who ran meanwhile was in no deadlock. */
TEST(what_its_proof_refutes_is_not_counted)
{
	bool retry;

	EXPECT_EQ(0, unproven_of(ABBA, "1>a a=2 2", false, &retry));
	EXPECT_TRUE(retry);
}

TEST(what_is_proven_late_is_proven)
{
	bool retry;

	EXPECT_EQ(0, unproven_of(ABBA, ABBA, true, &retry));
	EXPECT_FALSE(retry);
}

/* Deadlocks of two; the second look has them in the same order, with one more before. */
TEST(each_of_many_is_found_again)
{
	struct report r = { 0 };
	char before[4096] = "", after[4096] = "1>z1 2>z2 z1=2 z2=1";

	for (int i = 10; i < 100; i += 2) {
		sprintf(before + strlen(before), "%s%d>a%d %d>b%d a%d=%d b%d=%d", i > 10 ? " " : "",
			i, i, i + 1, i, i, i + 1, i, i);
		sprintf(after + strlen(after), " %d>a%d %d>b%d a%d=%d b%d=%d", i, i, i + 1, i, i,
			i + 1, i, i);
	}
	report_keep(&r, proof(before, 0, VERDICT_CONFIRMED), true);
	ASSERT_EQ(45, r.nr);
	report_keep(&r, proof(after, 3, VERDICT_CONFIRMED), true);
	ASSERT_EQ(46, r.nr);
	for (int i = 0; i < 45; i++) {
		const struct world *w = report_world(&r, &r.item[i]);
		const struct finding *f = report_finding(&r, &r.item[i]);

		EXPECT_EQ(10 + 2 * i, w->tasks[f->tasks[0]].tid);
		EXPECT_EQ(WORLD_NOW_NS, r.item[i].first_ns);
		EXPECT_EQ(WORLD_NOW_NS + 3 * SECOND_NS, w->taken_ns);
	}
	EXPECT_EQ(WORLD_NOW_NS + 3 * SECOND_NS, r.item[45].first_ns);
	report_free(&r);
}

/* Who waits for the lock may be another one each time: the lock has no owner since. */
TEST(lock_without_an_owner_lasts_and_its_waiters_do_not)
{
	struct report r = { 0 };

	report_keep(&r, proof("1>a a=+", 0, VERDICT_CONFIRMED), true);
	report_keep(&r, proof("1>a a=+", 3, VERDICT_CONFIRMED), true);
	EXPECT_EQ(3, at_least(&r, false));
	EXPECT_EQ(0, at_least(&r, true));
	report_free(&r);
}

TEST(circle_until_a_timeout_is_of_the_look_that_saw_it)
{
	struct report r = { 0 };

	report_keep(&r, proof("1>a~ 2>b a=2 b=1", 0, VERDICT_CONFIRMED), true);
	report_keep(&r, proof("1>a~ 2>b a=2 b=1", 3, VERDICT_CONFIRMED), true);
	EXPECT_LASTS(0, r);
}

TEST_HARNESS_MAIN
