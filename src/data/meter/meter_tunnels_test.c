/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames in tunnels, made by hand, in a meter that looks into them: the flows of each tunnel, and
 * what is known of those around them. Headers are proto/packet_inner_test.c's affair.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"
#include "data/meter/meter.h"
#include "data/meter/testing.h"

enum {
    GRE_LEN = TESTING_UDP + 20 + 8,
};

/* The same as make(), in GRE with a key, from 192.0.n.1 to 192.0.n.2 or back; n has 16 bits. */
static void make_gre(uint8_t d[GRE_LEN], uint32_t key, uint16_t n, bool back, uint16_t frag)
{
    uint8_t inside[TESTING_UDP];
    testing_udp(d, back, IPPROTO_GRE, 0);
    testing_udp(inside, back, IPPROTO_UDP, frag);
    struct wr w = wr_make(d + TESTING_ETHER + 12, GRE_LEN - TESTING_ETHER - 12);
    for (unsigned i = 0; i < 2; i++) {
        wr_u8(&w, 192);
        wr_u16(&w, n);
        wr_u8(&w, (i == 0) == back ? 2 : 1);
    }
    wr_u16(&w, 0x2000);
    wr_u16(&w, 0x0800);
    wr_u32(&w, key);
    wr_copy(&w, inside + TESTING_ETHER, TESTING_UDP - TESTING_ETHER);
    assert_true(wr_ok(&w) && wr_left(&w) == 0);
    d[TESTING_ETHER + 3] = GRE_LEN - TESTING_ETHER;
}

/* The same addresses in two tunnels are two flows; both directions are one, also where others are
 * around them than around the first packet. */
static void tenants_are_kept_apart(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t d[5][GRE_LEN];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .inner = true});
    make_gre(d[0], 7, 1, true, 0);
    make_gre(d[1], 8, 1, true, 0);
    make_gre(d[2], 7, 1, false, 0);
    make_gre(d[3], 7, 2, true, 0);
    testing_udp(d[4], true, IPPROTO_UDP, 0);
    for (unsigned i = 0; i < 5; i++) {
        testing_add(&w, d[i], i == 4 ? TESTING_UDP : GRE_LEN, 0);
    }
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 4);
    const struct flowrec *r = w.k->r; /* in the order of their last packets */
    assert_true(r[0].tunnel == TUNNEL_GRE_KEY && r[0].tunnel_id == 8 && r[0].packets == 1);
    assert_true(r[1].tunnel == TUNNEL_GRE_KEY && r[1].tunnel_id == 7 && r[1].packets == 2);
    assert_true(r[2].tunnel == TUNNEL_GRE_KEY && r[2].tunnel_id == 7 && r[2].packets == 1);
    assert_true(r[3].tunnel == TUNNEL_NONE && r[3].outer_version == 0);
    for (unsigned i = 0; i < 4; i++) {
        assert_true(r[i].bytes == 28 * r[i].packets && r[i].port[i != 2] == 4000);
    }
    assert_memory_equal(r[1].outer[0], "\xc0\0\1\2\0", 5);
    assert_memory_equal(r[1].outer[1], "\xc0\0\1\1\0", 5);
    assert_memory_equal(r[2].outer[0], "\xc0\0\1\1\0", 5);
    assert_memory_equal(r[2].outer[1], "\xc0\0\1\2\0", 5);
    assert_int_equal(r[2].outer_version, 4);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_TUNNELLED), 4);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_OUTERS), 0);
    testing_done(&w);
}

/* Fragments of one tunnel are none of another's. */
static void fragments_in_tunnels(void **state)
{
    (void)state;
    static struct testing w;
    uint8_t d[4][GRE_LEN];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .inner = true});
    make_gre(d[0], 0, 1, false, 0x2000);
    make_gre(d[1], 8, 1, false, 0x0003);
    make_gre(d[2], 0, 1, false, 0x0003);
    testing_udp(d[3], false, IPPROTO_UDP, 0x0003);
    for (unsigned i = 0; i < 4; i++) {
        testing_add(&w, d[i], i == 3 ? TESTING_UDP : GRE_LEN, 0);
    }
    testing_pass(&w);
    testing_end(&w);
    const struct flowrec *r = w.k->r;
    assert_int_equal(w.k->n, 3);
    assert_true(r[0].tunnel_id == 8 && r[0].port[0] == 0);
    assert_true(r[1].tunnel_id == 0 && r[1].port[0] == 4000 && r[1].packets == 2);
    assert_true(r[2].tunnel == TUNNEL_NONE && r[2].port[0] == 0);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_FRAGMENTS), 2);
    testing_done(&w);
}

/* More tunnels than there is room for: the flows are kept apart, without the addresses around them;
 * tunnels that are gone give their room back. */
