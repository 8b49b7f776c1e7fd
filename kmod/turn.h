/* SPDX-License-Identifier: GPL-2.0 */
/*
 * turn - which task had which of the kernel's locks how often after a wait, and how
 * often others had it past it who came later.
 *
 * Kept only while somebody reads the file `turns`, and of locks that somebody was found
 * waiting for then; a wait costs two tests of gl_turns_on otherwise. See "Turns" in
 * kmod/README.
 */
#ifndef _GL_TURN_H
#define _GL_TURN_H

#include <linux/types.h>

struct gl_slot;
struct seq_file;

extern bool gl_turns_on;

/* For the probes. */
void gl_turn_begin(struct gl_slot *slot);
void gl_turn_end(const struct gl_slot *slot, bool got);

/* For those who look. */
int gl_turns_init(void);
void gl_turns_exit(void);
u64 gl_turns_bytes(void);
void gl_turns_watch(u32 kind, u64 lock, u64 begin_ns);
int gl_turns_show(struct seq_file *m);

#endif /* _GL_TURN_H */
