/* SPDX-License-Identifier: GPL-2.0 */
/*
 * probe - the groups of probes: each attaches by itself, can be missing on a
 * kernel, and says so in `stats`.
 */
#ifndef _GL_PROBE_H
#define _GL_PROBE_H

#include <linux/types.h>

/** struct gl_probe_group - one row of the table in probe.c */
struct gl_probe_group {
	/** @name: as in "probe.NAME" */
	const char *name;
	/** @required: without it the module does not load */
	bool required;
	/** @wanted: NULL, or false to leave the group off */
	const bool *wanted;
	/** @attach: 0, or -errno, and then nothing stays attached; may sleep */
	int (*attach)(void);
	/**
	 * @detach: after it no probe of the group begins; those that run are
	 * waited for by gl_probes_detach()
	 */
	void (*detach)(void);
	/** @missing: NULL, or where it says what it could not attach to, if anything */
	const char *const *missing;
	/** @nr_missed: NULL, or hits that the kernel did not pass on to us */
	u64 (*nr_missed)(void);
};

extern const struct gl_probe_group gl_probe_contention;
extern const struct gl_probe_group gl_probe_futex_plain;
extern const struct gl_probe_group gl_probe_futex_pi;
extern const struct gl_probe_group gl_probe_futex_waitv;
extern const struct gl_probe_group gl_probe_filelock;
extern const struct gl_probe_group gl_probe_exit;
extern const struct gl_probe_group gl_probe_episode;
extern const struct gl_probe_group gl_probe_release;

/* Tracepoints by name, as most are not exported. */
struct tracepoint;
struct tracepoint *gl_tracepoint_find(const char *name);

/* Parameters that probes look at. */
extern bool gl_enabled;
extern bool gl_futex;
extern bool gl_filelock;
extern unsigned int gl_drop_ends;

struct gl_cpu;
bool gl_probe_drops_end(struct gl_cpu *cpu);

int gl_probes_attach(void);
void gl_probes_detach(void);
u64 gl_probes_missed(void);

struct seq_file;
void gl_probes_show(struct seq_file *m);
int gl_episodes_show(struct seq_file *m);
void gl_episodes_show_unseen(struct seq_file *m);
bool gl_probe_is_on(const struct gl_probe_group *group);

#endif /* _GL_PROBE_H */
