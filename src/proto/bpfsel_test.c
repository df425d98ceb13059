/* SPDX-License-Identifier: Apache-2.0
 *
 * bpfsel's programs in an interpreter of the test's own, against the oracle (bpfsel_oracle.h);
 * bpfsel_kernel_test.c runs them in the kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "proto/bpfjumbo.h"
#include "proto/bpfsel_oracle.h"

static const struct bpfsel_flow v4 = {AF_INET, {10, 0, 0, 1}, {10, 0, 0, 2}, 40000, 1234};
static const struct bpfsel_flow v6 = {AF_INET6, {0xfd, [15] = 1}, {0xfd, [15] = 2}, 40000, 1234};

/* The program is as the kernel's checker wants it: every jump lands inside and forward, the end
 * returns. */
static void check_form(const struct sock_filter *p, unsigned n)
{
    assert_in_range(n, 1, BPFSEL_MAX);
    assert_int_equal(BPF_CLASS(p[n - 1].code), BPF_RET);
    for (unsigned i = 0; i < n; i++) {
        if (BPF_CLASS(p[i].code) != BPF_JMP) {
            continue;
        }
        if (BPF_OP(p[i].code) == BPF_JA) {
            assert_true(p[i].k < n - i - 1);
        } else {
            assert_true(i + 1 + p[i].jt < n && i + 1 + p[i].jf < n);
        }
    }
}

struct vm {
    uint32_t a, x, m[16];
    uint16_t m_set;
    bool out_of_frame;
};

static uint32_t vm_load(struct vm *vm, const struct seen *s, uint32_t at, uint16_t code)
{
    if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)) {
        return s->outgoing ? 4 : 0;
    }
    if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)) {
        return s->mark;
    }
    if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)) {
        return s->tagged;
    }
    if (at == (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)) {
        return s->tci;
    }
    struct rd r = rd_make(s->data, s->len);
    rd_skip(&r, at);
    uint32_t v = BPF_SIZE(code) == BPF_W   ? rd_u32(&r)
                 : BPF_SIZE(code) == BPF_H ? rd_u16(&r)
                                           : rd_u8(&r);
    vm->out_of_frame |= !rd_ok(&r);
    return v;
}

static uint32_t vm_alu(const struct vm *vm, const struct sock_filter *i)
{
    uint32_t by = BPF_SRC(i->code) == BPF_X ? vm->x : i->k;
    switch (BPF_OP(i->code)) {
    case BPF_ADD:
        return vm->a + by;
    case BPF_SUB:
        return vm->a - by;
    case BPF_AND:
        return vm->a & by;
    case BPF_XOR:
        return vm->a ^ by;
    case BPF_MUL:
        return vm->a * by;
    case BPF_LSH:
        return vm->a << by;
    case BPF_RSH:
        return vm->a >> by;
    default:
        fail();
        return 0;
    }
}

static bool vm_jumps(const struct vm *vm, const struct sock_filter *i)
{
    switch (BPF_OP(i->code)) {
    case BPF_JEQ:
        return vm->a == (BPF_SRC(i->code) == BPF_X ? vm->x : i->k);
    case BPF_JGT:
        return vm->a > i->k;
    case BPF_JGE:
        return vm->a >= i->k;
    case BPF_JSET:
        return vm->a & i->k;
    default:
        fail();
        return false;
    }
}

static void vm_load_a(struct vm *vm, const struct seen *s, const struct sock_filter *i)
{
    switch (BPF_MODE(i->code)) {
    case BPF_ABS:
        vm->a = vm_load(vm, s, i->k, i->code);
        break;
    case BPF_IND:
        vm->a = vm_load(vm, s, vm->x + i->k, i->code);
        break;
    case BPF_LEN:
        vm->a = s->wire ? s->wire : s->len;
        break;
    case BPF_IMM:
        vm->a = i->k;
        break;
    case BPF_MEM:
        assert_true(vm->m_set >> i->k & 1);
        vm->a = vm->m[i->k];
        break;
    default:
        fail();
    }
}

/* Runs a program; ends the test when it reads outside the frame or memory never written. */
static uint32_t run(const struct sock_filter *p, const struct seen *s)
{
    struct vm vm = {0};
    for (;; p++) {
        switch (BPF_CLASS(p->code)) {
        case BPF_LD:
            vm_load_a(&vm, s, p);
            break;
        case BPF_LDX:
            vm.x = BPF_MODE(p->code) == BPF_IMM ? p->k : vm.m[p->k];
            break;
        case BPF_ST:
            vm.m[p->k] = vm.a, vm.m_set |= (uint16_t)(1 << p->k);
            break;
        case BPF_STX:
            vm.m[p->k] = vm.x, vm.m_set |= (uint16_t)(1 << p->k);
            break;
        case BPF_ALU:
            vm.a = vm_alu(&vm, p);
            break;
        case BPF_JMP:
            p += BPF_OP(p->code) == BPF_JA ? p->k : vm_jumps(&vm, p) ? p->jt : p->jf;
            break;
        case BPF_MISC:
            *(p->code & BPF_TXA ? &vm.a : &vm.x) = p->code & BPF_TXA ? vm.x : vm.a;
            break;
        case BPF_RET:
            return p->k;
        }
        assert_false(vm.out_of_frame);
    }
}

