// SPDX-License-Identifier: GPL-2.0
/* census_bpf - the threads as the kernel's iterator tells them (census.h) */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

#include "census.h"
#include "census.skel.h"
#include "proc.h"
#include "xalloc.h"

/* Room for so many records to begin with. */
#define FIRST_RECORDS	4096

/* More threads than a kernel can have (PID_MAX_LIMIT of its linux/threads.h). */
#define MAX_RECORDS	(1U << 22)

struct census_source {
	struct census_bpf *skel;
	/** @link: the program at the iterator; each read of all begins anew with it */
	struct bpf_link *link;
	/** @record: [max] room */
	struct census_record *record;
	uint32_t max;
};

static int say_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

struct census_source *census_source_open(void)
{
	struct census_source *source;

	/* The kernel's numbers are those of the first PID namespace. */
	if (!proc_sees_all())
		return NULL;
	source = xcalloc(1, sizeof(*source));
	libbpf_set_print(say_nothing);
	source->skel = census_bpf__open_and_load();
	if (source->skel)
		source->link = bpf_program__attach_iter(source->skel->progs.census_tell, NULL);
	if (source->link)
		return source;
	census_source_close(source);
	return NULL;
}

void census_source_close(struct census_source *source)
{
	if (!source)
		return;
	bpf_link__destroy(source->link);
	census_bpf__destroy(source->skel);
	free(source->record);
	free(source);
}

/* The whole of it, in records; false: it cannot be read, or has too many. */
static bool read_all(struct census_source *source, int fd, uint32_t *nr_ret)
{
	size_t got = 0, size = sizeof(*source->record);
	ssize_t n;

	for (;;) {
		if (got + size > source->max * size) {
			if (source->max >= MAX_RECORDS)
				return false;
			source->max = source->max ? 2 * source->max : FIRST_RECORDS;
			source->record = xreallocarray(source->record, source->max, size);
		}
		n = read(fd, (char *)source->record + got, source->max * size - got);
		if (!n)
			break;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return false;
		got += n > 0 ? n : 0;
	}
	*nr_ret = got / size;
	return !(got % size);
}

const struct census_record *census_source_read(struct census_source *source, uint32_t *nr_ret)
{
	int fd = bpf_iter_create(bpf_link__fd(source->link));
	bool all = fd >= 0 && read_all(source, fd, nr_ret);

	if (fd >= 0)
		close(fd);
	return all && *nr_ret ? source->record : NULL;
}
