// SPDX-License-Identifier: GPL-2.0
/*
 * window_wait - who waits since when, and how often the lock was given to
 * others meanwhile (window.h).
 *
 * The counters of a look are read before its waits. A wait that this look and
 * the one before both saw was there when the counters were read: whoever was
 * given the lock between two such readings was given it past this waiter. Or
 * stood before it in the queue; so all who did when it was first seen are
 * allowed one turn each. The result is a lower bound.
 *
 * Of locks of user space the lens tells how often they were dropped. Who dropped one
 * may have taken it before the wait began: so every thread is allowed one turn.
 */
#include <stdlib.h>
#include <string.h>

#include "episodes.h"
#include "lens.h"
#include "snapshot.h"
#include "window.h"
#include "world.h"
#include "xalloc.h"

void window_drop_waits(struct window *win)
{
	for (uint32_t i = 0; i < win->nr_waits; i++) {
		free(win->waits[i].id);
		free(win->waits[i].others.other);
	}
	free(win->waits);
	free(win->locks);
	win->waits = NULL;
	win->locks = NULL;
	win->nr_waits = 0;
	win->nr_locks = 0;
}

/* Waits mostly come in the order of threads, and are those of the look before. */
static struct wait_series *find_wait(const struct window *win, const struct window_task *task,
				     uint32_t wait)
{
	return window_search(task, win->waits, win->nr_waits, sizeof(*win->waits), wait);
}

const struct wait_series *window_wait(const struct window *win, const struct world *w,
				      uint32_t task)
{
	struct window_task key = { w->tasks[task].tid, w->tasks[task].start_ticks };

	return find_wait(win, &key, w->tasks[task].wait);
}

static int compare_locks(const void *a, const void *b)
{
	const struct lock_series *x = a, *y = b;

	return x->res_id < y->res_id ? -1 : x->res_id > y->res_id;
}

/* A lock wanted to read and to write has a row for each: one series. */
static void merge_locks(struct window *win)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < win->nr_locks; i++) {
		if (kept && win->locks[kept - 1].res_id == win->locks[i].res_id) {
			win->locks[kept - 1].nr_taken += win->locks[i].nr_taken;
			win->locks[kept - 1].nr_failed += win->locks[i].nr_failed;
		} else {
			win->locks[kept++] = win->locks[i];
		}
	}
	win->nr_locks = kept;
}

static void read_locks(struct window *win, const struct snapshot *locks)
{
	free(win->locks);
	win->locks = NULL;
	win->nr_locks = 0;
	if (!locks || locks->header.load_id != win->load_id)
		return;
	for (size_t i = 0; i < locks->nr; i++) {
		const struct gl_lock_record *row = &locks->locks[i];

		if (row->row != GL_ROW_LOCK)
			continue;
		*vec_push(win->locks, win->nr_locks) = (struct lock_series){
			.res_id = row->res_id,
			.nr_taken = row->nr_ended - row->nr_failed,
			.nr_failed = row->nr_failed,
		};
	}
	if (win->nr_locks)
		qsort(win->locks, win->nr_locks, sizeof(*win->locks), compare_locks);
	merge_locks(win);
}

const struct gl_wait_record *window_row(const struct world *w, const struct wait *wait)
{
	const uint32_t *rows;
	uint32_t nr;

	if (!w->snap || !wait->gen)
		return NULL;
	rows = snapshot_rows(w->snap, w->tasks[wait->task].tid, &nr);
	for (uint32_t i = 0; i < nr; i++)
		if (w->snap->waits[rows[i]].gen == wait->gen)
			return &w->snap->waits[rows[i]];
	return NULL;
}

/*
 * Of a kernel lock each wait that ends well is one acquisition. Of a futex it
 * is a wake-up, which the woken task may well find to be in vain.
 */
static bool counts_hands(const struct gl_wait_record *row)
{
	return row && row->kind < GL_KIND_FUTEX;
}

/* A lease is taken away by the kernel in the end. */
static bool is_file_lock(const struct gl_wait_record *row)
{
	return row->kind == GL_KIND_FLOCK || row->kind == GL_KIND_POSIX || row->kind == GL_KIND_OFD;
}

