/* SPDX-License-Identifier: GPL-2.0 */
/*
 * source - the module's files in debugfs: the only place the reader takes
 * the module's data from.
 *
 * The folder is /sys/kernel/debug/gridlock, or $GRIDLOCK_DEBUGFS, which may
 * hold saved copies of the files.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stddef.h>
#include <stdint.h>

struct snapshot;

/**
 * source_read() - read a file of the module whole
 * @name: "stats", "waits.bin", ...
 * @size_ret: set to its size
 * @ret: set to its bytes, NUL-terminated; free() it
 *
 * Return: 0 or -errno.
 */
int source_read(const char *name, char **ret, size_t *size_ret);

/**
 * source_snapshot() - read and decode waits.bin or locks.bin
 * @type: GL_RECORD_WAIT or GL_RECORD_LOCK
 *
 * Return: 0, or -errno of source_read() or snapshot_decode().
 */
int source_snapshot(uint32_t type, struct snapshot **ret);

/**
 * source_explain() - say on stderr why a read failed and what to do about it
 * @name: the file asked for
 * @err: -errno of source_read() or source_snapshot()
 */
void source_explain(const char *name, int err);

/** source_module_loaded() - is the module there, as far as one can tell */
int source_module_loaded(void);

#endif /* SOURCE_H */
