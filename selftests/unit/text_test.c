// SPDX-License-Identifier: GPL-2.0
/* text_test - the kernel's clock, seen from inside of time namespaces; hashes */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "array.h"
#include "kselftest_harness.h"
#include "text.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME	0x00000080
#endif

/* The namespace's clock is ahead by this: more than any machine is late. */
#define AHEAD_NS	1000000000000ULL
#define AHEAD		"monotonic 1000 0"
#define MORE_AHEAD	"monotonic 2000 0"

/* Statuses of what runs in a process of its own, as a clock is read once only. */
enum { SAME, OTHER, UNABLE };

static uint64_t own_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* Is our clock ahead of the kernel's by @ahead_ns, as far as now_ns() tells? */
static int compare_clocks(uint64_t ahead_ns)
{
	uint64_t before = own_clock_ns(), told = now_ns() + ahead_ns, after = own_clock_ns();

	return before <= told && told <= after ? SAME : OTHER;
}

/* From here on the children are in a new namespace, and we are not. */
static bool unshare_time(const char *offset)
{
	int fd;
	bool done;

	if (unshare(CLONE_NEWTIME) && unshare(CLONE_NEWUSER | CLONE_NEWTIME))
		return false;
	fd = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
	done = fd >= 0 && write(fd, offset, strlen(offset)) == (ssize_t)strlen(offset);
	close(fd);
	return done;
}

static int run(int (*function)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (!pid)
		_exit(function());
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int in_the_child(void)
{
	return compare_clocks(AHEAD_NS);
}

static int child_of_a_new_namespace(void)
{
	return unshare_time(AHEAD) ? run(in_the_child) : UNABLE;
}

static int maker_of_a_new_namespace(void)
{
	return unshare_time(AHEAD) ? compare_clocks(0) : UNABLE;
}

/* In one namespace, with children to come in another. */
static int maker_in_the_child(void)
{
	return unshare_time(MORE_AHEAD) ? compare_clocks(AHEAD_NS) : UNABLE;
}

static int maker_in_a_new_namespace(void)
{
	return unshare_time(AHEAD) ? run(maker_in_the_child) : UNABLE;
}

TEST(clock_is_the_kernels_in_a_namespace)
{
	int status = run(child_of_a_new_namespace);

	if (status == UNABLE)
		SKIP(return, "no time namespace can be made");
	EXPECT_EQ(SAME, status);
}

TEST(clock_is_not_that_of_the_children)
{
	int status = run(maker_of_a_new_namespace);

	if (status == UNABLE)
		SKIP(return, "no time namespace can be made");
	EXPECT_EQ(SAME, status);
}

TEST(clock_is_the_parents_where_the_childrens_is_another)
{
	int status = run(maker_in_a_new_namespace);

	if (status == UNABLE)
		SKIP(return, "no time namespace can be made");
	EXPECT_EQ(SAME, status);
}

TEST(number_is_as_printf_has_it)
{
	const uint32_t numbers[] = { 0, 7, 10, 99, 100, 4194304, UINT32_MAX };
	char buf[TEXT_NUMBER_SIZE], want[16];

	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		snprintf(want, sizeof(want), "%u", numbers[i]);
		EXPECT_STREQ(want, text_number(numbers[i], buf));
	}
}

TEST(texts_are_joined_in_order)
{
	const char *const part[] = { "", "a", ", ", "bc", "" };
	char *none = text_join(part, 0), *all = text_join(part, ARRAY_SIZE(part));

	EXPECT_STREQ("", none);
	EXPECT_STREQ("a, bc", all);
	free(none);
	free(all);
}

/* As its authors' own table has it. */
TEST(hash_is_fnv_1a)
{
	EXPECT_EQ(0x811c9dc5, TEXT_HASH);
	EXPECT_EQ(0xe40c292c, text_hash(TEXT_HASH, "a", 1));
	EXPECT_EQ(0xbf9cf968, text_hash(TEXT_HASH, "foobar", 6));
	EXPECT_EQ(0xbf9cf968, text_hash(text_hash(TEXT_HASH, "foo", 3), "bar", 3));
}

TEST_HARNESS_MAIN
