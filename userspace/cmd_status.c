// SPDX-License-Identifier: GPL-2.0
/* gridlock status - what the module says of itself: probes, tables, losses, cost */
#include <argp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "source.h"
#include "view.h"

static const struct argp_option options[] = {
	{ "json", 'j', NULL, 0, "print one JSON object", 0 },
	{ 0 }
};

static const struct argp argp = {
	.options = options,
	.parser = command_parse_json,
	.doc = "Show which probe groups are on, what each kind of lock is covered by, the table "
	       "sizes, every loss and the module's own cost.",
};

/* Numbers stay numbers; everything else is a string. */
static struct json_object *json_value(const char *text)
{
	char *end;
	long long number = strtoll(text, &end, 10);

	return *text && !*end ? json_object_new_int64(number) : json_object_new_string(text);
}

/* "name value" lines to an object; @text is taken apart. */
static struct json_object *json_lines(char *text)
{
	struct json_object *o = json_object_new_object();
	char *line, *rest = text;

	while ((line = strsep(&rest, "\n"))) {
		char *value = line + strcspn(line, " \t");

		if (!*line)
			continue;
		if (*value)
			*value++ = '\0';
		value += strspn(value, " \t");
		json_object_object_add(o, line, json_value(value));
	}
	return o;
}

static void print_json(char *version, char *stats, char *coverage)
{
	struct json_object *o = json_object_new_object();

	version[strcspn(version, "\n")] = '\0';
	json_object_object_add(o, "schema", json_object_new_string("gridlock.status/1"));
	json_object_object_add(o, "version", json_object_new_string(version));
	json_object_object_add(o, "stats", json_lines(stats));
	json_object_object_add(o, "coverage", json_lines(coverage));
	view_json_print(o);
}

int cmd_status(int argc, char **argv)
{
	static const char *const names[] = { "version", "stats", "coverage" };
	char *text[3] = { NULL };
	bool json = false;
	size_t size;

	argp_parse(&argp, argc, argv, 0, NULL, &json);
	for (int i = 0; i < 3; i++) {
		int err = source_read(names[i], &text[i], &size);

		if (err) {
			source_explain(names[i], err);
			return EXIT_TROUBLE;
		}
	}
	if (json)
		print_json(text[0], text[1], text[2]);
	else
		printf("%s\n%s\n%s", text[0], text[1], text[2]);
	for (int i = 0; i < 3; i++)
		free(text[i]);
	return EXIT_CLEAN;
}
