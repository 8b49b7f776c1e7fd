/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ustack - where in its program a sleeping thread waits: its user stack, with
 * symbols, by elfutils' libdwfl.
 *
 * The thread is neither stopped nor traced. /proc tells the stack pointer and
 * the program counter of a thread that sleeps in a system call; the rest is
 * reading its memory and its mapped files. The one register that may be needed
 * beyond these is the frame pointer, of code that addresses its frame by it: it
 * is looked for on the stack, and frames found so are marked as guessed.
 */
#ifndef USTACK_H
#define USTACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/** struct frame - one frame, innermost first */
struct frame {
	uint64_t pc;
	/** @function: raw symbol name; NULL if there is none (owned) */
	char *function;
	/** @offset: of pc in the function, or in the module without one */
	uint64_t offset;
	/** @module: name of the mapped file, without its path (owned) */
	char *module;
	/** @guessed: found by a guess at the frame pointer */
	bool guessed;
};

/** struct frames - a stack */
struct frames {
	struct frame *frame;
	uint32_t nr;
};

/**
 * ustack_read() - unwind a thread and put its frames into words
 * @buf: [@size] the frames, for ustack_parse(); NUL-terminated
 *
 * May block, on the memory and on the files of the process: to be called in a
 * child that can be killed (remote_user_stack()).
 *
 * Return: bytes in @buf, or -errno: -EAGAIN: the thread did not sleep in one
 * system call all the while; -ENOSYS: built without libdw; -ENOEXEC: no x86-64
 * program.
 */
ssize_t ustack_read(pid_t tgid, pid_t tid, char *buf, size_t size);

/** ustack_parse() - the frames of what ustack_read() put into words */
void ustack_parse(const char *words, struct frames *ret);
void ustack_free(struct frames *frames);

#endif /* USTACK_H */