static void compare(const struct bpfsel_conf *conf, const struct bpfsel_flow *near)
{
    static struct sock_filter prog[BPFSEL_MAX];
    unsigned n = 0, accepted = 0, refused = 0;
    struct error err = {""};
    int r = bpfsel_make(conf, prog, &n, &err);
    assert_int_equal(r, 0);
    check_form(prog, n);
    uint64_t seed = 1;
    for (unsigned i = 0; i < 20000; i++) {
        struct seen s;
        make_frame(&s, near, conf->raw_ip, 0, &seed);
        uint32_t want = oracle_accepts(conf, &s) ? 100 : 0;
        assert_int_equal(run(prog, &s), want);
        accepted += want != 0;
        refused += want == 0;
    }
    if (conf->no_links || conf->n_flows || conf->vlans ||
        conf->dir) { /* the frames must tell both apart */
        assert_true(accepted > 200 && refused > 200);
    }
}

static void decides_as_the_oracle(void **state)
{
    (void)state;
    struct vlan_set some, many, all;
    assert_int_equal(parse_vlan_list("100,200-210,0,32-95,4094", &some, NULL), 0);
    memset(&many, 0x5a, sizeof(many));
    for (unsigned i = 0; i < VLAN_IDS / 64; i += 2) {
        many.bits[i] = i * UINT64_C(0x123456789abcd);
    }
    memset(&all, 0xff, sizeof(all));
    struct bpfsel_flow no_local4 = v4, no_local6 = v6, no_port = v4;
    memset(no_local4.local, 0, 16);
    memset(no_local6.local, 0, 16);
    no_port.local_port = 0;
    const struct bpfsel_flow *flows[] = {&v4, &v6, &no_local4, &no_local6, &no_port};
    const struct vlan_set *sets[] = {NULL, &some, &many, &all};
    for (unsigned i = 0; i < 5 * 4 * 3; i++) {
        const struct bpfsel_flow *f = flows[i % 5];
        struct bpfsel_conf conf = {.flows = f,
                                   .n_flows = 1,
                                   .vlans = sets[i / 5 % 4],
                                   .dir = (enum frame_dir)(i / 20),
                                   .no_outputs = i % 2 == 0,
                                   .no_mark = i % 3 == 0 ? SOCKMARK_OUTPUT ^ 1 : 0,
                                   .snaplen = 100};
        compare(&conf, f->family == AF_INET ? &v4 : &v6);
        conf.no_links = true;
        compare(&conf, f->family == AF_INET ? &v4 : &v6);
        conf.n_flows = 0;
        compare(&conf, f->family == AF_INET ? &v4 : &v6);
        conf.no_links = false;
        compare(&conf, &v4);
        if (!conf.vlans) {
            conf.raw_ip = true;
            conf.n_flows = 1;
            compare(&conf, f->family == AF_INET ? &v4 : &v6);
            conf.n_flows = 0;
            conf.no_links = true;
            compare(&conf, f->family == AF_INET ? &v4 : &v6);
        }
    }
    struct bpfsel_flow both[] = {v6, v4, no_local6};
    compare(&(struct bpfsel_conf){.flows = both, .n_flows = 3, .snaplen = 100}, &v4);
    compare(&(struct bpfsel_conf){.flows = both, .n_flows = 3, .snaplen = 100}, &v6);
}

static void flow_itself_and_its_neighbours(void **state)
{
    (void)state;
    struct sock_filter prog[BPFSEL_MAX];
    unsigned n;
    struct bpfsel_conf conf = {.flows = &v4, .n_flows = 1, .snaplen = 100};
    assert_int_equal(bpfsel_make(&conf, prog, &n, NULL), 0);
    struct seen s = {.data = "\2\0\0\0\0\2\2\0\0\0\0\1\x08\x00"
                             "\x45\0\0\x1c\0\0\x40\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0\2"
                             "\x9c\x40\x04\xd2\0\x08\0\0",
                     .len = 42};
    assert_int_equal(run(prog, &s), 0);
    s.data[23] = 6; /* TCP between the same two ends is other traffic */
    assert_int_equal(run(prog, &s), 100);
    s.data[23] = 17;
    s.data[35] ^= 1; /* another port of the tap's host */
    assert_int_equal(run(prog, &s), 100);
    s.data[35] ^= 1;
    s.len = 41;
    assert_int_equal(run(prog, &s), 100);
}

