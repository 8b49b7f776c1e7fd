// SPDX-License-Identifier: GPL-2.0
/* proc_new - tasks that have come, or gone, while nobody looked (proc.h) */
#include <ctype.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proc.h"
#include "remote.h"

uint64_t proc_forks(void)
{
	FILE *in = fopen("/proc/stat", "re");
	char *line = NULL;
	uint64_t nr = 0;
	size_t size = 0;

	while (in && !nr && getline(&line, &size, in) > 0)
		sscanf(line, "processes %" SCNu64, &nr);
	free(line);
	if (in)
		fclose(in);
	return nr;
}

static void add_new_threads(struct world *w, pid_t tgid)
{
	struct dirent *entry;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", tgid);
	dir = opendir(path);
	/* One that ends meanwhile has no threads any more. */
	if (!dir)
		return;
	while ((entry = readdir(dir))) {
		pid_t tid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (tid && world_find_task(w, tid) == NO_INDEX)
			proc_add_thread(w, tgid, tid);
	}
	closedir(dir);
}

bool proc_new_tasks(struct world *w)
{
	pid_t self = getpid();
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	if (!dir)
		return false;
	while ((entry = readdir(dir))) {
		pid_t tgid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;

		if (tgid && tgid != self && !remote_is_child(w->remote, tgid))
			add_new_threads(w, tgid);
	}
	closedir(dir);
	return true;
}

bool proc_had_threads(pid_t tgid)
{
	unsigned long long own_ns = 0;
	struct timespec all;
	char path[32];
	clockid_t clock;
	FILE *in;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", tgid);
	in = fopen(path, "re");
	if (!in)
		return true;
	if (fscanf(in, "%llu", &own_ns) != 1)
		own_ns = 0;
	fclose(in);
	if (clock_getcpuclockid(tgid, &clock) || clock_gettime(clock, &all))
		return true;
	return all.tv_sec * 1000000000ULL + all.tv_nsec != own_ns;
}
