// SPDX-License-Identifier: GPL-2.0
/*
 * gridlock - watches the places where the kernel makes a task wait.
 *
 * This file: parameters, load and unload. See kmod/README for how the parts
 * fit together.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/printk.h>

#include "count.h"
#include "coverage.h"
#include "cpu.h"
#include "debugfs.h"
#include "episode.h"
#include "form.h"
#include "group.h"
#include "limits.h"
#include "probe.h"
#include "release.h"
#include "snapshot.h"
#include "tell.h"
#include "turn.h"
#include "wait.h"

static unsigned int max_waits = GL_DEFAULT_MAX_WAITS;
module_param(max_waits, uint, 0444);
MODULE_PARM_DESC(max_waits, "waits in flight that are recorded at once (16 to 1048576)");

static unsigned int max_locks = GL_DEFAULT_MAX_LOCKS;
module_param(max_locks, uint, 0444);
MODULE_PARM_DESC(max_locks, "locks counted apart, for each CPU (16 to 65536); the rest is `other`");

static unsigned int max_groups = GL_DEFAULT_MAX_GROUPS;
module_param(max_groups, uint, 0444);
MODULE_PARM_DESC(max_groups, "tasks, owners and cgroups counted apart, for each CPU (16 to 65536)");

module_param_named(caller_ns, gl_caller_ns, ulong, 0644);
MODULE_PARM_DESC(caller_ns, "look at the stack of waits that last so long; 0: never");

module_param_named(trace_ns, gl_trace_ns, ulong, 0644);
MODULE_PARM_DESC(trace_ns, "trace waits that last so long, when somebody listens to gridlock:*");

bool gl_enabled = true;
module_param_named(enabled, gl_enabled, bool, 0644);
MODULE_PARM_DESC(enabled, "record waits that begin (ends are always taken)");

bool gl_futex = true;
module_param_named(futex, gl_futex, bool, 0444);
MODULE_PARM_DESC(futex, "attach the kprobes that see futex waits");

bool gl_filelock = true;
module_param_named(filelock, gl_filelock, bool, 0444);
MODULE_PARM_DESC(filelock, "attach the tracepoints that see waits for file locks and leases");

module_param_named(holds, gl_holds, bool, 0444);
MODULE_PARM_DESC(holds, "measure for how long locks are held while others wait (Linux 7.3 or newer); each unlock of a spinlock costs more");

unsigned int gl_drop_ends;
module_param_named(drop_ends, gl_drop_ends, uint, 0644);
MODULE_PARM_DESC(drop_ends, "for tests: drop every so many end events; 0: none");

/* The tables are there: reset may touch them. Changed with param_lock held. */
static bool loaded;

static int set_reset(const char *text, const struct kernel_param *kp)
{
	bool yes;
	int err = kstrtobool(text, &yes);

	if (err)
		return err;
	return yes && loaded ? gl_count_reset() : 0;
}

static const struct kernel_param_ops reset_ops = { .set = set_reset };
module_param_cb(reset, &reset_ops, NULL, 0200);
MODULE_PARM_DESC(reset, "write 1: zero the counters; waits in flight stay");

/*
 * What is counted can be changed at any time: then all counting starts afresh, so
 * that groups and totals are of the same waits. Who reads them sees both or none.
 */
static int set_by(const char *text, const struct kernel_param *kp)
{
	bool *by = kp->arg, yes;
	int err = kstrtobool(text, &yes);

	if (err || yes == *by)
		return err;
	err = mutex_lock_killable(&gl_rows_mutex);
	if (err)
		return err;
	WRITE_ONCE(*by, yes);
	if (loaded) {
		gl_group_switch();
		gl_count_reset_locked();
	}
	mutex_unlock(&gl_rows_mutex);
	return 0;
}

