// SPDX-License-Identifier: GPL-2.0
/*
 * overtime_test - what is found in windows written by hand, look for look, and
 * what is not: each threshold from both sides.
 */
#include <stdlib.h>
#include <string.h>

#include "film.h"
#include "kselftest_harness.h"
#include "xalloc.h"

static struct task *task_of(struct world *w, pid_t tid)
{
	return &w->tasks[world_find_task(w, tid)];
}

static void runs(struct world *w, pid_t tid, uint64_t run_ms, int cpu)
{
	struct task *t = task_of(w, tid);

	t->state = 'R';
	t->run_ns = run_ms * MS_NS;
	t->nr_runs = 1 + run_ms;
	t->cpu = cpu;
}

/* --- series --- */

#define MOST_SERIES	33

/* Threads 2, 4, 6 and so on have one. */
TEST(series_is_found_from_wherever_the_search_begins)
{
	struct window_task series[MOST_SERIES];

	for (uint32_t i = 0; i < MOST_SERIES; i++)
		series[i] = (struct window_task){ .tid = 2 * i + 2 };
	for (uint32_t nr = 0; nr <= MOST_SERIES; nr++) {
		for (uint32_t hint = 0; hint <= nr; hint++) {
			for (uint32_t tid = 1; tid < 2 * nr + 2; tid++) {
				struct window_task task = { .tid = tid };

				EXPECT_EQ(tid % 2 ? NULL : &series[tid / 2 - 1],
					  window_search(&task, series, nr, sizeof(*series), hint))
					TH_LOG("%u of %u from %u", tid, nr, hint);
			}
		}
	}
}

/* --- cpu-starvation --- */

/* @nr looks, @ms apart, at 1, which could run on CPU 0, and 2, which has CPU @cpu. */
static char *say_starved(uint32_t nr, uint64_t ms, int cpu)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < nr; i++) {
		struct world *w = film_next(&film, "1 2", ms);

		runs(w, 1, 100, 0);
		runs(w, 2, 100 + i * ms, cpu);
		film_take_in(&film);
	}
	return film_say(&film);
}

TEST(runnable_through_eight_looks_is_cpu_starvation)
{
	EXPECT_SAYS("", say_starved(7, 250, 0));
	EXPECT_SAYS("cpu-starvation confirmed 1 by 2", say_starved(8, 250, 0));
}

TEST(runnable_for_a_second_is_cpu_starvation)
{
	EXPECT_SAYS("", say_starved(8, 142, 0));
	EXPECT_SAYS("cpu-starvation confirmed 1 by 2", say_starved(8, 143, 0));
	EXPECT_SAYS("", say_starved(10, 111, 0));
	EXPECT_SAYS("cpu-starvation confirmed 1 by 2", say_starved(11, 100, 0));
}

TEST(who_runs_on_another_cpu_is_not_to_blame)
{
	EXPECT_SAYS("cpu-starvation likely 1", say_starved(8, 250, 1));
}

/* A paused machine: one gap is long, and nobody had the time. */
TEST(long_gap_counts_for_half_a_second)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 8; i++) {
		struct world *w = film_next(&film, "1 2", i == 4 ? 60000 : 83);

		runs(w, 1, 100, 0);
		runs(w, 2, 100 + i * 83, 0);
		film_take_in(&film);
	}
	EXPECT_SAYS("", film_say(&film));
}

/* A run, however short, ends a series; so does a look that finds it asleep. */
TEST(task_that_runs_now_and_then_is_silent)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 14; i++) {
		struct world *w = film_next(&film, "1 2", 250);

		runs(w, 1, 100 + i / 7, 0);
		runs(w, 2, 100 + i * 249, 0);
		film_take_in(&film);
		EXPECT_SAYS("", say_findings(film.w));
	}
	for (uint32_t i = 0; i < 14; i++) {
		struct world *w = film_next(&film, "1 2", 250);

		runs(w, 1, 200, 0);
		runs(w, 2, 4000 + i * 250, 0);
		if (i == 7)
			task_of(w, 1)->state = 'S';
		film_take_in(&film);
		EXPECT_SAYS("", say_findings(film.w));
	}
	film_end(&film);
}

TEST(reused_number_is_another_task)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 10; i++) {
		struct world *w = film_next(&film, "1 2", 250);

		runs(w, 1, 100, 0);
		task_of(w, 1)->start_ticks = i / 5;
		runs(w, 2, 100 + i * 250, 0);
		film_take_in(&film);
	}
	EXPECT_SAYS("", film_say(&film));
}

/* --- priority-inversion --- */

/** struct trio - priorities of the waiter 1, the owner 2 and 3, and who runs */
struct trio {
	int waiter, owner, own, third;
	bool owner_runs;
	int third_cpu;
};

