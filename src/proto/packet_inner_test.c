/* SPDX-License-Identifier: Apache-2.0
 *
 * Packets in tunnels, in frames of words (proto/testing.h): whole, cut at every length, and with
 * things inside that are no packets. The network tests have tshark as the judge of the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/packet.h"
#include "proto/testing.h"

/* Whose innermost packet is in that tunnel; its IP headers are numbered, in their addresses. */
static const struct {
    const char *words;
    enum tunnel_kind kind;
    uint32_t id;
} shapes[] = {
    {"eth ip ip tcp", TUNNEL_IP, 0},
    {"eth ip ip6 udp", TUNNEL_IP, 0},
    {"eth ip6 ip udp", TUNNEL_IP, 0},
    {"eth ip6 dst ip6 hop tcp", TUNNEL_IP, 0},
    {"eth ip-options ip ip6 ip tcp", TUNNEL_IP, 0},
    {"eth ip vxlan eth ip tcp", TUNNEL_VXLAN, 77},
    {"eth vlan ip vxlan eth vlan ip tcp-options", TUNNEL_VXLAN, 77},
    {"eth ip6 vxlan eth ip6 udp", TUNNEL_VXLAN, 77},
    {"eth ip vxlan8472 eth ip udp", TUNNEL_VXLAN, 77},
    {"eth ip vxlan eth ip-later - udp", TUNNEL_VXLAN, 77},
    {"eth ip vxlan eth ip6 first udp", TUNNEL_VXLAN, 77},
    {"eth ip gpe-eth eth ip udp", TUNNEL_GPE, 77},
    {"eth ip gpe-frame eth ip6 tcp", TUNNEL_GPE, 77},
    {"eth ip gpe-ip ip udp", TUNNEL_GPE, 77},
    {"eth ip6 gpe-ip6 ip6 udp", TUNNEL_GPE, 77},
    {"eth ip geneve eth ip udp", TUNNEL_GENEVE, 77},
    {"eth ip geneve ip tcp", TUNNEL_GENEVE, 77},
    {"eth ip6 geneve-options ip6 udp", TUNNEL_GENEVE, 77},
    {"eth ip geneve-options eth vlan ip6 tcp", TUNNEL_GENEVE, 77},
    {"eth ip gtpu ip tcp", TUNNEL_GTPU, 0x87654321},
    {"eth ip gtpu-s ip6 udp", TUNNEL_GTPU, 0x87654321},
    {"eth ip6 gtpu-e ip tcp", TUNNEL_GTPU, 0x87654321},
    {"eth ip gre ip udp", TUNNEL_GRE, 0},
    {"eth ip gre-c ip6 tcp", TUNNEL_GRE, 0},
    {"eth ip gre-s eth ip udp", TUNNEL_GRETAP, 0},
    {"eth ip gre-k eth ip tcp", TUNNEL_GRETAP_KEY, 0x1234},
    {"eth ip gre-cks eth qinq vlan ip udp", TUNNEL_GRETAP_KEY, 0x1234},
    {"eth qinq vlan ip-options gre-ks ip tcp", TUNNEL_GRE_KEY, 0x1234},
    {"eth ip erspan1 eth ip tcp", TUNNEL_ERSPAN1, 0},
    {"eth ip erspan2 eth ip udp", TUNNEL_ERSPAN, 1},
    {"eth ip6 erspan2-tag eth ip tcp", TUNNEL_ERSPAN, 1},
    {"eth vlan ip erspan2 eth vlan ip6 udp", TUNNEL_ERSPAN, 1},
    {"eth ip erspan3 eth ip tcp", TUNNEL_ERSPAN, 1},
    {"eth ip erspan3-sub eth ip6 udp", TUNNEL_ERSPAN, 1},
    {"eth ip erspan3-ip ip6 udp", TUNNEL_ERSPAN, 1},
    {"eth ip erspan2 eth ip vxlan eth ip gre ip tcp", TUNNEL_GRE, 0},
    {"eth ip gtpu ip6 geneve eth ip ip tcp", TUNNEL_IP, 0},
    {"eth ip vxlan eth ip vxlan eth ip vxlan eth ip vxlan eth ip6 tcp", TUNNEL_VXLAN, 77},
};

static int read_made(const struct made *m, size_t len, struct packet *ret, struct packet_tunnel *t)
{
    return packet_read_inner(PACKET_ETHERNET, m->d, len, m->len, PACKET_TUNNELS, ret, t);
}

/* The number of an IP header by its addresses. */
static unsigned number(const uint8_t *addr)
{
    return addr[1];
}

static size_t addr_len(uint8_t version)
{
    return version == 4 ? 4 : 16;
}

