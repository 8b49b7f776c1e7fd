// SPDX-License-Identifier: GPL-2.0
/*
 * count [FLAGS] - count waits for locks in the kernel, until the end of input.
 *
 * Says "attached", and at the end what was counted: a line "misses N" with how often
 * the kernel left a program out as it ran on that CPU already, "no_room N", "strays N",
 * and lines "CPU FLAGS BEGUN ENDED FAILED". With FLAGS one end of a wait that began
 * with these is forgotten, to show that it is found out.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count.h"
#include "count.skel.h"

static void die(const char *what, int err)
{
	fprintf(stderr, "count: %s: %s\n", what, strerror(err < 0 ? -err : err));
	exit(1);
}

static __u64 misses_of(const struct bpf_program *program)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);
	int err = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size);

	if (err)
		die("misses", err);
	return info.recursion_misses;
}

/* Values of each CPU that there can be, [nr_cpus], at an index. */
static void read_values(const struct bpf_map *map, __u32 index, void *ret)
{
	int err = bpf_map_lookup_elem(bpf_map__fd(map), &index, ret);

	if (err)
		die(bpf_map__name(map), err);
}

static void print_unmatched(const struct count_bpf *skel, int nr_cpus)
{
	struct unmatched *value = calloc(nr_cpus, sizeof(*value)), sum = { 0 };

	if (!value)
		die("memory", ENOMEM);
	read_values(skel->maps.unmatched, 0, value);
	for (int cpu = 0; cpu < nr_cpus; cpu++) {
		sum.no_room += value[cpu].no_room;
		sum.strays += value[cpu].strays;
	}
	printf("no_room %llu\nstrays %llu\n", sum.no_room, sum.strays);
	free(value);
}

static void print_counts(const struct count_bpf *skel, int nr_cpus)
{
	struct count *value = calloc(nr_cpus, sizeof(*value));

	if (!value)
		die("memory", ENOMEM);
	for (__u32 flags = 0; flags < NR_FLAGS; flags++) {
		read_values(skel->maps.counts, flags, value);
		for (int cpu = 0; cpu < nr_cpus; cpu++)
			if (value[cpu].begun || value[cpu].ended)
				printf("%d %u %llu %llu %llu\n", cpu, flags, value[cpu].begun,
				       value[cpu].ended, value[cpu].failed);
	}
	free(value);
}

static struct count_bpf *attach(const char *forget)
{
	struct count_bpf *skel = count_bpf__open();
	int err;

	if (!skel)
		die("open", errno);
	if (forget)
		skel->rodata->forget = strtoul(forget, NULL, 0);
	err = count_bpf__load(skel);
	if (err)
		die("load", err);
	err = count_bpf__attach(skel);
	if (err)
		die("attach", err);
	return skel;
}

int main(int argc, char **argv)
{
	struct count_bpf *skel = attach(argc > 1 ? argv[1] : NULL);
	int nr_cpus = libbpf_num_possible_cpus();
	char byte;

	if (nr_cpus < 0)
		die("number of CPUs", nr_cpus);
	puts("attached");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	count_bpf__detach(skel);
	printf("misses %llu\n",
	       misses_of(skel->progs.count_begin) + misses_of(skel->progs.count_end));
	print_unmatched(skel, nr_cpus);
	print_counts(skel, nr_cpus);
	count_bpf__destroy(skel);
	return 0;
}
