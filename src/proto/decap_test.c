/* SPDX-License-Identifier: Apache-2.0
 *
 * Mirrored packets made by hand from the documents, and those that real senders make otherwise.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/batch.h"
#include "base/bytes.h"
#include "proto/decap.h"

enum {
    PACKET_MAX = 2048,
    IPV4_FRAME = 46, /* Ethernet, IPv4 of 32 bytes */
};

/* An Ethernet frame with an IPv4 packet of 32 bytes. */
static const uint8_t ipv4_frame[IPV4_FRAME] = {
    2,    0, 0, 0,  0, 1,  2, 0, 0,   0,   0,   2,  8,  0,                    /* */
    0x45, 0, 0, 32, 0, 1,  0, 0, 64,  17,  0,   0,  10, 0, 0, 1, 10, 0, 0, 2, /* */
    0,    1, 0, 2,  0, 12, 0, 0, 'd', 'a', 't', 'a'};

/* Headers, and a frame behind them. */
struct packet {
    uint8_t bytes[PACKET_MAX];
    size_t len;
};

static struct packet packet(const uint8_t *head, size_t n, const uint8_t *frame, size_t frame_len)
{
    struct packet p = {.len = n + frame_len};
    memcpy(p.bytes, head, n);
    memcpy(p.bytes + n, frame, frame_len);
    return p;
}

#define PACKET(frame, frame_len, ...)                                                              \
    packet((const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}), frame, frame_len)

/* ipv4_frame behind these bytes. */
#define WITH_FRAME(...) PACKET(ipv4_frame, IPV4_FRAME, __VA_ARGS__)

static void assert_frame(const struct decap *d, enum decap_carrier carrier)
{
    assert_int_equal(d->carrier, carrier);
    assert_int_equal(d->len, IPV4_FRAME);
    assert_int_equal(d->origlen, IPV4_FRAME);
    assert_memory_equal(d->frame, ipv4_frame, IPV4_FRAME);
    assert_false(d->fcs);
}

static struct decap gre(const struct packet *p, enum decap_result want)
{
    struct decap d;
    assert_int_equal(decap_gre(p->bytes, p->len, true, true, &d), want);
    return d;
}

static void of_vxlan_only_the_i_flag_counts(void **state)
{
    (void)state;
    struct decap d;
    struct packet p = WITH_FRAME(8, 0, 0, 0, 0x12, 0x34, 0x56, 0);
    assert_int_equal(decap_vxlan(p.bytes, p.len, &d), DECAP_FRAME);
    assert_frame(&d, DECAP_VXLAN);
    assert_true(d.has_id);
    assert_int_equal(d.id, 0x123456);
    p = WITH_FRAME(0xff, 0xff, 0xff, 0xff, 0, 0, 77, 0xff); /* all reserved bits are set */
    assert_int_equal(decap_vxlan(p.bytes, p.len, &d), DECAP_FRAME);
    assert_frame(&d, DECAP_VXLAN);
    assert_int_equal(d.id, 77);
    p = WITH_FRAME(0xf7, 0, 0, 0, 0, 0, 77, 0);
    assert_int_equal(decap_vxlan(p.bytes, p.len, &d), DECAP_VERSION);
}

static void gre_has_a_checksum_a_key_and_a_sequence_number(void **state)
{
    (void)state;
    struct packet p = WITH_FRAME(0, 0, 0x65, 0x58);
    struct decap d = gre(&p, DECAP_FRAME);
    assert_frame(&d, DECAP_GRE);
    assert_false(d.has_id || d.has_seq);
    p = WITH_FRAME(0x20, 0, 0x65, 0x58, 1, 2, 3, 4);
    d = gre(&p, DECAP_FRAME);
    assert_frame(&d, DECAP_GRE);
    assert_true(d.has_id && !d.has_seq);
    assert_int_equal(d.id, 0x01020304);
    p = WITH_FRAME(0xb0, 0, 0x65, 0x58, 9, 9, 0, 0, 0, 0, 0, 5, 0, 0, 1, 0);
    d = gre(&p, DECAP_FRAME);
    assert_frame(&d, DECAP_GRE);
    assert_true(d.has_id && d.has_seq);
    assert_int_equal(d.id, 5);
    assert_int_equal(d.seq, 256);
}

