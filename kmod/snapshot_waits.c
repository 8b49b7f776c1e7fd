// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot_waits - the waits in flight as records.
 *
 * What a row says of a task that sleeps is read when the snapshot is taken:
 * its state, its switches, its stack and the owner of its lock. After that the
 * slot is looked at again; a row whose wait has ended meanwhile is left out.
 */
#include <linux/cpumask.h>
#include <linux/pid.h>
#include <linux/pid_namespace.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "compat.h"
#include "cpu.h"
#include "owner.h"
#include "slowpath.h"
#include "snapshot.h"
#include "spin.h"
#include "tell.h"
#include "turn.h"
#include "wait.h"

/* Differs for every wait of this load: a slot's changes, then its place. */
static u64 generation(u64 seq, u32 idx)
{
	return (seq >> 1) * (gl_waits.nr_slots + gl_spin_nr_slots()) + idx;
}

/* The task with this number and start time, with a reference; NULL: gone. */
static struct task_struct *get_task(s32 tid, u64 start_ns)
{
	struct task_struct *task;

	rcu_read_lock();
	task = pid_task(find_pid_ns(tid, &init_pid_ns), PIDTYPE_PID);
	if (task && task->start_boottime == start_ns)
		get_task_struct(task);
	else
		task = NULL;
	rcu_read_unlock();
	return task;
}

static bool is_shared(u32 kind)
{
	return kind == GL_KIND_RWLOCK_R || kind == GL_KIND_RWSEM_R ||
	       kind == GL_KIND_PCPU_SEM_R || kind == GL_KIND_RWLOCK_RT_R;
}

/*
 * Does the task sleep? Its state is set before it leaves the CPU, and stays when
 * it is preempted: a sleeper is not queued to run, either.
 */
static bool is_asleep(const struct task_struct *task, u32 state)
{
	return state & (TASK_NORMAL | TASK_RTLOCK_WAIT) && !gl_task_is_queued(task) &&
	       !READ_ONCE(task->on_cpu);
}

static u64 nr_switches(const struct task_struct *task)
{
	return READ_ONCE(task->nvcsw) + READ_ONCE(task->nivcsw);
}

static void fill_task(struct gl_wait_record *rec, struct task_struct *task)
{
	rec->nr_switches = nr_switches(task);
	/* Whoever is found asleep has counted that switch: see check_switches(). */
	smp_rmb();
	rec->task_state = READ_ONCE(task->__state);
	rec->tgid = task->tgid;
	memcpy(rec->comm, task->comm, sizeof(rec->comm));
	rec->comm[sizeof(rec->comm) - 1] = '\0';
	if (rec->task_state & TASK_INTERRUPTIBLE)
		rec->flags |= GL_WAIT_INTERRUPTIBLE;
	if (is_asleep(task, rec->task_state))
		rec->flags |= GL_WAIT_OFF_CPU;
}

static void fill_slowpath(struct gl_wait_record *rec, struct task_struct *task)
{
	enum gl_slowpath slowpath;

	if (!(rec->flags & GL_WAIT_OFF_CPU))
		return;
	slowpath = gl_slowpath_of(task, rec->kind);
	if (slowpath != GL_SLOWPATH_UNKNOWN)
		rec->flags |= GL_WAIT_SLOWPATH_KNOWN;
	if (slowpath == GL_SLOWPATH_INSIDE)
		rec->flags |= GL_WAIT_IN_SLOWPATH;
}

/* On PREEMPT_RT a task may also be queued for a spinlock_t, in a state of its own. */
static void fill_requeued(struct gl_wait_record *rec, const struct task_struct *task)
{
	if (rec->kind == GL_KIND_FUTEX && rec->flags & GL_WAIT_IN_SLOWPATH &&
	    rec->flags & GL_WAIT_INTERRUPTIBLE && gl_task_is_pi_blocked(task))
		rec->flags |= GL_WAIT_REQUEUED;
}

static void fill_owner(struct gl_wait_record *rec, u64 lock, const struct task_struct *task)
{
	struct gl_owner owner;

	gl_owner_read(rec->kind, lock, task, &owner);
	rec->owner_state = owner.state;
	rec->owner_tid = owner.tid;
	rec->owner_tgid = owner.tgid;
	rec->owner_start_ns = owner.start_ns;
	memcpy(rec->owner_comm, owner.comm, sizeof(rec->owner_comm));
	if (owner.handed)
		rec->flags |= GL_WAIT_WAS_HANDED;
}

/* Did the task wake while its row was read? Then nothing of the row is asleep. */
static void check_switches(struct gl_wait_record *rec, const struct task_struct *task)
{
	bool asleep = is_asleep(task, READ_ONCE(task->__state));

	/* The switches last: a task that ran and sleeps again has counted one more. */
	smp_rmb();
	if (!asleep || nr_switches(task) != rec->nr_switches)
		rec->flags &= ~(GL_WAIT_OFF_CPU | GL_WAIT_IN_SLOWPATH | GL_WAIT_REQUEUED);
}

