/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames put together from parts (tags, options, extension headers), cut at every length, and
 * compared with what tshark says of the same frames.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/ether.h"
#include "proto/link.h"
#include "proto/pcapng.h"
#include "proto/tshark_judge.h"

enum {
    FRAME_MAX = 512,
    SPORT = 40000,
    DPORT = 1234,
};

struct shape {
    unsigned tags; /* VLAN tags, of types in turn */
    bool v6;
    unsigned options; /* IPv4: words of options; IPv6: extension headers */
    uint16_t frag;    /* the fragment field */
    uint8_t proto;
};

static const uint16_t tag_types[] = {0x88a8, 0x8100, 0x9100, 0x8100, 0x8100};

static void put_ipv4(struct wr *w, const struct shape *s)
{
    wr_u8(w, (uint8_t)(0x45 + s->options));
    wr_u8(w, 0);
    wr_u16(w, (uint16_t)(20 + 4 * s->options + 8 + 4));
    wr_u16(w, 7);
    wr_u16(w, s->frag);
    wr_u8(w, 64);
    wr_u8(w, s->proto);
    wr_u16(w, 0);
    wr_copy(w, (uint8_t[]){10, 0, 0, 1, 10, 0, 0, 2}, 8);
    for (unsigned i = 0; i < 4 * s->options; i++) {
        wr_u8(w, 1);
    }
}

/* Destination options, a fragment header when `frag`, an authentication header, in turn. */
static void put_ipv6(struct wr *w, const struct shape *s)
{
    static const uint8_t kinds[] = {60, 44, 51};
    uint8_t next = s->options ? kinds[0] : s->proto;
    wr_u32(w, 0x60000000);
    wr_u16(w, 0);
    uint8_t *payload_len = w->p - 2;
    wr_u8(w, next);
    wr_u8(w, 64);
    wr_copy(w, "\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\xfd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\2", 32);
    uint8_t *body = w->p;
    for (unsigned i = 0; i < s->options; i++) {
        uint8_t kind = kinds[i % 3];
        wr_u8(w, i + 1 < s->options ? kinds[(i + 1) % 3] : s->proto);
        wr_u8(w, kind == 44 ? 0 : kind == 51 ? 4 : 1); /* 24 or 16 bytes */
        if (kind == 60) {
            wr_copy(w, "\1\14\0\0\0\0\0\0\0\0\0\0\0\0", 14);
        } else if (kind == 44) {
            wr_u16(w, s->frag);
            wr_u32(w, 99);
        } else {
            wr_zero(w, 22);
        }
    }
    uint16_t len = htons((uint16_t)(w->p - body + 12));
    memcpy(payload_len, &len, 2);
}

static size_t make(uint8_t *out, const struct shape *s)
{
    struct wr w = wr_make(out, FRAME_MAX);
    wr_copy(&w, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
    for (unsigned i = 0; i < s->tags; i++) {
        wr_u16(&w, tag_types[i]);
        wr_u16(&w, (uint16_t)(100 + i));
    }
    wr_u16(&w, s->v6 ? ETHER_TYPE_IPV6 : ETHER_TYPE_IPV4);
    if (s->v6) {
        put_ipv6(&w, s);
    } else {
        put_ipv4(&w, s);
    }
    wr_u16(&w, SPORT);
    wr_u16(&w, DPORT);
    wr_u16(&w, 12);
    wr_u16(&w, 0);
    wr_copy(&w, "data", 4);
    assert_true(wr_ok(&w));
    return wr_len(&w);
}

static struct ether_flow the_flow(bool v6, bool turned)
{
    struct sockaddr_storage a = {0}, b = {0};
    struct ether_flow flow;
    if (v6) {
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(SPORT)};
        inet_pton(AF_INET6, "fd00::1", &in6.sin6_addr);
        memcpy(&a, &in6, sizeof(in6));
        inet_pton(AF_INET6, "fd00::2", &in6.sin6_addr);
        in6.sin6_port = htons(DPORT);
        memcpy(&b, &in6, sizeof(in6));
    } else {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(SPORT)};
        struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(DPORT)};
        inet_pton(AF_INET, "10.0.0.1", &in.sin_addr);
        memcpy(&a, &in, sizeof(in));
        inet_pton(AF_INET6, "::ffff:10.0.0.2", &in6.sin6_addr); /* a dual-stack socket's view */
        memcpy(&b, &in6, sizeof(in6));
    }
    const struct sockaddr *pa = (struct sockaddr *)&a, *pb = (struct sockaddr *)&b;
    assert_int_equal(ether_flow_make(turned ? pb : pa, turned ? pa : pb, &flow), 0);
    return flow;
}

