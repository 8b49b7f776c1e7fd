// SPDX-License-Identifier: GPL-2.0
/*
 * ustack_dwfl - unwind a sleeping thread by elfutils' libdwfl, which reads the
 * unwind tables and symbols of the files that the process has mapped
 * (ustack.h). Runs in a child that can be killed.
 */
#include <dwarf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ustack.h"
#include "ustack_dwfl.h"
#include "xalloc.h"

/* How far up a frame pointer is looked for, and how many are tried. */
#define MAX_FRAME_BYTES	(64 * 1024)
#define MAX_GUESSES	32

/* DWARF numbers of x86-64 registers. */
#define REG_BP		6
#define REG_SP		7

/* --- unwinding --- */

static pid_t next_thread(Dwfl *dwfl, void *arg, void **thread)
{
	const struct unwinder *u = arg;
	bool first = !*thread;

	(void)dwfl;
	*thread = arg;
	return first ? u->tid : 0;
}

static bool get_thread(Dwfl *dwfl, pid_t tid, void *arg, void **thread)
{
	(void)dwfl;
	(void)tid;
	*thread = arg;
	return true;
}

static bool memory_read(Dwfl *dwfl, Dwarf_Addr addr, Dwarf_Word *result, void *arg)
{
	uint64_t word;
	bool read = unwinder_word(arg, addr, &word);

	(void)dwfl;
	*result = read ? word : 0;
	return read;
}

static bool set_registers(Dwfl_Thread *thread, void *arg)
{
	const struct unwinder *u = arg;
	Dwarf_Word sp = u->from.sp, bp = u->from.bp;

	if (!dwfl_thread_state_registers(thread, REG_SP, 1, &sp))
		return false;
	if (bp && !dwfl_thread_state_registers(thread, REG_BP, 1, &bp))
		return false;
	dwfl_thread_state_register_pc(thread, u->from.pc);
	return true;
}

static const Dwfl_Thread_Callbacks thread_callbacks = {
	.next_thread = next_thread,
	.get_thread = get_thread,
	.memory_read = memory_read,
	.set_initial_registers = set_registers,
};

static int add_frame(Dwfl_Frame *frame, void *arg)
{
	struct unwinder *u = arg;
	Dwarf_Addr pc;
	Dwarf_Word sp = 0;
	bool activation;

	if (u->nr == MAX_FRAMES || !dwfl_frame_pc(frame, &pc, &activation))
		return DWARF_CB_ABORT;
	/* A return address may be the next function's: the call is before it. */
	if (!activation)
		pc--;
	if (dwfl_frame_reg(frame, REG_SP, &sp))
		sp = 0;
	u->at[u->nr++] = (struct stop){ .pc = pc, .sp = sp, .called = !activation };
	return DWARF_CB_OK;
}

/* Unwind from u->from; the frames go behind those that are there. */
static void unwind(struct unwinder *u)
{
	/* Its status does not tell a stack's end from an unknown register. */
	(void)dwfl_getthread_frames(u->dwfl, u->tid, add_frame, u);
}

/* --- the frame pointer, where the unwind tables need it --- */

/** enum end - why no frame follows the last one */
enum end { END_OF_STACK, END_NEEDS_BP, END_UNKNOWN };

static enum end read_end(Dwarf_Frame *frame)
{
	Dwarf_Addr start, end;
	Dwarf_Op *ops, space[3];
	size_t nr_ops;
	bool signal;
	int ra = dwarf_frame_info(frame, &start, &end, &signal);

	/* No rule is "the caller's"; a rule without operations "undefined". */
	if (!dwarf_frame_register(frame, ra, space, &ops, &nr_ops) && ops && !nr_ops)
		return END_OF_STACK;
	if (dwarf_frame_cfa(frame, &ops, &nr_ops))
		return END_UNKNOWN;
	for (size_t i = 0; i < nr_ops; i++)
		if (ops[i].atom == DW_OP_breg0 + REG_BP ||
		    (ops[i].atom == DW_OP_bregx && ops[i].number == REG_BP))
			return END_NEEDS_BP;
	return END_UNKNOWN;
}

static enum end end_of(struct unwinder *u)
{
	uint64_t pc = u->nr ? u->at[u->nr - 1].pc : 0;
	Dwfl_Module *mod = dwfl_addrmodule(u->dwfl, pc);
	enum end end = END_UNKNOWN;
	Dwarf_Frame *frame;
	Dwarf_Addr bias;
	Dwarf_CFI *cfi;

