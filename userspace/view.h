/* SPDX-License-Identifier: GPL-2.0 */
/*
 * view - how results are shown: as text for people, as JSON for programs. A
 * view prints what it is given and computes nothing.
 */
#ifndef VIEW_H
#define VIEW_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report.h"
#include "world.h"

/**
 * view_text_report() - findings first, then what could not be seen; on stdout
 * @verbose: what looking cost, too
 */
void view_text_report(const struct report *r, bool verbose);

/** view_text_event() - what became of a finding at @time, in one line on stdout */
void view_text_event(const struct report *r, const struct report_item *item, const char *time,
		     const char *event);

/** view_json_finding() - one finding, under the identifier @id */
struct json_object *view_json_finding(const struct report *r, const struct report_item *item,
				      const char *id);

/** view_json_report() - the gridlock.check/1 object, on stdout */
void view_json_report(const struct report *r);

/** view_json_lens() - add to @o what a lens took, lost, and no longer sees */
void view_json_lens(struct json_object *o, const struct lens_cost *cost);

/** view_json_task() - tid, pid, comm */
struct json_object *view_json_task(const struct world *w, uint32_t task);

/** view_json_waiter() - a task with waits_for, needs and blocked_by */
struct json_object *view_json_waiter(const struct world *w, uint32_t task);

/** view_json_print() - print @object on stdout and free it */
void view_json_print(struct json_object *object);

struct remote;

/**
 * view_chain() - the wait chain of @task, on stdout: a tree, or gridlock.chain/1
 * @remote: to see where a task sleeps that waits for no lock; NULL: not told
 */
void view_chain(const struct world *w, struct remote *remote, uint32_t task, bool json);

struct picture;

/** view_dot() - the wait-for graph in graphviz's language */
void view_dot(const struct picture *p, FILE *out);

/** view_json_graph() - the gridlock.graph/1 object, on @out: every node, nothing collapsed */
void view_json_graph(const struct picture *p, FILE *out);

#endif /* VIEW_H */
