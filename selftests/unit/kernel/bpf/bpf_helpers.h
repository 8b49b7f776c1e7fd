/* SPDX-License-Identifier: GPL-2.0 */
/*
 * bpf_helpers - in the place of libbpf's: maps and helpers for a program of the kernel
 * that is compiled into one test. One CPU, no other task in between.
 */
#ifndef TEST_BPF_HELPERS_H
#define TEST_BPF_HELPERS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SEC(name)
#define __uint(name, value)	int (*(name))[value]
#define __type(name, value)	typeof(value) *(name)
#define preserve_access_index
#define __noinline
#define barrier_var(var)	((void)(var))

#define MAX_ROWS	256

/** struct test_row - of any map */
struct test_row {
	const void *map;
	void *key;
	void *value;
};

static struct {
	/** @row: [nr] (owned) */
	struct test_row row[MAX_ROWS];
	uint32_t nr;
	/** @id: of the current task: process and thread */
	uint64_t id;
	/** @task: the same, as the kernel has it */
	void *task;
	/** @cookie: of the probe that is hit */
	uint64_t cookie;
	/** @now_ns: goes on by 1 each time that it is asked for */
	uint64_t now_ns;
	/** @unreadable: the memory of the task is, without waiting for it */
	bool unreadable;
} test_bpf;

static inline struct test_row *test_find(const void *map, const void *key, size_t size)
{
	for (uint32_t i = 0; i < test_bpf.nr; i++)
		if (test_bpf.row[i].map == map && !memcmp(test_bpf.row[i].key, key, size))
			return &test_bpf.row[i];
	return NULL;
}

static inline void *test_copy(const void *from, size_t size)
{
	void *copy = calloc(1, size);

	if (from)
		memcpy(copy, from, size);
	return copy;
}

static inline void *test_lookup(const void *map, const void *key, size_t key_size,
				size_t value_size, bool is_array)
{
	struct test_row *row = test_find(map, key, key_size);

	if (!row && is_array) {
		row = &test_bpf.row[test_bpf.nr++];
		*row = (struct test_row){ map, test_copy(key, key_size),
					  test_copy(NULL, value_size) };
	}
	return row ? row->value : NULL;
}

static inline long test_update(const void *map, const void *key, size_t key_size,
			       const void *value, size_t value_size, uint64_t flags)
{
	struct test_row *row = test_find(map, key, key_size);

	if (row && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!row && test_bpf.nr == MAX_ROWS)
		return -E2BIG;
	if (row) {
		memcpy(row->value, value, value_size);
		return 0;
	}
	test_bpf.row[test_bpf.nr++] = (struct test_row){ map, test_copy(key, key_size),
							  test_copy(value, value_size) };
	return 0;
}

static inline void test_free_row(struct test_row *row)
{
	free(row->key);
	free(row->value);
	*row = test_bpf.row[--test_bpf.nr];
}

static inline long test_delete(const void *map, const void *key, size_t key_size)
{
	struct test_row *row = test_find(map, key, key_size);

	if (!row)
		return -ENOENT;
	test_free_row(row);
	return 0;
}

#define test_is_array(m)	(sizeof(*(m)->type) / sizeof(int) == BPF_MAP_TYPE_PERCPU_ARRAY)
#define bpf_map_lookup_elem(m, k)						\
	((typeof((m)->value))test_lookup(m, k, sizeof(*(m)->key),		\
					 sizeof(*(m)->value), test_is_array(m)))
#define bpf_map_update_elem(m, k, v, flags)					\
	test_update(m, k, sizeof(*(m)->key), v, sizeof(*(m)->value), flags)
#define bpf_map_delete_elem(m, k)	test_delete(m, k, sizeof(*(m)->key))
#define bpf_tail_call(ctx, m, i)	((void)(ctx), (void)(m))

static inline uint64_t bpf_get_current_pid_tgid(void)
{
	return test_bpf.id;
}

static inline void *bpf_get_current_task_btf(void)
{
	return test_bpf.task;
}

static inline uint64_t bpf_get_attach_cookie(void *ctx)
{
	(void)ctx;
	return test_bpf.cookie;
}

static inline uint64_t bpf_ktime_get_ns(void)
{
	return ++test_bpf.now_ns;
}

static inline long bpf_probe_read_user(void *to, uint32_t size, const void *from)
{
	if (test_bpf.unreadable || !from)
		return -EFAULT;
	memcpy(to, from, size);
	return 0;
}

#endif /* TEST_BPF_HELPERS_H */
