// SPDX-License-Identifier: GPL-2.0
/*
 * picture_test - what the wait-for graph looks like in graphviz's language:
 * which lines there are, and which there are not, for worlds written by hand.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"
#include "kselftest_harness.h"
#include "picture.h"
#include "view.h"
#include "worlds.h"
#include "xalloc.h"

/* The picture with all that the detectors say marked. */
static struct picture *picture_of(const struct world *w)
{
	const struct limits limits = { .long_wait_ns = UINT64_MAX };
	struct picture *p = picture_new(w);
	struct findings found = { 0 };

	findings_detect(w, &limits, &found);
	for (uint32_t i = 0; i < found.nr; i++)
		picture_mark(p, w, &found.finding[i]);
	findings_free(&found);
	picture_draw(p);
	return p;
}

static char *dot_of(const struct world *w)
{
	struct picture *p = picture_of(w);
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	view_dot(p, out);
	fclose(out);
	picture_free(p);
	return text;
}

static int count(const char *text, const char *what)
{
	int nr = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		nr++;
	return nr;
}

FIXTURE(dot)
{
	struct world *w;
	char *text;
};

FIXTURE_SETUP(dot)
{
}

FIXTURE_TEARDOWN(dot)
{
	free(self->text);
	world_free(self->w);
}

static void draw(FIXTURE_DATA(dot) *self, const char *text)
{
	self->w = world_of(text);
	self->text = dot_of(self->w);
}

#define EXPECT_LINE(line)	EXPECT_EQ(1, count(self->text, "\n  " line "\n"))
#define EXPECT_LINES(nr, part)	EXPECT_EQ(nr, count(self->text, part))

TEST_F(dot, circle_is_red)
{
	draw(self, "1>a a=2 2>b b=1");
	EXPECT_LINE("b0 -> r0 [color=\"red\", style=\"solid\"];");
	EXPECT_LINE("r0 -> b1 [color=\"red\", style=\"solid\"];");
	EXPECT_LINE("b1 -> r1 [color=\"red\", style=\"solid\"];");
	EXPECT_LINE("r1 -> b0 [color=\"red\", style=\"solid\"];");
	EXPECT_LINES(2, "shape=box, color=\"red\"");
	EXPECT_LINES(2, "shape=ellipse, color=\"red\"");
}

TEST_F(dot, chain_is_not_red)
{
	draw(self, "1>a a=2 2>b b=3");
	EXPECT_LINE("b0 -> r0 [color=\"gray40\", style=\"solid\"];");
	EXPECT_LINES(3, "shape=box");
	EXPECT_LINES(2, "shape=ellipse");
	EXPECT_LINES(0, "red");
}

TEST_F(dot, task_behind_a_circle_is_orange_and_its_edge_grey)
{
	draw(self, "1>a a=2 2>b b=1 3>a");
	EXPECT_LINE("b2 -> r0 [color=\"gray40\", style=\"solid\"];");
	EXPECT_LINES(1, "shape=box, color=\"orange\"");
	EXPECT_LINES(2, "shape=box, color=\"red\"");
}

TEST_F(dot, edge_to_somebody_queued_ahead_is_dashed)
{
	self->w = world_of("1>a a=2 2>b b=3");
	resource_of(self->w, "a")->soft = true;
	self->text = dot_of(self->w);
	EXPECT_LINE("b0 -> r0 [color=\"gray40\", style=\"dashed\"];");
	EXPECT_LINE("r0 -> b1 [color=\"gray40\", style=\"dashed\"];");
	EXPECT_LINE("b1 -> r1 [color=\"gray40\", style=\"solid\"];");
}

TEST_F(dot, three_that_wait_alike_are_three_boxes)
{
	draw(self, "1>a 2>a 3>a a=4");
	EXPECT_LINES(4, "shape=box");
	EXPECT_LINES(0, "more like");
}

TEST_F(dot, four_that_wait_alike_are_one_box_and_one_for_the_rest)
{
	draw(self, "1>a 2>a 3>a 4>a a=5");
	EXPECT_LINES(3, "shape=box");
	EXPECT_LINES(1, "label=\"3 more like");
	EXPECT_LINES(2, " -> r0 ");
}

TEST_F(dot, who_holds_something_else_is_not_alike)
{
	draw(self, "1>a 2>a 3>a 4>a a=5 6>b b=4");
	EXPECT_LINES(5 + 1, "shape=box");
	EXPECT_LINES(0, "more like");
}

TEST_F(dot, who_waits_for_any_is_not_like_who_waits_for_all)
{
	draw(self, "1>a&b 2>a&b 3>a&b 4>a|b a=5 b=5");
	EXPECT_LINES(5, "shape=box");
	EXPECT_LINES(2, "label=\"any\"");
}

