// SPDX-License-Identifier: GPL-2.0
/*
 * world - what one look at the machine saw: its arrays, and the lookup tables
 * beside them (world.h).
 */
#include <assert.h>
#include <string.h>

#include "text.h"
#include "world.h"
#include "xalloc.h"

/** struct process - the threads of one process */
struct process {
	pid_t tgid;
	/** @tasks: [nr_tasks] indices into world.tasks, ascending */
	uint32_t *tasks;
	uint32_t nr_tasks;
};

/** struct table - open addressing; the caller compares */
struct table {
	/** @slot: [nr_slots] index + 1 into the array it is for; 0: empty */
	uint32_t *slot;
	/** @nr_slots: a power of two, or 0 */
	uint32_t nr_slots;
	/** @nr_used: slots that are not empty; at most half */
	uint32_t nr_used;
};

/** struct world_index - lookup tables of a world */
struct world_index {
	struct table tids;
	struct table tgids;
	struct table keys;
	struct process *processes;
	uint32_t nr_processes;
};

static uint32_t hash_id(pid_t id)
{
	/* Multiplicative hashing; 2^32 divided by the golden ratio. */
	return ((uint32_t)id * 0x9e3779b9U) >> 7;
}

/* The keys are ours: nobody gains by making them collide. */
static uint32_t hash_key(const char *key)
{
	uint32_t hash = text_hash(TEXT_HASH, key, strlen(key));

	return hash ^ hash >> 15;
}

/** struct lookup - what a table is keyed by; i: index into its array */
struct lookup {
	uint32_t (*hash)(const struct world *w, uint32_t i);
	bool (*is)(const struct world *w, uint32_t i, const void *key);
};

static uint32_t hash_task(const struct world *w, uint32_t i)
{
	return hash_id(w->tasks[i].tid);
}

static bool is_task(const struct world *w, uint32_t i, const void *tid)
{
	return w->tasks[i].tid == *(const pid_t *)tid;
}

static const struct lookup by_tid = { hash_task, is_task };

static uint32_t hash_process(const struct world *w, uint32_t i)
{
	return hash_id(w->index->processes[i].tgid);
}

static bool is_process(const struct world *w, uint32_t i, const void *tgid)
{
	return w->index->processes[i].tgid == *(const pid_t *)tgid;
}

static const struct lookup by_tgid = { hash_process, is_process };

static uint32_t hash_resource(const struct world *w, uint32_t i)
{
	return hash_key(w->resources[i].key);
}

static bool is_resource(const struct world *w, uint32_t i, const void *key)
{
	return !strcmp(w->resources[i].key, key);
}

static const struct lookup by_key = { hash_resource, is_resource };

/* The slot that holds @key, or the empty one where it would go; NULL: no slots. */
static uint32_t *table_find(const struct table *table, const struct lookup *lookup,
			    const struct world *w, uint32_t hash, const void *key)
{
	uint32_t mask = table->nr_slots - 1;
	uint32_t at = hash & mask;

	if (!table->nr_slots)
		return NULL;
	while (table->slot[at] && !lookup->is(w, table->slot[at] - 1, key))
		at = (at + 1) & mask;
	return &table->slot[at];
}

/* Put an entry in that is not there yet and is in its array already. */
static void table_put(struct table *table, const struct lookup *lookup, const struct world *w,
		      uint32_t i)
{
	uint32_t mask = table->nr_slots - 1;
	uint32_t at = lookup->hash(w, i) & mask;

	while (table->slot[at])
		at = (at + 1) & mask;
	table->slot[at] = i + 1;
	table->nr_used++;
}

/* At most half of it is used with @nr entries. */
static void table_grow(struct table *table, const struct lookup *lookup, const struct world *w,
		       uint32_t nr)
{
	struct table old = *table;

	for (table->nr_slots = 64; table->nr_slots < 2 * nr;)
		table->nr_slots *= 2;
	table->nr_used = 0;
	table->slot = xcalloc(table->nr_slots, sizeof(*table->slot));
	for (uint32_t at = 0; at < old.nr_slots; at++)
		if (old.slot[at])
			table_put(table, lookup, w, old.slot[at] - 1);
	free(old.slot);
}

/* As table_put(), with room made where needed. */
static void table_add(struct table *table, const struct lookup *lookup, const struct world *w,
		      uint32_t i)
{
	if (2 * (table->nr_used + 1) > table->nr_slots)
		table_grow(table, lookup, w, table->nr_used + 1);
	table_put(table, lookup, w, i);
}

