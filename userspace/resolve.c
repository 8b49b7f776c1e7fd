// SPDX-License-Identifier: GPL-2.0
/*
 * resolve - one look at the machine: its tasks, and what each that sleeps
 * waits for (resolve.h).
 *
 * The module's rows were read before; what procfs says comes after them. A
 * task that ran meanwhile is told wrongly here and found out by the proof
 * (look_confirm()).
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "array.h"
#include "again.h"
#include "alike.h"
#include "census.h"
#include "futex_refused.h"
#include "proc.h"
#include "remote.h"
#include "resolve.h"
#include "settle.h"
#include "snapshot.h"
#include "text.h"
#include "xalloc.h"

/* In the order in which they are asked: what the kernel recorded comes first. */
static const struct resolver *const resolvers[] = {
	&resolve_klock,
	&resolve_futex,
	&resolve_filelock,
	&resolve_pipe,
	&resolve_unix,
	&resolve_tcp,
	&resolve_eventfd,
	&resolve_poll,
	&resolve_fifo,
	&resolve_vfork,
	&resolve_sysv,
	&resolve_lease,
	&resolve_userfault,
	&resolve_child,
};

#define NR_RESOLVERS	ARRAY_SIZE(resolvers)

/*
 * The innermost wait that the module has of this very thread: a row of another
 * start time is of a thread that had the number before.
 */
static const struct gl_wait_record *find_row(const struct world *w, const struct task *t)
{
	const uint32_t *rows;
	uint64_t tick_ns;
	uint32_t nr;

	if (!w->snap)
		return NULL;
	rows = snapshot_rows(w->snap, t->tid, &nr);
	if (!nr)
		return NULL;
	tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	for (uint32_t i = 0; i < nr; i++) {
		const struct gl_wait_record *row = &w->snap->waits[rows[i]];

		if (row->start_ns / tick_ns == t->start_ticks)
			return row;
	}
	return NULL;
}

/* A frozen task holds what it holds until somebody thaws it: not for ever. */
static bool is_frozen(const char *wchan)
{
	return !strcmp(wchan, "do_freezer_trap") || !strcmp(wchan, "__refrigerator");
}

static bool may_wait(const struct task *t, const struct gl_wait_record *row)
{
	if (t->exiting || t->suspended)
		return false;
	return row || (!t->kthread && (t->state == 'S' || t->state == 'D'));
}

/* Does it wait for a time or a signal only? Nobody is asked for either. */
static bool rests(const struct sleeper *s)
{
	switch (s->nr) {
	case SYS_pause:
	case SYS_nanosleep:
	case SYS_clock_nanosleep:
	case SYS_rt_sigsuspend:
	case SYS_rt_sigtimedwait:
		/* Its arguments may be on a page that somebody has to bring. */
		return !s->row && strcmp(s->wchan, "handle_userfault");
	default:
		return false;
	}
}

/* What /proc says, which was read ahead. */
static bool see_sleeper(struct world *w, struct sleeper *s)
{
	struct task *t = &w->tasks[s->task];
	struct proc_syscall call;
	int err;

	if (census_recall(w, s))
		return true;
	(void)proc_wchan(w->remote, t->tgid, t->tid, s->wchan, sizeof(s->wchan));
	if (is_frozen(s->wchan)) {
		t->suspended = "frozen";
		return false;
	}
	if (!s->wchan[0] && !s->row)
		return false;
	err = proc_syscall(w->remote, t, &call);
	s->nr = call.nr;
	s->pc = call.pc;
	s->sp = call.sp;
	memcpy(s->args, call.args, sizeof(s->args));
	if (s->wchan[0] && !err)
		census_keep(w, s, rests(s));
	return true;
}

static void resolve_sleeper(struct world *w, const struct sleeper *s)
{
	for (size_t i = 0; i < NR_RESOLVERS; i++)
		if (resolvers[i]->resolve(w, s))
			return;
}

static void read_ahead(struct world *w, const struct sleeper *s)
{
	for (size_t i = 0; i < NR_RESOLVERS; i++)
		if (resolvers[i]->read_ahead)
			resolvers[i]->read_ahead(w, s);
}

/* Some tasks together, so that the reads that may block are made at one go. */
static void resolve_batch(struct world *w, struct sleeper *s, uint32_t nr)
{
	uint32_t kept = 0;

	remote_ahead_new(w->remote);
	for (uint32_t i = 0; i < nr; i++)
		if (!census_knows(w, s[i].task))
			proc_sleeper_ahead(w->remote, w->tasks[s[i].task].tgid,
					   w->tasks[s[i].task].tid);
	remote_ahead_go(w->remote);
	for (uint32_t i = 0; i < nr; i++)
		if (see_sleeper(w, &s[i]) && !rests(&s[i]))
			s[kept++] = s[i];

	remote_ahead_new(w->remote);
	for (uint32_t i = 0; i < kept; i++)
		read_ahead(w, &s[i]);
	remote_ahead_go(w->remote);
	for (uint32_t i = 0; i < kept; i++) {
		if (world_too_late(w)) {
			w->unseen.not_looked += kept - i;
			return;
		}
		resolve_sleeper(w, &s[i]);
	}
}

