// SPDX-License-Identifier: GPL-2.0
/* lens_nestings_test - which orders of locks the lens tells, and which not. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kselftest_harness.h"
#include "lens_names.h"
#include "lens_nestings.h"
#include "remote.h"
#include "world.h"

#define WANTED	0x1000ULL
#define FIRST	(0x2000ULL | LENS_IS_SEM)
#define SECOND	0x3000ULL
#define READ	(0x4000ULL | LENS_IS_RWLOCK | LENS_IS_SHARED)

/* Code; each call is elsewhere in it. */
#define SITE(n)	((uintptr_t)getpid + (n))

FIXTURE(nestings)
{
	struct lens_view view;
	struct lens_names names;
	struct remote *remote;
	struct world *w;
	struct lens_nesting_key key;
	struct lens_uses uses;
};

/* A thread that asks for one lock with three held, all of them known to be locks. */
FIXTURE_SETUP(nestings)
{
	pid_t me = getpid();

	self->remote = remote_new();
	ASSERT_NE(NULL, self->remote);
	self->w = world_new(NULL, self->remote);
	world_add_task(self->w, me, me);
	lens_names_begin(&self->names);
	self->key = (struct lens_nesting_key){ .wanted = WANTED, .held = { FIRST, SECOND, READ },
					       .tgid = me, .tid = me };
	self->uses.wanted = LENS_USE_LOCK;
	for (int i = 0; i < 3; i++)
		self->uses.held[i] = LENS_USE_LOCK;
}

FIXTURE_TEARDOWN(nestings)
{
	free(self->view.nestings);
	lens_names_free(&self->names);
	world_free(self->w);
	remote_free(self->remote);
}

static void add(FIXTURE_DATA(nestings) * self, uint64_t last_ns)
{
	const struct lens_nesting row = {
		.last_ns = last_ns, .wanted_site = SITE(0),
		.held_site = { SITE(1), SITE(2), SITE(3) },
	};

	lens_nestings_add(&self->view, &self->names, self->w, &self->key, &row, &self->uses);
}

static const char *site(FIXTURE_DATA(nestings) * self, int number)
{
	return lens_names_site(&self->names, self->w, getpid(), SITE(number));
}

static const char *name_of(FIXTURE_DATA(nestings) * self, uint32_t lock)
{
	return self->names.locks[lock].id;
}

TEST_F(nestings, locks_that_were_held_come_in_the_order_taken)
{
	const struct nesting *n;

	add(self, 7);
	ASSERT_EQ(1, self->view.nr_nestings);
	n = self->view.nestings;
	EXPECT_EQ(getpid(), n->task.tid);
	EXPECT_EQ(7, n->last_ns);
	ASSERT_EQ(3, n->nr_held);
	EXPECT_NE(NULL, strstr(name_of(self, n->wanted), "0x1000"));
	EXPECT_NE(NULL, strstr(name_of(self, n->held[0]), "0x2000"));
	EXPECT_NE(NULL, strstr(name_of(self, n->held[1]), "0x3000"));
	EXPECT_NE(NULL, strstr(name_of(self, n->held[2]), "0x4000"));
	EXPECT_STREQ(site(self, 0), n->wanted_site);
	for (int i = 0; i < 3; i++)
		EXPECT_STREQ(site(self, i + 1), n->held_site[i]);
	EXPECT_STRNE(site(self, 1), site(self, 2));
	EXPECT_FALSE(n->wanted_shared);
	EXPECT_FALSE(n->held_shared[1]);
	EXPECT_TRUE(n->held_shared[2]);
}

TEST_F(nestings, semaphore_that_is_no_lock_is_left_out_and_the_others_stay)
{
	const struct nesting *n;

	self->uses.held[0] = LENS_USE_OTHER;
	add(self, 0);
	ASSERT_EQ(1, self->view.nr_nestings);
	n = self->view.nestings;
	ASSERT_EQ(2, n->nr_held);
	EXPECT_NE(NULL, strstr(name_of(self, n->held[0]), "0x3000"));
	EXPECT_STREQ(site(self, 2), n->held_site[0]);
	EXPECT_STREQ(site(self, 3), n->held_site[1]);
	EXPECT_FALSE(n->held_shared[0]);
	EXPECT_TRUE(n->held_shared[1]);
}

/* It may be a gate that others take, too, and then no two of them meet. */
TEST_F(nestings, semaphore_that_may_be_a_lock_makes_the_order_unknown)
{
	self->uses.held[0] = LENS_USE_UNKNOWN;
	add(self, 0);
	EXPECT_EQ(0, self->view.nr_nestings);
}

TEST_F(nestings, what_is_asked_for_has_to_be_a_lock)
{
	self->key.wanted |= LENS_IS_SEM;
	self->uses.wanted = LENS_USE_UNKNOWN;
	add(self, 0);
	self->uses.wanted = LENS_USE_OTHER;
	add(self, 0);
	EXPECT_EQ(0, self->view.nr_nestings);
	self->uses.wanted = LENS_USE_LOCK;
	add(self, 0);
	EXPECT_EQ(1, self->view.nr_nestings);
}

TEST_F(nestings, thread_that_is_not_in_the_look_is_not_told_of)
{
	self->key.tid++;
	add(self, 0);
	EXPECT_EQ(0, self->view.nr_nestings);
}

/* Its number is another's by now. */
TEST_F(nestings, thread_of_another_process_is_not_this_one)
{
	self->key.tgid++;
	add(self, 0);
	EXPECT_EQ(0, self->view.nr_nestings);
}

TEST_F(nestings, they_are_sorted_by_thread_and_then_by_lock)
{
	pid_t other = getpid() + 1;

	world_add_task(self->w, other, getpid());
	for (int i = 0; i < 4; i++) {
		self->key.tid = i % 2 ? getpid() : other;
		self->key.wanted = i < 2 ? WANTED : WANTED + 8;
		add(self, i);
	}
	lens_nestings_sort(&self->view);
	ASSERT_EQ(4, self->view.nr_nestings);
	EXPECT_EQ(1, self->view.nestings[0].last_ns);
	EXPECT_EQ(3, self->view.nestings[1].last_ns);
	EXPECT_EQ(0, self->view.nestings[2].last_ns);
	EXPECT_EQ(2, self->view.nestings[3].last_ns);
}

TEST_HARNESS_MAIN
