// SPDX-License-Identifier: GPL-2.0
/* text - safe names and durations (text.h) */
#include <stdbool.h>
#include <stdio.h>

#include "text.h"

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

/* What the time namespace that we are in adds to CLOCK_MONOTONIC; ns. */
static int64_t clock_offset(void)
{
	FILE *file = fopen("/proc/self/timens_offsets", "re");
	long long secs, ns;
	bool there;

	/* Without the file there are no such namespaces. */
	if (!file)
		return 0;
	there = fscanf(file, "monotonic %lld %lld", &secs, &ns) == 2;
	fclose(file);
	return there ? secs * 1000000000LL + ns : 0;
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
