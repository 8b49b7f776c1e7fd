/* SPDX-License-Identifier: GPL-2.0 */
/*
 * spin - waits for spinning locks: one for each context of each CPU, because
 * a context that spins does nothing else and does not migrate.
 */
#ifndef _GL_SPIN_H
#define _GL_SPIN_H

#include "cpu.h"

void gl_spin_begin(struct gl_cpu *cpu, enum gl_level level, u32 kind, u64 lock);
bool gl_spin_end(struct gl_cpu *cpu, enum gl_level level, u64 lock, int ret);
bool gl_spin_read(int nr, enum gl_level level, struct gl_spin *copy);
bool gl_spin_is_unchanged(int nr, enum gl_level level, u64 seq);

#endif /* _GL_SPIN_H */