static void gre_that_is_no_tunnel_of_frames_is_told_apart(void **state)
{
    (void)state;
    struct decap d;
    struct packet p = WITH_FRAME(0, 0, 8, 0); /* a packet of IP */
    gre(&p, DECAP_NO_ETHERNET);
    assert_int_equal(decap_gre(p.bytes, p.len, false, true, &d), DECAP_OTHER);
    p = WITH_FRAME(0, 0, 0x65, 0x58);
    assert_int_equal(decap_gre(p.bytes, p.len, false, true, &d), DECAP_OTHER);
    p = WITH_FRAME(0, 0, 0x88, 0xbe);
    assert_int_equal(decap_gre(p.bytes, p.len, true, false, &d), DECAP_OTHER);
    p = WITH_FRAME(0x30, 1, 0x88, 0x0b); /* PPTP's, version 1 */
    gre(&p, DECAP_VERSION);
    p = WITH_FRAME(0x40, 0, 0x65, 0x58); /* with routing, RFC 1701 */
    gre(&p, DECAP_VERSION);
}

static void erspan_one_and_two_differ_by_the_sequence_bit(void **state)
{
    (void)state;
    struct packet p = WITH_FRAME(0, 0, 0x88, 0xbe); /* type I: GRE's header alone */
    struct decap d = gre(&p, DECAP_FRAME);
    assert_frame(&d, DECAP_ERSPAN);
    assert_false(d.has_id);
    p = WITH_FRAME(0x10, 0, 0x88, 0xbe, 0, 0, 0, 7, 0x10, 0, 0, 12, 0, 0, 0, 0);
    d = gre(&p, DECAP_FRAME);
    assert_frame(&d, DECAP_ERSPAN);
    assert_true(d.has_id && d.has_seq && !d.tag_gone);
    assert_int_equal(d.id, 12);
    assert_int_equal(d.seq, 7);
    p = WITH_FRAME(0x10, 0, 0x88, 0xbe, 0, 0, 0, 7, 0x70, 0, 0, 12, 0, 0, 0, 0);
    gre(&p, DECAP_VERSION);
    p = WITH_FRAME(0x10, 0, 0x88, 0xbe, 0, 0, 0, 7, 0x00, 0, 0, 12, 0, 0, 0, 0);
    gre(&p, DECAP_VERSION);
}

static void erspan_says_that_the_switch_took_the_tag_off(void **state)
{
    (void)state;
    /* VLAN 0x123, class 5, En 2, session 1. */
    struct packet p = WITH_FRAME(0x10, 0, 0x88, 0xbe, 0, 0, 0, 0, 0x11, 0x23, 0xb0, 1, 0, 0, 0, 0);
    struct decap d = gre(&p, DECAP_FRAME);
    assert_true(d.tag_gone);
    assert_int_equal(d.tci, 0xa123);
    p.bytes[10] = 0xb8; /* En 3: it is in the frame */
    d = gre(&p, DECAP_FRAME);
    assert_false(d.tag_gone);
}

static void erspan_three_has_a_sub_header_by_its_o_bit(void **state)
{
    (void)state;
    /* Version 2, session 12, a timestamp, a tag, P bit not set as Open vSwitch has it, D bit. */
    struct packet p =
        WITH_FRAME(0x10, 0, 0x22, 0xeb, 0, 0, 0, 7, 0x20, 0, 0, 12, 1, 2, 3, 4, 0, 0, 0x00, 0x08);
    struct decap d = gre(&p, DECAP_FRAME);
    assert_frame(&d, DECAP_ERSPAN);
    assert_int_equal(d.id, 12);
    assert_int_equal(d.dir, FRAME_DIR_OUT);
    p = WITH_FRAME(0x10, 0, 0x22, 0xeb, 0, 0, 0, 7, 0x20, 0, 0, 13, 1, 2, 3, 4, 0, 0, 0x80, 0x01, 1,
                   2, 3, 4, 5, 6, 7, 8);
    d = gre(&p, DECAP_FRAME);
    assert_frame(&d, DECAP_ERSPAN);
    assert_int_equal(d.id, 13);
    assert_int_equal(d.dir, FRAME_DIR_IN);
    p.bytes[18] = 0x88; /* frame type 2, and the P bit: a packet of IP nevertheless */
    gre(&p, DECAP_NO_ETHERNET);
    p.bytes[8] = 0x70;
    gre(&p, DECAP_VERSION);
}

