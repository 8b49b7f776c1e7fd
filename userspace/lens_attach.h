/* SPDX-License-Identifier: GPL-2.0 */
/* lens_attach - uprobes on the functions of one process's locks; for lens_*.c only */
#ifndef LENS_ATTACH_H
#define LENS_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct lens_bpf;
struct lens_file;

/** lens_attach_exit() - note when threads end, of whichever process; 0 or -errno */
int lens_attach_exit(struct lens_bpf *skel);

/**
 * lens_may_cancel() - may threads of process @pid be cancelled, for all that it maps?
 *
 * Where it cannot be read no probes can be set, either.
 */
bool lens_may_cancel(pid_t pid);

/**
 * lens_attach() - set the probes in process @pid; they stay until we exit
 * @cancels: in some process threads may be cancelled. A return that has a probe in one of
 *	them is turned in all that have one at the call
 * @ret: a file that has them
 * @why: [@size] why not, in words
 *
 * May block, on the memory of that process or of another that maps the same
 * library: to be called in a child.
 *
 * Return: 0 or -1.
 */
int lens_attach(struct lens_bpf *skel, pid_t pid, bool cancels, struct lens_file *ret, char *why,
		size_t size);

#endif /* LENS_ATTACH_H */
