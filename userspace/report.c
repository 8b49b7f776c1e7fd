// SPDX-License-Identifier: GPL-2.0
/* report - the findings of all looks of one check, each once (report.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "census.h"
#include "describe.h"
#include "explain.h"
#include "look.h"
#include "proc.h"
#include "recheck.h"
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

/*
 * A lock without an owner stays the same one while more tasks come to wait for it;
 * whoever takes two locks in opposite orders, it is one and the same mistake.
 */
static bool is_of_tasks(const struct finding *f)
{
	return f->type != FINDING_LOCK_INVERSION && f->type != FINDING_ORPHANED_LOCK;
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

/* Of what makes two findings the same. */
static uint32_t hash_of(const struct world *w, const struct finding *f)
{
	uint32_t hash = TEXT_HASH;

	for (uint32_t i = 0; is_of_tasks(f) && i < f->nr_tasks; i++) {
		const struct task *t = &w->tasks[f->tasks[i]];

		hash = text_hash(hash, &t->tid, sizeof(t->tid));
		hash = text_hash(hash, &t->start_ticks, sizeof(t->start_ticks));
	}
	if (f->key)
		hash = text_hash(hash, f->key, strlen(f->key));
	return hash;
}

/** struct known - the items that there were before a look, sorted by hash */
struct known {
	/** @at: [nr] */
	struct known_item {
		uint32_t hash;
		uint32_t item;
	} *at;
	uint32_t nr;
};

static int compare_hashes(const void *a, const void *b)
{
	const struct known_item *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static struct known sort_items(const struct report *r)
{
	struct known known = { 0 };

	for (uint32_t i = 0; i < r->nr; i++)
		*vec_push(known.at, known.nr) = (struct known_item){ r->item[i].hash, i };
	if (known.nr)
		qsort(known.at, known.nr, sizeof(*known.at), compare_hashes);
	return known;
}

static struct report_item *find_item(const struct report *r, const struct known *known,
				     uint32_t hash, const struct world *w,
				     const struct finding *f)
{
	uint32_t low = 0, high = known->nr;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (known->at[mid].hash < hash)
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < known->nr && known->at[low].hash == hash; low++) {
		struct report_item *item = &r->item[known->at[low].item];

		if (same_finding(report_world(r, item), report_finding(r, item), w, f))
			return item;
	}
	return NULL;
}

static struct report_item *add_item(struct report *r, const struct world *w,
				    const struct finding *f, uint32_t hash)
{
	struct report_item *item = vec_push(r->item, r->nr);

	item->hash = hash;
	item->first_ns = w->taken_ns;
	snprintf(item->id, sizeof(item->id), "%c%u", id_letter[f->type], ++r->next_number[f->type]);
	snprintf(item->uid, sizeof(item->uid), "%c-%08x", id_letter[f->type], hash);
	return item;
}

/*
 * Does a finding that was made before tell more? Who waits behind a deadlock stays
 * there, but is not seen by a look that ran out of time.
 */
static bool tells_more(const struct finding *before, const struct world *w,
		       const struct finding *f)
{
	if (before->verdict != f->verdict)
		return before->verdict > f->verdict;
	return finding_needs_proof(f) && w->unseen.not_looked &&
	       before->nr_victims > f->nr_victims;
}

static void add_finding(struct report *r, const struct known *known, uint32_t look,
			uint32_t index)
{
	const struct world *w = r->looks[look]->world;
	const struct finding *f = &r->looks[look]->found.finding[index];
	uint32_t hash = hash_of(w, f);
	struct report_item *item = find_item(r, known, hash, w, f);

	if (!item) {
		item = add_item(r, w, f, hash);
	} else if (item->disproved) {
		return;
	} else if (tells_more(report_finding(r, item), w, f)) {
		item->round = r->round;
		return;
	}
	if (f->verdict == VERDICT_CONFIRMED && !item->confirmed_ns)
		item->confirmed_ns = w->taken_ns;
	item->look = look;
	item->finding = index;
	item->round = r->round;
}

uint64_t report_lasts_ns(const struct report *r, const struct report_item *item)
{
	const struct finding *f = report_finding(r, item);

	if (!finding_needs_proof(f))
		return item->first_ns;
	if (f->type != FINDING_TRANSIENT_CYCLE && item->confirmed_ns)
		return item->confirmed_ns;
	return report_world(r, item)->taken_ns;
}

void report_keep(struct report *r, struct look *look, bool proven)
{
	struct known known = sort_items(r);
	uint32_t at = r->nr_looks;

	*vec_push(r->looks, r->nr_looks) = look;
	for (uint32_t i = 0; i < look->found.nr; i++) {
		struct finding *f = &look->found.finding[i];

		if (finding_needs_proof(f) != proven)
			continue;
		if (f->type == FINDING_DEADLOCK || f->type == FINDING_TRANSIENT_CYCLE)
			describe_coffman(look->world, f);
		add_finding(r, &known, at, i);
	}
	free(known.at);
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
	r->latest_err = look->snap_err;
	if (look->snap_err) {
		r->module = false;
		r->snap_err = look->snap_err;
	}
}

/* What a round was cut short for, a later one has seen if it was whole. @proven: NULL: none */
static void note_not_looked(struct report *r, const struct look *look, const struct look *proven)
{
	r->unseen.not_looked = look->world->unseen.not_looked;
	if (proven)
		r->unseen.not_looked = larger(r->unseen.not_looked,
					      proven->world->unseen.not_looked);
}

/* Who tells at the end; their looks go with the report. */
static void drop_disproved(struct report *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->nr; i++)
		if (!r->item[i].disproved)
			r->item[kept++] = r->item[i];
	r->nr = kept;
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

/* Looks that no item refers to any more, nor will the next look, need not be kept. */
static void drop_unused_looks(struct report *r)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < r->nr_looks; i++) {
		bool used = r->looks[i] == r->latest;

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

static uint32_t nr_claims(const struct look *look)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < look->found.nr; i++)
		nr += finding_needs_proof(&look->found.finding[i]);
	return nr;
}

