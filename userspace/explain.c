// SPDX-License-Identifier: GPL-2.0
/* explain - what the tasks of findings are and where they wait (explain.h) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "proc.h"
#include "remote.h"
#include "report.h"
#include "text.h"
#include "xalloc.h"

/* A crowd waits alike: some of it say what all would. */
#define MAX_TASKS	64
/* When this is over no further task is begun; the one under way has a deadline. */
#define BUDGET_NS	1500000000ULL

#define STACK_BYTES	16384
#define PATH_SIZE	64

static char *read_text(struct remote *remote, const struct task *t, const char *name, char *buf,
		       size_t size)
{
	char path[PATH_SIZE];
	ssize_t got;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", t->tgid, t->tid, name);
	got = remote_read_file(remote, t->tgid, path, buf, size);
	if (got <= 0)
		return NULL;
	/* cmdline separates by NULs. */
	for (ssize_t i = 0; i + 1 < got; i++)
		if (!buf[i])
			buf[i] = ' ';
	return buf;
}

static char *read_cgroup(struct remote *remote, const struct task *t)
{
	char buf[4096], *line, *path;

	if (!read_text(remote, t, "cgroup", buf, sizeof(buf)))
		return NULL;
	/* "0::/path" is version 2's; "4:memory:/path" is of another version. */
	line = strstr(buf, "0::/");
	if (line && line != buf && line[-1] != '\n')
		line = NULL;
	path = strchr(line ? line : buf, '/');
	return path ? strndup(path, strcspn(path, "\n")) : NULL;
}

/* "pid:[4026531836]" */
static uint64_t read_ns(struct remote *remote, const char *task, pid_t tgid, const char *name)
{
	char path[PATH_SIZE], buf[64];
	unsigned long long inode;

	snprintf(path, sizeof(path), "/proc/%s/ns/%s", task, name);
	if (remote_read_link(remote, tgid, path, buf, sizeof(buf)) <= 0)
		return 0;
	return sscanf(buf, "%*[a-z]:[%llu]", &inode) == 1 ? inode : 0;
}

static void read_namespaces(struct remote *remote, const struct task *t, struct explanation *x)
{
	char task[32];
	struct proc_ids ids;

	snprintf(task, sizeof(task), "%d", t->tid);
	x->pid_ns = read_ns(remote, task, t->tgid, "pid");
	x->mnt_ns = read_ns(remote, task, t->tgid, "mnt");
	x->own_pid_ns = x->pid_ns && x->pid_ns != read_ns(remote, "self", t->tgid, "pid");
	x->ns_tid = proc_ids(t->tgid, t->tid, &ids) ? t->tid : ids.ns_tid;
}

/* Lines "[<0>] function+0x12/0x34"; without root the file is empty or refused. */
static void read_kernel_stack(struct remote *remote, const struct task *t, struct explanation *x)
{
	char buf[STACK_BYTES], *rest, *line;

	rest = read_text(remote, t, "stack", buf, sizeof(buf));
	while (rest && (line = strsep(&rest, "\n"))) {
		char *function = strstr(line, "] ");

		if (function)
			*vec_push(x->kernel, x->nr_kernel) = xstrdup(function + 2);
	}
}

static const char *why_none(ssize_t err)
{
	switch (err) {
	case -ENOSYS:
		return "this gridlock was built without libdw";
	case -EAGAIN:
		return "it did not sleep all the while";
	case -ETIMEDOUT:
		return "its memory or its files could not be read in time";
	case -EACCES:
	case -EPERM:
		return "permission denied: run as root";
	case -ENOEXEC:
		return "it cannot be unwound";
	default:
		return "it could not be read";
	}
}

static void read_user_stack(struct remote *remote, const struct task *t, struct explanation *x)
{
	char buf[STACK_BYTES];
	ssize_t got;

	if (t->kthread) {
		x->no_user = "a kernel thread has none";
		return;
	}
	got = remote_user_stack(remote, t->tgid, t->tid, buf, sizeof(buf));
	if (got < 0) {
		x->no_user = why_none(got);
		return;
	}
	ustack_parse(buf, &x->user);
	x->no_user = x->user.nr ? NULL : why_none(-ENOEXEC);
}

static struct explanation explain(struct remote *remote, const struct task *t)
{
	struct explanation x = { .tid = t->tid, .start_ticks = t->start_ticks };
	char buf[4096];

	x.cgroup = read_cgroup(remote, t);
	read_namespaces(remote, t, &x);
	read_kernel_stack(remote, t, &x);
	if (read_text(remote, t, "cmdline", buf, sizeof(buf)))
		x.cmdline = xstrdup(buf);
	read_user_stack(remote, t, &x);
	return x;
}

/** struct list - tasks to explain, in the order of the findings */
struct list {
	struct task *task;
	uint32_t nr;
};

static void add_task(struct list *list, const struct task *t)
{
	for (uint32_t i = 0; i < list->nr && i < MAX_TASKS; i++)
		if (list->task[i].tid == t->tid)
			return;
	*vec_push(list->task, list->nr) = *t;
}

static void list_tasks(const struct report *r, struct list *list)
{
	for (uint32_t i = 0; i < r->nr; i++) {
		const struct finding *f = report_finding(r, &r->item[i]);
		const struct world *w = report_world(r, &r->item[i]);

		for (uint32_t k = 0; k < f->nr_tasks; k++)
			add_task(list, &w->tasks[f->tasks[k]]);
		if (f->root != NO_INDEX && f->type == FINDING_LONG_WAIT)
			add_task(list, &w->tasks[f->root]);
	}
}

static int compare(const void *a, const void *b)
{
	const struct explanation *x = a, *y = b;

	return (x->tid > y->tid) - (x->tid < y->tid);
}

struct explanations *explain_report(const struct report *r, struct remote *remote)
{
	struct explanations *x = xcalloc(1, sizeof(*x));
	uint64_t end_ns = now_ns() + BUDGET_NS;
	struct list list = { 0 };

	list_tasks(r, &list);
	while (x->nr < list.nr && x->nr < MAX_TASKS && now_ns() < end_ns) {
		struct explanation of = explain(remote, &list.task[x->nr]);

		*vec_push(x->of, x->nr) = of;
	}
	x->nr_left_out = list.nr - x->nr;
	if (x->nr)
		qsort(x->of, x->nr, sizeof(*x->of), compare);
	free(list.task);
	return x;
}

void explanations_free(struct explanations *x)
{
	if (!x)
		return;
	for (uint32_t i = 0; i < x->nr; i++) {
		free(x->of[i].cmdline);
		free(x->of[i].cgroup);
		for (uint32_t k = 0; k < x->of[i].nr_kernel; k++)
			free(x->of[i].kernel[k]);
		free(x->of[i].kernel);
		ustack_free(&x->of[i].user);
	}
	free(x->of);
	free(x);
}

const struct explanation *explain_find(const struct explanations *x, const struct world *w,
				       uint32_t task)
{
	const struct explanation *found;
	struct explanation key = { .tid = w->tasks[task].tid };

	if (!x || !x->nr)
		return NULL;
	found = bsearch(&key, x->of, x->nr, sizeof(*x->of), compare);
	return found && found->start_ticks == w->tasks[task].start_ticks ? found : NULL;
}