static const struct kernel_param_ops by_ops = { .set = set_by, .get = param_get_bool };
module_param_cb(by_task, &by_ops, &gl_by_task, 0644);
MODULE_PARM_DESC(by_task, "count ended waits by the task that waited");
module_param_cb(by_owner, &by_ops, &gl_by_owner, 0644);
MODULE_PARM_DESC(by_owner, "count ended waits by the task that held the lock when they began");
module_param_cb(by_cgroup, &by_ops, &gl_by_cgroup, 0644);
MODULE_PARM_DESC(by_cgroup, "count ended waits by the cgroup of the task that waited");
module_param_cb(by_caller, &by_ops, &gl_by_caller, 0644);
MODULE_PARM_DESC(by_caller, "count ended waits by the code that asked for the lock");

static int check_range(const char *name, unsigned int value, unsigned int least, unsigned int most)
{
	if (value >= least && value <= most)
		return 0;
	pr_err("%s=%u is out of range: it goes from %u to %u\n", name, value, least, most);
	return -EINVAL;
}

static int check_parameters(void)
{
	return check_range("max_waits", max_waits, GL_LEAST_MAX_WAITS, GL_MOST_MAX_WAITS) ?:
	       check_range("max_locks", max_locks, GL_LEAST_MAX_LOCKS, GL_MOST_MAX_LOCKS) ?:
	       check_range("max_groups", max_groups, GL_LEAST_MAX_GROUPS, GL_MOST_MAX_GROUPS);
}

static int make_tables(void)
{
	int err = gl_waittab_init(&gl_waits, max_waits);

	if (err)
		return err;
	err = gl_cpu_init(max_locks, max_groups);
	if (err)
		goto err_waittab_exit;
	err = gl_turns_init();
	if (err)
		goto err_cpu_exit;
	return 0;

err_cpu_exit:
	gl_cpu_exit();
err_waittab_exit:
	gl_waittab_exit(&gl_waits);
	return err;
}

static void free_tables(void)
{
	gl_release_exit();
	gl_turns_exit();
	gl_cpu_exit();
	gl_waittab_exit(&gl_waits);
}

/* Count from now on, and let everybody see it. */
static int __init start(void)
{
	int err;

	gl_group_switch();
	gl_form_init();
	err = gl_probes_attach();
	if (err)
		return err;
	gl_coverage_test();
	err = gl_debugfs_init();
	if (err)
		gl_probes_detach();
	return err;
}

static const char *futex_state(void)
{
	int nr_on = gl_probe_is_on(&gl_probe_futex_plain) + gl_probe_is_on(&gl_probe_futex_pi) +
		    gl_probe_is_on(&gl_probe_futex_waitv);

	if (!gl_futex)
		return "off";
	return nr_on == 3 ? "on" : nr_on ? "on in part" : "missing";
}

static int __init gridlock_init(void)
{
	int err = check_parameters();

	if (err)
		return err;
	err = make_tables();
	if (err) {
		pr_err("no memory for the tables: load it with smaller max_waits, max_locks and max_groups\n");
		return err;
	}
	gl_snapshot_init();
	/* Who changes what is counted waits until it can be changed by a reset. */
	kernel_param_lock(THIS_MODULE);
	err = start();
	loaded = !err;
	kernel_param_unlock(THIS_MODULE);
	if (err) {
		free_tables();
		return err;
	}
	pr_info("loaded: %u wait slots, %u lock rows a CPU, %llu KiB; futex probes %s\n",
		gl_waits.nr_slots, gl_nr_rows,
		(gl_waittab_bytes(&gl_waits) + gl_cpu_bytes() + gl_episodes_bytes() +
		 gl_turns_bytes() + gl_release_bytes()) >> 10,
		futex_state());
	return 0;
}

static void __exit gridlock_exit(void)
{
	kernel_param_lock(THIS_MODULE);
	loaded = false;
	kernel_param_unlock(THIS_MODULE);
	gl_debugfs_exit();
	gl_probes_detach();
	free_tables();
	pr_info("unloaded\n");
}

module_init(gridlock_init);
module_exit(gridlock_exit);
MODULE_AUTHOR("The gridlock developers");
MODULE_DESCRIPTION("Tells who waits for whom: contention counters and a table of waits in flight");
MODULE_VERSION("0.1");
MODULE_LICENSE("GPL");
