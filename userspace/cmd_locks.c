// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock locks - contention since the module was loaded, by lock; columns as
 * perf lock contention prints them, ours to the right.
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "command.h"
#include "snapshot.h"
#include "source.h"
#include "text.h"
#include "view.h"
#include "world.h"
#include "xalloc.h"

/** struct locks_options - the command line */
struct locks_options {
	const char *key;
	unsigned long entries;
	const char *types;
	const char *lock;
	const char *separator;
	bool by_kind;
	bool json;
};

/** struct sort_key - a value rows can be sorted by, largest first */
struct sort_key {
	const char *name;
	uint64_t (*value)(const struct gl_lock_record *row);
};

static uint64_t key_contended(const struct gl_lock_record *row)
{
	return row->nr_begun;
}

static uint64_t key_wait_total(const struct gl_lock_record *row)
{
	return row->total_ns;
}

static uint64_t key_wait_max(const struct gl_lock_record *row)
{
	return row->max_ns;
}

static uint64_t key_wait_min(const struct gl_lock_record *row)
{
	return row->min_ns;
}

static uint64_t key_avg_wait(const struct gl_lock_record *row)
{
	return row->nr_ended ? row->total_ns / row->nr_ended : 0;
}

static const struct sort_key sort_keys[] = {
	{ "contended", key_contended }, { "wait_total", key_wait_total },
	{ "wait_max", key_wait_max },	{ "wait_min", key_wait_min },
	{ "avg_wait", key_avg_wait },
};

#define KEY_NAMES	"contended, wait_total, wait_max, wait_min, avg_wait"

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
	{ "kinds", 'K', NULL, 0, "one row for each kind instead of each lock", 0 },
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

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct locks_options *o = state->input;
	char *end;

	switch (key) {
	case 'k':
		if (!find_key(arg))
			argp_error(state, "no sort key '%s': use one of " KEY_NAMES, arg);
		o->key = arg;
		return 0;
	case 'E':
		errno = 0;
		o->entries = strtoul(arg, &end, 10);
		if (errno || *end || end == arg || *arg == '-' || !o->entries)
			argp_error(state, "-E takes a number above 0, not '%s'", arg);
		return 0;
	case 'Y':
		check_types(arg, state);
		o->types = arg;
		return 0;
	case 'L':
		o->lock = arg;
		return 0;
	case 'K':
		o->by_kind = true;
		return 0;
	case 'x':
		if (!*arg)
			argp_error(state, "-x takes a separator, not nothing");
		o->separator = arg;
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return EINVAL;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Show which locks tasks waited for, how often and how long, since the module was "
	       "loaded or reset.",
};

/* A type filter names a kind, or both sides of one: "rwsem" is rwsem:R and rwsem:W. */
static bool type_matches(const char *types, const char *kind)
{
	for (const char *at = types; *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");

		if (!strncmp(kind, at, len) && (!kind[len] || kind[len] == ':'))
			return true;
		at += len;
	}
	return false;
}

static bool lock_matches(const char *lock, const struct gl_lock_record *row)
{
	char *end;
	unsigned long long address = strtoull(lock, &end, 16);

	if (!strncmp(row->name, lock, strlen(lock)))
		return true;
	return *lock && !*end && row->res_addr && address == row->res_addr;
}

static bool wanted(const struct locks_options *o, const struct gl_lock_record *row)
{
	bool is_total = row->row == GL_ROW_TOTAL;

	if (is_total != o->by_kind || !row->nr_begun)
		return false;
	if (o->types && !type_matches(o->types, kind_name(row->kind)))
		return false;
	return !o->lock || lock_matches(o->lock, row);
}

static int compare(const void *a, const void *b, void *arg)
{
	const struct sort_key *key = arg;
	uint64_t x = key->value(*(const struct gl_lock_record *const *)a);
	uint64_t y = key->value(*(const struct gl_lock_record *const *)b);

	return x < y ? 1 : x > y ? -1 : 0;
}

/* What the row stands for, best name first. */
static char *row_label(const struct gl_lock_record *row)
{
	char name[TEXT_NAME_SIZE];

	if (row->row == GL_ROW_TOTAL)
		return xstrdup("all");
	if (row->row == GL_ROW_OTHER)
		return xstrdup("(other locks)");
	if (row->name[0])
		return xstrdup(text_escape(row->name, name, sizeof(name)));
	if (row->kind == GL_KIND_FUTEX || row->kind == GL_KIND_FUTEX_PI)
		return xasprintf("0x%llx of process %d", row->res_addr, row->tgid);
	if (row->res_addr)
		return xasprintf("0x%llx", row->res_addr);
	return xasprintf("#%016llx", row->res_id);
}

