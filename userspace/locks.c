// SPDX-License-Identifier: GPL-2.0
/* locks - file locks as /proc lists them (locks.h) */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "locks.h"
#include "remote.h"
#include "xalloc.h"

/* Room for the text at first; it is read again with more as long as it does not fit. */
#define FIRST_SIZE	65536

static enum file_lock_class parse_class(const char *word)
{
	static const struct {
		const char *word;
		enum file_lock_class class;
	} classes[] = {
		{ "FLOCK", FILE_LOCK_FLOCK },
		{ "POSIX", FILE_LOCK_POSIX },
		{ "OFDLCK", FILE_LOCK_OFD },
		{ "LEASE", FILE_LOCK_LEASE },
		{ "DELEG", FILE_LOCK_LEASE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (!strcmp(word, classes[i].word))
			return classes[i].class;
	return FILE_LOCK_OTHER;
}

bool file_lock_parse(const char *line, struct file_lock *ret)
{
	unsigned long long ino, start;
	char class[16], type[16], end[24];
	const char *at = strchr(line, ':');

	if (!at)
		return false;
	at += 1 + strspn(at + 1, " ");
	ret->waiter = !strncmp(at, "->", 2);
	if (ret->waiter)
		at += 2;
	if (sscanf(at, " %15s %*s %15s %d %x:%x:%llu %llu %23s", class, type, &ret->pid,
		   &ret->dev_major, &ret->dev_minor, &ino, &start, end) != 8)
		return false;
	ret->class = parse_class(class);
	ret->write = !strcmp(type, "WRITE");
	ret->ino = ino;
	ret->start = start;
	ret->end = strcmp(end, "EOF") ? strtoull(end, NULL, 10) : FILE_LOCK_EOF;
	return true;
}

bool file_lock_equal(const struct file_lock *a, const struct file_lock *b)
{
	return a->class == b->class && a->waiter == b->waiter && a->write == b->write &&
	       a->pid == b->pid && a->dev_major == b->dev_major && a->dev_minor == b->dev_minor &&
	       a->ino == b->ino && a->start == b->start && a->end == b->end;
}

/* Who breaks a lease has no file of its own there: it is the one of the lease, above. */
static bool parse_breaker(const char *line, const struct file_lock *above, struct file_lock *ret)
{
	const char *at = strstr(line, "-> LEASE");
	char type[16];

	if (!at || !above || sscanf(at, "-> LEASE %*s %15s %d", type, &ret->pid) != 2)
		return false;
	ret->class = FILE_LOCK_LEASE;
	ret->waiter = true;
	ret->write = !strcmp(type, "WRITE");
	ret->dev_major = above->dev_major;
	ret->dev_minor = above->dev_minor;
	ret->ino = above->ino;
	ret->start = above->start;
	ret->end = above->end;
	return true;
}

/* The whole text, to be freed, or NULL with @err set. */
static char *read_text(struct remote *remote, int *err)
{
	size_t size = FIRST_SIZE;
	ssize_t got;
	char *text;

	for (;; size *= 2) {
		text = xcalloc(1, size);
		got = remote_read_locks(remote, text, size);
		if (got >= 0 && got < (ssize_t)size - 1)
			return text;
		free(text);
		if (got < 0)
			break;
	}
	*err = got;
	return NULL;
}

static void parse_line(const char *line, struct file_locks *locks)
{
	struct file_lock lock;

	if (file_lock_parse(line, &lock) ||
	    parse_breaker(line, locks->nr ? &locks->lock[locks->nr - 1] : NULL, &lock))
		*vec_push(locks->lock, locks->nr) = lock;
}

int file_locks_read(struct remote *remote, struct file_locks *ret)
{
	int err = 0;
	char *text = read_text(remote, &err), *rest = text, *line;

	*ret = (struct file_locks){ 0 };
	while ((line = strsep(&rest, "\n")))
		parse_line(line, ret);
	free(text);
	return err;
}

void file_locks_free(struct file_locks *locks)
{
	free(locks->lock);
	*locks = (struct file_locks){ 0 };
}
