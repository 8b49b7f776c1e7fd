// SPDX-License-Identifier: GPL-2.0
/*
 * resolve_klock - waits for kernel locks, as the module recorded them. The
 * owner comes from the lock's own word; without the module these waits are not
 * known.
 */
#include <stdio.h>
#include <unistd.h>

#include "resolve.h"
#include "snapshot.h"
#include "xalloc.h"

/* The sleeping locks of the kernel. Who waits for a spinning one runs. */
static bool is_kind(uint32_t kind)
{
	switch (kind) {
	case GL_KIND_RWSEM_R:
	case GL_KIND_RWSEM_W:
	case GL_KIND_MUTEX:
	case GL_KIND_RTMUTEX:
	case GL_KIND_SEMAPHORE:
	case GL_KIND_PCPU_SEM_R:
	case GL_KIND_PCPU_SEM_W:
	case GL_KIND_RWLOCK_RT_R:
	case GL_KIND_RWLOCK_RT_W:
		return true;
	default:
		return false;
	}
}

/* One lock wanted to read and to write is one lock. */
static uint32_t family(uint32_t kind)
{
	switch (kind) {
	case GL_KIND_RWSEM_R:
		return GL_KIND_RWSEM_W;
	case GL_KIND_PCPU_SEM_R:
		return GL_KIND_PCPU_SEM_W;
	case GL_KIND_RWLOCK_RT_R:
		return GL_KIND_RWLOCK_RT_W;
	default:
		return kind;
	}
}

/* Does the row show a task that sleeps in the lock's slow path? */
static bool sleeps(const struct gl_wait_record *row)
{
	if (!(row->flags & GL_WAIT_OFF_CPU) || row->flags & (GL_WAIT_SPINNING | GL_WAIT_TASK_GONE))
		return false;
	return !(row->flags & GL_WAIT_SLOWPATH_KNOWN) || row->flags & GL_WAIT_IN_SLOWPATH;
}

/*
 * Can a word that names the waiter itself mean that it holds the lock? Of a
 * mutex and of an rwsem held to write the owner alone writes it, or a hand-off
 * that leaves its mark; of an rtmutex whoever unlocks writes it too.
 */
static bool proves_self(uint32_t kind)
{
	return kind == GL_KIND_MUTEX || kind == GL_KIND_RWSEM_W;
}

/* The task that the word names, or NO_INDEX: gone since, or not to be seen from here. */
static uint32_t find_owner(const struct world *w, const struct gl_wait_record *row)
{
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	uint32_t owner = world_find_task(w, row->owner_tid);

	if (owner == NO_INDEX || w->tasks[owner].start_ticks != row->owner_start_ns / tick_ns)
		return NO_INDEX;
	return owner;
}

/*
 * The lock as held by @owner_tid. Rows are not of one instant: of a lock that
 * changes hands two rows may tell two owners, and these are two resources.
 */
static uint32_t held_lock(struct world *w, const struct gl_wait_record *row)
{
	char key[96];
	uint32_t r;
	bool new;

	snprintf(key, sizeof(key), "lock %s %llx held by %d%s", kind_name(family(row->kind)),
		 row->res_id, row->owner_tid, row->owner_state == GL_OWNER_DEAD ? ", dead" : "");
	r = world_resource(w, key, &new);
	w->resources[r].evidence = EVIDENCE_RECORDED;
	w->resources[r].held = MODE_EXCLUSIVE;
	return r;
}

static void add_owner(struct world *w, struct wait *wait, const struct gl_wait_record *row)
{
	uint32_t owner, r;

	if (row->owner_state == GL_OWNER_DEAD) {
		r = held_lock(w, row);
		w->resources[r].dead = true;
		w->resources[r].dead_tid = row->owner_tid;
		world_block_on(w, wait, r);
		return;
	}
	owner = row->owner_state == GL_OWNER_KNOWN ? find_owner(w, row) : NO_INDEX;
	if (owner == NO_INDEX || row->flags & GL_WAIT_WAS_HANDED ||
	    (owner == wait->task && !proves_self(row->kind))) {
		wait->unknown_releaser = true;
		return;
	}
	r = held_lock(w, row);
	world_add_releaser(w, r, owner);
	world_block_on(w, wait, r);
}

