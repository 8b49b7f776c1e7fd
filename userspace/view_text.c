// SPDX-License-Identifier: GPL-2.0
/* view_text - findings in words, for people (view.h) */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "describe.h"
#include "text.h"
#include "view.h"
#include "view_explain.h"
#include "view_lens.h"
#include "xalloc.h"

/* Victims shown by name; the rest are a number. */
#define MAX_VICTIMS	8

/* The finding in one line, which is not ended here. */
static void print_headline(const struct report *r, const struct report_item *item)
{
	const struct finding *f = report_finding(r, item);
	const struct world *w = report_world(r, item);
	const char *plural = f->nr_tasks == 1 ? "" : "s";
	char time[32];
	uint64_t since;

	printf("%s (%s): %u task%s ", finding_type_name(f->type), verdict_name(f->verdict),
	       f->nr_tasks, plural);
	switch (f->type) {
	case FINDING_DEADLOCK:
		printf(f->nr_tasks == 1 ? "waits for itself" : "wait for each other");
		break;
	case FINDING_ORPHANED_LOCK:
		printf("%s for a lock that no living task can release",
		       f->nr_tasks == 1 ? "waits" : "wait");
		break;
	case FINDING_TRANSIENT_CYCLE:
		printf("wait%s for each other until a timeout", f->nr_tasks == 1 ? "s" : "");
		break;
	case FINDING_STARVATION:
		printf("wait%s while others are served", f->nr_tasks == 1 ? "s" : "");
		break;
	case FINDING_CPU_STARVATION:
		printf("can run and get%s no CPU", f->nr_tasks == 1 ? "s" : "");
		break;
	case FINDING_LIVELOCK:
		printf("try and fail, over and over");
		break;
	case FINDING_PRIORITY_INVERSION:
		printf("wait%s for a less urgent one that gets no CPU",
		       f->nr_tasks == 1 ? "s" : "");
		break;
	case FINDING_LOCK_INVERSION:
		printf("take two locks in opposite orders");
		break;
	default:
		printf("wait%s", f->nr_tasks == 1 ? "s" : "");
	}
	if (describe_since(w, f, &since))
		printf(", for %s", text_duration(since, time, sizeof(time)));
	else if (w->taken_ns > report_lasts_ns(r, item))
		printf(", for at least %s",
		       text_duration(w->taken_ns - report_lasts_ns(r, item), time, sizeof(time)));
	else
		printf(", since before this look");
}

/** struct line - one member's line, in columns */
struct line {
	char *task;
	/** @verb: "waits for"; "" for a task that is in no wait */
	const char *verb;
	char *what;
	const char *relation;
	char *who;
	const char *mark;
};

static struct line make_line(const struct world *w, uint32_t task)
{
	const struct task *t = &w->tasks[task];
	struct line line = { .task = describe_task(w, task), .mark = "" };
	const struct wait *wait;

	if (t->wait == NO_INDEX) {
		line.verb = t->state == 'R' ? "can run" : "waits for nothing";
		line.what = xstrdup("");
		line.relation = "";
		line.who = xstrdup("");
		return line;
	}
	wait = &w->waits[t->wait];
	line.verb = "waits for";
	line.what = describe_wait(wait);
	line.relation = describe_relation(wait->kind);
	line.who = describe_blockers(w, wait);
	for (uint32_t i = 0; i < wait->nr_blockers; i++)
		if (w->resources[wait->blockers[i]].evidence == EVIDENCE_INFERRED)
			line.mark = "  (inferred)";
	return line;
}

static int wider(int width, const char *s)
{
	int len = strlen(s);

	return len > width ? len : width;
}

static void print_lines(struct line *lines, uint32_t nr)
{
	int task = 0, what = 0;

	for (uint32_t i = 0; i < nr; i++) {
		task = wider(task, lines[i].task);
		what = wider(what, lines[i].what);
	}
	for (uint32_t i = 0; i < nr; i++) {
		printf("  %-*s  %s  %-*s  %s  %s%s\n", task, lines[i].task, lines[i].verb, what,
		       lines[i].what, lines[i].relation, lines[i].who, lines[i].mark);
		free(lines[i].task);
		free(lines[i].what);
		free(lines[i].who);
	}
}

static bool in_circle(const struct finding *f, uint32_t task)
{
	for (uint32_t i = 0; i < f->nr_circle; i++)
		if (f->circle[i] == task)
			return true;
	return false;
}

/* Members in wait order where one is known, then the others. */
static void print_members(const struct world *w, const struct finding *f)
{
	struct line *lines = xcalloc(f->nr_tasks + f->nr_circle + 1, sizeof(*lines));
	uint32_t nr = 0;

	for (uint32_t i = 0; i < f->nr_circle; i++)
		lines[nr++] = make_line(w, f->circle[i]);
	for (uint32_t i = 0; i < f->nr_tasks; i++)
		if (!in_circle(f, f->tasks[i]))
			lines[nr++] = make_line(w, f->tasks[i]);
	print_lines(lines, nr);
	free(lines);
}

/* "fair_share" as "fair share" */
static const char *in_words(const char *name, char *buf, size_t size)
{
	snprintf(buf, size, "%s", name);
	for (char *c = buf; *c; c++)
		if (*c == '_')
			*c = ' ';
	return buf;
}

static void print_coffman(const struct finding *f)
{
	for (int i = 0; i < NR_COFFMAN; i++) {
		char name[32];

		printf("  %-17s %s\n", in_words(coffman_name(i), name, sizeof(name)),
		       f->coffman[i] ? f->coffman[i] : "-");
	}
	if (f->verdict == VERDICT_CONFIRMED)
		printf("  %-17s only the owner unlocks, no signal, no debugger\n", "assumed");
}

