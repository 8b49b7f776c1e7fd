// SPDX-License-Identifier: GPL-2.0
/* window - what a run of looks saw: its parts, and who runs (window.h) */
#include <stdlib.h>

#include "snapshot.h"
#include "window.h"
#include "world.h"
#include "xalloc.h"

/*
 * The most that one gap between looks counts for: after a longer one the whole
 * machine may have stood still, and nobody ran because nothing did.
 */
#define MAX_GAP_NS	500000000ULL

struct window *window_new(void)
{
	return xcalloc(1, sizeof(struct window));
}

static void drop_runners(struct window *win)
{
	for (uint32_t i = 0; i < win->nr_runners; i++)
		free(win->runners[i].others.other);
	free(win->runners);
	win->runners = NULL;
	win->nr_runners = 0;
}

void window_free(struct window *win)
{
	if (!win)
		return;
	drop_runners(win);
	window_drop_waits(win);
	window_drop_asks(win);
	window_drop_retries(win);
	window_drop_orders(win);
	free(win);
}

int window_task_compare(const void *a, const void *b)
{
	const struct window_task *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	return x->start_ticks < y->start_ticks ? -1 : x->start_ticks > y->start_ticks;
}

void *window_search(const struct window_task *task, void *series, uint32_t nr, size_t size,
		    uint32_t hint)
{
	uint32_t low = 0, high = nr, at = hint < nr ? hint : nr / 2, step = 1;

	while (low < high) {
		char *s = (char *)series + at * size;
		int order = window_task_compare(task, s);

		if (!order)
			return s;
		if (order < 0)
			high = at;
		else
			low = at + 1;
		/* Twice as far from the hint each time, until that is beyond the middle. */
		if (high - low <= 2 * step) {
			at = low + (high - low) / 2;
		} else {
			at = order < 0 ? high - step : low + step - 1;
			step *= 2;
		}
	}
	return NULL;
}

uint32_t window_find(const struct world *w, const struct window_task *task)
{
	uint32_t index = world_find_task(w, task->tid);

	if (index == NO_INDEX || w->tasks[index].start_ticks != task->start_ticks)
		return NO_INDEX;
	return index;
}

void window_others_add(struct window_others *others, const struct window_task *task,
		       uint64_t amount)
{
	struct window_other *new;

	for (uint32_t i = 0; i < others->nr; i++) {
		if (window_task_compare(&others->other[i].task, task))
			continue;
		others->other[i].amount += amount;
		return;
	}
	if (others->nr == WINDOW_MAX_OTHERS)
		return;
	new = vec_push(others->other, others->nr);
	new->task = *task;
	new->amount = amount;
}

static struct runner_series *find_runner(const struct window *win, const struct window_task *task)
{
	return window_search(task, win->runners, win->nr_runners, sizeof(*win->runners),
			     win->nr_runners / 2);
}

const struct runner_series *window_runner(const struct window *win, const struct world *w,
					  uint32_t task)
{
	struct window_task key = { w->tasks[task].tid, w->tasks[task].start_ticks };

	return find_runner(win, &key);
}

static struct runner_series first_seen(const struct window *win, const struct task *t)
{
	return (struct runner_series){
		.task = { t->tid, t->start_ticks },
		.run_ns = t->run_ns,
		.nr_runs = t->nr_runs,
		.cpu = t->cpu,
		.since_ns = win->now_ns,
		.nr_looks = 1,
	};
}

/* What the look adds to a series; @old gives its parts away. */
static struct runner_series seen_again(const struct window *win, struct runner_series *old,
				       const struct task *t, uint64_t passed_ns)
{
	struct runner_series s = first_seen(win, t);

	s.ran_ns = t->run_ns > old->run_ns ? t->run_ns - old->run_ns : 0;
	if (t->run_ns != old->run_ns || t->nr_runs != old->nr_runs)
		return s;
	s.since_ns = old->since_ns;
	s.span_ns = old->span_ns + (passed_ns < MAX_GAP_NS ? passed_ns : MAX_GAP_NS);
	s.nr_looks = old->nr_looks + 1;
	s.others = old->others;
	old->others = (struct window_others){ 0 };
	return s;
}

/* Runners by CPU, so that each finds who else is on its own. */
static int compare_cpus(const void *a, const void *b, void *arg)
{
	const struct runner_series *series = arg;
	int x = series[*(const uint32_t *)a].cpu, y = series[*(const uint32_t *)b].cpu;

	return x < y ? -1 : x > y;
}

static void note_others_on_cpu(struct window *win, const uint32_t *order, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		const struct runner_series *other = &win->runners[order[i]];

		if (!other->ran_ns)
			continue;
		for (uint32_t k = 0; k < nr; k++) {
			struct runner_series *s = &win->runners[order[k]];

			if (s->nr_looks > 1)
				window_others_add(&s->others, &other->task, other->ran_ns);
		}
	}
}

static void note_others(struct window *win)
{
	uint32_t *order = xcalloc(win->nr_runners + 1, sizeof(*order)), first, i;

	for (i = 0; i < win->nr_runners; i++)
		order[i] = i;
	if (win->nr_runners)
		qsort_r(order, win->nr_runners, sizeof(*order), compare_cpus, win->runners);
	for (first = 0; first < win->nr_runners; first = i) {
		int cpu = win->runners[order[first]].cpu;

		for (i = first; i < win->nr_runners && win->runners[order[i]].cpu == cpu; i++)
			;
		note_others_on_cpu(win, order + first, i - first);
	}
	free(order);
}

void window_add_runners(struct window *win, const struct world *w, uint64_t passed_ns)
{
	struct runner_series *runners = NULL;
	uint32_t nr = 0;

	for (uint32_t t = 0; t < w->nr_tasks; t++) {
		const struct task *task = &w->tasks[t];
		struct window_task key = { task->tid, task->start_ticks };
		struct runner_series *old;

		/* Never on a CPU yet, or not known how often: nothing to compare. */
		if (task->state != 'R' || !task->nr_runs || world_find_task(w, task->tid) != t)
			continue;
		old = find_runner(win, &key);
		*vec_push(runners, nr) = old ? seen_again(win, old, task, passed_ns) :
					       first_seen(win, task);
	}
	drop_runners(win);
	win->runners = runners;
	win->nr_runners = nr;
	xqsort(runners, nr, sizeof(*runners), window_task_compare);
	note_others(win);
}

void window_add(struct window *win, const struct world *w, const struct snapshot *locks,
		const struct episodes *episodes, const struct turns *turns)
{
	uint64_t load_id = w->snap ? w->snap->header.load_id : 0;
	uint64_t passed_ns = win->nr_looks && w->taken_ns > win->now_ns ?
				     w->taken_ns - win->now_ns : 0;

	/* Identities of another load of the module mean nothing to this one. */
	if (load_id != win->load_id) {
		window_drop_waits(win);
		window_drop_asks(win);
		window_drop_retries(win);
		window_drop_orders(win);
	}
	win->load_id = load_id;
	win->now_ns = w->taken_ns;
	win->nr_looks++;
	window_add_runners(win, w, passed_ns);
	window_add_waits(win, w, locks, episodes);
	window_add_asks(win, w, episodes, turns);
	window_add_retries(win, w, episodes);
	window_add_orders(win, w);
}
