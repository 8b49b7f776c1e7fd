// SPDX-License-Identifier: GPL-2.0
/*
 * fdscan_test - tables of descriptors that are not read anew: as long as nobody has run
 * who can change them, and not any longer.
 */
#define _GNU_SOURCE
#include <sys/stat.h>

#include "fdscan.h"
#include "looks.h"

/* --- tables of descriptors ------------------------------------------------------------------ */

TEST_F(looks, table_is_what_it_was_while_all_who_have_it_sleep)
{
	look(self);
	told[2].files++;
	look(self);
	/* Who had it has left it: that one may have changed it before. */
	EXPECT_EQ(NULL, census_past_files(self->w, 0));
	look(self);
	EXPECT_EQ(self->before, census_past_files(self->w, 0));
	told[1].nr_switches++;
	look(self);
	EXPECT_EQ(NULL, census_past_files(self->w, 0));
	EXPECT_EQ(self->before, census_past_files(self->w, 2));
	told[0].files = 0;
	look(self);
	look(self);
	EXPECT_EQ(self->before, census_past_files(self->w, 2));
	EXPECT_EQ(NULL, census_past_files(self->w, 0));
}

/* Ends of the pipe that child @i has, for all that this look knows. */
static uint32_t nr_ends(FIXTURE_DATA(looks) * self, int i)
{
	const struct fdscan *scan = fdscan_ends(self->w);
	uint32_t nr = 0;
	struct stat st;

	fstat(ends[0], &st);
	for (uint32_t k = 0; k < scan->nr_pipes; k++) {
		const struct fd_table *table = &scan->tables[scan->pipes[k].table];

		nr += scan->pipes[k].ino == st.st_ino && table->tgid == self->child[i] &&
		      table->tasks[0] == i;
	}
	return nr;
}

static void have_it_closed(FIXTURE_DATA(looks) * self, int i)
{
	char link[64];

	kill(self->child[i], SIGUSR1);
	while (*fd_link(self->child[i], self->child[i], ends[1], link, sizeof(link)))
		;
}

TEST_F(looks, table_is_read_again_once_somebody_who_has_it_has_run)
{
	for (int i = 0; i < 3; i++)
		told[i].files += i;
	look(self);
	EXPECT_EQ(2, nr_ends(self, 1));
	/* The kernel as played here says that it slept: what was read is kept. */
	have_it_closed(self, 1);
	look(self);
	EXPECT_EQ(2, nr_ends(self, 1));
	told[1].nr_switches++;
	look(self);
	EXPECT_EQ(0, nr_ends(self, 1));
	EXPECT_EQ(2, nr_ends(self, 0));
	EXPECT_EQ(2, nr_ends(self, 2));
	/* Another thread that has the same table has run. */
	have_it_closed(self, 2);
	told[2].files = told[0].files;
	told[2].nr_switches++;
	have_it_closed(self, 0);
	look(self);
	EXPECT_EQ(0, nr_ends(self, 0));
	EXPECT_EQ(0, nr_ends(self, 1));
}

TEST_F(looks, table_is_read_again_after_a_look_that_did_not)
{
	look(self);
	EXPECT_EQ(2, nr_ends(self, 1));
	look(self);
	have_it_closed(self, 1);
	look(self);
	EXPECT_EQ(0, nr_ends(self, 1));
}

TEST_F(looks, table_is_read_again_after_a_scan_that_lacks_some)
{
	look(self);
	EXPECT_EQ(2, nr_ends(self, 1));
	self->w->fds->incomplete = true;
	have_it_closed(self, 1);
	look(self);
	EXPECT_EQ(0, nr_ends(self, 1));
}

TEST_F(looks, table_is_read_again_once_somebody_who_has_it_has_come)
{
	look(self);
	EXPECT_EQ(2, nr_ends(self, 0));
	have_it_closed(self, 0);
	told[3] = told[2];
	told[3].task += 100;
	told[3].tid = told[2].tid + 1;
	told[3].tgid = told[3].tid;
	nr_told = 4;
	look(self);
	EXPECT_EQ(0, nr_ends(self, 0));
}

TEST_F(looks, table_is_read_again_once_somebody_who_has_it_has_gone)
{
	look(self);
	EXPECT_EQ(2, nr_ends(self, 0));
	have_it_closed(self, 0);
	nr_told = 2;
	look(self);
	EXPECT_EQ(0, nr_ends(self, 0));
}

TEST_F(looks, table_is_read_again_of_another_thread_with_the_number)
{
	for (int i = 0; i < 3; i++)
		told[i].files += i;
	look(self);
	EXPECT_EQ(2, nr_ends(self, 0));
	have_it_closed(self, 0);
	told[0].task += 100;
	told[0].start_ns += 100;
	look(self);
	EXPECT_EQ(0, nr_ends(self, 0));
}

TEST_HARNESS_MAIN
