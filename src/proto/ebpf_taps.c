/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/ebpf_taps.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "proto/ebpf_classic.h"
#include "proto/ebpf_wire.h"

enum {
    CTX = EBPF_CLASSIC_CTX,
    DATA = EBPF_CLASSIC_DATA,
    ID = BPF_REG_7,     /* a VLAN id */
    RESULT = BPF_REG_9, /* of the copy */
    COLUMN = BPF_REG_8, /* the place of a counter in its row */
    FP = BPF_REG_10,
    SCRATCH = -8,
    MATCHED = -EBPF_CLASSIC_STACK - 8, /* the flows that match, by bits */
    VLAN = -EBPF_CLASSIC_STACK - 16,   /* the frame's VLAN id, 0: none */
    ROW = -EBPF_CLASSIC_STACK - 20,    /* a key of the map */
    MARK = -EBPF_CLASSIC_STACK - 24,   /* of the frame itself */
    ALL = (1 << EBPF_TAPS_FLOWS) - 1,

    XMIT_CN = 2, /* NET_XMIT_CN of the kernel: a queue of an interface that is down says so */
    TYPE_AT = 12,
    TPID_Q = 0x8100,
    TPID_AD = 0x88a8,
    WORDS = VLAN_IDS / 64,
};

_Static_assert((int)EBPF_WIRE_STACK <= (int)EBPF_CLASSIC_STACK,
               "the flows are read before, and kept below");

static void context(struct ebpf_asm *a, uint8_t dst, size_t off)
{
    ebpf_load(a, BPF_W, dst, CTX, (int16_t)off);
}

/* ---- the beginning ---- */

/* A frame with the mark is a copy: it goes on. All others go on here. */
static void leave_copies(struct ebpf_asm *a, uint32_t mark)
{
    unsigned own = ebpf_asm_labels(a, 1);
    ebpf_mov(a, CTX, BPF_REG_1);
    context(a, BPF_REG_1, offsetof(struct __sk_buff, mark));
    ebpf_jmp32_imm(a, BPF_JNE, BPF_REG_1, (int32_t)mark, own);
    ebpf_mov_imm(a, BPF_REG_0, EBPF_TAPS_NEXT);
    ebpf_exit(a);
    ebpf_asm_place(a, own);
}

/* MATCHED = 0, in a way that the verifier cannot follow: no frame is 2 GiB long, but the verifier
 * allows for it. It follows each value that it knows on ways of its own, and a known bit for each
 * flow would make 2^16 ways of 16 flows. */
static void none_matched(struct ebpf_asm *a)
{
    context(a, BPF_REG_1, offsetof(struct __sk_buff, len));
    ebpf_alu64_imm(a, BPF_RSH, BPF_REG_1, 31);
    ebpf_alu64_imm(a, BPF_MUL, BPF_REG_1, ALL);
    ebpf_store(a, BPF_DW, FP, MATCHED, BPF_REG_1);
}

/* ---- VLANs ---- */

/* VLAN = the id in the outermost tag, which is beside the frame or else in it. */
static void find_vlan(struct ebpf_asm *a)
{
    unsigned inside = ebpf_asm_labels(a, 4), far = inside + 1, type = inside + 2, have = inside + 3;
    context(a, BPF_REG_1, offsetof(struct __sk_buff, vlan_present));
    ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_1, 0, inside);
    context(a, ID, offsetof(struct __sk_buff, vlan_tci));
    ebpf_goto(a, have);

    ebpf_asm_place(a, inside);
    context(a, DATA, offsetof(struct __sk_buff, data));
    context(a, BPF_REG_2, offsetof(struct __sk_buff, data_end));
    ebpf_mov(a, BPF_REG_1, DATA);
    ebpf_alu64_imm(a, BPF_ADD, BPF_REG_1, TYPE_AT + 4);
    ebpf_jmp(a, BPF_JGT, BPF_REG_1, BPF_REG_2, far);
    ebpf_load(a, BPF_H, BPF_REG_1, DATA, TYPE_AT);
    ebpf_load(a, BPF_H, ID, DATA, TYPE_AT + 2);
    ebpf_goto(a, type);

    ebpf_asm_place(a, far);
    ebpf_mov_imm(a, ID, 0);
    ebpf_mov(a, BPF_REG_1, CTX);
    ebpf_mov_imm(a, BPF_REG_2, TYPE_AT);
    ebpf_mov(a, BPF_REG_3, FP);
    ebpf_alu64_imm(a, BPF_ADD, BPF_REG_3, SCRATCH);
    ebpf_mov_imm(a, BPF_REG_4, 4);
    ebpf_call(a, BPF_FUNC_skb_load_bytes);
    ebpf_jmp_imm(a, BPF_JNE, BPF_REG_0, 0, have);
    ebpf_load(a, BPF_H, BPF_REG_1, FP, SCRATCH);
    ebpf_load(a, BPF_H, ID, FP, SCRATCH + 2);

    ebpf_asm_place(a, type);
    ebpf_from_be(a, BPF_REG_1, 16);
    ebpf_from_be(a, ID, 16);
    ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_1, TPID_Q, have);
    ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_1, TPID_AD, have);
    ebpf_mov_imm(a, ID, 0);
    ebpf_asm_place(a, have);
    ebpf_alu64_imm(a, BPF_AND, ID, VLAN_IDS - 1);
    ebpf_store(a, BPF_DW, FP, VLAN, ID);
}