static void keeps_the_users_program(void **state)
{
    (void)state;
    static const struct sock_filter user[] = {{BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0},
                                              {BPF_RET | BPF_K, 0, 0, 77},
                                              {BPF_RET | BPF_K, 0, 0, 0}};
    struct sock_filter prog[BPFSEL_MAX];
    unsigned n;
    struct bpfsel_conf conf = {.flows = &v6, .n_flows = 1, .user = user, .n_user = 3};
    assert_int_equal(bpfsel_make(&conf, prog, &n, NULL), 0);
    check_form(prog, n);
    assert_memory_equal(prog + n - 3, user, sizeof(user));
    struct seen s = {.len = 60};
    assert_int_equal(run(prog, &s), 77); /* A was zero at its start */
    conf = (struct bpfsel_conf){.user = user, .n_user = 3};
    assert_int_equal(bpfsel_make(&conf, prog, &n, NULL), 0);
    assert_int_equal(n, 3);
    /* "All" of libpcap's is less than a super-packet may be. */
    static const struct sock_filter all[] = {{BPF_RET | BPF_K, 0, 0, 262144}};
    conf = (struct bpfsel_conf){.user = all, .n_user = 1};
    assert_int_equal(bpfsel_make(&conf, prog, &n, NULL), 0);
    assert_int_equal(prog[0].k, FRAME_LEN_MAX);
    conf = (struct bpfsel_conf){0};
    assert_int_equal(bpfsel_make(&conf, prog, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(prog[0].k, FRAME_LEN_MAX);
}

/* A random program of what libpcap uses: loads, comparisons, X from a small number. */
static unsigned random_program(struct sock_filter *p, unsigned *seed)
{
    static const uint16_t sizes[] = {BPF_B, BPF_H, BPF_W}, ops[] = {BPF_JEQ, BPF_JGT, BPF_JSET};
    static const uint32_t places[] = {12, 14, 20, 21, 26, 38, 53, 54, 55, 56, 58, 60};
    const unsigned n = 30;
    for (unsigned i = 0; i < n; i++) {
        unsigned r = (unsigned)rand_r(seed);
        uint16_t size = sizes[r / 8 % 3];
        uint32_t at = places[r / 32 % 12], x = r / 512 % 24;
        /* what straddles "next header" is documented to stay */
        size = at == 20 || (at < 54 && at >= 50) ? (uint16_t)BPF_B : size;
        if (i >= n - 4) {
            p[i] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, i};
        } else if (i == 0 || r % 8 == 0) {
            p[i] = (struct sock_filter){BPF_LDX | BPF_IMM, 0, 0, x};
        } else if (r % 8 < 3) {
            p[i] = (struct sock_filter){(uint16_t)(BPF_LD | size | BPF_ABS), 0, 0, at};
        } else if (r % 8 < 5) { /* one byte at any place: X is not known here */
            p[i] = (struct sock_filter){BPF_LD | BPF_B | BPF_IND, 0, 0,
                                        at < 36 || r & 4096 ? at : at - 24};
        } else if (r % 8 == 5) {
            p[i] = (struct sock_filter){BPF_LD | BPF_W | BPF_LEN, 0, 0, 0};
        } else {
            p[i] = (struct sock_filter){(uint16_t)(BPF_JMP | ops[r / 8 % 3] | BPF_K),
                                        (uint8_t)(r / 32 % 4), (uint8_t)(r / 128 % 4),
                                        r / 512 % 3 ? r / 2048 % 64 : 70000 + r / 2048 % 1000};
        }
    }
    return n;
}

/* On a packet of IPv6 big TCP a program decides as on the same packet without the option. */
static void sees_no_jumbo_option(void **state)
{
    (void)state;
    enum { BEHIND = 54, LONG = 70500 };
    static struct seen with, without;
    static struct sock_filter user[32], prog[BPFSEL_MAX];
    unsigned seed = 7, rewritten = 0, different = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct bpfsel_conf conf = {.user = user, .n_user = random_program(user, &seed)};
        for (unsigned i = 0; i < sizeof(without.data); i++) {
            without.data[i] = (uint8_t)(rand_r(&seed) % 64);
        }
        memcpy(without.data + 12, "\x86\xdd\x60\1\2\3\0\0\6", 9);
        without.wire = LONG;
        without.len = sizeof(without.data) - 8;
        memcpy(with.data, without.data, BEHIND);
        memcpy(with.data + BEHIND, "\6\0\xc2\4\0\1\x11\x6e", 8);
        memcpy(with.data + BEHIND + 8, without.data + BEHIND, sizeof(with.data) - BEHIND - 8);
        with.data[20] = 0;
        with.len = sizeof(with.data);
        with.wire = LONG + 8;
        unsigned n = 0;
        assert_int_equal(bpfsel_make(&conf, prog, &n, NULL), 0);
        check_form(prog, n);
        rewritten += n > conf.n_user;
        uint32_t want = run(user, &without);
        assert_int_equal(run(prog, &with), want);
        assert_int_equal(run(prog, &without), want);
        different += run(user, &with) != want;
    }
    assert_true(rewritten > 15000 && different > 200);
}

