/* SPDX-License-Identifier: Apache-2.0
 *
 * The ring for sending on a pair of interfaces in a network namespace of the test's own: bytes,
 * order, marks, and frames that the kernel does not take.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/sockmark.h"
#include "sys/test_net.h"
#include "sys/txring.h"

static struct txring *ring_to(const char *name)
{
    struct error err = {""};
    struct netif n;
    struct txring *t = NULL;
    int fd = -1;
    if (netif_find(name, &n, &err) < 0 || txring_open(&n, &fd, &err) < 0 ||
        txring_attach(fd, &t, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_int_equal(txring_ifindex(t), n.index);
    return t;
}

static struct frame frame_of(const uint8_t *data, uint32_t len)
{
    return (struct frame){.data = data, .datalen = len, .caplen = len, .origlen = len};
}

static void put(struct txring *t, const uint8_t *data, uint32_t len)
{
    struct frame f = frame_of(data, len);
    assert_int_equal(txring_put(t, &f), 0);
}

/* Pushes until that many are taken. */
static void push_all(struct txring *t, unsigned n)
{
    struct mono end = deadline_s(5);
    for (unsigned taken = 0; taken < n; not_after(end)) {
        int r = 0;
        taken += txring_push(t, &r);
    }
    assert_int_equal(txring_waiting(t), 0);
}

/* A socket that hears what comes in at vb. */
static int witness(void)
{
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index_of("vb")};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &(int){8 << 20}, sizeof(int)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    return fd;
}

/* The kernel takes a VLAN tag off before it shows a frame. */
static void assert_next(int fd, const uint8_t *data, uint32_t len)
{
    static uint8_t got[TXRING_LONGEST + 100];
    struct pollfd p = {fd, POLLIN, 0};
    const bool tagged =
        memcmp(data + 12, "\x81\0", 2) == 0 || memcmp(data + 12, "\x88\xa8", 2) == 0;
    const uint32_t tag = tagged ? 4 : 0;
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(recv(fd, got, sizeof(got), 0), len - tag);
    assert_memory_equal(got, data, 12);
    assert_memory_equal(got + 12, data + 12 + tag, len - tag - 12);
}

/* More frames than there are places, of all lengths, and one in two pieces. */
static void frames_go_out_in_order(void **state)
{
    (void)state;
    static uint8_t buf[TXRING_LONGEST + 1];
    struct txring *t = ring_to("va");
    int fd = witness();
    for (uint32_t i = 0; i < 2000; i++) {
        put(t, buf, mixed_frame(buf, i));
        push_all(t, 1);
        assert_next(fd, buf, mixed_frame(buf, i));
    }
    memset(buf, 7, 64);
    struct frame f = frame_of(buf, 60);
    f.caplen = f.origlen = 64;
    f.ins_off = 12;
    f.ins_len = 4;
    memcpy(f.ins, "\x81\0\0\5", 4);
    assert_int_equal(txring_put(t, &f), 0);
    push_all(t, 1);
    memcpy(buf + 12, "\x81\0\0\5", 4);
    assert_next(fd, buf, 64);
    close(fd);
    txring_free(t);
}

static void the_kernel_takes_many_at_once(void **state)
{
    (void)state;
    uint8_t buf[9100];
    struct txring *t = ring_to("va");
    int fd = witness();
    unsigned n = 0;
    for (;; n++) {
        struct frame f = frame_of(buf, mixed_frame(buf, n));
        int r = txring_put(t, &f);
        assert_true(r == 0 || r == -EAGAIN);
        if (r < 0) {
            break;
        }
    }
    assert_in_range(n, 256, 1024);
    assert_int_equal(txring_waiting(t), n);
    push_all(t, n);
    for (unsigned i = 0; i < n; i++) {
        assert_next(fd, buf, mixed_frame(buf, i));
    }
    close(fd);
    txring_free(t);
}

static void lengths_have_bounds(void **state)
{
    (void)state;
    static uint8_t buf[TXRING_LONGEST + 1];
    static const struct {
        const char *type;
        uint32_t len, mtu;
    } needs[] = {{"\x08\0", 1514, 1500},          {"\x81\0", 1518, 1500}, {"\x88\xa8", 1518, 1500},
                 {"\x91\0", 1518, 1504},          {"\x81\0", 17, 3},      {"\x81\0", 18, 0},
                 {"\x86\xdd", TXRING_SHORTEST, 0}};
    struct txring *t = ring_to("va");
    struct frame shorter = frame_of(buf, TXRING_SHORTEST - 1);
    struct frame longer = frame_of(buf, TXRING_LONGEST + 1);
    assert_int_equal(txring_put(t, &shorter), -EINVAL);
    assert_int_equal(txring_put(t, &longer), -EMSGSIZE);
    assert_int_equal(txring_waiting(t), 0);
    for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        memcpy(buf + 12, needs[i].type, 2);
        struct frame f = frame_of(buf, needs[i].len);
        assert_int_equal(txring_needs_mtu(&f), needs[i].mtu);
    }
    txring_free(t);
}

