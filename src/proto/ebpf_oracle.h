/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a machine for the eBPF that is generated here, stricter than the kernel's (each
 * load is within what it reads, no register is read before it is written), one for classic BPF as
 * the kernel runs it, and random classic programs. Root tests hold the same programs against the
 * kernel itself (node/taps_verdict_test.c).
 */
#pragma once

#include <linux/filter.h>
#include <linux/if_packet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/ebpf_taps.h"

static inline uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % sides;
}

/* ---- a frame, as the kernel has it ---- */

struct buffer {
    const uint8_t *data;
    uint32_t len;         /* of the frame */
    uint32_t linear;      /* bytes of it that programs may read directly */
    struct __sk_buff skb; /* the fields that are set here; others are zero */
    bool egress;
    uint16_t hatype;
    uint32_t network; /* the place of the network header */
};

/* The frame's bytes at `at`, in the host's order; false: beyond its end. */
static inline bool buffer_load(const struct buffer *b, uint64_t at, unsigned size, uint32_t *ret)
{
    if (at > b->len || size > b->len - at) {
        return false;
    }
    *ret = 0;
    for (unsigned i = 0; i < size; i++) {
        *ret = *ret << 8 | b->data[at + i];
    }
    return true;
}

/* ---- classic ---- */

static inline uint16_t oracle_swap(uint32_t v)
{
    return (uint16_t)((v & 0xff) << 8 | (v >> 8 & 0xff));
}

static inline uint32_t classic_beside(const struct buffer *b, uint32_t what, uint32_t a, uint32_t x)
{
    switch (what) {
    case SKF_AD_PROTOCOL:
        return oracle_swap(b->skb.protocol);
    case SKF_AD_PKTTYPE:
        return b->egress ? PACKET_OUTGOING : b->skb.pkt_type;
    case SKF_AD_IFINDEX:
        return b->skb.ifindex;
    case SKF_AD_MARK:
        return b->skb.mark;
    case SKF_AD_QUEUE:
        return b->skb.queue_mapping;
    case SKF_AD_HATYPE:
        return b->hatype;
    case SKF_AD_RXHASH:
        return b->skb.hash;
    case SKF_AD_ALU_XOR_X:
        return a ^ x;
    case SKF_AD_VLAN_TAG:
        return b->skb.vlan_tci;
    case SKF_AD_VLAN_TAG_PRESENT:
        return b->skb.vlan_present != 0;
    case SKF_AD_VLAN_TPID:
        return oracle_swap(b->skb.vlan_proto);
    default: /* SKF_AD_CPU, SKF_AD_RANDOM */
        return 4;
    }
}

static inline bool classic_load(const struct buffer *b, uint32_t at, unsigned size, uint32_t *ret)
{
    if (at <= INT32_MAX) {
        return buffer_load(b, at, size, ret);
    }
    bool net = at >= (uint32_t)SKF_NET_OFF;
    uint64_t from =
        net ? (uint64_t)(at - (uint32_t)SKF_NET_OFF) + b->network : at - (uint32_t)SKF_LL_OFF;
    return at >= (uint32_t)SKF_LL_OFF && from + size <= b->linear &&
           buffer_load(b, from, size, ret);
}

static inline uint32_t classic_alu(unsigned op, uint32_t a, uint32_t by)
{
    switch (op) {
    case BPF_ADD:
        return a + by;
    case BPF_SUB:
        return a - by;
    case BPF_MUL:
        return a * by;
    case BPF_DIV:
        return a / by;
    case BPF_MOD:
        return a % by;
    case BPF_OR:
        return a | by;
    case BPF_AND:
        return a & by;
    case BPF_XOR:
        return a ^ by;
    case BPF_LSH:
        return a << (by & 31);
    case BPF_RSH:
        return a >> (by & 31);
    default: /* BPF_NEG */
        return 0 - a;
    }
}

static inline bool classic_compare(unsigned op, uint32_t a, uint32_t with)
{
    return op == BPF_JEQ   ? a == with
           : op == BPF_JGT ? a > with
           : op == BPF_JGE ? a >= with
                           : (a & with) != 0;
}

struct classic {
    uint32_t a, x, m[BPF_MEMWORDS];
};

/* LD and LDX; false: beyond the frame. */
static inline bool classic_ld(struct classic *c, const struct buffer *b,
                              const struct sock_filter *in)
{
    unsigned size = BPF_SIZE(in->code) == BPF_W ? 4 : BPF_SIZE(in->code) == BPF_H ? 2 : 1;
    uint32_t v = 0;
    switch (BPF_MODE(in->code)) {
    case BPF_ABS:
        if (in->k >= (uint32_t)SKF_AD_OFF) {
            v = classic_beside(b, in->k - (uint32_t)SKF_AD_OFF, c->a, c->x);
        } else if (!classic_load(b, in->k, size, &v)) {
            return false;
        }
        break;
    case BPF_IND:
        if (c->x + in->k > INT32_MAX || !classic_load(b, c->x + in->k, size, &v)) {
            return false;
        }
        break;
    case BPF_MSH:
        if (!classic_load(b, in->k, 1, &v)) {
            return false;
        }
        v = (v & 15) * 4;
        break;
    case BPF_LEN:
        v = b->len;
        break;
    case BPF_IMM:
        v = in->k;
        break;
    default:
        v = c->m[in->k];
        break;
    }
    *(BPF_CLASS(in->code) == BPF_LD ? &c->a : &c->x) = v;
    return true;
}

