/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows in the kernel at work: what is copied, what the originals go through, what is counted.
 * A packet socket with the classic program on the same interface is the judge of filters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "node/test_expr.h"
#include "node/test_taps.h"
#include "proto/bpfcheck.h"
#include "sys/filter.h"

enum { SIDES = 2 };

/* The port of the program: frames that go out by va come in by vb. */
static const char *side(bool egress)
{
    return egress ? "va" : "vb";
}

/* Each frame arrives once at the destination and once where it was sent to, as it was. */
static void every_frame_is_copied_once(void **state)
{
    (void)state;
    const struct ebpf_taps_flow all = {.counter = 3};
    static uint8_t frame[9100];
    static struct seen s;
    for (int egress = 0; egress < SIDES; egress++) {
        int map = counters(), at = taps_on(side(egress), egress, "da", map, &all, 1);
        int original = watch("vb", false, NULL, 0), copy = watch("db", false, NULL, 0);
        int tx = sender_on("va", 0);
        uint64_t bytes = 0;
        for (uint32_t i = 0; i < 500; i++) {
            uint32_t len = mixed_frame(frame, i);
            bytes += len;
            send_all(tx, frame, len);
            assert_true(see(original, &s, 2000));
            assert_int_equal(s.len, len);
            assert_memory_equal(s.data, frame, len);
            assert_true(see(copy, &s, 2000));
            assert_int_equal(s.len, len);
            assert_memory_equal(s.data, frame, len);
        }
        assert_int_equal(waiting(original), 0);
        assert_int_equal(waiting(copy), 0);
        struct ebpf_taps_count c = count_of(map, 3);
        assert_int_equal(c.frames, 500);
        assert_int_equal(c.bytes, bytes);
        assert_int_equal(count_of(map, 0).frames, 0);
        taps_off(at, side(egress), egress);
        send_all(tx, frame, 64);
        assert_true(see(original, &s, 2000));
        assert_int_equal(waiting(copy), 0);
        close(original);
        close(copy);
        close(tx);
        close(map);
    }
}

/* The VLAN of frame i of mixed_frame(). */
static unsigned vlan_of(uint32_t i)
{
    return i % 4 == 1 || i % 4 == 2 ? i * 7 & 0xfff : 0;
}

/* Several flows of a service: one copy of what any of them wants, each counts its own. */
static void flows_share_one_copy(void **state)
{
    (void)state;
    enum { FRAMES = 1200 };
    struct vlan_set sets[3] = {0};
    static uint8_t frame[9100];
    static struct seen s;
    struct ebpf_taps_flow flows[3];
    assert_int_equal(parse_vlan_list("0,7,400-2000", &sets[0], NULL), 0);
    assert_int_equal(parse_vlan_list("64-127,576-2047", &sets[1], NULL), 0);
    assert_int_equal(parse_vlan_list("0-1023,3000-4094", &sets[2], NULL), 0);
    for (unsigned i = 0; i < 3; i++) {
        flows[i] = (struct ebpf_taps_flow){.vlans = &sets[i], .counter = i};
    }
    for (int egress = 0; egress < SIDES; egress++) {
        int map = counters(), at = taps_on(side(egress), egress, "da", map, flows, 3);
        int copy = watch("db", false, NULL, 0), tx = sender_on("va", 0);
        uint64_t want[3] = {0}, copies = 0;
        for (uint32_t i = 0; i < FRAMES; i++) {
            uint32_t len = mixed_frame(frame, i);
            bool any = false;
            for (unsigned f = 0; f < 3; f++) {
                bool match = vlan_set_has(&sets[f], vlan_of(i));
                want[f] += match;
                any |= match;
            }
            send_all(tx, frame, len);
            assert_int_equal(see(copy, &s, any ? 2000 : 0), any);
            copies += any;
        }
        assert_int_equal(waiting(copy), 0);
        assert_true(copies < FRAMES && copies > 100);
        for (unsigned f = 0; f < 3; f++) {
            assert_int_equal(count_of(map, f).frames, want[f]);
        }
        taps_off(at, side(egress), egress);
        close(copy);
        close(tx);
        close(map);
    }
}

/* One expression on one side: copies are what the judge lets through. */
static void judge_live(bool egress, const char *expr, const struct filter_prog *p, uint64_t *seed,
                       uint64_t *ret_seen)
{
    static struct seen got, want;
    const struct ebpf_taps_flow flow = {.filter = p->insns, .n_filter = p->n};
    int map = counters(), at = taps_on(side(egress), egress, "da", map, &flow, 1);
    /* Where a sender puts a tag into the frame, only the other end sees it as all others are seen:
     * beside. Of an expression about the end itself that end is the judge. */
    const bool of_end = strstr(expr, "bound") || strstr(expr, "ifindex");
    int judge = egress && !of_end ? watch("vb", false, p->insns, p->n)
                                  : watch(side(egress), egress, p->insns, p->n);
    int copy = watch("db", false, NULL, 0);
    int tx = sender_on("va", 0);
    for (int i = 0; i < 60; i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t len = frame_make(frame, seed);
        send_all(tx, frame, MAX(len, 20U)); /* shorter ones with a tag do not arrive anywhere */
    }
    uint64_t n = 0;
    while (see(judge, &want, 0)) {
        n++;
        if (!see(copy, &got, 2000) || got.len != want.len ||
            memcmp(got.data, want.data, got.len) != 0) {
            fail_msg("%s, %s: copy %llu is not what the kernel's own filter has", expr,
                     egress ? "out" : "in", (unsigned long long)n);
        }
    }
    if (waiting(copy) > 0) {
        fail_msg("%s, %s: more copies than the kernel's own filter has", expr,
                 egress ? "out" : "in");
    }
    assert_int_equal(count_of(map, 0).frames, n);
    *ret_seen += n;
    close(at);
    close(judge);
    close(copy);
    close(tx);
    close(map);
}

