/* SPDX-License-Identifier: Apache-2.0
 *
 * Super-packets (GSO) in tap flows: they are counted as the frames that a wire has of them. The
 * judge is the kernel's own cutting: the destination's offloads are off, so frames and bytes that
 * arrive behind it are what the counters have to say.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "node/test_peer.h"
#include "sys/ring_testing.h"

static int setup(void **state)
{
    const int r = make_peer(state);
    sh("ethtool -K da tso off gso off tx off txvlan off >/dev/null");
    return r;
}

/* Datagrams that the kernel cuts out of one: 20 of 1000 bytes and one of 100. */
static void datagrams(const char *to)
{
    static uint8_t buf[20100];
    struct sockaddr_in6 there = address(to);
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), size = 1000;
    assert_int_equal(setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size)), 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(sendto(fd, buf, sizeof(buf), 0, (struct sockaddr *)&there, sizeof(there)),
                         sizeof(buf));
    }
    close(fd);
}

static void counted_as_cut(bool egress, const char *to, bool udp)
{
    const struct ebpf_taps_flow all = {.counter = 0};
    struct linkcount before = link_of("db"), now, port = link_of("ga");
    int map = counters(), at = taps_on("ga", egress, "da", map, &all, 1);
    if (udp) {
        datagrams(to);
    } else {
        transfer(to);
    }
    struct ebpf_taps_count c = count_of(map, 0);
    for (struct mono end = deadline_s(5);; not_after(end)) {
        now = link_of("db");
        struct ebpf_taps_count last = c;
        c = count_of(map, 0);
        if (last.frames == c.frames && now.rx_packets - before.rx_packets >= c.frames) {
            break;
        }
    }
    uint64_t packets = egress ? link_of("ga").tx_packets - port.tx_packets
                              : link_of("ga").rx_packets - port.rx_packets;
    print_message("%s %s: %llu packets, %llu frames of %llu bytes; cut: %llu of %llu\n",
                  egress ? "to" : "from", to, (unsigned long long)packets,
                  (unsigned long long)c.frames, (unsigned long long)c.bytes,
                  (unsigned long long)(now.rx_packets - before.rx_packets),
                  (unsigned long long)(now.rx_bytes - before.rx_bytes));
    assert_true(c.frames > 2 * packets); /* else there was nothing to cut */
    assert_int_equal(c.frames, now.rx_packets - before.rx_packets);
    assert_int_equal(c.bytes, now.rx_bytes - before.rx_bytes);
    assert_int_equal(c.failed_other + c.failed_big + c.failed_full, 0);
    taps_off(at, "ga", egress);
    close(map);
}

static void tcp_is_counted_as_it_is_cut(void **state)
{
    (void)state;
    for (int egress = 0; egress < 2; egress++) {
        counted_as_cut(egress, "::ffff:10.8.0.2", false);
        counted_as_cut(egress, "fd08::2", false);
    }
}

static void udp_is_counted_as_it_is_cut(void **state)
{
    (void)state;
    counted_as_cut(true, "::ffff:10.8.0.2", true);
    counted_as_cut(true, "fd08::2", true);
}

/* Of a virtual machine's card: how many frames a packet is of is left open there. With a tag, which
 * is in the frame where it goes out by va and beside it where it comes in by vb. */
static void packets_of_machines(void **state)
{
    (void)state;
    static const uint32_t payloads[] = {60000, 2800, 1401, 1500};
    static uint8_t buf[1 << 17];
    const struct ebpf_taps_flow all = {.counter = 0};
    int tx = sender_on("va", 1);
    for (unsigned i = 0; i < 4 * ARRAY_SIZE(payloads); i++) {
        bool egress = i & 1, tagged = i & 2;
        const char *port = egress ? "va" : "vb";
        int map = counters(), at = taps_on(port, egress, "da", map, &all, 1);
        struct linkcount before = link_of("db");
        uint32_t payload = payloads[i / 4], frames = (payload + 1399) / 1400;
        send_all(tx, buf, super_packet(buf, tagged, payload));
        for (struct mono end = deadline_s(5); link_of("db").rx_packets < before.rx_packets + frames;
             not_after(end)) {
        }
        struct linkcount now = link_of("db");
        struct ebpf_taps_count c = count_of(map, 0);
        assert_int_equal(now.rx_packets - before.rx_packets, frames);
        assert_int_equal(c.frames, frames);
        assert_int_equal(c.bytes, now.rx_bytes - before.rx_bytes);
        assert_int_equal(c.bytes, payload + frames * (tagged ? 58 : 54));
        taps_off(at, port, egress);
        close(map);
    }
    close(tx);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tcp_is_counted_as_it_is_cut),
        cmocka_unit_test(udp_is_counted_as_it_is_cut),
        cmocka_unit_test(packets_of_machines),
    };
    return cmocka_run_group_tests(tests, setup, end_peer);
}
