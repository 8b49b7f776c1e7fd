// SPDX-License-Identifier: GPL-2.0
/* alike_test - in which order a crowd is looked at, and who stands for whom */
#include <stdio.h>
#include <string.h>

#include "../../kmod/uapi/gridlock.h"
#include "alike.h"
#include "array.h"
#include "kselftest_harness.h"
#include "resolve.h"

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

TEST_HARNESS_MAIN
