// SPDX-License-Identifier: GPL-2.0
/* view_explain - what a task is and where it waits (view_explain.h) */
#include <stdio.h>
#include <stdlib.h>

#include "describe.h"
#include "text.h"
#include "view_explain.h"

/* A command line longer than this is cut; as text and as JSON. */
#define MAX_CMDLINE	1024

static void print_field(const char *name, const char *value)
{
	char safe[MAX_CMDLINE];

	if (value)
		printf("    %-13s %s\n", name, text_escape(value, safe, sizeof(safe)));
}

static void print_namespaces(const struct explanation *x)
{
	if (x->own_pid_ns)
		printf("    %-13s %llu, where it is task %d\n", "PID namespace",
		       (unsigned long long)x->pid_ns, x->ns_tid);
}

static void print_frame(const char *name, const struct frame *frame)
{
	char function[TEXT_NAME_SIZE], module[TEXT_NAME_SIZE];

	printf("    %-13s %s+0x%llx (%s)%s\n", name,
	       frame->function ? text_escape(frame->function, function, sizeof(function)) : "?",
	       (unsigned long long)frame->offset,
	       text_escape(frame->module, module, sizeof(module)),
	       frame->guessed ? " (guessed)" : "");
}

void view_explain_text(const struct world *w, uint32_t task, const struct explanation *x)
{
	char *name;

	if (!x)
		return;
	name = describe_task(w, task);
	printf("  %s\n", name);
	free(name);
	print_field("command", x->cmdline);
	print_field("cgroup", x->cgroup);
	print_namespaces(x);
	for (uint32_t i = 0; i < x->nr_kernel; i++)
		print_field(i ? "" : "in the kernel", x->kernel[i]);
	for (uint32_t i = 0; i < x->user.nr; i++)
		print_frame(i ? "" : "in its program", &x->user.frame[i]);
	if (x->no_user)
		print_field("in its program", x->no_user);
}

static void add_string(struct json_object *o, const char *name, const char *value)
{
	char safe[MAX_CMDLINE];
	struct json_object *text = NULL;

	if (value)
		text = json_object_new_string(text_escape(value, safe, sizeof(safe)));
	json_object_object_add(o, name, text);
}

static void add_number(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name, value ? json_object_new_int64(value) : NULL);
}

static struct json_object *json_frame(const struct frame *frame)
{
	struct json_object *o = json_object_new_object();
	char pc[32];

	snprintf(pc, sizeof(pc), "0x%llx", (unsigned long long)frame->pc);
	add_string(o, "function", frame->function);
	json_object_object_add(o, "offset", json_object_new_int64(frame->offset));
	add_string(o, "module", frame->module);
	add_string(o, "pc", pc);
	if (frame->guessed)
		json_object_object_add(o, "guessed", json_object_new_boolean(1));
	return o;
}

void view_explain_json(struct json_object *task, const struct explanation *x)
{
	static const struct explanation none = { .no_user = "left out, to end in time" };
	struct json_object *kernel = json_object_new_array();
	struct json_object *user = json_object_new_array();

	x = x ? x : &none;
	add_string(task, "cmdline", x->cmdline);
	add_string(task, "cgroup", x->cgroup);
	add_number(task, "pid_ns", x->pid_ns);
	add_number(task, "mnt_ns", x->mnt_ns);
	add_number(task, "ns_tid", x->ns_tid);
	for (uint32_t i = 0; i < x->nr_kernel; i++)
		json_object_array_add(kernel, json_object_new_string(x->kernel[i]));
	for (uint32_t i = 0; i < x->user.nr; i++)
		json_object_array_add(user, json_frame(&x->user.frame[i]));
	json_object_object_add(task, "kernel_stack", kernel);
	json_object_object_add(task, "user_stack", user);
	if (x->no_user)
		add_string(task, "no_user_stack", x->no_user);
}
