// SPDX-License-Identifier: GPL-2.0
/*
 * tsc_khz - print how fast the time-stamp counter of this machine runs, in kHz.
 *
 * Emulated machines have the same counter, and find out its speed when they boot:
 * wrongly, by a factor even, when nothing else on this machine is idle. Their clocks
 * then run too fast or too slow for ever.
 */
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

/* Long enough for five digits. */
#define SPAN_NS	200000000ULL

struct moment {
	uint64_t ns;
	uint64_t ticks;
};

/* Both at the same time: the closest of some pairs, as anything may come between. */
static struct moment now(void)
{
	struct moment best = { 0 };
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 100; i++) {
		uint64_t before = __rdtsc(), after;
		struct timespec ts;

		clock_gettime(CLOCK_MONOTONIC, &ts);
		after = __rdtsc();
		if (after - before >= least)
			continue;
		least = after - before;
		best.ns = ts.tv_sec * 1000000000ULL + ts.tv_nsec;
		best.ticks = before + least / 2;
	}
	return best;
}

int main(void)
{
	struct timespec span = { .tv_nsec = SPAN_NS };
	struct moment first = now(), last;

	nanosleep(&span, NULL);
	last = now();
	printf("%llu\n", (unsigned long long)((last.ticks - first.ticks) * 1000000ULL /
					      (last.ns - first.ns)));
	return 0;
}
