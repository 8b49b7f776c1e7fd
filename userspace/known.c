// SPDX-License-Identifier: GPL-2.0
/* known - the threads of the machine from one look of a census to the next (known.h) */
#include <stdlib.h>
#include <string.h>

#include "known.h"
#include "proc.h"
#include "xalloc.h"

/* Of the kernel's linux/sched.h: bits of a task's state, and the middle of its priorities. */
#define TASK_INTERRUPTIBLE	0x1
#define TASK_UNINTERRUPTIBLE	0x2
#define TASK_NOLOAD		0x400
#define MAX_RT_PRIO		100
#define DEFAULT_PRIO		120

void known_forget_idle(struct known *k)
{
	if (!k->idle)
		return;
	wait_clear(k->idle);
	free(k->idle);
	k->idle = NULL;
}

static void forget(struct known *k)
{
	known_forget_idle(k);
	free(k);
}

void known_forget(struct known_all *all)
{
	for (uint32_t i = 0; i < all->nr; i++)
		forget(all->known[i]);
	free(all->known);
	all->known = NULL;
	all->nr = 0;
	free(all->told);
	all->told = NULL;
	all->nr_told = 0;
	free(all->by_tid);
	all->by_tid = NULL;
	all->nr_slots = 0;
	ran_free(&all->spaces);
	ran_free(&all->tables);
}

/* --- who is who ----------------------------------------------------------------------- */

/* The slot that holds @tid, or the empty one where it would go; NULL: no slots. */
static struct known **find_slot(const struct known_all *all, uint32_t tid)
{
	/* Multiplicative hashing; 2^32 divided by the golden ratio. */
	uint32_t mask = all->nr_slots - 1, at = (tid * 0x9e3779b9U >> 7) & mask;

	if (!all->nr_slots)
		return NULL;
	while (all->by_tid[at] && all->by_tid[at]->record.tid != tid)
		at = (at + 1) & mask;
	return &all->by_tid[at];
}

static struct known *find_known(const struct known_all *all, uint32_t tid)
{
	struct known **slot = find_slot(all, tid);

	return slot ? *slot : NULL;
}

/* @at: the place after the latest one that was found: mostly it is there, as before. */
static struct known *find_told(const struct known_all *all, uint32_t tid, uint32_t *at)
{
	struct known *k = *at < all->nr_told ? all->told[*at] : NULL;

	if (!k || k->record.tid != tid)
		k = find_known(all, tid);
	if (k)
		*at = k->place + 1;
	return k;
}

static void index_again(struct known_all *all)
{
	free(all->by_tid);
	for (all->nr_slots = 64; all->nr_slots < 2 * all->nr;)
		all->nr_slots *= 2;
	all->by_tid = xcalloc(all->nr_slots, sizeof(struct known *));
	for (uint32_t i = 0; i < all->nr; i++)
		*find_slot(all, all->known[i]->record.tid) = all->known[i];
}

static int compare_known(const void *a, const void *b)
{
	const struct census_record *x = &(*(struct known *const *)a)->record;
	const struct census_record *y = &(*(struct known *const *)b)->record;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	if (x->start_ns != y->start_ns)
		return x->start_ns < y->start_ns ? -1 : 1;
	return (x->tid > y->tid) - (x->tid < y->tid);
}

/* Ends, or is new, or has run: what it shares with others may have changed. */
static void note_run(struct known_all *all, const struct census_record *record)
{
	ran_add(&all->spaces, record->mm);
	ran_add(&all->tables, record->files);
}

/* Those of the latest look, and the new ones in their places; both are in order. */
static void merge(struct known_all *all, struct known **new, uint32_t nr_new)
{
	struct known **merged = xcalloc(all->nr + nr_new + 1, sizeof(*merged));
	uint32_t nr = 0, at = 0;

	for (uint32_t i = 0; i < all->nr; i++) {
		struct known *k = all->known[i];

		if (k->look != all->look) {
			note_run(all, &k->record);
			forget(k);
			continue;
		}
		while (at < nr_new && compare_known(&new[at], &k) < 0)
			merged[nr++] = new[at++];
		merged[nr++] = k;
	}
	while (at < nr_new)
		merged[nr++] = new[at++];
	free(all->known);
	all->known = merged;
	all->nr = nr;
	index_again(all);
}

static bool is_asleep(const struct census_record *r)
{
	return r->state & (TASK_INTERRUPTIBLE | TASK_UNINTERRUPTIBLE) && !r->on_cpu;
}

/* A number, or its struct, can come round again; not both in the same tick of the clock. */
static bool is_same(const struct census_record *a, const struct census_record *b)
{
	return a->task == b->task && a->tid == b->tid && a->tgid == b->tgid &&
	       a->start_ns == b->start_ns;
}

bool known_slept(const struct census_record *a, const struct census_record *b)
{
	return is_same(a, b) && is_asleep(a) && is_asleep(b) && a->state == b->state &&
	       a->mm == b->mm && a->files == b->files &&
	       a->nr_switches == b->nr_switches && a->run_ns == b->run_ns;
}

/* A frozen sleeper shows another state; it was one when this was read. */
char known_letter(const struct census_record *record)
{
	if (record->state & TASK_INTERRUPTIBLE)
		return 'S';
	return record->state & TASK_NOLOAD ? 'I' : 'D';
}

void known_update(const struct census_record *record, struct task *t)
{
	proc_set_priority(t, record->prio - MAX_RT_PRIO, record->static_prio - DEFAULT_PRIO,
			  record->rt_priority, record->policy);
	t->ppid = record->ppid;
	/* Of a kernel thread /proc tells more than its name. */
	if (t->kthread)
		return;
	memcpy(t->comm, record->comm, sizeof(record->comm));
	t->comm[sizeof(record->comm) - 1] = '\0';
}

static void update_known(struct known_all *all, struct known *k, const struct census_record *record)
{
	bool same = !memcmp(&k->record, record, sizeof(*record));

	k->look = all->look;
	k->slept = known_slept(&k->record, record);
	if (!k->slept) {
		note_run(all, &k->record);
		note_run(all, record);
		k->has_task = false;
		k->has_sleeper = false;
	}
	if (same)
		return;
	k->record = *record;
	if (k->has_task)
		known_update(record, &k->task);
}

void known_match(struct known_all *all, const struct census_record *record, uint32_t nr)
{
	struct known **new = NULL, **told = xcalloc(nr, sizeof(*told));
	uint32_t nr_new = 0, nr_old = 0, at = 0;

	all->look++;
	ran_begin(&all->spaces, !all->in_order);
	ran_begin(&all->tables, !all->in_order);
	for (uint32_t i = 0; i < nr; i++) {
		struct known *k = find_told(all, record[i].tid, &at);

		if (k && k->look != all->look && is_same(&k->record, &record[i])) {
			update_known(all, k, &record[i]);
			k->place = i;
			told[i] = k;
			nr_old++;
			continue;
		}
		k = xcalloc(1, sizeof(*k));
		k->place = i;
		told[i] = k;
		k->record = record[i];
		k->look = all->look;
		k->now = NO_INDEX;
		note_run(all, &k->record);
		*vec_push(new, nr_new) = k;
	}
	free(all->told);
	all->told = told;
	all->nr_told = nr;
	if (nr_new)
		qsort(new, nr_new, sizeof(*new), compare_known);
	if (nr_new || nr_old != all->nr)
		merge(all, new, nr_new);
	free(new);
	ran_end(&all->spaces);
	ran_end(&all->tables);
}