static void finds_the_innermost_packet(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    struct packet_tunnel t;
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        testing_make(&m, shapes[i].words);
        assert_int_equal(read_made(&m, m.len, &p, &t), 0);
        if (t.kind != shapes[i].kind || t.id != shapes[i].id || p.addr[0] != m.d + m.addr) {
            fail_msg("%s: kind %d, id %u, IP header %u", shapes[i].words, (int)t.kind, t.id,
                     number(p.addr[0]));
        }
        assert_int_equal(tunnel_has_id(t.kind), t.id != 0);
        assert_int_equal(p.version == 4, m.family == AF_INET);
        assert_ptr_equal(p.addr[1], p.addr[0] + addr_len(p.version));
        assert_int_equal(p.proto, m.d[m.proto]);
        assert_int_equal(p.fragment, m.fragment);
        assert_int_equal(p.bytes, m.len - m.addr + (p.version == 4 ? 12 : 8));
        if (!m.fragment) {
            assert_true(p.port[0] == TESTING_SPORT && p.port[1] == TESTING_DPORT);
        }
        assert_int_equal(p.tcp_flags, p.proto == IPPROTO_TCP ? 0x10 : 0);
        assert_ptr_equal(p.mac[0], m.d);
        assert_int_equal(number(t.addr[0]), number(p.addr[0]) - 1);
        assert_ptr_equal(t.addr[1], t.addr[0] + addr_len(t.version));
        assert_true(t.addr[1] < p.addr[0]);
        struct packet outer;
        assert_int_equal(packet_read(PACKET_ETHERNET, m.d, m.len, m.len, &outer), 0);
        assert_int_equal(number(outer.addr[0]), 0);
    }
}

/* An IP header counts as soon as it is there with all that is before it. */
static void cut_anywhere(void **state)
{
    (void)state;
    struct made m;
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        testing_make(&m, shapes[i].words);
        unsigned deepest = 0;
        bool any = false;
        for (size_t n = 0; n <= m.len; n++) {
            struct packet p;
            struct packet_tunnel t;
            _cleanup_(freep) uint8_t *exact = malloc(n ? n : 1); /* for ASan */
            memcpy(exact, m.d, n);
            if (packet_read_inner(PACKET_ETHERNET, exact, n, m.len, PACKET_TUNNELS, &p, &t) < 0) {
                assert_false(any);
                continue;
            }
            const unsigned is = number(p.addr[0]);
            if (!any || is != deepest) {
                assert_int_equal(is, any ? deepest + 1 : 0);
                assert_int_equal((size_t)(p.addr[1] - exact) + addr_len(p.version), n);
            }
            assert_int_equal(t.kind != TUNNEL_NONE, is > 0);
            any = true;
            deepest = is;
        }
        assert_int_equal(deepest, number(m.d + m.addr));
    }
}

/* Payloads in which no packet can be read: the packet around them counts, the numbered one. */
static void what_is_no_packet_counts_one_layer_up(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        unsigned number;
        enum tunnel_kind kind;
    } cases[] = {
        {"eth ip tcp", 0, TUNNEL_NONE},
        {"eth ip vxlan eth arp", 0, TUNNEL_NONE},
        {"eth ip vxlan eth unknown", 0, TUNNEL_NONE},
        {"eth ip gre unknown", 0, TUNNEL_NONE},
        {"eth ip gre-k arp", 0, TUNNEL_NONE},
        {"eth ip geneve arp", 0, TUNNEL_NONE},
        {"eth ip-first vxlan eth ip tcp", 0, TUNNEL_NONE},
        {"eth ip6 first gre ip tcp", 0, TUNNEL_NONE},
        {"eth ip-later ip tcp", 0, TUNNEL_NONE},
        {"eth ip udp:4789 raw:f700000000004d00 eth ip tcp", 0, TUNNEL_NONE},
        {"eth ip udp:4790 raw:0400000100004d00 ip tcp", 0, TUNNEL_NONE}, /* no VNI */
        {"eth ip udp:4790 raw:1c00000100004d00 ip tcp", 0, TUNNEL_NONE}, /* another version */
        {"eth ip udp:4790 raw:0d00000100004d00 ip tcp", 0, TUNNEL_NONE}, /* OAM */
        {"eth ip udp:4790 raw:0c00000400004d00 ip tcp", 0, TUNNEL_NONE}, /* NSH */
        {"eth ip udp:4790 raw:0c00000900004d00 ip tcp", 0, TUNNEL_NONE},
        {"eth ip udp:6081 raw:4000080000004d00 ip tcp", 0, TUNNEL_NONE},     /* another version */
        {"eth ip udp:2152 raw:3001000487654321 ip tcp", 0, TUNNEL_NONE},     /* an echo */
        {"eth ip udp:2152 raw:50ff000487654321 ip tcp", 0, TUNNEL_NONE},     /* another version */
        {"eth ip udp:2152 raw:20ff000487654321 ip tcp", 0, TUNNEL_NONE},     /* GTP' */
        {"eth ip udp:2152 raw:30ff000487654321 eth ip tcp", 0, TUNNEL_NONE}, /* a frame */
        {"eth ip udp:2152 raw:34ff00048765432100000085000000 ip tcp", 0, TUNNEL_NONE},
        {"eth ip proto:47 raw:40000800 ip tcp", 0, TUNNEL_NONE}, /* routes */
        {"eth ip proto:47 raw:00010800 ip tcp", 0, TUNNEL_NONE}, /* another version */
        {"eth ip proto:47 raw:00000040 ip tcp", 0, TUNNEL_NONE}, /* a length for a type */
        {"eth ip proto:4 raw:4400001400000000400600000a0909010a090902", 0, TUNNEL_NONE},
        {"eth ip proto:4 raw:6500001400000000400600000a0909010a090902", 0, TUNNEL_NONE},
        {"eth ip vxlan eth ip ip proto:41 raw:00", 2, TUNNEL_IP},
        {"eth ip ip ip ip ip ip tcp", 4, TUNNEL_IP}, /* deeper than is entered */
        {"eth vlan vlan ip vxlan eth vlan vlan vlan ip tcp", 0, TUNNEL_NONE},
        {"eth vlan vlan vlan vlan ip erspan2-tag eth ip tcp", 0, TUNNEL_NONE},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct made m;
        struct packet p;
        struct packet_tunnel t;
        testing_make(&m, cases[i].words);
        assert_int_equal(read_made(&m, m.len, &p, &t), 0);
        if (number(p.addr[0]) != cases[i].number || t.kind != cases[i].kind) {
            fail_msg("%s: IP header %u in %d", cases[i].words, number(p.addr[0]), (int)t.kind);
        }
    }
}

