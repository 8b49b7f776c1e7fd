/* SPDX-License-Identifier: GPL-2.0 */
/*
 * release - what waits that begin and end have to do with releases of their locks,
 * where those are seen (holds=1, Linux 7.3 or newer).
 */
#ifndef _GL_RELEASE_H
#define _GL_RELEASE_H

#include <linux/jump_label.h>
#include <linux/types.h>

struct gl_cpu;
struct gl_ended;

/* Parameter, set at load. */
extern bool gl_holds;

/* Are releases seen? While they are not, waits pass branches that are patched out. */
DECLARE_STATIC_KEY_FALSE(gl_holding);

void gl_release_begin(u32 kind, u64 lock);
void gl_release_end(struct gl_cpu *cpu, struct gl_ended *ended);
void gl_release_exit(void);
u64 gl_release_bytes(void);
const char *gl_release_coverage(u32 kind);

#endif /* _GL_RELEASE_H */
