// SPDX-License-Identifier: GPL-2.0
/* episodes - how threads fare with locks, over many waits (episodes.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "episodes.h"
#include "source.h"
#include "xalloc.h"

/* The module's numbers of file locks and ww_mutexes; no address has this bit. */
#define NUMBER_BIT	(1ULL << 63)

static int compare(const void *a, const void *b)
{
	const struct episode *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->uaddr < y->uaddr ? -1 : x->uaddr > y->uaddr;
}

void episodes_parse(const char *text, struct episodes *ret)
{
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);

	*ret = (struct episodes){ 0 };
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		unsigned long long start_ns, uaddr, since_ns, overtaken, timeouts, had, passed = 0;
		int tid, by = 0;

		line += *line == '\n';
		if (sscanf(line, "%d %llu %llx %llu %llu %llu %llu %d %llu", &tid, &start_ns,
			   &uaddr, &since_ns, &overtaken, &timeouts, &had, &by, &passed) < 7)
			continue;
		*vec_push(ret->episode, ret->nr) = (struct episode){
			.tid = tid,
			.start_ticks = start_ns / tick_ns,
			.uaddr = uaddr,
			.since_ns = since_ns,
			.nr_overtaken = overtaken,
			.nr_passed = passed,
			.nr_timeouts = timeouts,
			.nr_had = had,
			.exact = uaddr & NUMBER_BIT,
			.owner = by,
		};
	}
	episodes_sort(ret);
}

void episodes_sort(struct episodes *episodes)
{
	if (episodes->nr)
		qsort(episodes->episode, episodes->nr, sizeof(*episodes->episode), compare);
	episodes->nr_sorted = episodes->nr;
}

void episodes_read(struct episodes *ret)
{
	size_t size;
	char *text;

	*ret = (struct episodes){ 0 };
	if (source_read("episodes", &text, &size))
		return;
	episodes_parse(text, ret);
	free(text);
}

void episodes_free(struct episodes *episodes)
{
	free(episodes->episode);
	*episodes = (struct episodes){ 0 };
}

const struct episode *episodes_find(const struct episodes *episodes, pid_t tid, uint64_t uaddr)
{
	struct episode key = { .tid = tid, .uaddr = uaddr };

	return episodes->nr_sorted ? bsearch(&key, episodes->episode, episodes->nr_sorted,
					     sizeof(key), compare) : NULL;
}

const struct episode *episodes_of_wait(const struct episodes *episodes, pid_t tid,
				       uint64_t begin_ns)
{
	uint32_t low = 0, high = episodes->nr_sorted;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (episodes->episode[mid].tid < tid)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < episodes->nr_sorted && episodes->episode[low].tid == tid; low++)
		if (episodes->episode[low].exact && episodes->episode[low].since_ns == begin_ns)
			return &episodes->episode[low];
	return NULL;
}

struct episode *episodes_get(struct episodes *episodes, pid_t tid, uint64_t uaddr)
{
	const struct episode *known = episodes_find(episodes, tid, uaddr);
	struct episode *new;

	if (known)
		return &episodes->episode[known - episodes->episode];
	new = vec_push(episodes->episode, episodes->nr);
	new->tid = tid;
	new->uaddr = uaddr;
	return new;
}
