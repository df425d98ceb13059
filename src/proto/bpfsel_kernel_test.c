/* SPDX-License-Identifier: Apache-2.0
 *
 * bpfsel's programs where they are meant to run: on packet sockets of a veth pair. Two sockets see
 * the same frames, one with the program and one without; what the second saw, less what the oracle
 * refuses, must be what the first saw.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/bpfsel_oracle.h"

static const struct bpfsel_flow flows[] = {
    {AF_INET, {10, 0, 0, 1}, {10, 0, 0, 2}, 40000, 1234},
    {AF_INET6, {0xfd, [15] = 1}, {0xfd, [15] = 2}, 40000, 1234},
};

static int own_namespace(void **state)
{
    (void)state;
    return unshare(CLONE_NEWNET) < 0 ||
           system(
               "ip link set lo up && ip link add va type veth peer name vb && for i in va vb; do "
               "ip link set $i addrgenmode none && ip link set $i arp off multicast off up; done");
}

static int socket_on(const char *name, const struct sock_filter *p, unsigned n)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1, size = 32 << 20;
    assert_true(fd >= 0);
    struct sock_fprog prog = {(unsigned short)n, (struct sock_filter *)p};
    if (n) {
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
    }
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET,
                             .sll_protocol = htons(ETH_P_ALL),
                             .sll_ifindex = (int)if_nametoindex(name)};
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

/* The next frame as the socket sees it; false when none comes within `ms`. */
static bool next(int fd, struct seen *s, int ms)
{
    if (poll(&(struct pollfd){fd, POLLIN, 0}, 1, ms) != 1) {
        return false;
    }
    union {
        char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct sockaddr_ll from;
    memset(s, 0, sizeof(*s));
    struct iovec iov = {s->data, sizeof(s->data)};
    struct msghdr m = {.msg_name = &from,
                       .msg_namelen = sizeof(from),
                       .msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, 0);
    const struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
    if (n < 0 || !cm) {
        return false;
    }
    struct tpacket_auxdata aux;
    memcpy(&aux, CMSG_DATA(cm), sizeof(aux));
    s->len = (uint32_t)n;
    s->outgoing = from.sll_pkttype == PACKET_OUTGOING;
    s->tagged = aux.tp_status & TP_STATUS_VLAN_VALID;
    s->tci = aux.tp_vlan_tci;
    return true;
}

/* Frames close to the flow's are sent from both ends, so that va sees them go out and come in. On
 * lo each frame is seen twice: once out, once in. */
static void compare_on(const char *seen_on, const char *sent_on, const struct bpfsel_conf *conf,
                       const struct bpfsel_flow *near)
{
    static struct sock_filter prog[BPFSEL_MAX];
    unsigned n = 0, accepted = 0, refused = 0;
    assert_int_equal(bpfsel_make(conf, prog, &n, NULL), 0);
    int all = socket_on(seen_on, NULL, 0), chosen = socket_on(seen_on, prog, n);
    int tx[2] = {socket_on(seen_on, NULL, 0), socket_on(sent_on, NULL, 0)};
    uint64_t seed = 3;
    struct seen s, got;
    for (unsigned i = 0; i < 3000; i++) {
        make_frame(&s, near, false, 14, &seed);
        send(tx[i % 2], s.data, s.len, 0); /* the kernel itself refuses some malformed ones */
    }
    while (next(all, &s, 100)) {
        bool want = oracle_accepts(conf, &s);
        accepted += want;
        refused += !want;
        if (want) {
            assert_true(next(chosen, &got, 2000));
            assert_memory_equal(&got, &s, sizeof(s));
        }
    }
    assert_false(next(chosen, &got, 0));
    assert_true(accepted > 50 && refused > 50);
    for (int i = 0; i < 2; i++) {
        close(tx[i]);
    }
    close(all);
    close(chosen);
}

static void decides_in_the_kernel(void **state)
{
    (void)state;
    struct vlan_set set, wild;
    assert_int_equal(parse_vlan_list("0,31,64,100,200-210,2047", &set, NULL), 0);
    for (unsigned i = 0; i < VLAN_IDS / 64; i++) {
        wild.bits[i] = ~(i * UINT64_C(0x123456789abcd));
    }
    struct bpfsel_flow no_local = flows[0];
    memset(no_local.local, 0, 16);
    const struct bpfsel_conf confs[] = {
        {.flows = flows, .n_flows = 2},
        {.no_links = true},
        {.no_links = true, .flows = flows, .n_flows = 2, .vlans = &set},
        {.flows = flows, .n_flows = 1, .vlans = &set},
        {.flows = &no_local, .n_flows = 1, .dir = FRAME_DIR_IN},
        {.flows = flows, .n_flows = 2, .dir = FRAME_DIR_OUT, .vlans = &wild},
        {.dir = FRAME_DIR_IN},
        {.vlans = &set},
    };
    for (size_t i = 0; i < 2 * sizeof(confs) / sizeof(confs[0]); i++) {
        compare_on("va", "vb", &confs[i / 2], &flows[i % 2]);
        compare_on("vb", "va", &confs[i / 2], &flows[i % 2]);
        compare_on("lo", "lo", &confs[i / 2], &flows[i % 2]);
    }
}

/* The largest program that a VLAN set can make is within what the kernel gives a socket. */
static void the_kernel_takes_the_largest_set(void **state)
{
    (void)state;
    static struct sock_filter prog[BPFSEL_MAX];
    struct vlan_set set;
    for (unsigned i = 0; i < VLAN_IDS / 64; i++) {
        set.bits[i] = i + UINT64_C(0x5000000030000000);
    }
    unsigned n = 0;
    struct bpfsel_conf conf = {
        .vlans = &set, .no_links = true, .flows = flows, .n_flows = 2, .dir = FRAME_DIR_IN};
    assert_int_equal(bpfsel_make(&conf, prog, &n, NULL), 0);
    assert_true(n > 400 && n < 800);
    close(socket_on("va", prog, n));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decides_in_the_kernel),
        cmocka_unit_test(the_kernel_takes_the_largest_set),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