TEST_F(dot, many_able_to_release_are_two_boxes)
{
	draw(self, "1>a a=2,3,4,5,6");
	EXPECT_LINES(3, "shape=box");
	EXPECT_LINES(1, "label=\"4 more like");
}

TEST_F(dot, dead_owner_is_told_and_releases_nothing)
{
	draw(self, "1>a a=+");
	EXPECT_LINES(1, "its owner is gone");
	EXPECT_LINES(1, " -> ");
	EXPECT_LINES(1, "orphaned-lock (confirmed)");
}

TEST_F(dot, wait_for_nothing_known_is_counted_not_drawn)
{
	draw(self, "1>? 2>a a=3");
	EXPECT_LINES(1, "not drawn: 1 tasks");
	EXPECT_LINES(2, "shape=box");
}

TEST_F(dot, name_cannot_leave_its_quotes)
{
	self->w = world_of("1>a a=2");
	strcpy(self->w->tasks[0].comm, "\"]; x [\\N\n\033");
	wait_of(self->w, 1)->name = xstrdup("/tmp/\"; evil -> evil; \"\n");
	self->text = dot_of(self->w);
	EXPECT_LINES(1, "label=\"\\\"]; x [\\\\x5cN\\\\x0a\\\\x1b[1]");
	EXPECT_LINES(1, "flock /tmp/\\\"; evil -> evil; \\\"\\\\x0a (exclusive)\"];");
}

TEST_F(dot, long_name_is_cut)
{
	char name[400] = "";

	memset(name, 'x', sizeof(name) - 1);
	self->w = world_of("1>a a=2");
	wait_of(self->w, 1)->name = xstrdup(name);
	self->text = dot_of(self->w);
	EXPECT_LINES(1, "label=\"flock xxxx");
	EXPECT_LINES(1, "x...\"];");
	EXPECT_LT(strlen(self->text), 2000);
}

/* 500 tasks that make a picture to look at: it grows with the parts, not them. */
TEST_F(dot, crowd_of_500_is_a_few_boxes)
{
	char *crowd = xstrdup("1>a a=2 2>b b=1 ");

	for (int i = 3; i <= 500; i++) {
		char *more = xasprintf("%s%d>%c ", crowd, i, i % 2 ? 'a' : 'b');

		free(crowd);
		crowd = more;
	}
	draw(self, crowd);
	free(crowd);
	EXPECT_LINES(6, "shape=box");
	EXPECT_LINES(2, "label=\"248 more like");
}

TEST_F(dot, ring_of_500_is_whole)
{
	char *ring = ring_of(500);

	draw(self, ring);
	free(ring);
	EXPECT_LINES(500, "shape=box, color=\"red\"");
	EXPECT_LINES(500, "shape=ellipse, color=\"red\"");
	EXPECT_LINES(1000, " -> ");
}

TEST(finding_of_a_later_look_marks_the_same_thread_only)
{
	struct world *w = world_of("1>a a=2 2>b b=1"), *later = world_of("2>b b=1 1>a a=2");
	const struct limits limits = { .long_wait_ns = UINT64_MAX };
	struct picture *p = picture_new(w);
	struct findings found = { 0 };

	later->tasks[world_find_task(later, 2)].start_ticks = 7;
	findings_detect(later, &limits, &found);
	ASSERT_EQ(1, found.nr);
	picture_mark(p, later, &found.finding[0]);
	EXPECT_EQ(ROLE_DEADLOCK, p->role[0]);
	EXPECT_EQ(ROLE_NONE, p->role[1]);
	findings_free(&found);
	picture_free(p);
	world_free(later);
	world_free(w);
}

TEST(json_names_every_node_and_edge_with_evidence)
{
	struct world *w = world_of("1>a a=2 2>b b=1 3>a 4>a 5>a 6>a");
	struct picture *p;
	size_t size;
	char *text;
	FILE *out = open_memstream(&text, &size);

	resource_of(w, "b")->evidence = EVIDENCE_INFERRED;
	p = picture_of(w);
	view_json_graph(p, out);
	fclose(out);
	EXPECT_EQ(6, count(text, "\"type\":\"task\""));
	EXPECT_EQ(2, count(text, "\"type\":\"resource\""));
	EXPECT_EQ(6, count(text, "\"type\":\"waits-for\""));
	EXPECT_EQ(2, count(text, "\"type\":\"released-by\""));
	EXPECT_EQ(1, count(text, "\"evidence\":\"inferred\""));
	EXPECT_EQ(2, count(text, "\"role\":\"deadlock\""));
	EXPECT_EQ(4, count(text, "\"role\":\"victim\""));
	picture_free(p);
	world_free(w);
	free(text);
}

TEST_HARNESS_MAIN
