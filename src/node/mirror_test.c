/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows as the broker has them, on interfaces that come, go and change: flows from vb, where
 * frames that are sent by va come in, to da, on whose other end their copies are seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/syscall.h>

#include "base/batch.h"
#include "node/mirror.h"
#include "node/mirror_impl.h"
#include "node/test_taps.h"

enum {
    FRAMES = 5,
};

static void id_of(unsigned number, uint8_t ret[WANTED_ID])
{
    memset(ret, 0, WANTED_ID);
    ret[0] = (uint8_t)number;
    ret[1] = (uint8_t)(number >> 8);
}

/* A flow of what comes in by vb, of a service of that number. */
static struct mirror_flow flow(unsigned number, unsigned service)
{
    struct mirror_flow f = {.source = "vb", .destination = "da", .dir = FRAME_DIR_IN};
    id_of(number, f.id);
    f.service[0] = (uint8_t)service;
    return f;
}

static void put(struct mirror *m, const struct mirror_flow *f)
{
    struct error err = {""};
    if (mirror_put(m, f, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

static void drop(struct mirror *m, unsigned number)
{
    uint8_t id[WANTED_ID];
    id_of(number, id);
    mirror_drop(m, id);
}

static void settle(struct mirror *m)
{
    for (struct mono end = deadline_s(10); mirror_apply(m, mono_now()); not_after(end)) {
    }
}

static struct mirror_is is_of(const struct mirror *m, unsigned number)
{
    uint8_t id[WANTED_ID];
    struct mirror_is is;
    id_of(number, id);
    assert_int_equal(mirror_read(m, id, &is), 0);
    return is;
}

static void check(const struct mirror *m, unsigned number, enum tap_state state, const char *words)
{
    const struct mirror_is is = is_of(m, number);
    if (is.state != state || !strstr(is.words, words)) {
        fail_msg("%d \"%s\", and not %d \"%s\"", is.state, is.words, state, words);
    }
}

/* Carriers and the kernel's own timers take a while. */
static void wait_for(struct mirror *m, unsigned number, enum tap_state state, const char *words)
{
    for (struct mono end = deadline_s(20);; not_after(end)) {
        settle(m);
        const struct mirror_is is = is_of(m, number);
        if (is.state == state && strstr(is.words, words)) {
            return;
        }
    }
}

static unsigned programs(const char *port, bool egress)
{
    struct bpf_chain c;
    assert_int_equal(bpf_chain(index_of(port), egress, &c, NULL), 0);
    return c.n;
}

/* The copies of FRAMES frames, each of which arrives. */
static unsigned copies(void)
{
    static struct seen s;
    static uint8_t frame[9100];
    const int copy = watch("db", false, NULL, 0), original = watch("vb", false, NULL, 0),
              tx = sender_on("va", 0);
    for (uint32_t i = 0; i < FRAMES; i++) {
        send_all(tx, frame, mixed_frame(frame, i));
        assert_true(see(original, &s, 2000));
    }
    close(tx);
    close(original);
    const unsigned n = waiting(copy); /* copies go before the frame does */
    close(copy);
    return n;
}

/* ---- programs ---- */

static void flows_of_a_service_share_a_program(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    assert_int_equal(mirror_new(-1, &m), 0);
    for (unsigned i = 0; i < 3; i++) {
        const struct mirror_flow f = flow(i, 1);
        put(m, &f);
    }
    assert_int_equal(programs("vb", false), 0);
    settle(m);
    assert_int_equal(programs("vb", false), 1);
    assert_int_equal(copies(), FRAMES);
    for (unsigned i = 0; i < 3; i++) {
        check(m, i, TAP_IS_FLOWING, "");
        assert_int_equal(is_of(m, i).counts.frames, FRAMES);
    }
    const struct mirror_flow other = flow(3, 2);
    put(m, &other);
    settle(m);
    assert_int_equal(programs("vb", false), 2);
    assert_int_equal(copies(), 2 * FRAMES);
    assert_int_equal(is_of(m, 3).counts.frames, FRAMES);
    struct mirror_flow both = flow(4, 2);
    both.dir = FRAME_DIR_UNKNOWN;
    put(m, &both);
    settle(m);
    assert_int_equal(programs("vb", false), 2);
    assert_int_equal(programs("vb", true), 1);
    mirror_free(TAKE_PTR(m));
    for (struct mono end = deadline_s(5); programs("vb", false) + programs("vb", true) > 0;
         not_after(end)) {
    }
    assert_int_equal(copies(), 0);
}

static void seventeen_flows_have_two_programs(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    assert_int_equal(mirror_new(-1, &m), 0);
    for (unsigned i = 0; i < 17; i++) {
        const struct mirror_flow f = flow(i, 1);
        put(m, &f);
    }
    settle(m);
    assert_int_equal(programs("vb", false), 2);
    assert_int_equal(copies(), 2 * FRAMES); /* one of each program */
    for (unsigned i = 0; i < 17; i++) {
        assert_int_equal(is_of(m, i).counts.frames, FRAMES);
    }
    drop(m, 16);
    settle(m);
    assert_int_equal(programs("vb", false), 1);
    assert_int_equal(copies(), FRAMES);
}

/* The program that is there still counts in the row of the flow that has gone. */
static void a_row_is_free_once_its_program_is_gone(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    assert_int_equal(mirror_new(-1, &m), 0);
    for (unsigned i = 0; i < 16; i++) {
        const struct mirror_flow f = flow(i, 1);
        put(m, &f);
    }
    settle(m);
    assert_int_equal(copies(), FRAMES);
    drop(m, 3);
    const struct mirror_flow late = flow(20, 1), later = flow(21, 1);
    put(m, &late);
    settle(m);
    assert_int_equal(programs("vb", false), 2);
    assert_int_equal(copies(), 2 * FRAMES);
    assert_int_equal(is_of(m, 20).counts.frames, FRAMES);
    put(m, &later); /* the row is free now, and what is in it is not the new flow's */
    settle(m);
    assert_int_equal(is_of(m, 21).counts.frames, 0);
    assert_int_equal(copies(), 2 * FRAMES);
    assert_int_equal(is_of(m, 21).counts.frames, FRAMES);
    assert_int_equal(is_of(m, 2).counts.frames, 3 * FRAMES);
}

static void counts_are_carried_over(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    struct mirror_flow f = flow(1, 1);
    assert_int_equal(mirror_new(-1, &m), 0);
    put(m, &f);
    settle(m);
    assert_int_equal(copies(), FRAMES);
    const uint64_t bytes = is_of(m, 1).counts.bytes;
    f.dir = FRAME_DIR_OUT;
    put(m, &f);
    settle(m);
    assert_int_equal(programs("vb", false), 0);
    assert_int_equal(copies(), 0);
    f.dir = FRAME_DIR_UNKNOWN;
    f.service[0] = 2;
    put(m, &f);
    settle(m);
    put(m, &f); /* as it is: nothing changes */
    settle(m);
    assert_int_equal(copies(), FRAMES);
    assert_int_equal(is_of(m, 1).counts.frames, 2 * FRAMES);
    assert_int_equal(is_of(m, 1).counts.bytes, 2 * bytes);
}

/* ---- what is wanted ---- */

static void what_is_not_told_anew_goes(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    uint8_t id[WANTED_ID];
    struct mirror_is is;
    assert_int_equal(mirror_new(-1, &m), 0);
    const struct mirror_flow one = flow(1, 1), two = flow(2, 2);
    put(m, &one);
    put(m, &two);
    settle(m);
    assert_int_equal(copies(), 2 * FRAMES);
    mirror_begin(m);
    settle(m);
    assert_int_equal(copies(), 2 * FRAMES); /* both flow as long as the round is not over */
    put(m, &two);
    mirror_end(m);
    settle(m);
    assert_int_equal(copies(), FRAMES);
    id_of(1, id);
    assert_int_equal(mirror_read(m, id, &is), -ENOENT);
    assert_int_equal(is_of(m, 2).counts.frames, 3 * FRAMES); /* its counts went on */
}

static void a_filter_comes_in_order_or_not_at_all(void **state)
{
    (void)state;
    static const struct sock_filter take[] = {BPF_STMT(BPF_LD | BPF_IMM, 1),
                                              BPF_STMT(BPF_RET | BPF_K, 0xffff)},
                                    none[] = {BPF_STMT(BPF_LD | BPF_IMM, 1),
                                              BPF_STMT(BPF_LD | BPF_IMM, 2)};
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    struct mirror_flow f = flow(1, 1);
    struct error err = {""};
    uint8_t other[WANTED_ID] = {9};
    assert_int_equal(mirror_new(-1, &m), 0);
    f.n_filter = 2;
    put(m, &f);
    settle(m);
    check(m, 1, TAP_IS_AWAY, "");
    assert_int_equal(programs("vb", false), 0); /* nothing is copied before its filter is there */
    assert_int_equal(mirror_code(m, other, 0, take, 1, &err), -ENOENT);
    assert_int_equal(mirror_code(m, f.id, 1, take, 1, &err), -EINVAL);
    assert_int_equal(mirror_code(m, f.id, 0, take, 0, &err), -EINVAL);
    assert_int_equal(mirror_code(m, f.id, 0, take, 3, &err), -EINVAL);
    assert_int_equal(mirror_code(m, f.id, 0, none, 1, &err), 0);
    assert_int_equal(mirror_code(m, f.id, 0, none, 1, &err), -EINVAL);
    assert_int_equal(mirror_code(m, f.id, 1, none + 1, 1, &err), -EINVAL); /* it never returns */
    assert_non_null(strstr(err.text, "the filter is none"));
    put(m, &f);
    assert_int_equal(mirror_code(m, f.id, 0, take, 2, &err), 0);
    assert_int_equal(mirror_code(m, f.id, 0, take, 2, &err), -ENOENT);
    settle(m);
    assert_int_equal(copies(), FRAMES);
    put(m, &f); /* it is to come anew: until then it is what it was */
    settle(m);
    assert_int_equal(copies(), FRAMES);
    drop(m, 1); /* half told */
    settle(m);
    assert_int_equal(copies(), 0);
}

static void a_port_is_not_tapped_to_itself(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    struct mirror_flow f = flow(1, 1);
    struct error err = {""};
    assert_int_equal(mirror_new(-1, &m), 0);
    (void)snprintf(f.destination, sizeof(f.destination), "vb");
    assert_int_equal(mirror_put(m, &f, &err), -EINVAL);
    assert_string_equal(err.text, "vb cannot be tapped to itself");
}

/* ---- interfaces ---- */

static void an_interface_goes_and_comes_back(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    const struct mirror_flow f = flow(1, 1);
    assert_int_equal(mirror_new(-1, &m), 0);
    put(m, &f);
    settle(m);
    assert_int_equal(copies(), FRAMES);
    const int before = index_of("vb");
    sh("ip link del va");
    settle(m);
    check(m, 1, TAP_IS_AWAY, "the interface vb is not there");
    sh("ip link add other type veth peer name another"); /* they have the next numbers */
    sh("ip link add va mtu 9000 type veth peer name vb mtu 9000");
    quiet_and_up("va");
    quiet_and_up("vb");
    wait_for_carrier("va", true);
    wait_for_carrier("vb", true);
    assert_int_not_equal(index_of("vb"), before);
    settle(m);
    check(m, 1, TAP_IS_FLOWING, "");
    assert_int_equal(copies(), FRAMES);
    sh("ip link del da");
    settle(m);
    check(m, 1, TAP_IS_AWAY, "the interface da is not there");
    assert_int_equal(programs("vb", false), 0);
    sh("ip link add da mtu 9000 type veth peer name db mtu 9000");
    quiet_and_up("da");
    quiet_and_up("db");
    wait_for_carrier("da", true);
    wait_for_carrier("db", true);
    wait_for(m, 1, TAP_IS_FLOWING, "");
    assert_int_equal(copies(), FRAMES);
    assert_int_equal(is_of(m, 1).counts.frames, 3 * FRAMES);
    sh("ip link del other");
}

static void a_destination_that_is_down_is_told(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    const struct mirror_flow f = flow(1, 1);
    assert_int_equal(mirror_new(-1, &m), 0);
    put(m, &f);
    settle(m);
    sh("ip link set da down");
    wait_for(m, 1, TAP_IS_AWAY, "the interface da is down");
    assert_int_equal(copies(), 0);
    const struct ebpf_taps_count c = is_of(m, 1).counts;
    assert_int_equal(c.frames, FRAMES);
    assert_int_equal(c.failed_down, FRAMES);
    sh("ip link set da up");
    wait_for(m, 1, TAP_IS_FLOWING, "");
    wait_for_carrier("da", true);
    assert_int_equal(copies(), FRAMES);
    sh("ip link set db down");
    wait_for(m, 1, TAP_IS_AWAY, "the interface da has no carrier");
    sh("ip link set db up");
    wait_for(m, 1, TAP_IS_FLOWING, "");
    wait_for_carrier("db", true);
    assert_int_equal(copies(), FRAMES);
}

static void a_destination_with_an_address_is_refused(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    const struct mirror_flow f = flow(1, 1);
    assert_int_equal(mirror_new(-1, &m), 0);
    sh("ip addr add 192.0.2.1/24 dev da");
    put(m, &f);
    settle(m);
    check(m, 1, TAP_IS_FAILED, "da has an address of this host");
    assert_int_equal(programs("vb", false), 0);
    sh("ip addr flush dev da");
    wait_for(m, 1, TAP_IS_FLOWING, "");
    assert_int_equal(copies(), FRAMES);
}

/* Whatever keeps the program from being made anew, a flow that has gone is not copied any more. */
static void what_has_gone_is_not_copied_though_all_else_fails(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    const struct mirror_flow one = flow(1, 1), two = flow(2, 1), three = flow(3, 1);
    assert_int_equal(mirror_new(-1, &m), 0);
    put(m, &one);
    put(m, &two);
    settle(m);
    sh("ip addr add 192.0.2.1/24 dev da");
    put(m, &three); /* fails, and is tried again later */
    settle(m);
    check(m, 3, TAP_IS_FAILED, "has an address");
    drop(m, 1);
    settle(m);
    assert_int_equal(copies(), 0);
    sh("ip addr flush dev da");
    wait_for(m, 3, TAP_IS_FLOWING, "");
    assert_int_equal(copies(), FRAMES);
}

static void a_look_that_was_broken_off_is_not_over(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    const struct mirror_flow one = flow(1, 1), two = flow(2, 2);
    assert_int_equal(mirror_new(-1, &m), 0);
    put(m, &one);
    put(m, &two);
    settle(m);
    assert_int_equal(programs("vb", false), 2);
    m->next = 1; /* as if its time had been over then */
    drop(m, 1);
    settle(m);
    assert_int_equal(copies(), FRAMES);
}

/* ---- somebody else ---- */

static long call_bpf(int command, union bpf_attr *attr)
{
    return syscall(SYS_bpf, command, attr, sizeof(*attr));
}

/* Detaches, as bpftool does it, the link that has the program of that number. */
static void detach_by_force(uint32_t program)
{
    union bpf_attr next = {.start_id = 0};
    while (call_bpf(BPF_LINK_GET_NEXT_ID, &next) == 0) {
        struct bpf_link_info info = {0};
        union bpf_attr open = {.link_id = next.next_id};
        const int fd = (int)call_bpf(BPF_LINK_GET_FD_BY_ID, &open);
        union bpf_attr ask = {
            .info = {.bpf_fd = (uint32_t)fd, .info_len = sizeof(info), .info = (uintptr_t)&info}};
        if (fd >= 0 && call_bpf(BPF_OBJ_GET_INFO_BY_FD, &ask) == 0 && info.prog_id == program) {
            union bpf_attr off = {.link_detach = {.link_fd = (uint32_t)fd}};
            assert_int_equal(call_bpf(BPF_LINK_DETACH, &off), 0);
            close(fd);
            return;
        }
        close(fd);
        next.start_id = next.next_id;
    }
    fail_msg("no link has the program %u", program);
}

static void what_was_taken_off_is_put_back(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    const struct mirror_flow f = flow(1, 1);
    struct bpf_chain c;
    assert_int_equal(mirror_new(-1, &m), 0);
    put(m, &f);
    settle(m);
    assert_int_equal(bpf_chain(index_of("vb"), false, &c, NULL), 0);
    assert_int_equal(c.n, 1);
    detach_by_force(c.ids[0]);
    assert_int_equal(copies(), 0);
    settle(m);
    check(m, 1, TAP_IS_FLOWING, "");
    assert_int_equal(programs("vb", false), 1);
    assert_int_equal(copies(), FRAMES);
    check(m, 1, TAP_IS_FLOWING, "");
    assert_int_equal(is_of(m, 1).counts.frames, FRAMES);
}

static void a_refusal_of_the_kernel_is_told(void **state)
{
    (void)state;
    _cleanup_(mirror_freep) struct mirror *m = NULL;
    const struct ebpf_taps_flow all = {.counter = 3};
    const struct mirror_flow f = flow(1, 1);
    const int map = counters();
    int at[BPF_CHAIN_MAX];
    for (unsigned i = 0; i < BPF_CHAIN_MAX; i++) {
        at[i] = taps_on("vb", false, "lo", map, &all, 1);
    }
    assert_int_equal(mirror_new(-1, &m), 0);
    put(m, &f);
    settle(m);
    check(m, 1, TAP_IS_FAILED, "as many programs as the kernel takes");
    assert_int_equal(programs("vb", false), BPF_CHAIN_MAX); /* those of others stay */
    for (unsigned i = 0; i < BPF_CHAIN_MAX; i++) {
        close(at[i]);
    }
    close(map);
    wait_for(m, 1, TAP_IS_FLOWING, "");
    assert_int_equal(copies(), FRAMES);
}

/* A flow that no program can have is the only one that fails, whether it comes last or at once. */
static void one_flow_does_not_take_others_with_it(void **state)
{
    (void)state;
    const struct sock_filter never[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PAY_OFFSET)),
        BPF_STMT(BPF_RET | BPF_A, 0)};
    for (unsigned first = 0; first < 2; first++) {
        _cleanup_(mirror_freep) struct mirror *m = NULL;
        struct mirror_flow bad = flow(2, 1);
        const struct mirror_flow good = flow(1, 1), later = flow(3, 1);
        struct error err = {""};
        bad.n_filter = ARRAY_SIZE(never);
        assert_int_equal(mirror_new(-1, &m), 0);
        put(m, &good);
        if (first) {
            settle(m);
        }
        put(m, &bad);
        assert_int_equal(mirror_code(m, bad.id, 0, never, ARRAY_SIZE(never), &err), 0);
        settle(m);
        check(m, 1, TAP_IS_FLOWING, "");
        check(m, 2, TAP_IS_FAILED, "another datapath");
        assert_int_equal(copies(), FRAMES);
        put(m, &later);
        settle(m);
        check(m, 3, TAP_IS_FLOWING, "");
        check(m, 2, TAP_IS_FAILED, "another datapath");
        bad.n_filter = 0; /* it is wanted otherwise: it may share again */
        put(m, &bad);
        settle(m);
        check(m, 2, TAP_IS_FLOWING, "");
        assert_int_equal(is_of(m, 1).counts.frames, FRAMES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup(name, taps_namespace)
        T(flows_of_a_service_share_a_program),
        T(seventeen_flows_have_two_programs),
        T(a_row_is_free_once_its_program_is_gone),
        T(counts_are_carried_over),
        T(what_is_not_told_anew_goes),
        T(a_filter_comes_in_order_or_not_at_all),
        T(a_port_is_not_tapped_to_itself),
        T(an_interface_goes_and_comes_back),
        T(a_destination_that_is_down_is_told),
        T(one_flow_does_not_take_others_with_it),
        T(a_destination_with_an_address_is_refused),
        T(what_has_gone_is_not_copied_though_all_else_fails),
        T(a_look_that_was_broken_off_is_not_over),
        T(what_was_taken_off_is_put_back),
        T(a_refusal_of_the_kernel_is_told),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