static const char *cell(uint64_t ns, char *buf, size_t size)
{
	static const char *const units[] = { "ns", "us", "ms", "s" };
	double value = ns;
	int unit = 0;

	while (value >= 1000 && unit < 3) {
		value /= 1000;
		unit++;
	}
	snprintf(buf, size, unit ? "%.2f %s" : "%.0f %s", value, units[unit]);
	return buf;
}

static void print_row(const struct gl_lock_record *row)
{
	char total[32], max[32], avg[32], min[32];
	char *label = row_label(row);

	printf("%10llu %12s %12s %12s %12s   %-40s %10s %8llu %8llu\n", row->nr_begun,
	       cell(row->total_ns, total, sizeof(total)), cell(row->max_ns, max, sizeof(max)),
	       cell(key_avg_wait(row), avg, sizeof(avg)), kind_name(row->kind), label,
	       cell(row->min_ns, min, sizeof(min)), row->nr_failed,
	       row->nr_begun - row->nr_ended - row->nr_lost);
	free(label);
}

static void print_csv(const struct gl_lock_record *row, const char *sep)
{
	char *label = row_label(row);

	printf("%llu%s%llu%s%llu%s%llu%s%s%s%s%s%llu%s%llu%s%llu\n", row->nr_begun, sep,
	       row->total_ns, sep, row->max_ns, sep, (unsigned long long)key_avg_wait(row), sep,
	       kind_name(row->kind), sep, label, sep, row->min_ns, sep, row->nr_failed, sep,
	       row->nr_begun - row->nr_ended - row->nr_lost);
	free(label);
}

static struct json_object *json_row(const struct gl_lock_record *row)
{
	struct json_object *o = json_object_new_object();
	char *label = row_label(row);
	char id[32];

	snprintf(id, sizeof(id), "%016llx", row->res_id);
	json_object_object_add(o, "type", json_object_new_string(kind_name(row->kind)));
	json_object_object_add(o, "id", json_object_new_string(id));
	json_object_object_add(o, "lock", json_object_new_string(label));
	json_object_object_add(o, "contended", json_object_new_int64(row->nr_begun));
	json_object_object_add(o, "ended", json_object_new_int64(row->nr_ended));
	json_object_object_add(o, "failed", json_object_new_int64(row->nr_failed));
	json_object_object_add(o, "lost", json_object_new_int64(row->nr_lost));
	json_object_object_add(o, "wait_total_ns", json_object_new_int64(row->total_ns));
	json_object_object_add(o, "wait_min_ns", json_object_new_int64(row->min_ns));
	json_object_object_add(o, "wait_max_ns", json_object_new_int64(row->max_ns));
	json_object_object_add(o, "avg_wait_ns", json_object_new_int64(key_avg_wait(row)));
	free(label);
	return o;
}

static void print_json(const struct gl_lock_record *const *rows, size_t nr)
{
	struct json_object *o = json_object_new_object();
	struct json_object *array = json_object_new_array();

	for (size_t i = 0; i < nr; i++)
		json_object_array_add(array, json_row(rows[i]));
	json_object_object_add(o, "schema", json_object_new_string("gridlock.locks/1"));
	json_object_object_add(o, "locks", array);
	view_json_print(o);
}

static void print_rows(const struct gl_lock_record *const *rows, size_t nr,
		       const struct locks_options *o)
{
	if (o->json) {
		print_json(rows, nr);
		return;
	}
	if (o->separator)
		printf("# contended%stotal wait%smax wait%savg wait%stype%slock%smin wait%sfailed%sin flight\n",
		       o->separator, o->separator, o->separator, o->separator, o->separator,
		       o->separator, o->separator, o->separator);
	else
		printf("%10s %12s %12s %12s %12s   %-40s %10s %8s %8s\n\n", "contended",
		       "total wait", "max wait", "avg wait", "type", "lock", "min wait", "failed",
		       "waiting");
	for (size_t i = 0; i < nr; i++)
		if (o->separator)
			print_csv(rows[i], o->separator);
		else
			print_row(rows[i]);
}

int cmd_locks(int argc, char **argv)
{
	struct locks_options o = { .key = "wait_total", .entries = ~0UL };
	const struct gl_lock_record **rows;
	struct snapshot *snap;
	size_t nr = 0;
	int err;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	err = source_snapshot(GL_RECORD_LOCK, &snap);
	if (err) {
		source_explain("locks.bin", err);
		return EXIT_TROUBLE;
	}
	rows = xcalloc(snap->nr + 1, sizeof(*rows));
	for (size_t i = 0; i < snap->nr; i++)
		if (wanted(&o, &snap->locks[i]))
			rows[nr++] = &snap->locks[i];
	qsort_r(rows, nr, sizeof(*rows), compare, (void *)find_key(o.key));
	print_rows(rows, nr < o.entries ? nr : o.entries, &o);
	free(rows);
	snapshot_free(snap);
	return EXIT_CLEAN;
}
