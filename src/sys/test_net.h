/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a network namespace of the test's own with a pair of interfaces, frames to send
 * through them, and waiting with a deadline.
 */
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/time.h"
#include "sys/netif.h"

/* Runs a command of iproute2 and the like; ends the test when it fails. */
static inline void sh(const char *command)
{
    if (system(command) != 0) {
        fail_msg("failed: %s", command);
    }
}

static inline int index_of(const char *name)
{
    int i = (int)if_nametoindex(name);
    assert_true(i > 0);
    return i;
}

static inline void quiet_and_up(const char *name)
{
    struct error err = {""};
    if (netif_set(index_of(name), &(struct netif_set){.silent = true, .up = true}, &err) < 0) {
        fail_msg("%s", err.text);
    }
}

/* A new namespace with lo up and veth va <-> vb, MTU 9000, on which the host itself is silent. */
static inline int own_namespace(void **state)
{
    (void)state;
    if (unshare(CLONE_NEWNET) < 0) {
        return -1;
    }
    sh("ip link set lo up && ip link add va mtu 9000 type veth peer name vb mtu 9000");
    quiet_and_up("va");
    quiet_and_up("vb");
    return 0;
}

static inline int sender_on(const char *name, int vnet)
{
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = index_of(name)};
    assert_int_equal(bind(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &vnet, sizeof(vnet)), 0);
    return fd;
}

static inline void send_all(int fd, const void *p, size_t n)
{
    while (send(fd, p, n, 0) != (ssize_t)n) {
        assert_true(errno == ENOBUFS || errno == EAGAIN);
        struct pollfd pfd = {fd, POLLOUT, 0};
        poll(&pfd, 1, 10);
    }
}

/* Frame number `i`: 64 to 9014 bytes, in turn without a tag, with one, with two. Gives its length.
 * `to` has room for 9100 bytes. */
static inline uint32_t mixed_frame(uint8_t *to, uint32_t i)
{
    struct wr w = wr_make(to, 9100);
    wr_copy(&w, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
    if (i % 4 == 1 || i % 4 == 2) {
        wr_u16(&w, i % 8 < 4 ? 0x8100 : 0x88a8);
        wr_u16(&w, (uint16_t)(i * 7));
    }
    if (i % 4 == 2) {
        wr_u16(&w, 0x8100);
        wr_u16(&w, (uint16_t)(i * 3));
    }
    wr_u16(&w, 0x88b5);
    wr_u32(&w, i);
    uint32_t len = i % 5 == 0 ? 64 : i % 5 == 1 ? 9014 : 64 + i * 2654435761U % 1460;
    for (uint32_t at = (uint32_t)wr_len(&w); at < len; at++) {
        to[at] = (uint8_t)(at * 31 + i);
    }
    return len;
}

/* A TAP or TUN device of the test's own that goes with its descriptor. */
static inline int tun_device(const char *name, int flags)
{
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    assert_true(fd >= 0);
    struct ifreq ifr = {.ifr_flags = (short)(flags | IFF_NO_PI)};
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
    assert_int_equal(ioctl(fd, TUNSETIFF, &ifr), 0);
    quiet_and_up(name);
    return fd;
}

static inline struct mono deadline_s(int s)
{
    return mono_add_ms(mono_now(), s * 1000);
}

static inline void not_after(struct mono deadline)
{
    if (mono_due(mono_now(), deadline)) {
        fail_msg("waited in vain");
    }
}