/** struct queues - the rows of a look by lock, and within one by age */
struct queues {
	const struct gl_wait_record *rows;
	/** @at: [nr] indices into rows */
	uint32_t *at;
	uint32_t nr;
};

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct gl_wait_record *rows = arg;
	const struct gl_wait_record *x = &rows[*(const uint32_t *)a];
	const struct gl_wait_record *y = &rows[*(const uint32_t *)b];

	if (x->res_id != y->res_id)
		return x->res_id < y->res_id ? -1 : 1;
	return x->begin_ns < y->begin_ns ? -1 : x->begin_ns > y->begin_ns;
}

static struct queues sort_queues(const struct snapshot *snap)
{
	struct queues q = { 0 };

	if (!snap)
		return q;
	q.rows = snap->waits;
	for (size_t i = 0; i < snap->nr; i++)
		if (counts_hands(&snap->waits[i]) || is_file_lock(&snap->waits[i]))
			*vec_push(q.at, q.nr) = i;
	if (q.nr)
		qsort_r(q.at, q.nr, sizeof(*q.at), compare_rows, snap->waits);
	return q;
}

/* Rows of the lock of @row that are as old or older, itself left out. */
static uint64_t count_ahead(const struct queues *q, const struct gl_wait_record *row)
{
	uint32_t low = 0, high = q->nr, end;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (q->rows[q->at[mid]].res_id < row->res_id)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < q->nr; end++) {
		const struct gl_wait_record *other = &q->rows[q->at[end]];

		if (other->res_id != row->res_id || other->begin_ns > row->begin_ns)
			break;
	}
	return end > low ? end - low - 1 : 0;
}

/* @nr: times that it changed hands so far */
static void note_hands(struct wait_series *s, uint64_t nr)
{
	/* Counters that went back were reset: begin afresh. */
	if (!s->hands_known || nr < s->first_hands + s->nr_hands) {
		s->hands_known = true;
		s->first_hands = nr;
	}
	s->nr_hands = nr - s->first_hands;
}

static void count_hands(struct window *win, struct wait_series *s,
			const struct gl_wait_record *row)
{
	struct lock_series key = { .res_id = row->res_id };
	const struct lock_series *lock;

	lock = win->nr_locks ? bsearch(&key, win->locks, win->nr_locks, sizeof(key),
				       compare_locks) : NULL;
	if (lock)
		note_hands(s, lock->nr_taken);
}

/** struct turns - the locks of the lens, by identity */
struct turns {
	const struct lens_view *view;
	/** @by_id: [view->nr_locks] indices into its locks */
	uint32_t *by_id;
};

static int compare_turns(const void *a, const void *b, void *arg)
{
	const struct lens_lock *locks = arg;

	return strcmp(locks[*(const uint32_t *)a].id, locks[*(const uint32_t *)b].id);
}

static struct turns sort_turns(const struct lens_view *view)
{
	struct turns turns = { .view = view };

	if (!view || !view->nr_locks)
		return turns;
	turns.by_id = xcalloc(view->nr_locks, sizeof(*turns.by_id));
	for (uint32_t i = 0; i < view->nr_locks; i++)
		turns.by_id[i] = i;
	qsort_r(turns.by_id, view->nr_locks, sizeof(*turns.by_id), compare_turns, view->locks);
	return turns;
}