/* Goes on when the set has the frame's VLAN, else to `no`. The set is a bitmap of 64 words; runs of
 * equal words share one test. */
static void test_vlan(struct ebpf_asm *a, const struct vlan_set *s, unsigned no)
{
    unsigned test = ebpf_asm_labels(a, 2), yes = test + 1;
    ebpf_load(a, BPF_DW, BPF_REG_1, FP, VLAN);
    ebpf_mov(a, BPF_REG_2, BPF_REG_1);
    ebpf_alu64_imm(a, BPF_RSH, BPF_REG_2, 6);
    for (int from = 0, to; from < WORDS; from = to) {
        uint64_t word = s->bits[from];
        for (to = from + 1; to < WORDS && s->bits[to] == word; to++) {
        }
        if (word == 0) {
            continue;
        }
        unsigned beyond = ebpf_asm_labels(a, 1);
        ebpf_jmp_imm(a, BPF_JLT, BPF_REG_2, from, no);
        ebpf_jmp_imm(a, BPF_JGT, BPF_REG_2, to - 1, beyond);
        if (word == UINT64_MAX) {
            ebpf_goto(a, yes);
        } else {
            ebpf_mov_imm64(a, BPF_REG_3, word);
            ebpf_goto(a, test);
        }
        ebpf_asm_place(a, beyond);
    }
    ebpf_goto(a, no);
    if (ebpf_asm_is_wanted(a, test)) {
        ebpf_asm_place(a, test);
        ebpf_alu64_imm(a, BPF_AND, BPF_REG_1, 63);
        ebpf_alu64(a, BPF_RSH, BPF_REG_3, BPF_REG_1);
        ebpf_alu64_imm(a, BPF_AND, BPF_REG_3, 1);
        ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_3, 0, no);
    }
    ebpf_asm_place(a, yes);
}

/* ---- a flow ---- */

static int look(struct ebpf_asm *a, const struct ebpf_taps *conf, unsigned i, struct error *err)
{
    const struct ebpf_taps_flow *f = &conf->flows[i];
    unsigned match = ebpf_asm_labels(a, 2), next = match + 1;
    if (f->vlans) {
        test_vlan(a, f->vlans, next);
    }
    if (f->filter) {
        const struct ebpf_classic filter = {f->filter, f->n_filter, conf->egress, conf->hatype};
        context(a, DATA, offsetof(struct __sk_buff, data));
        int r = ebpf_classic_emit(a, &filter, match, next, err);
        if (r < 0) {
            return r;
        }
        if (!ebpf_asm_is_wanted(a, match)) { /* no frame matches, and no way leads there */
            ebpf_asm_place(a, next);
            return 0;
        }
    }
    ebpf_asm_place(a, match);
    ebpf_load(a, BPF_DW, BPF_REG_1, FP, MATCHED);
    ebpf_alu64_imm(a, BPF_ADD, BPF_REG_1, 1 << i);
    ebpf_store(a, BPF_DW, FP, MATCHED, BPF_REG_1);
    ebpf_asm_place(a, next);
    return 0;
}

/* ---- the end ---- */

/* Goes to the label when none of these flows matches. The test is on a value of its own: what the
 * verifier learns of a copy it would hold for true of MATCHED, too. */
static void skip_unless(struct ebpf_asm *a, int flows, unsigned label)
{
    ebpf_load(a, BPF_DW, BPF_REG_1, FP, MATCHED);
    ebpf_alu64_imm(a, BPF_AND, BPF_REG_1, flows);
    ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_1, 0, label);
}

