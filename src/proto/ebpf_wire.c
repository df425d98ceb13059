/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ebpf_wire.h"

#include <netinet/in.h>
#include <stddef.h>

#include "base/cleanup.h"

enum {
    CTX = EBPF_WIRE_CTX,
    FRAMES = EBPF_WIRE_FRAMES,
    BYTES = EBPF_WIRE_BYTES,
    VALUE = BPF_REG_7, /* what was read of the headers */
    AT = BPF_REG_9,    /* the place of the header that is looked at; in the end their length */
    FP = BPF_REG_10,
    SCRATCH = -8,
    JUMBO = -16, /* the length of the option that no wire sees */

    TYPE_AT = 12, /* of the ethertype */
    TPID_Q = 0x8100,
    TPID_AD = 0x88a8,
    ETHERTYPE_V4 = 0x0800,
    ETHERTYPE_V6 = 0x86dd,
    V6_LEN = 40,
    UDP_LEN = 8,
    JUMBO_LEN = 8,
    JUMBO_IS = 0xc204, /* the option's type and length, RFC 2675 2, in a header of length 0 */
};

struct wire {
    struct ebpf_asm *a;
    bool egress;
    unsigned v4, transport, udp, known, unknown, sum, done; /* labels */
};

static void context(struct wire *w, uint8_t dst, size_t off)
{
    ebpf_load(w->a, BPF_W, dst, CTX, (int16_t)off);
}

/* VALUE = the frame's bytes at AT + more, in the host's order. */
static void read_header(struct wire *w, unsigned bpf_size, int more)
{
    int size = bpf_size == BPF_W ? 4 : bpf_size == BPF_H ? 2 : 1;
    ebpf_mov(w->a, BPF_REG_1, CTX);
    ebpf_mov(w->a, BPF_REG_2, AT);
    ebpf_alu64_imm(w->a, BPF_ADD, BPF_REG_2, more);
    ebpf_mov(w->a, BPF_REG_3, FP);
    ebpf_alu64_imm(w->a, BPF_ADD, BPF_REG_3, SCRATCH);
    ebpf_mov_imm(w->a, BPF_REG_4, size);
    ebpf_call(w->a, BPF_FUNC_skb_load_bytes);
    ebpf_jmp_imm(w->a, BPF_JNE, BPF_REG_0, 0, w->unknown);
    ebpf_load(w->a, bpf_size, VALUE, FP, SCRATCH);
    if (size > 1) {
        ebpf_from_be(w->a, VALUE, size * 8);
    }
}

/* AT becomes the place of the IP header, VALUE its ethertype. */
static void over_tags(struct wire *w)
{
    unsigned type = ebpf_asm_labels(w->a, 1);
    ebpf_mov_imm(w->a, AT, TYPE_AT);
    read_header(w, BPF_H, 0);
    for (int i = 0; i < 2; i++) {
        unsigned tag = ebpf_asm_labels(w->a, 1);
        ebpf_jmp_imm(w->a, BPF_JEQ, VALUE, TPID_Q, tag);
        ebpf_jmp_imm(w->a, BPF_JNE, VALUE, TPID_AD, type);
        ebpf_asm_place(w->a, tag);
        ebpf_alu64_imm(w->a, BPF_ADD, AT, 4);
        read_header(w, BPF_H, 0);
    }
    ebpf_asm_place(w->a, type);
    ebpf_alu64_imm(w->a, BPF_ADD, AT, 2);
}

/* AT becomes the place of the transport header, VALUE its protocol. */
static void over_ip(struct wire *w)
{
    ebpf_store_imm(w->a, BPF_DW, FP, JUMBO, 0);
    ebpf_jmp_imm(w->a, BPF_JEQ, VALUE, ETHERTYPE_V4, w->v4);
    ebpf_jmp_imm(w->a, BPF_JNE, VALUE, ETHERTYPE_V6, w->unknown);
    read_header(w, BPF_B, 6);
    ebpf_alu64_imm(w->a, BPF_ADD, AT, V6_LEN);
    ebpf_jmp_imm(w->a, BPF_JNE, VALUE, IPPROTO_HOPOPTS, w->transport);
    read_header(w, BPF_W, 0); /* next header, length, the option's type and its length */
    ebpf_mov(w->a, BPF_REG_1, VALUE);
    ebpf_alu64_imm(w->a, BPF_AND, BPF_REG_1, 0xffffff);
    ebpf_jmp_imm(w->a, BPF_JNE, BPF_REG_1, JUMBO_IS, w->unknown);
    ebpf_store_imm(w->a, BPF_DW, FP, JUMBO, JUMBO_LEN);
    ebpf_alu64_imm(w->a, BPF_RSH, VALUE, 24);
    ebpf_alu64_imm(w->a, BPF_ADD, AT, JUMBO_LEN);
    ebpf_goto(w->a, w->transport);

    ebpf_asm_place(w->a, w->v4);
    read_header(w, BPF_H, 8); /* time to live, protocol */
    ebpf_alu64_imm(w->a, BPF_AND, VALUE, 0xff);
    ebpf_mov(w->a, BYTES, VALUE);
    read_header(w, BPF_B, 0);
    ebpf_alu64_imm(w->a, BPF_AND, VALUE, 0x0f);
    ebpf_alu64_imm(w->a, BPF_LSH, VALUE, 2);
    ebpf_alu64(w->a, BPF_ADD, AT, VALUE);
    ebpf_mov(w->a, VALUE, BYTES);
    ebpf_asm_place(w->a, w->transport);
}

