/* SPDX-License-Identifier: Apache-2.0
 *
 * An assembler for eBPF: instructions into a buffer of the caller's, with jumps to labels that are
 * placed later. It knows only the instructions that the generators beside it emit
 * (proto/ebpf_classic.h, proto/ebpf_taps.h). Nothing has to be asked in between: a program that
 * does not fit, and a jump that is too far, are remembered until ebpf_asm_settle. Pure.
 *
 * The language: Documentation/bpf/standardization/instruction-set.rst of the kernel. Registers are
 * BPF_REG_0 to BPF_REG_10, operations BPF_ADD, BPF_JEQ … of linux/bpf.h. Jumps only go forward.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    /* Labels between two calls of ebpf_asm_settle: six for each instruction of the longest classic
     * program, and some more. */
    EBPF_ASM_LABELS = 6 * 4096 + 256,
    EBPF_ASM_JUMP_MAX = INT16_MAX, /* instructions that a jump passes over */
};

struct ebpf_asm {
    struct bpf_insn *insn; /* borrowed */
    unsigned room, n;      /* instructions; n stays within room */
    unsigned settled;      /* jumps of the instructions before this one have their places */
    unsigned n_labels;
    bool full; /* an instruction or a label did not fit */
    uint32_t at[EBPF_ASM_LABELS];
};

/* `insn` has room for so many instructions and outlives the assembler. */
void ebpf_asm_init(struct ebpf_asm *a, struct bpf_insn *insn, unsigned room);

/* So many new labels: the first one's number, the others follow. */
unsigned ebpf_asm_labels(struct ebpf_asm *a, unsigned count);
/* The label is at the next instruction. */
void ebpf_asm_place(struct ebpf_asm *a, unsigned label);
/* Does any jump name it? The kernel refuses programs with instructions that no way leads to. */
bool ebpf_asm_is_wanted(const struct ebpf_asm *a, unsigned label);
/* Gives all jumps since the last call their places, and takes back all labels: each that a jump
 * names has been placed. -E2BIG: the program did not fit. -ERANGE: a jump passes over more than
 * EBPF_ASM_JUMP_MAX instructions. */
int ebpf_asm_settle(struct ebpf_asm *a);

/* dst = src, dst = imm: 64 bits, imm with its sign. */
void ebpf_mov(struct ebpf_asm *a, uint8_t dst, uint8_t src);
void ebpf_mov_imm(struct ebpf_asm *a, uint8_t dst, int32_t imm);
/* dst = imm, of 64 bits; two instructions. */
void ebpf_mov_imm64(struct ebpf_asm *a, uint8_t dst, uint64_t imm);
/* dst = the map of that descriptor; two instructions. */
void ebpf_mov_map(struct ebpf_asm *a, uint8_t dst, int map_fd);

/* dst op= src or imm in 64 bits; in 32, the upper half becomes zero. `op`: BPF_ADD, BPF_MOV … */
void ebpf_alu64(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src);
void ebpf_alu64_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm);
void ebpf_alu32(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src);
void ebpf_alu32_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm);
/* The lower 16 or 32 bits of dst from the network's order into the host's, all others zero. */
void ebpf_from_be(struct ebpf_asm *a, uint8_t dst, int bits);

/* dst = *(src + off), *(dst + off) = src or imm. `size`: BPF_B, BPF_H, BPF_W, BPF_DW. */
void ebpf_load(struct ebpf_asm *a, unsigned size, uint8_t dst, uint8_t src, int16_t off);
void ebpf_store(struct ebpf_asm *a, unsigned size, uint8_t dst, int16_t off, uint8_t src);
void ebpf_store_imm(struct ebpf_asm *a, unsigned size, uint8_t dst, int16_t off, int32_t imm);

/* Goes to the label, always or if `dst op src`, `dst op imm` holds; jmp32 compares lower halves. */
void ebpf_goto(struct ebpf_asm *a, unsigned label);
void ebpf_jmp(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src, unsigned label);
void ebpf_jmp_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm, unsigned label);
void ebpf_jmp32(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src, unsigned label);
void ebpf_jmp32_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm, unsigned label);

/* R0 = helper(R1 … R5), a BPF_FUNC_…; R1 to R5 are lost. */
void ebpf_call(struct ebpf_asm *a, int helper);
/* Ends the program with R0. */
void ebpf_exit(struct ebpf_asm *a);