/* The kernel's decision by the program, which bpfcheck has let through. */
static inline bool classic_matches(const struct sock_filter *prog, const struct buffer *b)
{
    struct classic c = {0};
    for (const struct sock_filter *in = prog;; in++) {
        unsigned op = BPF_OP(in->code);
        uint32_t by = BPF_SRC(in->code) == BPF_X ? c.x : in->k;
        switch (BPF_CLASS(in->code)) {
        case BPF_LD:
        case BPF_LDX:
            if (!classic_ld(&c, b, in)) {
                return false;
            }
            break;
        case BPF_ST:
            c.m[in->k] = c.a;
            break;
        case BPF_STX:
            c.m[in->k] = c.x;
            break;
        case BPF_ALU:
            if ((op == BPF_DIV || op == BPF_MOD) && by == 0) {
                return false;
            }
            c.a = classic_alu(op, c.a, by);
            break;
        case BPF_JMP:
            in += op == BPF_JA ? in->k : classic_compare(op, c.a, by) ? in->jt : in->jf;
            break;
        case BPF_RET:
            return (BPF_RVAL(in->code) == BPF_A ? c.a : in->k) != 0;
        default:
            *(BPF_MISCOP(in->code) == BPF_TAX ? &c.x : &c.a) =
                BPF_MISCOP(in->code) == BPF_TAX ? c.a : c.x;
            break;
        }
    }
}

/* An instruction of a random program that `left` others follow. */
static inline struct sock_filter random_insn(uint32_t left, uint64_t *seed)
{
    static const uint16_t codes[] = {
        BPF_LD | BPF_W | BPF_ABS,
        BPF_LD | BPF_H | BPF_ABS,
        BPF_LD | BPF_B | BPF_ABS,
        BPF_LD | BPF_W | BPF_IND,
        BPF_LD | BPF_H | BPF_IND,
        BPF_LD | BPF_B | BPF_IND,
        BPF_LD | BPF_W | BPF_LEN,
        BPF_LD | BPF_IMM,
        BPF_LD | BPF_MEM,
        BPF_LDX | BPF_W | BPF_LEN,
        BPF_LDX | BPF_B | BPF_MSH,
        BPF_LDX | BPF_IMM,
        BPF_LDX | BPF_MEM,
        BPF_ST,
        BPF_STX,
        BPF_MISC | BPF_TAX,
        BPF_MISC | BPF_TXA,
        BPF_ALU | BPF_ADD,
        BPF_ALU | BPF_SUB | BPF_X,
        BPF_ALU | BPF_MUL | BPF_K,
        BPF_ALU | BPF_MUL | BPF_X,
        BPF_ALU | BPF_DIV | BPF_K,
        BPF_ALU | BPF_DIV | BPF_X,
        BPF_ALU | BPF_MOD | BPF_K,
        BPF_ALU | BPF_MOD | BPF_X,
        BPF_ALU | BPF_AND | BPF_K,
        BPF_ALU | BPF_AND | BPF_X,
        BPF_ALU | BPF_OR | BPF_K,
        BPF_ALU | BPF_OR | BPF_X,
        BPF_ALU | BPF_XOR | BPF_K,
        BPF_ALU | BPF_XOR | BPF_X,
        BPF_ALU | BPF_LSH | BPF_K,
        BPF_ALU | BPF_LSH | BPF_X,
        BPF_ALU | BPF_RSH | BPF_K,
        BPF_ALU | BPF_RSH | BPF_X,
        BPF_ALU | BPF_NEG,
        BPF_JMP | BPF_JA,
        BPF_JMP | BPF_JEQ | BPF_K,
        BPF_JMP | BPF_JEQ | BPF_X,
        BPF_JMP | BPF_JGT | BPF_K,
        BPF_JMP | BPF_JGT | BPF_X,
        BPF_JMP | BPF_JGE | BPF_K,
        BPF_JMP | BPF_JGE | BPF_X,
        BPF_JMP | BPF_JSET | BPF_K,
        BPF_JMP | BPF_JSET | BPF_X,
        BPF_RET | BPF_K,
        BPF_RET | BPF_A,
    };
    static const uint32_t odd[] = {0, 1, 31, 0x7fffffff, 0x80000000, 0xffffffff};
    struct sock_filter in = {.code = codes[dice(seed, ARRAY_SIZE(codes) - (left > 4 ? 2 : 0))]};
    bool is_jump = BPF_CLASS(in.code) == BPF_JMP, ja = in.code == (BPF_JMP | BPF_JA);
    uint32_t near = dice(seed, left ? MIN(left, 4U) : 1);
    in.k = ja ? near : dice(seed, 12) == 0 ? odd[dice(seed, 6)] : dice(seed, 1U << dice(seed, 9));
    in.jt = (uint8_t)(is_jump && !ja ? near : 0);
    in.jf = (uint8_t)(is_jump && !ja ? dice(seed, left ? MIN(left, 4U) : 1) : 0);
    return in;
}