/* Expressions about what is beside the frame, and random ones. */
static void filters_as_on_a_socket(void **state)
{
    (void)state;
    static const char *const beside[] = {
        "inbound",
        "outbound",
        "vlan",
        "not vlan",
        "vlan 100",
        "vlan 100 and vlan 200",
        "vlan and ip",
        "vlan 0 or arp",
        "ifindex 1",
        "outbound and vlan 300",
        "inbound and udp",
    };
    uint64_t seed = 7, seen = 0;
    unsigned want = getenv("FARSPAN_LONG") ? 500 : 12;
    for (unsigned i = 0; i < ARRAY_SIZE(beside) + want; i++) {
        for (int egress = 0; egress < SIDES; egress++) {
            _cleanup_(filter_done) struct filter_prog p = {0};
            char expr[EXPR_MAX];
            if (i < ARRAY_SIZE(beside)) {
                snprintf(expr, sizeof(expr), "%s", beside[i]);
            } else {
                expr_make(expr, sizeof(expr), 2, &seed);
            }
            if (filter_compile(expr, side(egress), NETIF_ETHERNET, 0, &p, NULL) == 0 &&
                bpfcheck(p.insns, p.n, NULL, NULL) == 0) {
                judge_live(egress, expr, &p, &seed, &seen);
            } else {
                assert_true(i >= ARRAY_SIZE(beside));
            }
        }
    }
    print_message("%llu frames matched\n", (unsigned long long)seen);
    assert_true(seen > 300);
}

static void send_some(const char *from, int n)
{
    static uint8_t frame[9100];
    int tx = sender_on(from, 0);
    for (int i = 0; i < n; i++) {
        send_all(tx, frame, mixed_frame(frame, 4));
    }
    close(tx);
}

/* A copy is never copied, whatever flows lead to its destination. */
static void no_storm(void **state)
{
    (void)state;
    const struct ebpf_taps_flow one = {.counter = 1}, two = {.counter = 2};
    int map = counters(), vb = watch("vb", false, NULL, 0), db = watch("db", false, NULL, 0);
    int self[] = {taps_on("va", true, "va", map, &one, 1),
                  taps_on("va", false, "va", map, &one, 1)};
    send_some("va", 64);
    assert_int_equal(waiting(vb), 128);
    send_some("vb", 64);
    assert_int_equal(waiting(vb), 64);
    assert_int_equal(count_of(map, 1).frames, 128);
    taps_off(self[0], "va", true);
    taps_off(self[1], "va", false);

    int cross[] = {taps_on("va", true, "da", map, &one, 1),
                   taps_on("da", true, "va", map, &two, 1)};
    send_some("va", 64);
    assert_int_equal(waiting(vb), 64);
    assert_int_equal(waiting(db), 64);
    send_some("da", 64);
    assert_int_equal(waiting(vb), 64);
    assert_int_equal(waiting(db), 64);
    assert_int_equal(count_of(map, 1).frames, 192);
    assert_int_equal(count_of(map, 2).frames, 64);
    taps_off(cross[0], "va", true);
    taps_off(cross[1], "da", true);
    close(vb);
    close(db);
    close(map);
}

struct fate {
    const char *make, *mend; /* commands around it */
    size_t column;           /* of struct ebpf_taps_count: where the frames are counted */
    uint32_t len;            /* of a frame */
    bool up;                 /* the destination has a carrier all the same */
};

static uint64_t failed(const struct ebpf_taps_count *c)
{
    return c->failed_down + c->failed_gone + c->failed_big + c->failed_full + c->failed_other;
}

/* Twenty frames that the destination does not take, and that two flows match. */
static void meet(const struct fate *f, bool egress)
{
    static uint8_t frame[9100];
    const struct ebpf_taps_flow flows[2] = {{.counter = 0}, {.counter = 1}};
    wait_for_carrier("xa", true);
    int map = counters(), at = taps_on(side(egress), egress, "xa", map, flows, 2);
    int vb = watch("vb", false, NULL, 0), tx = sender_on("va", 0);
    sh(f->make);
    wait_for_carrier("xa", f->up);
    (void)mixed_frame(frame, 4);
    for (int k = 0; k < 20; k++) {
        send_all(tx, frame, f->len);
    }
    assert_int_equal(waiting(vb), 20); /* the originals */
    for (uint32_t row = 0; row < 2; row++) {
        struct ebpf_taps_count c = count_of(map, row);
        uint64_t n;
        memcpy(&n, (uint8_t *)&c + f->column, sizeof(n));
        assert_int_equal(c.frames, 20);
        assert_int_equal(n, 20);
        assert_int_equal(failed(&c), 20);
    }
    sh(f->mend);
    taps_off(at, side(egress), egress);
    close(vb);
    close(tx);
    close(map);
}

