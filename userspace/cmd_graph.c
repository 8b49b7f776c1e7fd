// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock graph - the wait-for graph, as a picture or for other programs.
 *
 * The graph is of one look at everything. What is red in it was proven by a
 * second one: a circle that was only passed through stays grey.
 */
#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "graphviz.h"
#include "look.h"
#include "picture.h"
#include "remote.h"
#include "view.h"

/** struct graph_options - the command line */
struct graph_options {
	const char *file;
	bool svg;
	bool json;
};

static const struct argp_option options[] = {
	{ "output", 'o', "FILE", 0,
	  "write to FILE: .dot, or .svg by graphviz's dot (default: dot on stdout)", 0 },
	{ "json", 'j', NULL, 0, "write one JSON object (gridlock.graph/1)", 0 },
	{ 0 }
};

static bool ends_in(const char *name, const char *end)
{
	size_t len = strlen(name), end_len = strlen(end);

	return len >= end_len && !strcmp(name + len - end_len, end);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct graph_options *o = state->input;

	switch (key) {
	case 'o':
		o->file = arg;
		o->svg = ends_in(arg, ".svg");
		return 0;
	case 'j':
		o->json = true;
		return 0;
	case ARGP_KEY_END:
		if (o->json && o->svg)
			argp_error(state, "--json makes no .svg");
		else if (o->file && !o->json && !o->svg && !ends_in(o->file, ".dot"))
			argp_error(state, "'%s' ends neither in .dot nor in .svg", o->file);
		return 0;
	default:
		return command_parse_rest(key, arg, state);
	}
}

static const struct argp argp = {
	.options = options,
	.parser = parse,
	.doc = "Draw who waits for whom: tasks are boxes, what they wait for ellipses. Deadlocks "
	       "are red, tasks behind a finding orange, edges to somebody only queued ahead "
	       "dashed; of tasks that wait alike one is drawn.\v"
	       "Exits 0, or 2 when it could not look, or write.",
};

static void mark_proven(struct picture *p, struct remote *remote, struct look *look)
{
	const struct limits limits = { .long_wait_ns = UINT64_MAX };
	struct look *proven;
	bool claims = false;

	findings_detect(look->world, &limits, &look->found);
	for (uint32_t i = 0; i < look->found.nr; i++)
		claims |= finding_needs_proof(&look->found.finding[i]);
	if (!claims)
		return;
	proven = look_confirm(remote, look, &limits);
	for (uint32_t i = 0; i < proven->found.nr; i++)
		picture_mark(p, proven->world, &proven->found.finding[i]);
	look_free(proven);
}

/* All of the output at once, so that no file is begun that cannot be finished. */
static int save(const char *file, const char *text, size_t size)
{
	FILE *out = file ? fopen(file, "we") : stdout;
	bool failed;

	if (!out)
		return -errno;
	failed = fwrite(text, 1, size, out) != size;
	if (file)
		failed |= fclose(out);
	return failed ? -errno : 0;
}

static void explain_svg(int err)
{
	if (err == -ENOENT)
		fprintf(stderr, "gridlock: graphviz's dot is not installed: install graphviz, or "
				"write a .dot file\n");
	else if (err == -ETIMEDOUT)
		fprintf(stderr, "gridlock: dot takes too long for so large a graph: "
				"write a .dot file\n");
	else
		fprintf(stderr, "gridlock: dot made no picture: %s\n", strerror(-err));
}

static int write_picture(const struct picture *p, const struct graph_options *o)
{
	char *text = NULL, *svg = NULL;
	size_t size, svg_size = 0;
	FILE *out = open_memstream(&text, &size);
	int err = 0;

	if (o->json)
		view_json_graph(p, out);
	else
		view_dot(p, out);
	fclose(out);
	if (o->svg)
		err = graphviz_svg(text, size, &svg, &svg_size);
	if (err) {
		explain_svg(err);
	} else {
		err = save(o->file, o->svg ? svg : text, o->svg ? svg_size : size);
		if (err)
			fprintf(stderr, "gridlock: cannot write %s: %s\n",
				o->file ? o->file : "the graph", strerror(-err));
	}
	free(svg);
	free(text);
	return err ? EXIT_TROUBLE : EXIT_CLEAN;
}

int cmd_graph(int argc, char **argv)
{
	struct graph_options o = { 0 };
	struct remote *remote;
	struct picture *p;
	struct look *look;
	int status;

	argp_parse(&argp, argc, argv, 0, NULL, &o);
	remote = command_remote();
	if (!remote)
		return EXIT_TROUBLE;
	look = command_look(remote);
	if (!look) {
		remote_free(remote);
		return EXIT_TROUBLE;
	}
	p = picture_new(look->world);
	mark_proven(p, remote, look);
	picture_draw(p);
	status = write_picture(p, &o);
	picture_free(p);
	look_free(look);
	remote_free(remote);
	return status;
}
