/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict of a translated filter (proto/ebpf_classic.h) in the kernel, by BPF_PROG_TEST_RUN,
 * against the kernel's verdict of the classic program on a socket: expressions by a seed as libpcap
 * compiles them for a live interface, and random classic programs. What the kernel keeps beside a
 * frame is in proto/ebpf_taps_test.c and node/taps_live_test.c. FARSPAN_LONG: 5000 of each kind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "node/test_expr.h"
#include "proto/bpfcheck.h"
#include "sys/bpf.h"
#include "sys/filter.h"
#include "sys/test_net.h"

enum {
    FRAMES = 40,
    WHOLE_IP = 54,
    NOWHERE = 0x7fffffff, /* an interface that does not exist: no copy is made */
};

static unsigned rounds(unsigned few)
{
    return getenv("FARSPAN_LONG") ? 5000 : few;
}

static uint64_t matched(int map)
{
    struct ebpf_taps_count c;
    assert_int_equal(bpf_map_sum(map, 0, (uint64_t *)&c, sizeof(c), NULL), 0);
    assert_int_equal(c.frames, c.failed_gone);
    return c.frames;
}

/* The filter as a program, with that map; a negative errno when it is refused. */
static int load(const struct sock_filter *insns, unsigned n, int map, struct error *err)
{
    static struct bpf_insn code[EBPF_TAPS_ROOM];
    const struct ebpf_taps_flow flow = {.filter = insns, .n_filter = n};
    const struct ebpf_taps conf = {
        .hatype = 1, .mark = 1, .to = NOWHERE, .map_fd = map, .flows = &flow, .n_flows = 1};
    unsigned len = 0;
    int r = ebpf_taps_make(&conf, code, EBPF_TAPS_ROOM, &len, err);
    return r < 0 ? r : bpf_prog_load("farspan_test", code, len, err);
}

struct tally {
    unsigned yes, no;
};

static void compare(const int judge[2], int map, const struct sock_filter *insns, unsigned n,
                    const char *words, uint64_t *seed, struct tally *t)
{
    struct error err = {""};
    int prog = load(insns, n, map, &err);
    if (prog < 0) {
        fail_msg("%s: %s", words, err.text);
    }
    assert_int_equal(judge_use(judge, insns, n), 0);
    for (int i = 0; i < FRAMES; i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t len = frame_make(frame, seed);
        uint64_t before = matched(map);
        int result = 0;
        int r = bpf_prog_run(prog, frame, len, NULL, &result, &err);
        if (r == -EINVAL && len < WHOLE_IP) {
            continue; /* the kernel tries no frame without all of its IP header */
        }
        if (r < 0) {
            fail_msg("%s", err.text);
        }
        assert_int_equal(result, EBPF_TAPS_NEXT);
        bool got = matched(map) != before, want = judge_says(judge, frame, len);
        if (got != want) {
            fail_msg("%s: frame %d of %u bytes: %d, the kernel says %d", words, i, len, got, want);
        }
        t->yes += want;
        t->no += !want;
    }
    close(prog);
}

static void expressions(void **state)
{
    (void)state;
    int judge[2], map = bpf_map_create("farspan_test", sizeof(struct ebpf_taps_count), 1, NULL);
    uint64_t seed = 1;
    unsigned compiled = 0, want = rounds(300);
    struct tally t = {0};
    assert_int_equal(judge_open(judge), 0);
    while (compiled < want) {
        char expr[EXPR_MAX];
        _cleanup_(filter_done) struct filter_prog p = {0};
        expr_make(expr, sizeof(expr), 3, &seed);
        if (filter_compile(expr, "va", NETIF_ETHERNET, 0, &p, NULL) < 0) {
            continue;
        }
        if (bpfcheck(p.insns, p.n, NULL, NULL) == 0) {
            compare(judge, map, p.insns, p.n, expr, &seed, &t);
            compiled++;
        } else { /* "protochain" has a loop */
            assert_int_equal(judge_use(judge, p.insns, p.n), -1);
        }
    }
    print_message("%u expressions: %u frames match, %u do not\n", compiled, t.yes, t.no);
    assert_true(t.yes > want && t.no > want);
    close(judge[0]);
    close(judge[1]);
    close(map);
}

