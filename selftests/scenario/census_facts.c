// SPDX-License-Identifier: GPL-2.0
/*
 * census_facts - all threads of the machine twice: as the reader has them by its
 * census, and by /proc. Those that slept all the while have to be the same.
 *
 *	census_facts TID...
 *
 * The census is asked again and again: from the second time on it reads nothing of
 * those that slept. Prints "ready" after the first time, and goes on at a line of its
 * input: what others change of a sleeper meanwhile has to be seen. Prints "kept N", the
 * number of threads that it kept and that were compared; "none" where the kernel does
 * not tell; each fact that differs; each thread that is told twice; and each TID that was
 * not among those compared.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../userspace/census.h"
#include "../../userspace/proc.h"
#include "../../userspace/remote.h"
#include "../../userspace/resolve.h"
#include "../../userspace/world.h"

static int nr_wrong;

static void compare_numbers(pid_t tid, const char *name, long long kept, long long read)
{
	if (kept == read)
		return;
	printf("%d: %s %lld, by /proc %lld\n", tid, name, kept, read);
	nr_wrong++;
}

static void compare(const struct task *kept, const struct task *read)
{
	compare_numbers(kept->tid, "tgid", kept->tgid, read->tgid);
	compare_numbers(kept->tid, "ppid", kept->ppid, read->ppid);
	compare_numbers(kept->tid, "start_ticks", kept->start_ticks, read->start_ticks);
	compare_numbers(kept->tid, "stack_start", kept->stack_start, read->stack_start);
	compare_numbers(kept->tid, "state", kept->state, read->state);
	compare_numbers(kept->tid, "prio", kept->prio, read->prio);
	compare_numbers(kept->tid, "own_prio", kept->own_prio, read->own_prio);
	compare_numbers(kept->tid, "cpu", kept->cpu, read->cpu);
	compare_numbers(kept->tid, "kthread", kept->kthread, read->kthread);
	compare_numbers(kept->tid, "forked", kept->forked, read->forked);
	compare_numbers(kept->tid, "exiting", kept->exiting, read->exiting);
	if (strcmp(kept->comm, read->comm)) {
		printf("%d: name %s, by /proc %s\n", kept->tid, kept->comm, read->comm);
		nr_wrong++;
	}
}

/* Whatever is asked of a task that keeps its call, here its number of switches. */
static void keep_all(struct world *w)
{
	for (uint32_t i = 0; i < w->nr_tasks; i++) {
		struct sleeper s = { .task = i };

		proc_runs(w->tasks[i].tgid, w->tasks[i].tid, &w->tasks[i]);
		s.nr = w->tasks[i].nr_runs;
		census_keep(w, &s, false);
	}
}

/* Slept from before what is to be compared was read to after it? */
static int slept(const struct world *w, uint32_t task, const struct task *read)
{
	struct sleeper s = { .task = task };

	return census_recall(w, &s) && (uint64_t)s.nr == read->nr_runs && s.nr;
}

static void rest(void)
{
	puts("ready");
	fflush(stdout);
	while (getchar() != '\n' && !feof(stdin))
		;
}

int main(int argc, char **argv)
{
	struct census *census = census_new(true);
	struct remote *remote = remote_new();
	struct world *w[3], *by_proc;
	uint32_t nr_kept = 0;

	setenv("GRIDLOCK_THREADS", "bpf", 1);
	by_proc = world_new(NULL, remote);
	proc_tasks(by_proc);
	census_end(census, by_proc);
	for (int i = 0; i < 3; i++) {
		w[i] = world_new(NULL, remote);
		if (!census_tasks(census, w[i])) {
			puts("none");
			return 0;
		}
		if (!i) {
			keep_all(w[i]);
			rest();
		}
		if (i == 1) {
			by_proc = world_new(NULL, remote);
			proc_tasks(by_proc);
			for (uint32_t t = 0; t < by_proc->nr_tasks; t++)
				proc_runs(by_proc->tasks[t].tgid, by_proc->tasks[t].tid,
					  &by_proc->tasks[t]);
		}
		census_end(census, w[i]);
	}
	for (uint32_t i = 0; i < w[2]->nr_tasks; i++) {
		pid_t tid = w[2]->tasks[i].tid;
		uint32_t task = world_find_task(by_proc, tid);

		compare_numbers(tid, "told twice", i, world_find_task(w[2], tid));
		if (task == NO_INDEX || !slept(w[2], i, &by_proc->tasks[task]))
			continue;
		compare(&w[2]->tasks[i], &by_proc->tasks[task]);
		nr_kept++;
		for (int k = 1; k < argc; k++)
			if (atoi(argv[k]) == tid)
				argv[k] = "0";
	}
	for (int k = 1; k < argc; k++)
		compare_numbers(atoi(argv[k]), "not compared", atoi(argv[k]), 0);
	printf("kept %u\n", nr_kept);
	return nr_wrong != 0;
}
