// SPDX-License-Identifier: GPL-2.0
/*
 * probe_exit - task exit: gives back the slots of a task that leaves.
 *
 * The task still takes locks after this tracepoint; those waits end by
 * themselves.
 */
#include <linux/errno.h>
#include <linux/preempt.h>
#include <linux/sched.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>

#include "compat.h"
#include "cpu.h"
#include "event.h"
#include "probe.h"
#include "wait.h"

static struct tracepoint *tp_exit;

static notrace void probe_exit(GL_EXIT_PROTO)
{
	struct gl_cpu *cpu;

	preempt_disable_notrace();
	cpu = gl_this_cpu();
	if (gl_cpu_enter(cpu, GL_LEVEL_TASK)) {
		gl_wait_task_exit(cpu);
		gl_cpu_leave(cpu, GL_LEVEL_TASK);
	} else {
		gl_event_inc(GL_EVENT_LOST_RECURSION_END);
	}
	preempt_enable_notrace();
}

static void __maybe_unused check_types(void)
{
	check_trace_callback_type_sched_process_exit(probe_exit);
}

static int attach(void)
{
	tp_exit = gl_tracepoint_find("sched_process_exit");
	if (!tp_exit)
		return -ENOENT;
	return tracepoint_probe_register(tp_exit, probe_exit, NULL);
}

static void detach(void)
{
	tracepoint_probe_unregister(tp_exit, probe_exit, NULL);
}

const struct gl_probe_group gl_probe_exit = {
	.name = "exit",
	.attach = attach,
	.detach = detach,
};
