// SPDX-License-Identifier: GPL-2.0
/* lens_until_test - waits for semaphores that end at a time, or before it (lens_calls.h) */
#include "lens_calls.h"

/* The clocks, ns; the deadlines, ns after that. */
#define NOW_NS		1000000000000
#define REALTIME_NS	1800000000000000000
#define SOON_NS		30000000

/* Until SOON_NS from now; it comes back without a unit after @took_ns. */
static void wait_in_vain(uint64_t call, int clock, int64_t clock_ns, int64_t took_ns)
{
	int64_t end_ns = NOW_NS + clock_ns + SOON_NS;
	int64_t end[2] = { end_ns / 1000000000, end_ns % 1000000000 };
	unsigned long site = 0x1000;
	struct pt_regs regs = {
		.rdi = (uintptr_t)sem[0], .rsi = (uintptr_t)end, .rsp = (uintptr_t)&site,
	};

	if (call & LENS_CLOCKED) {
		regs.rsi = clock;
		regs.rdx = (uintptr_t)end;
	}
	lens_realtime_ns = REALTIME_NS;
	test_bpf.now_ns = NOW_NS;
	test_bpf.cookie = call | (uint64_t)TGID << LENS_TGID_SHIFT;
	lens_enter(&regs);
	test_bpf.now_ns = NOW_NS + took_ns;
	come_back(call, -1);
}

TEST_F(lens, time_that_is_over_is_a_refusal_and_a_signal_is_none)
{
	static const struct {
		uint64_t call;
		int clock;
		int64_t clock_ns;
	} ways[] = {
		{ LENS_TIMED, 0, REALTIME_NS },
		{ LENS_CLOCKED, 0, REALTIME_NS },
		{ LENS_CLOCKED, MONOTONIC, 0 },
	};

	make_sem(sem[0], 0);
	for (uint32_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		uint64_t call = LENS_TRY | LENS_SEM | ways[i].call;

		wait_in_vain(call, ways[i].clock, ways[i].clock_ns, SOON_NS / 2);
		EXPECT_EQ(i, i ? try_of(ONE, sem[0])->nr_failed : nr_rows(&tries));
		wait_in_vain(call, ways[i].clock, ways[i].clock_ns, SOON_NS);
		ASSERT_NE(NULL, try_of(ONE, sem[0]));
		EXPECT_EQ(i + 1, try_of(ONE, sem[0])->nr_failed);
	}
	EXPECT_EQ(0, lens_missed);
}

TEST_F(lens, time_that_cannot_be_read_makes_no_refusal)
{
	make_sem(sem[0], 0);
	test_bpf.unreadable = true;
	wait_in_vain(LENS_TRY | LENS_SEM | LENS_TIMED, 0, REALTIME_NS, SOON_NS);
	EXPECT_EQ(0, nr_rows(&tries));
	test_bpf.unreadable = false;
}

TEST_F(lens, only_time_of_a_clock_that_there_is_makes_a_refusal)
{
	static const struct {
		int64_t end[2];
		int clock;
		bool over;
	} ways[] = {
		{ { NOW_NS / NS_PER_SEC, 0 }, MONOTONIC, true },
		{ { -1, 0 }, MONOTONIC, true },
		{ { INT64_MIN, 0 }, 0, true },
		{ { INT64_MAX, 0 }, MONOTONIC, false },
		{ { INT64_MAX, 0 }, 0, false },
		{ { NOW_NS / NS_PER_SEC - 2, NS_PER_SEC }, MONOTONIC, false },
		{ { NOW_NS / NS_PER_SEC, -1 }, MONOTONIC, false },
		{ { NOW_NS / NS_PER_SEC, 0 }, MONOTONIC + 1, false },
		{ { NOW_NS / NS_PER_SEC, 0 }, -1, false },
	};
	const uint64_t call = LENS_TRY | LENS_SEM | LENS_CLOCKED;
	uint32_t nr_over = 0;

	make_sem(sem[0], 0);
	lens_realtime_ns = REALTIME_NS;
	for (uint32_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		unsigned long site = 0x1000;
		struct pt_regs regs = {
			.rdi = (uintptr_t)sem[0], .rsi = ways[i].clock,
			.rdx = (uintptr_t)ways[i].end, .rsp = (uintptr_t)&site,
		};

		test_bpf.now_ns = NOW_NS;
		test_bpf.cookie = call | (uint64_t)TGID << LENS_TGID_SHIFT;
		lens_enter(&regs);
		come_back(call, -1);
		nr_over += ways[i].over;
		EXPECT_EQ(nr_over, try_of(ONE, sem[0])->nr_failed) {
			TH_LOG("way %u", i);
		}
	}
}

TEST_HARNESS_MAIN
