// SPDX-License-Identifier: GPL-2.0
/* lock_rows - rows of the contention table (lock_rows.h) */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "array.h"
#include "lock_rows.h"
#include "snapshot.h"
#include "text.h"
#include "world.h"
#include "xalloc.h"

/* The kind of file handle by which cgroups are opened: 64 bits, their id. */
#define FILEID_KERNFS	0xfe

/* Functions that locks are made of: a caller is the first one below them. */
static const char *const lock_code[] = {
	"__traceiter_",	 "__bpf_trace_", "mutex_",   "__mutex_",     "ww_mutex_",  "__ww_mutex_",
	"down_",	 "__down",	 "rwsem_",   "rt_mutex_",    "__rt_mutex", "rtlock_",
	"_raw_",	 "__raw_",	 "native_q", "queued_",	     "__pv_q",	   "percpu_down_",
	"__percpu_down", "percpu_rwsem", "rwbase_",  "__rwbase_",    "rt_spin_",   "rt_read_",
	"rt_write_",	 "do_raw_",	 "rtmutex_", "__rt_spin_",   "_mutex_",	   "__percpu_rwsem",
};

uint64_t row_avg_ns(const struct lock_row *row)
{
	return row->ended ? row->total_ns / row->ended : 0;
}

uint64_t row_avg_hold_ns(const struct lock_row *row)
{
	if (row->holds == ROW_UNKNOWN)
		return ROW_UNKNOWN;
	return row->holds ? row->hold_total_ns / row->holds : 0;
}

bool rows_have_holds(const struct snapshot *snap)
{
	return snap->header.flags & GL_FILE_HOLDS;
}

/* A type filter names a kind, or both sides of one: "rwsem" is rwsem:R and rwsem:W. */
static bool type_matches(const char *types, const char *kind)
{
	for (const char *at = types; *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");

		if (!strncmp(kind, at, len) && (!kind[len] || kind[len] == ':'))
			return true;
		at += len;
	}
	return false;
}

static bool lock_matches(const char *lock, const struct gl_lock_record *rec)
{
	char *end;
	unsigned long long address = strtoull(lock, &end, 16);

	if (!strncmp(rec->name, lock, strlen(lock)))
		return true;
	return *lock && !*end && rec->res_addr && address == rec->res_addr;
}

/* --- by lock and by kind --- */

static char *lock_label(const struct gl_lock_record *rec)
{
	char name[TEXT_NAME_SIZE];

	if (rec->row == GL_ROW_TOTAL)
		return xstrdup("all");
	if (rec->row == GL_ROW_OTHER)
		return xstrdup("(other locks)");
	if (rec->name[0])
		return xstrdup(text_escape(rec->name, name, sizeof(name)));
	if (rec->kind == GL_KIND_FUTEX || rec->kind == GL_KIND_FUTEX_PI)
		return xasprintf("0x%llx of process %d", rec->res_addr, rec->tgid);
	if (rec->res_addr)
		return xasprintf("0x%llx", rec->res_addr);
	return xasprintf("#%016llx", rec->res_id);
}

/* The end of the bucket that the wait with this rank lies in, or the longest wait. */
static uint64_t percentile(const struct gl_lock_record *rec, unsigned int percent)
{
	uint64_t sum = 0, seen = 0, rank;

	for (size_t i = 0; i < GL_NR_BUCKETS; i++)
		sum += rec->hist[i];
	if (!(rec->flags & GL_LOCK_HIST) || !sum)
		return ROW_UNKNOWN;
	rank = (sum * percent + 99) / 100;
	for (size_t i = 0; i < GL_NR_BUCKETS; i++) {
		uint64_t end = (2ULL << i) - 1;

		seen += rec->hist[i];
		if (seen >= rank)
			return end < rec->max_ns && i < GL_NR_BUCKETS - 1 ? end : rec->max_ns;
	}
	return rec->max_ns;
}

static bool lock_wanted(const struct row_filter *filter, const struct gl_lock_record *rec)
{
	bool is_total = rec->row == GL_ROW_TOTAL, by_kind = filter->by == ROWS_BY_KIND;

	if (is_total != by_kind || !(rec->nr_begun | rec->nr_ended))
		return false;
	if (filter->types && !type_matches(filter->types, kind_name(rec->kind)))
		return false;
	return !filter->lock || lock_matches(filter->lock, rec);
}

/* In `other`, more may have ended than begun: those began in rows, which is not told. */
static uint64_t nr_waiting(const struct gl_lock_record *rec)
{
	uint64_t closed = rec->nr_ended + rec->nr_lost;

	return rec->nr_begun < closed ? ROW_UNKNOWN : rec->nr_begun - closed;
}

