// SPDX-License-Identifier: GPL-2.0
/*
 * retry_test - tasks that come back to a lock again and again, and tasks that
 * take two in opposite orders, in windows written by hand.
 */
#include <stdlib.h>

#include "film.h"
#include "kselftest_harness.h"
#include "xalloc.h"

/* --- starvation over many waits, of a futex --- */

/** struct visits - how 1 fares with a futex that 2 holds */
struct visits {
	/** @overtaken: by the last look */
	uint32_t overtaken;
	/** @asked_ms: since when it asks, at the last look */
	uint32_t asked_ms;
	/** @had_it: its latest wait is the first since it had the lock */
	bool had_it;
	/** @is_cond: no lock, but something that one waits for again and again */
	bool is_cond;
};

static char *say_visits(const struct visits *v)
{
	uint64_t now_ns = WORLD_NOW_NS + 4 * 250 * MS_NS, since_ns = now_ns - v->asked_ms * MS_NS;
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 4; i++) {
		struct world *w = film_next(&film, "1>a a=2", 250);
		uint64_t begin_ns = v->had_it ? since_ns - 1 : film.now_ns - MS_NS;
		char *text = xasprintf("tid start_ns uaddr since_ns overtaken timeouts had\n"
				       "1 0 0x1000 %llu %u 0 0\n",
				       (unsigned long long)since_ns, v->overtaken);

		film_wait(&film, 0, 1, 11 + i, begin_ns, GL_KIND_FUTEX);
		wait_of(w, 1)->comes_back = !v->is_cond;
		film.rows[0].res_addr = 0x1000;
		film_take_in_with(&film, text);
	}
	return film_say(&film);
}

TEST(woken_in_vain_eight_times_is_starvation)
{
	EXPECT_SAYS("starvation confirmed 1 by 2",
		    say_visits(&(struct visits){ .overtaken = 8, .asked_ms = 1000 }));
	EXPECT_SAYS("", say_visits(&(struct visits){ .overtaken = 7, .asked_ms = 1000 }));
	EXPECT_SAYS("", say_visits(&(struct visits){ .overtaken = 8, .asked_ms = 999 }));
}

TEST(episode_that_this_wait_began_is_silent)
{
	const struct visits visits = { .overtaken = 8, .asked_ms = 1000, .had_it = true };

	EXPECT_SAYS("", say_visits(&visits));
}

TEST(visitor_of_a_condition_is_silent)
{
	const struct visits visits = { .overtaken = 99, .asked_ms = 1000, .is_cond = true };

	EXPECT_SAYS("", say_visits(&visits));
}

/* --- livelock --- */

/** struct failures - of 1, which wants what 2 has, and of 2 */
struct failures {
	/** @first, @second: between two looks */
	uint32_t first, second;
	/** @third: 2 wants something of 3 instead, which fails as often */
	bool third;
	/** @had_at: the look at which 1 has had it; 0: never */
	uint32_t had_at;
};

static char *say_failures(const struct failures *f, uint32_t nr, uint64_t ms)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < nr; i++) {
		char *text = xasprintf("1 0 0x1000 5 0 %u %u\n2 0 0x2000 5 0 %u 0\n",
				       5 + i * f->first, f->had_at && i >= f->had_at,
				       5 + i * f->second);

		film_next(&film, f->third ? "1>a~ 2>b~ 3 a=2 b=3" : "1>a~ 2>b~ 3 a=2 b=1", ms);
		for (uint32_t tid = 1; tid < 3; tid++) {
			film_wait(&film, tid - 1, tid, 10 * i + tid, film.now_ns - MS_NS,
				  GL_KIND_FUTEX);
			film.rows[tid - 1].res_addr = 0x1000 * tid;
		}
		film_take_in_with(&film, text);
	}
	return film_say(&film);
}

#define CYCLE	"transient-cycle confirmed 1 2"

