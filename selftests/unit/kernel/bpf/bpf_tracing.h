/* SPDX-License-Identifier: GPL-2.0 */
/* bpf_tracing - in the place of libbpf's (bpf_helpers.h) */
#ifndef TEST_BPF_TRACING_H
#define TEST_BPF_TRACING_H

#define PT_REGS_PARM1(regs)	((regs)->rdi)
#define PT_REGS_PARM2(regs)	((regs)->rsi)
#define PT_REGS_PARM3(regs)	((regs)->rdx)
#define PT_REGS_SP(regs)	((regs)->rsp)
#define PT_REGS_RC(regs)	((regs)->rax)

#endif /* TEST_BPF_TRACING_H */