static struct process *find_process(const struct world *w, pid_t tgid)
{
	uint32_t *slot = table_find(&w->index->tgids, &by_tgid, w, hash_id(tgid), &tgid);

	return slot && *slot ? &w->index->processes[*slot - 1] : NULL;
}

static struct process *find_or_add_process(struct world *w, pid_t tgid)
{
	struct world_index *index = w->index;
	struct process *process = find_process(w, tgid);

	if (process)
		return process;
	process = vec_push(index->processes, index->nr_processes);
	process->tgid = tgid;
	table_add(&index->tgids, &by_tgid, w, index->nr_processes - 1);
	return process;
}

struct world *world_new(const struct snapshot *snap, struct remote *remote)
{
	struct world *w = xcalloc(1, sizeof(*w));

	w->snap = snap;
	w->remote = remote;
	w->index = xcalloc(1, sizeof(*w->index));
	return w;
}

static void index_free(struct world_index *index)
{
	for (uint32_t i = 0; i < index->nr_processes; i++)
		free(index->processes[i].tasks);
	free(index->processes);
	free(index->tids.slot);
	free(index->tgids.slot);
	free(index->keys.slot);
	free(index);
}

void world_free(struct world *w)
{
	if (!w)
		return;
	for (uint32_t i = 0; i < w->nr_waits; i++)
		wait_clear(&w->waits[i]);
	for (uint32_t i = 0; i < w->nr_resources; i++) {
		free(w->resources[i].key);
		free(w->resources[i].releasers);
	}
	if (w->futexes)
		w->futexes_free(w->futexes);
	if (w->doubles)
		w->doubles_free(w->doubles);
	if (w->claims)
		w->claims_free(w->claims);
	if (w->fds)
		w->fds_free(w->fds);
	if (w->socks)
		w->socks_free(w->socks);
	free(w->tracers);
	index_free(w->index);
	free(w->tasks);
	free(w->waits);
	free(w->resources);
	free(w);
}

void world_expect(struct world *w, uint32_t nr_tasks)
{
	table_grow(&w->index->tids, &by_tid, w, w->nr_tasks + nr_tasks);
}

struct task *world_add_task(struct world *w, pid_t tid, pid_t tgid)
{
	struct table *tids = &w->index->tids;
	uint32_t *slot = table_find(tids, &by_tid, w, hash_id(tid), &tid);
	struct process *process;
	struct task *task;

	task = vec_push(w->tasks, w->nr_tasks);
	task->tid = tid;
	task->tgid = tgid;
	task->wait = NO_INDEX;
	if (slot && *slot)
		*slot = w->nr_tasks;
	else
		table_add(tids, &by_tid, w, w->nr_tasks - 1);
	process = find_or_add_process(w, tgid);
	*vec_push(process->tasks, process->nr_tasks) = w->nr_tasks - 1;
	return task;
}

uint32_t world_find_task(const struct world *w, pid_t tid)
{
	uint32_t *slot = table_find(&w->index->tids, &by_tid, w, hash_id(tid), &tid);

	return slot && *slot ? *slot - 1 : NO_INDEX;
}

uint32_t world_process(const struct world *w, pid_t tgid, const uint32_t **tasks_ret)
{
	const struct process *process = find_process(w, tgid);

	*tasks_ret = process ? process->tasks : NULL;
	return process ? process->nr_tasks : 0;
}

uint32_t world_live_thread(const struct world *w, pid_t tgid)
{
	const uint32_t *tasks;
	uint32_t nr = world_process(w, tgid, &tasks);

	for (uint32_t i = 0; i < nr; i++)
		if (!w->tasks[tasks[i]].exiting)
			return tasks[i];
	return NO_INDEX;
}

struct wait *world_add_wait(struct world *w, uint32_t task, uint32_t kind)
{
	struct wait *wait;

	assert(task < w->nr_tasks && w->tasks[task].wait == NO_INDEX);
	wait = vec_push(w->waits, w->nr_waits);
	wait->task = task;
	wait->kind = kind;
	wait->cap = VERDICT_CONFIRMED;
	w->tasks[task].wait = w->nr_waits - 1;
	return wait;
}

static char *copy(const char *text)
{
	return text ? xstrdup(text) : NULL;
}

void wait_copy(struct wait *to, const struct wait *from)
{
	*to = *from;
	to->id = copy(from->id);
	to->name = copy(from->name);
	to->where = copy(from->where);
	to->blockers = NULL;
	to->nr_blockers = 0;
}

void wait_clear(struct wait *wait)
{
	free(wait->id);
	free(wait->name);
	free(wait->where);
	free(wait->blockers);
}