	if (u->nr == MAX_FRAMES)
		return END_OF_STACK;
	cfi = mod ? dwfl_module_eh_cfi(mod, &bias) : NULL;
	if (cfi && !dwarf_cfi_addrframe(cfi, pc - bias, &frame)) {
		end = read_end(frame);
		free(frame);
	}
	return end;
}

static const char *function_at(struct unwinder *u, uint64_t pc, uint64_t *offset_ret)
{
	Dwfl_Module *mod = dwfl_addrmodule(u->dwfl, pc);
	GElf_Off offset = 0;
	GElf_Sym sym;
	const char *name;

	if (!mod)
		return NULL;
	name = dwfl_module_addrinfo(mod, pc, &offset, &sym, NULL, NULL, NULL);
	if (name)
		*offset_ret = offset;
	return name;
}

/** enum call - what ends just before an address */
enum call { CALL_NONE, CALL_DIRECT, CALL_INDIRECT };

static enum call call_before(const struct unwinder *u, uint64_t pc, uint64_t *target_ret)
{
	const struct proc_map *map = proc_maps_find(&u->maps, pc);
	unsigned char code[7];
	int32_t distance;

	if (!map || !map->executable || !unwinder_read(u, pc - sizeof(code), code, sizeof(code)))
		return CALL_NONE;
	if (code[2] == 0xe8) {
		memcpy(&distance, &code[3], sizeof(distance));
		*target_ret = pc + distance;
		return CALL_DIRECT;
	}
	/* FF /2, of 2 to 7 bytes. */
	for (unsigned int at = 0; at <= 5; at++)
		if (code[at] == 0xff && (code[at + 1] & 0x38) == 0x10)
			return CALL_INDIRECT;
	return CALL_NONE;
}

/* Is there at @bp a saved frame pointer, of higher up, and above it a return address? */
static bool is_frame(struct unwinder *u, uint64_t bp, uint64_t *ret_ret)
{
	uint64_t saved, target;

	if (!unwinder_word(u, bp, &saved) || !unwinder_word(u, bp + 8, ret_ret))
		return false;
	return (!saved || saved > bp) && !(saved % 8) && call_before(u, *ret_ret, &target);
}

/*
 * Did the call before @ret lead to the function at @pc? A call that returned
 * long ago leaves a frame behind, too, which nothing else tells from a real one.
 */
static bool leads_to(struct unwinder *u, uint64_t ret, uint64_t pc)
{
	uint64_t target, offset;
	const char *here, *there;

	if (call_before(u, ret, &target) != CALL_DIRECT)
		return true;
	/* Into another module, and maybe within one, it goes by a stub. */
	if (dwfl_addrmodule(u->dwfl, target) != dwfl_addrmodule(u->dwfl, pc))
		return dwfl_addrmodule(u->dwfl, ret) != dwfl_addrmodule(u->dwfl, pc);
	here = function_at(u, pc, &offset);
	there = function_at(u, target, &offset);
	return !here || !there || !strcmp(here, there);
}

/*
 * The frame pointer as the function's beginning tells it, from the stack
 * pointer @sp inside: push %rbp; mov %rsp,%rbp; push ...; sub $N,%rsp. 0: the
 * beginning is another one.
 */
static uint64_t bp_by_prologue(struct unwinder *u, uint64_t pc, uint64_t sp)
{
	static const unsigned char mov[] = { 0x48, 0x89, 0xe5 };
	unsigned char code[64];
	uint64_t offset, size = 0;
	const unsigned char *at;
	int32_t bytes;

	if (!function_at(u, pc, &offset) || !unwinder_read(u, pc - offset, code, sizeof(code)))
		return 0;
	at = memmem(code, 16, mov, sizeof(mov));
	if (!at)
		return 0;
	for (at += sizeof(mov); at < code + 32; at++) {
		at += *at == 0x41;
		if ((*at & 0xf8) != 0x50)
			break;
		size += 8;
	}
	for (; at < code + sizeof(code) - 7; at++) {
		if (at[0] != 0x48 || at[2] != 0xec)
			continue;
		memcpy(&bytes, at + 3, sizeof(bytes));
		if (at[1] == 0x83)
			return sp + size + at[3];
		if (at[1] == 0x81 && bytes > 0)
			return sp + size + bytes;
	}
	return sp + size;
}

/* Go on from the last frame with @bp; does that lead to the stack's end? */
static bool go_on(struct unwinder *u, uint64_t bp)
{
	uint32_t last = u->nr - 1;
	struct stop stop = u->at[last];

	u->from = stop;
	u->from.bp = bp;
	u->nr = last;
	unwind(u);
	u->at[last] = stop;
	if (u->nr <= last + 1 || end_of(u) != END_OF_STACK) {
		u->nr = last + 1;
		return false;
	}
	for (uint32_t i = last + 1; i < u->nr; i++)
		u->guessed[i] = true;
	return true;
}

