/* SPDX-License-Identifier: Apache-2.0
 *
 * The interfaces of capture files: which of them are one point, those that nobody takes, thousands
 * of them, and filters for their link types. Packets of all kinds come by their points.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/source/file_points.h"
#include "data/source/file_testing.h"
#include "proto/pcap.h"

static struct reading r;
static uint8_t file[1 << 21];
static struct wr w;

static void begin(void)
{
    w = wr_make(file, sizeof(file));
    reading_put_section(&w);
}

static void finish(int result)
{
    struct error err = {""};
    assert_true(wr_ok(&w));
    reading_begin(&r, reading_memory(file, wr_len(&w)));
    reading_run(&r);
    assert_int_equal(file_source_check(r.s, &err), result);
    reading_end(&r);
}

static void assert_points(const uint32_t *points, size_t n)
{
    assert_int_equal(r.n, n);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(r.frame[i].point, points[i]);
    }
}

#define ASSERT_POINTS(...)                                                                         \
    assert_points((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void names_and_link_types(void **state)
{
    (void)state;
    begin();
    reading_put_interface(&w, "eth0", 1);
    reading_put_interface(&w, "eth1", 1);
    reading_put_interface(&w, "eth0", 101); /* another link type: another point */
    reading_put_interface(&w, NULL, 1);     /* the number is its name, … */
    reading_put_interface(&w, "if3", 1);    /* … which is not this one */
    reading_put_interface(&w, "eth0", 1);   /* the first once more */
    reading_put_interface(&w, "null", 0);   /* the file's own number for that link */
    for (uint32_t i = 0; i < 7; i++) {
        reading_put_frame(&w, i, (uint8_t)i);
    }
    finish(0);
    ASSERT_POINTS(0, 1, 2, 3, 4, 0, 5);
    static const struct reading_point want[] = {{"eth0", 1, 0, 0},   {"eth1", 1, 0, 0},
                                                {"eth0", 101, 0, 0}, {"if3", 1, 0, 0},
                                                {"if3", 1, 0, 0},    {"null", 0, 0, 0}};
    assert_int_equal(r.n_points, ARRAY_SIZE(want));
    for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
        assert_string_equal(r.point[i].name, want[i].name);
        assert_int_equal(r.point[i].linktype, want[i].linktype);
    }
    const struct frame *f = &r.frame[6];
    assert_true(f->caplen == READING_FRAME_LEN && f->origlen == 100 && f->ts_ns == 77);
    assert_true(f->lost == 5 && f->dir == FRAME_DIR_OUT && r.first[6] == 6 && r.last[6] == 6);
}

/* A file that was appended to, with its interfaces in another order. */
static void sections_are_of_one_file(void **state)
{
    (void)state;
    begin();
    reading_put_interface(&w, "eth0", 1);
    reading_put_interface(&w, NULL, 1);
    reading_put_frame(&w, 0, 1);
    reading_put_frame(&w, 1, 2);
    reading_put_section(&w);
    reading_put_interface(&w, NULL, 1); /* the first without a name, not the second */
    reading_put_interface(&w, NULL, 1);
    reading_put_interface(&w, "eth0", 1);
    for (uint32_t i = 0; i < 3; i++) {
        reading_put_frame(&w, i, 3);
    }
    reading_put_section(&w);
    reading_put_frame(&w, 0, 4); /* has no interface in this one */
    finish(-EPROTO);
    ASSERT_POINTS(0, 1, 2, 1, 0);
    assert_string_equal(r.point[1].name, "if1");
    assert_string_equal(r.point[2].name, "if0");
}

/* Names are compared whole, and shown as far as there is room, without controls. */
static void odd_names(void **state)
{
    (void)state;
    char a[POINT_NAME_MAX + 8], b[POINT_NAME_MAX + 8];
    memset(a, 'x', sizeof(a));
    memset(b, 'x', sizeof(b));
    a[sizeof(a) - 1] = b[sizeof(b) - 1] = '\0';
    b[sizeof(b) - 2] = 'y';
    begin();
    reading_put_interface(&w, a, 1);
    reading_put_interface(&w, b, 1);
    reading_put_interface(&w, a, 1);
    reading_put_interface(&w, "\33[2J\\", 1);
    for (uint32_t i = 0; i < 4; i++) {
        reading_put_frame(&w, i, 1);
    }
    finish(0);
    ASSERT_POINTS(0, 1, 0, 2);
    assert_int_equal(strlen(r.point[0].name), POINT_NAME_MAX);
    assert_memory_equal(r.point[0].name, a, POINT_NAME_MAX);
    assert_string_equal(r.point[2].name, "\\x1b[2J\\x5c");
}

