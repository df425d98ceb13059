/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ebpf_classic.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <stddef.h>

#include "proto/bpfcheck.h"

enum {
    CTX = EBPF_CLASSIC_CTX,
    DATA = EBPF_CLASSIC_DATA,
    A = BPF_REG_7, /* the classic registers: 32 bits, the upper half is always zero */
    X = BPF_REG_8,
    FP = BPF_REG_10,
    MEMORY = -64,   /* M[], from the frame pointer */
    SCRATCH = -72,  /* where bpf_skb_load_bytes writes to */
    FAR = 0x7fffff, /* a place that no frame has */
    TAG_AT = 12,    /* of an outermost tag in the frame */
    TAG_LEN = 4,
    TPID_Q = 0x8100,
    TPID_AD = 0x88a8,
};

/* One translation: the program, once for each kind of frame. Where the sender has put the tag into
 * the frame, the other end takes it out and has it beside; the program sees the frame so, too. */
struct trans {
    struct ebpf_asm *a;
    const struct ebpf_classic *c;
    const bool *reached;
    unsigned window;    /* bytes of the frame that are known to be linear in this copy */
    bool inside;        /* a tag is in the frame, at TAG_AT, and has to look as if it were beside */
    unsigned first;     /* the label of instruction 0 in this copy */
    unsigned match, no; /* labels */
};

static unsigned size_of(uint16_t code)
{
    return BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
}

static void context(struct trans *t, uint8_t dst, size_t off)
{
    ebpf_load(t->a, BPF_W, dst, CTX, (int16_t)off);
}

/* ---- bytes of the frame ---- */

/* dst is what was just read there, in the network's order. */
static void to_host(struct trans *t, uint8_t dst, unsigned size)
{
    if (size > 1) {
        ebpf_from_be(t->a, dst, (int)size * 8);
    }
}

/* R2 is a place: dst becomes the bytes there, or the frame does not match. */
static void by_helper(struct trans *t, uint8_t dst, unsigned bpf_size, unsigned size)
{
    ebpf_mov(t->a, BPF_REG_1, CTX);
    ebpf_mov(t->a, BPF_REG_3, FP);
    ebpf_alu64_imm(t->a, BPF_ADD, BPF_REG_3, SCRATCH);
    ebpf_mov_imm(t->a, BPF_REG_4, (int32_t)size);
    ebpf_call(t->a, BPF_FUNC_skb_load_bytes);
    ebpf_jmp_imm(t->a, BPF_JNE, BPF_REG_0, 0, t->no);
    ebpf_load(t->a, bpf_size, dst, FP, SCRATCH);
}

/* A place that counts from a header, SKF_LL_OFF or SKF_NET_OFF: a packet socket's program sees
 * there what is in the linear part, and so does this helper. */
static void by_header(struct trans *t, uint8_t dst, const struct sock_filter *in, unsigned size)
{
    bool net = in->k >= (uint32_t)SKF_NET_OFF;
    uint32_t at = in->k - (uint32_t)(net ? SKF_NET_OFF : SKF_LL_OFF);
    ebpf_mov(t->a, BPF_REG_1, CTX);
    ebpf_mov_imm(t->a, BPF_REG_2, (int32_t)at);
    ebpf_mov(t->a, BPF_REG_3, FP);
    ebpf_alu64_imm(t->a, BPF_ADD, BPF_REG_3, SCRATCH);
    ebpf_mov_imm(t->a, BPF_REG_4, (int32_t)size);
    ebpf_mov_imm(t->a, BPF_REG_5, net ? BPF_HDR_START_NET : BPF_HDR_START_MAC);
    ebpf_call(t->a, BPF_FUNC_skb_load_bytes_relative);
    ebpf_jmp_imm(t->a, BPF_JNE, BPF_REG_0, 0, t->no);
    ebpf_load(t->a, BPF_SIZE(in->code), dst, FP, SCRATCH);
}

/* dst = the half word at that place of the frame as it is. */
static void load_half(struct trans *t, uint8_t dst, unsigned at)
{
    ebpf_mov_imm(t->a, BPF_REG_2, (int32_t)at);
    by_helper(t, dst, BPF_H, 2);
    to_host(t, dst, 2);
}

/* A place that a program without the tag means, in the frame with it. */
static uint32_t with_tag(uint32_t at)
{
    return at < TAG_AT ? at : at + TAG_LEN;
}

