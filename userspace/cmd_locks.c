// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock locks - contention since the module was loaded, by lock, task, owner,
 * cgroup or caller; columns as perf lock contention prints them, ours to the right.
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "command.h"
#include "lock_print.h"
#include "lock_rows.h"
#include "snapshot.h"
#include "source.h"
#include "world.h"

/** struct locks_options - the command line */
struct locks_options {
	struct row_filter filter;
	const char *key;
	unsigned long entries;
	const char *separator;
	bool json;
	bool stacks;
};

/** struct sort_key - a value rows can be sorted by, largest first */
struct sort_key {
	const char *name;
	uint64_t (*value)(const struct lock_row *row);
};

static uint64_t key_contended(const struct lock_row *row)
{
	return row->contended;
}

static uint64_t key_wait_total(const struct lock_row *row)
{
	return row->total_ns;
}

static uint64_t key_wait_max(const struct lock_row *row)
{
	return row->max_ns;
}

static uint64_t key_wait_min(const struct lock_row *row)
{
	return row->min_ns == ROW_UNKNOWN ? 0 : row->min_ns;
}

static uint64_t key_hold_total(const struct lock_row *row)
{
	return row->hold_total_ns;
}

static uint64_t key_hold_max(const struct lock_row *row)
{
	return row->hold_max_ns;
}

static const struct sort_key sort_keys[] = {
	{ "contended", key_contended }, { "wait_total", key_wait_total },
	{ "wait_max", key_wait_max },	{ "wait_min", key_wait_min },
	{ "avg_wait", row_avg_ns },	{ "hold_total", key_hold_total },
	{ "hold_max", key_hold_max },	{ "avg_hold", row_avg_hold_ns },
};

#define KEY_NAMES	"contended, wait_total, wait_max, wait_min, avg_wait, hold_total, hold_max, avg_hold"

static const struct sort_key *find_key(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(sort_keys); i++)
		if (!strcmp(sort_keys[i].name, name))
			return &sort_keys[i];
	return NULL;
}

static const struct argp_option options[] = {
	{ "key", 'k', "KEY", 0, "sort by KEY: " KEY_NAMES " (default wait_total)", 0 },
	{ "entries", 'E', "N", 0, "print the first N rows", 0 },
	{ "type-filter", 'Y', "TYPES", 0, "only these types, e.g. mutex,rwsem:W", 0 },
	{ "lock-filter", 'L', "LOCK", 0, "only this lock: a symbol or an address", 0 },
	{ "callstack-filter", 'S', "NAME", 0,
	  "only callers with NAME in a function on the stack (by caller)", 0 },
	{ "kinds", 'K', NULL, 0, "one row for each kind instead of each lock", 0 },
	{ "threads", 't', NULL, 0, "one row for each thread that waited", 0 },
	{ "lock-owner", 'o', NULL, 0, "one row for each thread that others waited for", 0 },
	{ "lock-cgroup", 'g', NULL, 0, "one row for each cgroup whose threads waited", 0 },
	{ "callers", 'c', NULL, 0, "one row for each place in the kernel that asked for locks", 0 },
	{ "verbose", 'v', NULL, 0, "with the stack of each caller", 0 },
	{ "field-separator", 'x', "SEP", 0, "fields separated by SEP, times in ns", 0 },
	{ "json", 'j', NULL, 0, "print one JSON object", 0 },
	{ 0 }
};

static bool known_type(const char *name, size_t len)
{
	for (uint32_t kind = 0; kind < GL_NR_KINDS; kind++) {
		const char *known = kind_name(kind);

		if (!strncmp(known, name, len) && (!known[len] || known[len] == ':'))
			return true;
	}
	return false;
}

static void check_types(const char *types, struct argp_state *state)
{
	for (const char *at = types; *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");

		if (!known_type(at, len))
			argp_error(state, "no type '%.*s': gridlock locks -K lists them", (int)len,
				   at);
		at += len;
	}
}

static void set_by(struct locks_options *o, enum rows_by by, struct argp_state *state)
{
	if (o->filter.by != ROWS_BY_LOCK && o->filter.by != by)
		argp_error(state, "-K, -t, -o, -g and -c exclude each other");
	o->filter.by = by;
}

static void check_filters(struct locks_options *o, struct argp_state *state)
{
	if (o->filter.function && o->filter.by == ROWS_BY_LOCK)
		o->filter.by = ROWS_BY_CALLER;
	if (o->filter.function && o->filter.by != ROWS_BY_CALLER)
		argp_error(state, "-S is for rows by caller");
	if (o->filter.lock && o->filter.by != ROWS_BY_LOCK)
		argp_error(state, "-L is for rows by lock");
}

