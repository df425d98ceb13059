/* SPDX-License-Identifier: Apache-2.0
 *
 * Cutting against hand-made packets; the kernel's own cutting is the judge in
 * tests/net/test_super.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/gso.h"

/* The example of RFC 1071, section 3. */
static void sums(void **state)
{
    (void)state;
    const uint8_t in[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
    assert_int_equal(gso_fold(gso_sum(in, sizeof(in), 0)), 0xddf2);
    uint8_t longer[1000];
    for (unsigned i = 0; i < sizeof(longer); i++) {
        longer[i] = (uint8_t)(i * 37 + (i >> 3));
    }
    for (uint32_t n = 0; n <= sizeof(longer); n++) { /* against the plain way, any length */
        uint32_t sum = 0;
        for (uint32_t i = 0; i < n; i++) {
            sum += i % 2 ? longer[i] : (uint32_t)longer[i] << 8;
        }
        while (sum >> 16) {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        assert_int_equal(gso_fold(gso_sum(longer, n, 0)), sum);
    }
}

enum {
    IP = 14 + 4,   /* behind one VLAN tag */
    TCP = IP + 24, /* IPv4 with four bytes of options */
    DATA = TCP + 20,
    PAYLOAD = 3500,
};

static void make(uint8_t *d)
{
    memset(d, 0, DATA + PAYLOAD);
    memcpy(d + 12, "\x81\x00\x00\x05\x08\x00", 6);
    d[IP] = 0x46;
    st_u16(d + IP + 2, DATA - IP + PAYLOAD);
    st_u16(d + IP + 4, 0xfffe); /* the identification wraps */
    st_u16(d + IP + 6, 0x4000);
    d[IP + 8] = 64;
    d[IP + 9] = 6;
    st_u32(d + IP + 12, 0x0a000001);
    st_u32(d + IP + 16, 0x0a000002);
    memcpy(d + IP + 20, "\x94\x04\x00\x00", 4);
    st_u16(d + TCP, 1000);
    st_u16(d + TCP + 2, 80);
    st_u32(d + TCP + 4, 0xfffffff0); /* so does the sequence number */
    d[TCP + 12] = 0x50;
    d[TCP + 13] = 0x80 | 0x10 | 0x08 | 0x01; /* CWR ACK PSH FIN */
    for (unsigned i = 0; i < PAYLOAD; i++) {
        d[DATA + i] = (uint8_t)(i * 11 + 3);
    }
}

static uint16_t get16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void tcp_frames(void **state)
{
    (void)state;
    uint8_t d[DATA + PAYLOAD], out[DATA + 1448];
    make(d);
    struct frame f = {.data = d,
                      .datalen = sizeof(d),
                      .caplen = sizeof(d),
                      .origlen = sizeof(d),
                      .gso_type = GSO_TCP4 | GSO_ECN,
                      .gso_size = 1448};
    struct gso_plan p;
    assert_int_equal(gso_plan(&f, &p), 0);
    assert_int_equal(p.frames, 3);
    assert_int_equal(p.header_len, DATA);
    const uint8_t flags[] = {0x80 | 0x10, 0x10, 0x10 | 0x08 | 0x01};
    for (uint32_t i = 0; i < 3; i++) {
        const struct gso_made m = gso_frame(&p, &f, i, UINT32_MAX, out);
        uint32_t n = m.written, part = i < 2 ? 1448 : PAYLOAD - 2 * 1448;
        assert_int_equal(n, DATA + part);
        assert_int_equal(m.caplen, n);
        assert_int_equal(m.origlen, n);
        assert_int_equal(get16(out + IP + 2), DATA - IP + part);
        assert_int_equal(get16(out + IP + 4), (0xfffe + i) & 0xffff);
        struct rd r = rd_make(out + TCP + 4, 4);
        assert_int_equal(rd_u32(&r), (uint32_t)(0xfffffff0 + i * 1448));
        assert_int_equal(out[TCP + 13], flags[i]);
        assert_memory_equal(out + DATA, d + DATA + i * 1448, part);
        /* A header with its right checksum sums up to all ones. */
        assert_int_equal(gso_fold(gso_sum(out + IP, 24, 0)), 0xffff);
        uint8_t pseudo[12];
        memcpy(pseudo, out + IP + 12, 8);
        st_u32(pseudo + 8, 6u << 16 | (n - TCP));
        assert_int_equal(gso_fold(gso_sum(out + TCP, n - TCP, gso_sum(pseudo, 12, 0))), 0xffff);
    }
}

/* A frame of which only the beginning is written has the checksum of all of it. */
static void beginnings(void **state)
{
    (void)state;
    uint8_t d[DATA + PAYLOAD], out[DATA + 1448], some[GSO_HEADERS_MAX];
    make(d);
    struct frame f = {.data = d,
                      .datalen = sizeof(d),
                      .caplen = sizeof(d),
                      .origlen = sizeof(d),
                      .gso_type = GSO_TCP4,
                      .gso_size = 1447}; /* from an odd place */
    struct gso_plan p;
    assert_int_equal(gso_plan(&f, &p), 0);
    for (uint32_t i = 0; i < p.frames; i++) {
        const struct gso_made whole = gso_frame(&p, &f, i, UINT32_MAX, out);
        const struct gso_made m = gso_frame(&p, &f, i, GSO_HEADERS_MAX, some);
        assert_int_equal(m.written, MIN(whole.caplen, (uint32_t)GSO_HEADERS_MAX));
        assert_int_equal(m.caplen, whole.caplen);
        assert_int_equal(m.origlen, whole.origlen);
        assert_memory_equal(some, out, m.written);
    }
}

/* The flag that counts in accurate ECN is every frame's; an identification of 0 that need not be
 * unique stays 0. */
static void what_stays(void **state)
{
    (void)state;
    uint8_t d[DATA + PAYLOAD], out[DATA + 1448];
    make(d);
    st_u16(d + IP + 4, 0);
    struct frame f = {.data = d,
                      .datalen = sizeof(d),
                      .caplen = sizeof(d),
                      .origlen = sizeof(d),
                      .gso_type = GSO_TCP4,
                      .gso_size = 1448};
    struct gso_plan p;
    assert_int_equal(gso_plan(&f, &p), 0);
    for (uint32_t i = 0; i < 3; i++) {
        gso_frame(&p, &f, i, UINT32_MAX, out);
        assert_int_equal(get16(out + IP + 4), 0);
        assert_int_equal(out[TCP + 13] & 0x80, 0x80);
    }
    st_u16(d + IP + 6, 0); /* may be fragmented: each needs an identification of its own */
    assert_int_equal(gso_plan(&f, &p), 0);
    gso_frame(&p, &f, 2, UINT32_MAX, out);
    assert_int_equal(get16(out + IP + 4), 2);
}

/* The kernel's word for where the transport header is must be true. */
static void misplaced_transport(void **state)
{
    (void)state;
    uint8_t d[DATA + PAYLOAD];
    make(d);
    struct frame f = {.data = d,
                      .datalen = sizeof(d),
                      .caplen = sizeof(d),
                      .origlen = sizeof(d),
                      .gso_type = GSO_TCP4,
                      .vnet_flags = GSO_NEEDS_CSUM,
                      .csum_start = TCP,
                      .gso_size = 1448};
    struct gso_plan p;
    assert_int_equal(gso_plan(&f, &p), 0);
    f.csum_start = TCP + 4;
    assert_int_equal(gso_plan(&f, &p), -EINVAL);
}

static void sliced_capture(void **state)
{
    (void)state;
    uint8_t d[DATA + PAYLOAD], out[DATA + 1448];
    make(d);
    struct frame f = {.data = d,
                      .datalen = DATA + 1500,
                      .caplen = DATA + 1500,
                      .origlen = sizeof(d),
                      .gso_type = GSO_TCP4,
                      .gso_size = 1448};
    struct gso_plan p;
    assert_int_equal(gso_plan(&f, &p), 0);
    const uint32_t want[] = {DATA + 1448, DATA + 52, DATA};
    for (uint32_t i = 0; i < 3; i++) {
        const struct gso_made m = gso_frame(&p, &f, i, GSO_HEADERS_MAX, out);
        assert_int_equal(m.caplen, want[i]);
        assert_int_equal(m.written, i == 0 ? GSO_HEADERS_MAX : want[i]);
        assert_int_equal(m.origlen, DATA + (i < 2 ? 1448 : PAYLOAD - 2 * 1448));
    }
}

static void refusals(void **state)
{
    (void)state;
    uint8_t d[DATA + PAYLOAD];
    struct gso_plan p;
    make(d);
    struct frame good = {.data = d,
                         .datalen = sizeof(d),
                         .caplen = sizeof(d),
                         .origlen = sizeof(d),
                         .gso_type = GSO_TCP4,
                         .gso_size = 1448};
    struct frame f = good;
    f.gso_type = 3; /* fragments of UFO */
    assert_int_equal(gso_plan(&f, &p), -EOPNOTSUPP);
    f = good;
    f.gso_size = 0;
    assert_int_equal(gso_plan(&f, &p), -EINVAL);
    f = good;
    f.gso_size = PAYLOAD; /* one frame is no super-packet */
    assert_int_equal(gso_plan(&f, &p), -EINVAL);
    for (uint32_t n = 0; n <= DATA; n++) { /* cut anywhere in the headers */
        f = good;
        f.datalen = f.caplen = n;
        assert_int_equal(gso_plan(&f, &p), n < DATA ? -EINVAL : 0);
    }
    f = good;
    d[IP + 6] |= 0x20; /* a fragment */
    assert_int_equal(gso_plan(&f, &p), -EINVAL);
    make(d);
    d[TCP + 12] = 0x40; /* a TCP header shorter than a TCP header */
    assert_int_equal(gso_plan(&f, &p), -EINVAL);
    make(d);
    d[IP + 9] = 17; /* says UDP where the kernel says TCP */
    assert_int_equal(gso_plan(&f, &p), -EINVAL);
}

/* An IPv6 packet in another one's UDP, of so many bytes of headers, with TCP inside: VXLAN or
 * Geneve by `port`, whose header begins as given. Returns the length of all headers. */
static uint32_t make_tunnel(uint8_t *d, uint16_t port, const uint8_t head[8])
{
    memset(d, 0, 400 + PAYLOAD);
    uint32_t at = 14, inner = 14 + 40 + 8 + 8 + 14;
    st_u16(d + 12, 0x86dd);
    d[at] = 0x60;
    st_u16(d + at + 4, (uint16_t)(inner - 54 + 60 + PAYLOAD));
    d[at + 6] = 17;
    st_u16(d + 54 + 2, port);
    memcpy(d + 62, head, 8);
    st_u16(d + inner - 2, 0x86dd);
    d[inner] = 0x60;
    st_u16(d + inner + 4, 20 + PAYLOAD);
    d[inner + 6] = 6;
    d[inner + 40 + 12] = 0x50;
    return inner + 60;
}

/* A VXLAN header has its flag, a Geneve header its version and a known type, and neither comes on
 * the other's port. Any other packet is taken for no tunnel and not cut. */
static void tunnels_are_told_apart(void **state)
{
    (void)state;
    enum { VXLAN = 4789, VXLAN_OLD = 8472, GENEVE = 6081, OTHER = 5000 };
    static const struct {
        uint16_t port;
        uint8_t head[8];
        bool good;
    } cases[] = {
        {VXLAN, {0x08}, true},
        {VXLAN_OLD, {0x08}, true},
        {OTHER, {0x08}, true},
        {VXLAN, {0x00}, false},
        {GENEVE, {0x08}, false},
        {GENEVE, {0x00, 0, 0x65, 0x58}, true},
        {OTHER, {0x00, 0, 0x65, 0x58}, true},
        {GENEVE, {0x40, 0, 0x65, 0x58}, false}, /* another version */
        {GENEVE, {0x80, 0, 0x65, 0x58}, false},
        {GENEVE, {0x00, 0, 0x12, 0x34}, false}, /* another type */
        {VXLAN, {0x00, 0, 0x65, 0x58}, false},  /* on VXLAN's ports it is no Geneve */
        {VXLAN_OLD, {0x00, 0, 0x65, 0x58}, false},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static uint8_t d[400 + PAYLOAD];
        uint32_t headers = make_tunnel(d, cases[i].port, cases[i].head);
        struct frame f = {.data = d,
                          .datalen = headers + PAYLOAD,
                          .caplen = headers + PAYLOAD,
                          .origlen = headers + PAYLOAD,
                          .gso_type = GSO_TCP6,
                          .gso_size = 1000};
        struct gso_plan p;
        int r = gso_plan(&f, &p);
        if (r != (cases[i].good ? 0 : -EINVAL)) {
            fail_msg("case %u: %d", i, r);
        }
        assert_true(!cases[i].good || p.header_len == headers);
    }
}

/* The option of RFC 2675 is taken out where the header before it says "no length" and where it is
 * all that its hop-by-hop header holds; anything else there is left alone. */
static void only_a_jumbo_option_goes(void **state)
{
    (void)state;
    static const struct {
        uint8_t hop[8];
        uint16_t length;
        uint32_t gone;
    } cases[] = {
        {{6, 0, 0xc2, 4, 0, 1, 0x11, 0x70}, 0, 8},
        {{6, 0, 0xc2, 4, 0, 1, 0x11, 0x70}, 3528, 0}, /* a length, so no jumbogram */
        {{6, 0, 0x05, 4, 0, 0, 0, 0}, 0, 0},          /* another option */
        {{6, 0, 0xc2, 2, 0, 0, 1, 0}, 0, 0},          /* another length of it */
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static uint8_t d[200 + PAYLOAD];
        memset(d, 0, sizeof(d));
        st_u16(d + 12, 0x86dd);
        d[14] = 0x60;
        st_u16(d + 18, cases[i].length);
        d[20] = 0; /* hop-by-hop */
        memcpy(d + 54, cases[i].hop, 8);
        d[62 + 12] = 0x50;
        uint32_t headers = 62 + 20;
        struct frame f = {.data = d,
                          .datalen = headers + PAYLOAD,
                          .caplen = headers + PAYLOAD,
                          .origlen = headers + PAYLOAD,
                          .gso_type = GSO_TCP6,
                          .gso_size = 1000};
        struct gso_plan p;
        assert_int_equal(gso_plan(&f, &p), 0);
        assert_int_equal(p.header_len, headers - cases[i].gone);
    }
}

static void checksum_is_finished(void **state)
{
    (void)state;
    uint8_t d[DATA + PAYLOAD];
    make(d);
    uint8_t pseudo[12];
    memcpy(pseudo, d + IP + 12, 8);
    st_u32(pseudo + 8, 6u << 16 | (uint32_t)(sizeof(d) - TCP));
    st_u16(d + TCP + 16, gso_fold(gso_sum(pseudo, 12, 0))); /* what the kernel leaves there */
    assert_int_equal(gso_finish_checksum(d, sizeof(d), TCP, 16), 0);
    assert_int_equal(gso_fold(gso_sum(d + TCP, sizeof(d) - TCP, gso_sum(pseudo, 12, 0))), 0xffff);
    assert_int_equal(gso_finish_checksum(d, sizeof(d), sizeof(d), 0), -EINVAL);
    assert_int_equal(gso_finish_checksum(d, sizeof(d), sizeof(d) - 4, 3), -EINVAL);
    assert_int_equal(gso_finish_checksum(d, sizeof(d), 0xffff, 0xffff), -EINVAL);
}

static void sctp_checksum_is_finished(void **state)
{
    (void)state;
    const uint8_t nine[] = "123456789"; /* the check value that catalogues of CRCs give */
    assert_int_equal(gso_crc32c(nine, 9), 0xe3069283);
    const uint8_t zeros[32] = {0};
    assert_int_equal(gso_crc32c(zeros, 32), 0x8a9136aa); /* RFC 3720, appendix B.4 */
    uint8_t d[100];
    for (unsigned i = 0; i < sizeof(d); i++) {
        d[i] = (uint8_t)i;
    }
    assert_int_equal(gso_finish_checksum(d, sizeof(d), 34, 8), 0);
    const uint8_t got[4] = {d[42], d[43], d[44], d[45]};
    st_u32(d + 42, 0);
    uint32_t crc = gso_crc32c(d + 34, sizeof(d) - 34);
    const uint8_t want[4] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16),
                             (uint8_t)(crc >> 24)}; /* least significant byte first */
    assert_memory_equal(got, want, 4);
    assert_int_equal(gso_finish_checksum(d, sizeof(d), sizeof(d) - 11, 8), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sums),
        cmocka_unit_test(tcp_frames),
        cmocka_unit_test(beginnings),
        cmocka_unit_test(what_stays),
        cmocka_unit_test(misplaced_transport),
        cmocka_unit_test(sliced_capture),
        cmocka_unit_test(refusals),
        cmocka_unit_test(tunnels_are_told_apart),
        cmocka_unit_test(only_a_jumbo_option_goes),
        cmocka_unit_test(checksum_is_finished),
        cmocka_unit_test(sctp_checksum_is_finished),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
