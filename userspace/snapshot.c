// SPDX-License-Identifier: GPL-2.0
/* snapshot - the module's binary files, decoded and validated (snapshot.h) */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"
#include "xalloc.h"

/*
 * The first version's sizes: what a file must have at least. Later fields are
 * zero in a file that lacks them.
 */
#define MIN_HEADER_SIZE	offsetof(struct gl_header, __reserved)
#define MIN_WAIT_SIZE	sizeof(struct gl_wait_record)
#define MIN_LOCK_SIZE	offsetof(struct gl_lock_record, nr_failed_by)
#define MIN_GROUP_SIZE	sizeof(struct gl_group_record)

/* Copy the part of a record that both sides know; the rest is zero. */
static void copy_known(void *to, size_t to_size, const void *from, size_t from_size)
{
	size_t known = from_size < to_size ? from_size : to_size;

	memcpy(to, from, known);
	memset((char *)to + known, 0, to_size - known);
}

static size_t min_record_size(uint32_t type)
{
	switch (type) {
	case GL_RECORD_WAIT:
		return MIN_WAIT_SIZE;
	case GL_RECORD_LOCK:
		return MIN_LOCK_SIZE;
	default:
		return MIN_GROUP_SIZE;
	}
}

static int decode_header(const void *data, size_t size, uint32_t type, struct gl_header *ret)
{
	struct gl_header head;

	if (size < sizeof(head.magic))
		return size ? -EBADMSG : -EMSGSIZE;
	copy_known(&head, sizeof(head), data, size);
	if (head.magic != GL_ABI_MAGIC)
		return -EBADMSG;
	if (size < MIN_HEADER_SIZE)
		return -EMSGSIZE;
	if (head.version != GL_ABI_VERSION)
		return -EPROTONOSUPPORT;
	if (head.record_type != type || head.header_size < MIN_HEADER_SIZE ||
	    head.record_size < min_record_size(type) || head.record_size % 8)
		return -EPROTONOSUPPORT;
	if (size < head.header_size)
		return -EMSGSIZE;
	copy_known(ret, sizeof(*ret), data, head.header_size);
	if (ret->nr_records > (size - ret->header_size) / ret->record_size)
		return -EMSGSIZE;
	if (ret->nr_records > UINT32_MAX - 1)
		return -EPROTONOSUPPORT;
	return 0;
}

static void sanitize_wait(struct gl_wait_record *r)
{
	r->comm[GL_COMM_LEN - 1] = '\0';
	r->owner_comm[GL_COMM_LEN - 1] = '\0';
	r->name[GL_NAME_LEN - 1] = '\0';
	if (r->kind >= GL_NR_KINDS)
		r->kind = GL_KIND_UNKNOWN;
}

static void sanitize_lock(struct gl_lock_record *r)
{
	r->name[GL_NAME_LEN - 1] = '\0';
	if (r->kind >= GL_NR_KINDS)
		r->kind = GL_KIND_UNKNOWN;
	if (r->form >= GL_NR_FORMS)
		r->form = GL_FORM_UNKNOWN;
}

static void sanitize_group(struct gl_group_record *r)
{
	r->comm[GL_COMM_LEN - 1] = '\0';
	r->stack[GL_STACK_LEN - 1] = '\0';
	if (r->kind >= GL_NR_KINDS)
		r->kind = GL_KIND_UNKNOWN;
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	const struct gl_wait_record *rows = arg;
	const struct gl_wait_record *x = &rows[*(const uint32_t *)a];
	const struct gl_wait_record *y = &rows[*(const uint32_t *)b];

	if (x->tid != y->tid)
		return x->tid < y->tid ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns > y->begin_ns ? -1 : 1;
	return x->gen > y->gen ? -1 : x->gen < y->gen;
}

static void index_by_tid(struct snapshot *s)
{
	s->by_tid = xcalloc(s->nr + 1, sizeof(*s->by_tid));
	for (size_t i = 0; i < s->nr; i++)
		s->by_tid[i] = i;
	qsort_r(s->by_tid, s->nr, sizeof(*s->by_tid), compare_rows, s->waits);
}

int snapshot_decode(const void *data, size_t size, uint32_t type, struct snapshot **ret)
{
	struct gl_header head;
	struct snapshot *s;
	const char *at;
	int err;

	err = decode_header(data, size, type, &head);
	if (err)
		return err;

	s = xcalloc(1, sizeof(*s));
	s->header = head;
	s->nr = head.nr_records;
	at = (const char *)data + head.header_size;
	if (type == GL_RECORD_WAIT)
		s->waits = xcalloc(s->nr + 1, sizeof(*s->waits));
	else if (type == GL_RECORD_LOCK)
		s->locks = xcalloc(s->nr + 1, sizeof(*s->locks));
	else
		s->groups = xcalloc(s->nr + 1, sizeof(*s->groups));
	for (size_t i = 0; i < s->nr; i++, at += head.record_size) {
		if (s->waits) {
			copy_known(&s->waits[i], sizeof(*s->waits), at, head.record_size);
			sanitize_wait(&s->waits[i]);
		} else if (s->groups) {
			copy_known(&s->groups[i], sizeof(*s->groups), at, head.record_size);
			sanitize_group(&s->groups[i]);
		} else {
			copy_known(&s->locks[i], sizeof(*s->locks), at, head.record_size);
			sanitize_lock(&s->locks[i]);
		}
	}
	if (s->waits)
		index_by_tid(s);
	*ret = s;
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	free(s->waits);
	free(s->locks);
	free(s->groups);
	free(s->by_tid);
	free(s);
}

const uint32_t *snapshot_rows(const struct snapshot *s, pid_t tid, uint32_t *nr_ret)
{
	size_t low = 0, high = s->nr, end;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (s->waits[s->by_tid[mid]].tid < tid)
			low = mid + 1;
		else
			high = mid;
	}
	for (end = low; end < s->nr && s->waits[s->by_tid[end]].tid == tid;)
		end++;
	*nr_ret = end - low;
	return end > low ? &s->by_tid[low] : NULL;
}