static void tags_are_those_of_all_layers(void **state)
{
    (void)state;
    static const struct {
        const char *words;
        uint8_t n;
        uint16_t vlan[PACKET_VLANS];
    } cases[] = {
        {"eth vlan ip vxlan eth qinq vlan ip tcp", 3, {100, 101, 100}},
        {"eth ip gre-k eth qold ip tcp", 1, {102}},
        {"eth qinq ip6 erspan2-tag eth ip tcp", 2, {101, 0xa123}},
        {"eth ip erspan2 eth vlan ip tcp", 1, {100}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct made m;
        struct packet p;
        struct packet_tunnel t;
        testing_make(&m, cases[i].words);
        assert_int_equal(read_made(&m, m.len, &p, &t), 0);
        assert_int_equal(p.vlans, cases[i].n);
        assert_memory_equal(p.vlan, cases[i].vlan, sizeof(p.vlan));
    }
}

/* The label of the outermost stack, which is none of those inside. */
static void labels_are_those_of_the_outermost(void **state)
{
    (void)state;
    static const uint8_t labels[] = {0x88, 0x47, 0x00, 0x06, 0x41, 64};
    struct made m;
    struct packet p;
    struct packet_tunnel t;
    uint8_t d[TESTING_MAX];
    testing_make(&m, "eth ip proto:47 raw:00008847000c8140 ip tcp"); /* MPLS in GRE */
    assert_int_equal(read_made(&m, m.len, &p, &t), 0);
    assert_true(t.kind == TUNNEL_GRE && number(p.addr[0]) == 1 && p.labels == 0);
    memcpy(d, m.d, 12);
    memcpy(d + 12, labels, sizeof(labels));
    memcpy(d + 18, m.d + 14, m.len - 14);
    const size_t n = m.len + 4;
    assert_int_equal(packet_read_inner(PACKET_ETHERNET, d, n, n, PACKET_TUNNELS, &p, &t), 0);
    assert_true(t.kind == TUNNEL_GRE && p.labels == 1 && p.label[0] == 0x000641);
}

/* A packet that tells no length ends where the one around it does. */
static void super_packets(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    struct packet_tunnel t;
    testing_make(&m, "eth ip vxlan eth ip tcp");
    m.d[m.addr - 10] = m.d[m.addr - 9] = 0;
    memset(m.d + m.len, 0, 8); /* padding */
    const uint32_t inside = m.len - (m.addr - 12);
    assert_int_equal(
        packet_read_inner(PACKET_ETHERNET, m.d, m.len + 8, m.len + 8, PACKET_TUNNELS, &p, &t), 0);
    assert_int_equal(p.bytes, inside);
    m.d[16] = m.d[17] = 0; /* nor does that one */
    assert_int_equal(
        packet_read_inner(PACKET_ETHERNET, m.d, m.len, m.len + 9000, PACKET_TUNNELS, &p, &t), 0);
    assert_int_equal(p.bytes, inside + 9000);
}

static void other_link_types(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    struct packet_tunnel t;
    testing_make(&m, "eth ip gtpu ip6 udp");
    assert_int_equal(
        packet_read_inner(PACKET_RAW, m.d + 14, m.len - 14, m.len - 14, PACKET_TUNNELS, &p, &t), 0);
    assert_true(t.kind == TUNNEL_GTPU && p.version == 6 && !p.mac[0]);
    assert_int_equal(packet_read_inner(147, m.d, m.len, m.len, PACKET_TUNNELS, &p, &t), -ENOTSUP);
    assert_int_equal(packet_read_inner(PACKET_RAW, m.d, m.len, m.len, PACKET_TUNNELS, &p, &t),
                     -ENOMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_innermost_packet),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(what_is_no_packet_counts_one_layer_up),
        cmocka_unit_test(tags_are_those_of_all_layers),
        cmocka_unit_test(labels_are_those_of_the_outermost),
        cmocka_unit_test(super_packets),
        cmocka_unit_test(other_link_types),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
