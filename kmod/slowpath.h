/* SPDX-License-Identifier: GPL-2.0 */
/*
 * slowpath - is a sleeping task inside the slow path of a kind of lock?
 */
#ifndef _GL_SLOWPATH_H
#define _GL_SLOWPATH_H

#include <linux/types.h>

struct task_struct;

/** enum gl_slowpath - what a stack says; GL_SLOWPATH_UNKNOWN: it could not be walked */
enum gl_slowpath { GL_SLOWPATH_UNKNOWN, GL_SLOWPATH_OUTSIDE, GL_SLOWPATH_INSIDE };

enum gl_slowpath gl_slowpath_of(struct task_struct *task, u32 kind);

#endif /* _GL_SLOWPATH_H */
