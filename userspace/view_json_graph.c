// SPDX-License-Identifier: GPL-2.0
/* view_json_graph - the wait-for graph as JSON; the format is gridlock.graph/1 */
#include <stdio.h>

#include "describe.h"
#include "picture.h"
#include "text.h"
#include "view.h"

static void add_string(struct json_object *o, const char *name, const char *value)
{
	json_object_object_add(o, name, value ? json_object_new_string(value) : NULL);
}

static void add_true(struct json_object *o, const char *name, bool value)
{
	if (value)
		json_object_object_add(o, name, json_object_new_boolean(1));
}

static void add_node_id(struct json_object *o, const char *name, char letter, uint32_t index)
{
	char id[16];

	snprintf(id, sizeof(id), "%c%u", letter, index);
	add_string(o, name, id);
}

static const struct wait *wait_of(const struct world *w, uint32_t task)
{
	return w->tasks[task].wait == NO_INDEX ? NULL : &w->waits[w->tasks[task].wait];
}

static struct json_object *task_node(const struct picture *p, uint32_t task)
{
	struct json_object *o = view_json_task(p->w, task);
	const struct task *t = &p->w->tasks[task];
	const struct wait *wait = wait_of(p->w, task);

	add_node_id(o, "id", 't', task);
	add_string(o, "type", "task");
	add_string(o, "role", role_name(p->role[task]));
	if (p->set[task]) {
		json_object_object_add(o, "finding", json_object_new_int64(p->set[task]));
		add_string(o, "verdict", verdict_name(p->verdict[task]));
	}
	add_string(o, "needs", !wait ? NULL : wait->needs == NEEDS_ALL ? "all" : "any");
	add_string(o, "suspended", t->suspended);
	add_true(o, "exiting", t->exiting);
	add_true(o, "unknown", wait && wait->unknown_releaser);
	return o;
}

static struct json_object *resource_node(const struct picture *p, uint32_t r)
{
	const struct resource *resource = &p->w->resources[r];
	const struct wait *wait = wait_of(p->w, p->waiter[r]);
	struct json_object *o = json_object_new_object();
	char name[TEXT_NAME_SIZE];

	add_node_id(o, "id", 'r', r);
	add_string(o, "type", "resource");
	add_string(o, "kind", kind_name(wait->kind));
	add_string(o, "name", wait->name ? text_escape(wait->name, name, sizeof(name)) : NULL);
	add_true(o, "unknown", resource->unknown || (!resource->dead && !resource->nr_releasers));
	add_true(o, "soft", resource->soft);
	add_true(o, "dead", resource->dead);
	if (resource->dead_tid)
		json_object_object_add(o, "dead_tid", json_object_new_int(resource->dead_tid));
	return o;
}

static struct json_object *edge(const struct picture *p, uint32_t task, uint32_t r, bool waits)
{
	const struct resource *resource = &p->w->resources[r];
	const struct wait *wait = wait_of(p->w, task);
	struct json_object *o = json_object_new_object();

	add_node_id(o, "from", waits ? 't' : 'r', waits ? task : r);
	add_node_id(o, "to", waits ? 'r' : 't', waits ? r : task);
	add_string(o, "type", waits ? "waits-for" : "released-by");
	if (waits)
		add_string(o, "evidence",
			   evidence_name(wait->gen ? EVIDENCE_RECORDED : EVIDENCE_READ));
	else
		add_string(o, "evidence", evidence_name(resource->evidence));
	add_true(o, "soft", resource->soft);
	return o;
}

static bool is_drawn(const struct picture *p, uint32_t task)
{
	return p->w->tasks[task].wait != NO_INDEX || p->role[task] != ROLE_NONE ||
	       p->frees_off[task + 1] > p->frees_off[task];
}

static void add_edges(const struct picture *p, uint32_t task, struct json_object *edges)
{
	const struct wait *wait = wait_of(p->w, task);

	for (uint32_t i = 0; wait && i < wait->nr_blockers; i++)
		json_object_array_add(edges, edge(p, task, wait->blockers[i], true));
	for (uint32_t i = p->frees_off[task]; i < p->frees_off[task + 1]; i++)
		if (p->waiter[p->frees[i]] != NO_INDEX && !p->w->resources[p->frees[i]].dead)
			json_object_array_add(edges, edge(p, task, p->frees[i], false));
}

void view_json_graph(const struct picture *p, FILE *out)
{
	struct json_object *o = json_object_new_object();
	struct json_object *nodes = json_object_new_array();
	struct json_object *edges = json_object_new_array();

	for (uint32_t t = 0; t < p->w->nr_tasks; t++) {
		if (!is_drawn(p, t))
			continue;
		json_object_array_add(nodes, task_node(p, t));
		add_edges(p, t, edges);
	}
	for (uint32_t r = 0; r < p->w->nr_resources; r++)
		if (p->waiter[r] != NO_INDEX)
			json_object_array_add(nodes, resource_node(p, r));
	add_string(o, "schema", "gridlock.graph/1");
	json_object_object_add(o, "nodes", nodes);
	json_object_object_add(o, "edges", edges);
	fputs(json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY |
							JSON_C_TO_STRING_NOSLASHESCAPE), out);
	fputc('\n', out);
	json_object_put(o);
}
