// SPDX-License-Identifier: GPL-2.0
/*
 * lens_link - one program at many places of a file (lens_link.h)
 *
 * A kernel from 6.6 on takes them all as one, and waits once until no CPU is in one
 * of them any more when they are taken out. An older one takes them one by one. One
 * by one on a newer one they would take seconds to go, where its locks sleep.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lens_link.h"
#include "lens.skel.h"

/* Of linux/bpf.h since 6.6; the oldest headers that are built with are from before. */
#define TRACE_UPROBE_MULTI	48
#define UPROBE_MULTI_RETURN	1

/** struct multi_attr - of union bpf_attr, what the command BPF_LINK_CREATE takes for it */
struct multi_attr {
	uint32_t prog_fd;
	uint32_t target_fd;
	uint32_t attach_type;
	uint32_t flags;
	uint64_t path;
	uint64_t offsets;
	uint64_t ref_ctr_offsets;
	uint64_t cookies;
	uint32_t cnt;
	uint32_t multi_flags;
	uint32_t pid;
	uint32_t pad;
};

static int link_all(int prog, bool at_return, pid_t pid, const char *path,
		    const struct lens_places *places)
{
	struct multi_attr attr = {
		.prog_fd = prog,
		.attach_type = TRACE_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)places->offset,
		.cookies = (uintptr_t)places->cookie,
		.cnt = places->nr,
		.multi_flags = at_return ? UPROBE_MULTI_RETURN : 0,
		.pid = pid,
	};

	return syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr)) < 0 ? -errno : 0;
}

/* One that does finds fault with a folder, where a file should be. */
static bool kernel_takes_all(void)
{
	/* return 0; */
	const struct bpf_insn code[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K }, { .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = TRACE_UPROBE_MULTI);
	int prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "GPL", code, 2, &opts), err;

	if (prog < 0)
		return false;
	err = link_all(prog, false, 0, "/", &(struct lens_places){ .nr = 1 });
	close(prog);
	return err == -EBADF;
}

void lens_link_prepare(struct lens_bpf *skel)
{
	if (!kernel_takes_all())
		return;
	bpf_program__set_expected_attach_type(skel->progs.lens_enter, TRACE_UPROBE_MULTI);
	bpf_program__set_expected_attach_type(skel->progs.lens_return, TRACE_UPROBE_MULTI);
}

static bool takes_all(const struct bpf_program *prog)
{
	return bpf_program__expected_attach_type(prog) == TRACE_UPROBE_MULTI;
}

bool lens_link_is_slow(const struct lens_bpf *skel)
{
	return !takes_all(skel->progs.lens_enter);
}

static int link_each(struct bpf_program *prog, bool at_return, pid_t pid, const char *path,
		     const struct lens_places *places)
{
	LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = at_return);

	for (uint32_t i = 0; i < places->nr; i++) {
		opts.bpf_cookie = places->cookie[i];
		if (!bpf_program__attach_uprobe_opts(prog, pid, path, places->offset[i], &opts))
			return -errno;
	}
	return 0;
}

int lens_link(struct bpf_program *prog, bool at_return, pid_t pid, int fd,
	      const struct lens_places *places)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (takes_all(prog))
		return link_all(bpf_program__fd(prog), at_return, pid, path, places);
	return link_each(prog, at_return, pid, path, places);
}
