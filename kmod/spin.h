/* SPDX-License-Identifier: GPL-2.0 */
/*
 * spin - waits for spinning locks: a few for each context of each CPU, because
 * a context that spins does nothing else and does not migrate.
 */
#ifndef _GL_SPIN_H
#define _GL_SPIN_H

#include "cpu.h"

void gl_spin_begin(struct gl_cpu *cpu, enum gl_level level, u32 kind, u64 lock);
bool gl_spin_end(struct gl_cpu *cpu, enum gl_level level, u64 lock, int ret);

/* Readers number the waits of all CPUs through. */
u32 gl_spin_nr_slots(void);
bool gl_spin_read(u32 idx, struct gl_spin *copy);
bool gl_spin_is_unchanged(u32 idx, u64 seq);

/**
 * gl_spin_cpu() - the CPU of a spin wait
 * @idx: below gl_spin_nr_slots()
 *
 * Context: any.
 *
 * Return: its number.
 */
static inline u32 gl_spin_cpu(u32 idx)
{
	return idx / (GL_NR_LEVELS * GL_SPIN_DEPTH);
}

#endif /* _GL_SPIN_H */