static char *say_trio(const struct trio *trio, uint32_t nr, uint64_t ms)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < nr; i++) {
		struct world *w = film_next(&film, "1>a a=2 3", ms);

		runs(w, 2, 100 + (trio->owner_runs ? i : 0), 0);
		runs(w, 3, 100 + i * ms, trio->third_cpu);
		task_of(w, 1)->prio = trio->waiter;
		task_of(w, 2)->prio = trio->owner;
		task_of(w, 2)->own_prio = trio->own;
		task_of(w, 3)->prio = trio->third;
		film_take_in(&film);
	}
	return film_say(&film);
}

static const struct trio inverted = { .waiter = -51, .owner = 20, .own = 20, .third = -11 };

TEST(urgent_behind_a_less_urgent_that_gets_no_cpu_is_priority_inversion)
{
	EXPECT_SAYS("priority-inversion confirmed 1 owner 2 middle 3", say_trio(&inverted, 4, 200));
	EXPECT_SAYS("", say_trio(&inverted, 3, 249));
	EXPECT_SAYS("priority-inversion confirmed 1 owner 2 middle 3", say_trio(&inverted, 3, 250));
}

TEST(nice_levels_count_too)
{
	const struct trio trio = { .waiter = 0, .owner = 39, .own = 39, .third = 1 };
	const struct trio same = { .waiter = 39, .owner = 39, .own = 39, .third = 1 };

	EXPECT_SAYS("priority-inversion confirmed 1 owner 2 middle 3", say_trio(&trio, 4, 200));
	EXPECT_SAYS("", say_trio(&same, 4, 200));
}

TEST(owner_that_was_lent_the_priority_is_silent)
{
	struct trio trio = inverted;

	trio.owner = trio.waiter;
	EXPECT_SAYS("", say_trio(&trio, 4, 200));
	/* Lent some, though not yet as much. */
	trio.owner = -6;
	EXPECT_SAYS("", say_trio(&trio, 4, 200));
}

TEST(owner_that_runs_is_silent)
{
	struct trio trio = inverted;

	trio.owner_runs = true;
	EXPECT_SAYS("", say_trio(&trio, 4, 200));
}

TEST(nobody_in_the_middle_is_silent)
{
	struct trio trio = inverted;

	trio.third_cpu = 1;
	EXPECT_SAYS("", say_trio(&trio, 4, 200));
	/* More urgent than the waiter: it would have its way anyhow. */
	trio.third_cpu = 0;
	trio.third = -60;
	EXPECT_SAYS("", say_trio(&trio, 4, 200));
}

/* --- starvation --- */

/** struct queue - how a lock changes hands while 1 waits */
struct queue {
	/** @hands: given to others between two looks */
	uint32_t hands;
	/** @ahead: a task that waited longer when 1 came */
	bool ahead;
	/** @waited_ms: since when 1 waits, at the last look */
	uint64_t waited_ms;
	/** @other_wait_at: from this look on it is another wait */
	uint32_t other_wait_at;
};

static char *say_queue(const struct queue *q, uint32_t nr)
{
	uint64_t begin_ns = WORLD_NOW_NS + nr * 250 * MS_NS - q->waited_ms * MS_NS;
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < nr; i++) {
		uint64_t gen = i < q->other_wait_at ? 11 : 12;
		struct world *w = film_next(&film, "1>a a=2 3", 250);

		wait_of(w, 1)->gen = gen;
		wait_of(w, 1)->begin_ns = begin_ns;
		film_row(&film, 0, 1, gen, begin_ns);
		if (q->ahead)
			film_row(&film, 1, 3, 5, begin_ns - 1);
		film.lock.nr_ended = 100 + i * q->hands;
		film_take_in(&film);
	}
	return film_say(&film);
}

/* Hands are counted from the second look on: four looks are two gaps. */
TEST(overtaken_eight_times_is_starvation)
{
	const struct queue seven = { .hands = 7, .waited_ms = 2000, .other_wait_at = 99 };
	const struct queue four = { .hands = 4, .waited_ms = 2000, .other_wait_at = 99 };

	EXPECT_SAYS("", say_queue(&seven, 3));
	EXPECT_SAYS("starvation confirmed 1 by 2", say_queue(&four, 4));
}

TEST(wait_of_a_second_is_starvation)
{
	struct queue q = { .hands = 100, .waited_ms = 999, .other_wait_at = 99 };

	EXPECT_SAYS("", say_queue(&q, 5));
	q.waited_ms = 1000;
	EXPECT_SAYS("starvation confirmed 1 by 2", say_queue(&q, 5));
}

TEST(those_who_came_first_may_go_first)
{
	struct queue q = { .hands = 4, .waited_ms = 2000, .other_wait_at = 99, .ahead = true };

	EXPECT_SAYS("", say_queue(&q, 4));
	EXPECT_SAYS("starvation confirmed 1 by 2", say_queue(&q, 5));
}

TEST(waiter_that_got_it_meanwhile_is_silent)
{
	const struct queue q = { .hands = 4, .waited_ms = 2000, .other_wait_at = 3 };

	EXPECT_SAYS("", say_queue(&q, 5));
}

TEST(lock_that_stays_in_one_hand_is_silent)
{
	const struct queue q = { .hands = 0, .waited_ms = 5000, .other_wait_at = 99 };

	EXPECT_SAYS("", say_queue(&q, 20));
}

