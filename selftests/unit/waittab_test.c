// SPDX-License-Identifier: GPL-2.0
/*
 * waittab_test - the module's wait table, compiled as it is: what is claimed is
 * found, spilled, stolen and retired, by one task and by several at once.
 */
#include <pthread.h>
#include <sched.h>

#include "kselftest_harness.h"
#include "../../kmod/waittab.h"

#define NR_TASKS	64
#define NR_ROUNDS	20000
#define NR_THREADS	4

static __thread u64 dice;

/* Now and then, in the middle of anything, another thread goes first. */
void kernel_step(void)
{
	dice = dice * 6364136223846793005ull + 1442695040888963407ull;
	if (dice >> 60 == 1)
		sched_yield();
}

/* A task's number for its key; never 0, as addresses are. */
static struct gl_waiter waiter(u64 n)
{
	return (struct gl_waiter){ .task = n * 4096, .start_ns = n * 3, .tid = n };
}

/* What a wait of task @n holds, so that a torn or foreign slot is told. */
static void fill(struct gl_slot *slot, u64 n, u8 phase)
{
	slot->lock = n * 5;
	slot->begin_ns = n * 7;
	slot->phase = phase;
	gl_slot_unlock(slot);
}

static bool is_of(const struct gl_slot *slot, u64 n)
{
	return slot->lock == n * 5 && slot->begin_ns == n * 7 && slot->start_ns == n * 3 &&
	       slot->tid == (s32)n;
}

static struct gl_slot *claim(struct gl_waittab *tab, u64 n, u8 phase)
{
	struct gl_waiter who = waiter(n);
	struct gl_slot *slot = gl_waittab_claim(tab, &who);

	if (slot)
		fill(slot, n, phase);
	return slot;
}

static u32 find(struct gl_waittab *tab, u64 n, u8 phase, struct gl_slot **slot_ret)
{
	struct gl_slot *found[GL_TASK_SLOTS];
	u32 nr = gl_waittab_find(tab, waiter(n).task, phase, found);

	*slot_ret = nr ? found[0] : NULL;
	return nr;
}

static bool retire(struct gl_waittab *tab, struct gl_slot *slot, u64 n)
{
	if (!gl_waittab_lock_own(tab, slot, waiter(n).task))
		return false;
	gl_waittab_retire(tab, slot, waiter(n).task);
	return true;
}

/* Places that hold a key, and keys that are counted as spilled. */
static u32 nr_keys(const struct gl_waittab *tab, s64 *spilled_ret)
{
	u32 nr = 0;

	*spilled_ret = 0;
	for (u32 b = 0; b < tab->nr_buckets; b++) {
		*spilled_ret += atomic64_read(&tab->buckets[b].nr_spilled);
		for (u32 i = 0; i < GL_BUCKET_SLOTS; i++)
			nr += !!atomic64_read(&tab->buckets[b].task[i]);
	}
	return nr;
}

FIXTURE(table) {
	struct gl_waittab tab;
	s64 spilled;
};

/* The least table: four buckets of seven, all in one window. */
FIXTURE_SETUP(table)
{
	ASSERT_EQ(0, gl_waittab_init(&self->tab, GL_LEAST_MAX_WAITS));
	ASSERT_EQ(4, self->tab.nr_buckets);
}

FIXTURE_TEARDOWN(table)
{
	gl_waittab_exit(&self->tab);
}

TEST_F(table, claimed_is_found_by_its_task_alone)
{
	struct gl_slot *slot = claim(&self->tab, 1, GL_SLOT_LIVE), *found;

	ASSERT_NE(NULL, slot);
	ASSERT_EQ(1, find(&self->tab, 1, GL_SLOT_LIVE, &found));
	EXPECT_EQ(slot, found);
	EXPECT_EQ(slot, gl_waittab_first(&self->tab, waiter(1).task, GL_SLOT_LIVE));
	EXPECT_EQ(NULL, gl_waittab_first(&self->tab, waiter(1).task, GL_SLOT_STAGED));
	EXPECT_EQ(NULL, gl_waittab_first(&self->tab, waiter(2).task, GL_SLOT_LIVE));
	EXPECT_EQ(0, find(&self->tab, 1, GL_SLOT_STAGED, &found));
	EXPECT_EQ(0, find(&self->tab, 2, GL_SLOT_LIVE, &found));
	EXPECT_FALSE(gl_waittab_lock_own(&self->tab, slot, waiter(2).task));
	EXPECT_TRUE(retire(&self->tab, slot, 1));
	EXPECT_EQ(0, find(&self->tab, 1, GL_SLOT_LIVE, &found));
	EXPECT_FALSE(gl_waittab_lock_own(&self->tab, slot, waiter(1).task));
	EXPECT_EQ(0, nr_keys(&self->tab, &self->spilled));
}

