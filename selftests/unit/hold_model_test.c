// SPDX-License-Identifier: GPL-2.0
/*
 * hold_model_test - a lock that is taken, waited for and dropped at random, by what is
 * allowed: the module's table of holders tells no hold that was not.
 */
#include "kselftest_harness.h"
#include "hold_calls.h"

/* Nothing comes in between. */
void kernel_step(void)
{
}

#define NR_TASKS	6
#define NR_STEPS	200000
#define NR_PAST		256

/** struct past - somebody had it */
struct past {
	u32 task;
	u64 since_ns, until_ns;
};

/** struct model - the truth */
struct model {
	struct gl_holdtab tab;
	u64 dice, now_ns;
	/** @mutex: it is spun for first, and free before its release is seen; else a spinlock */
	bool mutex;
	/** @owner: who has it; 0: nobody */
	u32 owner;
	/** @late: whose release is still to be seen, of a mutex; 0: nobody's */
	u32 late;
	/** @unseen: the first waiter of a spinlock; 0: none */
	u32 unseen;
	/** @queue: [nr] in order */
	u32 queue[NR_TASKS];
	u32 nr;
	/** @begin_ns: by task, when it began to wait; 0: it does not */
	u64 begin_ns[NR_TASKS + 1];
	/** @queued_ns: by task, when it was queued while it was somebody's; 0: it was not */
	u64 queued_ns[NR_TASKS + 1];
	/** @past: the last ones to have it, round and round */
	struct past past[NR_PAST];
	u32 nr_past;
	u64 nr_told, nr_wrong;
};

static u32 throw_dice(struct model *m, u32 sides)
{
	m->dice = m->dice * 6364136223846793005ull + 1442695040888963407ull;
	return (m->dice >> 33) % sides;
}

/* Had a task that released it, as seen at a moment, taken it by another moment? */
static bool had_it(const struct model *m, u32 task, u64 since_ns, u64 seen_ns)
{
	for (u32 ago = 1; ago <= NR_PAST && ago <= m->nr_past; ago++) {
		const struct past *p = &m->past[(m->nr_past - ago) % NR_PAST];

		if (p->task == task && p->until_ns <= seen_ns)
			return p->since_ns <= since_ns;
	}
	return false;
}

static bool is_true(const struct model *m, const struct gl_release *releases, u64 hold_ns)
{
	for (u32 i = 0; i < GL_HOLD_RELEASES; i++) {
		const struct gl_release *r = &releases[i];

		if (r->tid && had_it(m, r->tid, r->at_ns - hold_ns, r->at_ns))
			return true;
	}
	return false;
}

static bool is_queued(const struct model *m, u32 task)
{
	for (u32 i = 0; i < m->nr; i++)
		if (m->queue[i] == task)
			return true;
	return false;
}

static void model_take(struct model *m, u32 task, bool seen)
{
	enum gl_hold_rule rule = m->mutex ? GL_HOLD_LATE : GL_HOLD_ONE;
	struct gl_hold_waiter who = { .id = task, .begin_ns = m->begin_ns[task],
				      .queued_ns = m->queued_ns[task], .rule = rule };
	struct gl_release releases[GL_HOLD_RELEASES];
	struct gl_hold_found found;

	/* Who waits for a spinlock is in its queue, whosever it was then. */
	if (!m->mutex && !who.queued_ns) {
		who.queued_ns = who.begin_ns;
		who.rule = GL_HOLD_SEEN;
	}
	if (seen) {
		memcpy(releases, gl_hold_find(&m->tab, LOCK)->release, sizeof(releases));
		taken(&m->tab, who, m->now_ns, &found);
		m->nr_told += found.nr;
		for (u32 i = 0; i < found.nr; i++)
			m->nr_wrong += !is_true(m, releases, found.hold_ns[i]);
	}
	m->owner = task;
	m->past[m->nr_past++ % NR_PAST] =
		(struct past){ .task = task, .since_ns = m->now_ns, .until_ns = ~0ULL };
	m->begin_ns[task] = 0;
	m->queued_ns[task] = 0;
}

static void model_pop(struct model *m)
{
	u32 task = m->queue[0];

	memmove(m->queue, m->queue + 1, --m->nr * sizeof(m->queue[0]));
	model_take(m, task, true);
}

static void model_queue(struct model *m, u32 task)
{
	if (!is_queued(m, task))
		m->queue[m->nr++] = task;
	/* Who is woken in vain finds out again. */
	if (m->owner && !m->queued_ns[task])
		m->queued_ns[task] = m->now_ns;
}

/* Somebody comes who has nothing to do with it yet, or goes on. */
static void model_come(struct model *m, u32 task)
{
	bool is_free = !m->owner && !m->unseen && !m->nr;

	if (m->owner == task || m->late == task || m->unseen == task)
		return;
	if (m->begin_ns[task]) {
		if (m->mutex)
			model_queue(m, task);
	} else if (is_free || (m->mutex && !m->owner && !throw_dice(m, 3))) {
		/* Without waiting; past a mutex's queue, by mutex_trylock(). */
		model_take(m, task, false);
	} else if (!m->mutex && !m->unseen && !m->nr) {
		m->unseen = task;
	} else {
		gl_hold_expect(&m->tab, LOCK, m->now_ns);
		m->begin_ns[task] = m->now_ns;
		if (!m->mutex)
			model_queue(m, task);
	}
}

static void model_drop(struct model *m)
{
	u32 task = m->owner;
	bool waiters = m->nr || m->unseen;

	if (m->mutex && m->late)
		return;
	m->owner = 0;
	m->past[(m->nr_past - 1) % NR_PAST].until_ns = m->now_ns;
	if (m->mutex)
		m->late = waiters ? task : 0;
	else if (waiters)
		released(&m->tab, task, m->now_ns);
}

static void model_give(struct model *m, u32 task)
{
	if (m->unseen) {
		model_take(m, m->unseen, false);
		m->unseen = 0;
	} else if (m->mutex && m->begin_ns[task] && !is_queued(m, task)) {
		model_take(m, task, true);
	} else if (m->nr && !m->late) {
		model_pop(m);
	}
}

static void model_step(struct model *m)
{
	u32 task = 1 + throw_dice(m, NR_TASKS);

	m->now_ns += 1 + throw_dice(m, 10);
	switch (throw_dice(m, 4)) {
	case 0:
		model_come(m, task);
		break;
	case 1:
		if (m->owner)
			model_drop(m);
		break;
	case 2:
		if (m->late) {
			released(&m->tab, m->late, m->now_ns);
			m->late = 0;
		}
		break;
	default:
		if (!m->owner)
			model_give(m, task);
	}
}

static void run(struct __test_metadata *_metadata, bool mutex)
{
	struct model m = { .dice = 1, .now_ns = 1000, .mutex = mutex };

	ASSERT_EQ(0, gl_holdtab_init(&m.tab, 16));
	for (u32 i = 0; i < NR_STEPS; i++)
		model_step(&m);
	TH_LOG("%llu holds told", (unsigned long long)m.nr_told);
	EXPECT_LT(NR_STEPS / 200, m.nr_told);
	EXPECT_EQ(0, m.nr_wrong);
	gl_holdtab_exit(&m.tab);
}

/* Its release is seen before it is free: so it is told no longer than it was, either. */
TEST(no_hold_of_a_spinlock_is_told_to_begin_before_it_did)
{
	run(_metadata, false);
}

TEST(no_hold_of_a_mutex_is_told_to_begin_before_it_did)
{
	run(_metadata, true);
}

TEST_HARNESS_MAIN
