// SPDX-License-Identifier: GPL-2.0
/* lens_bpf - the programs in the kernel, and what they have counted (lens.h) */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "episodes.h"
#include "futex_owner.h"
#include "lens.h"
#include "lens.skel.h"
#include "lens_attach.h"
#include "lens_holds.h"
#include "lens_link.h"
#include "lens_names.h"
#include "lens_nestings.h"
#include "lens_sems.h"
#include "lens_sight.h"
#include "lens_turns.h"
#include "proc.h"
#include "remote.h"
#include "text.h"
#include "xalloc.h"

/*
 * The most that setting the probes may take for one process: what takes longer waits for
 * a process that is stuck. With taking them out of one it is three seconds at most: a look
 * ends within its window and five seconds, of which two are its own.
 */
#define ATTACH_MS	2500
#define LENS_NS		3000000000ULL

#define WHY_SIZE	256

/** struct answer - of the child, when it has set the probes, or has not */
struct answer {
	/** @why: why not, in words; "": it has */
	char why[WHY_SIZE];
	/** @file: by place in the list of processes */
	struct lens_file file[LENS_MAX_PIDS];
};

struct lens {
	struct lens_bpf *skel;
	/** @nr_cpus: that there can be: each counts for itself */
	int nr_cpus;
	/** @stats: open as long as the kernel is to measure what programs take */
	int stats;
	/** @child: has the probes, and ends when @control is closed */
	pid_t child;
	int control;
	/** @rest_ns: the most that taking the probes out may take */
	uint64_t rest_ns;
	/** @nr_missed: calls that were missed, as the latest look found */
	uint64_t nr_missed;
	/** @believe_ns: threads' epochs from before count for nothing; ns CLOCK_MONOTONIC */
	uint64_t believe_ns;
	/** @target: [nr_targets] the processes that were named */
	struct lens_target target[LENS_MAX_PIDS];
	uint32_t nr_targets;
	/** @sight: of these, as of the latest look */
	struct lens_cost sight;
	struct lens_names names;
	struct lens_view view;
	/** @holds: as they were asked for last */
	struct lens_holds holds;
};

/* --- the child --- */

static void wait_for_end(int control)
{
	struct pollfd end = { .fd = control };

	/* Nothing is ever written there: an event is the end. */
	while (poll(&end, 1, -1) < 0 && errno == EINTR)
		;
}

/* One more process is done: shorter than any answer, of which it is the end of no words. */
static void tell_progress(int control)
{
	if (write(control, "", 1) != 1)
		_exit(1);
}

