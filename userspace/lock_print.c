// SPDX-License-Identifier: GPL-2.0
/* lock_print - the contention table (lock_print.h) */
#include <stdio.h>
#include <string.h>

#include "array.h"
#include "lock_print.h"
#include "view.h"
#include "world.h"
#include "xalloc.h"

/** struct columns - what is special about the rows by one thing */
struct columns {
	/** @json: name of the array */
	const char *json;
	/** @first: head of the column before the label; NULL: there is none */
	const char *first;
	/** @label: head of the label's column, and its name in JSON */
	const char *label;
	/** @in_flight: waits are counted when they begin, and have a shortest one */
	bool in_flight;
	/** @form: a row is one lock, which may have a form */
	bool form;
};

static const struct columns columns[] = {
	[ROWS_BY_LOCK] = { "locks", "type", "lock", true, true },
	[ROWS_BY_KIND] = { "locks", "type", "lock", true, false },
	[ROWS_BY_TASK] = { "threads", "pid", "comm", false, false },
	[ROWS_BY_OWNER] = { "owners", "pid", "owner", false, false },
	[ROWS_BY_CGROUP] = { "cgroups", NULL, "cgroup", false, false },
	[ROWS_BY_CALLER] = { "callers", "type", "caller", false, false },
};

/* Their names in JSON. */
static const char *const failures[GL_NR_FAILURES] = {
	[GL_FAILED_SIGNAL] = "failed_signal",
	[GL_FAILED_TIMEOUT] = "failed_timeout",
	[GL_FAILED_DEADLOCK] = "failed_deadlock",
};

static const char *first_cell(const struct lock_row *row, char *buf, size_t size)
{
	if (row->kind < GL_NR_KINDS)
		return kind_name(row->kind);
	snprintf(buf, size, row->tid ? "%d" : "-", row->tid);
	return buf;
}

