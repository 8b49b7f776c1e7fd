// SPDX-License-Identifier: GPL-2.0
/*
 * confirm - the three passes that turn a candidate into a proof (look.h).
 *
 * Why the order within pass 1 matters, for each member by itself: had it been
 * seen asleep first and its generations read after, it could have woken in
 * between and be running with the very generations that pass 3 finds again.
 * Generations first, then asleep: from there on, any run puts it on a CPU and
 * counts.
 *
 * A state of S or D alone is not asleep: it is set before the task leaves the
 * CPU. /proc's wchan answers only for a task that is off the run queue (the
 * kernel's get_wchan() looks under the task's pi_lock).
 *
 * Off the run queue is not off the CPU: while a CPU that goes idle looks for
 * work elsewhere, the task that leaves it can be woken and go on without being
 * put on it again. Its time on the CPU tells. Asleep comes before generations
 * in pass 3: a task that was woken since, but not run, is no sleeper.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "look.h"
#include "proc.h"
#include "remote.h"
#include "xalloc.h"

/* Why a finding stays possible. */
#define NOT_PROVEN	"not all members could be proven asleep: that takes root and CONFIG_SCHED_INFO"
#define NOT_IN_TIME	"not all members could be proven asleep: to read of them takes too long"

/** enum proof - what the three passes say of one member, or of a finding */
enum proof { PROOF_HELD, PROOF_LATE, PROOF_UNREADABLE, PROOF_FAILED };

/** struct generations - values that change when a task runs or is replaced */
struct generations {
	/** @start_ticks: start time of the thread */
	unsigned long long start_ticks;
	/** @nr_runs: times it was put on a CPU (schedstat, third number) */
	unsigned long long nr_runs;
	/** @run_ns: time it spent there, up to when it left the queue (the first) */
	unsigned long long run_ns;
};

/** struct member - a task under proof */
struct member {
	pid_t tid;
	pid_t tgid;
	struct generations first;
	enum proof proof;
};

bool finding_needs_proof(const struct finding *f)
{
	return f->type == FINDING_DEADLOCK || f->type == FINDING_ORPHANED_LOCK ||
	       f->type == FINDING_TRANSIENT_CYCLE;
}

/* schedstat and stat take no lock that a stuck task can hold: read directly. */
static int read_own_file(const struct member *m, const char *name, char *buf, size_t size)
{
	char path[64];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", m->tgid, m->tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -1;
	got = read(fd, buf, size - 1);
	close(fd);
	if (got <= 0)
		return -1;
	buf[got] = '\0';
	return 0;
}

static bool read_generations(const struct member *m, struct generations *ret)
{
	char buf[1024], *after_comm;

	if (read_own_file(m, "stat", buf, sizeof(buf)))
		return false;
	/* The name may hold anything; the fields begin after its last bracket. */
	after_comm = strrchr(buf, ')');
	if (!after_comm ||
	    sscanf(after_comm + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &ret->start_ticks) != 1)
		return false;
	if (read_own_file(m, "schedstat", buf, sizeof(buf)))
		return false;
	return sscanf(buf, "%llu %*u %llu", &ret->run_ns, &ret->nr_runs) == 2;
}

/* What read_asleep() of these will ask, at one go. */
static void read_asleep_ahead(struct remote *remote, const struct member *m, uint32_t nr)
{
	remote_ahead_new(remote);
	for (uint32_t i = 0; i < nr; i++)
		proc_wchan_ahead(remote, m[i].tgid, m[i].tid);
	remote_ahead_go(remote);
}

static enum proof read_asleep(struct remote *remote, const struct member *m)
{
	char wchan[64];
	int err = proc_wchan(remote, m->tgid, m->tid, wchan, sizeof(wchan));

	if (err)
		return err == -ETIMEDOUT ? PROOF_LATE : PROOF_UNREADABLE;
	return *wchan ? PROOF_HELD : PROOF_FAILED;
}

/* Whoever waits has run: else this kernel does not count (CONFIG_SCHED_INFO). */
static enum proof begin_generations(struct member *m)
{
	if (!read_generations(m, &m->first))
		return PROOF_FAILED;
	return m->first.nr_runs ? PROOF_HELD : PROOF_UNREADABLE;
}

static void pass_one(struct remote *remote, struct member *m, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		m[i].proof = begin_generations(&m[i]);
	read_asleep_ahead(remote, m, nr);
	for (uint32_t i = 0; i < nr; i++)
		if (m[i].proof == PROOF_HELD)
			m[i].proof = read_asleep(remote, &m[i]);
	/* What was not asked for must not answer for later. */
	remote_ahead_new(remote);
}

static void end_generations(struct member *m)
{
	struct generations now;

	if (m->proof == PROOF_FAILED)
		return;
	if (!read_generations(m, &now) || now.start_ticks != m->first.start_ticks ||
	    now.nr_runs != m->first.nr_runs || now.run_ns != m->first.run_ns)
		m->proof = PROOF_FAILED;
}

