// SPDX-License-Identifier: GPL-2.0
/*
 * probe_episode - sees who lets go of a futex or a ww_mutex, while somebody looks.
 *
 * That takes kprobes on futex_wake() and ww_mutex_unlock(), which tasks pass that
 * never wait: they are armed by reading the file `episodes`, and disarm themselves
 * when nobody has read that for a while. So a reader that dies leaves nothing
 * behind, and one that looks for ever does not keep the module from being unloaded.
 */
#include <linux/jiffies.h>
#include <linux/kprobes.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/ptrace.h>
#include <linux/rcupdate.h>
#include <linux/seq_file.h>
#include <linux/workqueue.h>

#include "cpu.h"
#include "episode.h"
#include "event.h"
#include "limits.h"
#include "probe.h"

static void end_lease(struct work_struct *work);

static int on_wake(struct kprobe *probe, struct pt_regs *regs);
static int on_ww_unlock(struct kprobe *probe, struct pt_regs *regs);

/* Registered disarmed: see arm(). */
static struct kprobe wake_probe = {
	.symbol_name = "futex_wake",
	.pre_handler = on_wake,
	.flags = KPROBE_FLAG_DISABLED,
};

/* A kernel that lets nobody probe this has no episodes of ww_mutexes. */
static struct kprobe ww_unlock_probe = {
	.symbol_name = "ww_mutex_unlock",
	.pre_handler = on_ww_unlock,
	.flags = KPROBE_FLAG_DISABLED,
};

static DECLARE_DELAYED_WORK(lease, end_lease);

/*
 * Arming, disarming and reading, one at a time; protects what follows. It is not
 * held over a grace period: a task that keeps a CPU for itself delays those, and
 * whoever wants to know about that task would wait with them.
 */
static DEFINE_MUTEX(lease_mutex);
static bool is_attached;
static bool ww_is_attached;

/* After disarming: when probes that saw it on are over, the table is to be cleared. */
static bool is_stale;
static unsigned long stale_until;

/* futex_wake(uaddr, ...) */
static notrace int on_wake(struct kprobe *probe, struct pt_regs *regs)
{
	struct gl_cpu *cpu;

	preempt_disable_notrace();
	cpu = gl_this_cpu();
	if (gl_cpu_enter(cpu, GL_LEVEL_TASK)) {
		if (READ_ONCE(gl_episodes_on))
			gl_episode_release(regs->di);
		gl_cpu_leave(cpu, GL_LEVEL_TASK);
	} else {
		gl_event_inc(GL_EVENT_LOST_NO_EPISODE);
	}
	preempt_enable_notrace();
	return 0;
}

/* ww_mutex_unlock(lock) */
static notrace int on_ww_unlock(struct kprobe *probe, struct pt_regs *regs)
{
	struct gl_cpu *cpu;

	preempt_disable_notrace();
	cpu = gl_this_cpu();
	if (gl_cpu_enter(cpu, GL_LEVEL_TASK)) {
		if (READ_ONCE(gl_backoffs_on))
			gl_episode_dropped(regs->di);
		gl_cpu_leave(cpu, GL_LEVEL_TASK);
	} else {
		gl_event_inc(GL_EVENT_LOST_NO_EPISODE);
	}
	preempt_enable_notrace();
	return 0;
}

/*
 * Entries from before would have missed who let go in between. As long as a probe
 * may be at them, it stays off.
 */
static int arm(void)
{
	int err;

	if (is_stale) {
		if (!poll_state_synchronize_rcu(stale_until))
			return 0;
		gl_episodes_clear();
		is_stale = false;
	}
	err = enable_kprobe(&wake_probe);
	if (!err)
		WRITE_ONCE(gl_episodes_on, true);
	return err;
}

/* To set a probe takes long, and few machines have anybody who backs off. */
static void arm_backoffs(void)
{
	if (gl_backoffs_on || !ww_is_attached || !gl_event_sum(GL_EVENT_FAILED_DEADLOCK))
		return;
	if (!enable_kprobe(&ww_unlock_probe))
		WRITE_ONCE(gl_backoffs_on, true);
}

static void disarm(void)
{
	if (!gl_episodes_on)
		return;
	WRITE_ONCE(gl_episodes_on, false);
	disable_kprobe(&wake_probe);
	if (gl_backoffs_on) {
		WRITE_ONCE(gl_backoffs_on, false);
		disable_kprobe(&ww_unlock_probe);
	}
	stale_until = start_poll_synchronize_rcu();
	is_stale = true;
}

static void end_lease(struct work_struct *work)
{
	mutex_lock(&lease_mutex);
	/* A reader may have renewed it while we waited for the mutex. */
	if (!delayed_work_pending(&lease))
		disarm();
	mutex_unlock(&lease_mutex);
}

static void show_rows(struct seq_file *m)
{
	struct gl_episode e;
	u32 idx;

	for (idx = 0; idx < GL_EPISODES; idx++)
		if (gl_episodes_read(idx, &e))
			seq_printf(m, "%d %llu 0x%llx %llu %u %u %u %d %u\n", e.tid, e.start_ns,
				   e.uaddr, e.since_ns, e.nr_overtaken, e.nr_timeouts, e.nr_had,
				   e.by_tid, e.nr_passed);
}

/**
 * gl_episodes_show() - the file `episodes`: a row for each, and the lease renewed
 * @m: file to write to
 *
 * Without rows where the probe is off or missing (see `stats`), and as long as
 * the table cannot be used again after it was switched off.
 *
 * Context: process; may sleep.
 *
 * Return: 0, or why the probe cannot be armed.
 */
int gl_episodes_show(struct seq_file *m)
{
	int err = 0;

	seq_puts(m, "tid start_ns uaddr since_ns overtaken timeouts had by passed\n");
	mutex_lock(&lease_mutex);
	if (is_attached && !gl_episodes_on)
		err = arm();
	if (gl_episodes_on) {
		arm_backoffs();
		mod_delayed_work(system_wq, &lease, msecs_to_jiffies(GL_EPISODE_LEASE_MS));
		gl_episodes_collect();
		show_rows(m);
	}
	mutex_unlock(&lease_mutex);
	return err;
}

static int attach(void)
{
	int err = gl_episodes_init();

	if (err)
		return err;
	err = register_kprobe(&wake_probe);
	if (err) {
		gl_episodes_exit();
		return err;
	}
	is_attached = true;
	ww_is_attached = !register_kprobe(&ww_unlock_probe);
	return 0;
}

static void detach(void)
{
	mutex_lock(&lease_mutex);
	is_attached = false;
	disarm();
	mutex_unlock(&lease_mutex);
	cancel_delayed_work_sync(&lease);
	unregister_kprobe(&wake_probe);
	if (ww_is_attached)
		unregister_kprobe(&ww_unlock_probe);
	ww_is_attached = false;
	/* The futex probes are still there; none that saw it on is under way after this. */
	synchronize_rcu();
	gl_episodes_exit();
}

static u64 nr_missed(void)
{
	return wake_probe.nmissed + ww_unlock_probe.nmissed;
}

const struct gl_probe_group gl_probe_episode = {
	.name = "episode",
	.wanted = &gl_futex,
	.attach = attach,
	.detach = detach,
	.nr_missed = nr_missed,
};