static void guess(struct unwinder *u)
{
	struct stop last = u->at[u->nr - 1];
	uint64_t ret, bp = bp_by_prologue(u, last.pc, last.sp);
	uint32_t tries = 0;

	if (bp && is_frame(u, bp, &ret) && go_on(u, bp))
		return;
	for (bp = last.sp; last.sp && bp < last.sp + MAX_FRAME_BYTES; bp += 8) {
		if (!is_frame(u, bp, &ret) || !leads_to(u, ret, last.pc))
			continue;
		if (go_on(u, bp) || ++tries == MAX_GUESSES)
			return;
	}
}

/* --- all of it --- */

static void print_name(FILE *out, const char *name)
{
	if (!name || !*name)
		name = "-";
	for (; *name; name++)
		fputc(*name > ' ' && *name < 0x7f ? *name : '?', out);
}

static void print_frame(struct unwinder *u, uint32_t i, FILE *out)
{
	const struct proc_map *map = proc_maps_find(&u->maps, u->at[i].pc);
	uint64_t pc = u->at[i].pc, offset = map ? pc - map->start + map->offset : 0;
	const char *function = function_at(u, pc, &offset);
	const char *path = map && map->path ? map->path : "", *slash = strrchr(path, '/');

	/* The address after a call, as debuggers print it. */
	fprintf(out, "%llx %d %llx ", (unsigned long long)pc + u->at[i].called, u->guessed[i],
		(unsigned long long)offset + u->at[i].called);
	print_name(out, function);
	fputc(' ', out);
	print_name(out, slash ? slash + 1 : path);
	fputc('\n', out);
}

static ssize_t print_frames(struct unwinder *u, char *buf, size_t size)
{
	FILE *out = fmemopen(buf, size, "w");
	long len;

	if (!out)
		return -ENOMEM;
	for (uint32_t i = 0; i < u->nr; i++)
		print_frame(u, i, out);
	fflush(out);
	len = ftell(out);
	fclose(out);
	buf[size - 1] = '\0';
	return len < (long)size ? len : (long)size - 1;
}

/* Not stopped, so it may wake: then nothing read since is to be believed. */
static int read_state(const struct unwinder *u, char *buf, size_t size)
{
	ssize_t got;
	int fd;

	snprintf(buf, size, "/proc/%d/task/%d/syscall", u->tgid, u->tid);
	fd = open(buf, O_RDONLY | O_CLOEXEC);
	got = fd < 0 ? -errno : read(fd, buf, size - 1);
	if (fd >= 0)
		close(fd);
	if (got < 0)
		return fd < 0 ? got : -errno;
	buf[got] = '\0';
	return 0;
}

static int begin(struct unwinder *u, const char *state)
{
	unsigned long long sp, pc;

	if (sscanf(state, "%*d %*x %*x %*x %*x %*x %*x %llx %llx", &sp, &pc) != 2 &&
	    sscanf(state, "-1 %llx %llx", &sp, &pc) != 2)
		return -EAGAIN;
	u->from = (struct stop){ .pc = pc, .sp = sp };
	if (unwinder_open(u))
		return -ENOMEM;
	return dwfl_attach_state(u->dwfl, NULL, u->tid, &thread_callbacks, u) ? 0 : -ENOEXEC;
}

static ssize_t read_frames(struct unwinder *u, const char *state, char *buf, size_t size)
{
	int err = begin(u, state);

	if (!err)
		unwind(u);
	if (!err && end_of(u) == END_NEEDS_BP)
		guess(u);
	if (!err && !u->nr)
		err = -ENOEXEC;
	return err ? err : print_frames(u, buf, size);
}

ssize_t ustack_read(pid_t tgid, pid_t tid, char *buf, size_t size)
{
	struct unwinder *u = xcalloc(1, sizeof(*u));
	char before[256], after[256];
	ssize_t ret;

	u->tgid = tgid;
	u->tid = tid;
	ret = read_state(u, before, sizeof(before));
	if (!ret)
		ret = proc_maps_read_here(tgid, &u->maps);
	if (!ret)
		ret = read_frames(u, before, buf, size);
	if (ret >= 0 && (read_state(u, after, sizeof(after)) || strcmp(before, after)))
		ret = -EAGAIN;
	if (u->dwfl)
		dwfl_end(u->dwfl);
	proc_maps_free(&u->maps);
	free(u);
	return ret;
}
