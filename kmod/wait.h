/* SPDX-License-Identifier: GPL-2.0 */
/*
 * wait - begins and ends waits of the current task in the wait table, and
 * counts each once, however many phases it has.
 */
#ifndef _GL_WAIT_H
#define _GL_WAIT_H

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/sched.h>

#include "count.h"
#include "cpu.h"
#include "limits.h"
#include "waittab.h"

extern struct gl_waittab gl_waits;

void gl_wait_begin(struct gl_cpu *cpu, u32 kind, u64 lock, u16 flags);
bool gl_wait_end(struct gl_cpu *cpu, u64 lock, int ret);

void gl_wait_stage(struct gl_cpu *cpu, u32 kind, u64 uaddr, u32 val, u16 flags);
void gl_wait_stage_requeue(struct gl_cpu *cpu, u64 uaddr, u16 flags);
void gl_wait_several(struct gl_cpu *cpu);
void gl_wait_commit(struct gl_cpu *cpu, bool pi, u16 flags);
bool gl_wait_end_futex(struct gl_cpu *cpu, int ret);

void gl_wait_begin_file(struct gl_cpu *cpu, const struct gl_resource *res, u16 flags);
bool gl_wait_in_file(void);
u64 gl_wait_file_since(void);
void gl_wait_missed_file(struct gl_cpu *cpu);
bool gl_wait_end_file(struct gl_cpu *cpu, const struct gl_resource *res, int ret);

/* By hash of the task: its waits for file locks and leases in flight, and some others'. */
extern atomic_t gl_file_waiters[1 << GL_FILE_WAITERS_BITS];

static __always_inline atomic_t *gl_file_waiters_here(void)
{
	return &gl_file_waiters[hash_ptr(current, GL_FILE_WAITERS_BITS)];
}

/**
 * gl_wait_may_be_in_file() - may gl_wait_in_file() be true?
 *
 * Each call for a file lock asks: this takes a few instructions, and writes nothing.
 *
 * Context: task.
 *
 * Return: false if the current task is in no such wait.
 */
static __always_inline bool gl_wait_may_be_in_file(void)
{
	return atomic_read(gl_file_waiters_here());
}

u64 gl_wait_futex(void);
void gl_wait_task_exit(struct gl_cpu *cpu);

#endif /* _GL_WAIT_H */
