// SPDX-License-Identifier: GPL-2.0
/*
 * census - which threads slept from one look to the next, and what is known of them
 * (census.h).
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "alike.h"
#include "census.h"
#include "proc.h"
#include "ran.h"
#include "remote.h"
#include "resolve.h"
#include "world.h"
#include "xalloc.h"

/* Of the kernel's linux/sched.h: bits of a task's state, and the middle of its priorities. */
#define TASK_INTERRUPTIBLE	0x1
#define TASK_UNINTERRUPTIBLE	0x2
#define TASK_NOLOAD		0x400
#define MAX_RT_PRIO		100
#define DEFAULT_PRIO		120

/** struct known - a thread, and what was read of it since it fell asleep */
struct known {
	struct census_record record;
	/** @look: the latest look that told it, and @place: its place in census.told */
	uint32_t look;
	uint32_t place;
	/** @slept: from the look before to this one */
	bool slept;
	/** @quiet: its whole address space has, and the look before saw it */
	bool quiet;
	/** @now, @past: its task in the latest look, and in the one before; NO_INDEX: none */
	uint32_t now;
	uint32_t past;
	/** @has_task, @has_sleeper: the parts below are known */
	bool has_task;
	bool has_sleeper;
	/** @rests: with @has_sleeper: no thread can end what it waits for */
	bool rests;
	struct task task;
	/** @timed: census_timed(), as of look @timed_look */
	enum timed timed;
	uint32_t timed_look;
	/** @sleeper: how it sleeps; its task and row are those of another look */
	struct sleeper sleeper;
	/** @idle: census_idle(); its task is that of another look (owned) */
	struct wait *idle;
};

struct census {
	struct census_source *source;
	bool tried;
	bool lasts;
	/** @known: [nr] as /proc lists them: by process, and in it by age */
	struct known **known;
	uint32_t nr;
	/** @told: [nr_told] whom the latest records are of, in their order */
	struct known **told;
	uint32_t nr_told;
	/** @by_tid: [nr_slots] the same by number; a power of two, at most half in use */
	struct known **by_tid;
	uint32_t nr_slots;
	/** @of_task: [nr_of_task] whom the tasks of the latest look are */
	struct known **of_task;
	uint32_t nr_of_task;
	/** @spaces, @tables: of which a thread has run since the look before */
	struct ran spaces;
	struct ran tables;
	/** @look: number of the latest one */
	uint32_t look;
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

static void forget_idle(struct known *k)
{
	if (!k->idle)
		return;
	wait_clear(k->idle);
	free(k->idle);
	k->idle = NULL;
}

static void forget(struct known *k)
{
	forget_idle(k);
	free(k);
}

static void forget_all(struct census *c)
{
	for (uint32_t i = 0; i < c->nr; i++)
		forget(c->known[i]);
	c->nr = 0;
	free(c->told);
	c->told = NULL;
	c->nr_told = 0;
	free(c->by_tid);
	c->by_tid = NULL;
	c->nr_slots = 0;
}

void census_free(struct census *c)
{
	if (!c)
		return;
	forget_all(c);
	census_source_close(c->source);
	free(c->known);
	free(c->of_task);
	ran_begin(&c->spaces);
	ran_begin(&c->tables);
	free(c);
}

void census_read_counts(const struct census *c, struct census_counts *ret)
{
	*ret = c->counts;
}

/* --- who is who ----------------------------------------------------------------------- */

/* The slot that holds @tid, or the empty one where it would go; NULL: no slots. */
static struct known **find_slot(const struct census *c, uint32_t tid)
{
	/* Multiplicative hashing; 2^32 divided by the golden ratio. */
	uint32_t mask = c->nr_slots - 1, at = (tid * 0x9e3779b9U >> 7) & mask;

	if (!c->nr_slots)
		return NULL;
	while (c->by_tid[at] && c->by_tid[at]->record.tid != tid)
		at = (at + 1) & mask;
	return &c->by_tid[at];
}

static struct known *find_known(const struct census *c, uint32_t tid)
{
	struct known **slot = find_slot(c, tid);

	return slot ? *slot : NULL;
}

/* @at: the place after the latest one that was found: mostly it is there, as before. */
static struct known *find_told(const struct census *c, uint32_t tid, uint32_t *at)
{
	struct known *k = *at < c->nr_told ? c->told[*at] : NULL;

