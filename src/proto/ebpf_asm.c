/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ebpf_asm.h"

#include <errno.h>

enum {
    /* A jump to label n has this + n in place of its distance until it is settled. Distances are
     * not negative, as jumps go forward. */
    OPEN = INT16_MIN,
    UNPLACED = 0,
};

_Static_assert(EBPF_ASM_LABELS <= -OPEN, "the number of a label fits beside the distances");

void ebpf_asm_init(struct ebpf_asm *a, struct bpf_insn *insn, unsigned room)
{
    a->insn = insn;
    a->room = room;
    a->n = 0;
    a->settled = 0;
    a->n_labels = 0;
    a->full = false;
}

unsigned ebpf_asm_labels(struct ebpf_asm *a, unsigned count)
{
    unsigned first = a->n_labels;
    if (count > EBPF_ASM_LABELS - first) {
        a->full = true;
        return 0;
    }
    for (unsigned i = 0; i < count; i++) {
        a->at[first + i] = UNPLACED;
    }
    a->n_labels += count;
    return first;
}

void ebpf_asm_place(struct ebpf_asm *a, unsigned label)
{
    if (label < a->n_labels) {
        a->at[label] = a->n;
    } else {
        a->full = true;
    }
}

static bool is_open(const struct bpf_insn *in)
{
    unsigned class = BPF_CLASS(in->code);
    return (class == BPF_JMP || class == BPF_JMP32) && in->off < 0;
}

bool ebpf_asm_is_wanted(const struct ebpf_asm *a, unsigned label)
{
    for (unsigned i = a->settled; i < a->n; i++) {
        if (is_open(&a->insn[i]) && a->insn[i].off - OPEN == (int)label) {
            return true;
        }
    }
    return false;
}

int ebpf_asm_settle(struct ebpf_asm *a)
{
    if (a->full) {
        return -E2BIG;
    }
    for (; a->settled < a->n; a->settled++) {
        struct bpf_insn *in = &a->insn[a->settled];
        if (!is_open(in)) {
            continue;
        }
        uint32_t to = a->at[in->off - OPEN];
        if (to <= a->settled || to - a->settled - 1 > EBPF_ASM_JUMP_MAX) {
            return -ERANGE;
        }
        in->off = (int16_t)(to - a->settled - 1);
    }
    a->n_labels = 0;
    return 0;
}

static void emit(struct ebpf_asm *a, unsigned code, uint8_t dst, uint8_t src, int16_t off,
                 int32_t imm)
{
    if (a->n >= a->room) {
        a->full = true;
        return;
    }
    a->insn[a->n++] = (struct bpf_insn){
        .code = (uint8_t)code, .dst_reg = dst & 15U, .src_reg = src & 15U, .off = off, .imm = imm};
}

void ebpf_mov(struct ebpf_asm *a, uint8_t dst, uint8_t src)
{
    emit(a, BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0);
}

void ebpf_mov_imm(struct ebpf_asm *a, uint8_t dst, int32_t imm)
{
    emit(a, BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm);
}

/* The one instruction that takes the place of two (BPF_IMM, which is 0, as its mode). */
static void mov_wide(struct ebpf_asm *a, uint8_t dst, uint8_t kind, uint64_t imm)
{
    emit(a, BPF_LD | BPF_DW, dst, kind, 0, (int32_t)(uint32_t)imm);
    emit(a, 0, 0, 0, 0, (int32_t)(uint32_t)(imm >> 32));
}

void ebpf_mov_imm64(struct ebpf_asm *a, uint8_t dst, uint64_t imm)
{
    mov_wide(a, dst, 0, imm);
}

void ebpf_mov_map(struct ebpf_asm *a, uint8_t dst, int map_fd)
{
    mov_wide(a, dst, BPF_PSEUDO_MAP_FD, (uint32_t)map_fd);
}

void ebpf_alu64(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src)
{
    emit(a, BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

void ebpf_alu64_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm)
{
    emit(a, BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

void ebpf_alu32(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src)
{
    emit(a, BPF_ALU | op | BPF_X, dst, src, 0, 0);
}

void ebpf_alu32_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm)
{
    emit(a, BPF_ALU | op | BPF_K, dst, 0, 0, imm);
}

void ebpf_from_be(struct ebpf_asm *a, uint8_t dst, int bits)
{
    emit(a, BPF_ALU | BPF_END | BPF_TO_BE, dst, 0, 0, bits);
}

void ebpf_load(struct ebpf_asm *a, unsigned size, uint8_t dst, uint8_t src, int16_t off)
{
    emit(a, BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

void ebpf_store(struct ebpf_asm *a, unsigned size, uint8_t dst, int16_t off, uint8_t src)
{
    emit(a, BPF_STX | BPF_MEM | size, dst, src, off, 0);
}

void ebpf_store_imm(struct ebpf_asm *a, unsigned size, uint8_t dst, int16_t off, int32_t imm)
{
    emit(a, BPF_ST | BPF_MEM | size, dst, 0, off, imm);
}

static void jump(struct ebpf_asm *a, unsigned code, uint8_t dst, uint8_t src, int32_t imm,
                 unsigned label)
{
    if (label >= a->n_labels) {
        a->full = true;
        return;
    }
    emit(a, code, dst, src, (int16_t)(OPEN + (int)label), imm);
}

void ebpf_goto(struct ebpf_asm *a, unsigned label)
{
    jump(a, BPF_JMP | BPF_JA, 0, 0, 0, label);
}

void ebpf_jmp(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src, unsigned label)
{
    jump(a, BPF_JMP | op | BPF_X, dst, src, 0, label);
}

void ebpf_jmp_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm, unsigned label)
{
    jump(a, BPF_JMP | op | BPF_K, dst, 0, imm, label);
}

void ebpf_jmp32(struct ebpf_asm *a, unsigned op, uint8_t dst, uint8_t src, unsigned label)
{
    jump(a, BPF_JMP32 | op | BPF_X, dst, src, 0, label);
}

void ebpf_jmp32_imm(struct ebpf_asm *a, unsigned op, uint8_t dst, int32_t imm, unsigned label)
{
    jump(a, BPF_JMP32 | op | BPF_K, dst, 0, imm, label);
}

void ebpf_call(struct ebpf_asm *a, int helper)
{
    emit(a, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

void ebpf_exit(struct ebpf_asm *a)
{
    emit(a, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}