static void tzsp_has_tags_of_which_two_have_no_length(void **state)
{
    (void)state;
    struct decap d;
    struct packet p = WITH_FRAME(1, 0, 0, 1, 1);
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_FRAME);
    assert_frame(&d, DECAP_TZSP);
    p = WITH_FRAME(1, 1, 0, 1, 0, 0, 10, 1, 99, 0, 12, 2, 1, 1, 0, 1);
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_FRAME);
    assert_frame(&d, DECAP_TZSP);
    p = WITH_FRAME(1, 4, 0, 0); /* a keepalive, with and without more behind it */
    assert_int_equal(decap_tzsp(p.bytes, 4, &d), DECAP_SILENT);
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_SILENT);
    p = WITH_FRAME(1, 2, 0, 1, 1);
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_VERSION);
    p = WITH_FRAME(2, 0, 0, 1, 1);
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_VERSION);
    p = WITH_FRAME(1, 0, 0, 18, 1); /* 802.11 */
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_NO_ETHERNET);
    p = PACKET(ipv4_frame, 0, 1, 0, 0, 1, 10, 200, 1, 1);
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_SHORT);
}

static void tzsp_tells_the_length_of_what_is_no_ip(void **state)
{
    (void)state;
    struct decap d;
    uint8_t arp[60] = {[12] = 8, [13] = 6};
    struct packet p = PACKET(arp, sizeof(arp), 1, 0, 0, 1, 41, 2, 0, 90, 1);
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_FRAME);
    assert_int_equal(d.len, 60);
    assert_int_equal(d.origlen, 90);
    p = WITH_FRAME(1, 0, 0, 1, 41, 2, 0, IPV4_FRAME + 4, 1); /* with the check sequence */
    assert_int_equal(decap_tzsp(p.bytes, p.len, &d), DECAP_FRAME);
    assert_frame(&d, DECAP_TZSP);
}

static void ivtap_sends_frames_and_a_word_of_22_bytes(void **state)
{
    (void)state;
    struct decap d;
    struct decap_word word = {0};
    const uint8_t bytes[] = {0, 0, 0, 0, 0, 0xfe, 0, 0, 1, 0x8f, 0,
                             0, 0, 1, 0, 0, 0,    0, 0, 1, 0,    2};
    assert_int_equal(decap_ivtap(bytes, sizeof(bytes), &d, &word), DECAP_WORD);
    assert_int_equal(word.state, -2);
    assert_int_equal(word.at_ms, 0x018f00000001);
    assert_int_equal(word.sent, 0x10002);
    assert_int_equal(decap_ivtap(ipv4_frame, IPV4_FRAME, &d, &word), DECAP_FRAME);
    assert_frame(&d, DECAP_IVTAP);
    assert_int_equal(decap_ivtap(bytes, sizeof(bytes) - 1, &d, &word), DECAP_FRAME);
    assert_int_equal(decap_ivtap(bytes, 13, &d, &word), DECAP_SHORT);
}

/* The check value that catalogues of CRCs give for "123456789" is cbf43926. */
static void a_check_sequence_is_taken_off_where_it_is_right(void **state)
{
    (void)state;
    struct decap d;
    struct decap_word word;
    uint8_t bare[13 + 9 + 4] = {[12] = 9}; /* no type that is known: bytes 13 on are as they are */
    struct packet p = {.len = IPV4_FRAME + 4};
    memcpy(p.bytes, ipv4_frame, IPV4_FRAME);
    const uint8_t fcs[] = {0xd7, 0xcb, 0x9a, 0x3b}; /* of ipv4_frame, by Python's zlib.crc32 */
    memcpy(p.bytes + IPV4_FRAME, fcs, 4);
    assert_int_equal(decap_ivtap(p.bytes, p.len, &d, &word), DECAP_FRAME);
    assert_true(d.fcs);
    assert_int_equal(d.len, IPV4_FRAME);
    assert_int_equal(d.origlen, IPV4_FRAME);
    p.bytes[IPV4_FRAME] ^= 1; /* padding, or a trailer of another kind */
    assert_int_equal(decap_ivtap(p.bytes, p.len, &d, &word), DECAP_FRAME);
    assert_false(d.fcs);
    assert_int_equal(d.len, IPV4_FRAME + 4);
    assert_int_equal(decap_ivtap(bare, sizeof(bare), &d, &word), DECAP_FRAME);
    assert_false(d.fcs);
}

