// SPDX-License-Identifier: GPL-2.0
/*
 * census_walk_test - threads that are told in pieces, while others come and go: whoever
 * is there all the while is told once. The kernel and its list are played by the test.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "census_walk.h"
#include "kselftest_harness.h"

#define MAX	(8 * CENSUS_PIECE)

/* --- the kernel, as the test plays it ------------------------------------------------- */

FIXTURE(machine)
{
	/** @thread: [nr] by number, in the order of the list; 0: gone */
	uint32_t thread[MAX];
	uint32_t nr;
	/** @told: [room] */
	uint32_t told[MAX];
	uint32_t room;
	/** @nr_pieces: that were asked for */
	uint32_t nr_pieces;
	/** @then: what happens after each, given the border; NULL: nothing */
	void (*then)(struct _test_data_machine *machine, uint32_t border);
	int err;
};

static uint32_t place_of(const FIXTURE_DATA(machine) * machine, uint32_t tid)
{
	uint32_t i;

	for (i = 0; i < machine->nr && machine->thread[i] != tid; i++)
		;
	return i;
}

static uint32_t next_place(const FIXTURE_DATA(machine) * machine, uint32_t i)
{
	while (i < machine->nr && !machine->thread[i])
		i++;
	return i;
}

static void tell_some(FIXTURE_DATA(machine) * machine, struct census_piece *piece)
{
	uint32_t tid = piece->from.tid;
	uint32_t i = tid ? place_of(machine, tid) : next_place(machine, 0);

	piece->to = piece->from;
	piece->outcome = i == machine->nr ? CENSUS_GONE : CENSUS_MORE;
	for (uint32_t k = 0; piece->outcome == CENSUS_MORE && k < CENSUS_PIECE; k++) {
		if (piece->to.nr == machine->room) {
			piece->outcome = CENSUS_FULL;
			break;
		}
		machine->told[piece->to.nr++] = machine->thread[i];
		i = next_place(machine, i + 1);
		if (i == machine->nr)
			piece->outcome = CENSUS_END;
	}
	piece->to.tid = i < machine->nr ? machine->thread[i] : 0;
}

static int tell(void *source, struct census_piece *piece)
{
	FIXTURE_DATA(machine) *machine = source;

	machine->nr_pieces++;
	tell_some(machine, piece);
	if (machine->then && piece->outcome == CENSUS_MORE)
		machine->then(machine, piece->to.tid);
	return machine->err;
}

static void have(FIXTURE_DATA(machine) * machine, uint32_t nr)
{
	machine->nr = nr;
	machine->nr_pieces = 0;
	for (uint32_t i = 0; i < nr; i++)
		machine->thread[i] = i + 1;
}

static void end(FIXTURE_DATA(machine) * machine, uint32_t tid)
{
	machine->thread[place_of(machine, tid)] = 0;
}

FIXTURE_SETUP(machine)
{
	self->room = MAX;
	have(self, 3 * CENSUS_PIECE + 5);
}

FIXTURE_TEARDOWN(machine)
{
}

/* How many of those that are there still were told other than once, of @nr. */
static uint32_t nr_wrong(const FIXTURE_DATA(machine) * machine, uint32_t nr)
{
	static uint32_t times[MAX + 1];
	uint32_t wrong = 0;

	memset(times, 0, sizeof(times));
	for (uint32_t i = 0; i < nr; i++)
		times[machine->told[i]]++;
	for (uint32_t i = 0; i < machine->nr; i++)
		wrong += machine->thread[i] && times[machine->thread[i]] != 1;
	return wrong;
}

/* --- tests ---------------------------------------------------------------------------- */

TEST_F(machine, all_are_told_once)
{
	static const uint32_t all[] = { 1, CENSUS_PIECE - 1, CENSUS_PIECE, CENSUS_PIECE + 1,
					3 * CENSUS_PIECE, 3 * CENSUS_PIECE + 5 };

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		uint32_t nr = 0;

		have(self, all[i]);
		EXPECT_EQ(CENSUS_END, census_walk(tell, self, &nr));
		EXPECT_EQ(all[i], nr);
		EXPECT_EQ(0, nr_wrong(self, nr)) TH_LOG("of %u", all[i]);
		EXPECT_EQ((all[i] + CENSUS_PIECE - 1) / CENSUS_PIECE, self->nr_pieces);
	}
}