/* Found whole, from both ends; never found when a bit of address or port differs, or cut short. */
static void check_flow(const uint8_t *frame, size_t len, const struct shape *s, bool is_udp)
{
    for (int turned = 0; turned < 2; turned++) {
        struct ether_flow flow = the_flow(s->v6, turned);
        assert_int_equal(ether_is_flow(frame, len, &flow), is_udp);
        for (size_t n = 0; n < len - 4; n++) {
            _cleanup_(freep) uint8_t *exact = malloc(n + 1);
            memcpy(exact, frame, n);
            assert_false(ether_is_flow(exact, n, &flow));
        }
        for (unsigned bit = 0; bit < (s->v6 ? 128u : 32u); bit++) {
            for (int end = 0; end < 2; end++) {
                flow.addr[end][bit / 8] ^= (uint8_t)(1 << bit % 8);
                assert_false(ether_is_flow(frame, len, &flow));
                flow.addr[end][bit / 8] ^= (uint8_t)(1 << bit % 8);
            }
        }
        flow.port[0] ^= 1;
        assert_false(ether_is_flow(frame, len, &flow));
        flow.port[0] ^= 1;
        flow.port[1] ^= 0x8000;
        assert_false(ether_is_flow(frame, len, &flow));
    }
    struct ether_flow other = the_flow(!s->v6, false);
    assert_false(ether_is_flow(frame, len, &other));
}

static void finds_the_flow_in_every_shape(void **state)
{
    (void)state;
    uint8_t frame[FRAME_MAX];
    for (unsigned tags = 0; tags <= 5; tags++) {
        for (unsigned options = 0; options <= 9; options++) {
            for (int v6 = 0; v6 < 2; v6++) {
                struct shape s = {tags, v6, options, 0, 17};
                struct ether_net net;
                size_t len = make(frame, &s);
                check_flow(frame, len, &s, tags <= ETHER_TAGS_MAX);
                assert_int_equal(ether_walk(frame, len, &net), 0);
                assert_int_equal(net.tags, MIN(tags, 4u));
                assert_int_equal(net.off, 14 + 4 * MIN(tags, 4u));
                assert_int_equal(tags > 0 ? net.tci[0] : 100, 100);
            }
        }
    }
}

static void other_packets_are_not_it(void **state)
{
    (void)state;
    uint8_t frame[FRAME_MAX];
    struct ether_udp udp;
    const struct shape not_udp[] = {{0, false, 0, 0, 6},       {0, true, 0, 0, 6},
                                    {0, false, 0, 1, 17},      {1, true, 2, 8, 17},
                                    {0, false, 0, 0x2001, 17}, {0, true, 17, 0, 17}};
    for (size_t i = 0; i < ARRAY_SIZE(not_udp); i++) {
        size_t len = make(frame, &not_udp[i]), off = 14 + 4 * not_udp[i].tags;
        check_flow(frame, len, &not_udp[i], false);
        assert_int_equal(ether_ip_udp(frame + off, len - off, &udp), -ENOMSG);
    }
    struct shape first = {0, false, 0, 0x2000, 17}; /* the first fragment has the ports */
    check_flow(frame, make(frame, &first), &first, true);
    frame[14] = 0x44;
    assert_int_equal(ether_ip_udp(frame + 14, 60, &udp), -ENOMSG);
}

static void frames_in_two_pieces(void **state)
{
    (void)state;
    uint8_t whole[FRAME_MAX], rest[FRAME_MAX];
    struct shape s = {1, false, 0, 0, 17};
    struct ether_flow flow = the_flow(false, false);
    size_t len = make(whole, &s);
    struct frame f = {.data = whole, .datalen = (uint32_t)len, .caplen = (uint32_t)len};
    assert_true(ether_frame_is_flow(&f, &flow));
    memcpy(rest, whole, 12);
    memcpy(rest + 12, whole + 16, len - 16);
    f = (struct frame){.data = rest,
                       .datalen = (uint32_t)len - 4,
                       .caplen = (uint32_t)len,
                       .ins_len = 4,
                       .ins_off = 12};
    memcpy(f.ins, whole + 12, 4);
    assert_true(ether_frame_is_flow(&f, &flow));
    /* A packet from an interface without a link layer */
    f = (struct frame){.data = whole + 18,
                       .datalen = (uint32_t)len - 18,
                       .caplen = (uint32_t)len - 4,
                       .ins_len = ETHER_HDR_LEN};
    assert_int_equal(ether_from_ip(f.data, f.datalen, f.ins), 0);
    assert_memory_equal(f.ins, "\0\0\0\0\0\0\0\0\0\0\0\0\x08\0", 14);
    assert_true(ether_frame_is_flow(&f, &flow));
    assert_true(ether_ip_is_flow(f.data, f.datalen, &flow));
    flow.port[1]++;
    assert_false(ether_frame_is_flow(&f, &flow));
}

/* A link's datagram is known in every shape that the walk to a UDP header takes, and by nothing of
 * its addresses and ports. */
