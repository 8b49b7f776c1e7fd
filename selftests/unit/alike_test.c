// SPDX-License-Identifier: GPL-2.0
/* alike_test - in which order a crowd is looked at, who stands for whom, and for what */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../kmod/uapi/gridlock.h"
#include "alike.h"
#include "array.h"
#include "kselftest_harness.h"
#include "resolve.h"
#include "world.h"

#define TOLD (GL_WAIT_OFF_CPU | GL_WAIT_TIMED_KNOWN)

static const struct gl_wait_record futex = {
	.kind = GL_KIND_FUTEX, .flags = TOLD, .tgid = 7, .res_addr = 0x1000, .futex_val = 2
};

static const struct gl_wait_record other_futex = {
	.kind = GL_KIND_FUTEX, .flags = TOLD, .tgid = 7, .res_addr = 0x2000, .futex_val = 2
};

static const struct gl_wait_record mutex = {
	.kind = GL_KIND_MUTEX, .flags = GL_WAIT_OFF_CPU | GL_WAIT_IN_SLOWPATH
};

static struct sleeper sleeper(uint32_t task, const struct gl_wait_record *row, bool follows)
{
	return (struct sleeper){ .task = task, .row = row, .follows = follows };
}

/* "1 2 | 3>1 4>1": those that are looked at, and those that follow. */
static const char *say_order(struct sleeper *s, uint32_t nr)
{
	static char said[256];
	uint32_t kept = alike_find(s, nr);
	size_t at = 0;

	said[0] = '\0';
	for (uint32_t i = 0; i < nr; i++) {
		at += snprintf(said + at, sizeof(said) - at, "%s%s%u", i ? " " : "",
			       i == kept ? "| " : "", s[i].task);
		if (i >= kept)
			at += snprintf(said + at, sizeof(said) - at, ">%u", s[i].like);
	}
	return said;
}

TEST(locks_of_the_kernel_come_before_a_crowd_and_the_rest_after_it)
{
	struct sleeper s[] = {
		sleeper(1, NULL, true), sleeper(2, &futex, true), sleeper(3, &other_futex, true),
		sleeper(4, &mutex, true), sleeper(5, &futex, true), sleeper(6, &mutex, true),
	};

	EXPECT_STREQ("4 6 2 3 1 | 5>2", say_order(s, ARRAY_SIZE(s)));
}

TEST(first_of_those_that_are_alike_stands_for_them)
{
	struct sleeper s[] = {
		sleeper(9, &futex, true), sleeper(4, &other_futex, true), sleeper(3, &futex, true),
		sleeper(5, &other_futex, true), sleeper(8, &futex, true),
	};

	EXPECT_STREQ("3 4 | 8>3 9>3 5>4", say_order(s, ARRAY_SIZE(s)));
}

TEST(what_is_to_be_proven_comes_first_and_follows_nobody)
{
	struct sleeper s[] = {
		sleeper(1, &futex, true), sleeper(2, &mutex, true), sleeper(3, &futex, false),
		sleeper(4, NULL, false), sleeper(5, &futex, false), sleeper(6, &futex, true),
	};

	EXPECT_STREQ("3 5 4 2 1 | 6>1", say_order(s, ARRAY_SIZE(s)));
}

TEST(other_word_value_kind_or_process_is_not_alike)
{
	struct gl_wait_record value = futex, kind = futex, process = futex, running = futex;
	struct gl_wait_record requeued = futex;
	struct sleeper s[] = {
		sleeper(1, &futex, true), sleeper(2, &value, true), sleeper(3, &kind, true),
		sleeper(4, &process, true), sleeper(5, &running, true), sleeper(6, &requeued, true),
	};

	value.futex_val++;
	kind.kind = GL_KIND_FUTEX_PI;
	process.tgid++;
	running.flags &= ~GL_WAIT_OFF_CPU;
	requeued.flags |= GL_WAIT_REQUEUED;
	EXPECT_EQ(ARRAY_SIZE(s), alike_find(s, ARRAY_SIZE(s)));
}

/* Task 0 waits at a condition as nobody else can change, and was refused what 1 was not. */
static struct world *two_at_a_condition(void)
{
	struct world *w = world_new(NULL, NULL);
	struct wait *wait;

	world_add_task(w, 7, 7);
	world_add_task(w, 8, 7);
	wait = world_add_wait(w, 0, GL_KIND_COND);
	wait->id = strdup("cond mm:7 0x1000");
	wait->name = strdup("pthread condition 0x1000");
	wait->timed = TIMED_NO;
	wait->gen = 1;
	wait->begin_ns = 10;
	wait->own_space = true;
	wait->unknown_releaser = true;
	wait->refused = true;
	return w;
}

TEST(who_follows_waits_as_the_first_one_but_for_what_is_its_own)
{
	struct world *w = two_at_a_condition();
	struct gl_wait_record row = futex;
	struct sleeper s = sleeper(1, &row, true);
	const struct wait *wait;

	row.flags |= GL_WAIT_TIMED;
	row.gen = 2;
	row.begin_ns = 20;
	ASSERT_TRUE(alike_follow(w, &s));
	wait = &w->waits[w->tasks[1].wait];
	EXPECT_EQ(1, wait->task);
	EXPECT_EQ(GL_KIND_COND, wait->kind);
	EXPECT_STREQ("cond mm:7 0x1000", wait->id);
	EXPECT_TRUE(wait->unknown_releaser);
	/* Kept from look to look if that of the first one is. */
	EXPECT_TRUE(wait->own_space);
	EXPECT_EQ(TIMED_YES, wait->timed);
	EXPECT_EQ(2, wait->gen);
	EXPECT_EQ(20, wait->begin_ns);
	EXPECT_FALSE(wait->refused);
	world_free(w);
}

TEST_HARNESS_MAIN