static void pass_three(struct remote *remote, struct member *m, uint32_t nr)
{
	read_asleep_ahead(remote, m, nr);
	for (uint32_t i = 0; i < nr; i++) {
		if (m[i].proof == PROOF_HELD)
			m[i].proof = read_asleep(remote, &m[i]);
		end_generations(&m[i]);
	}
	remote_ahead_new(remote);
}

/* For who looks later whether they have run since (recheck.h). */
static void keep_generations(struct world *w, const struct member *m, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++) {
		uint32_t task = world_find_task(w, m[i].tid);

		if (task == NO_INDEX || m[i].proof != PROOF_HELD)
			continue;
		w->tasks[task].nr_runs = m[i].first.nr_runs;
		w->tasks[task].run_ns = m[i].first.run_ns;
	}
}

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	return x->tid < y->tid ? -1 : x->tid > y->tid;
}

/* The tasks of the findings that need proof, once each, as marks by index. */
static void mark_members(const struct look *look, bool victims, bool *mark)
{
	for (uint32_t i = 0; i < look->found.nr; i++) {
		const struct finding *f = &look->found.finding[i];
		const uint32_t *tasks = victims ? f->victims : f->tasks;
		uint32_t nr = victims ? f->nr_victims : f->nr_tasks;

		for (uint32_t k = 0; k < nr && finding_needs_proof(f); k++)
			mark[tasks[k]] = true;
	}
}

static uint32_t collect_members(const struct look *look, struct member **ret)
{
	const struct world *w = look->world;
	bool *mark = xcalloc(w->nr_tasks, sizeof(*mark));
	uint32_t nr = 0;

	*ret = NULL;
	mark_members(look, false, mark);
	for (uint32_t t = 0; t < w->nr_tasks; t++)
		if (mark[t])
			*vec_push(*ret, nr) = (struct member){
				.tid = w->tasks[t].tid, .tgid = w->tasks[t].tgid
			};
	if (nr)
		qsort(*ret, nr, sizeof(**ret), compare_members);
	free(mark);
	return nr;
}

/* Whom to look at: the members, and by negative numbers those that wait behind. */
static uint32_t list_only(const struct look *look, const struct member *members, uint32_t nr,
			  pid_t **ret)
{
	const struct world *w = look->world;
	bool *member = xcalloc(w->nr_tasks, sizeof(*member));
	bool *victim = xcalloc(w->nr_tasks, sizeof(*victim));
	uint32_t nr_only = 0;

	*ret = xcalloc(nr + w->nr_tasks + 1, sizeof(**ret));
	mark_members(look, false, member);
	mark_members(look, true, victim);
	for (uint32_t i = 0; i < nr; i++)
		(*ret)[nr_only++] = members[i].tid;
	for (uint32_t t = 0; t < w->nr_tasks; t++)
		if (victim[t] && !member[t])
			(*ret)[nr_only++] = -w->tasks[t].tid;
	free(member);
	free(victim);
	return nr_only;
}

static enum proof finding_proof(const struct world *w, const struct finding *f,
				const struct member *members, uint32_t nr)
{
	enum proof proof = PROOF_HELD;

	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		struct member key = { .tid = w->tasks[f->tasks[i]].tid };
		const struct member *m = bsearch(&key, members, nr, sizeof(*members),
						 compare_members);

		if (!m)
			return PROOF_FAILED;
		if (m->proof > proof)
			proof = m->proof;
	}
	return proof;
}

/* Keep the findings that are proven; those that cannot be read, as possible. */
static void judge(struct look *look, const struct member *members, uint32_t nr_members)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < look->found.nr; i++) {
		struct finding *f = &look->found.finding[i];
		enum proof proof = PROOF_FAILED;

		if (finding_needs_proof(f))
			proof = finding_proof(look->world, f, members, nr_members);
		if (proof == PROOF_FAILED) {
			finding_clear(f);
			continue;
		}
		if (proof != PROOF_HELD) {
			f->verdict = VERDICT_POSSIBLE;
			f->reason = proof == PROOF_LATE ? NOT_IN_TIME : NOT_PROVEN;
		}
		look->found.finding[kept++] = *f;
	}
	look->found.nr = kept;
}

struct look *look_confirm(struct remote *remote, const struct look *candidate,
			  const struct limits *limits)
{
	struct member *members;
	struct look *look;
	uint32_t nr, nr_only;
	pid_t *only;

	nr = collect_members(candidate, &members);
	nr_only = list_only(candidate, members, nr, &only);
	for (uint32_t i = 0; i < nr; i += REMOTE_AT_ONCE)
		pass_one(remote, &members[i], nr - i < REMOTE_AT_ONCE ? nr - i : REMOTE_AT_ONCE);
	look = look_take(remote, only, nr_only, NULL, limits);
	for (uint32_t i = 0; i < nr; i += REMOTE_AT_ONCE)
		pass_three(remote, &members[i], nr - i < REMOTE_AT_ONCE ? nr - i : REMOTE_AT_ONCE);
	keep_generations(look->world, members, nr);
	judge(look, members, nr);
	free(only);
	free(members);
	return look;
}