TEST(two_that_fail_by_each_other_are_livelock)
{
	const struct failures ten = { .first = 10, .second = 10 };
	const struct failures one = { .first = 10, .second = 3 };

	EXPECT_SAYS("livelock likely 1 2; " CYCLE, say_failures(&ten, 7, 250));
	EXPECT_SAYS(CYCLE, say_failures(&ten, 6, 250));
	EXPECT_SAYS(CYCLE, say_failures(&ten, 7, 249));
	/* 6 gaps of 3 are 18, 7 are 21. */
	EXPECT_SAYS(CYCLE, say_failures(&one, 7, 250));
	EXPECT_SAYS("livelock likely 1 2; " CYCLE, say_failures(&one, 8, 250));
}

TEST(success_now_and_then_is_silent)
{
	const struct failures f = { .first = 10, .second = 10, .had_at = 4 };

	EXPECT_SAYS(CYCLE, say_failures(&f, 8, 250));
}

TEST(lone_task_that_polls_is_silent)
{
	const struct failures f = { .first = 10, .second = 0 };

	EXPECT_SAYS(CYCLE, say_failures(&f, 12, 250));
}

TEST(failures_because_of_one_who_gets_on_are_silent)
{
	const struct failures f = { .first = 10, .second = 10, .third = true };

	EXPECT_SAYS("", say_failures(&f, 12, 250));
}

/* --- livelock of file locks, that are asked for without waiting --- */

/** struct refusals - of 1 by 2, and of 2 */
struct refusals {
	/** @first, @second: between two looks */
	uint32_t first, second;
	/** @by: who refuses 2; 0: not known; @then: and from the look @then_at on */
	uint32_t by, then, then_at;
	/** @had_at: the look at which 1 has had it; 0: never */
	uint32_t had_at;
};

static char *say_refusals(const struct refusals *r, uint32_t nr)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < nr; i++) {
		char *text = xasprintf("1 0 0x8000000000000001 5 0 %u %u 2\n"
				       "2 0 0x8000000000000002 5 0 %u 0 %u\n",
				       5 + i * r->first, r->had_at && i >= r->had_at,
				       5 + i * r->second,
				       r->then && i >= r->then_at ? r->then : r->by);

		film_next(&film, "1 2 3", 250);
		film_take_in_with(&film, text);
	}
	return film_say(&film);
}

TEST(two_that_refuse_each_other_are_livelock)
{
	EXPECT_SAYS("livelock likely 1 2",
		    say_refusals(&(struct refusals){ .first = 4, .second = 4, .by = 1 }, 7));
	/* Too few, too short. */
	EXPECT_SAYS("", say_refusals(&(struct refusals){ .first = 3, .second = 4, .by = 1 }, 7));
	EXPECT_SAYS("", say_refusals(&(struct refusals){ .first = 4, .second = 4, .by = 1 }, 6));
}

TEST(refused_by_one_who_is_not_refused_is_silent)
{
	EXPECT_SAYS("", say_refusals(&(struct refusals){ .first = 4, .second = 4, .by = 3 }, 7));
	EXPECT_SAYS("", say_refusals(&(struct refusals){ .first = 4, .second = 0, .by = 1 }, 7));
	EXPECT_SAYS("", say_refusals(&(struct refusals){ .first = 4, .second = 4 }, 7));
}

/* A member that refuses now and then is not what keeps it from getting on. */
TEST(refused_by_others_most_of_the_time_is_silent)
{
	struct refusals r = { .first = 4, .second = 4, .by = 1, .then = 3, .then_at = 4 };

	EXPECT_SAYS("livelock likely 1 2", say_refusals(&r, 7));
	r.then_at = 3;
	EXPECT_SAYS("", say_refusals(&r, 7));
}

TEST(refused_one_that_gets_it_once_is_silent)
{
	const struct refusals r = { .first = 4, .second = 4, .by = 1, .had_at = 3 };

	EXPECT_SAYS("", say_refusals(&r, 7));
}