/* Every place is used, wherever the keys are at home, and all are found again. */
TEST_F(table, all_places_can_be_claimed)
{
	struct gl_slot *slot;

	for (u64 n = 1; n <= self->tab.nr_slots; n++)
		ASSERT_NE(NULL, claim(&self->tab, n, GL_SLOT_LIVE));
	EXPECT_EQ(NULL, claim(&self->tab, NR_TASKS, GL_SLOT_LIVE));
	nr_keys(&self->tab, &self->spilled);
	EXPECT_LT(0, self->spilled);
	for (u64 n = 1; n <= self->tab.nr_slots; n++) {
		ASSERT_EQ(1, find(&self->tab, n, GL_SLOT_LIVE, &slot));
		EXPECT_TRUE(is_of(slot, n));
		EXPECT_EQ(slot, gl_waittab_first(&self->tab, waiter(n).task, GL_SLOT_LIVE));
		gl_waittab_retire_live(&self->tab, slot, waiter(n).task);
		EXPECT_EQ(NULL, gl_waittab_first(&self->tab, waiter(n).task, GL_SLOT_LIVE));
	}
	EXPECT_EQ(0, nr_keys(&self->tab, &self->spilled));
	EXPECT_EQ(0, self->spilled);
}

/* A full window gives up what is only staged; a wait in flight it keeps. */
TEST_F(table, staged_is_stolen_and_live_is_not)
{
	struct gl_waiter who = waiter(NR_TASKS);
	struct gl_slot *slot;

	for (u64 n = 1; n <= self->tab.nr_slots; n++)
		ASSERT_NE(NULL, claim(&self->tab, n, n == 9 ? GL_SLOT_STAGED : GL_SLOT_LIVE));
	slot = gl_waittab_steal(&self->tab, &who);
	ASSERT_NE(NULL, slot);
	fill(slot, NR_TASKS, GL_SLOT_LIVE);
	EXPECT_EQ(0, find(&self->tab, 9, GL_SLOT_STAGED, &slot));
	EXPECT_EQ(1, find(&self->tab, NR_TASKS, GL_SLOT_LIVE, &slot));
	who = waiter(NR_TASKS + 1);
	EXPECT_EQ(NULL, gl_waittab_steal(&self->tab, &who));
}

TEST_F(table, changed_slot_is_told_from_one_that_stays)
{
	struct gl_slot *slot = claim(&self->tab, 1, GL_SLOT_LIVE), copy;
	u32 idx = slot - self->tab.slots;
	u64 task, seq;

	ASSERT_TRUE(gl_waittab_read(&self->tab, idx, &copy, &task));
	EXPECT_EQ(waiter(1).task, task);
	EXPECT_TRUE(is_of(&copy, 1));
	seq = atomic64_read(&copy.seq);
	EXPECT_TRUE(gl_waittab_is_unchanged(&self->tab, idx, seq));
	ASSERT_TRUE(gl_waittab_lock_own(&self->tab, slot, waiter(1).task));
	EXPECT_FALSE(gl_waittab_is_unchanged(&self->tab, idx, seq));
	EXPECT_FALSE(gl_waittab_read(&self->tab, idx, &copy, &task));
	gl_waittab_retire(&self->tab, slot, waiter(1).task);
	/* The same task, the same place, the same wait: another generation. */
	ASSERT_EQ(slot, claim(&self->tab, 1, GL_SLOT_LIVE));
	EXPECT_TRUE(gl_waittab_read(&self->tab, idx, &copy, &task));
	EXPECT_FALSE(gl_waittab_is_unchanged(&self->tab, idx, seq));
	seq = atomic64_read(&copy.seq);
	gl_waittab_retire_live(&self->tab, slot, waiter(1).task);
	EXPECT_FALSE(gl_waittab_is_unchanged(&self->tab, idx, seq));
	EXPECT_FALSE(gl_waittab_read(&self->tab, idx, &copy, &task));
	ASSERT_EQ(slot, claim(&self->tab, 1, GL_SLOT_LIVE));
	EXPECT_FALSE(gl_waittab_is_unchanged(&self->tab, idx, seq));
}

/* The sizes of the parameter fit, and the default one what is promised of it. */
TEST(sizes)
{
	struct gl_waittab tab;

	for (u32 max = GL_LEAST_MAX_WAITS; max <= GL_MOST_MAX_WAITS; max *= 2) {
		ASSERT_EQ(0, gl_waittab_init(&tab, max));
		EXPECT_LE(max + max / 2, tab.nr_slots);
		if (max == GL_DEFAULT_MAX_WAITS)
			EXPECT_GE(10u << 20, gl_waittab_bytes(&tab));
		gl_waittab_exit(&tab);
	}
}