static void an_interface_is_described(void **state)
{
    (void)state;
    begin();
    pcapng_put_idb(&w, &(struct pcapng_idb){
                           .linktype = 1, .snaplen = 96, .speed = 10000000000, .name = {"e", 1}});
    finish(0);
    assert_int_equal(r.n_points, 1); /* also without a frame */
    assert_int_equal(r.point[0].snaplen, 96);
    assert_true(r.point[0].speed == 10000000000);
}

static void frames_that_nobody_takes(void **state)
{
    (void)state;
    begin();
    reading_put_interface(&w, "usb0", READING_UNREADABLE_LINK);
    reading_put_interface(&w, "eth0", 1);
    reading_put_interface(&w, "full0", READING_UNWANTED_LINK);
    for (uint32_t i = 0; i < 300; i++) {
        reading_put_frame(&w, i % 3, 1);
    }
    finish(0);
    assert_int_equal(r.n_points, 1);
    assert_int_equal(r.n, 100);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_IN), 300);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_LINK_TYPE), 100);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_DAMAGED), 100);
}

/* Of two sections with all the interfaces that a section may have, those that there are points for
 * are the same ones. */
static void thousands_of_interfaces(void **state)
{
    (void)state;
    w = wr_make(file, sizeof(file));
    for (unsigned section = 0; section < 2; section++) {
        reading_put_section(&w);
        for (unsigned i = 0; i < PCAPNG_IFS_MAX; i++) {
            char name[16];
            (void)snprintf(name, sizeof(name), "veth%u", section ? PCAPNG_IFS_MAX - 1 - i : i);
            reading_put_interface(&w, name, 1);
        }
        for (unsigned i = 0; i < PCAPNG_IFS_MAX; i += 16) {
            reading_put_frame(&w, i, 1);
        }
    }
    finish(0);
    assert_int_equal(r.n_points, POINT_MAX);
    assert_int_equal(r.n, POINT_MAX / 16 * 2);
    for (unsigned i = 0; i < POINT_MAX / 16; i++) {
        assert_int_equal(r.frame[i].point, i * 16);
        assert_int_equal(r.frame[POINT_MAX / 16 + i].point, POINT_MAX - 1 - i * 16);
    }
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_DAMAGED), (PCAPNG_IFS_MAX - POINT_MAX) / 8);
    reading_put_section(&w);
    for (unsigned i = 0; i <= PCAPNG_IFS_MAX; i++) {
        reading_put_interface(&w, NULL, 1);
    }
    finish(-EPROTO); /* one more */
    assert_int_equal(r.n, POINT_MAX / 16 * 2);
}

static void put_words(const uint32_t *words, size_t bytes, bool big)
{
    for (size_t i = 0; i < bytes / 4; i++) {
        (big ? wr_u32 : wr_u32le)(&w, words[i]);
    }
}

#define PUT(big, ...)                                                                              \
    put_words((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}), big)

/* Sections of both byte orders in one file, with the simple and the obsolete block, a resolution of
 * ms, and check sequences. */
static void all_packets_in_both_orders(void **state)
{
    (void)state;
    w = wr_make(file, sizeof(file));
    for (unsigned big = 0; big < 2; big++) {
        PUT(big, 0x0a0d0d0a, 28, 0x1a2b3c4d, big ? 1 << 16 : 1, UINT32_MAX, UINT32_MAX, 28);
        PUT(big, 1, 36, big ? 101 << 16 : 101, 0);
        PUT(big, big ? 9 << 16 | 1 : 9 | 1 << 16, big ? 3 << 24 : 3); /* if_tsresol */
        PUT(big, big ? 13 << 16 | 1 : 13 | 1 << 16, big ? 2 << 24 : 2, 36);
        PUT(big, 6, 40, 0, 0, 1500, 6, 80, 0x61626364, 0x65660000, 40);
        PUT(big, 3, 24, 5, 0x61626364, 0x65000000, 24);
        PUT(big, 2, 36, big ? 7 : 7 << 16, 0, 1501, 4, 3, 0x61626364, 36); /* of 4 at least */
    }
    finish(0);
    ASSERT_POINTS(0, 0, 0, 0, 0, 0);
    for (unsigned i = 0; i < 6; i++) {
        static const struct frame want[] = {
            {.caplen = 6, .origlen = 78, .ts_ns = 1500000000},
            {.caplen = 3, .origlen = 3},
            {.caplen = 2, .origlen = 2, .ts_ns = 1501000000, .lost = 7}};
        const struct frame *f = &r.frame[i], *v = &want[i % 3];
        assert_true(f->caplen == v->caplen && f->origlen == v->origlen);
        assert_true(f->ts_ns == v->ts_ns && f->lost == v->lost);
    }
}

