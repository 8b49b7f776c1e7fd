// SPDX-License-Identifier: GPL-2.0
/* census_bpf - the threads as a program in the kernel tells them (census.h) */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "census.h"
#include "census.skel.h"
#include "census_walk.h"
#include "proc.h"
#include "xalloc.h"

/* Room for so many records to begin with. */
#define FIRST_RECORDS	4096

/* More threads than a kernel can have (PID_MAX_LIMIT of its linux/threads.h). */
#define MAX_RECORDS	(1U << 22)

struct census_source {
	struct census_bpf *skel;
	/** @walks: by census_walk(), else by the iterator */
	bool walks;
	/** @link: the program at the iterator; each read of all begins anew with it */
	struct bpf_link *link;
	/** @record: [max] room; if @walks, the kernel's */
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

/* With one of the two programs alone: a kernel that lacks what it needs takes neither. */
static struct census_bpf *load(bool walks, uint32_t max)
{
	struct census_bpf *skel = census_bpf__open();

	if (!skel)
		return NULL;
	bpf_program__set_autoload(skel->progs.census_walk, walks);
	bpf_program__set_autoload(skel->progs.census_tell, !walks);
	if ((!walks || !bpf_map__set_max_entries(skel->maps.records, max)) &&
	    !census_bpf__load(skel))
		return skel;
	census_bpf__destroy(skel);
	return NULL;
}

static void close_walk(struct census_source *source)
{
	if (source->record)
		munmap(source->record, source->max * sizeof(*source->record));
	census_bpf__destroy(source->skel);
	source->record = NULL;
	source->skel = NULL;
}

static bool open_walk(struct census_source *source, uint32_t max)
{
	void *record;

	source->max = max;
	source->skel = load(true, max);
	if (!source->skel)
		return false;
	record = mmap(NULL, max * sizeof(*source->record), PROT_READ, MAP_SHARED,
		      bpf_map__fd(source->skel->maps.records), 0);
	if (record != MAP_FAILED)
		source->record = record;
	else
		close_walk(source);
	return source->record;
}

static bool open_iterator(struct census_source *source)
{
	source->max = 0;
	source->skel = load(false, 0);
	if (source->skel)
		source->link = bpf_program__attach_iter(source->skel->progs.census_tell, NULL);
	return source->link;
}

struct census_source *census_source_open(bool *in_order_ret)
{
	struct census_source *source;

	/* The kernel's numbers are those of the first PID namespace. */
	if (!proc_sees_all())
		return NULL;
	source = xcalloc(1, sizeof(*source));
	libbpf_set_print(say_nothing);
	source->walks = open_walk(source, FIRST_RECORDS);
	/* The iterator goes by number. */
	*in_order_ret = source->walks;
	if (source->walks || open_iterator(source))
		return source;
	census_source_close(source);
	return NULL;
}

void census_source_close(struct census_source *source)
{
	if (!source)
		return;
	if (source->walks) {
		close_walk(source);
	} else {
		bpf_link__destroy(source->link);
		census_bpf__destroy(source->skel);
		free(source->record);
	}
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

static bool read_iterator(struct census_source *source, uint32_t *nr_ret)
{
	int fd = bpf_iter_create(bpf_link__fd(source->link));
	bool all = fd >= 0 && read_all(source, fd, nr_ret);

	if (fd >= 0)
		close(fd);
	return all;
}

static int tell_piece(void *from, struct census_piece *piece)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = piece, .ctx_size_in = sizeof(*piece));
	const struct census_source *source = from;

	return bpf_prog_test_run_opts(bpf_program__fd(source->skel->progs.census_walk), &opts);
}

/* From the begin on with twice the room, if there are more threads than that. */
static bool read_walk(struct census_source *source, uint32_t *nr_ret)
{
	enum census_outcome outcome = CENSUS_FULL;

	while (source->skel && outcome == CENSUS_FULL && source->max <= MAX_RECORDS) {
		outcome = census_walk(tell_piece, source, nr_ret);
		if (outcome == CENSUS_FULL) {
			close_walk(source);
			open_walk(source, 2 * source->max);
		}
	}
	return outcome == CENSUS_END;
}

const struct census_record *census_source_read(struct census_source *source, uint32_t *nr_ret)
{
	bool all = source->walks ? read_walk(source, nr_ret) : read_iterator(source, nr_ret);

	return all && *nr_ret ? source->record : NULL;
}