/* The same as load_abs() where a tag is in the frame. Bytes on both sides of it are read one by
 * one.
 */
static void load_around_tag(struct trans *t, uint8_t dst, uint32_t at, unsigned bpf_size,
                            unsigned size)
{
    if (at >= TAG_AT || at + size <= TAG_AT) {
        ebpf_mov_imm(t->a, BPF_REG_2, at < FAR ? (int32_t)with_tag(at) : FAR);
        by_helper(t, dst, bpf_size, size);
        to_host(t, dst, size);
        return;
    }
    ebpf_mov_imm(t->a, dst, 0);
    for (unsigned i = 0; i < size; i++) {
        ebpf_mov_imm(t->a, BPF_REG_2, (int32_t)with_tag(at + i));
        by_helper(t, BPF_REG_1, BPF_B, 1);
        ebpf_alu64_imm(t->a, BPF_LSH, dst, 8);
        ebpf_alu64(t->a, BPF_OR, dst, BPF_REG_1);
    }
}

/* dst = the frame's bytes at the constant k. */
static void load_abs(struct trans *t, uint8_t dst, const struct sock_filter *in)
{
    unsigned size = size_of(in->code);
    if (t->inside && in->k < (uint32_t)SKF_LL_OFF) {
        load_around_tag(t, dst, in->k, BPF_SIZE(in->code), size);
        return;
    }
    if (in->k < t->window && in->k + size <= t->window) {
        ebpf_load(t->a, BPF_SIZE(in->code), dst, DATA, (int16_t)in->k);
    } else if (in->k < (uint32_t)SKF_LL_OFF) { /* of those no frame has, the last is as good */
        ebpf_mov_imm(t->a, BPF_REG_2, in->k < FAR ? (int32_t)in->k : FAR);
        by_helper(t, dst, BPF_SIZE(in->code), size);
    } else {
        by_header(t, dst, in, size);
    }
    to_host(t, dst, size);
}

/* A = the frame's bytes at X + k, which the kernel adds up in 32 bits and takes for signed. It
 * counts negative ones from a header; no compiler makes such, and here they do not match. The
 * verifier lets only those with CAP_PERFMON add a number that is not known to a frame's pointer, so
 * they are read by a call. */
static void load_ind(struct trans *t, const struct sock_filter *in)
{
    unsigned size = size_of(in->code);
    ebpf_alu32(t->a, BPF_MOV, BPF_REG_2, X);
    if (in->k) {
        ebpf_alu32_imm(t->a, BPF_ADD, BPF_REG_2, (int32_t)in->k);
    }
    ebpf_jmp_imm(t->a, BPF_JGT, BPF_REG_2, FAR, t->no);
    if (t->inside) { /* of bytes on both sides of the tag nobody computes the place */
        unsigned before = ebpf_asm_labels(t->a, 2), read = before + 1;
        ebpf_jmp_imm(t->a, BPF_JLT, BPF_REG_2, TAG_AT, before);
        ebpf_alu64_imm(t->a, BPF_ADD, BPF_REG_2, TAG_LEN);
        ebpf_goto(t->a, read);
        ebpf_asm_place(t->a, before);
        ebpf_jmp_imm(t->a, BPF_JGT, BPF_REG_2, (int32_t)(TAG_AT - size), t->no);
        ebpf_asm_place(t->a, read);
    }
    by_helper(t, A, BPF_SIZE(in->code), size);
    to_host(t, A, size);
}

/* ---- what is beside the frame ---- */

static int no_such(const char *what, struct error *err)
{
    return error_set(err, EOPNOTSUPP,
                     "the filter asks for %s, which no program at this place of the kernel can "
                     "know: a flow with it needs another datapath than the kernel's",
                     what);
}

static void load_be16(struct trans *t, size_t off)
{
    context(t, A, off);
    ebpf_from_be(t->a, A, 16);
}

/* Is there a tag beside the frame? The kernel tells of classic programs 1 or 0. */
static void load_tag_present(struct trans *t)
{
    unsigned none = ebpf_asm_labels(t->a, 1);
    context(t, A, offsetof(struct __sk_buff, vlan_present));
    ebpf_jmp32_imm(t->a, BPF_JEQ, A, 0, none);
    ebpf_mov_imm(t->a, A, 1);
    ebpf_asm_place(t->a, none);
}

static void load_call(struct trans *t, int helper)
{
    ebpf_call(t->a, helper);
    ebpf_alu32(t->a, BPF_MOV, A, BPF_REG_0);
}