TEST(two_circles_are_told_apart)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 7; i++) {
		uint32_t n = 5 + 4 * i;
		char *text = xasprintf("1 0 0x8000000000000001 5 0 %u 0 3\n"
				       "2 0 0x8000000000000002 5 0 %u 0 4\n"
				       "3 0 0x8000000000000003 5 0 %u 0 1\n"
				       "4 0 0x8000000000000004 5 0 %u 0 2\n", n, n, n, n);

		film_next(&film, "1 2 3 4", 250);
		film_take_in_with(&film, text);
	}
	EXPECT_SAYS("livelock likely 1 3; livelock likely 2 4", film_say(&film));
}

/* --- lock-inversion --- */

/* Each look twice, so that it is known who slept; @runs: the second time, too? */
static void take_in_twice(struct film *film, const char *text, bool runs)
{
	for (int i = 0; i < 2; i++) {
		struct world *w = film_next(film, text, 250);

		for (uint32_t t = 0; t < w->nr_tasks; t++)
			w->tasks[t].nr_runs = w->tasks[t].wait == NO_INDEX ? 0 : 5 + (runs && i);
		film_take_in(film);
	}
}

static char *say_film(const char *const *looks, bool runs)
{
	struct film film;

	film_begin(&film);
	for (; *looks; looks++)
		take_in_twice(&film, *looks, runs);
	return film_say(&film);
}

#define EXPECT_FILM(expected, ...)	\
	EXPECT_SAYS(expected, say_film((const char *const[]){ __VA_ARGS__, NULL }, false))

/* 1 has a and waits for b, which 3 has; later 2 has b and waits for a. */
TEST(two_orders_one_after_the_other_are_lock_inversion)
{
	EXPECT_FILM("lock-inversion possible 1 2",
		    "1>b 2 3 4>a a=1 b=3", "1 2 3 4", "1 2>a 3 4>b a=3 b=2");
	EXPECT_FILM("", "1>b 2 3 4>a a=1 b=3", "1 2 3 4", "1 2>b 3 4>a a=2 b=3");
}

TEST(two_locks_that_many_took_are_told_once)
{
	EXPECT_FILM("lock-inversion possible 1 2",
		    "1>b 2 3 4>a 5 a=1 b=3", "1 2 3 4 5", "1 2>a 3 4>b 5 a=3 b=2",
		    "1 2 3 4 5", "1 2 3 4>b 5>a a=3 b=5");
}

TEST(task_that_ran_between_two_looks_is_silent)
{
	const char *const looks[] = { "1>b 2 3 4>a a=1 b=3", "1 2>a 3 4>b a=3 b=2", NULL };

	EXPECT_SAYS("lock-inversion possible 1 2", say_film(looks, false));
	EXPECT_SAYS("", say_film(looks, true));
}

/* Rows of two moments: a lock that goes round is held and wanted by all. */
TEST(lock_that_goes_round_is_silent)
{
	EXPECT_FILM("", "1>a1 2>a2 3 a1=2 a2=3", "1>a2 2>a1 3 a1=1 a2=3");
}

TEST(both_orders_by_one_task_are_silent)
{
	EXPECT_FILM("", "1>b 3 4>a a=1 b=3", "1 3 4", "1>a 3 4>b a=3 b=1");
}

TEST(orders_below_a_common_lock_are_silent)
{
	EXPECT_FILM("", "1>b 2 3 4>a 5>g a=1 b=3 g=1", "1 2 3 4 5",
		    "1 2>a 3 4>b 5>g a=3 b=2 g=2");
	EXPECT_FILM("lock-inversion possible 1 2", "1>b 2 3 4>a 5>g a=1 b=3 g=1", "1 2 3 4 5",
		    "1 2>a 3 4>b 5>h a=3 b=2 h=2");
}

TEST(deadlock_is_told_as_one)
{
	EXPECT_FILM("deadlock confirmed 1 2", "1>b 2>a a=1 b=2");
}

TEST(guessed_holder_is_no_order)
{
	EXPECT_FILM("", "1>b 2 3 4>a a=1 b=3", "1 2>a 3 4>b a=3 b=2,?");
	EXPECT_FILM("", "1>b 2 3 4>a a=1 b=3", "1 2>a 3 4>b a=3 b=2,5");
}

TEST_HARNESS_MAIN