static _Noreturn void child_main(struct lens *lens, const struct lens_pids *pids, int control,
				 pid_t parent)
{
	struct answer answer = { 0 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	bool cancels = false;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	/* Who reads what the reader prints is not to wait for us. */
	for (int fd = 0; null >= 0 && fd <= 2; fd++)
		dup2(null, fd);
	if (lens_attach_exit(lens->skel))
		snprintf(answer.why, WHY_SIZE, "the kernel does not tell when threads end");
	for (uint32_t i = 0; i < pids->nr && pids->nr > 1; i++) {
		cancels |= lens_may_cancel(pids->pid[i]);
		tell_progress(control);
	}
	for (uint32_t i = 0; i < pids->nr && !*answer.why; i++) {
		lens_attach(lens->skel, pids->pid[i], cancels, &answer.file[i], answer.why,
			    WHY_SIZE);
		tell_progress(control);
	}
	if (write(control, &answer, sizeof(answer)) != sizeof(answer) || *answer.why)
		_exit(1);
	wait_for_end(control);
	_exit(0);
}

static int start_child(struct lens *lens, const struct lens_pids *pids, struct remote *remote)
{
	pid_t parent = getpid();
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
		return -1;
	lens->child = fork();
	if (!lens->child) {
		close(pair[0]);
		child_main(lens, pids, pair[1], parent);
	}
	close(pair[1]);
	lens->control = pair[0];
	if (lens->child > 0)
		remote_adopt(remote, lens->child);
	return lens->child > 0 ? 0 : -1;
}

static void wait_for_probes(struct lens *lens, uint32_t nr_pids, struct answer *ret)
{
	struct pollfd answer = { .fd = lens->control, .events = POLLIN };
	uint64_t start = now_ns(), took_ns;
	ssize_t nr;

	do {
		if (poll(&answer, 1, ATTACH_MS) < 1) {
			snprintf(ret->why, WHY_SIZE, "setting the probes takes too long: a process that maps the same library is stuck");
			lens->rest_ns = LENS_NS - ATTACH_MS * 1000000ULL;
			return;
		}
		nr = read(lens->control, ret, sizeof(*ret));
	} while (nr == 1);
	if (nr != sizeof(*ret))
		snprintf(ret->why, WHY_SIZE, "the helper process that sets the probes has died");
	took_ns = now_ns() - start;
	lens->rest_ns = took_ns < LENS_NS ? LENS_NS - took_ns : 0;
	/* With many processes both take longer. */
	if (nr_pids > 1 && lens->rest_ns < took_ns)
		lens->rest_ns = took_ns;
}

/* --- opening and closing --- */

static struct lens *refuse(struct lens *lens, const char *why)
{
	fprintf(stderr, "gridlock: no lens: %s\n", why);
	lens_close(lens);
	return NULL;
}

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

struct lens *lens_open(const struct lens_pids *pids, struct remote *remote)
{
	struct lens *lens = xcalloc(1, sizeof(*lens));
	struct answer answer = { 0 };

	lens->stats = -1;
	lens->control = -1;
	if (!proc_sees_all())
		return refuse(lens, "it takes root in the initial PID namespace");
	libbpf_set_print(say_nothing);
	lens->nr_cpus = libbpf_num_possible_cpus();
	if (lens->nr_cpus < 1)
		return refuse(lens, "it is not known how many CPUs there can be");
	lens->skel = lens_bpf__open();
	if (lens->skel) {
		lens_link_prepare(lens->skel);
		lens_sems_prepare(lens->skel, lens->nr_cpus);
	}
	if (!lens->skel || lens_bpf__load(lens->skel)) {
		snprintf(answer.why, WHY_SIZE, "the kernel does not take BPF programs: %s",
			 strerror(errno));
		return refuse(lens, answer.why);
	}
	lens->stats = bpf_enable_stats(BPF_STATS_RUN_TIME);
	if (start_child(lens, pids, remote))
		return refuse(lens, "a helper process cannot be started");
	wait_for_probes(lens, pids->nr, &answer);
	if (*answer.why)
		return refuse(lens, answer.why);
	lens->nr_targets = pids->nr;
	for (uint32_t i = 0; i < pids->nr; i++)
		lens->target[i] = (struct lens_target){ pids->pid[i], answer.file[i], 0 };
	lens_sems_tell_clock(lens->skel);
	lens->skel->bss->lens_on = 1;
	return lens;
}

static void end_child(struct lens *lens)
{
	uint64_t end = now_ns() + lens->rest_ns;

	while (waitpid(lens->child, NULL, WNOHANG) == 0) {
		struct pollfd rest = { .fd = -1 };

		if (now_ns() >= end) {
			fprintf(stderr, "gridlock: the lens is not out yet: process %d takes its probes out\n",
				lens->child);
			return;
		}
		poll(&rest, 1, 10);
	}
}

static void free_view(struct lens_view *view)
{
	free(view->nestings);
	*view = (struct lens_view){ 0 };
}

void lens_close(struct lens *lens)
{
	if (!lens)
		return;
	if (lens->control >= 0)
		close(lens->control);
	if (lens->child > 0)
		end_child(lens);
	if (lens->stats >= 0)
		close(lens->stats);
	lens_bpf__destroy(lens->skel);
	free_view(&lens->view);
	lens_holds_free(&lens->holds);
	lens_names_free(&lens->names);
	free(lens);
}

/* --- reading --- */

/** struct rows - a map's keys and values, as they were one after the other */
struct rows {
	void *keys;
	void *values;
	uint32_t nr;
};

static struct rows read_rows(const struct bpf_map *map)
{
	uint32_t max = bpf_map__max_entries(map), cursor, nr;
	size_t key_size = bpf_map__key_size(map), value_size = bpf_map__value_size(map);
	struct rows rows = { xcalloc(max, key_size), xcalloc(max, value_size), 0 };
	int err;

	do {
		nr = max - rows.nr;
		err = bpf_map_lookup_batch(bpf_map__fd(map), rows.nr ? &cursor : NULL, &cursor,
					   (char *)rows.keys + rows.nr * key_size,
					   (char *)rows.values + rows.nr * value_size, &nr, NULL);
		if (!err || err == -ENOENT)
			rows.nr += nr;
	} while (!err && nr && rows.nr < max);
	return rows;
}

static void free_rows(struct rows *rows)
{
	free(rows->keys);
	free(rows->values);
}

static void forget(const struct bpf_map *map, const void *key)
{
	bpf_map_delete_elem(bpf_map__fd(map), key);
}

/* A thread that was there when the look began, and is no more. */
static bool is_gone(const struct world *w, uint32_t tid, uint64_t seen_ns)
{
	return seen_ns < w->taken_ns && world_find_task(w, tid) == NO_INDEX;
}

static void read_costs(const struct lens *lens, struct lens_cost *ret)
{
	struct bpf_program *prog;

	*ret = (struct lens_cost){ 0 };
	bpf_object__for_each_program(prog, lens->skel->obj) {
		struct bpf_prog_info info = { 0 };
		uint32_t size = sizeof(info);

		if (bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &size))
			continue;
		if (bpf_program__type(prog) == BPF_PROG_TYPE_KPROBE)
			ret->hits += info.run_cnt;
		ret->cpu_ns += info.run_time_ns;
		ret->lost += info.recursion_misses;
	}
}