/* R0 = the row of flow i, or goes to `skip` when the flow does not match. */
static void find_row(struct ebpf_asm *a, const struct ebpf_taps *conf, unsigned i, unsigned skip)
{
    skip_unless(a, 1 << i, skip);
    ebpf_store_imm(a, BPF_W, FP, ROW, (int32_t)conf->flows[i].counter);
    ebpf_mov(a, BPF_REG_2, FP);
    ebpf_alu64_imm(a, BPF_ADD, BPF_REG_2, ROW);
    ebpf_mov_map(a, BPF_REG_1, conf->map_fd);
    ebpf_call(a, BPF_FUNC_map_lookup_elem);
    ebpf_jmp_imm(a, BPF_JEQ, BPF_REG_0, 0, skip);
}

/* *(R0 + off) += by. Nothing else counts in this row on this processor meanwhile. */
static void add(struct ebpf_asm *a, size_t off, uint8_t by)
{
    ebpf_load(a, BPF_DW, BPF_REG_1, BPF_REG_0, (int16_t)off);
    ebpf_alu64(a, BPF_ADD, BPF_REG_1, by);
    ebpf_store(a, BPF_DW, BPF_REG_0, (int16_t)off, BPF_REG_1);
}

static void count_matches(struct ebpf_asm *a, const struct ebpf_taps *conf)
{
    for (unsigned i = 0; i < conf->n_flows; i++) {
        unsigned next = ebpf_asm_labels(a, 1);
        find_row(a, conf, i, next);
        add(a, offsetof(struct ebpf_taps_count, frames), EBPF_WIRE_FRAMES);
        add(a, offsetof(struct ebpf_taps_count, bytes), EBPF_WIRE_BYTES);
        ebpf_asm_place(a, next);
    }
}

/* RESULT = what became of the copy, which alone has the mark. */
static void send_copy(struct ebpf_asm *a, const struct ebpf_taps *conf)
{
    const int16_t mark = offsetof(struct __sk_buff, mark);
    ebpf_load(a, BPF_W, BPF_REG_1, CTX, mark);
    ebpf_store(a, BPF_W, FP, MARK, BPF_REG_1);
    ebpf_mov_imm(a, BPF_REG_1, (int32_t)conf->mark);
    ebpf_store(a, BPF_W, CTX, mark, BPF_REG_1);
    ebpf_mov(a, BPF_REG_1, CTX);
    ebpf_mov_imm(a, BPF_REG_2, (int32_t)conf->to);
    ebpf_mov_imm(a, BPF_REG_3, 0); /* as if sent there */
    ebpf_call(a, BPF_FUNC_clone_redirect);
    ebpf_mov(a, RESULT, BPF_REG_0);
    ebpf_load(a, BPF_W, BPF_REG_1, FP, MARK);
    ebpf_store(a, BPF_W, CTX, mark, BPF_REG_1);
}

/* COLUMN = the counter of the reason for which RESULT is not 0. The kernel's clone_redirect and
 * dev_queue_xmit give a negative errno, or above 0 what a queue or driver says of a frame that it
 * has dropped; too long a frame is among those. Its bpf_check_mtu is for programs under the GPL
 * alone. */
static void find_reason(struct ebpf_asm *a, const struct ebpf_taps *conf)
{
    static const struct {
        int32_t result;
        uint16_t column;
    } reasons[] = {
        {-ENETDOWN, offsetof(struct ebpf_taps_count, failed_down)},
        {XMIT_CN, offsetof(struct ebpf_taps_count, failed_down)},
        {-EINVAL, offsetof(struct ebpf_taps_count, failed_gone)},
        {-ENODEV, offsetof(struct ebpf_taps_count, failed_gone)},
        {-EMSGSIZE, offsetof(struct ebpf_taps_count, failed_big)},
    };
    unsigned found = ebpf_asm_labels(a, 1);
    for (unsigned i = 0; i < ARRAY_SIZE(reasons); i++) {
        ebpf_mov_imm(a, COLUMN, reasons[i].column);
        ebpf_jmp32_imm(a, BPF_JEQ, RESULT, reasons[i].result, found);
    }
    ebpf_mov_imm(a, COLUMN, offsetof(struct ebpf_taps_count, failed_other));
    ebpf_jmp32_imm(a, BPF_JSLT, RESULT, 0, found);
    if (conf->longest) {
        unsigned whole = ebpf_asm_labels(a, 1);
        ebpf_mov_imm(a, COLUMN, offsetof(struct ebpf_taps_count, failed_big));
        context(a, BPF_REG_1, offsetof(struct __sk_buff, gso_size));
        ebpf_jmp_imm(a, BPF_JNE, BPF_REG_1, 0, whole); /* it would have been cut */
        context(a, BPF_REG_1, offsetof(struct __sk_buff, len));
        ebpf_jmp32_imm(a, BPF_JGT, BPF_REG_1, (int32_t)conf->longest, found);
        ebpf_asm_place(a, whole);
    }
    ebpf_mov_imm(a, COLUMN, offsetof(struct ebpf_taps_count, failed_full));
    ebpf_asm_place(a, found);
}