bool world_too_late(const struct world *w)
{
	return w->deadline_ns && now_ns() >= w->deadline_ns;
}

static void resolve_each(struct world *w, struct sleeper *s, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i += REMOTE_AT_ONCE) {
		if (world_too_late(w)) {
			w->unseen.not_looked += nr - i;
			return;
		}
		resolve_batch(w, &s[i], nr - i < REMOTE_AT_ONCE ? nr - i : REMOTE_AT_ONCE);
	}
}

/* Those of a crowd that are like another one need no reads. */
static void resolve_sleepers(struct world *w, struct sleeper *s, uint32_t nr)
{
	/* Without rows nobody is like another; a proof has its own order. */
	bool alike = nr >= MANY && (w->snap || w->thorough);
	uint32_t first = alike ? alike_find(s, nr) : nr, left = first;

	resolve_each(w, s, first);
	for (uint32_t i = first; i < nr; i++)
		if (!alike_follow(w, &s[i]))
			s[left++] = s[i];
	resolve_each(w, s + first, left - first);
}

/* @with_row: those that the module knows to wait, or the others */
static void add_sleeper(struct world *w, uint32_t task, bool with_row, bool follows,
			struct sleeper **s, uint32_t *nr)
{
	const struct gl_wait_record *row = find_row(w, &w->tasks[task]);

	if (!row == with_row || !may_wait(&w->tasks[task], row))
		return;
	/* Most of a machine's threads: what is known of them is all that there is. */
	if (!row && census_rests(w, task))
		return;
	/* Of two entries with one number the thread that is there now. */
	if (world_find_task(w, w->tasks[task].tid) != task)
		return;
	if (again_idles(w, task, row) || again_follow(w, task, row))
		return;
	*vec_push(*s, *nr) = (struct sleeper){
		.task = task, .row = row, .nr = -1, .follows = follows
	};
}

/* The kernel's own locks first: should the time run out, these are seen. */
static void resolve_all(struct world *w)
{
	struct sleeper *s = NULL;
	uint32_t nr = 0;

	for (int pass = w->snap ? 0 : 1; pass < 2; pass++)
		for (uint32_t t = 0; t < w->nr_tasks; t++)
			add_sleeper(w, t, !pass, true, &s, &nr);
	resolve_sleepers(w, s, nr);
	free(s);
}

static void resolve_these(struct world *w, const pid_t *only, uint32_t nr_only)
{
	struct sleeper *s = NULL;
	uint32_t nr = 0;

	for (int pass = 0; pass < 2; pass++)
		for (uint32_t i = 0; i < nr_only; i++) {
			uint32_t task = world_find_task(w, abs(only[i]));

			if (!pass && only[i] > 0 && task != NO_INDEX && w->tasks[task].by_row)
				proc_refresh(&w->tasks[task]);
			if (task != NO_INDEX)
				add_sleeper(w, task, !pass, only[i] < 0, &s, &nr);
		}
	resolve_sleepers(w, s, nr);
	free(s);
}

static void count_unseen(struct world *w, uint64_t denied_before)
{
	if (w->snap) {
		w->unseen.events_lost = w->snap->header.nr_lost_begins;
		w->unseen.waits_lost = w->snap->header.nr_lost_ends + w->snap->header.nr_unshown;
	}
	for (uint32_t i = 0; i < w->nr_waits; i++)
		if (kind_is_lock(w->waits[i].kind) && w->waits[i].unknown_releaser)
			w->unseen.unknown_owner++;
	w->unseen.denied_reads += remote_denied(w->remote) - denied_before;
	/* Not per look: who blocked once is not asked again. */
	w->unseen.blocked_reads = remote_blocked(w->remote);
}

struct world *world_look(const struct snapshot *snap, struct remote *remote,
			 const pid_t *only, uint32_t nr_only, struct census *census,
			 uint64_t deadline_ns)
{
	struct world *w = world_new(snap, remote);
	uint64_t denied_before = remote_denied(remote);

	w->taken_ns = now_ns();
	w->thorough = only;
	w->deadline_ns = deadline_ns;
	if (w->thorough)
		w->nr_forks = proc_forks();
	if (!census || !census_tasks(census, w))
		proc_tasks(w);
	if (only)
		resolve_these(w, only, nr_only);
	else
		resolve_all(w);
	futex_refused_end(w);
	if (w->thorough)
		settle(w);
	count_unseen(w, denied_before);
	again_tell_releasers(w);
	/* From the next look on it tells of the tasks of that one. */
	w->census = NULL;
	return w;
}