/*
 * Any call that was missed may have taken a lock, or dropped one. To be asked after
 * what was counted has been read: what was missed before a row came is in it.
 */
static uint64_t nr_missed(const struct lens *lens)
{
	struct lens_cost cost;

	read_costs(lens, &cost);
	return cost.lost + __atomic_load_n(&lens->skel->bss->lens_missed, __ATOMIC_RELAXED);
}

static void add_try(struct world *w, const struct lens_try_key *key, const struct lens_try *t,
		    uint64_t missed, struct episodes *episodes)
{
	uint32_t task = world_find_task(w, key->tid), owner = NO_INDEX;
	struct episode *e;

	if (task == NO_INDEX || w->tasks[task].tgid != (pid_t)key->tgid)
		return;
	if (t->holder)
		owner = world_find_task(w, t->holder);
	else if (t->owner &&
		 futex_owner(w, key->tgid, key->addr, t->owner, 0, &owner) != OWNER_TASK)
		owner = NO_INDEX;
	e = episodes_get(episodes, key->tid, key->addr);
	e->start_ticks = w->tasks[task].start_ticks;
	e->nr_timeouts = t->nr_failed;
	/* A call that was missed may be one that got it. */
	e->nr_had = t->nr_had + missed;
	e->exact = true;
	e->owner = owner == NO_INDEX ? 0 : w->tasks[owner].tid;
}

static void read_tries(struct lens *lens, struct world *w, struct episodes *episodes)
{
	struct rows rows = read_rows(lens->skel->maps.tries);
	const struct lens_try_key *key = rows.keys;
	const struct lens_try *t = rows.values;
	uint64_t missed = nr_missed(lens);

	for (uint32_t i = 0; i < rows.nr; i++) {
		if (is_gone(w, key[i].tid, t[i].first_ns))
			forget(lens->skel->maps.tries, &key[i]);
		else
			add_try(w, &key[i], &t[i], missed, episodes);
	}
	free_rows(&rows);
	episodes_sort(episodes);
}

static struct lens_uses find_uses(const struct lens *lens, const struct lens_nesting_key *key,
				  uint64_t nr_missed)
{
	struct lens_uses uses = {
		.wanted = lens_sems_use(lens->skel, key->tgid, key->wanted, nr_missed),
	};

	for (uint32_t i = 0; i < LENS_MAX_HELD && key->held[i]; i++)
		uses.held[i] = lens_sems_use(lens->skel, key->tgid, key->held[i], nr_missed);
	return uses;
}

static void add_nesting(struct lens *lens, struct world *w, const struct lens_nesting_key *key,
			const struct lens_nesting *n, uint64_t nr_missed)
{
	struct lens_uses uses = find_uses(lens, key, nr_missed);

	lens_nestings_add(&lens->view, &lens->names, w, key, n, &uses);
}

