// SPDX-License-Identifier: GPL-2.0
/*
 * coffman - the four conditions of Coffman, Elphick and Shoshani (1971), each
 * with what was seen of it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "describe.h"
#include "xalloc.h"

const char *coffman_name(enum coffman condition)
{
	static const char *const names[] = {
		[MUTUAL_EXCLUSION] = "mutual_exclusion",
		[HOLD_AND_WAIT] = "hold_and_wait",
		[NO_PREEMPTION] = "no_preemption",
		[CIRCULAR_WAIT] = "circular_wait",
	};

	return names[condition];
}

static const struct wait *wait_of(const struct world *w, uint32_t task)
{
	uint32_t wait = w->tasks[task].wait;

	return wait == NO_INDEX ? NULL : &w->waits[wait];
}

/* Why nobody else can have or end what the task waits for. */
static void print_exclusion(FILE *out, const struct world *w, const struct wait *wait)
{
	char *what = describe_wait(wait);
	char *who = describe_blockers(w, wait);

	switch (wait->kind) {
	case GL_KIND_PIPE_R:
		fprintf(out, "only holders of its write end can fill %s: %s", what, who);
		break;
	case GL_KIND_PIPE_W:
		fprintf(out, "only holders of its read end can drain %s: %s", what, who);
		break;
	case GL_KIND_CHILD:
	case GL_KIND_VFORK:
	case GL_KIND_JOIN:
		fprintf(out, "%s ends by its own doing alone: %s", what, who);
		break;
	case GL_KIND_SYSV_SEM ... GL_KIND_MQ:
	case GL_KIND_UNIX ... GL_KIND_POLL:
		fprintf(out, "only who has the other end can end the wait for %s: %s", what, who);
		break;
	default:
		fprintf(out, "%s is held by %s", what, who);
		if (wait->nr_blockers && w->resources[wait->blockers[0]].held == MODE_SHARED)
			fprintf(out, " (shared, wanted exclusive)");
	}
	free(what);
	free(who);
}

static char *mutual_exclusion(const struct world *w, const struct finding *f)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		const struct wait *wait = wait_of(w, f->tasks[i]);

		if (!wait)
			continue;
		fputs(i ? "; " : "", out);
		print_exclusion(out, w, wait);
	}
	fclose(out);
	return text;
}

/* What @task keeps from the first other member that waits for it. */
static const struct wait *kept_from(const struct world *w, const struct finding *f, uint32_t task)
{
	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		const struct wait *wait = wait_of(w, f->tasks[i]);

		if (wait && world_is_releaser(w, wait, task))
			return wait;
	}
	return NULL;
}

/* "a keeps X": what one member has that another one waits for. */
static void print_kept(FILE *out, const struct world *w, uint32_t task, const struct wait *kept)
{
	char *who = describe_task(w, task);
	char *other = describe_task(w, kept->task);
	char *what = describe_wait(kept);

	switch (kept->kind) {
	case GL_KIND_PIPE_R:
		fprintf(out, "%s keeps the write end of %s", who, what);
		break;
	case GL_KIND_PIPE_W:
		fprintf(out, "%s keeps the read end of %s", who, what);
		break;
	case GL_KIND_CHILD:
	case GL_KIND_VFORK:
	case GL_KIND_JOIN:
		fprintf(out, "%s keeps %s waiting for its end", who, other);
		break;
	default:
		fprintf(out, "%s keeps %s", who, what);
	}
	free(who);
	free(other);
	free(what);
}

static char *hold_and_wait(const struct world *w, const struct finding *f)
{
	const char *between = "";
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		const struct wait *wait = wait_of(w, f->tasks[i]);
		const struct wait *kept = kept_from(w, f, f->tasks[i]);
		char *what;

		if (!wait || !kept)
			continue;
		what = describe_wait(wait);
		fputs(between, out);
		print_kept(out, w, f->tasks[i], kept);
		fprintf(out, " while it waits for %s", what);
		between = "; ";
		free(what);
	}
	fclose(out);
	return text;
}

static char *no_preemption(const struct world *w, const struct finding *f)
{
	uint32_t nr_timed = 0, nr_unknown = 0;

	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		const struct wait *wait = wait_of(w, f->tasks[i]);

		nr_timed += wait && wait->timed == TIMED_YES;
		nr_unknown += wait && wait->timed == TIMED_UNKNOWN;
	}
	if (nr_timed)
		return xasprintf("%u of the waits end at a timeout", nr_timed);
	if (nr_unknown)
		return xasprintf("no wait has a timeout of its own, but timers of %u tasks are not known; every owner is alive and only an owner can release",
				 nr_unknown);
	return xstrdup("no wait has a timeout; every owner is alive and asleep, and only an owner can release");
}

static char *circular_wait(const struct world *w, const struct finding *f)
{
	const uint32_t *tasks = f->nr_circle ? f->circle : f->tasks;
	uint32_t nr = f->nr_circle ? f->nr_circle : f->nr_tasks;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (uint32_t i = 0; i <= nr && nr; i++) {
		char *task = describe_task(w, tasks[i % nr]);

		fprintf(out, "%s%s", i ? " -> " : "", task);
		free(task);
	}
	fclose(out);
	return text;
}

void describe_coffman(const struct world *w, struct finding *f)
{
	char *(*const condition[NR_COFFMAN])(const struct world *, const struct finding *) = {
		[MUTUAL_EXCLUSION] = mutual_exclusion,
		[HOLD_AND_WAIT] = hold_and_wait,
		[NO_PREEMPTION] = no_preemption,
		[CIRCULAR_WAIT] = circular_wait,
	};

	for (int i = 0; i < NR_COFFMAN; i++) {
		free(f->coffman[i]);
		f->coffman[i] = condition[i](w, f);
	}
}
