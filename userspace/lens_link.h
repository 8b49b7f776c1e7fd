/* SPDX-License-Identifier: GPL-2.0 */
/* lens_link - one program at many places of a file; for lens_*.c only */
#ifndef LENS_LINK_H
#define LENS_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define LENS_MAX_PLACES	92

struct bpf_program;
struct lens_bpf;

/** struct lens_places - offsets in a file, and what the program is told at each */
struct lens_places {
	uint64_t offset[LENS_MAX_PLACES];
	uint64_t cookie[LENS_MAX_PLACES];
	uint32_t nr;
};

/** lens_link_prepare() - before the programs are loaded */
void lens_link_prepare(struct lens_bpf *skel);

/** lens_link_is_slow() - once prepared: does each place take its time? */
bool lens_link_is_slow(const struct lens_bpf *skel);

/**
 * lens_link() - run @prog whenever process @pid comes to one of @places
 * @at_return: or rather when it returns from there
 * @fd: the file
 *
 * It stays until this process ends.
 *
 * Return: 0 or -errno.
 */
int lens_link(struct bpf_program *prog, bool at_return, pid_t pid, int fd,
	      const struct lens_places *places);

#endif /* LENS_LINK_H */