TEST(another_load_of_the_module_counts_afresh)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 4; i++) {
		struct world *w = film_next(&film, "1>a a=2", 250);

		film.snap.header.load_id = FILM_LOAD_ID + i / 2;
		film.locks.header.load_id = FILM_LOAD_ID + i / 2;
		wait_of(w, 1)->gen = 11;
		wait_of(w, 1)->begin_ns = WORLD_NOW_NS - 2000 * MS_NS;
		film_row(&film, 0, 1, 11, WORLD_NOW_NS - 2000 * MS_NS);
		film.lock.nr_ended = 100 + i * 50;
		film_take_in(&film);
	}
	EXPECT_SAYS("", film_say(&film));
}

static double fact_of(const struct world *w, const char *name)
{
	struct findings found = { 0 };
	double number = -1;

	findings_detect(w, &limits_default, &found);
	for (uint32_t i = 0; i < found.nr; i++)
		for (uint32_t k = 0; k < found.finding[i].nr_facts; k++)
			if (!strcmp(found.finding[i].facts[k].name, name))
				number = found.finding[i].facts[k].number;
	findings_free(&found);
	return number;
}

/* Looks at a lock that 1 waits for, four turns apart: what is told of them in the end. */
static char *say_shares(const char *const *looks, uint32_t nr, uint32_t failed)
{
	struct film film;
	char *said;

	film_begin(&film);
	for (uint32_t i = 0; i < nr; i++) {
		struct world *w = film_next(&film, looks[i], 250);

		wait_of(w, 1)->gen = 11;
		wait_of(w, 1)->begin_ns = WORLD_NOW_NS - 2000 * MS_NS;
		film_row(&film, 0, 1, 11, WORLD_NOW_NS - 2000 * MS_NS);
		film.lock.nr_ended = 100 + i * (4 + failed);
		film.lock.nr_failed = 10 + i * failed;
		film_take_in(&film);
	}
	said = xasprintf("%.0f times, %.0f of %.3f, %.3f", fact_of(film.w, "overtaken"),
			 fact_of(film.w, "share"), fact_of(film.w, "fair_share"),
			 fact_of(film.w, "jain_index"));
	film_end(&film);
	return said;
}

#define SAY_SHARES(...)								\
	say_shares((const char *const[]){ __VA_ARGS__ },			\
		   sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), 0)

TEST(turns_are_counted_from_the_second_look_on)
{
	const char *const looks[] = { "1>a a=2", "1>a a=2", "1>a a=2", "1>a a=2", "1>a a=2" };

	EXPECT_SAYS("-1 times, -1 of -1.000, -1.000", say_shares(looks, 3, 0));
	EXPECT_SAYS("8 times, 0 of 0.500, 0.500", say_shares(looks, 4, 0));
	EXPECT_SAYS("12 times, 0 of 0.500, 0.500", say_shares(looks, 5, 0));
	/* Whoever gave up did not have it. */
	EXPECT_SAYS("8 times, 0 of 0.500, 0.500", say_shares(looks, 4, 9));
}

/* Jain: (sum x)^2 / (n sum x^2), of the looks at which each had it; the waiter has 0. */
TEST(index_is_of_the_looks_that_saw_each_hold_it)
{
	EXPECT_SAYS("8 times, 0 of 0.333, 0.667",
		    SAY_SHARES("1>a a=2 3", "1>a a=3 2", "1>a a=2 3", "1>a a=3 2"));
	EXPECT_SAYS("8 times, 0 of 0.333, 0.533",
		    SAY_SHARES("1>a a=2 3", "1>a a=2 3", "1>a a=3 2", "1>a a=2 3"));
	EXPECT_SAYS("8 times, 0 of 0.250, 0.750",
		    SAY_SHARES("1>a a=2 3 4", "1>a a=3 2 4", "1>a a=4 2 3",
			       "1>a a=? 2 3 4"));
}

TEST(fair_share_is_of_those_who_wait_or_were_seen_with_it)
{
	/* 3 waits, too, and counts once when it has had it before. */
	EXPECT_SAYS("8 times, 0 of 0.333, 0.333",
		    SAY_SHARES("1>a 3>a a=2", "1>a 3>a a=2", "1>a 3>a a=2", "1>a 3>a a=2"));
	EXPECT_SAYS("8 times, 0 of 0.333, 0.667",
		    SAY_SHARES("1>a a=3 2", "1>a 2 a=3", "1>a 3>a a=2", "1>a 3>a a=2"));
	/* Who only runs does not. */
	EXPECT_SAYS("8 times, 0 of 0.500, 0.500",
		    SAY_SHARES("1>a a=2 3", "1>a a=2 3", "1>a a=2 3", "1>a a=2 3"));
	/* Nobody was seen with it: all that is known is who waits. */
	EXPECT_SAYS("8 times, 0 of 1.000, 0.000",
		    SAY_SHARES("1>a a=?", "1>a a=?", "1>a a=?", "1>a a=?"));
}

TEST_HARNESS_MAIN