static void links_are_known(void **state)
{
    (void)state;
    uint8_t data[FRAME_MAX];
    struct ether_udp udp;
    unsigned known = 0;
    for (unsigned i = 0; i < 4 * 2 * 3 * 3; i++) {
        struct shape s = {i % 4, i / 4 % 2, i / 8 % 3, 0, 17};
        s.frag = s.v6 ? i / 24 == 1 : (uint16_t)(i / 24 << 13); /* whole, or a first fragment */
        struct ether_net net;
        size_t len = make(data, &s);
        assert_int_equal(ether_walk(data, len, &net), 0);
        assert_int_equal(ether_ip_udp(data + net.off, len - net.off, &udp), 0);
        uint8_t *payload = data + net.off + udp.off;
        link_record_encode(&(struct link_record){3, 0x12345678 + i, i * UINT64_C(0x10001)},
                           payload);
        uint32_t end = (uint32_t)(payload - data) + LINK_RECORD_MIN;
        struct frame f = {.data = data, .datalen = end, .caplen = end};
        assert_true(ether_frame_is_link(&f));
        f.caplen = f.datalen = end - 1;
        assert_false(ether_frame_is_link(&f));
        f.caplen = f.datalen = end;
        payload[8] ^= 1;
        assert_false(ether_frame_is_link(&f));
        known++;
    }
    assert_int_equal(known, 72);
}

static void headers_for_raw_ip(void **state)
{
    (void)state;
    uint8_t hdr[ETHER_HDR_LEN] = {1};
    assert_int_equal(ether_from_ip((const uint8_t *)"\x60", 1, hdr), 0);
    assert_memory_equal(hdr, "\0\0\0\0\0\0\0\0\0\0\0\0\x86\xdd", 14);
    assert_int_equal(ether_from_ip((const uint8_t *)"\x50", 1, hdr), -EPROTONOSUPPORT);
    assert_int_equal(ether_from_ip(NULL, 0, hdr), -EPROTONOSUPPORT);
}

static void addresses_must_fit(void **state)
{
    (void)state;
    struct sockaddr_in in = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    struct sockaddr local = {.sa_family = AF_UNIX};
    struct ether_flow flow;
    assert_int_equal(ether_flow_make((struct sockaddr *)&in, (struct sockaddr *)&in6, &flow),
                     -EAFNOSUPPORT);
    assert_int_equal(ether_flow_make(&local, &local, &flow), -EAFNOSUPPORT);
}

/* Every shape once; what we find of each must be what tshark prints. */
static void tshark_agrees(void **state)
{
    (void)state;
    if (judge_missing()) {
        skip();
    }
    static uint8_t file[1 << 18];
    uint8_t frame[FRAME_MAX];
    char path[32], line[256], want[256], ours[512][64];
    unsigned n = 0;
    struct wr w = wr_make(file, sizeof(file));
    pcapng_put_shb(&w, &(struct pcapng_shb){0});
    pcapng_put_idb(&w, &(struct pcapng_idb){.linktype = 1});
    for (unsigned i = 0; i < 4 * 2 * 6 * 2 * 2; i++) {
        struct shape s = {i % 4, i / 4 % 2, i / 8 % 6, i / 48 % 2 ? 8 : 0, i / 96 % 2 ? 6 : 17};
        size_t len = make(frame, &s);
        struct ether_net net;
        struct ether_udp udp;
        struct pcapng_epb epb = {0, (uint32_t)len, (uint32_t)len, 1, 0, 0};
        memcpy(pcapng_epb_begin(&w, &epb), frame, len);
        assert_int_equal(ether_walk(frame, len, &net), 0);
        bool is_udp = ether_ip_udp(frame + net.off, len - net.off, &udp) == 0;
        snprintf(ours[n++], sizeof(ours[0]), is_udp ? "%u|%u" : "|", is_udp ? udp.port[0] : 0,
                 is_udp ? udp.port[1] : 0);
    }
    judge_file(path, file, wr_len(&w));
    FILE *f = judge_open(path, "-o ip.defragment:FALSE -o ipv6.defragment:FALSE "
                               "-e udp.srcport -e udp.dstport");
    for (unsigned i = 0; i < n; i++) {
        snprintf(want, sizeof(want), "%s\n", ours[i]);
        assert_non_null(fgets(line, sizeof(line), f));
        if (strcmp(line, want) != 0) {
            fail_msg("frame %u: tshark %s we %s", i + 1, line, want);
        }
    }
    assert_int_equal(pclose(f), 0);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_flow_in_every_shape),
        cmocka_unit_test(other_packets_are_not_it),
        cmocka_unit_test(frames_in_two_pieces),
        cmocka_unit_test(links_are_known),
        cmocka_unit_test(headers_for_raw_ip),
        cmocka_unit_test(addresses_must_fit),
        cmocka_unit_test(tshark_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
