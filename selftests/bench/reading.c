// SPDX-License-Identifier: GPL-2.0
/*
 * reading - how long it takes to read a snapshot of the module's, and to decode it as
 * the reader does, and how many contentions begin meanwhile.
 *
 *	reading waits|locks TIMES	prints for each time: rows, ns to read, ns to decode,
 *					contentions begun from before the first to after
 *					the last
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../userspace/snapshot.h"
#include "../../userspace/source.h"

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static unsigned long long read_begins(void)
{
	static const char name[] = "events.begins ";
	unsigned long long value;
	char *stats, *line;
	size_t size;

	if (source_read("stats", &stats, &size))
		errx(1, "cannot read stats");
	line = strstr(stats, name);
	if (!line)
		errx(1, "stats has no %s", name);
	value = strtoull(line + strlen(name), NULL, 10);
	free(stats);
	return value;
}

static void read_once(const char *name, uint32_t type)
{
	unsigned long long begins = read_begins(), start = now_ns(), have_read, decoded;
	struct snapshot *snapshot;
	size_t size;
	char *data;
	int err;

	err = source_read(name, &data, &size);
	have_read = now_ns();
	if (!err)
		err = snapshot_decode(data, size, type, &snapshot);
	decoded = now_ns();
	if (err) {
		source_explain(name, err);
		exit(1);
	}
	printf("%zu %llu %llu %llu\n", snapshot->nr, have_read - start, decoded - have_read,
	       read_begins() - begins);
	snapshot_free(snapshot);
	free(data);
}

int main(int argc, char **argv)
{
	int times = argc == 3 ? atoi(argv[2]) : 0;

	if (times < 1 || (strcmp(argv[1], "waits") && strcmp(argv[1], "locks")))
		errx(2, "usage: reading waits|locks TIMES");
	while (times--) {
		if (!strcmp(argv[1], "waits"))
			read_once("waits.bin", GL_RECORD_WAIT);
		else
			read_once("locks.bin", GL_RECORD_LOCK);
	}
	return 0;
}
