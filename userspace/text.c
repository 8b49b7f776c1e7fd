// SPDX-License-Identifier: GPL-2.0
/* text - safe names and durations (text.h) */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "text.h"
#include "xalloc.h"

const char *text_escape(const char *s, char *buf, size_t size)
{
	size_t at = 0;

	for (; *s && at + 5 <= size; s++) {
		unsigned char c = *s;

		if (c < 0x20 || c >= 0x7f || c == '\\')
			at += snprintf(buf + at, size - at, "\\x%02x", c);
		else
			buf[at++] = c;
	}
	buf[at] = '\0';
	return buf;
}

uint32_t text_hash(uint32_t hash, const void *bytes, size_t size)
{
	const unsigned char *at = bytes;

	while (size--)
		hash = (hash ^ *at++) * 16777619U;
	return hash;
}

const char *text_number(uint32_t number, char buf[TEXT_NUMBER_SIZE])
{
	char *at = buf + TEXT_NUMBER_SIZE - 1;

	*at = '\0';
	do {
		*--at = '0' + number % 10;
		number /= 10;
	} while (number);
	return at;
}

char *text_join(const char *const *part, size_t nr)
{
	size_t size = 1;
	char *text, *at;

	for (size_t i = 0; i < nr; i++)
		size += strlen(part[i]);
	text = xcalloc(size, 1);
	at = text;
	for (size_t i = 0; i < nr; i++)
		at = stpcpy(at, part[i]);
	return text;
}

const char *text_duration(uint64_t ns, char *buf, size_t size)
{
	if (ns >= 1000000000)
		snprintf(buf, size, "%.1f s", ns / 1e9);
	else if (ns >= 1000000)
		snprintf(buf, size, "%.1f ms", ns / 1e6);
	else if (ns >= 1000)
		snprintf(buf, size, "%.1f us", ns / 1e3);
	else
		snprintf(buf, size, "%llu ns", (unsigned long long)ns);
	return buf;
}

/* The name of a time namespace; false: it cannot be read, or there is no such thing. */
static bool time_namespace(pid_t pid, const char *which, char *buf, size_t size)
{
	char path[64];
	ssize_t len;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, which);
	len = readlink(path, buf, size - 1);
	if (len < 0)
		return false;
	buf[len] = '\0';
	return true;
}

/* What the time namespace of the children of @pid adds to CLOCK_MONOTONIC; ns. */
static int64_t childrens_offset(pid_t pid)
{
	long long secs, ns;
	char path[64];
	FILE *file;
	bool there;

	snprintf(path, sizeof(path), "/proc/%d/timens_offsets", pid);
	file = fopen(path, "re");
	if (!file)
		return 0;
	there = fscanf(file, "monotonic %lld %lld", &secs, &ns) == 2;
	fclose(file);
	return there ? secs * 1000000000LL + ns : 0;
}

/*
 * The same of the one that we are in. /proc tells it of those that a process's
 * children are to be in, which is another one after unshare(2): then our parent's
 * is ours. It is the first one, which adds nothing, if nobody's is.
 */
static int64_t clock_offset(void)
{
	const pid_t pids[] = { getpid(), getppid() };
	char ours[64], theirs[64];

	for (int i = 0; i < 2; i++)
		if (time_namespace(pids[0], "time", ours, sizeof(ours)) &&
		    time_namespace(pids[i], "time_for_children", theirs, sizeof(theirs)) &&
		    !strcmp(ours, theirs))
			return childrens_offset(pids[i]);
	return 0;
}

uint64_t now_ns(void)
{
	static bool known;
	static int64_t offset;
	struct timespec ts;

	if (!known) {
		offset = clock_offset();
		known = true;
	}
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec - offset;
}
