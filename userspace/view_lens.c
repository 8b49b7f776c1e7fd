// SPDX-License-Identifier: GPL-2.0
/* view_lens - how long locks were held (view_lens.h) */
#include <stdio.h>

#include "text.h"
#include "view_lens.h"

static const char *how_held(const struct hold *h)
{
	if (!(h->lock & LENS_IS_RWLOCK))
		return "";
	return h->lock & LENS_IS_SHARED ? ", to read," : ", to write,";
}

static void print_hold(const struct hold *h)
{
	char total[32], max[32], p50[32], p99[32], name[TEXT_NAME_SIZE], site[TEXT_NAME_SIZE];

	printf("  %s%s of %d: %llu times, %s in all, %s at most (taken at %s); half within %s, 99 %% within %s\n",
	       text_escape(h->name, name, sizeof(name)), how_held(h), h->pid,
	       (unsigned long long)h->nr,
	       text_duration(h->total_ns, total, sizeof(total)),
	       text_duration(h->max_ns, max, sizeof(max)),
	       text_escape(h->longest_at, site, sizeof(site)),
	       text_duration(h->p50_ns, p50, sizeof(p50)),
	       text_duration(h->p99_ns, p99, sizeof(p99)));
}

void view_lens_text(const struct lens_holds *holds)
{
	printf("locks held, the longest in all first: %u of %u, %llu holds not counted\n",
	       holds->nr, holds->nr_locks, (unsigned long long)holds->lost);
	for (uint32_t i = 0; i < holds->nr; i++)
		print_hold(&holds->hold[i]);
}

static struct json_object *seconds(uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%.9f", ns / 1e9);
	return json_object_new_double_s(ns / 1e9, text);
}

static struct json_object *json_name(const char *s)
{
	char name[TEXT_NAME_SIZE];

	return json_object_new_string(text_escape(s, name, sizeof(name)));
}

static struct json_object *json_histogram(const struct hold *h)
{
	struct json_object *slots = json_object_new_array();

	for (uint32_t i = 0; i < LENS_HOLD_SLOTS; i++) {
		uint64_t below_ns = lens_hold_below_ns(i);
		struct json_object *o;

		if (!h->slot[i])
			continue;
		o = json_object_new_object();
		json_object_object_add(o, "below_s", below_ns ? seconds(below_ns) : NULL);
		json_object_object_add(o, "count", json_object_new_int64(h->slot[i]));
		json_object_array_add(slots, o);
	}
	return slots;
}

static struct json_object *json_hold(const struct hold *h)
{
	const char *mode = h->lock & LENS_IS_SHARED ? "shared" : "exclusive";
	struct json_object *o = json_object_new_object();

	json_object_object_add(o, "pid", json_object_new_int(h->pid));
	json_object_object_add(o, "name", json_name(h->name));
	json_object_object_add(o, "mode", json_object_new_string(mode));
	json_object_object_add(o, "count", json_object_new_int64(h->nr));
	json_object_object_add(o, "total_s", seconds(h->total_ns));
	json_object_object_add(o, "max_s", seconds(h->max_ns));
	json_object_object_add(o, "longest_at", json_name(h->longest_at));
	json_object_object_add(o, "p50_s", seconds(h->p50_ns));
	json_object_object_add(o, "p99_s", seconds(h->p99_ns));
	json_object_object_add(o, "histogram", json_histogram(h));
	return o;
}

void view_lens_json(struct json_object *lens, const struct lens_holds *holds)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < holds->nr; i++)
		json_object_array_add(list, json_hold(&holds->hold[i]));
	json_object_object_add(lens, "locks_held", json_object_new_int64(holds->nr_locks));
	json_object_object_add(lens, "holds_lost", json_object_new_int64(holds->lost));
	json_object_object_add(lens, "holds", list);
}