/* A time for people; "-" if it is not counted. */
static const char *cell(uint64_t ns, char *buf, size_t size)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = ns;
	int unit = 0;

	if (ns == ROW_UNKNOWN)
		return "-";
	while (value >= 1000 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(buf, size, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

/* A count for people; "-" if it is not known. */
static const char *count_cell(uint64_t value, char *buf, size_t size)
{
	if (value == ROW_UNKNOWN)
		return "-";
	snprintf(buf, size, "%llu", (unsigned long long)value);
	return buf;
}

static void print_head(const struct columns *c, bool holds)
{
	printf("%10s %12s %12s %12s ", "contended", "total wait", "max wait", "avg wait");
	if (c->first)
		printf("%12s ", c->first);
	printf("  %-40s", c->label);
	if (c->in_flight)
		printf(" %10s %8s %8s %10s %10s %8s %8s %8s", "min wait", "failed", "waiting",
		       "p50", "p99", "signal", "timeout", "deadlock");
	else
		printf(" %8s", "failed");
	if (c->form)
		printf(" %12s", "form");
	if (holds)
		printf(" %8s %10s %10s", "holds", "avg hold", "max hold");
	printf("\n\n");
}

static void print_failures(const struct lock_row *row)
{
	for (size_t i = 0; i < GL_NR_FAILURES; i++)
		printf(" %8llu", (unsigned long long)row->failed_by[i]);
}

static void print_holds(const struct lock_row *row)
{
	char avg[32], max[32];

	printf(" %8llu %10s %10s", (unsigned long long)row->holds,
	       cell(row->holds ? row_avg_hold_ns(row) : ROW_UNKNOWN, avg, sizeof(avg)),
	       cell(row->holds ? row->hold_max_ns : ROW_UNKNOWN, max, sizeof(max)));
}

static void print_row(const struct lock_row *row, const struct columns *c, bool holds)
{
	char total[32], max[32], avg[32], min[32], p50[32], p99[32], first[32], waiting[32];

	printf("%10llu %12s %12s %12s ", (unsigned long long)row->contended,
	       cell(row->total_ns, total, sizeof(total)), cell(row->max_ns, max, sizeof(max)),
	       cell(row_avg_ns(row), avg, sizeof(avg)));
	if (c->first)
		printf("%12s ", first_cell(row, first, sizeof(first)));
	printf("  %-40s", row->label);
	if (c->in_flight)
		printf(" %10s %8llu %8s %10s %10s", cell(row->min_ns, min, sizeof(min)),
		       (unsigned long long)row->failed,
		       count_cell(row->waiting, waiting, sizeof(waiting)),
		       cell(row->p50_ns, p50, sizeof(p50)), cell(row->p99_ns, p99, sizeof(p99)));
	if (c->in_flight)
		print_failures(row);
	else
		printf(" %8llu", (unsigned long long)row->failed);
	if (c->form)
		printf(" %12s", row->form == GL_FORM_UNKNOWN ? "-" : form_name(row->form));
	if (holds)
		print_holds(row);
	printf("\n");
}

static void print_stack(const char *stack)
{
	for (const char *at = stack; *at; at += strspn(at, " ")) {
		int len = strcspn(at, " ");

		printf("%52s   %.*s\n", "", len, at);
		at += len;
	}
}

/* --- separated fields --- */

static void print_fields_head(const struct columns *c, bool holds, const char *sep)
{
	printf("# contended%stotal wait%smax wait%savg wait%s", sep, sep, sep, sep);
	if (c->first)
		printf("%s%s", c->first, sep);
	printf("%s%s", c->label, sep);
	if (c->in_flight)
		printf("min wait%sfailed%sin flight%sp50%sp99%ssignal%stimeout%sdeadlock", sep, sep,
		       sep, sep, sep, sep, sep);
	else
		printf("failed");
	if (c->form)
		printf("%sform", sep);
	if (holds)
		printf("%sholds%sholds in irq%stotal hold%smax hold%savg hold", sep, sep, sep, sep,
		       sep);
	printf("\n");
}

/* A field that is not counted is empty. */
static void print_number(uint64_t value, const char *after)
{
	if (value != ROW_UNKNOWN)
		printf("%llu", (unsigned long long)value);
	fputs(after, stdout);
}

static void print_hold_fields(const struct lock_row *row, const char *sep)
{
	const uint64_t fields[] = { row->holds, row->holds_in_irq, row->hold_total_ns,
				    row->hold_max_ns, row_avg_hold_ns(row) };

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		fputs(sep, stdout);
		print_number(fields[i], "");
	}
}

static void print_fields(const struct lock_row *row, const struct columns *c, bool holds,
			 const char *sep)
{
	char first[32];

	print_number(row->contended, sep);
	print_number(row->total_ns, sep);
	print_number(row->max_ns, sep);
	print_number(row_avg_ns(row), sep);
	if (c->first)
		printf("%s%s", first_cell(row, first, sizeof(first)), sep);
	printf("%s%s", row->label, sep);
	if (c->in_flight)
		print_number(row->min_ns, sep);
	print_number(row->failed, c->in_flight ? sep : "");
	if (c->in_flight) {
		print_number(row->waiting, sep);
		print_number(row->p50_ns, sep);
		print_number(row->p99_ns, sep);
		for (size_t i = 0; i < GL_NR_FAILURES; i++)
			print_number(row->failed_by[i], i < GL_NR_FAILURES - 1 ? sep : "");
	}
	if (c->form)
		printf("%s%s", sep, row->form == GL_FORM_UNKNOWN ? "" : form_name(row->form));
	if (holds)
		print_hold_fields(row, sep);
	printf("\n");
}

void rows_print(const struct lock_row *rows, size_t nr, enum rows_by by, bool holds,
		const char *separator, bool stacks)
{
	const struct columns *c = &columns[by];

	if (separator)
		print_fields_head(c, holds, separator);
	else
		print_head(c, holds);
	for (size_t i = 0; i < nr; i++) {
		if (separator) {
			print_fields(&rows[i], c, holds, separator);
			continue;
		}
		print_row(&rows[i], c, holds);
		if (stacks)
			print_stack(rows[i].stack);
	}
}

/* --- JSON --- */

static void add_number(struct json_object *o, const char *name, uint64_t value)
{
	json_object_object_add(o, name,
			       value == ROW_UNKNOWN ? NULL : json_object_new_int64(value));
}

static void add_identity(struct json_object *o, const struct lock_row *row, enum rows_by by)
{
	char id[32];

	if (row->kind < GL_NR_KINDS)
		json_object_object_add(o, "type", json_object_new_string(kind_name(row->kind)));
	if (by == ROWS_BY_TASK || by == ROWS_BY_OWNER)
		json_object_object_add(o, "tid", json_object_new_int(row->tid));
	if (by == ROWS_BY_CALLER)
		json_object_object_add(o, "stack", json_object_new_string(row->stack));
	if (by != ROWS_BY_LOCK && by != ROWS_BY_KIND)
		return;
	snprintf(id, sizeof(id), "%016llx", (unsigned long long)row->id);
	json_object_object_add(o, "id", json_object_new_string(id));
}

static void add_holds(struct json_object *o, const struct lock_row *row)
{
	add_number(o, "holds", row->holds);
	add_number(o, "holds_in_irq", row->holds_in_irq);
	add_number(o, "hold_total_ns", row->hold_total_ns);
	add_number(o, "hold_max_ns", row->hold_max_ns);
	add_number(o, "avg_hold_ns", row_avg_hold_ns(row));
}

static struct json_object *json_row(const struct lock_row *row, enum rows_by by, bool holds)
{
	struct json_object *o = json_object_new_object();

	add_identity(o, row, by);
	json_object_object_add(o, columns[by].label, json_object_new_string(row->label));
	add_number(o, "contended", row->contended);
	add_number(o, "ended", row->ended);
	add_number(o, "failed", row->failed);
	add_number(o, "wait_total_ns", row->total_ns);
	add_number(o, "wait_max_ns", row->max_ns);
	add_number(o, "avg_wait_ns", row_avg_ns(row));
	if (!columns[by].in_flight)
		return o;
	for (size_t i = 0; i < GL_NR_FAILURES; i++)
		add_number(o, failures[i], row->failed_by[i]);
	add_number(o, "lost", row->lost);
	add_number(o, "wait_min_ns", row->min_ns);
	add_number(o, "p50_ns", row->p50_ns);
	add_number(o, "p99_ns", row->p99_ns);
	if (columns[by].form)
		json_object_object_add(o, "form", row->form == GL_FORM_UNKNOWN ? NULL :
				       json_object_new_string(form_name(row->form)));
	if (holds)
		add_holds(o, row);
	return o;
}

void rows_print_json(const struct lock_row *rows, size_t nr, enum rows_by by, bool holds)
{
	struct json_object *o = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < nr; i++)
		json_object_array_add(array, json_row(&rows[i], by, holds));
	json_object_object_add(o, "schema", json_object_new_string("gridlock.locks/1"));
	json_object_object_add(o, columns[by].json, array);
	view_json_print(o);
}
