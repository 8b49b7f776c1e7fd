/* SPDX-License-Identifier: GPL-2.0 */
/*
 * lens_calls - calls and returns, one after the other, as the lens is told of them: its
 * program of the kernel, compiled as it is into each test, with maps that are tables here.
 */
#ifndef LENS_CALLS_H
#define LENS_CALLS_H

#include "kselftest_harness.h"
#include "../../userspace/bpf/lens.bpf.c"

#define TGID	100
#define ONE	101
#define TWO	102

/* Words of glibc's mutexes, as they lie in memory; nobody but the lens reads them. */
static uint32_t mutex[LENS_MAX_HELD + 2][10];

/* glibc's: the value, waiters, is it shared; whoever takes or posts changes the value, too. */
static uint32_t sem[2][8];

static struct task_struct task = { .start_time = 1, .self_exec_id = 1 };

static inline void run_as(uint32_t tid)
{
	test_bpf.id = (uint64_t)TGID << 32 | tid;
}

static inline void enter(uint64_t call, const void *first, const void *second)
{
	unsigned long site = 0x1000 + call;
	struct pt_regs regs = {
		.rdi = (uintptr_t)first, .rsi = (uintptr_t)second, .rsp = (uintptr_t)&site,
	};

	test_bpf.cookie = call | (uint64_t)TGID << LENS_TGID_SHIFT;
	lens_enter(&regs);
}

static inline void come_back(uint64_t call, int ret)
{
	struct pt_regs regs = { .rax = ret };

	test_bpf.cookie = call | (uint64_t)TGID << LENS_TGID_SHIFT;
	lens_return(&regs);
}

static inline void lock(const void *m)
{
	enter(LENS_LOCK, m, NULL);
	come_back(LENS_LOCK, 0);
}

static inline void unlock(const void *m)
{
	enter(LENS_UNLOCK, m, NULL);
}

static inline struct lens_state *state(uint32_t tid)
{
	return bpf_map_lookup_elem(&states, &tid);
}

static inline uint32_t nr_rows(const void *map)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < test_bpf.nr; i++)
		nr += test_bpf.row[i].map == map;
	return nr;
}

/* Of all its rows, where a test makes one only. */
static inline const struct lens_nesting_key *nesting(void)
{
	for (uint32_t i = 0; i < test_bpf.nr; i++)
		if (test_bpf.row[i].map == &nestings)
			return test_bpf.row[i].key;
	return NULL;
}

static inline void make_sem(uint32_t *one, uint32_t value)
{
	memset(one, 0, sizeof(sem[0]));
	one[0] = value;
}

/* What the lens counted of a thread's attempts to take it; NULL: none. */
static inline const struct lens_try *try_of(uint32_t tid, const uint32_t *one)
{
	struct lens_try_key key = { .addr = (uintptr_t)one, .tgid = TGID, .tid = tid };

	return bpf_map_lookup_elem(&tries, &key);
}

/* Times that holds of this lock ended, whichever call it was taken by. */
static inline uint64_t nr_holds(const void *lock)
{
	uint64_t nr = 0;

	for (uint32_t i = 0; i < test_bpf.nr; i++) {
		const struct lens_hold_key *key = test_bpf.row[i].key;
		const struct lens_hold *hold = test_bpf.row[i].value;

		if (test_bpf.row[i].map == &holds &&
		    (key->addr & LENS_ADDR) == (uintptr_t)lock)
			nr += hold->nr;
	}
	return nr;
}

FIXTURE(lens)
{
	struct lens_state *one;
};

/* The first call of each thread is one of which nothing is believed. */
FIXTURE_SETUP(lens)
{
	test_bpf.task = &task;
	lens_on = 1;
	run_as(TWO);
	unlock(mutex[LENS_MAX_HELD + 1]);
	run_as(ONE);
	unlock(mutex[LENS_MAX_HELD + 1]);
	self->one = state(ONE);
	ASSERT_NE(NULL, self->one);
}

FIXTURE_TEARDOWN(lens)
{
	while (test_bpf.nr)
		test_free_row(&test_bpf.row[0]);
}

#endif /* LENS_CALLS_H */