static void set_holds(struct lock_row *row, const struct gl_lock_record *rec, bool counted)
{
	row->holds = counted ? rec->nr_holds : ROW_UNKNOWN;
	row->holds_in_irq = counted ? rec->nr_holds_in_irq : ROW_UNKNOWN;
	row->hold_total_ns = counted ? rec->hold_total_ns : ROW_UNKNOWN;
	row->hold_max_ns = counted ? rec->hold_max_ns : ROW_UNKNOWN;
}

static size_t rows_of_locks(const struct snapshot *snap, const struct row_filter *filter,
			    struct lock_row **ret)
{
	struct lock_row *rows = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < snap->nr; i++) {
		const struct gl_lock_record *rec = &snap->locks[i];
		struct lock_row *row;

		if (!lock_wanted(filter, rec))
			continue;
		row = vec_push(rows, nr);
		*row = (struct lock_row){
			.kind = rec->kind,
			.form = rec->form,
			.label = lock_label(rec),
			.stack = xstrdup(""),
			.id = rec->res_id,
			.other = rec->row == GL_ROW_OTHER,
			.contended = rec->nr_begun,
			.ended = rec->nr_ended,
			.failed = rec->nr_failed,
			.lost = rec->nr_lost,
			.waiting = nr_waiting(rec),
			.total_ns = rec->total_ns,
			.max_ns = rec->max_ns,
			.min_ns = rec->min_ns,
			.p50_ns = percentile(rec, 50),
			.p99_ns = percentile(rec, 99),
		};
		memcpy(row->failed_by, rec->nr_failed_by, sizeof(row->failed_by));
		set_holds(row, rec, rows_have_holds(snap));
	}
	*ret = rows;
	return nr;
}

/* --- by task, owner, cgroup and caller --- */

static bool is_lock_code(const char *frame)
{
	/* The name ends at its offset: "down+0x14". */
	if (!strncmp(frame, "down+", 5))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(lock_code); i++)
		if (!strncmp(frame, lock_code[i], strlen(lock_code[i])))
			return true;
	return false;
}

/* The first frame that is not the lock's own code; else the outermost. */
static char *caller_label(const char *stack)
{
	const char *at = stack, *next;
	char *frame, label[4 * GL_STACK_LEN + 1];

	while (is_lock_code(at) && (next = strchr(at, ' ')))
		at = next + 1;
	frame = xasprintf("%.*s", (int)strcspn(at, " "), at);
	text_escape(frame, label, sizeof(label));
	free(frame);
	return xstrdup(label);
}

/* The names of functions are what modules call them. */
static char *stack_text(const struct gl_group_record *rec)
{
	char text[4 * GL_STACK_LEN + 1];

	return xstrdup(text_escape(rec->stack, text, sizeof(text)));
}

static bool stack_has(const char *stack, const char *function)
{
	for (const char *at = stack; *at; at += strspn(at, " ")) {
		size_t len = strcspn(at, "+ ");

		if (memmem(at, len, function, strlen(function)))
			return true;
		at += strcspn(at, " ");
	}
	return false;
}

/* The path of a cgroup within the unified hierarchy, mounted at @top; NULL: not there. */
static char *cgroup_path(const char *top, uint64_t id)
{
	union {
		struct file_handle handle;
		char bytes[sizeof(struct file_handle) + sizeof(id)];
	} h = { .handle = { .handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS } };
	char link[64], path[4096];
	int dir = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd;
	ssize_t len = -1;

	if (dir < 0)
		return NULL;
	memcpy(h.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(dir, &h.handle, O_PATH | O_CLOEXEC);
	if (fd >= 0) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		len = readlink(link, path, sizeof(path) - 1);
		close(fd);
	}
	close(dir);
	if (len < 0)
		return NULL;
	path[len] = '\0';
	if (strncmp(path, top, strlen(top)))
		return NULL;
	return xstrdup(path[strlen(top)] ? path + strlen(top) : "/");
}

static char *cgroup_label(uint64_t id)
{
	char *path = cgroup_path("/sys/fs/cgroup", id) ?:
		     cgroup_path("/sys/fs/cgroup/unified", id);
	char name[TEXT_NAME_SIZE], *label;

	if (!path)
		return xasprintf("#%llu", (unsigned long long)id);
	label = xstrdup(text_escape(path, name, sizeof(name)));
	free(path);
	return label;
}

static const char *other_label(uint32_t by)
{
	switch (by) {
	case GL_BY_OWNER:
		return "(owner unknown)";
	case GL_BY_CALLER:
		return "(shorter waits)";
	default:
		return "(others)";
	}
}

static char *group_label(const struct gl_group_record *rec)
{
	char name[TEXT_NAME_SIZE];

	if (rec->row == GL_ROW_OTHER)
		return xstrdup(other_label(rec->by));
	switch (rec->by) {
	case GL_BY_CALLER:
		return rec->stack[0] ? caller_label(rec->stack) : xstrdup("(no symbol)");
	case GL_BY_CGROUP:
		return cgroup_label(rec->cgroup_id);
	default:
		return xstrdup(rec->comm[0] ? text_escape(rec->comm, name, sizeof(name)) : "-");
	}
}

