/* SPDX-License-Identifier: GPL-2.0 */
/*
 * form - which of the kernel's types of locks a row is of, where several share
 * one kind: a ww_mutex is a mutex to the tracepoints, and on PREEMPT_RT nearly
 * everything that sleeps is an rt_mutex.
 */
#ifndef _GL_FORM_H
#define _GL_FORM_H

#include <linux/types.h>

void gl_form_init(void);
const char *gl_form_name(u32 form);
bool gl_form_is_told(u32 form);
u8 gl_form_of_waiter(u32 kind);

#endif /* _GL_FORM_H */
