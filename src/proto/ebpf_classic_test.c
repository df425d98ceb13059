/* SPDX-License-Identifier: Apache-2.0
 *
 * Translated programs on a machine of the test's own, against another one for classic BPF: random
 * programs and frames of any linear part, everything that is beside a frame, and the edges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "proto/bpfcheck.h"
#include "proto/ebpf_classic.h"
#include "proto/ebpf_machine_oracle.h"

enum { ROOM = 65536, MATCH = 1, NO = 0 };

static struct bpf_insn code[ROOM];

/* A program of the block alone, whose result is the verdict. */
static int translate(const struct ebpf_classic *c, unsigned room, unsigned *ret_n,
                     struct error *err)
{
    static struct ebpf_asm a;
    ebpf_asm_init(&a, code, room);
    unsigned match = ebpf_asm_labels(&a, 2), no = match + 1;
    ebpf_mov(&a, EBPF_CLASSIC_CTX, BPF_REG_1);
    ebpf_load(&a, BPF_W, EBPF_CLASSIC_DATA, BPF_REG_1, offsetof(struct __sk_buff, data));
    int r = ebpf_classic_emit(&a, c, match, no, err);
    if (r < 0) {
        return r;
    }
    for (unsigned verdict = NO; verdict <= MATCH; verdict++) {
        unsigned label = verdict ? match : no;
        if (ebpf_asm_is_wanted(&a, label)) {
            ebpf_asm_place(&a, label);
            ebpf_mov_imm(&a, BPF_REG_0, (int32_t)verdict);
            ebpf_exit(&a);
        }
    }
    *ret_n = a.n;
    return ebpf_asm_settle(&a);
}

static bool verdict(const struct sock_filter *p, unsigned n, struct buffer *b)
{
    static struct machine m;
    struct error err = {""};
    const struct ebpf_classic c = {p, n, b->egress, b->hatype};
    unsigned len = 0;
    if (translate(&c, ROOM, &len, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_true(machine_reaches_all(code, len));
    return machine_run(&m, b, code, len) == MATCH;
}

static void random_programs(void **state)
{
    (void)state;
    uint64_t seed = 5;
    unsigned yes = 0, no = 0;
    while (yes + no < 20000) {
        struct sock_filter p[24];
        uint8_t frame[300];
        unsigned n = 3 + dice(&seed, 20);
        for (unsigned i = 0; i + 1 < n; i++) {
            p[i] = random_insn(n - i - 1, &seed);
            if (BPF_CLASS(p[i].code) == BPF_LD && BPF_MODE(p[i].code) == BPF_ABS &&
                dice(&seed, 8) == 0) {
                p[i].k = (uint32_t)(dice(&seed, 2) ? SKF_NET_OFF : SKF_LL_OFF) + dice(&seed, 90);
            }
        }
        p[n - 1] = (struct sock_filter){.code = BPF_RET | BPF_A};
        if (bpfcheck(p, n, NULL, NULL) < 0) {
            continue;
        }
        for (unsigned i = 0; i < sizeof(frame); i++) {
            frame[i] = (uint8_t)dice(&seed, dice(&seed, 2) ? 256 : 3);
        }
        struct buffer b = {.data = frame, .len = 14 + dice(&seed, 280), .network = 14};
        b.linear = dice(&seed, 3) ? b.len : dice(&seed, b.len + 1);
        bool want = classic_matches(p, &b);
        assert_int_equal(verdict(p, n, &b), want);
        yes += want;
        no += !want;
    }
    assert_true(yes > 2000 && no > 2000);
}

/* Does A have that value after the load? */
static bool loads(struct buffer *b, int what, uint32_t value)
{
    const struct sock_filter p[] = {
        {BPF_LDX | BPF_IMM, 0, 0, 0x55},
        {BPF_LD | BPF_IMM, 0, 0, 0xaa},
        {BPF_LD | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + what)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, value},
        {BPF_RET | BPF_K, 0, 0, 1},
        {BPF_RET | BPF_K, 0, 0, 0},
    };
    assert_int_equal(classic_matches(p, b), verdict(p, 6, b));
    return verdict(p, 6, b);
}

static void beside_the_frame(void **state)
{
    (void)state;
    static const uint8_t frame[60];
    struct buffer b = {.data = frame,
                       .len = 60,
                       .linear = 60,
                       .hatype = 772,
                       .skb = {.protocol = oracle_swap(0x86dd),
                               .pkt_type = PACKET_MULTICAST,
                               .ifindex = 12,
                               .mark = 0xfedcba98,
                               .queue_mapping = 3,
                               .hash = 0x87654321,
                               .vlan_present = 0x00018100,
                               .vlan_tci = 0xe064,
                               .vlan_proto = oracle_swap(0x88a8)}};
    assert_true(loads(&b, SKF_AD_PROTOCOL, 0x86dd));
    assert_true(loads(&b, SKF_AD_PKTTYPE, PACKET_MULTICAST));
    assert_true(loads(&b, SKF_AD_IFINDEX, 12));
    assert_true(loads(&b, SKF_AD_MARK, 0xfedcba98));
    assert_true(loads(&b, SKF_AD_QUEUE, 3));
    assert_true(loads(&b, SKF_AD_HATYPE, 772));
    assert_true(loads(&b, SKF_AD_RXHASH, 0x87654321));
    assert_true(loads(&b, SKF_AD_CPU, 4));
    assert_true(loads(&b, SKF_AD_RANDOM, 4));
    assert_true(loads(&b, SKF_AD_ALU_XOR_X, 0xff));
    assert_true(loads(&b, SKF_AD_VLAN_TAG, 0xe064));
    assert_true(loads(&b, SKF_AD_VLAN_TAG_PRESENT, 1));
    assert_true(loads(&b, SKF_AD_VLAN_TPID, 0x88a8));
    assert_false(loads(&b, SKF_AD_MARK, 0xfedcba99));
    b.skb.vlan_present = 0;
    assert_true(loads(&b, SKF_AD_VLAN_TAG_PRESENT, 0));
    b.egress = true;
    assert_true(loads(&b, SKF_AD_PKTTYPE, PACKET_OUTGOING));
}

static void refusals(void **state)
{
    (void)state;
    static const struct {
        int what;
        const char *words;
    } cannot[] = {{SKF_AD_NLATTR, "asks for an attribute of a netlink message"},
                  {SKF_AD_NLATTR_NEST, "asks for an attribute of a netlink message"},
                  {SKF_AD_PAY_OFFSET, "asks for where the frame's payload begins"}};
    struct error err = {""};
    unsigned n = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(cannot); i++) {
        const struct sock_filter p[] = {
            {BPF_LD | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + cannot[i].what)},
            {BPF_RET | BPF_A, 0, 0, 0}};
        const struct ebpf_classic c = {p, 2, false, 1};
        assert_int_equal(translate(&c, ROOM, &n, &err), -EOPNOTSUPP);
        assert_non_null(strstr(err.text, cannot[i].words));
    }
    const struct sock_filter loop[] = {{BPF_JMP | BPF_JA, 0, 0, UINT32_MAX},
                                       {BPF_RET | BPF_A, 0, 0, 0}};
    const struct ebpf_classic c = {loop, 2, false, 1};
    assert_int_equal(translate(&c, ROOM, &n, &err), -EINVAL);
    assert_non_null(strstr(err.text, "backwards"));
    const struct sock_filter ok[] = {{BPF_LD | BPF_W | BPF_ABS, 0, 0, 12},
                                     {BPF_RET | BPF_A, 0, 0, 0}};
    const struct ebpf_classic fits = {ok, 2, false, 1};
    assert_int_equal(translate(&fits, ROOM, &n, &err), 0);
    for (unsigned room = 0; room < n; room++) {
        unsigned len = 0;
        assert_int_equal(translate(&fits, room, &len, &err), -E2BIG);
    }
    unsigned len = 0;
    assert_int_equal(translate(&fits, n, &len, &err), 0);
}