/* Fields that eBPF has under the same name and with the same value. */
static bool load_same(struct trans *t, uint32_t what)
{
    static const struct {
        uint16_t what, at;
    } same[] = {
        {SKF_AD_PKTTYPE, offsetof(struct __sk_buff, pkt_type)},
        {SKF_AD_IFINDEX, offsetof(struct __sk_buff, ifindex)},
        {SKF_AD_MARK, offsetof(struct __sk_buff, mark)},
        {SKF_AD_QUEUE, offsetof(struct __sk_buff, queue_mapping)},
        {SKF_AD_RXHASH, offsetof(struct __sk_buff, hash)},
        {SKF_AD_VLAN_TAG, offsetof(struct __sk_buff, vlan_tci)},
    };
    for (unsigned i = 0; i < ARRAY_SIZE(same); i++) {
        if (same[i].what == what) {
            context(t, A, same[i].at);
            return true;
        }
    }
    return false;
}

/* A load of something that would be beside a frame whose tag is in it. False: it is of another. */
static bool load_of_tag(struct trans *t, uint32_t what)
{
    switch (what) {
    case SKF_AD_VLAN_TPID:
        load_half(t, A, TAG_AT);
        return true;
    case SKF_AD_VLAN_TAG:
        load_half(t, A, TAG_AT + 2);
        return true;
    case SKF_AD_PROTOCOL:
        load_half(t, A, TAG_AT + TAG_LEN);
        return true;
    case SKF_AD_VLAN_TAG_PRESENT:
        ebpf_mov_imm(t->a, A, 1);
        return true;
    default:
        return false;
    }
}

static int load_beside(struct trans *t, uint32_t what, struct error *err)
{
    if (t->inside && load_of_tag(t, what)) {
        return 0;
    }
    switch (what) {
    case SKF_AD_PKTTYPE:
        if (t->c->egress) { /* packet sockets are told so; the buffer has what it came in as */
            ebpf_mov_imm(t->a, A, PACKET_OUTGOING);
            return 0;
        }
        break;
    case SKF_AD_PROTOCOL:
        load_be16(t, offsetof(struct __sk_buff, protocol));
        return 0;
    case SKF_AD_VLAN_TPID:
        load_be16(t, offsetof(struct __sk_buff, vlan_proto));
        return 0;
    case SKF_AD_VLAN_TAG_PRESENT:
        load_tag_present(t);
        return 0;
    case SKF_AD_HATYPE:
        ebpf_mov_imm(t->a, A, t->c->hatype);
        return 0;
    case SKF_AD_CPU:
        load_call(t, BPF_FUNC_get_smp_processor_id);
        return 0;
    case SKF_AD_RANDOM:
        load_call(t, BPF_FUNC_get_prandom_u32);
        return 0;
    case SKF_AD_ALU_XOR_X:
        ebpf_alu32(t->a, BPF_XOR, A, X);
        return 0;
    case SKF_AD_NLATTR:
    case SKF_AD_NLATTR_NEST:
        return no_such("an attribute of a netlink message", err);
    case SKF_AD_PAY_OFFSET:
        return no_such("where the frame's payload begins", err);
    default:
        break;
    }
    return load_same(t, what) ? 0 : no_such("something unknown", err);
}

/* ---- instructions ---- */

static unsigned label_of(const struct trans *t, unsigned at)
{
    return t->first + at;
}

static void jump(struct trans *t, unsigned op, const struct sock_filter *in, unsigned label)
{
    if (BPF_SRC(in->code) == BPF_X) {
        ebpf_jmp32(t->a, op, A, X, label);
    } else {
        ebpf_jmp32_imm(t->a, op, A, (int32_t)in->k, label);
    }
}

/* The comparison that holds when that one does not; 0: none. */
static unsigned opposite(unsigned op)
{
    return op == BPF_JEQ ? BPF_JNE : op == BPF_JGT ? BPF_JLE : op == BPF_JGE ? BPF_JLT : 0;
}

static void emit_jump(struct trans *t, const struct sock_filter *in, unsigned at)
{
    unsigned op = BPF_OP(in->code);
    if (op == BPF_JA) {
        ebpf_goto(t->a, label_of(t, at + 1 + in->k));
    } else if (in->jt == in->jf) {
        ebpf_goto(t->a, label_of(t, at + 1 + in->jt));
    } else if (in->jt == 0 && opposite(op)) {
        jump(t, opposite(op), in, label_of(t, at + 1 + in->jf));
    } else {
        jump(t, op, in, label_of(t, at + 1 + in->jt));
        if (in->jf > 0) {
            ebpf_goto(t->a, label_of(t, at + 1 + in->jf));
        }
    }
}