static void parse_entries(const char *arg, struct locks_options *o, struct argp_state *state)
{
	char *end;

	errno = 0;
	o->entries = strtoul(arg, &end, 10);
	if (errno || *end || end == arg || *arg == '-' || !o->entries)
		argp_error(state, "-E takes a number above 0, not '%s'", arg);
}

static error_t parse_by(int key, struct argp_state *state)
{
	struct locks_options *o = state->input;

	switch (key) {
	case 'K':
		set_by(o, ROWS_BY_KIND, state);
		return 0;
	case 't':
		set_by(o, ROWS_BY_TASK, state);
		return 0;
	case 'o':
		set_by(o, ROWS_BY_OWNER, state);
		return 0;
	case 'g':
		set_by(o, ROWS_BY_CGROUP, state);
		return 0;
	case 'c':
		set_by(o, ROWS_BY_CALLER, state);
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
	struct locks_options *o = state->input;

	switch (key) {
	case 'Y':
		check_types(arg, state);
		o->filter.types = arg;
		return 0;
	case 'L':
		o->filter.lock = arg;
		return 0;
	case 'S':
		if (!*arg)
			argp_error(state, "-S takes a function's name, not nothing");
		o->filter.function = arg;
		return 0;
	default:
		return parse_by(key, state);
	}
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct locks_options *o = state->input;

	switch (key) {
	case 'k':
		if (!find_key(arg))
			argp_error(state, "no sort key '%s': use one of " KEY_NAMES, arg);
		o->key = arg;
		return 0;
	case 'E':
		parse_entries(arg, o, state);
		return 0;
	case 'x':
		if (!*arg)
			argp_error(state, "-x takes a separator, not nothing");
		o->separator = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case 'v':
		o->stacks = true;
		return 0;
	case ARGP_KEY_ARG:
		return command_parse_rest(key, arg, state);
	case ARGP_KEY_END:
		check_filters(o, state);
		return 0;
	default:
		return parse_filter(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Show which locks tasks waited for, how often and how long, since the module was "
	       "loaded or reset.",
};

static int compare(const void *a, const void *b, void *arg)
{
	const struct sort_key *key = arg;
	uint64_t x = key->value(a), y = key->value(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

/* What makes the module count by this. */
static const char *parameter_of(enum rows_by by)
{
	switch (by) {
	case ROWS_BY_TASK:
		return "by_task";
	case ROWS_BY_OWNER:
		return "by_owner";
	case ROWS_BY_CGROUP:
		return "by_cgroup";
	default:
		return "by_caller";
	}
}

static void print(const struct locks_options *o, const struct lock_row *rows, size_t nr,
		  bool holds)
{
	size_t shown = nr < o->entries ? nr : o->entries;

	if (o->json)
		rows_print_json(rows, shown, o->filter.by, holds);
	else
		rows_print(rows, shown, o->filter.by, holds, o->separator, o->stacks);
}

int cmd_locks(int argc, char **argv)
{
	struct locks_options o = { .key = "wait_total", .entries = ~0UL };
	struct lock_row *rows;
	struct snapshot *snap;
	bool is_counted, by_group;
	size_t nr;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	by_group = o.filter.by != ROWS_BY_LOCK && o.filter.by != ROWS_BY_KIND;
	err = source_snapshot(by_group ? GL_RECORD_GROUP : GL_RECORD_LOCK, &snap);
	if (err) {
		source_explain(by_group ? "groups.bin" : "locks.bin", err);
		return EXIT_TROUBLE;
	}
	if (strstr(o.key, "hold") && !rows_have_holds(snap)) {
		fprintf(stderr,
			"gridlock: the module does not count holds of that: load it with holds=1, on Linux 7.3 or newer, for rows by lock or kind\n");
		snapshot_free(snap);
		return EXIT_TROUBLE;
	}
	nr = rows_make(snap, &o.filter, &rows, &is_counted);
	if (!is_counted) {
		fprintf(stderr,
			"gridlock: the module does not count that: echo 1 >/sys/module/gridlock/parameters/%s\n",
			parameter_of(o.filter.by));
		snapshot_free(snap);
		return EXIT_TROUBLE;
	}
	if (nr)
		qsort_r(rows, nr, sizeof(*rows), compare, (void *)find_key(o.key));
	print(&o, rows, nr, rows_have_holds(snap));
	rows_free(rows, nr);
	snapshot_free(snap);
	return EXIT_CLEAN;
}
