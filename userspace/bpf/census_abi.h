/* SPDX-License-Identifier: GPL-2.0 */
/* census_abi - what the part in the kernel tells of a thread; made and read by one build */
#ifndef CENSUS_ABI_H
#define CENSUS_ABI_H

#include <linux/types.h>

#define CENSUS_COMM_LEN	16

/** struct census_record - a thread at one moment; numbers of the first PID namespace */
struct census_record {
	/** @task: tells it from every other thread that is there at the same time */
	__u64 task;
	/** @mm: the same of its address space; 0: it has none */
	__u64 mm;
	/** @files: the same of its table of descriptors; 0: it has none */
	__u64 files;
	/** @start_ns: its start; ns CLOCK_BOOTTIME */
	__u64 start_ns;
	/** @nr_switches: times that it left a CPU to another thread */
	__u64 nr_switches;
	/** @run_ns: time on CPUs; ns, up to the latest clock tick or switch */
	__u64 run_ns;
	__u32 tid;
	__u32 tgid;
	/** @ppid: its process's parent */
	__u32 ppid;
	/** @state: as task_struct.__state has it */
	__u32 state;
	/** @on_cpu: it was on a CPU, or left one, while this was read */
	__u32 on_cpu;
	/** @policy: SCHED_OTHER and the like */
	__u32 policy;
	/** @prio: in force, on the kernel's scale: 0 to 139; below 0: deadline */
	__s32 prio;
	/** @static_prio: 120 and the nice level */
	__s32 static_prio;
	__u32 rt_priority;
	__u32 reserved;
	char comm[CENSUS_COMM_LEN];
};

#endif /* CENSUS_ABI_H */