/*
 * What its proof did not bear out was a moment's, mostly: no look is taken at one
 * instant, and who locks at full speed looks like a circle again and again. Not known
 * is only what there was no time to prove.
 */
void report_note_proof(struct report *r, const struct look *look, const struct look *proven,
		       bool late)
{
	uint32_t claims = nr_claims(look), proofs = proven ? nr_claims(proven) : 0;

	r->retry = claims > proofs;
	r->unseen.unproven = late && r->retry ? claims - proofs : 0;
}

/* Those of earlier rounds, before this one sees them again. */
static void recheck_all(struct report *r)
{
	for (uint32_t i = 0; i < r->nr_looks; i++)
		recheck_read(r->looks[i]);
	for (uint32_t i = 0; i < r->nr; i++) {
		struct report_item *item = &r->item[i];
		const struct finding *f = report_finding(r, item);

		if (finding_needs_proof(f) && !item->disproved)
			item->disproved = recheck_fails(r->looks[item->look], f);
	}
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
	bool late = false;

	if (!r->round++)
		r->module = true;
	if (!r->window) {
		r->window = window_new();
		r->census = census_new(r->lasts);
	}
	r->window->lens = r->lens;
	r->window->census = r->census;
	recheck_all(r);
	look = look_take(remote, NULL, 0, r->window, &half);
	r->latest = look;
	r->look_ns = now_ns() - start;
	note_unseen(r, look);
	if (nr_claims(look)) {
		proven = look_confirm(remote, look, limits);
		late = limits->until_ns && now_ns() > limits->until_ns;
		note_unseen(r, proven);
	}
	note_not_looked(r, look, proven);
	report_note_proof(r, look, proven, late);
	report_keep(r, look, false);
	if (proven)
		report_keep(r, proven, true);
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

	recheck_all(r);
	drop_disproved(r);
	r->window_ns = window_ns;
	r->cost.nr_looks = r->round;
	r->cost.cpu_ns = clock_value(CLOCK_PROCESS_CPUTIME_ID);
	/* A child that was replaced is not counted: it was given up for being stuck. */
	if (remote_pid(remote) && !clock_getcpuclockid(remote_pid(remote), &child))
		r->cost.cpu_ns += clock_value(child);
	if (r->census)
		census_read_counts(r->census, &r->cost.census);
	if (r->lens)
		lens_read_cost(r->lens, &r->cost.lens);
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
	if (r->unseen.unproven)
		return "no time to prove what looked like a deadlock: look for longer (--for)";
	if (r->cost.lens.lost)
		return "the lens lost events";
	if (r->cost.lens.nr_blind)
		return "the lens does not see a process that has executed another program";
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
	census_free(r->census);
	lens_close(r->lens);
}
