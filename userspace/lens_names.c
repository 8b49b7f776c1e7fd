// SPDX-License-Identifier: GPL-2.0
/*
 * lens_names - what addresses that the lens tells of are (lens_names.h). They are
 * looked up when they are first heard of, and kept as long as every look asks for
 * them: a watch of days forgets what has ended.
 */
#include <search.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "futex_owner.h"
#include "lens_lock.h"
#include "lens_names.h"
#include "proc.h"
#include "xalloc.h"

/** struct lens_name - an address in a process */
struct lens_name {
	uint64_t addr;
	pid_t tgid;
	/** @look: number of the latest look that asked */
	uint32_t look;
	/** @is: what it is; of a lock its id is there, too (owned) */
	char *is;
	char *id;
	/** @lock: of a lock: index into the locks of that look */
	uint32_t lock;
};

static int compare_addresses(const void *a, const void *b)
{
	const struct lens_name *x = a, *y = b;

	if (x->tgid != y->tgid)
		return x->tgid < y->tgid ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static int compare_ids(const void *a, const void *b)
{
	const struct lens_name *x = a, *y = b;

	return strcmp(x->id, y->id);
}

/* The one of @tree at this address: *@is_new: there was none. */
static struct lens_name *find(struct lens_names *names, void **tree, pid_t tgid, uint64_t addr,
			      bool *is_new)
{
	struct lens_name key = { .addr = addr, .tgid = tgid };
	struct lens_name *const *known = tfind(&key, tree, compare_addresses), *name;

	*is_new = !known;
	if (known)
		return *known;
	name = xcalloc(1, sizeof(*name));
	*name = key;
	xtsearch(name, tree, compare_addresses);
	*vec_push(names->all, names->nr) = name;
	return name;
}

/* Other processes may have the same lock at other addresses. */
static uint32_t number_of_lock(struct lens_names *names, struct lens_name *name)
{
	const struct lens_name *first = xtsearch(name, &names->ids, compare_ids);
	struct lens_lock *lock;

	if (first != name)
		return first->lock;
	lock = vec_push(names->locks, names->nr_locks);
	lock->id = name->id;
	lock->name = name->is;
	return names->nr_locks - 1;
}

uint32_t lens_names_lock(struct lens_names *names, struct world *w, pid_t tgid, uint64_t lock)
{
	bool is_new;
	uint64_t addr = lock & LENS_ADDR;
	struct lens_name *name = find(names, &names->places, tgid, addr, &is_new);

	if (is_new) {
		name->id = futex_identity(w, tgid, addr);
		name->is = lens_lock_name(futex_map(w, tgid, addr), lock);
	}
	if (name->look != names->look)
		name->lock = number_of_lock(names, name);
	name->look = names->look;
	return name->lock;
}

static char *name_of_site(struct world *w, pid_t tgid, uint64_t addr)
{
	const struct proc_map *map = futex_map(w, tgid, addr);
	const char *base;

	if (!map || !*map->path)
		return xasprintf("0x%llx", (unsigned long long)addr);
	base = strrchr(map->path, '/');
	return xasprintf("%s+0x%llx", base ? base + 1 : map->path,
			 (unsigned long long)(addr - map->start + map->offset));
}

const char *lens_names_site(struct lens_names *names, struct world *w, pid_t tgid,
			    uint64_t addr)
{
	bool is_new;
	struct lens_name *name = find(names, &names->sites, tgid, addr, &is_new);

	if (is_new)
		name->is = name_of_site(w, tgid, addr);
	name->look = names->look;
	return name->is;
}

static void drop_ids(struct lens_names *names)
{
	while (names->ids)
		tdelete(*(struct lens_name **)names->ids, &names->ids, compare_ids);
	free(names->locks);
	names->locks = NULL;
	names->nr_locks = 0;
}

static void free_name(struct lens_names *names, struct lens_name *name)
{
	tdelete(name, name->id ? &names->places : &names->sites, compare_addresses);
	free(name->is);
	free(name->id);
	free(name);
}

void lens_names_begin(struct lens_names *names)
{
	struct lens_name **kept = NULL;
	uint32_t nr = 0;

	drop_ids(names);
	for (uint32_t i = 0; i < names->nr; i++) {
		if (names->all[i]->look == names->look)
			*vec_push(kept, nr) = names->all[i];
		else
			free_name(names, names->all[i]);
	}
	free(names->all);
	names->all = kept;
	names->nr = nr;
	names->look++;
}

void lens_names_free(struct lens_names *names)
{
	drop_ids(names);
	for (uint32_t i = 0; i < names->nr; i++)
		free_name(names, names->all[i]);
	free(names->all);
}
