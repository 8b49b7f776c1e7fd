// SPDX-License-Identifier: GPL-2.0
/* gridlock waits - every wait in flight, longest first. */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "command.h"
#include "describe.h"
#include "look.h"
#include "remote.h"
#include "text.h"
#include "view.h"
#include "xalloc.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print one JSON object (gridlock.waits/1)", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = command_parse_json,
	.doc = "Print every wait in flight: who, for what, how long, held by whom; longest first.\v"
	       "Exits 0, or 2 when it could not look.",
};

/* Longest first; a begin that is not known comes last; then by thread. */
static int compare(const void *a, const void *b, void *arg)
{
	const struct world *w = arg;
	const struct wait *x = *(const struct wait *const *)a;
	const struct wait *y = *(const struct wait *const *)b;
	pid_t x_tid = w->tasks[x->task].tid, y_tid = w->tasks[y->task].tid;

	if (!x->begin_ns != !y->begin_ns)
		return x->begin_ns ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return (x_tid > y_tid) - (x_tid < y_tid);
}

static const struct wait **sorted(const struct world *w)
{
	const struct wait **waits = xcalloc(w->nr_waits + 1, sizeof(*waits));

	for (uint32_t i = 0; i < w->nr_waits; i++)
		waits[i] = &w->waits[i];
	qsort_r(waits, w->nr_waits, sizeof(*waits), compare, (void *)w);
	return waits;
}

static void print_json(const struct look *look, const struct wait *const *waits)
{
	const struct world *w = look->world;
	struct json_object *o = json_object_new_object();
	struct json_object *array = json_object_new_array();
	struct utsname uts;

	uname(&uts);
	for (uint32_t i = 0; i < w->nr_waits; i++)
		json_object_array_add(array, view_json_waiter(w, waits[i]->task));
	json_object_object_add(o, "schema", json_object_new_string("gridlock.waits/1"));
	json_object_object_add(o, "kernel", json_object_new_string(uts.release));
	json_object_object_add(o, "module", json_object_new_boolean(!look->snap_err));
	json_object_object_add(o, "waits", array);
	view_json_print(o);
}

enum column { TASK, PID, WHAT, SINCE, WHO, NR_COLUMNS };

/** struct row - the cells of one wait, owned */
struct row {
	char *cell[NR_COLUMNS];
};

static struct row make_row(const struct world *w, const struct wait *wait)
{
	char since[32] = "-";
	struct row row;

	if (wait->begin_ns && wait->begin_ns <= w->taken_ns)
		text_duration(w->taken_ns - wait->begin_ns, since, sizeof(since));
	row.cell[TASK] = describe_task(w, wait->task);
	row.cell[PID] = xasprintf("%d", w->tasks[wait->task].tgid);
	row.cell[WHAT] = describe_wait(wait);
	row.cell[SINCE] = xstrdup(since);
	row.cell[WHO] = describe_blockers(w, wait);
	return row;
}

static void print_rows(struct row *rows, uint32_t nr)
{
	int width[NR_COLUMNS] = { 0 };

	for (uint32_t i = 0; i < nr; i++)
		for (int c = 0; c < NR_COLUMNS; c++) {
			int len = strlen(rows[i].cell[c]);

			width[c] = len > width[c] ? len : width[c];
		}
	for (uint32_t i = 0; i < nr; i++) {
		char **cell = rows[i].cell;

		printf("%-*s  %*s  %-*s  %*s  %s\n", width[TASK], cell[TASK], width[PID], cell[PID],
		       width[WHAT], cell[WHAT], width[SINCE], cell[SINCE], cell[WHO]);
		for (int c = 0; c < NR_COLUMNS; c++)
			free(cell[c]);
	}
}

static void print_text(const struct world *w, const struct wait *const *waits)
{
	static const char *const head[] = { "TASK", "PID", "WAITS FOR", "SINCE", "HELD BY" };
	struct row *rows = xcalloc(w->nr_waits + 1, sizeof(*rows));

	for (int c = 0; c < NR_COLUMNS; c++)
		rows[0].cell[c] = xstrdup(head[c]);
	for (uint32_t i = 0; i < w->nr_waits; i++)
		rows[i + 1] = make_row(w, waits[i]);
	print_rows(rows, w->nr_waits + 1);
	free(rows);
}

int cmd_waits(int argc, char **argv)
{
	const struct wait **waits;
	struct remote *remote;
	struct look *look;
	bool json = false;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	remote = command_remote();
	if (!remote)
		return EXIT_TROUBLE;
	look = command_look(remote);
	remote_free(remote);
	if (!look)
		return EXIT_TROUBLE;
	waits = sorted(look->world);
	if (json)
		print_json(look, waits);
	else
		print_text(look->world, waits);
	free(waits);
	look_free(look);
	return EXIT_CLEAN;
}