/* Who held what is not known any more if a call was missed: each thread begins anew. */
static void doubt(struct lens *lens)
{
	uint64_t missed = nr_missed(lens);

	if (missed == lens->nr_missed)
		return;
	lens->nr_missed = missed;
	/* In this order: no epoch that is begun for it is from before. */
	lens->believe_ns = now_ns();
	__atomic_fetch_add(&lens->skel->bss->lens_doubts, 1, __ATOMIC_SEQ_CST);
}

/* What was told of a thread before its present epoch counts for nothing. */
static void read_nestings(struct lens *lens, struct world *w)
{
	struct rows rows = read_rows(lens->skel->maps.nestings);
	const struct lens_nesting_key *key = rows.keys;
	const struct lens_nesting *n = rows.values;
	int states = bpf_map__fd(lens->skel->maps.states);

	doubt(lens);
	for (uint32_t i = 0; i < rows.nr; i++) {
		struct lens_state s;

		/* Read after the row: so the row is not older than it seems. No state: ended. */
		if (bpf_map_lookup_elem(states, &key[i].tid, &s) ||
		    s.epoch_ns != key[i].epoch_ns || s.epoch_ns < lens->believe_ns ||
		    is_gone(w, key[i].tid, n[i].last_ns))
			forget(lens->skel->maps.nestings, &key[i]);
		else
			add_nesting(lens, w, &key[i], &n[i], s.nr_missed);
	}
	free_rows(&rows);
	lens_nestings_sort(&lens->view);
}

/* Whoever held it, and however: while one waits, all that is to others. */
static void read_turns(struct lens *lens, struct world *w)
{
	struct rows rows = read_rows(lens->skel->maps.holds);
	const uint32_t *tasks;

	lens_turns_add(&lens->names, w, rows.keys, rows.values, rows.nr);
	free_rows(&rows);
	for (uint32_t i = 0; i < lens->nr_targets; i++)
		lens->view.nr_threads += world_process(w, lens->target[i].pid, &tasks);
}

const struct lens_view *lens_look(struct lens *lens, struct world *w, struct episodes *episodes)
{
	free_view(&lens->view);
	lens_sems_tell_clock(lens->skel);
	lens_names_begin(&lens->names);
	read_tries(lens, w, episodes);
	read_nestings(lens, w);
	read_turns(lens, w);
	lens_sight_count(lens->target, lens->nr_targets, w, &lens->sight);
	lens->view.locks = lens->names.locks;
	lens->view.nr_locks = lens->names.nr_locks;
	return &lens->view;
}

const struct lens_holds *lens_read_holds(struct lens *lens, struct remote *remote)
{
	struct rows rows = read_rows(lens->skel->maps.holds);

	lens_holds_free(&lens->holds);
	lens_holds_sum(rows.keys, rows.values, rows.nr, &lens->holds);
	lens_holds_name(&lens->holds, remote);
	lens->holds.lost = __atomic_load_n(&lens->skel->bss->lens_holds_lost, __ATOMIC_RELAXED);
	free_rows(&rows);
	return &lens->holds;
}

static void add_counts(const struct lens *lens, struct lens_cost *ret)
{
	int fd = bpf_map__fd(lens->skel->maps.counts);
	uint64_t *nr = xcalloc(lens->nr_cpus, sizeof(*nr));

	for (uint32_t i = 0; i < NR_LENS_COUNTS; i++)
		for (int cpu = 0; !bpf_map_lookup_elem(fd, &i, nr) && cpu < lens->nr_cpus; cpu++)
			ret->lost += nr[cpu];
	free(nr);
}

/* Semaphores that were forgotten for want of room. */
static void add_sems(const struct lens *lens, struct lens_cost *ret)
{
	uint64_t made = __atomic_load_n(&lens->skel->bss->lens_sems_made, __ATOMIC_RELAXED);
	struct rows rows = read_rows(lens->skel->maps.sems);

	if (made > rows.nr)
		ret->lost += made - rows.nr;
	free_rows(&rows);
}

void lens_read_cost(const struct lens *lens, struct lens_cost *ret)
{
	read_costs(lens, ret);
	add_counts(lens, ret);
	add_sems(lens, ret);
	ret->nr_ended = lens->sight.nr_ended;
	ret->nr_blind = lens->sight.nr_blind;
}
