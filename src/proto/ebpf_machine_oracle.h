/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a machine that runs the eBPF generated here on a frame of proto/ebpf_oracle.h. It
 * ends the process where a kernel would refuse the program: when it reads what is not there or was
 * not written, or leaves its text.
 */
#pragma once

#include <stdio.h>

#include "proto/ebpf_oracle.h"

enum {
    MACHINE_ROWS = 16,
    MACHINE_STACK = 512,
};

/* Addresses: where something is, and a place in it. */
#define MACHINE_CTX (UINT64_C(1) << 32)
#define MACHINE_STACK_AT (UINT64_C(2) << 32)
#define MACHINE_DATA (UINT64_C(3) << 32)
#define MACHINE_MAP (UINT64_C(4) << 32)

struct machine {
    struct buffer *b; /* borrowed, while a program runs */
    uint64_t r[11];
    bool written[11];
    uint8_t stack[MACHINE_STACK];
    bool stacked[MACHINE_STACK]; /* what of it was written */
    struct ebpf_taps_count rows[MACHINE_ROWS];
    unsigned rows_there; /* other places of the map are not there */
    int64_t copy_result; /* given */
    unsigned copies;     /* seen */
    uint32_t copy_mark, copy_to, copy_flags;
};

#define MACHINE_CHECK(ok)                                                                          \
    do {                                                                                           \
        if (!(ok)) {                                                                               \
            fprintf(stderr, "the machine stops: %s\n", #ok);                                       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

/* The bytes at an address, of which a program may write those of the stack, of a row, and the mark
 * alone of the context. */
static inline uint8_t *machine_at(struct machine *m, uint64_t at, unsigned size, bool write)
{
    uint64_t place = at & UINT32_MAX;
    switch (at >> 32) {
    case 1:
        MACHINE_CHECK(place + size <= sizeof(m->b->skb) && size == 4 && place % 4 == 0);
        MACHINE_CHECK(!write || place == offsetof(struct __sk_buff, mark));
        return (uint8_t *)&m->b->skb + place;
    case 2:
        MACHINE_CHECK(place + size <= MACHINE_STACK && place % size == 0);
        for (unsigned i = 0; i < size; i++) {
            MACHINE_CHECK(write || m->stacked[place + i]);
            m->stacked[place + i] = true;
        }
        return m->stack + place;
    case 3:
        MACHINE_CHECK(!write && place + size <= m->b->linear);
        return (uint8_t *)(uintptr_t)m->b->data + place;
    default:
        MACHINE_CHECK(at >> 32 == 4 && place + size <= sizeof(m->rows) && place % 8 == 0);
        return (uint8_t *)m->rows + place;
    }
}

static inline uint64_t machine_load(struct machine *m, const struct bpf_insn *in)
{
    static const unsigned sizes[] = {4, 2, 1, 8};
    unsigned size = sizes[BPF_SIZE(in->code) >> 3];
    uint64_t at = m->r[in->src_reg] + (uint64_t)(int64_t)in->off;
    if (at == MACHINE_CTX + offsetof(struct __sk_buff, data)) {
        return MACHINE_DATA;
    }
    if (at == MACHINE_CTX + offsetof(struct __sk_buff, data_end)) {
        return MACHINE_DATA + m->b->linear;
    }
    uint64_t v = 0;
    memcpy(&v, machine_at(m, at, size, false), size); /* little endian, as the tests' hosts are */
    return v;
}

static inline void machine_store(struct machine *m, const struct bpf_insn *in, uint64_t v)
{
    static const unsigned sizes[] = {4, 2, 1, 8};
    unsigned size = sizes[BPF_SIZE(in->code) >> 3];
    uint64_t at = m->r[in->dst_reg] + (uint64_t)(int64_t)in->off;
    memcpy(machine_at(m, at, size, true), &v, size);
}

static inline int64_t machine_bytes(struct machine *m, uint64_t from, uint64_t place, bool linear)
{
    const struct buffer *b = m->b;
    uint64_t size = m->r[4], end = linear ? b->linear : b->len;
    MACHINE_CHECK(m->r[1] == MACHINE_CTX && size >= 1 && size <= 4);
    uint8_t *to = machine_at(m, m->r[3], 1, true);
    for (unsigned i = 0; i < size; i++) {
        (void)machine_at(m, m->r[3] + i, 1, true);
    }
    memset(to, 0, size);
    if ((uint32_t)place > INT32_MAX || from + (uint32_t)place + size > end) {
        return -14; /* EFAULT */
    }
    memcpy(to, b->data + from + (uint32_t)place, size);
    return 0;
}

static inline uint64_t machine_call(struct machine *m, int helper)
{
    uint32_t key;
    switch (helper) {
    case BPF_FUNC_skb_load_bytes:
        return (uint64_t)machine_bytes(m, 0, m->r[2], false);
    case BPF_FUNC_skb_load_bytes_relative:
        if (m->r[2] > UINT16_MAX) {
            return (uint64_t)-14;
        }
        return (uint64_t)machine_bytes(m, m->r[5] == BPF_HDR_START_NET ? m->b->network : 0, m->r[2],
                                       true);
    case BPF_FUNC_get_smp_processor_id:
    case BPF_FUNC_get_prandom_u32:
        return 4;
    case BPF_FUNC_map_lookup_elem:
        MACHINE_CHECK(m->r[1] == 77);
        memcpy(&key, machine_at(m, m->r[2], 4, false), 4);
        return key < m->rows_there ? MACHINE_MAP + key * sizeof(m->rows[0]) : 0;
    default:
        MACHINE_CHECK(helper == BPF_FUNC_clone_redirect && m->r[1] == MACHINE_CTX);
        m->copies++;
        m->copy_mark = m->b->skb.mark;
        m->copy_to = (uint32_t)m->r[2];
        m->copy_flags = (uint32_t)m->r[3];
        return (uint64_t)m->copy_result;
    }
}

static inline uint64_t machine_alu(const struct machine *m, const struct bpf_insn *in)
{
    bool wide = BPF_CLASS(in->code) == BPF_ALU64;
    unsigned op = BPF_OP(in->code);
    uint64_t a = m->r[in->dst_reg];
    uint64_t by = BPF_SRC(in->code) == BPF_X ? m->r[in->src_reg] : (uint64_t)(int64_t)in->imm;
    if (op == BPF_END) {
        uint64_t half = oracle_swap((uint32_t)a & 0xffff);
        return in->imm == 16 ? half : half << 16 | oracle_swap((uint32_t)a >> 16);
    }
    if (op == BPF_MOV) {
        return wide ? by : (uint32_t)by;
    }
    if (!wide) {
        return classic_alu(op, (uint32_t)a, (uint32_t)by);
    }
    switch (op) {
    case BPF_ADD:
        return a + by;
    case BPF_SUB:
        return a - by;
    case BPF_MUL:
        return a * by;
    case BPF_DIV:
        return by ? a / by : 0;
    case BPF_AND:
        return a & by;
    case BPF_LSH:
        return a << by;
    default:
        MACHINE_CHECK(op == BPF_RSH);
        return a >> by;
    }
}

static inline bool machine_holds(const struct machine *m, const struct bpf_insn *in)
{
    uint64_t a = m->r[in->dst_reg];
    uint64_t with = BPF_SRC(in->code) == BPF_X ? m->r[in->src_reg] : (uint64_t)(int64_t)in->imm;
    if (BPF_CLASS(in->code) == BPF_JMP32) {
        a = (uint32_t)a;
        with = (uint32_t)with;
    }
    switch (BPF_OP(in->code)) {
    case BPF_JEQ:
        return a == with;
    case BPF_JNE:
        return a != with;
    case BPF_JGT:
        return a > with;
    case BPF_JGE:
        return a >= with;
    case BPF_JLT:
        return a < with;
    case BPF_JLE:
        return a <= with;
    case BPF_JSET:
        return (a & with) != 0;
    default:
        MACHINE_CHECK(BPF_OP(in->code) == BPF_JSLT && BPF_CLASS(in->code) == BPF_JMP32);
        return (int32_t)a < (int32_t)with;
    }
}

static inline void machine_reads(const struct machine *m, const struct bpf_insn *in)
{
    unsigned class = BPF_CLASS(in->code);
    bool jump = class == BPF_JMP || class == BPF_JMP32,
         alu = class == BPF_ALU || class == BPF_ALU64;
    bool call = in->code == (BPF_JMP | BPF_CALL) || in->code == (BPF_JMP | BPF_EXIT) ||
                in->code == (BPF_JMP | BPF_JA);
    bool sets = class == BPF_LDX || class == BPF_LD || (alu && BPF_OP(in->code) == BPF_MOV);
    MACHINE_CHECK(call || sets || m->written[in->dst_reg]);
    bool by_src = (jump || alu) && BPF_SRC(in->code) == BPF_X && BPF_OP(in->code) != BPF_END;
    MACHINE_CHECK(call || !(by_src || class == BPF_LDX || class == BPF_STX) ||
                  m->written[in->src_reg]);
}

/* One instruction at `at`, of n: the next one's place. */
static inline unsigned machine_step(struct machine *m, const struct bpf_insn *insns, unsigned at)
{
    const struct bpf_insn *in = &insns[at];
    machine_reads(m, in);
    switch (BPF_CLASS(in->code)) {
    case BPF_LD:
        m->r[in->dst_reg] = (uint32_t)in->imm | (uint64_t)(uint32_t)insns[at + 1].imm << 32;
        m->written[in->dst_reg] = true;
        return at + 2;
    case BPF_LDX:
        m->r[in->dst_reg] = machine_load(m, in);
        m->written[in->dst_reg] = true;
        return at + 1;
    case BPF_ST:
        machine_store(m, in, (uint64_t)(int64_t)in->imm);
        return at + 1;
    case BPF_STX:
        machine_store(m, in, m->r[in->src_reg]);
        return at + 1;
    case BPF_ALU:
    case BPF_ALU64:
        MACHINE_CHECK(in->dst_reg != BPF_REG_10);
        m->r[in->dst_reg] = machine_alu(m, in);
        m->written[in->dst_reg] = true;
        return at + 1;
    default:
        break;
    }
    MACHINE_CHECK(in->off >= 0);
    if (in->code == (BPF_JMP | BPF_CALL)) {
        m->r[0] = machine_call(m, in->imm);
        m->written[0] = true;
        memset(&m->written[1], 0, 5);
        return at + 1;
    }
    bool taken = in->code == (BPF_JMP | BPF_JA) || machine_holds(m, in);
    return at + 1 + (taken ? (unsigned)in->off : 0);
}

/* Runs the program on the buffer: its result. */
static inline int machine_run(struct machine *m, struct buffer *b, const struct bpf_insn *insns,
                              unsigned n)
{
    m->b = b;
    memset(m->written, 0, sizeof(m->written));
    memset(m->stacked, 0, sizeof(m->stacked));
    m->r[1] = MACHINE_CTX;
    m->r[10] = MACHINE_STACK_AT + MACHINE_STACK;
    m->written[1] = m->written[10] = true;
    m->copies = 0;
    m->b->skb.len = m->b->len;
    for (unsigned at = 0;;) {
        MACHINE_CHECK(at < n);
        if (insns[at].code == (BPF_JMP | BPF_EXIT)) {
            MACHINE_CHECK(m->written[0]);
            m->b = NULL;
            return (int)m->r[0];
        }
        at = machine_step(m, insns, at);
    }
}

/* Each instruction is one that some way leads to, as the kernel demands. */
static inline bool machine_reaches_all(const struct bpf_insn *insns, unsigned n)
{
    bool *reached = calloc(n + 1, sizeof(*reached));
    bool all = reached != NULL;
    if (all) {
        reached[0] = true;
    }
    for (unsigned i = 0; all && i < n; i++) {
        const struct bpf_insn *in = &insns[i];
        bool jump = (BPF_CLASS(in->code) == BPF_JMP || BPF_CLASS(in->code) == BPF_JMP32) &&
                    in->code != (BPF_JMP | BPF_CALL) && in->code != (BPF_JMP | BPF_EXIT);
        all = reached[i];
        if (jump) {
            all = all && i + 1 + (unsigned)in->off < n;
            reached[all ? i + 1 + (unsigned)in->off : n] = true;
        }
        if (in->code != (BPF_JMP | BPF_JA) && in->code != (BPF_JMP | BPF_EXIT)) {
            reached[i + 1] = true;
        }
    }
    free(reached);
    return all;
}
