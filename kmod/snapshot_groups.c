// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot_groups - ended waits by task, owner, cgroup and caller as records:
 * each kind's total first, then what is in no group, then the groups of all CPUs
 * merged.
 */
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/hash.h>
#include <linux/kallsyms.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "count.h"
#include "cpu.h"
#include "group.h"
#include "limits.h"
#include "snapshot.h"

/* Records that are always there: for each kind its total, and `other` by dimension. */
#define NR_FIXED	((1 + GL_NR_BY) * GL_NR_COUNTED_KINDS)

/* Tag of callers, whose key is a hash; no task starts then. */
#define TAG_CALLER	U64_MAX

/** struct name - what tells one group from another */
struct name {
	u64 key;
	u64 tag;
};

/** struct merge - finds the record of a group while the CPUs are merged */
struct merge {
	/** @snap: snapshot with records [NR_FIXED ..] for groups */
	struct gl_snapshot *snap;
	/** @room: records that fit */
	u64 room;
	/** @index: [1 << bits] record number + 1, by hash of the name */
	u32 *index;
	/** @name: [room] that record's name */
	struct name *name;
	/** @bits: log2 of the size of @index */
	u32 bits;
};

static struct gl_group_record *records_of(struct gl_snapshot *snap)
{
	return (void *)snap->records;
}

static void add_sums(struct gl_group_record *rec, const struct gl_group_sums *sums)
{
	rec->nr_ended += local_read(&sums->ended);
	rec->nr_failed += local_read(&sums->failed);
	rec->total_ns += local_read(&sums->total_ns);
	rec->max_ns = max_t(u64, rec->max_ns, local_read(&sums->max_ns));
}

/* The record of a group, made if need be, with row 0 then; NULL: it does not fit. */
static struct gl_group_record *record_of(struct merge *m, struct name name)
{
	u32 mask = (1U << m->bits) - 1, i = hash_64(name.key ^ name.tag, m->bits);
	u64 *nr = &m->snap->header.nr_records;

	for (; m->index[i]; i = (i + 1) & mask) {
		const struct name *other = &m->name[m->index[i] - 1];

		if (other->key == name.key && other->tag == name.tag)
			return &records_of(m->snap)[m->index[i] - 1];
	}
	if (*nr == m->room) {
		m->snap->header.nr_unshown++;
		return NULL;
	}
	m->name[*nr] = name;
	m->index[i] = ++*nr;
	return &records_of(m->snap)[m->index[i] - 1];
}

static void add_group(struct merge *m, const struct gl_group *group)
{
	struct gl_group_record *rec;
	struct name name;

	if (!local_read(&group->sums.ended))
		return;
	/* Counted, so whose it is has been written: pairs with count_group(). */
	smp_rmb();
	name = (struct name){ .key = local_read(&group->key), .tag = READ_ONCE(group->tag) };
	rec = record_of(m, name);
	if (!rec)
		return;
	rec->row = GL_ROW_GROUP;
	rec->by = gl_group_by(name.key);
	rec->kind = gl_group_kind(name.key);
	rec->tid = gl_group_tid(name.key);
	rec->tgid = gl_group_tgid(name.key);
	if (rec->by == GL_BY_CGROUP)
		rec->cgroup_id = name.tag;
	else
		rec->start_ns = name.tag;
	memcpy(rec->comm, group->comm, sizeof(rec->comm));
	rec->comm[sizeof(rec->comm) - 1] = '\0';
	add_sums(rec, &group->sums);
}

/* Names that do not fit any more are left out; nr_frames tells of them. */
static void name_frames(struct gl_group_record *rec, const struct gl_caller *caller, u32 nr)
{
	char symbol[KSYM_SYMBOL_LEN], *size;
	size_t used = 0;
	u32 i;

	for (i = 0; i < nr; i++) {
		size_t len;

		/* A return address: the call before it is in the function. */
		sprint_symbol(symbol, caller->frame[i]);
		size = strchr(symbol, '/');
		if (size)
			*size = '\0';
		len = strlen(symbol);
		if (symbol[0] == '0' || used + len + 2 > sizeof(rec->stack))
			return;
		if (used)
			rec->stack[used++] = ' ';
		memcpy(rec->stack + used, symbol, len + 1);
		used += len;
	}
}

static void add_caller(struct merge *m, const struct gl_caller *caller)
{
	u32 nr = READ_ONCE(caller->nr_frames);
	struct gl_group_record *rec;

	if (!nr || !local_read(&caller->sums.ended))
		return;
	/* Pairs with find_caller(). */
	smp_rmb();
	rec = record_of(m, (struct name){ local_read(&caller->key), TAG_CALLER });
	if (!rec)
		return;
	if (!rec->row) {
		rec->row = GL_ROW_GROUP;
		rec->by = GL_BY_CALLER;
		rec->kind = caller->kind;
		rec->nr_frames = nr;
		name_frames(rec, caller, nr);
	}
	add_sums(rec, &caller->sums);
}

