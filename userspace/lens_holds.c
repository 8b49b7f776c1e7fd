// SPDX-License-Identifier: GPL-2.0
/* lens_holds - how long locks were held (lens_holds.h) */
#include <stdlib.h>
#include <string.h>

#include "lens_holds.h"
#include "lens_lock.h"
#include "proc.h"
#include "xalloc.h"

uint64_t lens_hold_below_ns(uint32_t slot)
{
	return slot < LENS_HOLD_SLOTS - 1 ? 2ULL << slot : 0;
}

static int compare_locks(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;

	if (x->pid != y->pid)
		return x->pid < y->pid ? -1 : 1;
	return x->lock < y->lock ? -1 : x->lock > y->lock;
}

static int compare_totals(const void *a, const void *b)
{
	const struct hold *x = a, *y = b;

	if (x->total_ns != y->total_ns)
		return x->total_ns > y->total_ns ? -1 : 1;
	return compare_locks(a, b);
}

static struct hold of_row(const struct lens_hold_key *key, const struct lens_hold *row)
{
	struct hold h = {
		.lock = key->addr, .site = key->site, .pid = key->tgid,
		.nr = row->nr, .total_ns = row->total_ns, .max_ns = row->max_ns,
	};

	memcpy(h.slot, row->slot, sizeof(h.slot));
	return h;
}

/* Of two calls that took the same lock. */
static void add(struct hold *to, const struct hold *h)
{
	if (h->max_ns > to->max_ns) {
		to->max_ns = h->max_ns;
		to->site = h->site;
	}
	to->nr += h->nr;
	to->total_ns += h->total_ns;
	for (uint32_t i = 0; i < LENS_HOLD_SLOTS; i++)
		to->slot[i] += h->slot[i];
}

/* The end of the slot that has it. */
static uint64_t percentile(const struct hold *h, uint32_t percent)
{
	uint64_t nr = 0, below_ns;
	uint32_t slot = 0;

	while (slot < LENS_HOLD_SLOTS - 1 && (nr += h->slot[slot]) * 100 < h->nr * percent)
		slot++;
	below_ns = lens_hold_below_ns(slot);
	return below_ns && below_ns < h->max_ns ? below_ns : h->max_ns;
}

void lens_holds_sum(const struct lens_hold_key *key, const struct lens_hold *row, uint32_t nr,
		    struct lens_holds *ret)
{
	struct hold *all = xcalloc(nr + 1, sizeof(*all));
	uint32_t nr_locks = 0;

	for (uint32_t i = 0; i < nr; i++)
		all[i] = of_row(&key[i], &row[i]);
	qsort(all, nr, sizeof(*all), compare_locks);
	for (uint32_t i = 0; i < nr; i++) {
		if (nr_locks && !compare_locks(&all[nr_locks - 1], &all[i]))
			add(&all[nr_locks - 1], &all[i]);
		else
			all[nr_locks++] = all[i];
	}
	qsort(all, nr_locks, sizeof(*all), compare_totals);
	*ret = (struct lens_holds){ .hold = all, .nr_locks = nr_locks };
	ret->nr = nr_locks < LENS_TOLD_HOLDS ? nr_locks : LENS_TOLD_HOLDS;
	for (uint32_t i = 0; i < ret->nr; i++) {
		all[i].p50_ns = percentile(&all[i], 50);
		all[i].p99_ns = percentile(&all[i], 99);
	}
}

static char *name_of_site(const struct proc_maps *maps, uint64_t addr)
{
	const struct proc_map *map = proc_maps_find(maps, addr);
	const char *base;

	if (!map || !*map->path)
		return xasprintf("0x%llx", (unsigned long long)addr);
	base = strrchr(map->path, '/');
	return xasprintf("%s+0x%llx", base ? base + 1 : map->path,
			 (unsigned long long)(addr - map->start + map->offset));
}

void lens_holds_name(struct lens_holds *holds, struct remote *remote)
{
	for (uint32_t i = 0; i < holds->nr; i++) {
		struct hold *h = &holds->hold[i];
		struct proc_maps maps = { 0 };

		/* A process that has ended has no names any more. */
		proc_maps_read(remote, h->pid, h->pid, &maps);
		h->name = lens_lock_name(proc_maps_find(&maps, h->lock & LENS_ADDR), h->lock);
		h->longest_at = name_of_site(&maps, h->site);
		proc_maps_free(&maps);
	}
}

void lens_holds_free(struct lens_holds *holds)
{
	for (uint32_t i = 0; i < holds->nr; i++) {
		free(holds->hold[i].name);
		free(holds->hold[i].longest_at);
	}
	free(holds->hold);
	*holds = (struct lens_holds){ 0 };
}
