// SPDX-License-Identifier: GPL-2.0
/* lens_turns_test - how often locks were dropped, of those that somebody waits for. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "futex_owner.h"
#include "kselftest_harness.h"
#include "lens_names.h"
#include "lens_turns.h"
#include "remote.h"
#include "world.h"
#include "xalloc.h"

#define MUTEX	0x1000ULL
#define OTHER	0x2000ULL
#define RWLOCK	(0x3000ULL | LENS_IS_RWLOCK)

FIXTURE(turns)
{
	struct lens_names names;
	struct remote *remote;
	struct world *w;
};

FIXTURE_SETUP(turns)
{
	self->remote = remote_new();
	ASSERT_NE(NULL, self->remote);
	self->w = world_new(NULL, self->remote);
	world_add_task(self->w, getpid(), getpid());
	lens_names_begin(&self->names);
}

FIXTURE_TEARDOWN(turns)
{
	lens_names_free(&self->names);
	world_free(self->w);
	remote_free(self->remote);
}

/* Its one task, for this and for nothing else any more. */
static void wait_for(FIXTURE_DATA(turns) * self, const char *id)
{
	if (!self->w->nr_waits)
		world_add_wait(self->w, 0, GL_KIND_FUTEX);
	free(self->w->waits[0].id);
	self->w->waits[0].id = xstrdup(id);
}

static void wait_at(FIXTURE_DATA(turns) * self, uint64_t addr)
{
	char *id = futex_identity(self->w, getpid(), addr);

	wait_for(self, id);
	free(id);
}

/* Of three locks, the second of which two calls took, one of them to read. */
static void add(FIXTURE_DATA(turns) * self)
{
	const struct lens_hold_key key[] = {
		{ .addr = MUTEX, .tgid = getpid() }, { .addr = OTHER, .tgid = getpid() },
		{ .addr = RWLOCK, .tgid = getpid() },
		{ .addr = RWLOCK | LENS_IS_SHARED, .tgid = getpid() },
	};
	const struct lens_hold row[] = { { .nr = 3 }, { .nr = 5 }, { .nr = 7 }, { .nr = 11 } };

	lens_turns_add(&self->names, self->w, key, row, 4);
}

TEST_F(turns, nobody_waits_and_nothing_is_looked_up)
{
	add(self);
	EXPECT_EQ(0, self->names.nr_locks);
}

TEST_F(turns, lock_that_is_waited_for_is_looked_up)
{
	wait_at(self, MUTEX);
	add(self);
	ASSERT_EQ(1, self->names.nr_locks);
	EXPECT_EQ(3, self->names.locks[0].nr_dropped);
}

TEST_F(turns, rwlock_is_waited_for_at_each_of_its_words)
{
	static const uint32_t words[] = { 0, 8, 12 };

	for (int i = 0; i < 3; i++) {
		lens_names_begin(&self->names);
		wait_at(self, (RWLOCK & LENS_ADDR) + words[i]);
		add(self);
		ASSERT_EQ(1, self->names.nr_locks);
		EXPECT_EQ(18, self->names.locks[0].nr_dropped);
	}
}

TEST_F(turns, lock_of_another_process_is_not_this_one)
{
	wait_for(self, "futex mm:1 0x1000");
	add(self);
	EXPECT_EQ(0, self->names.nr_locks);
}

TEST_F(turns, what_is_no_futex_is_not_waited_for_by_locks)
{
	wait_for(self, "pipe 4096");
	add(self);
	EXPECT_EQ(0, self->names.nr_locks);
}

/* It may be at any address in any process. */
TEST_F(turns, who_waits_for_shared_memory_may_wait_for_each_of_them)
{
	wait_for(self, "futex 08:01:1234+0x1000");
	add(self);
	EXPECT_EQ(5, self->names.nr_locks);
}

TEST_HARNESS_MAIN
