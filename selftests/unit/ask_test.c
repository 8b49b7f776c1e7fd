// SPDX-License-Identifier: GPL-2.0
/*
 * ask_test - who always asks for a lock and gets less than the others, and who waits
 * for a file's lock while others are given it, in windows written by hand.
 */
#include <stdlib.h>
#include <string.h>

#include "film.h"
#include "kselftest_harness.h"
#include "lens.h"
#include "xalloc.h"

/* --- starvation of one that asks all the time, and gets little --- */

/** struct asks - how 1 fares with what 2 holds, at looks that all find it waiting */
struct asks {
	/** @passed, @had: between two looks */
	uint32_t passed, had;
	/** @nr_looks, @ms: so many, so far apart */
	uint32_t nr_looks, ms;
	/** @away_at: the look that does not find it waiting; 0: none */
	uint32_t away_at;
	/** @also: there is a third one that waits */
	bool also;
	/** @file: it is a lock of a file, of which each taking is counted */
	bool file;
};

static char *say_asks(const struct asks *a)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < a->nr_looks; i++) {
		bool away = a->away_at && i == a->away_at;
		struct world *w = film_next(&film, away ? "1 2 a=2" : a->also ?
					    "1>a 2 3>a a=2" : "1>a a=2", a->ms);
		unsigned long long begin_ns = film.now_ns - MS_NS;
		char *text = xasprintf("1 0 0x%llx %llu 1 0 %u 0 %u\n",
				       a->file ? 1ULL << 63 : 0x1000ULL,
				       a->file ? begin_ns : begin_ns - 1, 3 + i * a->had,
				       5 + i * a->passed);

		if (!away) {
			film_wait(&film, 0, 1, 11 + i, begin_ns,
				  a->file ? GL_KIND_FLOCK : GL_KIND_FUTEX);
			wait_of(w, 1)->comes_back = !a->file;
			film.rows[0].res_addr = 0x1000;
		}
		film_take_in_with(&film, text);
	}
	return film_say(&film);
}

/* At @nr_looks looks, @ms apart; of two, a sixteenth is an eighth of the fair share. */
static char *say_passed(uint32_t passed, uint32_t nr_looks, uint32_t ms)
{
	struct asks asks = { .passed = passed, .had = 1, .nr_looks = nr_looks, .ms = ms };

	return say_asks(&asks);
}

TEST(one_that_always_asks_and_gets_little_is_starvation)
{
	EXPECT_SAYS("starvation likely 1 by 2", say_passed(16, 8, 143));
	EXPECT_SAYS("", say_passed(15, 8, 143));
	EXPECT_SAYS("", say_passed(16, 7, 200));
	EXPECT_SAYS("", say_passed(16, 8, 142));
}

TEST(fair_share_goes_by_how_many_ask)
{
	struct asks asks = { .had = 1, .nr_looks = 8, .ms = 143, .also = true };

	asks.passed = 24;
	EXPECT_SAYS("starvation likely 1 by 2", say_asks(&asks));
	asks.passed = 22;
	EXPECT_SAYS("", say_asks(&asks));
}

TEST(one_that_does_not_always_ask_is_silent)
{
	struct asks asks = { .passed = 16, .had = 1, .nr_looks = 12, .ms = 143 };

	asks.away_at = 3;
	EXPECT_SAYS("starvation likely 1 by 2", say_asks(&asks));
	asks.away_at = 4;
	EXPECT_SAYS("", say_asks(&asks));
}

TEST(each_turn_at_a_file_is_known)
{
	struct asks asks = { .had = 1, .nr_looks = 8, .ms = 143, .file = true };

	asks.passed = 16;
	EXPECT_SAYS("starvation confirmed 1 by 2", say_asks(&asks));
	asks.passed = 15;
	EXPECT_SAYS("", say_asks(&asks));
}

/* --- the same with a lock of the kernel's, whose turns the module counts --- */

/** struct turns_film - how 1 fares with a kernel lock that 2 takes past it */
struct turns_film {
	/** @passed, @had: between two looks */
	uint32_t passed, had;
	/** @gone, @came: others that waited for it before the first look, and after it */
	uint32_t gone, came;
	/** @young_ns: a wait lasts so much less than 1 ms when a look finds it */
	uint64_t young_ns;
	/** @afresh_at: the look at which the counters begin afresh; 0: none */
	uint32_t afresh_at;
	/** @of_another: the turns are those of another lock */
	bool of_another;
};

