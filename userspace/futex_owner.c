// SPDX-License-Identifier: GPL-2.0
/* futex_owner - whose thread is meant by a number in a futex word (futex_owner.h) */
#include <dirent.h>
#include <errno.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "futex_double.h"
#include "futex_owner.h"
#include "remote.h"
#include "resolve.h"
#include "text.h"
#include "xalloc.h"

/** struct space - what was read of a process, each part once */
struct space {
	pid_t tgid;
	bool maps_tried;
	bool ids_tried;
	/** @maps_err, @ids_err: 0 or -errno */
	int maps_err;
	int ids_err;
	/** @nested: its threads have numbers in more than one PID namespace */
	bool nested;
	struct proc_maps maps;
};

/** struct nested - a thread with a number of its own in a nested PID namespace */
struct nested {
	uint32_t task;
	pid_t number;
};

/** struct futex_cache - the processes read for one world */
struct futex_cache {
	/** @spaces: [nr_spaces] one for each process asked about (owned) */
	struct space *spaces;
	uint32_t nr_spaces;
	/** @nested: [nr_nested] every such thread, once scanned is set */
	struct nested *nested;
	uint32_t nr_nested;
	bool scanned;
	/** @complete: every process could be read, and none is hidden from here */
	bool complete;
};

static void cache_free(struct futex_cache *cache)
{
	for (uint32_t i = 0; i < cache->nr_spaces; i++)
		if (cache->spaces[i].maps_tried && !cache->spaces[i].maps_err)
			proc_maps_free(&cache->spaces[i].maps);
	free(cache->spaces);
	free(cache->nested);
	free(cache);
}

static struct futex_cache *cache_of(struct world *w)
{
	if (!w->futexes) {
		w->futexes = xcalloc(1, sizeof(*w->futexes));
		w->futexes_free = cache_free;
	}
	return w->futexes;
}

/* Valid until the next call. */
static struct space *space_of(struct world *w, pid_t tgid)
{
	struct futex_cache *cache = cache_of(w);
	struct space *space;

	/* Backwards: a process's threads are mostly resolved one after the other. */
	for (uint32_t i = cache->nr_spaces; i-- > 0;)
		if (cache->spaces[i].tgid == tgid)
			return &cache->spaces[i];
	space = vec_push(cache->spaces, cache->nr_spaces);
	space->tgid = tgid;
	return space;
}

/* A thread by which the process's memory is got at: its first one may have ended. */
static pid_t live_tid(const struct world *w, pid_t tgid)
{
	uint32_t task = world_live_thread(w, tgid);

	return task == NO_INDEX ? tgid : w->tasks[task].tid;
}

static const struct proc_maps *maps_of(struct world *w, pid_t tgid)
{
	struct space *space = space_of(w, tgid);

	if (!space->maps_tried) {
		space->maps_err = proc_maps_read(w->remote, tgid, live_tid(w, tgid), &space->maps);
		space->maps_tried = true;
	}
	return space->maps_err ? NULL : &space->maps;
}

/* All threads of a process are in one PID namespace: its leader tells. */
static const struct space *ids_of(struct world *w, pid_t tgid)
{
	struct space *space = space_of(w, tgid);
	struct proc_ids ids;

	if (!space->ids_tried) {
		space->ids_err = proc_ids(tgid, tgid, &ids);
		space->nested = !space->ids_err && ids.nested;
		space->ids_tried = true;
	}
	return space;
}

const struct proc_map *futex_map(struct world *w, pid_t tgid, uint64_t addr)
{
	const struct proc_maps *maps = maps_of(w, tgid);

	return maps ? proc_maps_find(maps, addr) : NULL;
}

void futex_map_ahead(struct world *w, pid_t tgid)
{
	if (!space_of(w, tgid)->maps_tried)
		proc_maps_ahead(w->remote, tgid, live_tid(w, tgid));
}

#define IN_ONE_PROCESS	"futex mm:%d 0x%llx"
#define IN_FILE		"futex %02x:%02x:%llu+0x%llx"

char *futex_identity(struct world *w, pid_t tgid, uint64_t addr)
{
	const struct proc_map *map = futex_map(w, tgid, addr);

	if (!map || !map->shared || !map->inode)
		return xasprintf(IN_ONE_PROCESS, tgid, (unsigned long long)addr);
	return xasprintf(IN_FILE, map->dev_major, map->dev_minor,
			 (unsigned long long)map->inode,
			 (unsigned long long)(addr - map->start + map->offset));
}

bool futex_place(const char *id, struct futex_place *ret)
{
	unsigned long long addr;

	if (sscanf(id, IN_ONE_PROCESS, &ret->tgid, &addr) != 2)
		return false;
	ret->addr = addr;
	return true;
}

bool futex_is_shared(const char *id)
{
	unsigned int major, minor;
	unsigned long long ino, addr;

	return sscanf(id, IN_FILE, &major, &minor, &ino, &addr) == 4;
}

