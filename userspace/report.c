// SPDX-License-Identifier: GPL-2.0
/* report - the findings of all looks of one check, each once (report.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "describe.h"
#include "explain.h"
#include "look.h"
#include "proc.h"
#include "remote.h"
#include "report.h"
#include "text.h"
#include "way_out.h"
#include "window.h"
#include "xalloc.h"

/* Deadlocks that a way out is looked for: each costs some looks at the graph. */
#define MAX_ADVICE	16

static const char id_letter[NR_FINDING_TYPES] = {
	[FINDING_DEADLOCK] = 'd',	    [FINDING_ORPHANED_LOCK] = 'o',
	[FINDING_STARVATION] = 's',	    [FINDING_CPU_STARVATION] = 'c',
	[FINDING_LIVELOCK] = 'l',	    [FINDING_PRIORITY_INVERSION] = 'p',
	[FINDING_TRANSIENT_CYCLE] = 't',    [FINDING_LOCK_INVERSION] = 'i',
	[FINDING_LONG_WAIT] = 'w',
};

const struct finding *report_finding(const struct report *r, const struct report_item *item)
{
	return &r->looks[item->look]->found.finding[item->finding];
}

const struct world *report_world(const struct report *r, const struct report_item *item)
{
	return r->looks[item->look]->world;
}

static bool same_task(const struct task *a, const struct task *b)
{
	return a->tid == b->tid && a->start_ticks == b->start_ticks;
}

/* A lock without an owner stays the same one while more tasks come to wait for it. */
static bool is_of_tasks(const struct finding *f)
{
	return f->type != FINDING_ORPHANED_LOCK;
}

/* Detectors list members in ascending order, so equal sets are equal lists. */
static bool same_finding(const struct world *wa, const struct finding *a, const struct world *wb,
			 const struct finding *b)
{
	if (a->type != b->type)
		return false;
	if (a->key && b->key && strcmp(a->key, b->key))
		return false;
	if (!is_of_tasks(a))
		return true;
	if (a->nr_tasks != b->nr_tasks)
		return false;
	for (uint32_t i = 0; i < a->nr_tasks; i++)
		if (!same_task(&wa->tasks[a->tasks[i]], &wb->tasks[b->tasks[i]]))
			return false;
	return true;
}

static struct report_item *find_item(struct report *r, const struct world *w,
				     const struct finding *f)
{
	for (uint32_t i = 0; i < r->nr; i++) {
		struct report_item *item = &r->item[i];

		if (same_finding(report_world(r, item), report_finding(r, item), w, f))
			return item;
	}
	return NULL;
}

/* FNV-1a over what makes two findings the same. */
static uint32_t hash_bytes(uint32_t hash, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	while (size--)
		hash = (hash ^ *at++) * 16777619U;
	return hash;
}

static void make_ids(struct report *r, struct report_item *item, const struct world *w,
		     const struct finding *f)
{
	uint32_t hash = 2166136261U;

	for (uint32_t i = 0; is_of_tasks(f) && i < f->nr_tasks; i++) {
		const struct task *t = &w->tasks[f->tasks[i]];

		hash = hash_bytes(hash, &t->tid, sizeof(t->tid));
		hash = hash_bytes(hash, &t->start_ticks, sizeof(t->start_ticks));
	}
	if (f->key)
		hash = hash_bytes(hash, f->key, strlen(f->key));
	snprintf(item->id, sizeof(item->id), "%c%u", id_letter[f->type], ++r->next_number[f->type]);
	snprintf(item->uid, sizeof(item->uid), "%c-%08x", id_letter[f->type], hash);
}

static void add_finding(struct report *r, uint32_t look, uint32_t index)
{
	const struct world *w = r->looks[look]->world;
	const struct finding *f = &r->looks[look]->found.finding[index];
	struct report_item *item = find_item(r, w, f);

	if (!item) {
		item = vec_push(r->item, r->nr);
		item->first_ns = w->taken_ns;
		make_ids(r, item, w, f);
	} else if (report_finding(r, item)->verdict > f->verdict) {
		item->round = r->round;
		return;
	}
	item->look = look;
	item->finding = index;
	item->round = r->round;
}

static void keep_look(struct report *r, struct look *look, bool proven)
{
	uint32_t at = r->nr_looks;

	*vec_push(r->looks, r->nr_looks) = look;
	for (uint32_t i = 0; i < look->found.nr; i++) {
		struct finding *f = &look->found.finding[i];

		if (finding_needs_proof(f) != proven)
			continue;
		if (f->type == FINDING_DEADLOCK || f->type == FINDING_TRANSIENT_CYCLE)
			describe_coffman(look->world, f);
		add_finding(r, at, i);
	}
}

static uint64_t larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static void note_unseen(struct report *r, const struct look *look)
{
	const struct unseen *u = &look->world->unseen;

	r->unseen.events_lost = larger(r->unseen.events_lost, u->events_lost);
	r->unseen.waits_lost = larger(r->unseen.waits_lost, u->waits_lost);
	r->unseen.unknown_owner = larger(r->unseen.unknown_owner, u->unknown_owner);
	r->unseen.blocked_reads = larger(r->unseen.blocked_reads, u->blocked_reads);
	r->unseen.denied_reads = larger(r->unseen.denied_reads, u->denied_reads);
	r->unseen.not_looked = larger(r->unseen.not_looked, u->not_looked);
	r->latest_err = look->snap_err;
	if (look->snap_err) {
		r->module = false;
		r->snap_err = look->snap_err;
	}
}