/* Totals and `other`, at fixed places. */
static void add_fixed(struct gl_snapshot *snap, const struct gl_cpu *cpu)
{
	struct gl_group_record *rec = records_of(snap);
	u32 kind, by;

	for (kind = 0; kind < GL_NR_COUNTED_KINDS; kind++, rec++) {
		const struct gl_sums *sums = &cpu->total[kind].sums;

		rec->nr_ended += local_read(&sums->ended);
		rec->nr_failed += local_read(&sums->failed);
		rec->total_ns += local_read(&sums->total_ns);
		rec->max_ns = max_t(u64, rec->max_ns, local_read(&sums->max_ns));
	}
	for (by = 0; by < GL_NR_BY; by++)
		for (kind = 0; kind < GL_NR_COUNTED_KINDS; kind++, rec++)
			add_sums(rec, &cpu->group_other[by][kind]);
}

static void fill_fixed(struct gl_snapshot *snap)
{
	struct gl_group_record *rec = records_of(snap);
	u32 by, kind;

	for (by = 0; by <= GL_NR_BY; by++) {
		for (kind = 0; kind < GL_NR_COUNTED_KINDS; kind++, rec++) {
			rec->row = by ? GL_ROW_OTHER : GL_ROW_TOTAL;
			rec->by = by;
			rec->kind = kind;
		}
	}
	snap->header.nr_records = NR_FIXED;
}

static void merge_cpu(struct merge *m, const struct gl_cpu *cpu)
{
	u32 i;

	add_fixed(m->snap, cpu);
	for (i = 0; i < gl_nr_groups; i++) {
		if (!(i & 255))
			cond_resched();
		add_group(m, &cpu->group[i]);
	}
	for (i = 0; i < GL_NR_CALLERS; i++)
		add_caller(m, &cpu->caller[i]);
}

/* Owners by their name now; the number may be another task's by now. */
static void name_owners(struct gl_snapshot *snap)
{
	struct gl_group_record *rec = records_of(snap), *end = rec + snap->header.nr_records;

	for (; rec < end; rec++) {
		const struct task_struct *task;

		if (rec->row != GL_ROW_GROUP || rec->by != GL_BY_OWNER)
			continue;
		rcu_read_lock();
		task = pid_task(find_pid_ns(rec->tid, &init_pid_ns), PIDTYPE_PID);
		if (task && task->tgid == rec->tgid)
			memcpy(rec->comm, task->comm, sizeof(rec->comm));
		rec->comm[sizeof(rec->comm) - 1] = '\0';
		rcu_read_unlock();
		cond_resched();
	}
}

/* Dimensions that are off have no rows at all. */
static void leave_out_off(struct gl_snapshot *snap)
{
	struct gl_group_record *rec = records_of(snap);
	u64 nr = 0, i;

	for (i = 0; i < snap->header.nr_records; i++)
		if (rec[i].row == GL_ROW_TOTAL || gl_group_is_on(rec[i].by))
			rec[nr++] = rec[i];
	snap->header.nr_records = nr;
}

/**
 * gl_groups_size() - groups in use
 *
 * Context: process.
 *
 * Return: records that all of them take at most.
 */
u64 gl_groups_size(void)
{
	u64 rows = 0;
	int nr;
	u32 i;

	for_each_possible_cpu(nr) {
		const struct gl_cpu *cpu = per_cpu(gl_cpu_ptr, nr);

		for (i = 0; i < gl_nr_groups; i++)
			rows += !!local_read(&cpu->group[i].sums.ended);
		for (i = 0; i < GL_NR_CALLERS; i++)
			rows += !!local_read(&cpu->caller[i].sums.ended);
		cond_resched();
	}
	return NR_FIXED + min_t(u64, rows, GL_MAX_GROUP_RECORDS);
}

/**
 * gl_groups_fill() - write a record for each kind and group
 * @snap: snapshot with its header filled
 * @room: records that fit
 *
 * Context: process; may sleep. Takes gl_rows_mutex.
 *
 * Return: 0 or -ENOMEM.
 */
int gl_groups_fill(struct gl_snapshot *snap, u64 room)
{
	struct merge m = {
		.snap = snap,
		.room = room,
		.bits = ilog2(roundup_pow_of_two(2 * room)),
	};
	int err = -ENOMEM, nr;

	m.index = kvcalloc(1U << m.bits, sizeof(*m.index), GFP_KERNEL);
	m.name = kvcalloc(room, sizeof(*m.name), GFP_KERNEL);
	if (m.index && m.name) {
		fill_fixed(snap);
		mutex_lock(&gl_rows_mutex);
		for_each_possible_cpu(nr)
			merge_cpu(&m, per_cpu(gl_cpu_ptr, nr));
		leave_out_off(snap);
		mutex_unlock(&gl_rows_mutex);
		name_owners(snap);
		err = 0;
	}
	kvfree(m.name);
	kvfree(m.index);
	return err;
}
