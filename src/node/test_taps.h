/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: programs of tap flows at work on a veth pair, va and vb of sys/test_net.h, and a
 * second pair, da and db, as their destination: copies go out by da and are seen on db.
 */
#pragma once

#include <linux/filter.h>
#include <net/if_arp.h>

#include "base/sockmark.h"
#include "proto/ebpf_taps.h"
#include "sys/bpf.h"
#include "sys/linkcount.h"
#include "sys/test_net.h"

enum {
    ROWS = 16,
    SEEN_MAX = 70000,
};

static inline struct linkcount link_of(const char *name)
{
    struct linkcount c = {0};
    _cleanup_(closep) int fd = -1;
    assert_int_equal(linkcount_open(&fd, NULL), 0);
    (void)linkcount_read(fd, name, &c); /* it may be gone */
    return c;
}

/* The kernel puts a queue before an interface, or takes it off, some time after a carrier has come
 * or gone. */
static inline void wait_for_carrier(const char *name, bool up)
{
    for (struct mono end = deadline_s(5); link_of(name).up != up; not_after(end)) {
    }
}

static inline int taps_namespace(void **state)
{
    if (own_namespace(state) < 0) {
        return -1;
    }
    sh("ip link add da mtu 9000 type veth peer name db mtu 9000");
    quiet_and_up("da");
    quiet_and_up("db");
    wait_for_carrier("va", true);
    wait_for_carrier("vb", true);
    wait_for_carrier("da", true);
    wait_for_carrier("db", true);
    return 0;
}

static inline int counters(void)
{
    struct error err = {""};
    int map = bpf_map_create("farspan_test", sizeof(struct ebpf_taps_count), ROWS, &err);
    if (map < 0) {
        fail_msg("%s", err.text);
    }
    return map;
}

static inline struct ebpf_taps_count count_of(int map, uint32_t row)
{
    struct ebpf_taps_count c;
    struct error err = {""};
    if (bpf_map_sum(map, row, (uint64_t *)&c, sizeof(c), &err) < 0) {
        fail_msg("%s", err.text);
    }
    return c;
}

/* A program of these flows, from one side to the interface `to`. */
static inline int taps_program(bool egress, const char *to, int map,
                               const struct ebpf_taps_flow *flows, unsigned n)
{
    static struct bpf_insn code[EBPF_TAPS_ROOM];
    struct error err = {""};
    const struct ebpf_taps conf = {.egress = egress,
                                   .hatype = ARPHRD_ETHER,
                                   .mark = SOCKMARK_COPY,
                                   .to = (uint32_t)index_of(to),
                                   .longest = 9014,
                                   .map_fd = map,
                                   .flows = flows,
                                   .n_flows = n};
    unsigned len = 0;
    int prog = ebpf_taps_make(&conf, code, EBPF_TAPS_ROOM, &len, &err);
    prog = prog < 0 ? prog : bpf_prog_load("farspan_test", code, len, &err);
    if (prog < 0) {
        fail_msg("%s", err.text);
    }
    return prog;
}

/* Attaches such a program: the descriptor of its place. */
static inline int taps_on(const char *port, bool egress, const char *to, int map,
                          const struct ebpf_taps_flow *flows, unsigned n)
{
    struct error err = {""};
    int prog = taps_program(egress, to, map, flows, n);
    int at = bpf_attach(prog, index_of(port), egress, &err);
    if (at < 0) {
        fail_msg("%s", err.text);
    }
    close(prog);
    return at;
}

/* Ends it, and waits until it is gone. */
static inline void taps_off(int at, const char *port, bool egress)
{
    struct bpf_chain c = {.n = 1};
    close(at);
    for (struct mono end = deadline_s(5); c.n > 0; not_after(end)) {
        assert_int_equal(bpf_chain(index_of(port), egress, &c, NULL), 0);
    }
}

/* Sees what passes the interface in that direction, and the classic filter, if there is one. */
static inline int watch(const char *name, bool outgoing, const struct sock_filter *insns,
                        unsigned n)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), on = 1;
    int size = 64 << 20;
    assert_true(fd >= 0);
    struct sock_fprog prog = {(unsigned short)n, (struct sock_filter *)insns};
    if (n > 0) {
        assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog)), 0);
    }
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)), 0);
    if (!outgoing) {
        assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)), 0);
    }
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)), 0);
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = index_of(name)};
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

struct seen {
    uint8_t data[SEEN_MAX];
    uint32_t len;
};

/* The next frame that was seen, with a tag beside it put back; false: none within `ms`. */
static inline bool see(int fd, struct seen *s, int ms)
{
    if (poll(&(struct pollfd){fd, POLLIN, 0}, 1, ms) != 1) {
        return false;
    }
    union {
        char buf[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {s->data, sizeof(s->data) - 4};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = &control,
                       .msg_controllen = sizeof(control)};
    ssize_t n = recvmsg(fd, &m, 0);
    const struct cmsghdr *cm = CMSG_FIRSTHDR(&m);
    if (n < 14 || !cm) {
        fail_msg("a packet socket gave no whole frame");
        return false;
    }
    struct tpacket_auxdata aux;
    memcpy(&aux, CMSG_DATA(cm), sizeof(aux));
    s->len = (uint32_t)n;
    if (aux.tp_status & TP_STATUS_VLAN_VALID) {
        memmove(s->data + 16, s->data + 12, s->len - 12);
        struct wr w = wr_make(s->data + 12, 4);
        wr_u16(&w, aux.tp_vlan_tpid);
        wr_u16(&w, aux.tp_vlan_tci);
        s->len += 4;
    }
    return true;
}

/* Frames that wait in the socket. */
static inline unsigned waiting(int fd)
{
    static struct seen s;
    unsigned n = 0;
    while (see(fd, &s, 0)) {
        n++;
    }
    return n;
}
