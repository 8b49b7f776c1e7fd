// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot_locks - the counters as records: for each kind its total, its
 * locks, and the locks that found no row.
 *
 * All ends are read before any begin. A contention that is counted ended was
 * counted begun before, so no row ever shows more ends than begins; events
 * that come meanwhile are the error, and the header tells their number.
 */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "count.h"
#include "cpu.h"
#include "limits.h"
#include "snapshot.h"

/** struct merge - finds the record of a row while the CPUs are merged */
struct merge {
	/** @snap: snapshot with records [nr_fixed ..] for locks */
	struct gl_snapshot *snap;
	/** @room: records that fit */
	u64 room;
	/** @index: [1 << bits] record number + 1, by hash of key and space */
	u32 *index;
	/** @row: [room] a row with that record's key and space */
	const struct gl_row **row;
	/** @bits: log2 of the size of @index */
	u32 bits;
	/** @reading_begins: the second pass: ends are in, begins are read */
	bool reading_begins;
};

static void add_sums(struct gl_lock_record *rec, const struct gl_sums *sums, bool begins)
{
	u64 least;

	if (begins) {
		rec->nr_begun += local_read(&sums->begun);
		return;
	}
	rec->nr_ended += local_read(&sums->ended);
	rec->nr_failed += local_read(&sums->failed);
	rec->nr_lost += local_read(&sums->lost);
	rec->total_ns += local_read(&sums->total_ns);
	rec->max_ns = max_t(u64, rec->max_ns, local_read(&sums->max_ns));
	least = local_read(&sums->least_inverted);
	if (least && (!rec->min_ns || ~least < rec->min_ns))
		rec->min_ns = ~least;
}

static void add_hist(struct gl_lock_record *rec, const struct gl_hist *hist)
{
	u32 n;

	for (n = 0; n < GL_NR_BUCKETS; n++)
		rec->hist[n] += local_read(&hist->nr[n]);
	rec->flags |= GL_LOCK_HIST;
}

static void add_failures(struct gl_lock_record *rec, const struct gl_failures *failures)
{
	u32 n;

	for (n = 0; n < GL_NR_FAILURES; n++)
		rec->nr_failed_by[n] += local_read(&failures->nr[n]);
}

/* The row of each CPU was told by itself. */
static void add_form(struct gl_lock_record *rec, u32 form)
{
	if (form != GL_FORM_UNKNOWN && rec->form != form)
		rec->form = rec->form == GL_FORM_UNKNOWN ? form : GL_FORM_SEVERAL;
}

static void add_holds(struct gl_lock_record *rec, const struct gl_hold_sums *sums)
{
	rec->nr_holds += local_read(&sums->holds);
	rec->nr_holds_in_irq += local_read(&sums->in_irq);
	rec->hold_total_ns += local_read(&sums->total_ns);
	rec->hold_max_ns = max_t(u64, rec->hold_max_ns, local_read(&sums->max_ns));
}

static void add_total(struct gl_snapshot *snap, const struct gl_cpu *cpu, bool begins)
{
	struct gl_lock_record *rec = (void *)snap->records;
	u32 kind;

	for (kind = 0; kind < GL_NR_COUNTED_KINDS; kind++) {
		const struct gl_total *total = &cpu->total[kind];

		add_sums(&rec[2 * kind], &total->sums, begins);
		add_sums(&rec[2 * kind + 1], &total->other, begins);
		if (begins)
			continue;
		add_hist(&rec[2 * kind], &total->hist);
		add_failures(&rec[2 * kind], &total->failures);
		add_failures(&rec[2 * kind + 1], &total->other_failures);
		if (!cpu->hold)
			continue;
		add_holds(&rec[2 * kind], &cpu->hold->total[kind]);
		add_holds(&rec[2 * kind + 1], &cpu->hold->other[kind]);
	}
}

/* The record of a row, made if need be; NULL: it does not fit. */
static struct gl_lock_record *record_of(struct merge *m, const struct gl_row *row)
{
	struct gl_lock_record *rec = (void *)m->snap->records;
	u64 key = local_read(&row->key), space = READ_ONCE(row->space);
	u32 mask = (1U << m->bits) - 1, i = hash_64(key ^ space, m->bits);

	for (; m->index[i]; i = (i + 1) & mask) {
		const struct gl_row *other = m->row[m->index[i] - 1];

		if ((u64)local_read(&other->key) == key && other->space == space)
			return &rec[m->index[i] - 1];
	}
	if (m->snap->header.nr_records == m->room)
		return NULL;
	m->row[m->snap->header.nr_records] = row;
	m->index[i] = ++m->snap->header.nr_records;
	return &rec[m->index[i] - 1];
}

static void identify(struct gl_snapshot *snap, struct gl_lock_record *rec,
		     const struct gl_row *row)
{
	u64 key = local_read(&row->key), space = READ_ONCE(row->space);
	u64 lock = gl_row_address(key);

	rec->row = GL_ROW_LOCK;
	rec->kind = gl_row_kind(key);
	rec->res_id = gl_snapshot_id(lock, space);
	rec->res_addr = gl_snapshot_address(snap, rec->kind, lock, space);
	rec->space_id = space ? gl_snapshot_id(space, 0) : 0;
	rec->tgid = READ_ONCE(row->tgid);
	gl_snapshot_name(rec->kind, lock, space, rec->name);
}