	if (!k || k->record.tid != tid)
		k = find_known(c, tid);
	if (k)
		*at = k->place + 1;
	return k;
}

static void index_again(struct census *c)
{
	free(c->by_tid);
	for (c->nr_slots = 64; c->nr_slots < 2 * c->nr;)
		c->nr_slots *= 2;
	c->by_tid = xcalloc(c->nr_slots, sizeof(struct known *));
	for (uint32_t i = 0; i < c->nr; i++)
		*find_slot(c, c->known[i]->record.tid) = c->known[i];
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
static void note_run(struct census *c, const struct census_record *record)
{
	ran_add(&c->spaces, record->mm);
	ran_add(&c->tables, record->files);
}

/* Those of the latest look, and the new ones in their places; both are in order. */
static void merge(struct census *c, struct known **new, uint32_t nr_new)
{
	struct known **all = xcalloc(c->nr + nr_new + 1, sizeof(*all));
	uint32_t nr = 0, at = 0;

	for (uint32_t i = 0; i < c->nr; i++) {
		struct known *k = c->known[i];

		if (k->look != c->look) {
			note_run(c, &k->record);
			forget(k);
			continue;
		}
		while (at < nr_new && compare_known(&new[at], &k) < 0)
			all[nr++] = new[at++];
		all[nr++] = k;
	}
	while (at < nr_new)
		all[nr++] = new[at++];
	free(c->known);
	c->known = all;
	c->nr = nr;
	index_again(c);
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

bool census_slept(const struct census_record *a, const struct census_record *b)
{
	return is_same(a, b) && is_asleep(a) && is_asleep(b) && a->state == b->state &&
	       a->mm == b->mm && a->files == b->files &&
	       a->nr_switches == b->nr_switches && a->run_ns == b->run_ns;
}

static void update_known(struct census *c, struct known *k, const struct census_record *record)
{
	bool same = !memcmp(&k->record, record, sizeof(*record));

	k->look = c->look;
	k->slept = census_slept(&k->record, record);
	if (!k->slept) {
		note_run(c, &k->record);
		note_run(c, record);
		k->has_task = false;
		k->has_sleeper = false;
	}
	if (same)
		return;
	k->record = *record;
	if (k->has_task)
		census_update(record, &k->task);
}

void census_match(struct census *c, const struct census_record *record, uint32_t nr)
{
	struct known **new = NULL, **told = xcalloc(nr, sizeof(*told));
	uint32_t nr_new = 0, nr_old = 0, at = 0;

	c->look++;
	ran_begin(&c->spaces);
	ran_begin(&c->tables);
	for (uint32_t i = 0; i < nr; i++) {
		struct known *k = find_told(c, record[i].tid, &at);

		if (k && k->look != c->look && is_same(&k->record, &record[i])) {
			update_known(c, k, &record[i]);
			k->place = i;
			told[i] = k;
			nr_old++;
			continue;
		}
		k = xcalloc(1, sizeof(*k));
		k->place = i;
		told[i] = k;
		k->record = record[i];
		k->look = c->look;
		k->now = NO_INDEX;
		note_run(c, &k->record);
		*vec_push(new, nr_new) = k;
	}
	free(c->told);
	c->told = told;
	c->nr_told = nr;
	if (nr_new)
		qsort(new, nr_new, sizeof(*new), compare_known);
	if (nr_new || nr_old != c->nr)
		merge(c, new, nr_new);
	free(new);
	ran_end(&c->spaces);
	ran_end(&c->tables);
}

/* --- the tasks of a look ---------------------------------------------------------------- */

void census_update(const struct census_record *record, struct task *t)
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

/* A frozen sleeper shows another state; it was one when this was read. */
static char letter_of(const struct census_record *record)
{
	if (record->state & TASK_INTERRUPTIBLE)
		return 'S';
	return record->state & TASK_NOLOAD ? 'I' : 'D';
}

static bool add_kept(struct world *w, const struct known *k)
{
	struct task *t;

	if (!k->slept || !k->has_task || k->task.state != letter_of(&k->record))
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
	k->quiet = k->slept && k->past != NO_INDEX && ran_not(&c->spaces, k->record.mm);
	if (k->idle && !(k->idle->own_call ? k->slept : k->quiet))
		forget_idle(k);
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
		census_update(&k->record, &k->task);
	}
	k->now = nr;
	*vec_push(c->of_task, c->nr_of_task) = k;
}

/* The threads from @first on that are of one process; returns where they end. */
static uint32_t add_process(struct census *c, struct world *w, uint32_t first)
{
	uint32_t tgid = c->known[first]->record.tgid, end;

	for (end = first + 1; end < c->nr && c->known[end]->record.tgid == tgid;)
		end++;
	if (tgid == (uint32_t)getpid() || remote_is_child(w->remote, tgid))
		return end;
	for (uint32_t i = first; i < end; i++)
		add_thread(c, w, c->known[i], end - first > MANY);
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
		c->source = census_source_open();
	}
	if (c->source)
		record = census_source_read(c->source, &nr);
	if (!record) {
		forget_all(c);
		return false;
	}
	census_match(c, record, nr);
	world_expect(w, nr);
	for (uint32_t i = 0; i < c->nr;)
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

	if (!k || !k->slept || k->past == NO_INDEX || !ran_not(&w->census->tables, k->record.files))
		return NULL;
	return w->census->seen;
}

enum timed census_timed(struct world *w, uint32_t task)
{
	const struct task *t = &w->tasks[task];
	struct known *k = of_task(w, task);

	if (!k)
		return proc_timed(t->tgid, t->tid);
	/* Any thread can make a timer; so it has to be known look by look. */
	if (!k->quiet || k->timed_look != w->census->look - 1)
		k->timed = proc_timed(t->tgid, t->tid);
	k->timed_look = w->census->look;
	return k->timed;
}

void census_keep_idle(struct census *c, const struct wait *wait)
{
	struct known *k = known_of(c, wait->task);

	if (!k)
		return;
	forget_idle(k);
	k->idle = xcalloc(1, sizeof(*k->idle));
	wait_copy(k->idle, wait);
}

const struct wait *census_idle(const struct census *c, uint32_t task)
{
	const struct known *k = known_of(c, task);

	return k ? k->idle : NULL;
}
