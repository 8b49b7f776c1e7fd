/* SPDX-License-Identifier: GPL-2.0 */
/*
 * coverage - which waits this kernel lets us see, kind by kind.
 */
#ifndef _GL_COVERAGE_H
#define _GL_COVERAGE_H

struct seq_file;

void gl_coverage_test(void);
void gl_coverage_show(struct seq_file *m);

#endif /* _GL_COVERAGE_H */