static void add_rows(struct merge *m, const struct gl_cpu *cpu)
{
	u32 i, n;

	for (i = 0; i < gl_nr_rows; i++) {
		const struct gl_row *row = &cpu->row[i];
		struct gl_lock_record *rec;

		if (!(i & 255))
			cond_resched();
		if (!local_read(&row->key))
			continue;
		rec = record_of(m, row);
		if (!rec) {
			m->snap->header.nr_unshown += !m->reading_begins;
			continue;
		}
		if (!rec->row)
			identify(m->snap, rec, row);
		add_sums(rec, &row->sums, m->reading_begins);
		if (m->reading_begins)
			continue;
		add_form(rec, READ_ONCE(row->form));
		n = READ_ONCE(row->hist);
		if (n)
			add_hist(rec, &cpu->hist[n - 1]);
		n = READ_ONCE(row->failing);
		if (n)
			add_failures(rec, &cpu->failures[n - 1]);
		if (cpu->hold)
			add_holds(rec, &cpu->hold->row[i]);
	}
}

static void fill_fixed(struct gl_snapshot *snap)
{
	struct gl_lock_record *rec = (void *)snap->records;
	u32 kind;

	for (kind = 0; kind < GL_NR_COUNTED_KINDS; kind++) {
		rec[2 * kind].row = GL_ROW_TOTAL;
		rec[2 * kind].kind = kind;
		rec[2 * kind + 1].row = GL_ROW_OTHER;
		rec[2 * kind + 1].kind = kind;
	}
	snap->header.nr_records = 2 * GL_NR_COUNTED_KINDS;
}

static void merge_cpus(struct merge *m)
{
	int pass, nr;

	for (pass = 0; pass < 2; pass++) {
		m->reading_begins = pass;
		/* Begins are read after all ends: pairs with the order of events. */
		smp_rmb();
		for_each_possible_cpu(nr) {
			const struct gl_cpu *cpu = per_cpu(gl_cpu_ptr, nr);

			add_total(m->snap, cpu, m->reading_begins);
			add_rows(m, cpu);
		}
	}
}

/*
 * A wait that began in `other`, for a reset put it there or its lock had no row on
 * that CPU, and then ended in a row: let it have begun there as well.
 */
static void claim_begins(struct gl_snapshot *snap)
{
	struct gl_lock_record *rec = (void *)snap->records;
	u64 i;

	for (i = 2 * GL_NR_COUNTED_KINDS; i < snap->header.nr_records; i++) {
		struct gl_lock_record *other = &rec[2 * rec[i].kind + 1];
		u64 closed = rec[i].nr_ended + rec[i].nr_lost, short_by;

		if (closed <= rec[i].nr_begun)
			continue;
		short_by = min(closed - rec[i].nr_begun, other->nr_begun);
		rec[i].nr_begun += short_by;
		other->nr_begun -= short_by;
	}
}

/* A row that was taken just now and not counted in says nothing. */
static void leave_out_empty(struct gl_snapshot *snap)
{
	struct gl_lock_record *rec = (void *)snap->records;
	u64 nr = 0, i;

	for (i = 0; i < snap->header.nr_records; i++)
		if (rec[i].row != GL_ROW_LOCK || rec[i].nr_begun || rec[i].nr_ended)
			rec[nr++] = rec[i];
	snap->header.nr_records = nr;
}

/**
 * gl_rows_size() - rows of counters in use
 *
 * Context: process.
 *
 * Return: records that all of them take at most.
 */
u64 gl_rows_size(void)
{
	u64 rows = 0;
	int nr;
	u32 i;

	for_each_possible_cpu(nr) {
		for (i = 0; i < gl_nr_rows; i++)
			rows += !!local_read(&per_cpu(gl_cpu_ptr, nr)->row[i].key);
		cond_resched();
	}
	return 2 * GL_NR_COUNTED_KINDS + min_t(u64, rows, GL_MAX_LOCK_RECORDS);
}

/**
 * gl_rows_fill() - write a record for each kind and lock
 * @snap: snapshot with its header filled
 * @room: records that fit
 *
 * Context: process; may sleep. Takes gl_rows_mutex.
 *
 * Return: 0 or -ENOMEM.
 */
int gl_rows_fill(struct gl_snapshot *snap, u64 room)
{
	struct merge m = {
		.snap = snap,
		.room = room,
		.bits = ilog2(roundup_pow_of_two(2 * room)),
	};
	int err = -ENOMEM;

	m.index = kvcalloc(1U << m.bits, sizeof(*m.index), GFP_KERNEL);
	m.row = kvcalloc(room, sizeof(*m.row), GFP_KERNEL);
	if (m.index && m.row) {
		fill_fixed(snap);
		mutex_lock(&gl_rows_mutex);
		merge_cpus(&m);
		mutex_unlock(&gl_rows_mutex);
		claim_begins(snap);
		leave_out_empty(snap);
		err = 0;
	}
	kvfree(m.row);
	kvfree(m.index);
	return err;
}