static bool fill_sleeping(struct gl_snapshot *snap, u32 idx, struct gl_wait_record *rec)
{
	struct task_struct *task;
	struct gl_slot slot;
	u64 key, seq;

	if (!gl_waittab_read(&gl_waits, idx, &slot, &key) || slot.phase != GL_SLOT_LIVE)
		return false;
	seq = atomic64_read(&slot.seq);
	*rec = (struct gl_wait_record){
		.gen = generation(seq, idx),
		.res_id = gl_snapshot_id(slot.lock, slot.space),
		.res_addr = gl_snapshot_address(snap, slot.kind, slot.lock, slot.space),
		.space_id = slot.space ? gl_snapshot_id(slot.space, 0) : 0,
		.begin_ns = slot.begin_ns,
		.start_ns = slot.start_ns,
		.tid = slot.tid,
		.slot = idx,
		.kind = slot.kind,
		.flags = slot.flags | (is_shared(slot.kind) ? GL_WAIT_SHARED : 0),
		.futex_val = slot.kind < GL_KIND_FUTEX ? 0 : slot.futex_val,
	};
	gl_turns_watch(slot.kind, slot.lock, slot.begin_ns);
	task = get_task(slot.tid, slot.start_ns);
	if (task && (u64)(unsigned long)task == key) {
		rec->cpu = task_cpu(task);
		fill_task(rec, task);
		fill_slowpath(rec, task);
		fill_requeued(rec, task);
		fill_owner(rec, slot.lock, task);
		check_switches(rec, task);
	} else {
		rec->flags |= GL_WAIT_TASK_GONE;
	}
	if (task)
		put_task_struct(task);
	gl_snapshot_name(slot.kind, slot.lock, slot.space, rec->name);
	return gl_waittab_is_unchanged(&gl_waits, idx, seq);
}

static bool fill_spinning(struct gl_snapshot *snap, u32 n, struct gl_wait_record *rec)
{
	u32 idx = gl_waits.nr_slots + n;
	struct task_struct *task;
	struct gl_spin spin;
	u64 seq;

	if (!gl_spin_read(n, &spin))
		return false;
	seq = local_read(&spin.seq);
	*rec = (struct gl_wait_record){
		.gen = generation(seq, idx),
		.res_id = gl_snapshot_id(spin.lock, 0),
		.res_addr = gl_snapshot_address(snap, spin.kind, spin.lock, 0),
		.begin_ns = spin.begin_ns,
		.start_ns = spin.start_ns,
		.tid = spin.tid,
		.slot = idx,
		.kind = spin.kind,
		.flags = GL_WAIT_SPINNING | (is_shared(spin.kind) ? GL_WAIT_SHARED : 0) |
			 GL_WAIT_TIMED_KNOWN,
		.cpu = gl_spin_cpu(n),
	};
	task = get_task(spin.tid, spin.start_ns);
	if (task) {
		fill_task(rec, task);
		rec->flags &= ~(GL_WAIT_OFF_CPU | GL_WAIT_INTERRUPTIBLE);
		put_task_struct(task);
	}
	gl_snapshot_name(spin.kind, spin.lock, 0, rec->name);
	return gl_spin_is_unchanged(n, seq);
}

/**
 * gl_waits_size() - waits in flight just now
 *
 * Context: process.
 *
 * Return: their number, staged futex waits included.
 */
u64 gl_waits_size(void)
{
	u64 nr = gl_spin_nr_slots();
	u32 idx;

	for (idx = 0; idx < gl_waits.nr_slots; idx++)
		nr += !!atomic64_read(&gl_waits.buckets[idx / GL_BUCKET_SLOTS]
						.task[idx % GL_BUCKET_SLOTS]);
	return nr;
}

/**
 * gl_waits_fill() - write a record for each wait in flight
 * @snap: snapshot with its header filled
 * @room: records that fit
 *
 * Context: process; may sleep. Lets others run now and then.
 *
 * Return: 0.
 */
int gl_waits_fill(struct gl_snapshot *snap, u64 room)
{
	struct gl_wait_record *rec = (void *)snap->records;
	u32 nr_all = gl_waits.nr_slots + gl_spin_nr_slots(), idx;

	for (idx = 0; idx < nr_all; idx++) {
		struct gl_wait_record row;
		bool sleeping = idx < gl_waits.nr_slots;

		if (!(idx & 1023))
			cond_resched();
		if (sleeping ? !fill_sleeping(snap, idx, &row) :
			       !fill_spinning(snap, idx - gl_waits.nr_slots, &row))
			continue;
		cond_resched();
		gl_tell_in_flight(&row, ktime_get_mono_fast_ns());
		if (snap->header.nr_records == room)
			snap->header.nr_unshown++;
		else
			rec[snap->header.nr_records++] = row;
	}
	return 0;
}