static bool group_wanted(const struct row_filter *filter, const struct gl_group_record *rec)
{
	if (rec->row == GL_ROW_TOTAL || rec->by != (uint32_t)filter->by || !rec->nr_ended)
		return false;
	if (filter->types && !type_matches(filter->types, kind_name(rec->kind)))
		return false;
	return !filter->function || stack_has(rec->stack, filter->function);
}

/*
 * What makes records one row: the task, the owner, the cgroup, of whatever kind;
 * the caller's code address, of one kind.
 */
static bool is_same_row(const struct lock_row *row, const struct lock_row *other,
			enum rows_by by)
{
	if (row->tid != other->tid || row->id != other->id || row->other != other->other)
		return false;
	if (by == ROWS_BY_CALLER)
		return row->kind == other->kind && !strcmp(row->label, other->label);
	return by != ROWS_BY_OWNER || !strcmp(row->label, other->label);
}

static int by_identity(const void *a, const void *b)
{
	const struct lock_row *x = a, *y = b;

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->other != y->other)
		return x->other ? 1 : -1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	return strcmp(x->label, y->label);
}

/* Sorted for it, rows that are one lie together. Returns how many are left. */
static size_t merge(struct lock_row *rows, size_t nr, enum rows_by by)
{
	size_t kept = 0;

	if (by != ROWS_BY_CALLER)
		for (size_t i = 0; i < nr; i++)
			rows[i].kind = GL_NR_KINDS;
	qsort(rows, nr, sizeof(*rows), by_identity);
	for (size_t i = 0; i < nr; i++) {
		struct lock_row *row = kept ? &rows[kept - 1] : NULL;

		if (!row || !is_same_row(row, &rows[i], by)) {
			rows[kept++] = rows[i];
			continue;
		}
		row->contended += rows[i].contended;
		row->ended += rows[i].ended;
		row->failed += rows[i].failed;
		row->total_ns += rows[i].total_ns;
		if (rows[i].max_ns > row->max_ns)
			row->max_ns = rows[i].max_ns;
		free(rows[i].label);
		free(rows[i].stack);
	}
	return kept;
}

static uint64_t group_id(const struct gl_group_record *rec)
{
	return rec->by == GL_BY_CGROUP ? rec->cgroup_id : rec->by == GL_BY_TASK ? rec->start_ns : 0;
}

static size_t rows_of_groups(const struct snapshot *snap, const struct row_filter *filter,
			     struct lock_row **ret)
{
	struct lock_row *rows = NULL;
	size_t nr = 0;

	for (size_t i = 0; i < snap->nr; i++) {
		const struct gl_group_record *rec = &snap->groups[i];

		if (!group_wanted(filter, rec))
			continue;
		*vec_push(rows, nr) = (struct lock_row){
			.kind = rec->kind,
			.label = group_label(rec),
			.stack = stack_text(rec),
			.id = group_id(rec),
			.tid = rec->tid,
			.other = rec->row == GL_ROW_OTHER,
			.contended = rec->nr_ended,
			.ended = rec->nr_ended,
			.failed = rec->nr_failed,
			.lost = ROW_UNKNOWN,
			.waiting = ROW_UNKNOWN,
			.total_ns = rec->total_ns,
			.max_ns = rec->max_ns,
			.min_ns = ROW_UNKNOWN,
			.p50_ns = ROW_UNKNOWN,
			.p99_ns = ROW_UNKNOWN,
			.failed_by = { ROW_UNKNOWN, ROW_UNKNOWN, ROW_UNKNOWN },
			.holds = ROW_UNKNOWN,
			.holds_in_irq = ROW_UNKNOWN,
			.hold_total_ns = ROW_UNKNOWN,
			.hold_max_ns = ROW_UNKNOWN,
		};
	}
	*ret = rows;
	return nr ? merge(rows, nr, filter->by) : 0;
}

static bool is_counted_by(const struct snapshot *snap, enum rows_by by)
{
	for (size_t i = 0; i < snap->nr; i++)
		if (snap->groups[i].by == (uint32_t)by)
			return true;
	return false;
}

size_t rows_make(const struct snapshot *snap, const struct row_filter *filter,
		 struct lock_row **ret, bool *is_counted)
{
	if (snap->locks) {
		*is_counted = true;
		return rows_of_locks(snap, filter, ret);
	}
	*is_counted = is_counted_by(snap, filter->by);
	return rows_of_groups(snap, filter, ret);
}

void rows_free(struct lock_row *rows, size_t nr)
{
	for (size_t i = 0; i < nr; i++) {
		free(rows[i].label);
		free(rows[i].stack);
	}
	free(rows);
}
