/* SPDX-License-Identifier: Apache-2.0
 *
 * Super-packets in the capture ring: what the kernel tells of them, what it cannot tell, and how
 * long they may be.
 */
#include "sys/ring_testing.h"

static void super_packets_keep_their_offloads(void **state)
{
    (void)state;
    static uint8_t buf[1 << 17];
    _cleanup_(ring_freep) struct ring *r = ring_on(&(struct ring_conf){.ifindex = index_of("vb")});
    int tx = sender_on("va", 1);
    struct batch b;
    struct ring_skips skips = {0};
    for (int tagged = 0; tagged < 2; tagged++) {
        uint32_t len = super_packet(buf, tagged, 60000);
        send_all(tx, buf, len);
        assert_int_equal(next_batch(r, &b, &skips), 1);
        const struct frame *f = &b.f[0];
        assert_frame(f, buf + sizeof(struct virtio_net_hdr), len - 10);
        assert_int_equal(f->gso_type, VIRTIO_NET_HDR_GSO_TCPV4);
        assert_int_equal(f->gso_size, 1400);
        assert_int_equal(f->vnet_flags & VIRTIO_NET_HDR_F_NEEDS_CSUM, 1);
        assert_int_equal(f->csum_start, tagged ? 38 : 34);
        assert_int_equal(f->csum_offset, 16);
        assert_int_equal(f->ins_len, tagged ? 4 : 0);
    }
    close(tx);
}

/* UDP fragmentation offload can come from a guest by a TAP device, and the header of offloads that
 * the kernel writes into the ring has no word for it: it takes room and then drops the frame. */
static void frames_the_kernel_cannot_describe(void **state)
{
    (void)state;
    int tap = tun_device("t0", IFF_TAP | IFF_VNET_HDR);
    _cleanup_(ring_freep) struct ring *r = ring_on(&(struct ring_conf){.ifindex = index_of("t0")});
    static uint8_t buf[1 << 17];
    uint32_t len = super_packet(buf, false, 8000);
    buf[10 + 23] = 17;
    buf[1] = VIRTIO_NET_HDR_GSO_UDP;
    buf[8] = 6;
    assert_int_equal(write(tap, buf, len), len);
    memset(buf, 0, 10);
    assert_int_equal(write(tap, buf, 100), 100);
    struct batch b;
    struct ring_skips skips = {0};
    uint64_t read = 0, seen, dropped;
    struct mono end = deadline_s(5);
    while (read == 0) {
        unsigned n = next_batch(r, &b, &skips);
        read += n;
        not_after(end);
    }
    assert_frame(&b.f[0], buf + 10, 90);
    assert_int_equal(ring_stats(r, &seen, &dropped), 0);
    assert_int_equal(read, 1);
    assert_int_equal(seen, 2);
    assert_int_equal(dropped, 1);
    assert_int_equal(skips.unfilled, 1);
    assert_int_equal(skips.bad, 0);
    close(tap);
}

/* A frame that no block can hold is cut short, tells its length, and is counted. Where the
 * interface's limits are known, blocks are made large enough for it. */
static void blocks_fit_what_may_come(void **state)
{
    (void)state;
    enum { PAYLOAD = 300000 };
    static uint8_t buf[1 << 19];
    const uint32_t longest[] = {0, 524280};
    int tap = tun_device("t0", IFF_TAP | IFF_VNET_HDR);
    for (int i = 0; i < 2; i++) {
        const struct ring_conf conf = {.ifindex = index_of("t0"), .longest = longest[i]};
        _cleanup_(ring_freep) struct ring *r = ring_on(&conf);
        static struct batch b;
        struct ring_skips skips = {0};
        uint32_t len = super_packet(buf, false, PAYLOAD) - 10;
        assert_int_equal(write(tap, buf, len + 10), len + 10);
        assert_int_equal(next_batch(r, &b, &skips), 1);
        assert_int_equal(b.f[0].origlen, len);
        assert_int_equal(skips.clamped, i == 0);
        if (i == 0) {
            assert_in_range(b.f[0].caplen, RING_BLOCK_DEFAULT - 4096, RING_BLOCK_DEFAULT - 1);
        } else {
            assert_int_equal(b.f[0].caplen, len);
        }
        assert_memory_equal(b.f[0].data, buf + 10, b.f[0].caplen);
    }
    close(tap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(super_packets_keep_their_offloads),
        cmocka_unit_test(frames_the_kernel_cannot_describe),
        cmocka_unit_test(blocks_fit_what_may_come),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