/* What the module tells at look @i. */
static char *turns_text(const struct turns_film *t, uint32_t i)
{
	uint32_t lock = FILM_LOCK_ID + t->of_another, n = i - (i < t->afresh_at ? 0 : t->afresh_at);
	uint32_t nr_tasks = 2 + t->gone + (i ? t->came : 0);

	return xasprintf("tid start_ns res_id tasks turns overtaken waited_ns\n"
			 "2 0 0x%x %u %u 0 7\n1 0 0x%x %u %u %u 7\n",
			 lock, nr_tasks, n * t->passed, lock, nr_tasks, n * t->had,
			 n * t->passed);
}

/* 1 is found in its wait @gen, and the module tells @text, which is freed. */
static void take_in_turns(struct film *film, struct world *w, uint64_t gen, uint64_t begin_ns,
			  char *text)
{
	wait_of(w, 1)->gen = gen;
	wait_of(w, 1)->begin_ns = begin_ns;
	film_row(film, 0, 1, gen, begin_ns);
	film->turns = text;
	film_take_in(film);
	free(text);
}

static char *say_turns(const struct turns_film *t)
{
	struct film film;
	char *said;

	film_begin(&film);
	for (uint32_t i = 0; i < 8; i++) {
		struct world *w = film_next(&film, "1>a 2 a=2", 143);

		take_in_turns(&film, w, 11 + i, film.now_ns - MS_NS + t->young_ns,
			      turns_text(t, i));
	}
	said = say_findings(film.w);
	film_end(&film);
	return said;
}

TEST(one_that_always_asks_for_a_kernel_lock_and_gets_little_is_starvation)
{
	EXPECT_SAYS("starvation likely 1 by 2",
		    say_turns(&(struct turns_film){ .passed = 16, .had = 1 }));
	EXPECT_SAYS("", say_turns(&(struct turns_film){ .passed = 15, .had = 1 }));
}

TEST(turns_at_another_kernel_lock_are_silent)
{
	struct turns_film t = { .passed = 16, .had = 1, .of_another = true };

	EXPECT_SAYS("", say_turns(&t));
}

TEST(who_hardly_waits_for_a_kernel_lock_does_not_starve)
{
	EXPECT_SAYS("", say_turns(&(struct turns_film){ .passed = 16, .had = 1, .young_ns = 1 }));
}

TEST(each_task_that_asks_for_a_kernel_lock_has_a_fair_share)
{
	/* Of four, one turn in 33 is less than an eighth of the fair share. */
	EXPECT_SAYS("starvation likely 1 by 2",
		    say_turns(&(struct turns_film){ .passed = 32, .had = 1, .came = 2 }));
	EXPECT_SAYS("", say_turns(&(struct turns_film){ .passed = 31, .had = 1, .came = 2 }));
	EXPECT_SAYS("starvation likely 1 by 2",
		    say_turns(&(struct turns_film){ .passed = 16, .had = 1, .gone = 2 }));
}

TEST(turns_that_are_counted_afresh_are_silent)
{
	struct turns_film t = { .passed = 16, .had = 1, .afresh_at = 4 };

	EXPECT_SAYS("", say_turns(&t));
}

/* At look @i: 1 has had it never, and 2 as often as before, till the counting begins anew. */
static char *text_begun_anew(uint32_t i)
{
	uint32_t n = i < 2 ? 0 : i - 1;

	return xasprintf("tid start_ns res_id tasks turns overtaken waited_ns\n"
			 "2 0 0x%x 2 %u 0 %u\n1 0 0x%x 2 0 %u 0\n", FILM_LOCK_ID,
			 i < 2 ? 1000 : n * 20, i < 2 ? 1000 : n * 20, FILM_LOCK_ID, n * 20);
}

static double fact(const struct findings *found, const char *name, uint32_t task)
{
	const struct finding *f = found->finding;

	for (uint32_t i = 0; found->nr && i < f->nr_facts; i++)
		if (f->facts[i].task == task && !strcmp(f->facts[i].name, name))
			return f->facts[i].number;
	return -1;
}

