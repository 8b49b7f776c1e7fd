/* SPDX-License-Identifier: GPL-2.0 */
/* remote_ask - how the child is asked, whatever it is; for remote*.c only */
#ifndef REMOTE_ASK_H
#define REMOTE_ASK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "remote_child.h"

struct remote;

/**
 * remote_ask() - ask, and wait for the answer until the deadline
 * @buf: [@q->len] for the data; NULL: it has none
 *
 * Return: what the child says, or -ETIMEDOUT: it blocked.
 */
ssize_t remote_ask(struct remote *r, const struct question *q, char *buf);

/** remote_path_question() - about @path, for @size - 1 bytes; false: it is too long */
bool remote_path_question(struct question *q, enum what what, pid_t tgid, const char *path,
			  size_t size);

#endif /* REMOTE_ASK_H */