/* One that is too long for the interface stays, and those behind it, until it is dropped. */
static void a_frame_that_is_not_taken(void **state)
{
    (void)state;
    static uint8_t buf[4][3000];
    static const uint32_t len[4] = {100, 3000, 200, 300};
    int r = 0;
    sh("ip link set va mtu 1500");
    struct txring *t = ring_to("va");
    int fd = witness();
    for (unsigned i = 0; i < 4; i++) {
        memset(buf[i], (int)i + 1, len[i]);
        put(t, buf[i], len[i]);
    }
    assert_int_equal(txring_push(t, &r), 1);
    assert_int_equal(r, -EMSGSIZE);
    assert_int_equal(txring_waiting(t), 3);
    txring_drop(t);
    push_all(t, 2);
    assert_next(fd, buf[0], len[0]);
    assert_next(fd, buf[2], len[2]);
    assert_next(fd, buf[3], len[3]);
    put(t, buf[0], len[0]); /* places go on where they were */
    push_all(t, 1);
    assert_next(fd, buf[0], len[0]);
    close(fd);
    txring_free(t);
    sh("ip link set va mtu 9000");
}

/* The kernel goes on where the first of those that are forgotten lay. */
static void forgotten_frames_leave_their_places(void **state)
{
    (void)state;
    uint8_t forgotten[60] = {2}, buf[100] = {4};
    struct txring *t = ring_to("va");
    int fd = witness();
    for (unsigned i = 0; i < 3; i++) {
        put(t, forgotten, sizeof(forgotten));
    }
    txring_forget(t);
    put(t, buf, sizeof(buf));
    push_all(t, 1);
    assert_next(fd, buf, sizeof(buf));
    close(fd);
    txring_free(t);
}

static void interfaces_that_are_down_or_gone(void **state)
{
    (void)state;
    uint8_t buf[100] = {2};
    int r = 0;
    sh("ip link add wa type veth peer name wb && ip link set wb up");
    struct txring *t = ring_to("wa");
    put(t, buf, sizeof(buf));
    put(t, buf, sizeof(buf));
    assert_int_equal(txring_push(t, &r), 0);
    assert_int_equal(r, -ENETDOWN);
    sh("ip link set wa up");
    push_all(t, 2);
    sh("ip link del wa");
    put(t, buf, sizeof(buf));
    assert_int_equal(txring_push(t, &r), 0);
    assert_int_equal(r, -ENXIO);
    txring_drop(t);
    assert_int_equal(txring_waiting(t), 0);
    assert_int_equal(txring_push(t, &r), 0);
    assert_int_equal(r, 0);
    for (unsigned round = 0; round < 3; round++) { /* places are not used up */
        for (unsigned i = 0; i < 200; i++) {
            put(t, buf, sizeof(buf));
        }
        assert_int_equal(txring_push(t, &r), 0);
        assert_int_equal(r, -ENXIO);
        assert_int_equal(txring_waiting(t), 200);
        txring_forget(t);
        assert_int_equal(txring_waiting(t), 0);
    }
    txring_free(t);
}

/* A capture on the interface itself sees the mark, as a tap's filter does. */
static void frames_are_marked(void **state)
{
    (void)state;
    const struct sock_filter marked[] = {
        {BPF_LD | BPF_B | BPF_ABS, 0, 0, (uint32_t)(SKF_AD_OFF + SKF_AD_MARK)},
        {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SOCKMARK_OUTPUT},
        {BPF_RET | BPF_K, 0, 0, 65535},
        {BPF_RET | BPF_K, 0, 0, 0}};
    const struct sock_fprog prog = {4, (struct sock_filter *)marked};
    struct sockaddr_ll at = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index_of("va")};
    uint8_t plain[60] = {3}, buf[60] = {2};
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
    int other = sender_on("va", 0);
    send_all(other, plain, sizeof(plain));
    struct txring *t = ring_to("va");
    put(t, buf, sizeof(buf));
    push_all(t, 1);
    assert_next(fd, buf, sizeof(buf)); /* and not the plain one before it */
    close(other);
    close(fd);
    txring_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_go_out_in_order),
        cmocka_unit_test(the_kernel_takes_many_at_once),
        cmocka_unit_test(lengths_have_bounds),
        cmocka_unit_test(a_frame_that_is_not_taken),
        cmocka_unit_test(forgotten_frames_leave_their_places),
        cmocka_unit_test(interfaces_that_are_down_or_gone),
        cmocka_unit_test(frames_are_marked),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
