/* SPDX-License-Identifier: GPL-2.0 */
/* view_explain - what a task is and where it waits, as text and as JSON. */
#ifndef VIEW_EXPLAIN_H
#define VIEW_EXPLAIN_H

#include <json-c/json.h>

#include "explain.h"

/** view_explain_text() - an indented block on stdout; nothing if @x is NULL */
void view_explain_text(const struct world *w, uint32_t task, const struct explanation *x);

/** view_explain_json() - add cmdline, cgroup, pid_ns ... to a task's object; @x may be NULL */
void view_explain_json(struct json_object *task, const struct explanation *x);

#endif /* VIEW_EXPLAIN_H */