static void emit_alu(struct trans *t, const struct sock_filter *in)
{
    unsigned op = BPF_OP(in->code);
    bool by_x = BPF_SRC(in->code) == BPF_X;
    if (by_x && (op == BPF_DIV || op == BPF_MOD)) {
        ebpf_jmp32_imm(t->a, BPF_JEQ, X, 0, t->no);
    }
    if (op == BPF_NEG) {
        ebpf_alu32_imm(t->a, BPF_NEG, A, 0);
    } else if (by_x) {
        ebpf_alu32(t->a, op, A, X); /* shifts count modulo 32, as the kernel's classic ones do */
    } else {
        ebpf_alu32_imm(t->a, op, A, (int32_t)in->k);
    }
}

static int emit_load(struct trans *t, const struct sock_filter *in, struct error *err)
{
    uint8_t dst = BPF_CLASS(in->code) == BPF_LD ? A : X;
    switch (BPF_MODE(in->code)) {
    case BPF_ABS:
        if (bpfcheck_is_beside(in->k)) {
            return load_beside(t, in->k - (uint32_t)SKF_AD_OFF, err);
        }
        load_abs(t, dst, in);
        return 0;
    case BPF_IND:
        load_ind(t, in);
        return 0;
    case BPF_LEN:
        context(t, dst, offsetof(struct __sk_buff, len));
        if (t->inside) {
            ebpf_alu32_imm(t->a, BPF_SUB, dst, TAG_LEN);
        }
        return 0;
    case BPF_IMM:
        ebpf_alu32_imm(t->a, BPF_MOV, dst, (int32_t)in->k);
        return 0;
    case BPF_MSH: /* four times the lower half of a byte: the length of an IPv4 header */
        load_abs(t, X, in);
        ebpf_alu32_imm(t->a, BPF_AND, X, 0x0f);
        ebpf_alu32_imm(t->a, BPF_LSH, X, 2);
        return 0;
    default:
        ebpf_load(t->a, BPF_W, dst, FP, (int16_t)(MEMORY + 4 * (int)in->k));
        return 0;
    }
}

static void emit_return(struct trans *t, const struct sock_filter *in)
{
    if (BPF_RVAL(in->code) == BPF_A) {
        ebpf_jmp32_imm(t->a, BPF_JNE, A, 0, t->match);
        ebpf_goto(t->a, t->no);
    } else {
        ebpf_goto(t->a, in->k ? t->match : t->no);
    }
}

static int emit_one(struct trans *t, const struct sock_filter *in, unsigned at, struct error *err)
{
    switch (BPF_CLASS(in->code)) {
    case BPF_LD:
    case BPF_LDX:
        return emit_load(t, in, err);
    case BPF_ST:
    case BPF_STX:
        ebpf_store(t->a, BPF_W, FP, (int16_t)(MEMORY + 4 * (int)in->k),
                   BPF_CLASS(in->code) == BPF_ST ? A : X);
        return 0;
    case BPF_ALU:
        emit_alu(t, in);
        return 0;
    case BPF_JMP:
        emit_jump(t, in, at);
        return 0;
    case BPF_RET:
        emit_return(t, in);
        return 0;
    default: /* BPF_MISC */
        ebpf_alu32(t->a, BPF_MOV, BPF_MISCOP(in->code) == BPF_TAX ? X : A,
                   BPF_MISCOP(in->code) == BPF_TAX ? A : X);
        return 0;
    }
}

static int emit_copy(struct trans *t, struct error *err)
{
    t->first = ebpf_asm_labels(t->a, t->c->n);
    for (unsigned i = 0; i < t->c->n; i++) {
        if (!t->reached[i]) {
            continue;
        }
        ebpf_asm_place(t->a, label_of(t, i));
        int r = emit_one(t, &t->c->prog[i], i, err);
        if (r < 0) {
            return r;
        }
    }
    return 0;
}