/* Goes to `unknown` where the datagram may be a tunnel's, with more headers in it. */
static void over_udp(struct wire *w)
{
    static const uint16_t tunnels[] = {4789, 4790, 6081, 8472}; /* VXLAN, VXLAN-GPE, Geneve, Linux'
                                                                 * own for VXLAN */
    ebpf_asm_place(w->a, w->udp);
    if (w->egress) {
        ebpf_goto(w->a, w->unknown);
        return;
    }
    read_header(w, BPF_H, 2);
    for (unsigned i = 0; i < ARRAY_SIZE(tunnels); i++) {
        ebpf_jmp_imm(w->a, BPF_JEQ, VALUE, tunnels[i], w->unknown);
    }
    ebpf_alu64_imm(w->a, BPF_ADD, AT, UDP_LEN);
    ebpf_goto(w->a, w->known);
}

/* AT becomes the length of all headers. */
static void over_transport(struct wire *w)
{
    ebpf_jmp_imm(w->a, BPF_JEQ, VALUE, IPPROTO_UDP, w->udp);
    ebpf_jmp_imm(w->a, BPF_JNE, VALUE, IPPROTO_TCP, w->unknown);
    read_header(w, BPF_B, 12);
    ebpf_alu64_imm(w->a, BPF_RSH, VALUE, 4);
    ebpf_alu64_imm(w->a, BPF_LSH, VALUE, 2);
    ebpf_alu64(w->a, BPF_ADD, AT, VALUE);
    ebpf_goto(w->a, w->known);
    over_udp(w);
}

/* FRAMES = BYTES less the headers by the payload of a frame, rounded up. The senders of virtual
 * machines leave the number of frames open. */
static void count_frames(struct wire *w)
{
    context(w, BPF_REG_1, offsetof(struct __sk_buff, gso_size));
    ebpf_mov(w->a, FRAMES, BYTES);
    ebpf_alu64(w->a, BPF_SUB, FRAMES, AT);
    ebpf_alu64(w->a, BPF_ADD, FRAMES, BPF_REG_1);
    ebpf_alu64_imm(w->a, BPF_SUB, FRAMES, 1);
    ebpf_alu64(w->a, BPF_DIV, FRAMES, BPF_REG_1);
}

/* AT bytes of headers are in each frame. */
static void by_headers(struct wire *w)
{
    ebpf_asm_place(w->a, w->known);
    context(w, BYTES, offsetof(struct __sk_buff, len));
    ebpf_load(w->a, BPF_DW, BPF_REG_1, FP, JUMBO);
    ebpf_alu64(w->a, BPF_SUB, AT, BPF_REG_1);
    ebpf_alu64(w->a, BPF_SUB, BYTES, BPF_REG_1);
    ebpf_jmp(w->a, BPF_JGE, AT, BYTES, w->unknown); /* no such headers */
    context(w, FRAMES, offsetof(struct __sk_buff, gso_segs));
    ebpf_jmp_imm(w->a, BPF_JNE, FRAMES, 0, w->sum);
    count_frames(w);
    ebpf_goto(w->a, w->sum);
}

static void by_size(struct wire *w)
{
    unsigned counted = ebpf_asm_labels(w->a, 1);
    ebpf_asm_place(w->a, w->unknown);
    context(w, BYTES, offsetof(struct __sk_buff, len));
    context(w, FRAMES, offsetof(struct __sk_buff, gso_segs));
    ebpf_jmp_imm(w->a, BPF_JNE, FRAMES, 0, counted);
    ebpf_mov_imm(w->a, AT, 0);
    count_frames(w);
    ebpf_asm_place(w->a, counted);
    if (w->egress) {
        context(w, BYTES, offsetof(struct __sk_buff, wire_len));
        ebpf_goto(w->a, w->done);
        ebpf_asm_place(w->a, w->sum);
    } else {
        context(w, BPF_REG_1, offsetof(struct __sk_buff, gso_size));
        ebpf_alu64(w->a, BPF_MUL, BPF_REG_1, FRAMES);
        ebpf_jmp(w->a, BPF_JGE, BPF_REG_1, BYTES, w->done);
        ebpf_mov(w->a, AT, BYTES);
        ebpf_alu64(w->a, BPF_SUB, AT, BPF_REG_1);
        ebpf_asm_place(w->a, w->sum);
    }
    ebpf_mov(w->a, BPF_REG_1, FRAMES);
    ebpf_alu64_imm(w->a, BPF_SUB, BPF_REG_1, 1);
    ebpf_alu64(w->a, BPF_MUL, BPF_REG_1, AT);
    ebpf_alu64(w->a, BPF_ADD, BYTES, BPF_REG_1);
}

void ebpf_wire_emit(struct ebpf_asm *a, bool egress)
{
    unsigned first = ebpf_asm_labels(a, 8), no_tag = first + 7;
    struct wire w = {a,         egress,    first,     first + 1, first + 2,
                     first + 3, first + 4, first + 5, first + 6};
    context(&w, BYTES, offsetof(struct __sk_buff, len));
    ebpf_mov_imm(a, FRAMES, 1);
    context(&w, BPF_REG_1, offsetof(struct __sk_buff, gso_size));
    ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_1, 0, w.done);
    over_tags(&w);
    over_ip(&w);
    over_transport(&w);
    by_headers(&w);
    by_size(&w);
    ebpf_asm_place(a, w.done);
    context(&w, BPF_REG_1, offsetof(struct __sk_buff, vlan_present));
    ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_1, 0, no_tag);
    ebpf_mov(a, BPF_REG_1, FRAMES);
    ebpf_alu64_imm(a, BPF_LSH, BPF_REG_1, 2);
    ebpf_alu64(a, BPF_ADD, BYTES, BPF_REG_1);
    ebpf_asm_place(a, no_tag);
}
