// SPDX-License-Identifier: GPL-2.0
/* view_json - results as JSON (view.h); the format is gridlock.check/1 */
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

#include "describe.h"
#include "text.h"
#include "view.h"
#include "view_explain.h"
#include "view_lens.h"
#include "way_out.h"

static struct json_object *seconds(uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", ns / 1e9);
	return json_object_new_double_s(ns / 1e9, text);
}

static struct json_object *ratio(double number)
{
	char text[32];

	snprintf(text, sizeof(text), "%.3f", number);
	return json_object_new_double_s(number, text);
}

static struct json_object *string_or_null(const char *s)
{
	return s ? json_object_new_string(s) : NULL;
}

void view_json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}

struct json_object *view_json_task(const struct world *w, uint32_t task)
{
	const struct task *t = &w->tasks[task];
	struct json_object *o = json_object_new_object();
	char name[TEXT_NAME_SIZE];

	json_object_object_add(o, "tid", json_object_new_int(t->tid));
	json_object_object_add(o, "pid", json_object_new_int(t->tgid));
	text_escape(t->comm, name, sizeof(name));
	json_object_object_add(o, "comm", json_object_new_string(name));
	return o;
}

/* A name that comes from elsewhere may be no UTF-8. */
static struct json_object *name_or_null(const char *s)
{
	char name[TEXT_NAME_SIZE];

	return s ? json_object_new_string(text_escape(s, name, sizeof(name))) : NULL;
}

static struct json_object *json_timed(enum timed timed)
{
	return timed == TIMED_UNKNOWN ? NULL : json_object_new_boolean(timed == TIMED_YES);
}

/* @seen_ns: a look that saw this very wait, for those that only /proc knows. */
static struct json_object *json_wait(const struct world *w, const struct wait *wait,
				     uint64_t seen_ns)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "kind", json_object_new_string(kind_name(wait->kind)));
	json_object_object_add(o, "id", name_or_null(wait->id));
	json_object_object_add(o, "name", name_or_null(wait->name));
	json_object_object_add(o, "mode",
			       wait->mode == MODE_NONE ? NULL :
				       json_object_new_string(mode_name(wait->mode)));
	if (wait->begin_ns && wait->begin_ns <= w->taken_ns) {
		json_object_object_add(o, "since_s", seconds(w->taken_ns - wait->begin_ns));
	} else {
		json_object_object_add(o, "since_s", NULL);
		json_object_object_add(o, "at_least_s", seconds(w->taken_ns - seen_ns));
	}
	json_object_object_add(o, "timed", json_timed(wait->timed));
	json_object_object_add(o, "where", string_or_null(wait->where));
	return o;
}

static struct json_object *json_blocker(const struct world *w, const struct resource *r)
{
	struct json_object *o = json_object_new_object();
	struct json_object *tids = json_object_new_array();

	for (uint32_t i = 0; i < r->nr_releasers; i++)
		json_object_array_add(tids, json_object_new_int(w->tasks[r->releasers[i]].tid));
	json_object_object_add(o, "tids", tids);
	json_object_object_add(o, "needs", json_object_new_string("any"));
	json_object_object_add(o, "evidence", json_object_new_string(evidence_name(r->evidence)));
	if (r->unknown)
		json_object_object_add(o, "unknown", json_object_new_boolean(1));
	if (r->soft)
		json_object_object_add(o, "soft", json_object_new_boolean(1));
	if (r->dead) {
		json_object_object_add(o, "dead", json_object_new_boolean(1));
		json_object_object_add(o, "dead_tid", json_object_new_int(r->dead_tid));
	}
	return o;
}

static struct json_object *json_waiter(const struct world *w, uint32_t task, uint64_t seen_ns)
{
	struct json_object *o = view_json_task(w, task);
	struct json_object *by = json_object_new_array();
	const struct wait *wait;

	if (w->tasks[task].wait == NO_INDEX) {
		json_object_object_add(o, "waits_for", NULL);
		json_object_object_add(o, "needs", NULL);
		json_object_object_add(o, "blocked_by", by);
		return o;
	}
	wait = &w->waits[w->tasks[task].wait];
	for (uint32_t i = 0; i < wait->nr_blockers; i++)
		json_object_array_add(by, json_blocker(w, &w->resources[wait->blockers[i]]));
	json_object_object_add(o, "waits_for", json_wait(w, wait, seen_ns));
	json_object_object_add(o, "needs",
			       json_object_new_string(wait->needs == NEEDS_ALL ? "all" : "any"));
	json_object_object_add(o, "blocked_by", by);
	return o;
}

