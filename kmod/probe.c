// SPDX-License-Identifier: GPL-2.0
/*
 * probe - attaches the groups of probes and takes them off again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "probe.h"

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/printk.h>
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include "cpu.h"
#include "event.h"

/* Exits first: from its first wait on, a task's slots are cleaned up. */
static const struct gl_probe_group *const groups[] = {
	&gl_probe_exit,
	&gl_probe_contention,
	&gl_probe_release,
	&gl_probe_futex_plain,
	&gl_probe_futex_pi,
	&gl_probe_futex_waitv,
	&gl_probe_filelock,
	&gl_probe_episode,
};

/* What became of each group. */
static enum { GROUP_OFF, GROUP_MISSING, GROUP_ON } group_states[ARRAY_SIZE(groups)];

/** struct search - of gl_tracepoint_find() */
struct search {
	const char *name;
	struct tracepoint *found;
};

static void compare(struct tracepoint *tp, void *priv)
{
	struct search *search = priv;

	if (!strcmp(tp->name, search->name))
		search->found = tp;
}

/**
 * gl_tracepoint_find() - find a tracepoint of the kernel
 * @name: its name
 *
 * Context: process; may sleep.
 *
 * Return: the tracepoint, or NULL if this kernel has none of that name.
 */
struct tracepoint *gl_tracepoint_find(const char *name)
{
	struct search search = { .name = name };

	for_each_kernel_tracepoint(compare, &search);
	return search.found;
}

/**
 * gl_probes_attach() - attach every group that is wanted
 *
 * Context: process; may sleep.
 *
 * Return: 0, also when this kernel lacks groups that are not required; else
 * -errno of the one that is, or -ENOMEM, and then nothing is attached.
 */
int gl_probes_attach(void)
{
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		if (groups[i]->wanted && !*groups[i]->wanted)
			continue;
		err = groups[i]->attach();
		/* Without memory it is not known what this kernel has. */
		if (err == -ENOMEM)
			pr_err("no memory for the probes\n");
		if (err && (groups[i]->required || err == -ENOMEM)) {
			gl_probes_detach();
			return err;
		}
		group_states[i] = err ? GROUP_MISSING : GROUP_ON;
	}
	return 0;
}

/**
 * gl_probes_detach() - take every group off, and wait for probes that run
 *
 * After it no probe touches the tables any more.
 *
 * Context: process; may sleep.
 */
void gl_probes_detach(void)
{
	size_t i = ARRAY_SIZE(groups);

	while (i--) {
		if (group_states[i] == GROUP_ON)
			groups[i]->detach();
		group_states[i] = GROUP_OFF;
	}
	tracepoint_synchronize_unregister();
}

/**
 * gl_probe_drops_end() - is this an end to drop, for the tests of missed ends?
 * @cpu: this CPU
 *
 * Context: any, preemption disabled, inside gl_cpu_enter().
 *
 * Return: true, and counted, for every so many ends while drop_ends is set.
 */
notrace bool gl_probe_drops_end(struct gl_cpu *cpu)
{
	unsigned int nth = READ_ONCE(gl_drop_ends);

	if (likely(!nth))
		return false;
	local_inc(&cpu->ends);
	if (local_read(&cpu->ends) % nth)
		return false;
	gl_event_inc(GL_EVENT_LOST_END_DROPPED);
	return true;
}

/**
 * gl_probes_missed() - hits of kprobes that the kernel skipped
 *
 * Context: process.
 *
 * Return: the number since load.
 */
u64 gl_probes_missed(void)
{
	u64 nr = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i]->nr_missed && group_states[i] == GROUP_ON)
			nr += groups[i]->nr_missed();
	return nr;
}

/**
 * gl_probe_is_on() - is a group attached?
 * @group: the group
 *
 * Context: process.
 *
 * Return: true if it is.
 */
bool gl_probe_is_on(const struct gl_probe_group *group)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i] == group)
			return group_states[i] == GROUP_ON;
	return false;
}

/**
 * gl_probes_show() - a line for each group
 * @m: file to write to
 *
 * Context: process.
 */
void gl_probes_show(struct seq_file *m)
{
	static const char *const words[] = { "off", "missing", "on" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(groups); i++)
		seq_printf(m, "probe.%s %s\n", groups[i]->name, words[group_states[i]]);
}
