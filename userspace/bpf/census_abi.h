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

/*
 * A walk goes in pieces, of so many threads each: for some 0.2 ms at most no memory that
 * goes by RCU is given back.
 */
#define CENSUS_PIECE	1024

/** struct census_border - where a piece begins */
struct census_border {
	/** @task, @start_ns: the thread that is told next, as in its record, with @tid */
	__u64 task;
	__u64 start_ns;
	/** @tid: its number; 0: whoever is the first of all */
	__u32 tid;
	/** @nr: records of those before */
	__u32 nr;
};

/** enum census_outcome - of a piece */
enum census_outcome {
	/** @CENSUS_MORE: it goes on at @to */
	CENSUS_MORE,
	/** @CENSUS_END: there are no more threads; @to.nr in all */
	CENSUS_END,
	/** @CENSUS_GONE: the thread at @from is, and nothing was told */
	CENSUS_GONE,
	/** @CENSUS_FULL: there is no more room */
	CENSUS_FULL,
};

/** struct census_piece - what census_walk() is given (@from), and gives back */
struct census_piece {
	struct census_border from;
	struct census_border to;
	__u32 outcome;
	__u32 reserved;
};

#endif /* CENSUS_ABI_H */