static void drop_ended_long_waits(struct report *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->nr; i++) {
		const struct finding *f = report_finding(r, &r->item[i]);

		if (f->type != FINDING_LONG_WAIT || r->item[i].round == r->round)
			r->item[kept++] = r->item[i];
	}
	r->nr = kept;
}

/* Looks that no item refers to any more need not be kept. */
static void drop_unused_looks(struct report *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->nr_looks; i++) {
		bool used = false;

		for (uint32_t k = 0; k < r->nr; k++)
			used |= r->item[k].look == i;
		if (!used) {
			look_free(r->looks[i]);
			continue;
		}
		for (uint32_t k = 0; k < r->nr; k++)
			if (r->item[k].look == i)
				r->item[k].look = kept;
		r->looks[kept++] = r->looks[i];
	}
	/* vec_push() grows at powers of two: keep room for what it expects. */
	if (kept) {
		r->looks = xreallocarray(r->looks, 2 * (size_t)r->nr_looks, sizeof(*r->looks));
	} else if (r->looks) {
		free(r->looks);
		r->looks = NULL;
	}
	r->nr_looks = kept;
}

static bool has_claims(const struct look *look)
{
	for (uint32_t i = 0; i < look->found.nr; i++)
		if (finding_needs_proof(&look->found.finding[i]))
			return true;
	return false;
}

/* Half of the time left is for the proof of what is found. */
static struct limits first_half(const struct limits *limits)
{
	struct limits half = *limits;
	uint64_t now = now_ns();

	if (half.until_ns > now)
		half.until_ns = now + (half.until_ns - now) / 2;
	return half;
}

void report_drop(struct report *r, uint32_t index)
{
	memmove(&r->item[index], &r->item[index + 1], (--r->nr - index) * sizeof(*r->item));
}

void report_round(struct report *r, struct remote *remote, const struct limits *limits)
{
	const struct limits half = first_half(limits);
	struct look *proven = NULL, *look;
	uint64_t start = now_ns();

	if (!r->round++)
		r->module = true;
	if (!r->window)
		r->window = window_new();
	look = look_take(remote, NULL, 0, r->window, &half);
	note_unseen(r, look);
	if (has_claims(look)) {
		proven = look_confirm(remote, look, limits);
		note_unseen(r, proven);
	}
	keep_look(r, look, false);
	r->unproven = proven && !has_claims(proven);
	if (proven)
		keep_look(r, proven, true);
	if (!r->keeps_all)
		drop_ended_long_waits(r);
	drop_unused_looks(r);
	r->cost.longest_ns = larger(r->cost.longest_ns, now_ns() - start);
}

static uint64_t clock_value(clockid_t clock)
{
	struct timespec ts;

	return clock_gettime(clock, &ts) ? 0 : ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void report_end(struct report *r, const struct remote *remote, uint64_t window_ns)
{
	clockid_t child;

	r->window_ns = window_ns;
	r->cost.nr_looks = r->round;
	r->cost.cpu_ns = clock_value(CLOCK_PROCESS_CPUTIME_ID);
	/* A child that was replaced is not counted: it was given up for being stuck. */
	if (remote_pid(remote) && !clock_getcpuclockid(remote_pid(remote), &child))
		r->cost.cpu_ns += clock_value(child);
	r->cost.cpu_pct = window_ns ? 100.0 * r->cost.cpu_ns / window_ns : 0;
}

void report_advise(struct report *r, uint64_t until_ns)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < r->nr && nr < MAX_ADVICE; i++) {
		struct look *look = r->looks[r->item[i].look];
		struct finding *f = &look->found.finding[r->item[i].finding];

		if (f->type != FINDING_DEADLOCK || f->way_out)
			continue;
		if (now_ns() > until_ns)
			break;
		f->way_out = way_out_find(look->world, f, until_ns);
		nr++;
	}
}

const char *report_partial(const struct report *r)
{
	if (geteuid() != 0)
		return "not run as root: other users' tasks cannot be read";
	if (!proc_sees_all())
		return "in a namespace, or without all rights of root: some tasks are not seen";
	if (!r->module)
		return "without the module: waits for kernel locks are not seen";
	if (r->unseen.events_lost || r->unseen.waits_lost)
		return "the module lost events: see gridlock status";
	if (r->unseen.not_looked)
		return "the time was up before every task was looked at: look for longer (--for)";
	if (r->unseen.blocked_reads)
		return "reads of some tasks blocked and were given up";
	if (r->unseen.denied_reads)
		return "reads of some tasks were refused";
	return NULL;
}

int report_exit_status(const struct report *r)
{
	for (uint32_t i = 0; i < r->nr; i++)
		if (report_finding(r, &r->item[i])->type != FINDING_LONG_WAIT)
			return 1;
	return 0;
}

void report_free(struct report *r)
{
	for (uint32_t i = 0; i < r->nr_looks; i++)
		look_free(r->looks[i]);
	free(r->looks);
	explanations_free(r->explained);
	free(r->item);
	window_free(r->window);
}