uint32_t world_resource(struct world *w, const char *key, bool *new_ret)
{
	struct table *keys = &w->index->keys;
	uint32_t *slot = table_find(keys, &by_key, w, hash_key(key), key);

	*new_ret = !slot || !*slot;
	if (!*new_ret)
		return *slot - 1;
	vec_push(w->resources, w->nr_resources)->key = xstrdup(key);
	table_add(keys, &by_key, w, w->nr_resources - 1);
	return w->nr_resources - 1;
}

/*
 * Keep the array ascending and without doubles. Indices mostly come in that
 * order, so this mostly appends, however large the set.
 */
static void insert_once(uint32_t **array, uint32_t *nr, uint32_t value)
{
	uint32_t low = 0, high = *nr;

	if (high && (*array)[high - 1] < value)
		low = high;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if ((*array)[mid] < value)
			low = mid + 1;
		else
			high = mid;
	}
	if (low < *nr && (*array)[low] == value)
		return;
	(void)vec_push(*array, *nr);
	memmove(*array + low + 1, *array + low, (*nr - 1 - low) * sizeof(**array));
	(*array)[low] = value;
}

void world_add_releaser(struct world *w, uint32_t resource, uint32_t task)
{
	struct resource *r = &w->resources[resource];

	insert_once(&r->releasers, &r->nr_releasers, task);
}

void world_add_process_releasers(struct world *w, uint32_t resource, pid_t tgid)
{
	const uint32_t *tasks;
	uint32_t nr = world_process(w, tgid, &tasks);

	for (uint32_t i = 0; i < nr; i++)
		if (!w->tasks[tasks[i]].exiting)
			world_add_releaser(w, resource, tasks[i]);
}

void world_block_on(struct world *w, struct wait *wait, uint32_t resource)
{
	assert(resource < w->nr_resources);
	insert_once(&wait->blockers, &wait->nr_blockers, resource);
}

void world_cap(struct wait *wait, enum verdict cap, const char *reason)
{
	if (cap >= wait->cap)
		return;
	wait->cap = cap;
	wait->cap_reason = reason;
}

void world_cap_waiters(struct world *w, uint32_t resource, enum verdict cap, const char *reason)
{
	for (uint32_t i = 0; i < w->nr_waits; i++)
		for (uint32_t k = 0; k < w->waits[i].nr_blockers; k++)
			if (w->waits[i].blockers[k] == resource)
				world_cap(&w->waits[i], cap, reason);
}

bool world_is_releaser(const struct world *w, const struct wait *wait, uint32_t task)
{
	for (uint32_t i = 0; i < wait->nr_blockers; i++) {
		const struct resource *r = &w->resources[wait->blockers[i]];

		for (uint32_t k = 0; k < r->nr_releasers; k++)
			if (r->releasers[k] == task)
				return true;
	}
	return false;
}

const char *kind_name(uint32_t kind)
{
#define KIND_NAME(name, string) [GL_KIND_##name] = string,
	static const char *const names[GL_NR_KINDS] = { GL_KIND_LIST(KIND_NAME) };
#undef KIND_NAME

	return names[kind < GL_NR_KINDS ? kind : GL_KIND_UNKNOWN];
}

const char *form_name(uint32_t form)
{
#define FORM_NAME(name, string) [GL_FORM_##name] = string,
	static const char *const names[GL_NR_FORMS] = { GL_FORM_LIST(FORM_NAME) };
#undef FORM_NAME

	return names[form < GL_NR_FORMS ? form : GL_FORM_UNKNOWN];
}

bool kind_is_lock(uint32_t kind)
{
	return kind > GL_KIND_UNKNOWN && kind < GL_KIND_SYSV_SEM;
}

const char *evidence_name(enum evidence evidence)
{
	static const char *const names[] = {
		[EVIDENCE_INFERRED] = "inferred",
		[EVIDENCE_READ] = "read",
		[EVIDENCE_RECORDED] = "recorded",
	};

	return names[evidence];
}

const char *verdict_name(enum verdict verdict)
{
	static const char *const names[] = {
		[VERDICT_POSSIBLE] = "possible",
		[VERDICT_LIKELY] = "likely",
		[VERDICT_CONFIRMED] = "confirmed",
	};

	return names[verdict];
}

const char *mode_name(enum mode mode)
{
	static const char *const names[] = {
		[MODE_NONE] = "none",
		[MODE_SHARED] = "shared",
		[MODE_EXCLUSIVE] = "exclusive",
	};

	return names[mode];
}
