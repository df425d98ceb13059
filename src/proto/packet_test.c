/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames by hand: each link type and each header before IP, fields, fragments, lengths that say
 * nothing, and bytes that are cut off or wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/packet.h"

enum {
    ROOM = 512,
    PAYLOAD = 20,
};

/* A frame under construction. */
struct made {
    uint8_t d[ROOM];
    struct wr w;
    size_t ip; /* where the packet begins */
};

static void begin(struct made *m)
{
    memset(m->d, 0, sizeof(m->d));
    m->w = wr_make(m->d, sizeof(m->d));
}

static void put(struct made *m, const uint8_t *bytes, size_t n)
{
    wr_copy(&m->w, bytes, n);
}

#define PUT(m, ...) put(m, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void put_macs(struct made *m)
{
    PUT(m, 2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1);
}

/* TCP from 10.1.0.1, port 4000, to 10.1.0.2, port 80. `frag`: flags and offset. */
static void put_ipv4(struct made *m, uint16_t total, uint16_t frag)
{
    m->ip = wr_len(&m->w);
    PUT(m, 0x45, 0xb8);
    wr_u16(&m->w, total);
    PUT(m, 0x12, 0x34);
    wr_u16(&m->w, frag);
    PUT(m, 63, IPPROTO_TCP, 0, 0, 10, 1, 0, 1, 10, 1, 0, 2);
    PUT(m, 0x0f, 0xa0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 2, 0x50, 0x12, 0, 0, 0, 0, 0, 0);
}

static void put_ipv6(struct made *m, uint16_t payload, uint8_t next)
{
    m->ip = wr_len(&m->w);
    PUT(m, 0x6b, 0x81, 0x23, 0x45);
    wr_u16(&m->w, payload);
    PUT(m, next, 62);
    PUT(m, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1);
    PUT(m, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2);
}

static int read_made(const struct made *m, uint16_t linktype, struct packet *ret)
{
    assert_true(wr_ok(&m->w));
    return packet_read(linktype, m->d, wr_len(&m->w), wr_len(&m->w), ret);
}

static void check_ipv4(const struct made *m, const struct packet *p)
{
    assert_int_equal(p->version, 4);
    assert_int_equal(p->proto, IPPROTO_TCP);
    assert_int_equal(p->tos, 0xb8);
    assert_int_equal(p->ttl, 63);
    assert_int_equal(p->bytes, 40);
    assert_ptr_equal(p->addr[0], m->d + m->ip + 12);
    assert_ptr_equal(p->addr[1], m->d + m->ip + 16);
    assert_int_equal(p->port[0], 4000);
    assert_int_equal(p->port[1], 80);
    assert_int_equal(p->tcp_flags, 0x12);
    assert_false(p->fragment || p->later);
}

/* The frame that was begun goes on with the packet: it is found. */
static void finds(struct made *m, uint16_t linktype)
{
    struct packet p;
    put_ipv4(m, 40, 0x4000);
    assert_int_equal(read_made(m, linktype, &p), 0);
    check_ipv4(m, &p);
}

