// SPDX-License-Identifier: GPL-2.0
/*
 * cpu - memory of the per-CPU state, on the node of its CPU.
 */
#include "cpu.h"

#include <linux/build_bug.h>
#include <linux/cpumask.h>
#include <linux/errno.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/topology.h>
#include <linux/vmalloc.h>

DEFINE_PER_CPU(struct gl_cpu *, gl_cpu_ptr);

static_assert(sizeof(struct gl_cpu) +
	      GL_DEFAULT_MAX_LOCKS * (sizeof(struct gl_row) + sizeof(u8)) +
	      GL_DEFAULT_MAX_GROUPS * sizeof(struct gl_group) <= GL_MOST_CPU_BYTES);

/* Rows and groups of each CPU; powers of two, set before the first probe. */
u32 gl_nr_rows;
u32 gl_nr_groups;

static int init_one(int nr)
{
	struct gl_cpu *cpu = kvzalloc_node(sizeof(*cpu), GFP_KERNEL, cpu_to_node(nr));

	if (!cpu)
		return -ENOMEM;
	per_cpu(gl_cpu_ptr, nr) = cpu;
	cpu->tag = kvzalloc_node(gl_nr_rows, GFP_KERNEL, cpu_to_node(nr));
	cpu->row = vzalloc_node(array_size(gl_nr_rows, sizeof(*cpu->row)), cpu_to_node(nr));
	cpu->group = vzalloc_node(array_size(gl_nr_groups, sizeof(*cpu->group)), cpu_to_node(nr));
	return cpu->tag && cpu->row && cpu->group ? 0 : -ENOMEM;
}

/**
 * gl_cpu_init() - allocate the state of every possible CPU
 * @max_locks: rows for each
 * @max_groups: groups for each
 *
 * Context: process; may sleep.
 *
 * Return: 0 or -ENOMEM, and then nothing is left.
 */
int gl_cpu_init(u32 max_locks, u32 max_groups)
{
	int nr, err;

	gl_nr_rows = roundup_pow_of_two(max_locks);
	gl_nr_groups = roundup_pow_of_two(max_groups);
	for_each_possible_cpu(nr) {
		err = init_one(nr);
		if (err) {
			gl_cpu_exit();
			return err;
		}
	}
	return 0;
}

static size_t hold_bytes(void)
{
	return size_add(sizeof(struct gl_hold_counts),
			array_size(gl_nr_rows, sizeof(struct gl_hold_sums)));
}

/**
 * gl_cpu_init_holds() - allocate counters of holds for every possible CPU
 *
 * Context: process; may sleep. After gl_cpu_init().
 *
 * Return: 0 or -ENOMEM; gl_cpu_exit() frees them either way.
 */
int gl_cpu_init_holds(void)
{
	int nr;

	for_each_possible_cpu(nr) {
		struct gl_cpu *cpu = per_cpu(gl_cpu_ptr, nr);

		cpu->hold = vzalloc_node(hold_bytes(), cpu_to_node(nr));
		if (!cpu->hold)
			return -ENOMEM;
	}
	return 0;
}

/**
 * gl_cpu_exit() - free it; no probe and no reader uses it any more
 *
 * Context: process; may sleep.
 */
void gl_cpu_exit(void)
{
	int nr;

	for_each_possible_cpu(nr) {
		struct gl_cpu *cpu = per_cpu(gl_cpu_ptr, nr);

		if (!cpu)
			continue;
		per_cpu(gl_cpu_ptr, nr) = NULL;
		vfree(cpu->hold);
		vfree(cpu->group);
		vfree(cpu->row);
		kvfree(cpu->tag);
		kvfree(cpu);
	}
}

/**
 * gl_cpu_bytes() - memory taken on all CPUs
 *
 * Context: any.
 *
 * Return: bytes.
 */
u64 gl_cpu_bytes(void)
{
	u64 holds = per_cpu(gl_cpu_ptr, cpumask_first(cpu_possible_mask))->hold ? hold_bytes() : 0;

	return (u64)num_possible_cpus() *
	       (sizeof(struct gl_cpu) + (u64)gl_nr_rows * (sizeof(struct gl_row) + sizeof(u8)) +
		(u64)gl_nr_groups * sizeof(struct gl_group) + holds);
}

/**
 * gl_cpu_longest_ns() - the longest probe that was timed since load, on all CPUs
 *
 * Context: any.
 *
 * Return: ns.
 */
u64 gl_cpu_longest_ns(void)
{
	u64 longest_ns = 0;
	int nr;

	for_each_possible_cpu(nr) {
		const struct gl_cpu *cpu = per_cpu(gl_cpu_ptr, nr);

		longest_ns = max_t(u64, longest_ns, local_read(&cpu->longest_ns));
	}
	return longest_ns;
}