static uint32_t nested_thread(struct world *w, pid_t tgid, pid_t number)
{
	const uint32_t *tasks;
	uint32_t nr = world_process(w, tgid, &tasks);
	struct proc_ids ids;

	for (uint32_t i = 0; i < nr; i++)
		if (!proc_ids(tgid, w->tasks[tasks[i]].tid, &ids) && ids.ns_tid == number)
			return tasks[i];
	return NO_INDEX;
}

uint32_t futex_thread(struct world *w, pid_t tgid, pid_t number)
{
	const struct space *space = ids_of(w, tgid);
	uint32_t task;

	if (space->ids_err)
		return NO_INDEX;
	if (space->nested)
		return nested_thread(w, tgid, number);
	task = world_find_task(w, number);
	return task != NO_INDEX && w->tasks[task].tgid == tgid ? task : NO_INDEX;
}

static void scan_process(struct world *w, pid_t tgid)
{
	struct futex_cache *cache = w->futexes;
	const struct space *space = ids_of(w, tgid);
	const uint32_t *tasks;
	uint32_t nr;

	/* One that has ended meanwhile owns nothing. */
	if (space->ids_err && space->ids_err != -ENOENT && space->ids_err != -ESRCH)
		cache->complete = false;
	if (!space->nested)
		return;
	nr = world_process(w, tgid, &tasks);
	for (uint32_t i = 0; i < nr; i++) {
		struct proc_ids ids;
		struct nested *nested;

		if (proc_ids(tgid, w->tasks[tasks[i]].tid, &ids))
			continue;
		nested = vec_push(cache->nested, cache->nr_nested);
		nested->task = tasks[i];
		nested->number = ids.ns_tid;
	}
}

static const struct futex_cache *scan(struct world *w)
{
	struct futex_cache *cache = cache_of(w);

	if (cache->scanned)
		return cache;
	cache->scanned = true;
	cache->complete = proc_sees_all();
	for (uint32_t i = 0; i < w->nr_tasks; i++)
		if (w->tasks[i].tid == w->tasks[i].tgid && !w->tasks[i].kthread)
			scan_process(w, w->tasks[i].tgid);
	return cache;
}

/* Every thread of the machine that calls itself @number; to be freed. */
static uint32_t *namesakes(struct world *w, pid_t number, uint32_t *nr_ret)
{
	const struct futex_cache *cache = scan(w);
	uint32_t task = world_find_task(w, number);
	uint32_t *tasks = NULL;

	*nr_ret = 0;
	if (task != NO_INDEX && !w->tasks[task].kthread && !ids_of(w, w->tasks[task].tgid)->nested)
		*vec_push(tasks, *nr_ret) = task;
	for (uint32_t i = 0; i < cache->nr_nested; i++)
		if (cache->nested[i].number == number)
			*vec_push(tasks, *nr_ret) = cache->nested[i].task;
	return tasks;
}

/*
 * Does process @tgid share the address space of @other? 1, 0, or -1: not known.
 * Where a program's stack began is its memory's, and another for each program;
 * 0: it cannot be read.
 */
static int shares_memory(struct world *w, pid_t tgid, pid_t other)
{
	uint32_t own = world_live_thread(w, tgid), task = world_live_thread(w, other);
	const struct task *t, *o;
	int same;

	if (own == NO_INDEX || task == NO_INDEX)
		return 0;
	t = &w->tasks[own];
	o = &w->tasks[task];
	if (t->stack_start && o->stack_start && t->stack_start != o->stack_start)
		return 0;
	same = remote_kcmp(w->remote, tgid, t->tid, o->tid, KCMP_VM);
	/* One that has ended meanwhile has no memory. */
	if (same == -ESRCH)
		return 0;
	return same < 0 ? -1 : same;
}

int futex_maps(struct world *w, pid_t tgid, const struct proc_map *map, uint64_t offset)
{
	const struct proc_maps *maps = maps_of(w, tgid);

	if (!maps)
		return -1;
	for (uint32_t i = 0; i < maps->nr; i++) {
		const struct proc_map *m = &maps->map[i];

		if (m->shared && m->inode == map->inode && m->dev_major == map->dev_major &&
		    m->dev_minor == map->dev_minor && offset >= m->offset &&
		    offset - m->offset < m->end - m->start)
			return 1;
	}
	return 0;
}

/* Has a thread come up since the tasks were listed, which may be the one meant? */
static bool has_new_thread(const struct world *w, pid_t tgid)
{
	char path[32];
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	dir = opendir(path);
	if (!dir)
		return true;
	while (!found && (entry = readdir(dir))) {
		pid_t tid = atoi(entry->d_name);

		found = tid > 0 && world_find_task(w, tid) == NO_INDEX;
	}
	closedir(dir);
	return found;
}

static bool is_new_task(const struct world *w, pid_t tid)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/%d", tid);
	return world_find_task(w, tid) == NO_INDEX && !access(path, F_OK);
}