static void link_types(void **state)
{
    (void)state;
    struct made m;
    static const struct {
        uint16_t linktype;
        uint8_t n, head[40];
    } heads[] = {
        {PACKET_NULL, 4, {2, 0, 0, 0}},
        {PACKET_NULL, 4, {0, 0, 0, 2}},
        {PACKET_LOOP, 4, {0, 0, 0, 2}},
        {PACKET_ETHERNET, 14, {2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 8, 0}},
        {PACKET_PPP, 2, {0x00, 0x21}},
        {PACKET_PPP, 1, {0x21}},
        {PACKET_PPP, 4, {0xff, 0x03, 0x00, 0x21}},
        {PACKET_PPP_HDLC, 4, {0xff, 0x03, 0x00, 0x21}},
        {PACKET_PPP_HDLC, 4, {0x0f, 0x00, 0x08, 0x00}},
        {PACKET_PPP_HDLC, 4, {0x8f, 0x00, 0x08, 0x00}},
        {PACKET_PPPOE, 8, {0x11, 0, 0, 1, 0, 42, 0x00, 0x21}},
        {PACKET_RAW_BSD, 0, {0}},
        {PACKET_RAW_OPENBSD, 0, {0}},
        {PACKET_RAW, 0, {0}},
        {PACKET_IPV4, 0, {0}},
        {PACKET_HDLC, 4, {0x0f, 0x00, 0x08, 0x00}},
        {PACKET_SLL, 16, {0, 0, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0}},
        {PACKET_SLL2, 20, {8, 0, 0, 0, 0, 0, 0, 2, 0, 1, 4, 6, 2, 0, 0, 0, 0, 1, 0, 0}},
        {PACKET_NFLOG, 24, {2, 0, 0,  1, 8,   0, 1, 0, 8,  0, 0, 0,
                            5, 0, 10, 0, 'x', 0, 0, 0, 44, 0, 9, 0}},
        {PACKET_NFLOG, 24, {2, 0, 0, 1,  0,   8, 0, 1, 8, 0,  0, 0,
                            0, 5, 0, 10, 'x', 0, 0, 0, 0, 44, 0, 9}},
    };
    for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
        begin(&m);
        put(&m, heads[i].head, heads[i].n);
        finds(&m, heads[i].linktype);
        assert_true(packet_knows_link(heads[i].linktype));
    }
    struct packet p;
    size_t n = 0;
    const uint16_t *all = packet_links(&n);
    unsigned known = 0;
    for (unsigned linktype = 0; linktype <= UINT16_MAX; linktype++) {
        known += packet_knows_link((uint16_t)linktype);
    }
    assert_int_equal(n, known);
    for (size_t i = 0; i < n; i++) {
        assert_true(packet_knows_link(all[i]));
        assert_true(i == 0 || all[i] > all[i - 1]);
    }
    assert_int_equal(read_made(&m, 147, &p), -ENOTSUP);
    assert_false(packet_knows_link(147));
    begin(&m); /* another version than the link says */
    put_ipv4(&m, 40, 0);
    assert_int_equal(read_made(&m, PACKET_IPV6, &p), -EBADMSG);
}

static void headers_before_ip(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    begin(&m);
    put_macs(&m);
    PUT(&m, 0x88, 0xa8, 0xe0, 0x64, 0x81, 0x00, 0x00, 0xc8, 0x08, 0x00);
    finds(&m, PACKET_ETHERNET);
    assert_int_equal(read_made(&m, PACKET_ETHERNET, &p), 0);
    assert_int_equal(p.vlans, 2);
    assert_int_equal(p.vlan[0], 0xe064);
    assert_int_equal(p.vlan[1], 0x00c8);
    assert_ptr_equal(p.mac[0], m.d);
    assert_ptr_equal(p.mac[1], m.d + 6);

    begin(&m);
    put_macs(&m);
    PUT(&m, 0x88, 0x47, 0x00, 0x06, 0x42, 64, 0x00, 0x01, 0x01, 64);
    finds(&m, PACKET_ETHERNET);
    assert_int_equal(read_made(&m, PACKET_ETHERNET, &p), 0);
    assert_int_equal(p.labels, 2);
    assert_int_equal(p.label[0], 0x000642);
    assert_int_equal(p.label[1], 0x000101);

    begin(&m); /* PPPoE in a VLAN, MPLS in PPP */
    put_macs(&m);
    PUT(&m, 0x81, 0x00, 0, 7, 0x88, 0x64, 0x11, 0, 0, 1, 0, 46, 0x02, 0x81, 0, 0, 0x11, 64);
    finds(&m, PACKET_ETHERNET);

    begin(&m); /* SNAP */
    put_macs(&m);
    PUT(&m, 0, 48, 0xaa, 0xaa, 0x03, 0, 0, 0, 0x08, 0x00);
    finds(&m, PACKET_ETHERNET);
}

