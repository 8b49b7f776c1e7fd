/* SPDX-License-Identifier: GPL-2.0 */
/* asleep - whether a task sleeps, for the programs that make situations. */
#ifndef _ASLEEP_H
#define _ASLEEP_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* The kernel names the function a task sleeps in only once it is off the CPU. */
static inline bool task_off_cpu(pid_t tid)
{
	char path[64], wchan[64] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/wchan", tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (!fgets(wchan, sizeof(wchan), file))
		wchan[0] = '\0';
	fclose(file);
	return wchan[0] && strcmp(wchan, "0");
}

#endif /* _ASLEEP_H */
