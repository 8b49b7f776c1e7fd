/* SPDX-License-Identifier: GPL-2.0 */
/*
 * debugfs - the module's files for user space; all read-only, root's alone.
 */
#ifndef _GL_DEBUGFS_H
#define _GL_DEBUGFS_H

int gl_debugfs_init(void);
void gl_debugfs_exit(void);

#endif /* _GL_DEBUGFS_H */