static const struct lens_lock *find_turns(const struct turns *turns, const char *id)
{
	uint32_t low = 0, high = turns->by_id ? turns->view->nr_locks : 0;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct lens_lock *lock = &turns->view->locks[turns->by_id[mid]];
		int order = strcmp(lock->id, id);

		if (!order)
			return lock;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* From the first look on that sees the wait. Of a lock that is not there none was seen. */
static void count_turns(const struct turns *turns, struct wait_series *s)
{
	const struct lens_lock *lock;

	if (!turns->view)
		return;
	lock = find_turns(turns, s->id);
	if (!s->hands_known)
		s->nr_ahead = turns->view->nr_threads;
	note_hands(s, lock ? lock->nr_dropped : 0);
}

const struct episode *window_episode(const struct world *w, const struct wait *wait,
				     const struct episodes *episodes)
{
	const struct gl_wait_record *row = window_row(w, wait);
	const struct task *t = &w->tasks[wait->task];
	const struct episode *e = NULL;

	if (!episodes || !row)
		return NULL;
	if (row->kind == GL_KIND_FUTEX && wait->comes_back)
		e = episodes_find(episodes, t->tid, row->res_addr);
	else if (is_file_lock(row))
		e = episodes_of_wait(episodes, t->tid, row->begin_ns);
	return e && e->start_ticks == t->start_ticks ? e : NULL;
}

/*
 * The episode that the wait is part of; NULL: none is known. It was read after
 * the waits, and it began before this one: so it is not over since. The first
 * wait of an episode is not yet one of many. For a file lock it is but one, in
 * which the task may be woken many times.
 */
static const struct episode *episode_of(const struct world *w, const struct wait *wait,
					const struct gl_wait_record *row,
					const struct episodes *episodes)
{
	const struct episode *e = window_episode(w, wait, episodes);

	if (!e || e->exact)
		return e;
	return e->since_ns && e->since_ns < row->begin_ns ? e : NULL;
}

/*
 * Is it still the wait, or the episode, of the look before? Waits without a
 * generation may not be.
 */
static bool continues(const struct wait_series *old, const struct wait *wait,
		      const struct episode *e)
{
	if (!old || strcmp(old->id, wait->id))
		return false;
	return old->gen == wait->gen || (e && !e->exact && old->since_ns > e->since_ns);
}

static void note_holder(struct wait_series *s, const struct world *w, const struct wait *wait)
{
	const struct resource *r;
	const struct task *t;

	if (wait->nr_blockers != 1 || wait->unknown_releaser)
		return;
	r = &w->resources[wait->blockers[0]];
	if (r->nr_releasers != 1 || r->unknown || r->dead)
		return;
	t = &w->tasks[r->releasers[0]];
	window_others_add(&s->others, &(struct window_task){ t->tid, t->start_ticks }, 1);
}

static struct wait_series next_of(struct window *win, const struct world *w,
				  const struct wait *wait, const struct queues *q,
				  const struct turns *turns, const struct episodes *episodes)
{
	const struct task *t = &w->tasks[wait->task];
	const struct gl_wait_record *row = window_row(w, wait);
	const struct episode *e = episode_of(w, wait, row, episodes);
	struct window_task key = { t->tid, t->start_ticks };
	struct wait_series *old = find_wait(win, &key, t->wait), s = { .task = key };

	if (continues(old, wait, e)) {
		s = *old;
		s.gen = wait->gen;
		old->id = NULL;
		old->others = (struct window_others){ 0 };
		if (counts_hands(row))
			count_hands(win, &s, row);
	} else {
		s.id = xstrdup(wait->id);
		s.gen = wait->gen;
		s.since_ns = win->now_ns;
		if (counts_hands(row) || (row && is_file_lock(row)))
			s.nr_ahead = count_ahead(q, row);
	}
	/* An episode counts what happened past this task alone. */
	if (e && !e->exact)
		s.nr_ahead = 0;
	else if (!counts_hands(row))
		count_turns(turns, &s);
	s.episode_ns = e ? e->since_ns : 0;
	s.nr_passed = e ? e->nr_overtaken : 0;
	win->wants_locks |= counts_hands(row);
	s.nr_looks++;
	note_holder(&s, w, wait);
	return s;
}

void window_add_waits(struct window *win, const struct world *w, const struct snapshot *locks,
		      const struct episodes *episodes)
{
	struct queues q = sort_queues(w->snap);
	struct turns turns = sort_turns(w->nr_waits ? win->view : NULL);
	struct wait_series *waits = NULL;
	uint32_t nr = 0;

	read_locks(win, locks);
	win->wants_locks = false;
	for (uint32_t i = 0; i < w->nr_waits; i++)
		if (w->waits[i].id)
			*vec_push(waits, nr) = next_of(win, w, &w->waits[i], &q, &turns, episodes);
	free(turns.by_id);
	free(q.at);
	for (uint32_t i = 0; i < win->nr_waits; i++) {
		free(win->waits[i].id);
		free(win->waits[i].others.other);
	}
	free(win->waits);
	win->waits = waits;
	win->nr_waits = nr;
	xqsort(waits, nr, sizeof(*waits), window_task_compare);
}