/* ---- filters ---- */

/* An IPv4 packet with a datagram to that port. */
static void put_packet(uint32_t ifid, uint32_t before, uint16_t port)
{
    const uint32_t len = before + 28;
    const struct pcapng_epb v = {.ifid = ifid, .caplen = len, .origlen = len};
    uint8_t *at = pcapng_epb_begin(&w, &v);
    assert_non_null(at);
    memset(at, 0, len);
    if (before >= 2) {
        st_u16(at + before - 2, 0x0800);
    }
    at += before;
    at[0] = 0x45;
    at[9] = 17;
    st_u16(at + 22, port);
}

static void filtered(const char *filter, uint32_t n, uint64_t other, uint64_t unreadable,
                     unsigned compiled)
{
    struct error err = {""};
    reading_begin_filter(&r, reading_memory(file, wr_len(&w)), filter);
    reading_run(&r);
    assert_int_equal(file_source_check(r.s, &err), 0);
    assert_int_equal(r.n, n);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_FILTER), other);
    assert_int_equal(ledger_get(&r.ledger, LEDGER_FILE_LINK_TYPE), unreadable);
    assert_int_equal(r.compiled, compiled);
    reading_end(&r);
}

/* One expression, and a program for each link type: where none can be made, nothing is guessed. */
static void each_link_type_has_its_filter(void **state)
{
    (void)state;
    static const struct {
        uint16_t linktype, before;
    } links[] = {{1, 14}, {101, 0}, {113, 16}, {147, 8}, {1, 14}};
    begin();
    for (uint32_t i = 0; i < ARRAY_SIZE(links); i++) {
        char name[8];
        (void)snprintf(name, sizeof(name), "e%u", i);
        reading_put_interface(&w, name, links[i].linktype);
        put_packet(i, links[i].before, 53);
        put_packet(i, links[i].before, 54);
        put_packet(i, links[i].before, 53);
    }
    filtered("udp dst port 53", 8, 4, 3, 4);
    filtered("udp dst port 54", 4, 8, 3, 4);
    filtered("greater 1000", 0, 12, 3, 4); /* 147 can be filtered so, but is refused as a point */
}

static void put_link_types(uint16_t first)
{
    begin();
    for (uint32_t i = 0; i < FILE_LINK_TYPES + 10; i++) {
        reading_put_interface(&w, NULL, (uint16_t)(first + i));
        put_packet(i, 0, 53);
    }
}

static void filters_are_bounded(void **state)
{
    (void)state;
    put_link_types(194);
    filtered("greater 28", FILE_LINK_TYPES, 0, 10, FILE_LINK_TYPES);
    filtered("greater 29", 0, FILE_LINK_TYPES, 10, FILE_LINK_TYPES);
    put_link_types(2000); /* that libpcap does not know */
    filtered("greater 28", 0, 0, FILE_LINK_TYPES + 10, FILE_LINK_TYPES);
    filtered(NULL, FILE_LINK_TYPES + 10, 0, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_link_types),
        cmocka_unit_test(sections_are_of_one_file),
        cmocka_unit_test(odd_names),
        cmocka_unit_test(an_interface_is_described),
        cmocka_unit_test(frames_that_nobody_takes),
        cmocka_unit_test(thousands_of_interfaces),
        cmocka_unit_test(all_packets_in_both_orders),
        cmocka_unit_test(each_link_type_has_its_filter),
        cmocka_unit_test(filters_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
