// SPDX-License-Identifier: GPL-2.0
/* proc_test - a thread's numbers and signals, out of the text of its status file */
#include <stdio.h>
#include <string.h>

#include "kselftest_harness.h"
#include "proc.h"

/* A status file of a thread whose numbers are 1000, 999 and so on. */
static void parse(int nr_numbers, struct proc_ids *ret)
{
	char text[1024] = "Name:\tx\nNSpid:";

	for (int i = 0; i < nr_numbers; i++)
		sprintf(text + strlen(text), "\t%d", 1000 - i);
	strcat(text, "\nSigBlk:\t0000000000000200\nSigIgn:\t0000000000000001\n"
		     "SigCgt:\t8000000000000002\n");
	proc_ids_parse(text, 1000, ret);
}

TEST(number_of_the_first_namespace_is_its_only_one)
{
	struct proc_ids ids;

	parse(1, &ids);
	EXPECT_EQ(1, ids.nr_numbers);
	EXPECT_EQ(1000, ids.ns_tid);
	EXPECT_FALSE(ids.nested);
}

/* The first namespace and 32 below it: the kernel makes no more. */
TEST(innermost_number_is_found_however_deep)
{
	struct proc_ids ids;

	for (int nr = 2; nr <= 33; nr++) {
		parse(nr, &ids);
		EXPECT_EQ(nr, ids.nr_numbers);
		EXPECT_EQ(1000 - nr + 1, ids.ns_tid);
		EXPECT_TRUE(ids.nested);
	}
}

TEST(signals_are_those_of_their_lines)
{
	struct proc_ids ids;

	parse(1, &ids);
	EXPECT_EQ(0x200, ids.blocked);
	EXPECT_EQ(1, ids.ignored);
	EXPECT_EQ(0x8000000000000002, ids.caught);
}

/* A name is escaped by the kernel: what it holds is no line of its own. */
TEST(name_is_no_line)
{
	struct proc_ids ids;

	proc_ids_parse("Name:\t\\nNSpid:\t7\nNSpid:\t5\t6\n", 5, &ids);
	EXPECT_EQ(2, ids.nr_numbers);
	EXPECT_EQ(6, ids.ns_tid);
}

TEST_HARNESS_MAIN
