// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot - what the snapshots of waits and of locks have in common: the
 * number at once, the header, the identities and who may see addresses.
 */
#include "snapshot.h"

#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/kallsyms.h>
#include <linux/kdev_t.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/random.h>
#include <linux/siphash.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "count.h"
#include "cpu.h"
#include "event.h"
#include "limits.h"
#include "probe.h"

/** struct snapshot_type - a kind of snapshot */
struct snapshot_type {
	/** @record_size: bytes of a record */
	size_t record_size;
	/** @size: records there are now */
	u64 (*size)(void);
	/** @fill: write them; 0 or -ENOMEM */
	int (*fill)(struct gl_snapshot *snap, u64 room);
};

static const struct snapshot_type types[] = {
	[GL_RECORD_WAIT] = { sizeof(struct gl_wait_record), gl_waits_size, gl_waits_fill },
	[GL_RECORD_LOCK] = { sizeof(struct gl_lock_record), gl_rows_size, gl_rows_fill },
	[GL_RECORD_GROUP] = { sizeof(struct gl_group_record), gl_groups_size, gl_groups_fill },
};

static atomic_t nr_open = ATOMIC_INIT(0);
static siphash_key_t id_key;
static u64 load_id;

/**
 * gl_snapshot_init() - draw the identities of this load
 *
 * Context: process.
 */
void gl_snapshot_init(void)
{
	get_random_bytes(&id_key, sizeof(id_key));
	get_random_bytes(&load_id, sizeof(load_id));
}

/**
 * gl_snapshot_id() - identity of a resource that does not tell its address
 * @lock: address, or as in struct gl_resource
 * @space: as there
 *
 * Context: any.
 *
 * Return: the same for the same resource while the module is loaded; not 0.
 */
u64 gl_snapshot_id(u64 lock, u64 space)
{
	return siphash_2u64(lock, space, &id_key) ?: 1;
}

/**
 * gl_snapshot_address() - the address of a lock as far as it may be shown
 * @snap: snapshot it is for
 * @kind: enum gl_kind; user addresses and inode numbers are no secret
 * @lock: address, or as in struct gl_resource
 * @space: as there
 *
 * Context: any.
 *
 * Return: the address, the inode number or 0.
 */
u64 gl_snapshot_address(const struct gl_snapshot *snap, u32 kind, u64 lock, u64 space)
{
	if (gl_is_file_kind(kind))
		return gl_file_ino(lock, space);
	if (kind >= GL_KIND_FUTEX || snap->header.flags & GL_FILE_ADDRESSES)
		return lock;
	return 0;
}

/**
 * gl_snapshot_name() - the symbol of a static lock, or the file of a file lock
 * @kind: enum gl_kind
 * @lock: address or inode number
 * @space: file lock: its device
 * @name: gets "symbol" or "symbol+0xoffset", or "major:minor:inode" as in
 * /proc/locks; empty: it has none
 *
 * Context: process.
 */
void gl_snapshot_name(u32 kind, u64 lock, u64 space, char name[GL_NAME_LEN])
{
	char symbol[KSYM_SYMBOL_LEN], *size;

	name[0] = '\0';
	if (gl_is_file_kind(kind))
		snprintf(name, GL_NAME_LEN, "%02x:%02x:%llu", MAJOR(gl_file_dev(space)),
			 MINOR(gl_file_dev(space)), gl_file_ino(lock, space));
	if (kind >= GL_KIND_FUTEX)
		return;
	sprint_symbol(symbol, lock);
	if (symbol[0] == '0')
		return;
	/* "symbol+0xoffset/0xsize [module]" */
	size = strchr(symbol, '/');
	if (size)
		*size = '\0';
	size = strstr(symbol, "+0x0");
	if (size && !size[4])
		*size = '\0';
	strscpy(name, symbol, GL_NAME_LEN);
}

/*
 * May this opener see kernel addresses: CAP_SYSLOG, and kptr_restrict permits.
 * That variable is not for modules; what %pK prints shows its effect.
 */
static bool may_see_addresses(void)
{
	char text[32];

	if (!capable(CAP_SYSLOG))
		return false;
	snprintf(text, sizeof(text), "%pK", &nr_open);
	return strspn(text, "0") != strlen(text);
}

