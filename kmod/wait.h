/* SPDX-License-Identifier: GPL-2.0 */
/*
 * wait - begins and ends waits of the current task in the wait table, and
 * counts each once, however many phases it has.
 */
#ifndef _GL_WAIT_H
#define _GL_WAIT_H

#include "cpu.h"
#include "waittab.h"

extern struct gl_waittab gl_waits;

void gl_wait_begin(struct gl_cpu *cpu, u32 kind, u64 lock, u16 flags);
bool gl_wait_end(struct gl_cpu *cpu, u64 lock, int ret);

void gl_wait_stage(struct gl_cpu *cpu, u32 kind, u64 uaddr, u32 val, u16 flags);
void gl_wait_commit(struct gl_cpu *cpu, bool pi, u16 flags);
bool gl_wait_end_futex(struct gl_cpu *cpu, int ret);

u64 gl_wait_futex(void);
void gl_wait_task_exit(struct gl_cpu *cpu);

#endif /* _GL_WAIT_H */