/* Bytes that are no IP packet, or may be none, are not taken for one. */
static void not_ip(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    static const uint8_t behind[][16] = {
        {0x08, 0x06},                                   /* ARP */
        {0, 38, 0x42, 0x42, 3},                         /* spanning tree */
        {0, 38, 0xaa, 0xaa, 3, 0, 0, 12},               /* SNAP of an organisation */
        {0x88, 0x63},                                   /* PPPoE's discovery */
        {0x88, 0x64, 0x11, 0, 0, 1, 0, 2, 0xc0, 0x21},  /* LCP */
        {0x88, 0x47, 0, 0, 0x11, 64, 0, 0, 0, 0, 0x45}, /* a control word */
        {0x86, 0xde},
    };
    for (size_t i = 0; i < ARRAY_SIZE(behind); i++) {
        begin(&m);
        put_macs(&m);
        put(&m, behind[i], sizeof(behind[i]));
        put_ipv4(&m, 40, 0);
        assert_int_equal(read_made(&m, PACKET_ETHERNET, &p), -ENOMSG);
    }
    begin(&m); /* more tags than are looked at */
    put_macs(&m);
    for (unsigned i = 0; i <= PACKET_VLANS; i++) {
        PUT(&m, 0x81, 0x00, 0, 1);
    }
    PUT(&m, 0x08, 0x00);
    put_ipv4(&m, 40, 0);
    assert_int_equal(read_made(&m, PACKET_ETHERNET, &p), -ENOMSG);
    const uint8_t family[] = {0, 0, 0, 7};
    assert_int_equal(packet_read(PACKET_NULL, family, 4, 4, &p), -ENOMSG);
    assert_int_equal(packet_read(PACKET_ETHERNET, m.d, 13, 60, &p), -ENOMSG);
    assert_int_equal(packet_read(PACKET_RAW, m.d, 0, 0, &p), -ENOMSG);
}

static void broken_ip(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    static const struct {
        uint8_t at, value;
    } wrong[] = {{0, 0x44}, {0, 0x55}, {0, 0x65}, {3, 19}, {0, 0x4b}};
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        begin(&m);
        put_ipv4(&m, 40, 0);
        m.d[wrong[i].at] = wrong[i].value;
        assert_int_equal(read_made(&m, PACKET_IPV4, &p), -EBADMSG);
    }
    begin(&m);
    put_ipv4(&m, 40, 0);
    for (size_t n = 1; n <= 40; n++) { /* cut off */
        const int r = packet_read(PACKET_RAW, m.d, n, 40, &p);
        assert_int_equal(r, n < 20 ? -EBADMSG : 0);
        if (r == 0) {
            assert_int_equal(p.bytes, 40);
            assert_int_equal(p.port[1], n < 24 ? 0 : 80);
            assert_int_equal(p.tcp_flags, n < 34 ? 0 : 0x12);
        }
    }
    begin(&m);
    put_ipv6(&m, 0, IPPROTO_NONE);
    assert_int_equal(packet_read(PACKET_RAW, m.d, 39, 40, &p), -EBADMSG);
    assert_int_equal(packet_read(PACKET_RAW, m.d, 40, 40, &p), 0);
}

/* Bytes are those of the header; padding is none of them, and the transport header is not looked
 * for in it. */
static void lengths(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    begin(&m);
    put_macs(&m);
    PUT(&m, 0x08, 0x00);
    put_ipv4(&m, 22, 0);
    assert_int_equal(read_made(&m, PACKET_ETHERNET, &p), 0);
    assert_int_equal(p.bytes, 22);
    assert_int_equal(p.port[0], 0);
    begin(&m); /* a super-packet says nothing */
    put_macs(&m);
    PUT(&m, 0x08, 0x00);
    put_ipv4(&m, 0, 0);
    assert_int_equal(packet_read(PACKET_ETHERNET, m.d, wr_len(&m.w), 70014, &p), 0);
    assert_int_equal(p.bytes, 70000);
    begin(&m);
    put_ipv6(&m, 0, IPPROTO_TCP);
    PUT(&m, 0x0f, 0xa0, 0, 80);
    assert_int_equal(packet_read(PACKET_RAW, m.d, wr_len(&m.w), 70000, &p), 0);
    assert_int_equal(p.bytes, 70000);
    begin(&m); /* one without anything behind it, in a padded frame */
    put_ipv6(&m, 0, IPPROTO_NONE);
    assert_int_equal(packet_read(PACKET_RAW, m.d, wr_len(&m.w), 46, &p), 0);
    assert_int_equal(p.bytes, 40);
}

