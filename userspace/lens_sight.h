/* SPDX-License-Identifier: GPL-2.0 */
/* lens_sight - are the processes that were named still seen? For lens_*.c only */
#ifndef LENS_SIGHT_H
#define LENS_SIGHT_H

#include <stdint.h>
#include <sys/types.h>

struct lens_cost;
struct world;

/** struct lens_file - a file that has the probes */
struct lens_file {
	uint64_t inode;
	unsigned int dev_major;
	unsigned int dev_minor;
};

/** struct lens_target - a process that was named */
struct lens_target {
	pid_t pid;
	/** @file: its C library, when it was named */
	struct lens_file file;
	/** @start_ticks: of the process, as the first look found it; 0: none has yet */
	uint64_t start_ticks;
};

/** lens_sight_count() - those that have ended, and those that map other files by now */
void lens_sight_count(struct lens_target *targets, uint32_t nr, const struct world *w,
		      struct lens_cost *ret);

#endif /* LENS_SIGHT_H */
