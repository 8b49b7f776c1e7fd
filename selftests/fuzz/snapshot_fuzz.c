// SPDX-License-Identifier: GPL-2.0
/*
 * snapshot_fuzz - whatever bytes stand in waits.bin or locks.bin, the reader
 * refuses them or decodes them into something that the rest of it can trust.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(int holds)
{
	if (!holds)
		abort();
}

static int is_terminated(const char *text, size_t size)
{
	return !!memchr(text, '\0', size);
}

static void claim_wait(const struct gl_wait_record *r)
{
	claim(r->kind < GL_NR_KINDS);
	claim(is_terminated(r->comm, sizeof(r->comm)));
	claim(is_terminated(r->owner_comm, sizeof(r->owner_comm)));
	claim(is_terminated(r->name, sizeof(r->name)));
}

static void claim_lock(const struct gl_lock_record *r)
{
	claim(r->kind < GL_NR_KINDS);
	claim(r->form < GL_NR_FORMS);
	claim(is_terminated(r->name, sizeof(r->name)));
}

static void claim_group(const struct gl_group_record *r)
{
	claim(r->kind < GL_NR_KINDS);
	claim(is_terminated(r->comm, sizeof(r->comm)));
	claim(is_terminated(r->stack, sizeof(r->stack)));
}

/* Each row is found by its thread, once, the youngest first. */
static void claim_index(const struct snapshot *s)
{
	size_t found = 0;

	for (size_t i = 0; i < s->nr; i += found) {
		pid_t tid = s->waits[s->by_tid[i]].tid;
		const uint32_t *rows;
		uint32_t nr;

		rows = snapshot_rows(s, tid, &nr);
		claim(rows == &s->by_tid[i] && nr);
		for (uint32_t n = 0; n < nr; n++) {
			claim(rows[n] < s->nr && s->waits[rows[n]].tid == tid);
			claim(!n || s->waits[rows[n]].begin_ns <= s->waits[rows[n - 1]].begin_ns);
		}
		found = nr;
	}
}

/* What the file says of itself fits into the file. */
static void claim_fits(const struct snapshot *s, size_t size)
{
	const struct gl_header *head = &s->header;

	claim(s->nr == head->nr_records);
	claim(head->header_size <= size);
	claim(s->nr <= (size - head->header_size) / head->record_size);
}

static void decode(const uint8_t *data, size_t size, uint32_t type)
{
	struct snapshot *s;
	int err;

	err = snapshot_decode(data, size, type, &s);
	if (err) {
		claim(err == -EBADMSG || err == -EPROTONOSUPPORT || err == -EMSGSIZE);
		return;
	}
	claim_fits(s, size);
	claim(!s->waits == (type != GL_RECORD_WAIT) && !s->locks == (type != GL_RECORD_LOCK) &&
	      !s->groups == (type != GL_RECORD_GROUP));
	for (size_t i = 0; i < s->nr; i++) {
		if (s->waits)
			claim_wait(&s->waits[i]);
		else if (s->groups)
			claim_group(&s->groups[i]);
		else
			claim_lock(&s->locks[i]);
	}
	if (s->waits)
		claim_index(s);
	snapshot_free(s);
}

/** LLVMFuzzerTestOneInput() - libFuzzer's entry: decode one file as every kind */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	decode(data, size, GL_RECORD_WAIT);
	decode(data, size, GL_RECORD_LOCK);
	decode(data, size, GL_RECORD_GROUP);
	return 0;
}