/* Only to prove what was found. */
static int has_double(struct world *w, pid_t tgid)
{
	uint32_t task;

	if (!w->thorough)
		return 0;
	task = world_live_thread(w, tgid);
	return task == NO_INDEX ? -1 : futex_double(w, task);
}

bool futex_may_have_double(struct world *w, pid_t tgid)
{
	return has_double(w, tgid) < 0;
}

/* One that has exited is no owner any more: its memory goes on without it. */
static enum owner alive(struct world *w, uint32_t task, uint32_t *task_ret)
{
	*task_ret = task;
	if (has_double(w, w->tasks[task].tgid) > 0)
		return OWNER_UNKNOWN;
	return w->tasks[task].exiting ? OWNER_GONE : OWNER_TASK;
}

/** struct match - the threads of the machine that can be meant */
struct match {
	uint32_t nr;
	uint32_t task;
	/** @unsure: one more may be, or may not */
	bool unsure;
};

static void match_add(struct match *match, int is, uint32_t task)
{
	if (is < 0) {
		match->unsure = true;
	} else if (is) {
		match->nr++;
		match->task = task;
	}
}

static enum owner match_result(struct world *w, const struct match *match,
			       uint32_t *task_ret)
{
	if (match->unsure || match->nr > 1)
		return OWNER_UNKNOWN;
	return match->nr ? alive(w, match->task, task_ret) : OWNER_GONE;
}

/* Processes can share memory without being one (vfork, some runtimes). */
static enum owner owner_elsewhere(struct world *w, pid_t tgid, pid_t number, uint32_t *task_ret)
{
	struct match match = { 0 };
	uint32_t nr, *tasks = namesakes(w, number, &nr);

	for (uint32_t i = 0; i < nr; i++) {
		const struct task *t = &w->tasks[tasks[i]];

		if (t->tgid != tgid && !t->exiting)
			match_add(&match, shares_memory(w, tgid, t->tgid), tasks[i]);
	}
	free(tasks);
	return match_result(w, &match, task_ret);
}

static enum owner owner_private(struct world *w, pid_t tgid, pid_t number, uint32_t *task_ret)
{
	uint32_t task = futex_thread(w, tgid, number);

	if (task != NO_INDEX)
		return alive(w, task, task_ret);
	if (ids_of(w, tgid)->ids_err || has_new_thread(w, tgid) || is_new_task(w, number) ||
	    has_double(w, tgid) > 0)
		return OWNER_UNKNOWN;
	return owner_elsewhere(w, tgid, number, task_ret);
}

/*
 * Did the thread come after that moment? Its start is told by a clock that is
 * ahead, by the time that the machine was suspended so far.
 */
static bool came_after(const struct task *t, uint64_t begin_ns)
{
	uint64_t tick_ns = 1000000000ULL / sysconf(_SC_CLK_TCK);
	struct timespec boot;
	uint64_t ahead_ns;

	if (!begin_ns || clock_gettime(CLOCK_BOOTTIME, &boot))
		return false;
	ahead_ns = boot.tv_sec * 1000000000ULL + boot.tv_nsec - now_ns();
	return t->start_ticks * tick_ns > begin_ns + ahead_ns;
}

/*
 * A thread of that number that does not map the place may have unmapped it, as
 * programs that see large files through a window do, and can map it again.
 */
static enum owner owner_shared(struct world *w, const struct proc_map *map, uint64_t offset,
			       pid_t number, uint64_t begin_ns, uint32_t *task_ret)
{
	bool may_map = false, renamed = false;
	struct match match = { 0 };
	uint32_t nr, *tasks = namesakes(w, number, &nr);
	enum owner owner;

	for (uint32_t i = 0; i < nr; i++) {
		const struct task *t = &w->tasks[tasks[i]];
		int maps;

		if (t->exiting)
			continue;
		maps = futex_maps(w, t->tgid, map, offset);
		match_add(&match, maps, tasks[i]);
		if (!maps && came_after(t, begin_ns))
			renamed = true;
		else
			may_map = true;
	}
	free(tasks);
	if (!match.nr && (may_map || !w->futexes->complete || is_new_task(w, number)))
		return OWNER_UNKNOWN;
	owner = match_result(w, &match, task_ret);
	return owner == OWNER_GONE && renamed ? OWNER_RENAMED : owner;
}

enum owner futex_owner(struct world *w, pid_t tgid, uint64_t addr, pid_t number,
		       uint64_t begin_ns, uint32_t *task_ret)
{
	const struct proc_map *map = futex_map(w, tgid, addr);

	*task_ret = NO_INDEX;
	if (!map)
		return OWNER_UNKNOWN;
	if (!map->shared)
		return owner_private(w, tgid, number, task_ret);
	if (!map->inode)
		return OWNER_UNKNOWN;
	return owner_shared(w, map, addr - map->start + map->offset, number, begin_ns, task_ret);
}