static void fill_header(struct gl_snapshot *snap, u32 record_type)
{
	snap->header = (struct gl_header){
		.magic = GL_ABI_MAGIC,
		.version = GL_ABI_VERSION,
		.header_size = sizeof(struct gl_header),
		.record_size = types[record_type].record_size,
		.record_type = record_type,
		.load_id = load_id,
		.clock_id = 1,
		.flags = (may_see_addresses() ? GL_FILE_ADDRESSES : 0) |
			 (record_type == GL_RECORD_LOCK && gl_probe_is_on(&gl_probe_release) ?
			  GL_FILE_HOLDS : 0),
	};
}

static u64 nr_events(void)
{
	return gl_event_sum(GL_EVENT_BEGINS) + gl_event_sum(GL_EVENT_ENDS) +
	       gl_event_sum(GL_EVENT_LOST_END_MISSED) +
	       gl_event_sum(GL_EVENT_LOST_TASK_EXITED);
}

/* Probes that run: each may have told its event and not yet counted it, or the reverse. */
static u64 nr_in_probes(void)
{
	u64 nr = 0;
	int cpu, level;

	for_each_possible_cpu(cpu)
		for (level = 0; level < GL_NR_LEVELS; level++)
			nr += READ_ONCE(per_cpu(gl_cpu_ptr, cpu)->busy[level]);
	return nr;
}

/* Events whose counting was over before now. */
static u64 nr_events_past(void)
{
	u64 nr = nr_events();

	/* Who is not in a probe any more has counted all of those. */
	smp_rmb();
	return nr - nr_in_probes();
}

/* Events whose counting had begun by now. */
static u64 nr_events_begun(void)
{
	u64 nr = nr_in_probes();

	/* Who is not in a probe any more has told all that it counted. */
	smp_rmb();
	return nr + nr_events();
}

/* Room for what there is and for what may come meanwhile. */
static struct gl_snapshot *alloc_snapshot(const struct snapshot_type *type, u64 *room_ret)
{
	u64 now = type->size();

	*room_ret = now + now / 4 + 64;
	return kvzalloc(size_add(sizeof(struct gl_snapshot),
				 array_size(*room_ret, type->record_size)),
			GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
}

/**
 * gl_snapshot_take() - copy a table
 * @record_type: GL_RECORD_*
 *
 * Context: process; may sleep.
 *
 * Return: the snapshot, to be freed by gl_snapshot_free(); -EBUSY: too many
 * are open; -ENOMEM.
 */
struct gl_snapshot *gl_snapshot_take(u32 record_type)
{
	struct gl_snapshot *snap;
	u64 room, before;
	int err;

	if (!atomic_add_unless(&nr_open, 1, GL_MAX_SNAPSHOTS))
		return ERR_PTR(-EBUSY);
	snap = alloc_snapshot(&types[record_type], &room);
	if (!snap) {
		atomic_dec(&nr_open);
		return ERR_PTR(-ENOMEM);
	}
	fill_header(snap, record_type);
	snap->header.taken_at_ns = ktime_get_mono_fast_ns();
	before = nr_events_past();
	err = types[record_type].fill(snap, room);
	if (err) {
		gl_snapshot_free(snap);
		return ERR_PTR(err);
	}
	snap->header.nr_meanwhile = nr_events_begun() - before;
	snap->header.nr_lost_begins = gl_event_lost_begins();
	snap->header.nr_lost_ends = gl_event_lost_ends();
	snap->header.done_at_ns = ktime_get_mono_fast_ns();
	if (snap->header.nr_unshown)
		snap->header.flags |= GL_FILE_TRUNCATED;
	snap->bytes = sizeof(snap->header) + snap->header.nr_records * snap->header.record_size;
	return snap;
}

/**
 * gl_snapshot_free() - free a snapshot and make room for another
 * @snap: from gl_snapshot_take()
 *
 * Context: process; may sleep.
 */
void gl_snapshot_free(struct gl_snapshot *snap)
{
	kvfree(snap);
	atomic_dec(&nr_open);
}