#define LOAD(at) BPF_STMT(BPF_LD | BPF_B | BPF_ABS, at)
#define END BPF_STMT(BPF_RET | BPF_K, 1)
#define TEST(jt, jf) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, jt, jf)
#define SKIP(n) BPF_JUMP(BPF_JMP | BPF_JA, n, 0, 0)

/* Loads of each kind make a difference by themselves, or none; ways lead where they led, and none
 * out of the program. */
static void rewrites_for_the_jumbo_option(void **state)
{
    (void)state;
    enum { IP = 14, AT_MOST = 8 };
    static const struct {
        struct sock_filter user[5];
        unsigned n, room, want; /* instructions; want 0: it is not rewritten */
        uint32_t k;             /* of the one at this place then */
        unsigned at;
    } cases[] = {
        {{LOAD(12), END}, 2, AT_MOST, 0, 0, 0},
        {{LOAD(53), END}, 2, AT_MOST, 0, 0, 0}, /* the last byte of the IPv6 header */
        {{LOAD(54), END}, 2, AT_MOST, 2, 54 + BPFJUMBO_BYTES, 0},
        {{LOAD(54), END}, 2, 2, 2, 54 + BPFJUMBO_BYTES, 0},
        {{LOAD(54), END}, 2, 1, 0, 0, 0},
        {{LOAD(20), END}, 2, AT_MOST, 2, 54, 0}, /* "next header" is the option's */
        {{LOAD(54), SKIP(1), TEST(0, 1), END, END}, 5, AT_MOST, 7, 3, 1},
        {{LOAD(54), SKIP(2), TEST(0, 1), END, END}, 5, AT_MOST, 7, 4, 1},
        {{LOAD(54), SKIP(3), TEST(0, 1), END, END}, 5, AT_MOST, 0, 0, 0},
        {{LOAD(54), TEST(1, 0), END, END}, 4, AT_MOST, 6, 54 + BPFJUMBO_BYTES, 0},
        {{LOAD(54), TEST(1, 0), END}, 3, AT_MOST, 0, 0, 0},
        {{LOAD(54), TEST(0, 1), END}, 3, AT_MOST, 0, 0, 0},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct sock_filter to[AT_MOST] = {0};
        unsigned n = bpfjumbo_make(cases[i].user, cases[i].n, IP, to, cases[i].room);
        if (n != cases[i].want || (n > 0 && to[cases[i].at].k != cases[i].k)) {
            fail_msg("case %zu: %u instructions, that one has %u", i, n, to[cases[i].at].k);
        }
    }
}

static void refuses_what_cannot_be(void **state)
{
    (void)state;
    static struct sock_filter user[BPFSEL_MAX], prog[BPFSEL_MAX];
    for (unsigned i = 0; i < BPFSEL_MAX; i++) {
        user[i] = bpfsel_reject_all();
    }
    struct error err = {""};
    unsigned n = 0;
    struct bpfsel_conf conf = {.user = user, .n_user = BPFSEL_MAX};
    assert_int_equal(bpfsel_make(&conf, prog, &n, &err), 0);
    assert_int_equal(n, BPFSEL_MAX);
    conf.dir = FRAME_DIR_IN;
    assert_int_equal(bpfsel_make(&conf, prog, &n, &err), -E2BIG);
    assert_string_equal(err.text, "the filter is too long: 4096 instructions, and the kernel takes "
                                  "4096 in all");
    struct vlan_set set = {{1}};
    conf = (struct bpfsel_conf){.raw_ip = true, .vlans = &set};
    assert_int_equal(bpfsel_make(&conf, prog, &n, &err), -EINVAL);
    struct bpfsel_flow nowhere = {.family = AF_INET, .remote_port = 5};
    conf = (struct bpfsel_conf){.flows = &nowhere, .n_flows = 1};
    assert_int_equal(bpfsel_make(&conf, prog, &n, &err), -EINVAL);
    assert_int_equal(bpfsel_reject_all().code, BPF_RET | BPF_K);
    assert_int_equal(bpfsel_reject_all().k, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_as_the_oracle),
        cmocka_unit_test(flow_itself_and_its_neighbours),
        cmocka_unit_test(keeps_the_users_program),
        cmocka_unit_test(sees_no_jumbo_option),
        cmocka_unit_test(rewrites_for_the_jumbo_option),
        cmocka_unit_test(refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