static void ipv6_and_extensions(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    begin(&m);
    put_ipv6(&m, 8 + 24 + 8 + 4, IPPROTO_HOPOPTS);
    PUT(&m, IPPROTO_ROUTING, 0, 1, 4, 0, 0, 0, 0);
    PUT(&m, IPPROTO_FRAGMENT, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    PUT(&m, IPPROTO_UDPLITE, 0, 0, 0, 1, 2, 3, 4);
    PUT(&m, 0x0f, 0xa0, 0, 80);
    assert_int_equal(read_made(&m, PACKET_RAW, &p), 0);
    assert_int_equal(p.version, 6);
    assert_int_equal(p.proto, IPPROTO_UDPLITE);
    assert_int_equal(p.tos, 0xb8);
    assert_int_equal(p.ttl, 62);
    assert_int_equal(p.flow_label, 0x12345);
    assert_int_equal(p.bytes, 84);
    assert_int_equal(p.port[0], 4000);
    assert_ptr_equal(p.addr[1], m.d + 24);
    assert_false(p.fragment); /* an atomic one */
    for (unsigned later = 0; later < 2; later++) {
        begin(&m);
        put_ipv6(&m, 8 + 4, IPPROTO_FRAGMENT);
        PUT(&m, IPPROTO_UDP, 0, (uint8_t)(later << 4), 1, 1, 2, 3, 4);
        PUT(&m, 0x0f, 0xa0, 0, 80);
        assert_int_equal(read_made(&m, PACKET_RAW, &p), 0);
        assert_true(p.fragment);
        assert_int_equal(p.later, later);
        assert_int_equal(p.ident, 0x01020304);
        assert_int_equal(p.proto, IPPROTO_UDP);
        assert_int_equal(p.port[1], later ? 0 : 80);
    }
}

static void ipv4_fragments(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    const uint16_t frags[] = {0x2000, 0x2001, 0x0001};
    for (size_t i = 0; i < ARRAY_SIZE(frags); i++) {
        begin(&m);
        put_ipv4(&m, 40, frags[i]);
        assert_int_equal(read_made(&m, PACKET_RAW, &p), 0);
        assert_true(p.fragment);
        assert_int_equal(p.later, i > 0);
        assert_int_equal(p.ident, 0x1234);
        assert_int_equal(p.port[1], i > 0 ? 0 : 80);
        assert_int_equal(p.tcp_flags, i > 0 ? 0 : 0x12);
    }
}

static void protocols(void **state)
{
    (void)state;
    struct made m;
    struct packet p;
    static const struct {
        uint8_t proto;
        uint16_t port[2];
    } want[] = {{IPPROTO_UDP, {4000, 80}},  {IPPROTO_SCTP, {4000, 80}},
                {IPPROTO_DCCP, {4000, 80}}, {IPPROTO_UDPLITE, {4000, 80}},
                {IPPROTO_ICMP, {0, 4000}},  {IPPROTO_ICMPV6, {0, 0}},
                {IPPROTO_ESP, {0, 0}},      {IPPROTO_GRE, {0, 0}}};
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        begin(&m);
        put_ipv4(&m, 40, 0);
        m.d[9] = want[i].proto;
        assert_int_equal(read_made(&m, PACKET_RAW, &p), 0);
        assert_int_equal(p.proto, want[i].proto);
        assert_memory_equal(p.port, want[i].port, sizeof(p.port));
        assert_int_equal(p.tcp_flags, 0);
    }
    begin(&m);
    put_ipv6(&m, 4, IPPROTO_ICMPV6);
    PUT(&m, 128, 0, 0, 0);
    assert_int_equal(read_made(&m, PACKET_RAW, &p), 0);
    assert_int_equal(p.port[1], 128 << 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(link_types),     cmocka_unit_test(headers_before_ip),
        cmocka_unit_test(not_ip),         cmocka_unit_test(broken_ip),
        cmocka_unit_test(lengths),        cmocka_unit_test(ipv6_and_extensions),
        cmocka_unit_test(ipv4_fragments), cmocka_unit_test(protocols),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
