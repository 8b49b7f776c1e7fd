// SPDX-License-Identifier: GPL-2.0
/*
 * view_dot - the wait-for graph in graphviz's language: tasks as boxes,
 * resources as ellipses, an edge from a task to what it waits for and from
 * there to who can release it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "describe.h"
#include "picture.h"
#include "text.h"
#include "view.h"

/* Letters of a line that are shown; a path can be long. */
#define MAX_LETTERS	64

/** struct paint - how a task of some role looks */
struct paint {
	const char *line;
	const char *fill;
};

static const struct paint paint[] = {
	[ROLE_NONE] = { "gray40", "white" },
	[ROLE_VICTIM] = { "orange", "#fff3e0" },
	[ROLE_ORPHAN] = { "purple", "#f3e5f5" },
	[ROLE_TRANSIENT] = { "goldenrod", "#fffde7" },
	[ROLE_DEADLOCK] = { "red", "#ffe5e5" },
};

/*
 * One line of a label; frees @words. They come from describe.h and hold no
 * control bytes; left is what ends a quoted string, or begins an escape there.
 */
static void print_words(FILE *out, char *words)
{
	for (const char *c = words; *c; c++) {
		if (c - words == MAX_LETTERS) {
			fputs("...", out);
			break;
		}
		if (*c == '"' || *c == '\\')
			fputc('\\', out);
		fputc(*c, out);
	}
	free(words);
}

static const struct wait *wait_of(const struct world *w, uint32_t task)
{
	return w->tasks[task].wait == NO_INDEX ? NULL : &w->waits[w->tasks[task].wait];
}

/* Below a task's name: what it does, as far as no edge tells. */
static void print_state(FILE *out, const struct world *w, uint32_t task)
{
	const struct task *t = &w->tasks[task];
	const struct wait *wait = wait_of(w, task);
	char time[32];

	fputs("\\n", out);
	if (t->suspended)
		fputs(t->suspended, out);
	else if (t->exiting)
		fputs("has exited", out);
	else if (!wait)
		fputs(t->state == 'R' ? "runs" : "waits for nothing known", out);
	else if (wait->begin_ns && wait->begin_ns <= w->taken_ns)
		fprintf(out, "waits %s",
			text_duration(w->taken_ns - wait->begin_ns, time, sizeof(time)));
	else
		fputs("waits", out);
	if (wait && wait->timed == TIMED_YES)
		fputs(", with a timeout", out);
	if (wait && !wait->nr_blockers) {
		fputs("\\nfor ", out);
		print_words(out, describe_wait(wait));
	}
}

static void print_box(const struct picture *p, FILE *out, uint32_t i)
{
	const struct box *box = &p->box[i];
	enum role role = p->role[box->task];

	fprintf(out, "  b%u [shape=box, color=\"%s\", fillcolor=\"%s\", label=\"", i,
		paint[role].line, paint[role].fill);
	if (box->more) {
		fprintf(out, "%u more like\\n", box->nr);
		print_words(out, describe_task(p->w, p->box[i].task));
	} else {
		print_words(out, describe_task(p->w, box->task));
		print_state(out, p->w, box->task);
	}
	if (role != ROLE_NONE)
		fprintf(out, "\\n%s (%s)",
			role == ROLE_VICTIM ? "behind a finding" : role_name(role),
			verdict_name(p->verdict[box->task]));
	fputs("\"];\n", out);
}

static void print_resource(const struct picture *p, FILE *out, uint32_t r)
{
	const struct resource *resource = &p->w->resources[r];
	bool in_core = p->core[r];
	const char *line = in_core ? paint[p->role[p->waiter[r]]].line : "gray40";

	fprintf(out, "  r%u [shape=ellipse, color=\"%s\", style=\"filled%s\", ", r, line,
		resource->unknown ? ",dashed" : "");
	fprintf(out, "fillcolor=\"%s\", label=\"", resource->dead ? "gray80" : "white");
	print_words(out, describe_wait(wait_of(p->w, p->waiter[r])));
	if (resource->dead && resource->dead_tid)
		fprintf(out, "\\nits owner %d is gone", resource->dead_tid);
	else if (resource->dead)
		fputs("\\nits owner is gone", out);
	else if (!resource->nr_releasers)
		fputs("\\nowner unknown", out);
	else if (resource->unknown)
		fputs("\\nalso somebody unseen", out);
	if (resource->soft)
		fputs("\\nqueued ahead", out);
	fputs("\"];\n", out);
}

/* Colour and dashes of an edge at @resource, whose task is @task. */
static void print_edge_style(const struct picture *p, FILE *out, uint32_t resource, uint32_t task,
			     const char *more)
{
	bool in_core = p->core[resource] && p->set[task] == p->core[resource] &&
		       p->role[task] >= ROLE_TRANSIENT;

	fprintf(out, " [color=\"%s\", style=\"%s\"%s];\n",
		in_core ? paint[p->role[task]].line : "gray40",
		p->w->resources[resource].soft ? "dashed" : "solid", more);
}

static void print_edges(const struct picture *p, FILE *out, uint32_t i)
{
	uint32_t task = p->box[i].task;
	const struct wait *wait = wait_of(p->w, task);
	const char *any = "";

	if (wait && wait->needs == NEEDS_ANY && wait->nr_blockers > 1)
		any = ", label=\"any\"";
	for (uint32_t k = 0; wait && k < wait->nr_blockers; k++) {
		fprintf(out, "  b%u -> r%u", i, wait->blockers[k]);
		print_edge_style(p, out, wait->blockers[k], task, any);
	}
	for (uint32_t k = p->frees_off[task]; k < p->frees_off[task + 1]; k++) {
		uint32_t r = p->frees[k];

		if (p->waiter[r] == NO_INDEX || p->w->resources[r].dead)
			continue;
		fprintf(out, "  r%u -> b%u", r, i);
		print_edge_style(p, out, r, task,
				 p->w->resources[r].evidence == EVIDENCE_INFERRED ?
					 ", label=\"inferred\"" : "");
	}
}

void view_dot(const struct picture *p, FILE *out)
{
	fputs("digraph gridlock {\n"
	      "  rankdir=LR;\n"
	      "  ranksep=0.3;\n"
	      "  nodesep=0.15;\n"
	      "  node [fontname=\"sans-serif\", fontsize=10, style=filled, margin=\"0.08,0.04\"];\n"
	      "  edge [fontname=\"sans-serif\", fontsize=9, arrowsize=0.7];\n",
	      out);
	if (p->nr_left_out)
		fprintf(out, "  label=\"not drawn: %u tasks that wait for nothing known\";\n",
			p->nr_left_out);
	for (uint32_t i = 0; i < p->nr_boxes; i++)
		print_box(p, out, i);
	for (uint32_t r = 0; r < p->w->nr_resources; r++)
		if (p->waiter[r] != NO_INDEX)
			print_resource(p, out, r);
	for (uint32_t i = 0; i < p->nr_boxes; i++)
		print_edges(p, out, i);
	fputs("}\n", out);
}
