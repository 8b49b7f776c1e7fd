// SPDX-License-Identifier: GPL-2.0
/* way_out - whose end would free the most (way_out.h) */
#include "finding.h"
#include "graph.h"
#include "text.h"
#include "way_out.h"
#include "xalloc.h"

/* Processes asked about, so that a circle of thousands ends in time. */
#define MAX_TRIES	64

/** struct trial - one process ended, in thought */
struct trial {
	const struct world *w;
	/** @stuck: [nr_tasks] as things are */
	bool *stuck;
	/** @after: [nr_tasks] with the process gone */
	bool *after;
	struct ending ending;
};

/* Does the end of whoever can release it, release it, too? */
static bool ends_with_holder(uint32_t kind)
{
	switch (kind) {
	case GL_KIND_FLOCK:
	case GL_KIND_POSIX:
	case GL_KIND_OFD:
	case GL_KIND_LEASE:
	case GL_KIND_PIPE_R:
	case GL_KIND_PIPE_W:
	case GL_KIND_UNIX:
	case GL_KIND_TCP:
	case GL_KIND_CHILD:
	case GL_KIND_VFORK:
	case GL_KIND_PTRACE:
	case GL_KIND_FUTEX_PI:
		return true;
	default:
		/* A kernel lock is released on the way out; all else is memory. */
		return kind > GL_KIND_UNKNOWN && kind < GL_KIND_FUTEX;
	}
}

/* Which resources outlast their holders, by what those who want them wait for. */
static void mark_lasting(const struct world *w, bool *lasting)
{
	for (uint32_t i = 0; i < w->nr_waits; i++)
		for (uint32_t k = 0; k < w->waits[i].nr_blockers; k++)
			lasting[w->waits[i].blockers[k]] |= !ends_with_holder(w->waits[i].kind);
}

/* SIGKILL ends no task that sleeps in a kernel lock with its signals off. */
static bool can_end(const struct world *w, uint32_t task)
{
	const struct task *t = &w->tasks[task];
	const struct wait *wait = t->wait == NO_INDEX ? NULL : &w->waits[t->wait];

	if (t->kthread)
		return false;
	return !wait || wait->interruptible || wait->kind >= GL_KIND_FUTEX ||
	       wait->kind == GL_KIND_UNKNOWN;
}

static void reduce_after(struct trial *t)
{
	struct graph *g = graph_build_after(t->w, &t->ending);

	graph_reduce(g, true, t->after);
	graph_free(g);
}

/* End the process of @task, in thought; how many of others are free then? */
static bool try_process(struct trial *t, uint32_t task, struct way_out *ret)
{
	const uint32_t *threads;
	uint32_t nr = world_process(t->w, t->w->tasks[task].tgid, &threads);
	bool possible = true;

	*ret = (struct way_out){ .task = task };
	for (uint32_t i = 0; i < nr; i++) {
		possible &= can_end(t->w, threads[i]);
		ret->nr_ends += t->stuck[threads[i]];
		t->ending.ends[threads[i]] = true;
	}
	if (possible) {
		reduce_after(t);
		for (uint32_t i = 0; i < t->w->nr_tasks; i++)
			ret->nr_frees += t->stuck[i] && !t->after[i] && !t->ending.ends[i];
	}
	for (uint32_t i = 0; i < nr; i++)
		t->ending.ends[threads[i]] = false;
	return possible;
}

static bool is_better(const struct way_out *a, const struct way_out *b)
{
	if (b->task == NO_INDEX || a->nr_frees != b->nr_frees)
		return b->task == NO_INDEX || a->nr_frees > b->nr_frees;
	return a->nr_ends < b->nr_ends;
}

/* Is it the first member of its process? */
static bool is_first(const struct world *w, const struct finding *f, uint32_t member)
{
	for (uint32_t i = 0; i < member; i++)
		if (w->tasks[f->tasks[i]].tgid == w->tasks[f->tasks[member]].tgid)
			return false;
	return true;
}

/* Once more for the best, to name those it frees. */
static void name_freed(struct trial *t, struct way_out *way)
{
	const uint32_t *threads;
	uint32_t nr = world_process(t->w, t->w->tasks[way->task].tgid, &threads);

	for (uint32_t i = 0; i < nr; i++)
		t->ending.ends[threads[i]] = true;
	reduce_after(t);
	for (uint32_t i = 0; i < t->w->nr_tasks; i++)
		t->after[i] = t->stuck[i] && !t->after[i] && !t->ending.ends[i];
	way->nr_frees = finding_set(t->w, t->after, &way->frees);
}

static void trial_init(struct trial *t, const struct world *w)
{
	struct graph *g = graph_build(w);

	*t = (struct trial){
		.w = w,
		.stuck = xcalloc(w->nr_tasks, sizeof(*t->stuck)),
		.after = xcalloc(w->nr_tasks, sizeof(*t->after)),
		.ending.ends = xcalloc(w->nr_tasks, sizeof(bool)),
		.ending.lasting = xcalloc(w->nr_resources, sizeof(bool)),
	};
	mark_lasting(w, t->ending.lasting);
	graph_reduce(g, true, t->stuck);
	graph_free(g);
}

struct way_out *way_out_find(const struct world *w, const struct finding *f, uint64_t until_ns)
{
	struct way_out *best = xcalloc(1, sizeof(*best)), way;
	uint32_t nr_tried = 0;
	struct trial t;

	best->task = NO_INDEX;
	trial_init(&t, w);
	for (uint32_t i = 0; i < f->nr_tasks && nr_tried < MAX_TRIES; i++) {
		if (nr_tried && now_ns() > until_ns)
			break;
		if (!is_first(w, f, i))
			continue;
		nr_tried++;
		if (try_process(&t, f->tasks[i], &way) &&
		    (way.nr_frees || way.nr_ends >= f->nr_tasks) && is_better(&way, best))
			*best = way;
	}
	if (best->task != NO_INDEX)
		name_freed(&t, best);
	best->nr_tried = nr_tried;
	free(t.stuck);
	free(t.after);
	free(t.ending.ends);
	free(t.ending.lasting);
	return best;
}

void way_out_free(struct way_out *way)
{
	if (!way)
		return;
	free(way->frees);
	free(way);
}
