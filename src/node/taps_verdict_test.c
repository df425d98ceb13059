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
    unsigned compiled = 0, want = rounds(100);
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

/* A program of n instructions that looks for many addresses, one after the other. */
static void many_hosts(struct sock_filter *to, unsigned n)
{
    for (unsigned i = 0; i + 1 < n; i++) {
        to[i] = i % 3 == 0   ? (struct sock_filter){BPF_LD | BPF_W | BPF_ABS, 0, 0, 26 + i % 9}
                : i % 3 == 1 ? (struct sock_filter){BPF_JMP | BPF_JEQ | BPF_K, 0, 1, i}
                             : (struct sock_filter){BPF_RET | BPF_K, 0, 0, 262144};
    }
    to[n - 1] = (struct sock_filter){BPF_RET | BPF_K, 0, 0, 0};
}

/* The longest filters, in one flow and in sixteen: a program is taken, or refused with words. */
static void long_filters(void **state)
{
    (void)state;
    static const unsigned lengths[] = {13, 130, 2200, 4096};
    static struct sock_filter prog[BPFCHECK_MAX];
    static struct bpf_insn code[EBPF_TAPS_ROOM];
    int map = bpf_map_create("farspan_test", sizeof(struct ebpf_taps_count), 16, NULL);
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(lengths); i++) {
        struct ebpf_taps_flow flows[EBPF_TAPS_FLOWS];
        struct error err = {""};
        unsigned len = 0, n = i & 1 ? EBPF_TAPS_FLOWS : 1, insns = lengths[i / 2];
        many_hosts(prog, insns);
        for (unsigned f = 0; f < n; f++) {
            flows[f] = (struct ebpf_taps_flow){.filter = prog, .n_filter = insns, .counter = f};
        }
        const struct ebpf_taps conf = {
            .hatype = 1, .mark = 1, .to = NOWHERE, .map_fd = map, .flows = flows, .n_flows = n};
        struct mono began = mono_now();
        int fd = ebpf_taps_make(&conf, code, EBPF_TAPS_ROOM, &len, &err);
        fd = fd < 0 ? fd : bpf_prog_load("farspan_test", code, len, &err);
        print_message("%u flows of %u instructions: %u of eBPF, %lld us, %s\n", n, insns, len,
                      (long long)(mono_now().ns - began.ns) / 1000, fd < 0 ? err.text : "taken");
        assert_true(fd >= 0 ? err.text[0] == '\0' : err.text[0] != '\0');
        assert_true(fd >= 0 || i > 3); /* those that people write are taken */
        if (fd >= 0) {
            close(fd);
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