/** struct crowd - threads that play many tasks in too small a table */
struct crowd {
	struct gl_waittab tab;
	/** @nr_begun: waits that went to sleep; @nr_ended: those found again at their end */
	u64 nr_begun, nr_ended;
	u64 nr_stolen, nr_full, nr_foreign;
	bool stop;
};

/** struct player - one of the threads, and the tasks that are its own */
struct player {
	struct crowd *crowd;
	u64 first;
	pthread_t thread;
};

static void count(u64 *counter)
{
	__atomic_add_fetch(counter, 1, __ATOMIC_RELAXED);
}

/* A call that may sleep: staged, and stolen meanwhile perhaps. */
static void stage(struct crowd *c, u64 n)
{
	struct gl_waiter who = waiter(n);
	struct gl_slot *slot;

	if (find(&c->tab, n, GL_SLOT_STAGED, &slot))
		return;
	slot = gl_waittab_claim(&c->tab, &who);
	if (!slot) {
		slot = gl_waittab_steal(&c->tab, &who);
		count(slot ? &c->nr_stolen : &c->nr_full);
	}
	if (slot)
		fill(slot, n, GL_SLOT_STAGED);
}

static void commit(struct crowd *c, u64 n)
{
	struct gl_slot *slot;

	if (!find(&c->tab, n, GL_SLOT_STAGED, &slot) ||
	    !gl_waittab_lock_own(&c->tab, slot, waiter(n).task))
		return;
	/* Locked after it was found: whose else could it be? */
	if (slot->phase != GL_SLOT_STAGED || !is_of(slot, n))
		count(&c->nr_foreign);
	fill(slot, n, GL_SLOT_LIVE);
	count(&c->nr_begun);
}

static void end(struct crowd *c, u64 n)
{
	struct gl_slot *slot;

	if (!find(&c->tab, n, GL_SLOT_LIVE, &slot))
		return;
	if (!is_of(slot, n))
		count(&c->nr_foreign);
	gl_waittab_retire_live(&c->tab, slot, waiter(n).task);
	count(&c->nr_ended);
}

static void *play(void *arg)
{
	struct player *p = arg;
	u64 seed = p->first;

	dice = seed;
	for (u32 round = 0; round < NR_ROUNDS; round++) {
		u64 n = p->first + (seed >> 33) % (NR_TASKS / NR_THREADS);

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		/* A task waits for one futex at a time. */
		end(p->crowd, n);
		stage(p->crowd, n);
		if (seed >> 63)
			commit(p->crowd, n);
	}
	for (u64 n = p->first; n < p->first + NR_TASKS / NR_THREADS; n++)
		end(p->crowd, n);
	return NULL;
}

/* Reads all the while: a row is whole, and its task's own. */
static void *watch(void *arg)
{
	struct crowd *c = arg;
	struct gl_slot copy;
	u64 task;

	while (!__atomic_load_n(&c->stop, __ATOMIC_RELAXED))
		for (u32 i = 0; i < c->tab.nr_slots; i++)
			if (gl_waittab_read(&c->tab, i, &copy, &task) && !is_of(&copy, task / 4096))
				count(&c->nr_foreign);
	return NULL;
}

/* 64 tasks for 28 places: overflow and theft go on all the time. */
TEST(crowd)
{
	struct crowd c = { 0 };
	struct player players[NR_THREADS];
	pthread_t watcher;
	struct gl_slot *slot;
	s64 spilled;

	ASSERT_EQ(0, gl_waittab_init(&c.tab, GL_LEAST_MAX_WAITS));
	ASSERT_EQ(0, pthread_create(&watcher, NULL, watch, &c));
	for (u64 i = 0; i < NR_THREADS; i++) {
		players[i].crowd = &c;
		players[i].first = 1 + i * (NR_TASKS / NR_THREADS);
		ASSERT_EQ(0, pthread_create(&players[i].thread, NULL, play, &players[i]));
	}
	for (u64 i = 0; i < NR_THREADS; i++)
		pthread_join(players[i].thread, NULL);
	__atomic_store_n(&c.stop, true, __ATOMIC_RELAXED);
	pthread_join(watcher, NULL);

	EXPECT_EQ(0, c.nr_foreign);
	EXPECT_LT(0, c.nr_begun);
	EXPECT_EQ(c.nr_begun, c.nr_ended);
	EXPECT_LT(0, c.nr_stolen);
	EXPECT_LT(0, c.nr_full);
	/* What is left is staged; without it nothing is. */
	for (u64 n = 1; n <= NR_TASKS; n++)
		while (find(&c.tab, n, GL_SLOT_STAGED, &slot))
			ASSERT_TRUE(retire(&c.tab, slot, n));
	EXPECT_EQ(0, nr_keys(&c.tab, &spilled));
	EXPECT_EQ(0, spilled);
	gl_waittab_exit(&c.tab);
}

TEST_HARNESS_MAIN