struct json_object *view_json_waiter(const struct world *w, uint32_t task)
{
	return json_waiter(w, task, w->taken_ns);
}

static struct json_object *json_coffman(const struct finding *f)
{
	struct json_object *o = json_object_new_object();

	for (int i = 0; i < NR_COFFMAN; i++)
		json_object_object_add(o, coffman_name(i), string_or_null(f->coffman[i]));
	return o;
}

/* Null when the end of no one process would help. */
static struct json_object *json_way_out(const struct world *w, const struct way_out *way)
{
	struct json_object *frees = json_object_new_array();
	struct json_object *o;

	if (way->task == NO_INDEX) {
		json_object_put(frees);
		return NULL;
	}
	o = view_json_task(w, way->task);
	for (uint32_t i = 0; i < way->nr_frees; i++)
		json_object_array_add(frees, json_object_new_int(w->tasks[way->frees[i]].tid));
	json_object_object_add(o, "frees", frees);
	json_object_object_add(o, "ends", json_object_new_int(way->nr_ends));
	json_object_object_add(o, "tried", json_object_new_int(way->nr_tried));
	return o;
}

/* A member of a deadlock has not left its wait for as long as that lasts. */
static struct json_object *json_member(const struct report *r, const struct report_item *item,
				       uint32_t task)
{
	const struct world *w = report_world(r, item);
	bool stuck = report_finding(r, item)->type == FINDING_DEADLOCK;
	struct json_object *o =
		json_waiter(w, task, stuck ? report_lasts_ns(r, item) : w->taken_ns);

	view_explain_json(o, explain_find(r->explained, w, task));
	return o;
}

static struct json_object *json_root(const struct report *r, const struct world *w, uint32_t task)
{
	struct json_object *o = view_json_task(w, task);

	view_explain_json(o, explain_find(r->explained, w, task));
	return o;
}

static struct json_object *json_fact(const struct fact *fact)
{
	switch (fact->unit) {
	case UNIT_COUNT:
		return json_object_new_int64(fact->number);
	case UNIT_NS:
		return seconds(fact->number);
	case UNIT_TEXT:
		return json_object_new_string(fact->text);
	default:
		return ratio(fact->number);
	}
}

/* Facts about one task, or with NO_INDEX about the finding. */
static void add_facts(struct json_object *o, const struct finding *f, uint32_t task)
{
	for (uint32_t i = 0; i < f->nr_facts; i++)
		if (f->facts[i].task == task)
			json_object_object_add(o, f->facts[i].name, json_fact(&f->facts[i]));
}

/* "by" and the like may be several and are arrays; the others are one task. */
static void add_roles(struct json_object *o, const struct world *w, const struct finding *f)
{
	for (uint32_t i = 0; i < f->nr_roles; i++) {
		const struct finding_role *role = &f->roles[i];
		struct json_object *task = view_json_task(w, role->task), *array;

		add_facts(task, f, role->task);
		if (strcmp(role->name, "by")) {
			json_object_object_add(o, role->name, task);
			continue;
		}
		if (!json_object_object_get_ex(o, role->name, &array)) {
			array = json_object_new_array();
			json_object_object_add(o, role->name, array);
		}
		json_object_array_add(array, task);
	}
}