static void more_tunnels_than_there_is_room_for(void **state)
{
    (void)state;
    enum { MORE = 100 };
    static struct testing w;
    static uint8_t d[BATCH_MAX][GRE_LEN];
    testing_begin(&w, (struct meter_sink_conf){.flows = 1 << 17, .inner = true});
    for (uint32_t i = 0; i < 65535 + MORE; i++) {
        make_gre(d[w.b.n], i, (uint16_t)i, false, 0);
        d[w.b.n][TESTING_ETHER + 12] += (uint8_t)(i >> 16);
        testing_add(&w, d[w.b.n], GRE_LEN, 0);
        if (w.b.n == BATCH_MAX) {
            testing_pass(&w);
        }
    }
    testing_pass(&w);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_OUTERS), MORE);
    w.now_ns += 15 * NSEC_PER_SEC;
    make_gre(d[0], 1, 1, false, 0);
    d[0][TESTING_ETHER + 12] += 2;
    testing_add(&w, d[0], GRE_LEN, 0);
    testing_pass(&w);
    assert_int_equal(w.k->n, 65535 + MORE);
    assert_true(w.k->r[0].outer_version == 4 && w.k->r[0].tunnel_id == 0);
    const struct flowrec *last = &w.k->r[TESTING_RECORDS - 1];
    assert_int_equal(last->tunnel_id, 65535 + MORE - 1);
    assert_true(last->tunnel == TUNNEL_GRE_KEY && last->outer_version == 0 && last->packets == 1);
    testing_end(&w);
    assert_int_equal(w.k->n, 65535 + MORE + 1);
    assert_int_equal(last->outer_version, 4);
    assert_int_equal(testing_count(&w, 0, LEDGER_MET_OUTERS), MORE);
    testing_done(&w);
}

/* A super-packet of TCP in GRE, as the kernel has it: 1000 bytes for 3 packets of the wire. What is
 * inside the TCP or UDP that is divided is no tunnel. */
static void super_packets_in_tunnels(void **state)
{
    (void)state;
    enum {
        HEADERS = 20 + 20,
        PAYLOAD = 1000,
        AT = TESTING_ETHER + 20 + 4, /* of the inner packet */
        LEN = AT + HEADERS + PAYLOAD,
    };
    static struct testing w;
    uint8_t d[LEN] = {0}, inside[TESTING_UDP];
    for (unsigned inner = 0; inner < 2; inner++) {
        testing_begin(&w, (struct meter_sink_conf){.flows = 100, .inner = inner});
        testing_udp(d, true, IPPROTO_GRE, 0);
        memcpy(d + TESTING_ETHER + 20, "\0\0\x08\0", 4);
        testing_udp(inside, false, IPPROTO_TCP, 0);
        memcpy(d + AT, inside + TESTING_ETHER, TESTING_UDP - TESTING_ETHER);
        st_u16(d + TESTING_ETHER + 2, LEN - TESTING_ETHER);
        st_u16(d + AT + 2, LEN - AT);
        d[AT + 20 + 12] = 0x50;
        d[AT + 20 + 13] = 0x10;
        struct frame *f = testing_add(&w, d, LEN, 0);
        f->gso_type = 1;
        f->gso_size = 400;
        f->vnet_flags = 1;
        f->csum_start = AT + 20;
        f->csum_offset = 16;
        testing_pass(&w);
        testing_end(&w);
        assert_int_equal(w.k->n, 1);
        assert_int_equal(w.k->r[0].tunnel, inner ? TUNNEL_GRE : TUNNEL_NONE);
        assert_int_equal(w.k->r[0].packets, 3);
        assert_int_equal(w.k->r[0].bytes, 3 * (HEADERS + (inner ? 0 : 24)) + PAYLOAD);
        testing_done(&w);
    }
}

/* Several datagrams of a tunnel in one, which are divided at its own header: one of the packets in
 * them is not for all. */
static void super_packets_of_tunnels(void **state)
{
    (void)state;
    enum { VXLAN = 8 + 8, LEN = TESTING_UDP + VXLAN - 8 + TESTING_UDP, MORE = 900 };
    static struct testing w;
    uint8_t d[LEN + MORE] = {0}, inside[TESTING_UDP];
    testing_begin(&w, (struct meter_sink_conf){.flows = 100, .inner = true});
    testing_udp(d, false, IPPROTO_UDP, 0);
    st_u16(d + TESTING_ETHER + 2, LEN + MORE - TESTING_ETHER);
    st_u16(d + TESTING_ETHER + 22, 4789);
    st_u16(d + TESTING_ETHER + 24, LEN + MORE - TESTING_ETHER - 20);
    d[TESTING_UDP] = 8;
    testing_udp(inside, false, IPPROTO_UDP, 0);
    memcpy(d + TESTING_UDP + 8, inside, TESTING_UDP);
    struct frame *f = testing_add(&w, d, LEN + MORE, 0);
    f->gso_type = 5;
    f->gso_size = 475;
    f->vnet_flags = 1;
    f->csum_start = TESTING_ETHER + 20;
    f->csum_offset = 6;
    testing_add(&w, d, LEN + MORE, 0); /* and the same datagram, whole */
    testing_pass(&w);
    testing_end(&w);
    assert_int_equal(w.k->n, 2);
    const uint64_t payload = LEN + MORE - TESTING_UDP, packets = (payload + 474) / 475;
    assert_true(w.k->r[0].tunnel == TUNNEL_NONE && w.k->r[0].packets == packets);
    assert_int_equal(w.k->r[0].bytes, 28 * packets + payload);
    assert_true(w.k->r[1].tunnel == TUNNEL_VXLAN && w.k->r[1].packets == 1);
    testing_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tenants_are_kept_apart),
        cmocka_unit_test(fragments_in_tunnels),
        cmocka_unit_test(more_tunnels_than_there_is_room_for),
        cmocka_unit_test(super_packets_in_tunnels),
        cmocka_unit_test(super_packets_of_tunnels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
