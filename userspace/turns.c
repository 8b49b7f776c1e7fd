// SPDX-License-Identifier: GPL-2.0
/* turns - who had which of the kernel's locks how often (turns.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source.h"
#include "turns.h"
#include "xalloc.h"

static int compare(const void *a, const void *b)
{
	const struct turn *x = a, *y = b;

	if (x->res_id != y->res_id)
		return x->res_id < y->res_id ? -1 : 1;
	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

void turns_parse(const char *text, struct turns *ret)
{
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);

	*ret = (struct turns){ 0 };
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		unsigned long long start_ns, res_id, tasks, turns, overtaken, waited_ns;
		int tid;

		line += *line == '\n';
		if (sscanf(line, "%d %llu %llx %llu %llu %llu %llu", &tid, &start_ns, &res_id,
			   &tasks, &turns, &overtaken, &waited_ns) < 7)
			continue;
		*vec_push(ret->turn, ret->nr) = (struct turn){
			.res_id = res_id,
			.tid = tid,
			.start_ticks = start_ns / tick_ns,
			.nr_tasks = tasks,
			.nr_turns = turns,
			.nr_overtaken = overtaken,
			.waited_ns = waited_ns,
		};
	}
	if (ret->nr)
		qsort(ret->turn, ret->nr, sizeof(*ret->turn), compare);
}

void turns_read(struct turns *ret)
{
	size_t size;
	char *text;

	*ret = (struct turns){ 0 };
	if (source_read("turns", &text, &size))
		return;
	turns_parse(text, ret);
	free(text);
}

void turns_free(struct turns *turns)
{
	free(turns->turn);
	*turns = (struct turns){ 0 };
}

const struct turn *turns_of(const struct turns *turns, uint64_t res_id, uint32_t *nr_ret)
{
	uint32_t low = 0, high = turns->nr, end;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (turns->turn[mid].res_id < res_id)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < turns->nr && turns->turn[end].res_id == res_id; end++)
		;
	*nr_ret = end - low;
	return end > low ? &turns->turn[low] : NULL;
}