struct json_object *view_json_finding(const struct report *r, const struct report_item *item,
				      const char *id)
{
	const struct finding *f = report_finding(r, item);
	const struct world *w = report_world(r, item);
	struct json_object *o = json_object_new_object();
	struct json_object *tasks = json_object_new_array();
	struct json_object *victims = json_object_new_array();
	uint64_t since;

	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "type", json_object_new_string(finding_type_name(f->type)));
	json_object_object_add(o, "verdict", json_object_new_string(verdict_name(f->verdict)));
	if (describe_since(w, f, &since)) {
		json_object_object_add(o, "since_s", seconds(since));
	} else {
		json_object_object_add(o, "since_s", NULL);
		json_object_object_add(o, "at_least_s",
				       seconds(w->taken_ns - report_lasts_ns(r, item)));
	}
	if (f->reason)
		json_object_object_add(o, "reason", json_object_new_string(f->reason));
	for (uint32_t i = 0; i < f->nr_tasks; i++) {
		struct json_object *member = json_member(r, item, f->tasks[i]);

		add_facts(member, f, f->tasks[i]);
		json_object_array_add(tasks, member);
	}
	for (uint32_t i = 0; i < f->nr_victims; i++)
		json_object_array_add(victims, view_json_task(w, f->victims[i]));
	json_object_object_add(o, "tasks", tasks);
	json_object_object_add(o, "victims", victims);
	if (f->root != NO_INDEX && f->type == FINDING_LONG_WAIT)
		json_object_object_add(o, "root", json_root(r, w, f->root));
	add_roles(o, w, f);
	add_facts(o, f, NO_INDEX);
	if (f->coffman[0])
		json_object_object_add(o, "coffman", json_coffman(f));
	if (f->way_out)
		json_object_object_add(o, "way_out", json_way_out(w, f->way_out));
	return o;
}

static struct json_object *json_unseen(const struct report *r)
{
	struct json_object *o = json_object_new_object();
	const struct unseen *u = &r->unseen;

	json_object_object_add(o, "events_lost", json_object_new_int64(u->events_lost));
	json_object_object_add(o, "waits_lost", json_object_new_int64(u->waits_lost));
	json_object_object_add(o, "unknown_owner", json_object_new_int64(u->unknown_owner));
	json_object_object_add(o, "blocked_reads", json_object_new_int64(u->blocked_reads));
	json_object_object_add(o, "denied_reads", json_object_new_int64(u->denied_reads));
	json_object_object_add(o, "not_looked", json_object_new_int64(u->not_looked));
	json_object_object_add(o, "unproven", json_object_new_int64(u->unproven));
	return o;
}

static struct json_object *json_cost(const struct cost *cost)
{
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "looks", json_object_new_int64(cost->nr_looks));
	json_object_object_add(o, "cpu_s", seconds(cost->cpu_ns));
	json_object_object_add(o, "cpu_pct", ratio(cost->cpu_pct));
	json_object_object_add(o, "longest_look_s", seconds(cost->longest_ns));
	json_object_object_add(o, "bpf_looks", json_object_new_int64(cost->census.nr_looks));
	json_object_object_add(o, "threads_told", json_object_new_int64(cost->census.nr_told));
	json_object_object_add(o, "threads_kept", json_object_new_int64(cost->census.nr_kept));
	return o;
}

void view_json_lens(struct json_object *o, const struct lens_cost *cost)
{
	json_object_object_add(o, "hits", json_object_new_int64(cost->hits));
	json_object_object_add(o, "cpu_s", seconds(cost->cpu_ns));
	json_object_object_add(o, "lost", json_object_new_int64(cost->lost));
	json_object_object_add(o, "ended", json_object_new_int(cost->nr_ended));
	json_object_object_add(o, "blind", json_object_new_int(cost->nr_blind));
}

void view_json_report(const struct report *r)
{
	struct json_object *o = json_object_new_object();
	struct json_object *findings = json_object_new_array();
	const char *partial = report_partial(r);
	struct utsname uts;

	uname(&uts);
	for (uint32_t i = 0; i < r->nr; i++)
		json_object_array_add(findings, view_json_finding(r, &r->item[i], r->item[i].id));
	json_object_object_add(o, "schema", json_object_new_string("gridlock.check/1"));
	json_object_object_add(o, "kernel", json_object_new_string(uts.release));
	json_object_object_add(o, "module", json_object_new_boolean(r->module));
	json_object_object_add(o, "window_s", seconds(r->window_ns));
	json_object_object_add(o, "complete", json_object_new_boolean(!partial));
	if (partial)
		json_object_object_add(o, "partial", json_object_new_string(partial));
	json_object_object_add(o, "unseen", json_unseen(r));
	json_object_object_add(o, "cost", json_cost(&r->cost));
	if (r->lens) {
		struct json_object *lens = json_object_new_object();

		view_json_lens(lens, &r->cost.lens);
		if (r->holds)
			view_lens_json(lens, r->holds);
		json_object_object_add(o, "lens", lens);
	}
	json_object_object_add(o, "findings", findings);
	view_json_print(o);
}