static void print_roles(const struct world *w, const struct finding *f)
{
	char name[32];

	for (uint32_t i = 0; i < f->nr_roles; i++) {
		char *task = describe_task(w, f->roles[i].task);

		printf("  %-17s %s\n", in_words(f->roles[i].name, name, sizeof(name)), task);
		free(task);
	}
}

static void print_fact(const struct world *w, const struct fact *fact)
{
	char name[32], text[TEXT_NAME_SIZE];

	printf("  %-17s ", in_words(fact->name, name, sizeof(name)));
	switch (fact->unit) {
	case UNIT_COUNT:
		printf("%.0f", fact->number);
		break;
	case UNIT_NS:
		printf("%s", text_duration(fact->number, text, sizeof(text)));
		break;
	case UNIT_TEXT:
		printf("%s", text_escape(fact->text, text, sizeof(text)));
		break;
	default:
		printf("%.3f", fact->number);
	}
	if (fact->task != NO_INDEX) {
		char *task = describe_task(w, fact->task);

		printf(" (%s)", task);
		free(task);
	}
	putchar('\n');
}

static void print_finding(const struct report *r, const struct report_item *item)
{
	const struct finding *f = report_finding(r, item);
	const struct world *w = report_world(r, item);
	char *text;

	print_headline(r, item);
	putchar('\n');
	print_members(w, f);
	if (f->root != NO_INDEX && f->type == FINDING_LONG_WAIT) {
		text = describe_task(w, f->root);
		printf("  %-17s %s\n", "root", text);
		free(text);
	}
	if (f->nr_victims) {
		text = describe_tasks(w, f->victims, f->nr_victims, MAX_VICTIMS);
		printf("  %-17s %s\n", "waiting behind", text);
		free(text);
	}
	print_roles(w, f);
	for (uint32_t i = 0; i < f->nr_facts; i++)
		print_fact(w, &f->facts[i]);
	if (f->coffman[0])
		print_coffman(f);
	if (f->way_out) {
		text = describe_way_out(w, f);
		printf("  %-17s %s\n", "way out", text);
		free(text);
	}
	if (f->reason)
		printf("  %-17s %s\n", "not confirmed", f->reason);
	for (uint32_t i = 0; i < f->nr_tasks; i++)
		view_explain_text(w, f->tasks[i], explain_find(r->explained, w, f->tasks[i]));
	if (f->root != NO_INDEX && f->type == FINDING_LONG_WAIT)
		view_explain_text(w, f->root, explain_find(r->explained, w, f->root));
	putchar('\n');
}

static void print_unseen(const struct report *r)
{
	const struct unseen *u = &r->unseen;
	const char *partial = report_partial(r);

	if (r->explained && r->explained->nr_left_out)
		printf("not explained, to end in time: %u more tasks\n", r->explained->nr_left_out);
	if (partial)
		printf("partial view: %s\n", partial);
	printf("unseen: %llu events lost, %llu waits lost, %llu unknown owners, %llu blocked reads, %llu denied reads, %llu tasks not looked at, %llu unproven\n",
	       (unsigned long long)u->events_lost, (unsigned long long)u->waits_lost,
	       (unsigned long long)u->unknown_owner, (unsigned long long)u->blocked_reads,
	       (unsigned long long)u->denied_reads, (unsigned long long)u->not_looked,
	       (unsigned long long)u->unproven);
	puts("not looked for: deadlocks of spinning locks; kernel locks waited for since before the module was loaded");
}

static void print_cost(const struct cost *cost)
{
	char cpu[32], longest[32];

	printf("cost: %u looks, %s of CPU time (%.1f %% of one), the longest look took %s\n",
	       cost->nr_looks, text_duration(cost->cpu_ns, cpu, sizeof(cpu)), cost->cpu_pct,
	       text_duration(cost->longest_ns, longest, sizeof(longest)));
	if (cost->census.nr_looks)
		printf("threads: told by a BPF program in %u looks; %.1f %% of them had slept since the look before\n",
		       cost->census.nr_looks,
		       100.0 * cost->census.nr_kept / cost->census.nr_told);
	else
		puts("threads: each read by /proc in every look");
}

static void print_lens(const struct lens_cost *cost)
{
	char cpu[32];

	printf("lens: %llu probe hits, %s of CPU time in their programs, %llu events lost\n",
	       (unsigned long long)cost->hits, text_duration(cost->cpu_ns, cpu, sizeof(cpu)),
	       (unsigned long long)cost->lost);
	if (cost->nr_ended || cost->nr_blind)
		printf("lens: %u processes have ended, %u are other programs whose calls are not seen\n",
		       cost->nr_ended, cost->nr_blind);
}

void view_text_report(const struct report *r, bool verbose)
{
	for (uint32_t i = 0; i < r->nr; i++)
		print_finding(r, &r->item[i]);
	if (!r->nr)
		printf("no finding in %.1f s\n", r->window_ns / 1e9);
	print_unseen(r);
	if (r->lens)
		print_lens(&r->cost.lens);
	if (r->holds && verbose)
		view_lens_text(r->holds);
	if (verbose)
		print_cost(&r->cost);
}

void view_text_event(const struct report *r, const struct report_item *item, const char *time,
		     const char *event)
{
	const struct finding *f = report_finding(r, item);
	char *tasks = describe_tasks(report_world(r, item), f->tasks, f->nr_tasks, MAX_VICTIMS);

	printf("%s %-6s %s ", time, event, item->uid);
	print_headline(r, item);
	printf(": %s\n", tasks);
	free(tasks);
}
