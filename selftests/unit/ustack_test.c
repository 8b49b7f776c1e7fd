// SPDX-License-Identifier: GPL-2.0
/*
 * ustack_test - the stack of a child that sleeps in functions of this file.
 * These address their frames by the frame pointer, which /proc does not tell:
 * the reader has to find it. Sleepers in libc's way are for the tests in guests.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "ustack.h"

#define GUARD_SECS 20

#define IN_FRAME __attribute__((noinline, no_sanitize("address", "undefined")))

/* Called through a pointer that can be written, so that no call is left out. */
static void (*volatile go)(int depth);

IN_FRAME void sleep_in_here(int depth)
{
	volatile char stale[600];

	memset((void *)stale, depth, sizeof(stale));
	for (;;)
		pause();
}

IN_FRAME void call_the_sleeper(int depth)
{
	go = sleep_in_here;
	go(depth);
	__asm__ volatile("");
}

IN_FRAME void call_nobody(int depth)
{
	volatile int run = depth;

	while (run)
		;
}

FIXTURE(child)
{
	pid_t pid;
	char words[8192];
	struct frames frames;
};

FIXTURE_SETUP(child)
{
	ASSERT_NE(-ENOSYS, ustack_read(getpid(), getpid(), self->words, sizeof(self->words)))
		SKIP(return, "built without libdw");
}

FIXTURE_TEARDOWN(child)
{
	ustack_free(&self->frames);
	if (self->pid) {
		kill(self->pid, SIGKILL);
		waitpid(self->pid, NULL, 0);
	}
}

static void start(FIXTURE_DATA(child) *self, void (*function)(int depth))
{
	self->pid = fork();
	if (self->pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	go = function;
	go(1);
	_exit(0);
}

/* Until the child sleeps there is no stack to be read. */
static ssize_t read_when_asleep(FIXTURE_DATA(child) *self)
{
	time_t end = time(NULL) + GUARD_SECS;
	ssize_t got;

	do {
		got = ustack_read(self->pid, self->pid, self->words, sizeof(self->words));
		sched_yield();
	} while (got == -EAGAIN && time(NULL) < end);
	if (got > 0)
		ustack_parse(self->words, &self->frames);
	return got;
}

static int place_of(const struct frames *frames, const char *function)
{
	for (uint32_t i = 0; i < frames->nr; i++)
		if (frames->frame[i].function && !strcmp(frames->frame[i].function, function))
			return i;
	return -1;
}

TEST_F(child, sleeper_and_its_callers_are_named_in_order)
{
	int place;

	start(self, call_the_sleeper);
	ASSERT_LT(0, read_when_asleep(self));
	place = place_of(&self->frames, "sleep_in_here");
	ASSERT_LT(0, place)
		TH_LOG("%s", self->words);
	EXPECT_EQ(place + 1, place_of(&self->frames, "call_the_sleeper"))
		TH_LOG("%s", self->words);
	EXPECT_LT(place + 1, place_of(&self->frames, "main"));
	EXPECT_EQ(-1, place_of(&self->frames, "call_nobody"));
}

TEST_F(child, frame_found_by_a_guess_says_so)
{
	start(self, call_the_sleeper);
	ASSERT_LT(0, read_when_asleep(self));
	EXPECT_FALSE(self->frames.frame[0].guessed);
	EXPECT_FALSE(self->frames.frame[place_of(&self->frames, "sleep_in_here")].guessed);
	EXPECT_TRUE(self->frames.frame[place_of(&self->frames, "call_the_sleeper")].guessed);
}

static unsigned long long nr_switches(pid_t pid)
{
	unsigned long long nr = 0;
	char path[64], buf[128];
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", pid);
	in = fopen(path, "r");
	if (in && fgets(buf, sizeof(buf), in))
		sscanf(buf, "%*u %*u %llu", &nr);
	if (in)
		fclose(in);
	return nr;
}

TEST_F(child, reading_does_not_wake_the_sleeper)
{
	unsigned long long before;

	start(self, call_the_sleeper);
	ASSERT_LT(0, read_when_asleep(self));
	before = nr_switches(self->pid);
	if (!before)
		SKIP(return, "this kernel counts no runs (schedstat)");
	for (int i = 0; i < 20; i++)
		ASSERT_LT(0, ustack_read(self->pid, self->pid, self->words, sizeof(self->words)));
	EXPECT_EQ(before, nr_switches(self->pid));
}

TEST_F(child, running_thread_has_no_stack)
{
	start(self, call_nobody);
	EXPECT_EQ(-EAGAIN, ustack_read(self->pid, self->pid, self->words, sizeof(self->words)));
}

TEST_F(child, thread_that_is_gone_is_an_error)
{
	start(self, call_nobody);
	kill(self->pid, SIGKILL);
	waitpid(self->pid, NULL, 0);
	EXPECT_EQ(-ENOENT, ustack_read(self->pid, self->pid, self->words, sizeof(self->words)));
	self->pid = 0;
}

TEST_F(child, small_buffer_cuts_the_words)
{
	start(self, call_the_sleeper);
	ASSERT_LT(0, read_when_asleep(self));
	EXPECT_EQ(63, ustack_read(self->pid, self->pid, self->words, 64));
	EXPECT_EQ(63, strlen(self->words));
}

TEST(words_are_frames)
{
	struct frames frames;

	ustack_parse("7f01 0 5f main prog\n10 1 3 - lib with blanks.so\n", &frames);
	ASSERT_EQ(2, frames.nr);
	EXPECT_EQ(0x7f01, frames.frame[0].pc);
	EXPECT_EQ(0x5f, frames.frame[0].offset);
	EXPECT_STREQ("main", frames.frame[0].function);
	EXPECT_STREQ("prog", frames.frame[0].module);
	EXPECT_FALSE(frames.frame[0].guessed);
	EXPECT_EQ(NULL, frames.frame[1].function);
	EXPECT_STREQ("lib with blanks.so", frames.frame[1].module);
	EXPECT_TRUE(frames.frame[1].guessed);
	ustack_free(&frames);
}

TEST(words_cut_short_are_no_frame)
{
	struct frames frames;

	ustack_parse("7f01 0 5f main prog\n10 1 3 f\n\nx\n10 1\n", &frames);
	EXPECT_EQ(1, frames.nr);
	ustack_free(&frames);
}

TEST_HARNESS_MAIN