static void end_one_border(FIXTURE_DATA(machine) * machine, uint32_t border)
{
	if (machine->nr_pieces == 2)
		end(machine, border);
}

TEST_F(machine, piece_is_told_anew_if_the_next_begins_at_one_who_is_gone)
{
	uint32_t nr;

	self->then = end_one_border;
	EXPECT_EQ(CENSUS_END, census_walk(tell, self, &nr));
	EXPECT_EQ(self->nr - 1, nr);
	EXPECT_EQ(0, nr_wrong(self, nr));
	/* Four, the one that told nothing, and the one before that again. */
	EXPECT_EQ(6, self->nr_pieces);
}

static void end_both_borders(FIXTURE_DATA(machine) * machine, uint32_t border)
{
	if (machine->nr_pieces != 2)
		return;
	end(machine, border);
	end(machine, CENSUS_PIECE + 1);
}

TEST_F(machine, so_are_two_if_both_are_gone)
{
	uint32_t nr;

	self->then = end_both_borders;
	EXPECT_EQ(CENSUS_END, census_walk(tell, self, &nr));
	EXPECT_EQ(self->nr - 2, nr);
	EXPECT_EQ(0, nr_wrong(self, nr));
}

static void end_those_told(FIXTURE_DATA(machine) * machine, uint32_t border)
{
	if (machine->nr_pieces == 1)
		for (uint32_t tid = 2; tid < border; tid++)
			end(machine, tid);
}

TEST_F(machine, who_goes_after_it_was_told_is_no_matter)
{
	uint32_t nr;

	self->then = end_those_told;
	EXPECT_EQ(CENSUS_END, census_walk(tell, self, &nr));
	EXPECT_EQ(3 * CENSUS_PIECE + 5, nr);
	EXPECT_EQ(0, nr_wrong(self, nr));
	EXPECT_EQ(4, self->nr_pieces);
}

static void end_and_make(FIXTURE_DATA(machine) * machine, uint32_t border)
{
	if (machine->nr_pieces > 2)
		return;
	end(machine, border);
	machine->thread[machine->nr] = machine->nr + 1;
	machine->nr++;
}

TEST_F(machine, who_comes_while_others_go_is_told_too)
{
	uint32_t nr;

	self->then = end_and_make;
	EXPECT_EQ(CENSUS_END, census_walk(tell, self, &nr));
	EXPECT_EQ(0, nr_wrong(self, nr));
}

static void end_each_border(FIXTURE_DATA(machine) * machine, uint32_t border)
{
	end(machine, border);
}

TEST_F(machine, where_too_many_go_it_is_given_up)
{
	uint32_t nr;

	self->then = end_each_border;
	EXPECT_EQ(CENSUS_GONE, census_walk(tell, self, &nr));
	EXPECT_EQ(2 * (CENSUS_MAX_GONE + 1), self->nr_pieces);
}

TEST_F(machine, it_begins_at_whoever_is_the_first)
{
	uint32_t nr;

	end(self, 1);
	EXPECT_EQ(CENSUS_END, census_walk(tell, self, &nr));
	EXPECT_EQ(self->nr - 1, nr);
	EXPECT_EQ(0, nr_wrong(self, nr));
}

TEST_F(machine, what_the_kernel_refuses_is_not_asked_for_again)
{
	uint32_t nr;

	self->err = -EINVAL;
	self->nr = 1;
	EXPECT_EQ(CENSUS_GONE, census_walk(tell, self, &nr));
	EXPECT_EQ(1, self->nr_pieces);
}

TEST_F(machine, where_there_is_no_more_room_that_is_told)
{
	uint32_t nr;

	self->room = 2 * CENSUS_PIECE + 1;
	EXPECT_EQ(CENSUS_FULL, census_walk(tell, self, &nr));
	have(self, self->room);
	EXPECT_EQ(CENSUS_END, census_walk(tell, self, &nr));
	EXPECT_EQ(self->room, nr);
}

TEST_HARNESS_MAIN