/* Bytes from the frame's beginning as far as constant places within EBPF_CLASSIC_WINDOW reach. */
static unsigned window_of(const struct ebpf_classic *c, const bool *reached)
{
    unsigned window = 0;
    for (unsigned i = 0; i < c->n; i++) {
        const struct sock_filter *in = &c->prog[i];
        bool constant = in->code == (BPF_LDX | BPF_B | BPF_MSH) ||
                        (BPF_CLASS(in->code) == BPF_LD && BPF_MODE(in->code) == BPF_ABS);
        if (reached[i] && constant && in->k < EBPF_CLASSIC_WINDOW) {
            unsigned end = in->k + size_of(in->code);
            window = end <= EBPF_CLASSIC_WINDOW ? MAX(window, end) : window;
        }
    }
    return window;
}

static int emit_begun(struct trans *t, struct error *err)
{
    ebpf_mov_imm(t->a, A, 0);
    ebpf_mov_imm(t->a, X, 0);
    return emit_copy(t, err);
}

/* Twice: for frames whose window is linear, and for all others. */
static int emit_outside(struct trans *t, struct error *err)
{
    if (t->window > 0) {
        unsigned elsewhere = ebpf_asm_labels(t->a, 1);
        ebpf_mov(t->a, BPF_REG_2, DATA);
        ebpf_alu64_imm(t->a, BPF_ADD, BPF_REG_2, (int32_t)t->window);
        context(t, BPF_REG_3, offsetof(struct __sk_buff, data_end));
        ebpf_jmp(t->a, BPF_JGT, BPF_REG_2, BPF_REG_3, elsewhere);
        int r = emit_begun(t, err);
        if (r < 0) {
            return r;
        }
        ebpf_asm_place(t->a, elsewhere);
        t->window = 0;
    }
    return emit_begun(t, err);
}

/* Goes on where no tag is in the frame, else to `inside`. What comes in has its tag beside. */
static void find_tag(struct trans *t, unsigned inside)
{
    unsigned outside = ebpf_asm_labels(t->a, 3), far = outside + 1, type = outside + 2;
    context(t, BPF_REG_1, offsetof(struct __sk_buff, vlan_present));
    ebpf_jmp_imm(t->a, BPF_JNE, BPF_REG_1, 0, outside);
    ebpf_mov(t->a, BPF_REG_2, DATA);
    ebpf_alu64_imm(t->a, BPF_ADD, BPF_REG_2, TAG_AT + 2);
    context(t, BPF_REG_3, offsetof(struct __sk_buff, data_end));
    ebpf_jmp(t->a, BPF_JGT, BPF_REG_2, BPF_REG_3, far);
    ebpf_load(t->a, BPF_H, BPF_REG_1, DATA, TAG_AT);
    ebpf_goto(t->a, type);
    ebpf_asm_place(t->a, far);
    ebpf_mov(t->a, BPF_REG_1, CTX);
    ebpf_mov_imm(t->a, BPF_REG_2, TAG_AT);
    ebpf_mov(t->a, BPF_REG_3, FP);
    ebpf_alu64_imm(t->a, BPF_ADD, BPF_REG_3, SCRATCH);
    ebpf_mov_imm(t->a, BPF_REG_4, 2);
    ebpf_call(t->a, BPF_FUNC_skb_load_bytes);
    ebpf_jmp_imm(t->a, BPF_JNE, BPF_REG_0, 0, outside);
    ebpf_load(t->a, BPF_H, BPF_REG_1, FP, SCRATCH);
    ebpf_asm_place(t->a, type);
    ebpf_from_be(t->a, BPF_REG_1, 16);
    ebpf_jmp_imm(t->a, BPF_JEQ, BPF_REG_1, TPID_Q, inside);
    ebpf_jmp_imm(t->a, BPF_JEQ, BPF_REG_1, TPID_AD, inside);
    ebpf_asm_place(t->a, outside);
}

int ebpf_classic_emit(struct ebpf_asm *a, const struct ebpf_classic *c, unsigned match,
                      unsigned no_match, struct error *err)
{
    bool reached[BPFCHECK_MAX];
    int r = bpfcheck(c->prog, c->n, reached, err);
    if (r < 0) {
        return r;
    }
    struct trans t = {.a = a,
                      .c = c,
                      .reached = reached,
                      .window = window_of(c, reached),
                      .match = match,
                      .no = no_match};
    unsigned inside = ebpf_asm_labels(a, 1);
    if (c->egress) {
        find_tag(&t, inside);
    }
    r = emit_outside(&t, err);
    if (r < 0 || !c->egress) {
        return r;
    }
    ebpf_asm_place(a, inside);
    t.inside = true;
    return emit_begun(&t, err);
}