/* Four bytes of the packet itself that happen to be right are kept: the packet goes so far. */
static void a_check_sequence_is_beyond_the_packet(void **state)
{
    (void)state;
    struct decap d;
    struct decap_word word;
    struct packet p = {.len = IPV4_FRAME + 4};
    memcpy(p.bytes, ipv4_frame, IPV4_FRAME);
    p.bytes[17] = 36;                               /* the packet's length */
    const uint8_t fcs[] = {0x06, 0xa9, 0xf4, 0x6c}; /* of that */
    memcpy(p.bytes + IPV4_FRAME, fcs, 4);
    assert_int_equal(decap_ivtap(p.bytes, p.len, &d, &word), DECAP_FRAME);
    assert_false(d.fcs);
    assert_int_equal(d.len, IPV4_FRAME + 4);
}

static void a_cut_frame_has_the_length_of_its_packet(void **state)
{
    (void)state;
    struct decap d;
    struct decap_word word;
    struct packet p = {.len = IPV4_FRAME};
    memcpy(p.bytes, ipv4_frame, IPV4_FRAME);
    st_u16(p.bytes + 16, 1400);
    assert_int_equal(decap_ivtap(p.bytes, p.len, &d, &word), DECAP_FRAME);
    assert_int_equal(d.len, IPV4_FRAME);
    assert_int_equal(d.origlen, 1414);
    uint8_t six[54] = {[12] = 0x86, [13] = 0xdd, [14] = 0x60, [18] = 5, [19] = 0, [20] = 59};
    assert_int_equal(decap_ivtap(six, sizeof(six), &d, &word), DECAP_FRAME);
    assert_int_equal(d.origlen, 14 + 40 + 0x500);
    st_u16(p.bytes + 16, 0); /* a super-packet, whose length is not in it */
    assert_int_equal(decap_ivtap(p.bytes, p.len, &d, &word), DECAP_FRAME);
    assert_int_equal(d.origlen, IPV4_FRAME);
}

/* Each header, cut at each place, is short or at least no frame beyond the bytes. */
static void what_is_cut_within_a_header_is_short(void **state)
{
    (void)state;
    struct decap d;
    const struct packet p = WITH_FRAME(0x10, 0, 0x22, 0xeb, 0, 0, 0, 7, 0x20, 0, 0, 13, 1, 2, 3, 4,
                                       0, 0, 0x80, 0x01, 1, 2, 3, 4, 5, 6, 7, 8);
    for (size_t n = 0; n < p.len - IPV4_FRAME + DECAP_FRAME_MIN; n++) {
        assert_int_equal(decap_gre(p.bytes, n, true, true, &d), DECAP_SHORT);
    }
    const struct packet v = WITH_FRAME(8, 0, 0, 0, 0, 0, 77, 0);
    for (size_t n = 0; n < 8 + DECAP_FRAME_MIN; n++) {
        assert_int_equal(decap_vxlan(v.bytes, n, &d), DECAP_SHORT);
    }
    const struct packet t = WITH_FRAME(1, 0, 0, 1, 1);
    for (size_t n = 0; n < 5 + DECAP_FRAME_MIN; n++) {
        assert_int_equal(decap_tzsp(t.bytes, n, &d), DECAP_SHORT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_vxlan_only_the_i_flag_counts),
        cmocka_unit_test(gre_has_a_checksum_a_key_and_a_sequence_number),
        cmocka_unit_test(gre_that_is_no_tunnel_of_frames_is_told_apart),
        cmocka_unit_test(erspan_one_and_two_differ_by_the_sequence_bit),
        cmocka_unit_test(erspan_says_that_the_switch_took_the_tag_off),
        cmocka_unit_test(erspan_three_has_a_sub_header_by_its_o_bit),
        cmocka_unit_test(tzsp_has_tags_of_which_two_have_no_length),
        cmocka_unit_test(tzsp_tells_the_length_of_what_is_no_ip),
        cmocka_unit_test(ivtap_sends_frames_and_a_word_of_22_bytes),
        cmocka_unit_test(a_check_sequence_is_taken_off_where_it_is_right),
        cmocka_unit_test(a_check_sequence_is_beyond_the_packet),
        cmocka_unit_test(a_cut_frame_has_the_length_of_its_packet),
        cmocka_unit_test(what_is_cut_within_a_header_is_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
