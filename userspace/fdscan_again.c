// SPDX-License-Identifier: GPL-2.0
/*
 * fdscan_again - tables of descriptors that must be what they were at the look before
 * (fdscan.h).
 *
 * Only a thread that has a table can put something into it or take it out, and a
 * descriptor leads to the same pipe, socket or file for as long as it is there.
 */
#include <stdlib.h>

#include "census.h"
#include "fdscan.h"
#include "world.h"
#include "xalloc.h"

/* Tables come in the order of the tasks, in each look: by process. */
static uint32_t find_past(struct fdscan *scan, const struct fd_table *table)
{
	const struct fd_table *past = scan->past->tables;

	for (uint32_t i = scan->past_at; i < scan->past->nr_tables; i++) {
		if (past[i].tgid > table->tgid)
			break;
		if (past[i].tid == table->tid) {
			scan->past_at = i + 1;
			return i;
		}
	}
	return NO_INDEX;
}

static void begin(struct fdscan *scan, const struct fdscan *past)
{
	scan->past = past;
	scan->now = xcalloc(past->nr_tables, sizeof(*scan->now));
	for (uint32_t i = 0; i < past->nr_tables; i++)
		scan->now[i] = NO_INDEX;
}

bool fdscan_again(struct world *w, struct fdscan *scan, uint32_t table, uint32_t task)
{
	const struct world *from = census_past_files(w, task);
	uint32_t index;

	if (!from || !from->fds || from->fds->incomplete)
		return false;
	if (!scan->past)
		begin(scan, from->fds);
	index = find_past(scan, &scan->tables[table]);
	if (index == NO_INDEX)
		return false;
	scan->now[index] = table;
	return true;
}

/* Those of @past that are in such tables, in the same order. */
static void copy_ends(const struct fdscan *scan, const struct fd_end *past, uint32_t nr_past,
		      struct fd_end **ends, uint32_t *nr)
{
	for (uint32_t i = 0; i < nr_past; i++) {
		uint32_t table = scan->now[past[i].table];
		struct fd_end *end;

		if (table == NO_INDEX)
			continue;
		end = vec_push(*ends, *nr);
		*end = past[i];
		end->table = table;
	}
}

void fdscan_again_end(struct fdscan *scan)
{
	const struct fdscan *past = scan->past;

	if (!past)
		return;
	copy_ends(scan, past->pipes, past->nr_pipes, &scan->pipes, &scan->nr_pipes);
	copy_ends(scan, past->sockets, past->nr_sockets, &scan->sockets, &scan->nr_sockets);
	copy_ends(scan, past->anons, past->nr_anons, &scan->anons, &scan->nr_anons);
	copy_ends(scan, past->files, past->nr_files, &scan->files, &scan->nr_files);
	free(scan->now);
	scan->now = NULL;
	scan->past = NULL;
}
