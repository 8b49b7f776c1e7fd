/* SPDX-License-Identifier: GPL-2.0 */
/*
 * owner - who holds a kernel lock, by the lock's own words.
 */
#ifndef _GL_OWNER_H
#define _GL_OWNER_H

#include <linux/types.h>

#include "uapi/gridlock.h"

/**
 * struct gl_owner - what the lock says
 */
struct gl_owner {
	/** @state: GL_OWNER_* */
	u32 state;
	/** @tid: of the owner, in the initial PID namespace */
	s32 tid;
	/** @tgid: its process */
	s32 tgid;
	/** @start_ns: its start time; ns since boot */
	u64 start_ns;
	/** @comm: its name */
	char comm[GL_COMM_LEN];
	/** @handed: the lock names the waiter: it is about to run */
	bool handed;
};

struct task_struct;

bool gl_owner_is_set(u64 mutex);
void gl_owner_peek(u32 kind, u64 lock, s32 *tid, s32 *tgid);
void gl_owner_read(u32 kind, u64 lock, const struct task_struct *waiter,
		   struct gl_owner *owner);

#endif /* _GL_OWNER_H */
