// SPDX-License-Identifier: GPL-2.0
/* describe - tasks and waits in words (describe.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "text.h"
#include "way_out.h"
#include "xalloc.h"

char *describe_task(const struct world *w, uint32_t task)
{
	char name[TEXT_NAME_SIZE];

	if (task >= w->nr_tasks)
		return xstrdup("?");
	return xasprintf("%s[%d]", text_escape(w->tasks[task].comm, name, sizeof(name)),
			 w->tasks[task].tid);
}

char *describe_tasks(const struct world *w, const uint32_t *tasks, uint32_t nr, uint32_t max)
{
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (uint32_t i = 0; i < nr && i < max; i++) {
		char *task = describe_task(w, tasks[i]);

		fprintf(out, "%s%s", i ? ", " : "", task);
		free(task);
	}
	if (nr > max)
		fprintf(out, " and %u more", nr - max);
	fclose(out);
	return text;
}

/* The kinds whose mode the kind's own name does not tell. */
static bool shows_mode(const struct wait *wait)
{
	return wait->mode != MODE_NONE && wait->kind >= GL_KIND_FLOCK &&
	       wait->kind <= GL_KIND_LEASE;
}

/* The kinds named for what they are: "pthread mutex 0x7f..", "child 12". */
static bool is_named_in_full(uint32_t kind)
{
	return kind == GL_KIND_FUTEX || kind == GL_KIND_FUTEX_PI || kind == GL_KIND_CHILD ||
	       kind == GL_KIND_COND || kind == GL_KIND_SEM;
}

char *describe_wait(const struct wait *wait)
{
	char name[TEXT_NAME_SIZE] = "";
	const char *mode = "", *open = "", *close = "";

	if (wait->name)
		text_escape(wait->name, name, sizeof(name));
	if (shows_mode(wait)) {
		mode = mode_name(wait->mode);
		open = " (";
		close = ")";
	}
	if (*name && (wait->kind == GL_KIND_PIPE_R || wait->kind == GL_KIND_PIPE_W))
		return xasprintf("%s (%s)", name, wait->kind == GL_KIND_PIPE_R ? "empty" : "full");
	if (*name && is_named_in_full(wait->kind))
		return xstrdup(name);
	return xasprintf("%s%s%s%s%s%s", kind_name(wait->kind), *name ? " " : "", name, open, mode,
			 close);
}

const char *describe_relation(uint32_t kind)
{
	switch (kind) {
	case GL_KIND_PIPE_R:
		return "written by";
	case GL_KIND_PIPE_W:
		return "read by";
	case GL_KIND_CHILD:
	case GL_KIND_VFORK:
	case GL_KIND_JOIN:
		return "ended by";
	default:
		return kind < GL_KIND_SYSV_SEM ? "held by" : "released by";
	}
}

static void print_blocker(FILE *out, const struct world *w, const struct resource *r)
{
	char *tasks;

	if (r->dead) {
		fprintf(out, "nobody alive");
		if (r->dead_tid)
			fprintf(out, " (was %d)", r->dead_tid);
		return;
	}
	tasks = describe_tasks(w, r->releasers, r->nr_releasers, 8);
	if (r->nr_releasers)
		fprintf(out, "%s%s", tasks, r->unknown ? ", or somebody unseen" : "");
	else
		fprintf(out, "unknown");
	if (r->soft)
		fprintf(out, " (queued ahead)");
	free(tasks);
}

char *describe_blockers(const struct world *w, const struct wait *wait)
{
	const char *between = wait->needs == NEEDS_ANY ? " or " : " and ";
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	for (uint32_t i = 0; i < wait->nr_blockers; i++) {
		fputs(i ? between : "", out);
		print_blocker(out, w, &w->resources[wait->blockers[i]]);
	}
	if (!wait->nr_blockers)
		fputs("unknown", out);
	else if (wait->unknown_releaser)
		fputs(", or somebody unseen", out);
	fclose(out);
	return text;
}

char *describe_way_out(const struct world *w, const struct finding *f)
{
	const struct way_out *way = f->way_out;
	char *who, *freed, *text;

	if (way->task == NO_INDEX && way->nr_tried == 1)
		return xstrdup("none: its process cannot be ended");
	if (way->task == NO_INDEX)
		return xasprintf("none: the end of no one of %u processes would free another",
				 way->nr_tried);
	who = describe_task(w, way->task);
	if (!way->nr_frees) {
		text = xasprintf("the end of %s would end all that wait", who);
	} else {
		freed = describe_tasks(w, way->frees, way->nr_frees, 8);
		text = xasprintf("the end of %s would free %s", who, freed);
		free(freed);
	}
	free(who);
	return text;
}

bool describe_since(const struct world *w, const struct finding *f, uint64_t *ns_ret)
{
	uint64_t youngest = 0;
	bool known = true;

	if (f->since_ns) {
		*ns_ret = f->since_ns < w->taken_ns ? w->taken_ns - f->since_ns : 0;
		return true;
	}
	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		uint32_t wait = w->tasks[f->tasks[i]].wait;
		uint64_t begin = wait == NO_INDEX ? 0 : w->waits[wait].begin_ns;

		if (!begin)
			known = false;
		else if (begin > youngest)
			youngest = begin;
	}
	*ns_ret = known && youngest < w->taken_ns ? w->taken_ns - youngest : 0;
	return known && f->nr_tasks;
}