/* Adds to the counter at COLUMN of the row R0. The verifier lets only those with more rights than
 * the broker has add a number that differs by the way there to a pointer, so each has code of its
 * own.
 */
static void add_failure(struct ebpf_asm *a, unsigned next)
{
    static const size_t columns[] = {offsetof(struct ebpf_taps_count, failed_down),
                                     offsetof(struct ebpf_taps_count, failed_gone),
                                     offsetof(struct ebpf_taps_count, failed_big),
                                     offsetof(struct ebpf_taps_count, failed_full),
                                     offsetof(struct ebpf_taps_count, failed_other)};
    for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
        unsigned other = ebpf_asm_labels(a, 1);
        ebpf_jmp_imm(a, BPF_JNE, COLUMN, (int32_t)columns[i], other);
        add(a, columns[i], EBPF_WIRE_FRAMES);
        ebpf_goto(a, next);
        ebpf_asm_place(a, other);
    }
}

static void count_failures(struct ebpf_asm *a, const struct ebpf_taps *conf)
{
    for (unsigned i = 0; i < conf->n_flows; i++) {
        unsigned next = ebpf_asm_labels(a, 1);
        find_row(a, conf, i, next);
        add_failure(a, next);
        ebpf_asm_place(a, next);
    }
}

static void finish(struct ebpf_asm *a, const struct ebpf_taps *conf)
{
    unsigned out = ebpf_asm_labels(a, 1);
    skip_unless(a, ALL, out);
    ebpf_wire_emit(a, conf->egress);
    count_matches(a, conf);
    send_copy(a, conf);
    ebpf_jmp32_imm(a, BPF_JEQ, RESULT, 0, out);
    find_reason(a, conf);
    count_failures(a, conf);
    ebpf_asm_place(a, out);
    ebpf_mov_imm(a, BPF_REG_0, EBPF_TAPS_NEXT);
    ebpf_exit(a);
}

static bool wants_vlan(const struct ebpf_taps *conf)
{
    for (unsigned i = 0; i < conf->n_flows; i++) {
        if (conf->flows[i].vlans) {
            return true;
        }
    }
    return false;
}

static int check(const struct ebpf_taps *conf, struct error *err)
{
    if (conf->n_flows == 0 || conf->n_flows > EBPF_TAPS_FLOWS) {
        return error_set(err, EINVAL, "a program has 1 to %d flows, not %u", EBPF_TAPS_FLOWS,
                         conf->n_flows);
    }
    if (conf->mark == 0) {
        return error_set(err, EINVAL,
                         "copies need a mark that is not 0, which all other frames have");
    }
    for (unsigned i = 0; i < conf->n_flows; i++) {
        static const struct vlan_set none;
        const struct vlan_set *s = conf->flows[i].vlans;
        if (s && memcmp(s, &none, sizeof(none)) == 0) {
            return error_set(err, EINVAL, "flow %u has a list of VLANs with no VLAN in it", i);
        }
    }
    return 0;
}

/* Ends a part of the program, of which `i` flows have been written. */
static int settle(struct ebpf_asm *a, unsigned i, struct error *err)
{
    int r = ebpf_asm_settle(a);
    if (r == -E2BIG) {
        return error_set(err, E2BIG,
                         "the filters of the first %u flows together are more than the %u "
                         "instructions of a program",
                         i, a->room);
    }
    if (r < 0) {
        return error_set(err, E2BIG,
                         "the filter of flow %u is too long: the kernel's jumps reach over %d "
                         "instructions at most",
                         i - 1, EBPF_ASM_JUMP_MAX);
    }
    return 0;
}

int ebpf_taps_make(const struct ebpf_taps *conf, struct bpf_insn *ret, unsigned room,
                   unsigned *ret_n, struct error *err)
{
    struct ebpf_asm a;
    int r = check(conf, err);
    if (r < 0) {
        return r;
    }
    ebpf_asm_init(&a, ret, room);
    leave_copies(&a, conf->mark);
    none_matched(&a);
    if (wants_vlan(conf)) {
        find_vlan(&a);
    }
    for (unsigned i = 0; i < conf->n_flows; i++) {
        r = look(&a, conf, i, err);
        if (r < 0) {
            error_prefix(err, "flow %u", i);
            return r;
        }
        r = settle(&a, i + 1, err);
        if (r < 0) {
            return r;
        }
    }
    finish(&a, conf);
    r = settle(&a, conf->n_flows, err);
    if (r == 0) {
        *ret_n = a.n;
    }
    return r;
}