/* The destination does not take the copies: each is counted by its reason, and the originals pass.
 */
static void failures(void **state)
{
    (void)state;
    static const struct fate fates[] = {
        {"ip link set xa down", "ip link set xa up", offsetof(struct ebpf_taps_count, failed_down),
         64},
        {"ip link set xb down", "ip link set xb up", offsetof(struct ebpf_taps_count, failed_down),
         64},
        {"ip link set xb mtu 1500", "ip link set xb mtu 9000",
         offsetof(struct ebpf_taps_count, failed_big), 9020, true},
        {"ip link set xb mtu 1500", "ip link set xb mtu 9000",
         offsetof(struct ebpf_taps_count, failed_full), 5000, true},
        {"tc qdisc replace dev xa root pfifo limit 0", "tc qdisc del dev xa root",
         offsetof(struct ebpf_taps_count, failed_full), 64, true},
        {"ip link del xa", "true", offsetof(struct ebpf_taps_count, failed_gone), 64},
    };
    sh("ip link set va mtu 9500 && ip link set vb mtu 9500");
    for (int egress = 0; egress < SIDES; egress++) {
        sh("ip link add xa mtu 9000 type veth peer name xb mtu 9000");
        quiet_and_up("xa");
        quiet_and_up("xb");
        for (unsigned i = 0; i < ARRAY_SIZE(fates); i++) {
            meet(&fates[i], egress);
        }
    }
    sh("ip link set va mtu 9000 && ip link set vb mtu 9000");
}

/* ---- swaps ---- */

/* Sends numbered frames as fast as it can until it is told to end; then tells how many. */
static void sender(int stop, int tell)
{
    static uint8_t frame[9100];
    uint32_t len = mixed_frame(frame, 4);
    int tx = sender_on("va", 0);
    uint64_t n = 0;
    while (poll(&(struct pollfd){stop, POLLIN, 0}, 1, 0) == 0) {
        for (int i = 0; i < 64; i++) {
            send_all(tx, frame, len);
            n++;
        }
    }
    _exit(write(tell, &n, sizeof(n)) != sizeof(n));
}

static void wait_for_frames(int map, uint64_t n)
{
    for (struct mono end = deadline_s(5); count_of(map, 0).frames < n; not_after(end)) {
    }
}

/* The program is swapped under traffic: no copy is missing, none comes twice, and a flow that stays
 * has counted each frame. */
static void swaps_lose_nothing(void **state)
{
    (void)state;
    const unsigned swaps = getenv("FARSPAN_LONG") ? 400 : 60;
    struct ebpf_taps_flow flows[2] = {{.counter = 0}, {.counter = 1}};
    for (int egress = 0; egress < SIDES; egress++) {
        int map = counters(), at = taps_on(side(egress), egress, "da", map, flows, 1);
        int stop[2], tell[2], status = 0;
        uint64_t before = link_of("db").rx_packets, sent = 0;
        assert_int_equal(pipe(stop) + pipe(tell), 0);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            sender(stop[0], tell[1]);
        }
        for (unsigned i = 0; i < swaps; i++) {
            int prog = taps_program(egress, "da", map, flows, 1 + (i & 1));
            assert_int_equal(bpf_swap(at, prog, NULL), 0);
            close(prog);
            wait_for_frames(map, count_of(map, 0).frames + 100);
        }
        assert_int_equal(write(stop[1], "", 1), 1);
        assert_int_equal(read(tell[0], &sent, sizeof(sent)), sizeof(sent));
        assert_int_equal(waitpid(pid, &status, 0), pid);
        struct ebpf_taps_count c = count_of(map, 0);
        for (struct mono end = deadline_s(5); link_of("db").rx_packets - before + failed(&c) < sent;
             not_after(end)) {
        }
        assert_int_equal(link_of("db").rx_packets - before + failed(&c), sent);
        assert_int_equal(c.frames, sent);
        assert_int_equal(failed(&c), c.failed_full); /* of a test's machine that is busy */
        assert_true(count_of(map, 1).frames > 0 && count_of(map, 1).frames < sent);
        print_message("%u swaps, %llu frames, %llu refused\n", swaps, (unsigned long long)sent,
                      (unsigned long long)c.failed_full);
        taps_off(at, side(egress), egress);
        for (int i = 0; i < 2; i++) {
            close(stop[i]);
            close(tell[i]);
        }
        close(map);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_frame_is_copied_once),
        cmocka_unit_test(flows_share_one_copy),
        cmocka_unit_test(filters_as_on_a_socket),
        cmocka_unit_test(no_storm),
        cmocka_unit_test(failures),
        cmocka_unit_test(swaps_lose_nothing),
    };
    return cmocka_run_group_tests(tests, taps_namespace, NULL);
}
