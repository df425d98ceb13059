/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the capture ring (ring_test.c, ring_super_test.c, data/source/ring_test.c):
 * rings that let everything pass, their batches, and super-packets.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sys/ring.h"
#include "sys/test_net.h"

static const struct sock_filter accept_all = {BPF_RET | BPF_K, 0, 0, FRAME_LEN_MAX};

/* A ring that is attached and lets everything pass. */
static inline struct ring *ring_on(const struct ring_conf *conf)
{
    struct error err = {""};
    struct ring *r = NULL;
    int fd = -1;
    if (ring_open(conf, &fd, &err) < 0 || ring_attach(fd, conf, &r, &err) < 0 ||
        ring_set_filter(r, &accept_all, 1, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return r;
}

static inline void wait_readable(const struct ring *r, int ms)
{
    struct pollfd p = {ring_fd(r), POLLIN, 0};
    poll(&p, 1, ms);
}

/* The next single batch, waiting for it. */
static inline unsigned next_batch(struct ring *r, struct batch *b, struct ring_skips *skips)
{
    struct mono end = deadline_s(5);
    for (;;) {
        unsigned n = ring_read(r, b, skips);
        if (n) {
            return n;
        }
        not_after(end);
        wait_readable(r, 20);
    }
}

static inline void assert_frame(const struct frame *f, const uint8_t *want, uint32_t len)
{
    static uint8_t got[1 << 17];
    assert_int_equal(f->caplen, len);
    frame_copy(f, 0, got, f->caplen);
    assert_memory_equal(got, want, len);
}

/* A TCP super-packet of IPv4, tagged or not, with its header of offloads. Gives the length. */
static inline uint32_t super_packet(uint8_t *to, bool tagged, uint32_t payload)
{
    struct virtio_net_hdr h = {.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                               .gso_type = VIRTIO_NET_HDR_GSO_TCPV4,
                               .hdr_len = (uint16_t)(tagged ? 58 : 54),
                               .gso_size = 1400,
                               .csum_start = (uint16_t)(tagged ? 38 : 34),
                               .csum_offset = 16};
    struct wr w = wr_make(to, payload + 100);
    wr_copy(&w, &h, sizeof(h));
    wr_copy(&w, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
    if (tagged) {
        wr_u32(&w, 0x81000064);
    }
    wr_u16(&w, 0x0800);
    wr_u16(&w, 0x4500);
    wr_u16(&w, (uint16_t)(40 + payload));
    wr_copy(&w, "\0\0\x40\0\x40\6\0\0\x0a\0\0\1\x0a\0\0\2", 16);
    wr_copy(&w, "\0\x50\0\x51\0\0\0\1\0\0\0\1\x50\x10\xff\xff\0\0\0\0", 20);
    for (uint32_t i = 0; i < payload; i++) {
        wr_u8(&w, (uint8_t)(i * 13));
    }
    assert_true(wr_ok(&w));
    return (uint32_t)wr_len(&w);
}
