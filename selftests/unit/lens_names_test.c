// SPDX-License-Identifier: GPL-2.0
/*
 * lens_names_test - what addresses are, for as long as somebody asks: of real
 * processes.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lens_names.h"
#include "remote.h"
#include "world.h"

#define PAGE	4096

FIXTURE(names)
{
	struct lens_names names;
	struct remote *remote;
	struct world *w;
};

static struct world *world_with(struct remote *remote, pid_t pid)
{
	struct world *w = world_new(NULL, remote);

	world_add_task(w, pid, pid);
	return w;
}

FIXTURE_SETUP(names)
{
	self->remote = remote_new();
	ASSERT_NE(NULL, self->remote);
	self->w = world_with(self->remote, getpid());
	lens_names_begin(&self->names);
}

FIXTURE_TEARDOWN(names)
{
	lens_names_free(&self->names);
	world_free(self->w);
	remote_free(self->remote);
}

static uint32_t lock(FIXTURE_DATA(names) * self, const void *addr)
{
	return lens_names_lock(&self->names, self->w, getpid(), (uintptr_t)addr);
}

static const char *site(FIXTURE_DATA(names) * self, pid_t pid)
{
	return lens_names_site(&self->names, self->w, pid, (uintptr_t)site);
}

TEST_F(names, each_lock_has_a_number)
{
	long locks[2];

	EXPECT_EQ(0, lock(self, &locks[0]));
	EXPECT_EQ(1, lock(self, &locks[1]));
	EXPECT_EQ(0, lock(self, &locks[0]));
	EXPECT_EQ(2, self->names.nr_locks);
	EXPECT_EQ(0, strncmp("pthread mutex 0x", self->names.locks[0].name, 16));
}

TEST_F(names, rwlock_is_one_however_it_is_taken)
{
	long locks[2];
	const char *of_rwlock = (char *)&locks[0] + LENS_IS_RWLOCK;

	EXPECT_EQ(0, lock(self, of_rwlock));
	EXPECT_EQ(0, lock(self, of_rwlock + LENS_IS_SHARED));
	EXPECT_EQ(1, lock(self, &locks[1]));
	EXPECT_EQ(0, strncmp("pthread rwlock 0x", self->names.locks[0].name, 17));
	EXPECT_EQ((uintptr_t)&locks[0], strtoul(self->names.locks[0].name + 15, NULL, 16));
	EXPECT_EQ(0, strncmp("pthread mutex 0x", self->names.locks[1].name, 16));
}

TEST_F(names, lock_that_is_shared_is_one_at_every_address)
{
	int fd = memfd_create("shared", 0);
	char *here, *there;

	ASSERT_EQ(0, ftruncate(fd, PAGE));
	here = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	there = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	EXPECT_EQ(0, lock(self, here));
	EXPECT_EQ(1, lock(self, here + 8));
	EXPECT_EQ(0, lock(self, there));
	EXPECT_NE(NULL, strstr(self->names.locks[0].name, "shared memory"));
	close(fd);
}

TEST_F(names, what_no_look_asks_for_is_forgotten)
{
	long locks[100];

	for (int i = 0; i < 100; i++)
		lock(self, &locks[i]);
	EXPECT_EQ(100, self->names.nr);
	for (int look = 0; look < 10; look++) {
		lens_names_begin(&self->names);
		EXPECT_EQ(0, lock(self, &locks[50]));
		EXPECT_EQ(1, lock(self, &locks[look]));
		site(self, getpid());
		EXPECT_EQ(2, self->names.nr_locks);
	}
	lens_names_begin(&self->names);
	EXPECT_EQ(3, self->names.nr);
	lens_names_begin(&self->names);
	EXPECT_EQ(0, self->names.nr);
}

/* A process that has ended has no files any more to tell a name by. */
TEST_F(names, name_outlives_its_process_if_it_was_asked_before)
{
	for (int asked = 0; asked < 2; asked++) {
		pid_t child = fork();

		if (!child)
			for (;;)
				pause();
		world_free(self->w);
		self->w = world_with(self->remote, child);
		lens_names_begin(&self->names);
		if (asked)
			site(self, child);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		world_free(self->w);
		self->w = world_with(self->remote, child);
		lens_names_begin(&self->names);
		EXPECT_EQ(asked, !strncmp("lens_names_test+0x", site(self, child), 18))
			TH_LOG("%s", site(self, child));
	}
}

TEST_HARNESS_MAIN
