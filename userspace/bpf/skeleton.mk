# SPDX-License-Identifier: GPL-2.0
# Programs for the kernel: clang compiles one, and bpftool makes it a header, by which
# a program of user space has it inside. Both are the same for every kernel.

CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool) bpftool)
CAN_MAKE_SKELETON := $(shell command -v $(CLANG) >/dev/null && command -v $(BPFTOOL) >/dev/null && echo yes)

# $(call has_skeleton,FILE): "yes" if FILE is there or can be made, and libbpf is
has_skeleton = $(if $(CAN_MAKE_SKELETON)$(wildcard $(1)),$(shell \
	$(PKG_CONFIG) --exists libbpf libelf 2>/dev/null && echo yes))

# Headers of this machine's kernel interface are where gcc looks for them.
compile_bpf = $(CLANG) -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wextra \
	-I/usr/include/$(shell $(CC) -print-multiarch) -c -o $@ $<

# $(call make_skeleton,NAME): NAME is the struct's
make_skeleton = $(BPFTOOL) gen skeleton $< name $(1) >$@.tmp && mv $@.tmp $@
