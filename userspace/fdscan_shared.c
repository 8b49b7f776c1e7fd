// SPDX-License-Identifier: GPL-2.0
/*
 * fdscan_shared - is a descriptor table that of another process, too, which can make
 * another file of a number (fdscan.h).
 *
 * To compare all tables with each other would take long. Two that are the same have
 * the same by the same numbers: only such as have at least one in common are asked
 * about. What a link says is enough to tell that, whatever the descriptor is of.
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <stdlib.h>

#include "fdscan.h"
#include "remote.h"
#include "resolve.h"
#include "world.h"
#include "xalloc.h"

static int compare(const void *a, const void *b)
{
	const struct fd_number *x = a, *y = b;

	if (x->fd != y->fd)
		return x->fd < y->fd ? -1 : 1;
	if (x->link != y->link)
		return x->link < y->link ? -1 : 1;
	return (x->table > y->table) - (x->table < y->table);
}

static void sort_numbers(struct fdscan *scan)
{
	if (scan->nr_numbers && !scan->numbers_sorted)
		qsort(scan->numbers, scan->nr_numbers, sizeof(*scan->numbers), compare);
	scan->numbers_sorted = true;
}

/*
 * Not asked, or not told, is not proven different. A process that has ended uses it no
 * more; a thread may leave it to others.
 */
static bool may_be_same(struct world *w, const struct fd_table *own, const struct fd_table *other)
{
	int same;

	if (other->tgid == own->tgid)
		return false;
	if (world_too_late(w))
		return true;
	same = remote_kcmp(w->remote, own->tgid, own->tid, other->tid, KCMP_FILES);
	return same == -ESRCH ? other->nr_tasks > 1 : same != 0;
}

/**
 * end_of() - of those that are the same by the same number as @first
 * @has_own_ret: is one of them in @table?
 */
static uint32_t end_of(const struct fdscan *scan, uint32_t first, uint32_t table,
		       bool *has_own_ret)
{
	const struct fd_number *number = scan->numbers;
	uint32_t end;

	*has_own_ret = false;
	for (end = first; end < scan->nr_numbers && number[end].fd == number[first].fd &&
	     number[end].link == number[first].link; end++)
		*has_own_ret |= number[end].table == table;
	return end;
}

/* @asked: [scan.nr_tables] those that were compared */
static bool one_is_same(struct world *w, const struct fdscan *scan, uint32_t first, uint32_t end,
			uint32_t table, bool *asked)
{
	for (uint32_t i = first; i < end; i++) {
		uint32_t other = scan->numbers[i].table;

		if (asked[other])
			continue;
		asked[other] = true;
		if (may_be_same(w, &scan->tables[table], &scan->tables[other]))
			return true;
	}
	return false;
}

static bool is_shared(struct world *w, struct fdscan *scan, uint32_t table)
{
	bool *asked = xcalloc(scan->nr_tables, sizeof(*asked));
	bool found = false, has_own;
	uint32_t end;

	sort_numbers(scan);
	for (uint32_t i = 0; i < scan->nr_numbers && !found; i = end) {
		end = end_of(scan, i, table, &has_own);
		found = has_own && one_is_same(w, scan, i, end, table, asked);
	}
	free(asked);
	return found;
}

static uint32_t table_of(const struct fdscan *scan, uint32_t task)
{
	for (uint32_t i = 0; i < scan->nr_tables; i++)
		for (uint32_t k = 0; k < scan->tables[i].nr_tasks; k++)
			if (scan->tables[i].tasks[k] == task)
				return i;
	return NO_INDEX;
}

bool fdscan_shares_table(struct world *w, uint32_t task)
{
	uint32_t table = table_of(fdscan_ends(w), task);
	struct fd_table *own;

	/* Of a table that could not be read nothing is known. */
	if (table == NO_INDEX || w->fds->incomplete)
		return true;
	own = &w->fds->tables[table];
	if (own->sharing == SHARING_NOT_ASKED)
		own->sharing = is_shared(w, w->fds, table) ? SHARING_MAYBE : SHARING_NONE;
	return own->sharing == SHARING_MAYBE;
}

/* --- tasks that came later --------------------------------------------------- */

static bool is_shared_with_more(struct world *w, const struct fd_table *own)
{
	const struct fdscan *more = w->fds->more;

	for (uint32_t i = 0; more && i < more->nr_tables; i++)
		if (may_be_same(w, own, &more->tables[i]))
			return true;
	return false;
}

bool fdscan_asked_sharing(const struct world *w)
{
	for (uint32_t i = 0; w->fds && i < w->fds->nr_tables; i++)
		if (w->fds->tables[i].sharing == SHARING_NONE)
			return true;
	return false;
}

void fdscan_settle(struct world *w, bool settled, const char *reason)
{
	for (uint32_t i = 0; w->fds && i < w->fds->nr_tables; i++) {
		struct fd_table *table = &w->fds->tables[i];

		if (table->sharing != SHARING_NONE ||
		    (settled && !is_shared_with_more(w, table)))
			continue;
		for (uint32_t k = 0; k < table->nr_tasks; k++) {
			uint32_t wait = w->tasks[table->tasks[k]].wait;

			if (wait != NO_INDEX)
				world_cap(&w->waits[wait], VERDICT_LIKELY, reason);
		}
	}
}
