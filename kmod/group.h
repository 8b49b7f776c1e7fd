/* SPDX-License-Identifier: GPL-2.0 */
/*
 * group - the same ended waits counted by other things than their lock: by the
 * task that waited, the owner it waited for, its cgroup, and who asked for the
 * lock. Each is one dimension; groups of each add up to the kind's total.
 */
#ifndef _GL_GROUP_H
#define _GL_GROUP_H

#include <linux/build_bug.h>
#include <linux/jump_label.h>
#include <linux/threads.h>
#include <linux/types.h>

#include "cpu.h"
#include "ended.h"

/* Bits of a group's key: two task numbers (below PID_MAX_LIMIT), kind + 1, dimension. */
#define GL_GROUP_TID_BITS	22
#define GL_GROUP_KIND_SHIFT	(2 * GL_GROUP_TID_BITS)
#define GL_GROUP_BY_SHIFT	(GL_GROUP_KIND_SHIFT + 6)

static_assert(GL_NR_COUNTED_KINDS < 1 << 6);
static_assert(PID_MAX_LIMIT <= 1 << GL_GROUP_TID_BITS);

/** gl_group_key() - dimension, kind and task in one word that is not 0 */
static __always_inline u64 gl_group_key(u32 by, u32 kind, s32 tid, s32 tgid)
{
	return (u64)by << GL_GROUP_BY_SHIFT | (u64)(kind + 1) << GL_GROUP_KIND_SHIFT |
	       (u64)(u32)tgid << GL_GROUP_TID_BITS | (u32)tid;
}

static inline u32 gl_group_by(u64 key)
{
	return key >> GL_GROUP_BY_SHIFT;
}

static inline u32 gl_group_kind(u64 key)
{
	return (key >> GL_GROUP_KIND_SHIFT & 63) - 1;
}

static inline s32 gl_group_tgid(u64 key)
{
	return key >> GL_GROUP_TID_BITS & ((1U << GL_GROUP_TID_BITS) - 1);
}

static inline s32 gl_group_tid(u64 key)
{
	return key & ((1U << GL_GROUP_TID_BITS) - 1);
}

/* Parameters; a change of what is counted starts all counting afresh. */
extern bool gl_by_task;
extern bool gl_by_owner;
extern bool gl_by_cgroup;
extern bool gl_by_caller;
extern unsigned long gl_caller_ns;

/* Is anything to be counted by groups at all? */
DECLARE_STATIC_KEY_FALSE(gl_grouping);

bool gl_group_is_on(u32 by);
void gl_group_switch(void);
void gl_group_end(struct gl_cpu *cpu, const struct gl_ended *ended);
void gl_group_reset(struct gl_cpu *cpu);

#endif /* _GL_GROUP_H */
