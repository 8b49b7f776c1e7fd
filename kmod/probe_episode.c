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
#include <linux/ww_mutex.h>

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

/* Who lets go of a futex is seen. Not if all kprobes were switched off when it was armed. */
static bool wakes_are_seen;

/* The latest trial has shown that who drops a ww_mutex is not seen: see try_drop(). */
static bool drops_are_unseen;

/* Ours alone. */
static DEFINE_WW_CLASS(trial_class);
static struct ww_mutex trial;
static bool trial_was_seen;

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

	if (regs->di == (unsigned long)&trial) {
		WRITE_ONCE(trial_was_seen, true);
		return 0;
	}
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
	if (err)
		return err;
	/* That is no error with all of them switched off, and changes nothing. */
	wakes_are_seen = !kprobe_disabled(&wake_probe);
	WRITE_ONCE(gl_episodes_on, true);
	return 0;
}

/* Somebody may have switched all kprobes off: what is left of ours is to be tried. */
static bool try_drop(void)
{
	WRITE_ONCE(trial_was_seen, false);
	ww_mutex_lock(&trial, NULL);
	ww_mutex_unlock(&trial);
	return READ_ONCE(trial_was_seen);
}

static void disarm(void)
{
	if (!gl_episodes_on)
		return;
	WRITE_ONCE(gl_episodes_on, false);
	disable_kprobe(&wake_probe);
	WRITE_ONCE(gl_backoffs_on, false);
	if (ww_is_attached)
		disable_kprobe(&ww_unlock_probe);
	stale_until = start_poll_synchronize_rcu();
	is_stale = true;
}

/*
 * To set a probe takes long, and few machines have anybody who backs off. Once drops are
 * not seen any more, what was counted since the last trial has missed some: it is to be
 * forgotten.
 */
static void arm_backoffs(void)
{
	bool seen;

	if (!ww_is_attached || !gl_event_sum(GL_EVENT_FAILED_DEADLOCK))
		return;
	seen = try_drop() || (!enable_kprobe(&ww_unlock_probe) && try_drop());
	WRITE_ONCE(drops_are_unseen, !seen);
	if (!seen && gl_backoffs_on)
		disarm();
	else
		WRITE_ONCE(gl_backoffs_on, seen);
}

/* Once kprobes are on again: what is there has missed who let go. */
static void arm_again(void)
{
	if (wakes_are_seen || enable_kprobe(&wake_probe))
		return;
	if (!kprobe_disabled(&wake_probe))
		disarm();
}

static void end_lease(struct work_struct *work)
{
	mutex_lock(&lease_mutex);
	/* A reader may have renewed it while we waited for the mutex. */
	if (!delayed_work_pending(&lease))
		disarm();
	mutex_unlock(&lease_mutex);
}

/* Is it seen, too, when the task gets what it asks for? */
static bool is_whole(const struct gl_episode *e)
{
	if (!gl_episode_has_number(e))
		return wakes_are_seen;
	return !gl_episode_is_ww(e) || gl_backoffs_on;
}

static void show_rows(struct seq_file *m)
{
	struct gl_episode e;
	u32 idx;

	for (idx = 0; idx < GL_EPISODES; idx++)
		if (gl_episodes_read(idx, &e) && is_whole(&e))
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
	else if (gl_episodes_on)
		arm_again();
	if (gl_episodes_on)
		arm_backoffs();
	if (gl_episodes_on) {
		mod_delayed_work(system_wq, &lease, msecs_to_jiffies(GL_EPISODE_LEASE_MS));
		gl_episodes_collect();
		show_rows(m);
	}
	mutex_unlock(&lease_mutex);
	return err;
}

/**
 * gl_episodes_show_unseen() - what `coverage` says of ww_mutexes, after their kind
 * @m: file to write to
 *
 * Context: process.
 */
void gl_episodes_show_unseen(struct seq_file *m)
{
	const char *why;

	if (!gl_futex)
		why = "left out by a parameter";
	else if (!gl_probe_is_on(&gl_probe_episode))
		why = "this kernel lets nobody probe futex_wake()";
	else if (ww_is_attached && READ_ONCE(drops_are_unseen))
		why = "kprobes are switched off";
	else
		why = NULL;
	if (why)
		seq_printf(m, "; livelocks of ww_mutexes are not seen: %s", why);
	else if (!ww_is_attached)
		seq_printf(m, "; livelocks of ww_mutexes are not seen: this kernel lets nobody probe %s()",
			   ww_unlock_probe.symbol_name);
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
	ww_mutex_init(&trial, &trial_class);
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