/* Each byte of a frame by each kind of load, at and beyond the ends of frame and linear part. */
static void edges(void **state)
{
    (void)state;
    static const uint16_t sizes[] = {BPF_B, BPF_H, BPF_W};
    uint8_t frame[150];
    for (unsigned i = 0; i < sizeof(frame); i++) {
        frame[i] = (uint8_t)(i + 1);
    }
    for (uint32_t len = 40; len <= 150; len += 11) {
        for (uint32_t k = 0; k < 156; k++) {
            for (unsigned s = 0; s < 3; s++) {
                struct buffer b = {.data = frame, .len = len, .linear = (k * 7 + s) % len};
                const struct sock_filter abs[] = {{BPF_LD | BPF_ABS | sizes[s], 0, 0, k},
                                                  {BPF_RET | BPF_A, 0, 0, 0}};
                const struct sock_filter ind[] = {{BPF_LDX | BPF_IMM, 0, 0, k + 9},
                                                  {BPF_LD | BPF_IND | sizes[s], 0, 0, -9U},
                                                  {BPF_RET | BPF_A, 0, 0, 0}};
                bool inside = k + (1U << s) <= len;
                assert_int_equal(verdict(abs, 2, &b), inside);
                assert_int_equal(verdict(ind, 3, &b), inside);
                b.linear = len;
                assert_int_equal(verdict(abs, 2, &b), inside);
                assert_int_equal(verdict(ind, 3, &b), inside);
            }
        }
    }
}

/* Loads that reach over the end of what the first copy of a program reads directly. */
static void over_the_window(void **state)
{
    (void)state;
    static const uint8_t frame[200] = {[EBPF_CLASSIC_WINDOW] = 1};
    for (uint32_t k = EBPF_CLASSIC_WINDOW - 4; k < EBPF_CLASSIC_WINDOW; k++) {
        const struct sock_filter p[] = {{BPF_LD | BPF_B | BPF_ABS, 0, 0, EBPF_CLASSIC_WINDOW - 1},
                                        {BPF_LD | BPF_W | BPF_ABS, 0, 0, k},
                                        {BPF_RET | BPF_A, 0, 0, 0}};
        struct buffer b = {.data = frame, .len = 200, .linear = EBPF_CLASSIC_WINDOW};
        assert_int_equal(verdict(p, 3, &b), k + 4 > EBPF_CLASSIC_WINDOW);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_programs), cmocka_unit_test(beside_the_frame),
        cmocka_unit_test(refusals),        cmocka_unit_test(edges),
        cmocka_unit_test(over_the_window),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