TEST(turns_of_others_alone_that_are_counted_afresh_are_those_since_then)
{
	struct findings found = { 0 };
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 8; i++) {
		struct world *w = film_next(&film, "1>a 2 a=2", 143);

		take_in_turns(&film, w, 11 + i, film.now_ns - MS_NS, text_begun_anew(i));
	}
	findings_detect(film.w, &limits_default, &found);
	EXPECT_EQ(1, found.nr);
	EXPECT_EQ(120, fact(&found, "overtaken", NO_INDEX));
	EXPECT_EQ(120, fact(&found, "turns", window_find(film.w, &(struct window_task){ 2, 0 })));
	EXPECT_EQ(120, fact(&found, "waited_s",
			    window_find(film.w, &(struct window_task){ 2, 0 })));
	findings_free(&found);
	film_end(&film);
}

/* Tasks that come, have a turn and go are told of no more, and take no memory. */
TEST(shares_are_of_those_who_are_there)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 8; i++) {
		struct world *w = film_next(&film, "1>a 2 a=2", 143);
		char *text = xasprintf("1 0 0x%x %u 0 %u 0\n%u 0 0x%x %u 1 0 1\n", FILM_LOCK_ID,
				       2 + i, i, 100 + i, FILM_LOCK_ID, 2 + i);

		take_in_turns(&film, w, 11 + i, film.now_ns - MS_NS, text);
		ASSERT_EQ(1, film.window->nr_asks);
		EXPECT_EQ(2, film.window->asks->nr_shares);
		EXPECT_EQ(i, film.window->asks->others.nr);
	}
	film_end(&film);
}

/* --- starvation in one wait, of a file's lock --- */

/* 1 waits for 1 s, and 3 came @before it or after it; others had it @passed times. */
static char *say_blocked(uint32_t passed, uint32_t ms, bool before)
{
	unsigned long long begin_ns = WORLD_NOW_NS + 4 * 250 * MS_NS - ms * MS_NS;
	char *text = xasprintf("1 0 0x8000000000000001 %llu %u 0 0 0 %u\n", begin_ns, passed,
			       passed);
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 4; i++) {
		uint64_t other_ns = before ? begin_ns - MS_NS : begin_ns + MS_NS;

		film_next(&film, "1>a 2 3>a a=2", 250);
		for (uint32_t tid = 1; tid <= 3; tid += 2) {
			film_wait(&film, tid / 2, tid, tid, tid == 1 ? begin_ns : other_ns,
				  GL_KIND_FLOCK);
		}
		film.episodes = text;
		film_take_in(&film);
	}
	free(text);
	return film_say(&film);
}

TEST(file_lock_given_to_others_eight_times_is_starvation)
{
	EXPECT_SAYS("starvation confirmed 1 by 2", say_blocked(8, 1000, false));
	EXPECT_SAYS("", say_blocked(7, 1000, false));
	EXPECT_SAYS("", say_blocked(8, 999, false));
}

TEST(who_came_first_to_a_file_is_allowed_a_turn)
{
	EXPECT_SAYS("", say_blocked(8, 1000, true));
	EXPECT_SAYS("starvation confirmed 1 by 2", say_blocked(9, 1000, true));
}

/* --- starvation in one wait, as the lens tells it --- */

/* At 5 looks, 250 ms apart, 1 waits; between two of them the lock is dropped so often. */
static char *say_dropped(uint32_t dropped, uint32_t nr_threads, bool of_another)
{
	struct film film;

	film_begin(&film);
	for (uint32_t i = 0; i < 5; i++) {
		struct lens_lock lock = { of_another ? "b" : "a", "", 100 + i * dropped };
		struct lens_view view = { .locks = &lock, .nr_locks = 1, .nr_threads = nr_threads };

		film_next(&film, "1>a 2 a=2", 250);
		film_wait(&film, 0, 1, 1, WORLD_NOW_NS + 250 * MS_NS, GL_KIND_FUTEX);
		film.window->view = &view;
		film_take_in(&film);
		film.window->view = NULL;
	}
	return film_say(&film);
}

TEST(lock_dropped_past_a_waiter_is_starvation)
{
	/* 4 gaps of 3 are 12: 8, and a turn for each of 4. */
	EXPECT_SAYS("starvation confirmed 1 by 2", say_dropped(3, 4, false));
	EXPECT_SAYS("", say_dropped(3, 5, false));
	EXPECT_SAYS("", say_dropped(3, 4, true));
}

TEST_HARNESS_MAIN