/* Programs that no compiler would write. A frame has headers at places that are none in what a
 * local socket gets, so places that count from a header are left out. */
static void random_programs(void **state)
{
    (void)state;
    int judge[2], map = bpf_map_create("farspan_test", sizeof(struct ebpf_taps_count), 1, NULL);
    uint64_t seed = 2;
    unsigned taken = 0, tried = 0, want = rounds(400);
    struct tally t = {0};
    assert_int_equal(judge_open(judge), 0);
    while (taken < want) {
        struct sock_filter p[24];
        unsigned n = 3 + dice(&seed, 20);
        for (unsigned i = 0; i < n; i++) {
            do {
                p[i] = i == n - 1 ? (struct sock_filter){.code = BPF_RET | BPF_A}
                                  : random_insn(n - i - 1, &seed);
            } while (p[i].k >= (uint32_t)SKF_LL_OFF && BPF_CLASS(p[i].code) == BPF_LD);
        }
        tried++;
        if (bpfcheck(p, n, NULL, NULL) == 0) {
            compare(judge, map, p, n, "a random program", &seed, &t);
            taken++;
        } else {
            assert_int_equal(judge_use(judge, p, n), -1);
        }
    }
    print_message("%u of %u programs: %u frames match, %u do not\n", taken, tried, t.yes, t.no);
    assert_true(t.yes > want && t.no > want);
    close(judge[0]);
    close(judge[1]);
    close(map);
}

/* An expression of so many hosts, compiled. */
static void many_hosts(unsigned n, struct filter_prog *ret)
{
    _cleanup_(freep) char *expr = calloc(n, 32);
    size_t at = 0;
    assert_non_null(expr);
    for (unsigned i = 0; i < n; i++) {
        at += (size_t)snprintf(expr + at, n * 32 - at, "%shost 10.%u.%u.%u", i ? " or " : "",
                               i >> 16, i >> 8 & 255, i & 255);
    }
    assert_int_equal(filter_compile(expr, "va", NETIF_ETHERNET, 0, ret, NULL), 0);
}

/* The longest filters, in one flow and in sixteen: a program is taken, or refused with words. */
static void long_filters(void **state)
{
    (void)state;
    static const unsigned hosts[] = {1, 40, 400, 700, 1000};
    static struct bpf_insn code[EBPF_TAPS_ROOM];
    int map = bpf_map_create("farspan_test", sizeof(struct ebpf_taps_count), 16, NULL);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(hosts); i++) {
        _cleanup_(filter_done) struct filter_prog p = {0};
        struct ebpf_taps_flow flows[EBPF_TAPS_FLOWS];
        struct error err = {""};
        unsigned len = 0, n = i & 1 ? EBPF_TAPS_FLOWS : 1;
        many_hosts(hosts[i / 2], &p);
        for (unsigned f = 0; f < n; f++) {
            flows[f] = (struct ebpf_taps_flow){.filter = p.insns, .n_filter = p.n, .counter = f};
        }
        const struct ebpf_taps conf = {
            .hatype = 1, .mark = 1, .to = NOWHERE, .map_fd = map, .flows = flows, .n_flows = n};
        struct mono began = mono_now();
        int prog = ebpf_taps_make(&conf, code, EBPF_TAPS_ROOM, &len, &err);
        prog = prog < 0 ? prog : bpf_prog_load("farspan_test", code, len, &err);
        print_message("%u flows of %u instructions: %u of eBPF, %lld us, %s\n", n, p.n, len,
                      (long long)(mono_now().ns - began.ns) / 1000, prog < 0 ? err.text : "taken");
        assert_true(prog >= 0 ? err.text[0] == '\0' : err.text[0] != '\0');
        assert_true(prog >= 0 || i > 3); /* those that people write are taken */
        if (prog >= 0) {
            close(prog);
        }
    }
    close(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions),
        cmocka_unit_test(random_programs),
        cmocka_unit_test(long_filters),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