/* --- readers behind a writer -------------------------------------------------- */

/* Two waits that began so close may be queued the other way round. */
#define QUEUE_ORDER_NS	1000000

static void take_older(const struct gl_wait_record **oldest, const struct gl_wait_record *row)
{
	if (!*oldest || row->begin_ns < (*oldest)->begin_ns)
		*oldest = row;
}

/*
 * The writer that is at the head of the queue for sure; NO_INDEX: there is none.
 * With a reader at the head all readers are let in, those behind writers, too.
 */
static uint32_t writer_at_the_head(const struct world *w, uint64_t res_id)
{
	const struct gl_wait_record *reader = NULL, *writer = NULL;

	for (size_t i = 0; i < w->snap->nr; i++) {
		const struct gl_wait_record *row = &w->snap->waits[i];

		if (row->res_id != res_id || !sleeps(row))
			continue;
		if (row->kind == GL_KIND_RWSEM_W)
			take_older(&writer, row);
		else if (row->kind == GL_KIND_RWSEM_R)
			take_older(&reader, row);
	}
	if (!writer || (reader && reader->begin_ns <= writer->begin_ns + QUEUE_ORDER_NS))
		return NO_INDEX;
	return world_find_task(w, writer->tid);
}

/* What it is to be next: one for each lock that has waiting writers. */
static uint32_t queue_of(struct world *w, const struct gl_wait_record *row)
{
	uint32_t r, writer;
	char key[64];
	bool new;

	snprintf(key, sizeof(key), "queue of lock %llx", row->res_id);
	r = world_resource(w, key, &new);
	if (!new)
		return r;
	w->resources[r].evidence = EVIDENCE_RECORDED;
	w->resources[r].held = MODE_EXCLUSIVE;
	w->resources[r].soft = true;
	writer = writer_at_the_head(w, row->res_id);
	if (writer != NO_INDEX)
		world_add_releaser(w, r, writer);
	return r;
}

/*
 * Readers have the lock, and which ones is not known. One that comes when a writer
 * waits already is queued, and gets the lock only after that writer.
 */
static void add_writer_ahead(struct world *w, struct wait *wait, const struct gl_wait_record *row)
{
	uint32_t r;

	if (row->kind != GL_KIND_RWSEM_R || wait->nr_blockers)
		return;
	r = queue_of(w, row);
	if (w->resources[r].nr_releasers)
		world_block_on(w, wait, r);
}

static enum timed timed(const struct gl_wait_record *row)
{
	if (row->flags & GL_WAIT_TIMED_KNOWN)
		return row->flags & GL_WAIT_TIMED ? TIMED_YES : TIMED_NO;
	return row->kind == GL_KIND_SEMAPHORE ? TIMED_UNKNOWN : TIMED_NO;
}

static char *name_of(const struct gl_wait_record *row)
{
	if (row->name[0])
		return xstrdup(row->name);
	if (row->res_addr)
		return xasprintf("0x%llx", row->res_addr);
	return xasprintf("#%016llx", row->res_id);
}

static bool resolve(struct world *w, const struct sleeper *s)
{
	const struct gl_wait_record *row = s->row;
	struct wait *wait;

	if (!row || !is_kind(row->kind) || !sleeps(row))
		return false;
	wait = world_add_wait(w, s->task, row->kind);
	wait->mode = row->flags & GL_WAIT_SHARED ? MODE_SHARED : MODE_EXCLUSIVE;
	wait->timed = timed(row);
	wait->interruptible = row->flags & GL_WAIT_INTERRUPTIBLE;
	wait->begin_ns = row->begin_ns;
	wait->gen = row->gen;
	wait->id = xasprintf("%s %llx", kind_name(family(row->kind)), row->res_id);
	wait->name = name_of(row);
	wait->where = s->wchan[0] ? xstrdup(s->wchan) : NULL;
	if (!(row->flags & GL_WAIT_SLOWPATH_KNOWN)) {
		wait->cap = VERDICT_LIKELY;
		wait->cap_reason = "no kernel stack to see that it sleeps in the lock";
	}
	add_owner(w, wait, row);
	add_writer_ahead(w, wait, row);
	return true;
}

const struct resolver resolve_klock = {
	.name = "klock",
	.resolve = resolve,
};
