/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of the capture ring share.
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
