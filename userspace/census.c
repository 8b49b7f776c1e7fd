// SPDX-License-Identifier: GPL-2.0
/* census - what is known of the tasks of a look from those before (census.h) */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alike.h"
#include "census.h"
#include "known.h"
#include "proc.h"
#include "remote.h"
#include "world.h"
#include "xalloc.h"

struct census {
	struct census_source *source;
	bool tried;
	bool lasts;
	/** @all: every thread that the kernel told of */
	struct known_all all;
	/** @of_task: [nr_of_task] whom the tasks of the latest look are */
	struct known **of_task;
	uint32_t nr_of_task;
	/** @seen: what it saw, once it is over (borrowed); NULL: none is over */
	const struct world *seen;
	struct census_counts counts;
};

struct census *census_new(bool lasts)
{
	struct census *c = xcalloc(1, sizeof(*c));

	c->lasts = lasts;
	return c;
}

void census_free(struct census *c)
{
	if (!c)
		return;
	known_forget(&c->all);
	census_source_close(c->source);
	free(c->of_task);
	free(c);
}

void census_read_counts(const struct census *c, struct census_counts *ret)
{
	*ret = c->counts;
}

/* --- the tasks of a look ---------------------------------------------------------------- */

static bool add_kept(struct world *w, const struct known *k)
{
	struct task *t;

	if (!k->slept || !k->has_task || k->task.state != known_letter(&k->record))
		return false;
	t = world_add_task(w, k->record.tid, k->record.tgid);
	*t = k->task;
	return true;
}

static void add_thread(struct census *c, struct world *w, struct known *k, bool crowd)
{
	uint32_t nr = w->nr_tasks;

	k->past = k->now;
	k->now = NO_INDEX;
	k->quiet = k->slept && k->past != NO_INDEX && ran_not(&c->all.spaces, k->record.mm);
	if (k->idle && !(k->idle->own_call ? k->slept : k->quiet))
		known_forget_idle(k);
	c->counts.nr_told++;
	if (add_kept(w, k)) {
		c->counts.nr_kept++;
	} else {
		proc_add_thread_of(w, k->record.tgid, k->record.tid, crowd);
		k->has_task = w->nr_tasks > nr;
		k->has_sleeper = false;
		if (!k->has_task)
			return;
		k->task = w->tasks[nr];
		known_update(&k->record, &k->task);
	}
	k->now = nr;
	*vec_push(c->of_task, c->nr_of_task) = k;
}

/* The threads from @first on that are of one process; returns where they end. */
static uint32_t add_process(struct census *c, struct world *w, uint32_t first)
{
	uint32_t tgid = c->all.known[first]->record.tgid, end;

	for (end = first + 1; end < c->all.nr && c->all.known[end]->record.tgid == tgid;)
		end++;
	if (tgid == (uint32_t)getpid() || remote_is_child(w->remote, tgid))
		return end;
	for (uint32_t i = first; i < end; i++)
		add_thread(c, w, c->all.known[i], end - first > MANY);
	return end;
}

/*
 * Of some hundreds of threads it saves more than it costs to have the kernel take a
 * program: that may be as long as some looks. Not before the first look, which is all
 * about deadlocks. The man page tells how to have it or not.
 */
static bool pays(const struct census *c)
{
	const char *how = getenv("GRIDLOCK_THREADS");

	if (!c->seen || (how && !strcmp(how, "proc")))
		return false;
	return (c->lasts && c->seen->nr_tasks >= MANY) || (how && !strcmp(how, "bpf"));
}

bool census_tasks(struct census *c, struct world *w)
{
	const struct census_record *record = NULL;
	uint32_t nr;

	c->nr_of_task = 0;
	free(c->of_task);
	c->of_task = NULL;
	if (!c->tried && pays(c)) {
		c->tried = true;
		c->source = census_source_open(&c->all.in_order);
	}
	if (c->source)
		record = census_source_read(c->source, &nr);
	if (!record) {
		known_forget(&c->all);
		return false;
	}
	known_match(&c->all, record, nr);
	world_expect(w, nr);
	for (uint32_t i = 0; i < c->all.nr;)
		i = add_process(c, w, i);
	w->census = c;
	c->counts.nr_looks++;
	return true;
}

void census_end(struct census *c, const struct world *w)
{
	c->seen = w;
}

/* Tasks that were added by others come after ours. */
static struct known *known_of(const struct census *c, uint32_t task)
{
	return task < c->nr_of_task ? c->of_task[task] : NULL;
}

static struct known *of_task(const struct world *w, uint32_t task)
{
	return w->census ? known_of(w->census, task) : NULL;
}

bool census_knows(const struct world *w, uint32_t task)
{
	const struct known *k = of_task(w, task);

	return k && k->slept && k->has_sleeper;
}

bool census_recall(const struct world *w, struct sleeper *s)
{
	const struct sleeper *known;

	if (!census_knows(w, s->task))
		return false;
	known = &of_task(w, s->task)->sleeper;
	s->nr = known->nr;
	s->pc = known->pc;
	s->sp = known->sp;
	memcpy(s->args, known->args, sizeof(s->args));
	memcpy(s->wchan, known->wchan, sizeof(s->wchan));
	return true;
}

void census_keep(struct world *w, const struct sleeper *s, bool rests)
{
	struct known *k = of_task(w, s->task);

	if (!k)
		return;
	k->sleeper = *s;
	k->has_sleeper = true;
	k->rests = rests;
}

bool census_rests(const struct world *w, uint32_t task)
{
	return census_knows(w, task) && of_task(w, task)->rests;
}

int census_shares_files(const struct world *w, uint32_t a, uint32_t b)
{
	const struct known *x = of_task(w, a), *y = of_task(w, b);

	if (!x || !y || !x->record.files || !y->record.files)
		return -1;
	return x->record.files == y->record.files;
}

const struct world *census_past(const struct world *w, uint32_t task, uint32_t *task_ret)
{
	const struct known *k = of_task(w, task);

	if (!k || !k->quiet)
		return NULL;
	*task_ret = k->past;
	return w->census->seen;
}

const struct world *census_past_files(const struct world *w, uint32_t task)
{
	const struct known *k = of_task(w, task);
	struct census *c = w->census;

	if (!k || !k->slept || k->past == NO_INDEX || !ran_not(&c->all.tables, k->record.files))
		return NULL;
	return c->seen;
}

enum timed census_timed(struct world *w, uint32_t task)
{
	const struct task *t = &w->tasks[task];
	struct known *k = of_task(w, task);

	if (!k)
		return proc_timed(t->tgid, t->tid);
	/* Any thread can make a timer; so it has to be known look by look. */
	if (!k->quiet || k->timed_look != w->census->all.look - 1)
		k->timed = proc_timed(t->tgid, t->tid);
	k->timed_look = w->census->all.look;
	return k->timed;
}

void census_keep_idle(struct census *c, const struct wait *wait)
{
	struct known *k = known_of(c, wait->task);

	if (!k)
		return;
	known_forget_idle(k);
	k->idle = xcalloc(1, sizeof(*k->idle));
	wait_copy(k->idle, wait);
}

const struct wait *census_idle(const struct census *c, uint32_t task)
{
	const struct known *k = known_of(c, task);

	return k ? k->idle : NULL;
}
