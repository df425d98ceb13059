/* SPDX-License-Identifier: Apache-2.0
 *
 * The reader of the classic capture file: bytes made by hand from the document
 * (draft-ietf-opsawg-pcap, sections 4 and 5), windows that end at every byte, and what is no such
 * file. data/source/file_test.c has libpcap judge the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "proto/pcap.h"

enum {
    S = 1700000000,
    PART = 123456,
    CAPLEN = 3,
    ORIGLEN = 60,
};

/* A file by hand, whose numbers are in either order. */
struct hand {
    uint8_t d[128];
    size_t n;
    bool big;
};

static void put(struct hand *h, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        h->d[h->n++] = (uint8_t)(v >> 8 * (h->big ? bytes - 1 - i : i));
    }
}

static struct hand header(bool big, uint32_t magic, uint16_t minor, uint32_t snaplen, uint32_t last)
{
    struct hand h = {.big = big};
    put(&h, magic, 4);
    put(&h, 2, 2);
    put(&h, minor, 2);
    put(&h, 0xffffffff, 4); /* reserved: old writers put times there */
    put(&h, 0xffffffff, 4);
    put(&h, snaplen, 4);
    put(&h, last, 4);
    assert_int_equal(h.n, PCAP_HEADER_LEN);
    return h;
}

static void record(struct hand *h, uint32_t first_len, uint32_t second_len, unsigned more)
{
    put(h, S, 4);
    put(h, PART, 4);
    put(h, first_len, 4);
    put(h, second_len, 4);
    for (unsigned i = 0; i < more; i++) {
        put(h, 0xee, 1);
    }
}

static void assert_whole(const struct pcap_item *it, size_t len, int64_t ns)
{
    assert_false(it->more);
    assert_int_equal(it->len, len);
    assert_int_equal(it->head.caplen, CAPLEN);
    assert_int_equal(it->head.origlen, ORIGLEN);
    assert_true(it->head.ts_ns == ns);
    assert_memory_equal(it->data, "\1\2\3", CAPLEN);
}

static void all_forms_cut_at_every_byte(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic;
        int64_t part_ns;
        unsigned more;
    } forms[] = {{0xa1b2c3d4, PART * 1000, 0}, {0xa1b23c4d, PART, 0}, {0xa1b2cd34, PART * 1000, 8}};
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(forms); i++) {
        const unsigned head = 16 + forms[i / 2].more;
        struct hand h = header(i % 2, forms[i / 2].magic, 4, 65535, 0x71);
        struct pcap_file f;
        struct pcap_item it;
        assert_int_equal(pcap_read_header(h.d, &f), 0);
        assert_true(pcap_is_magic(h.d));
        assert_int_equal(f.big, i % 2);
        assert_int_equal(f.linktype, 0x71);
        assert_int_equal(f.fcs_len, 0);
        assert_int_equal(f.snaplen, 65535);
        record(&h, CAPLEN, ORIGLEN, forms[i / 2].more);
        for (unsigned k = 1; k <= CAPLEN; k++) {
            put(&h, k, 1);
        }
        const uint8_t *at = h.d + PCAP_HEADER_LEN;
        for (size_t n = 0; n < head + CAPLEN; n++) {
            assert_int_equal(pcap_read(&f, at, n, &it), 0);
            assert_true(it.more);
            assert_int_equal(it.len, n < head ? head : head + CAPLEN);
        }
        assert_int_equal(pcap_read(&f, at, sizeof(h.d) - PCAP_HEADER_LEN, &it), 0);
        assert_whole(&it, head + CAPLEN, S * NSEC_PER_SEC + forms[i / 2].part_ns);
    }
}

/* Of the last field only the lower half is the link type. */
static void the_check_sequence_is_told_apart(void **state)
{
    (void)state;
    static const struct {
        uint32_t last;
        unsigned linktype, fcs;
    } fields[] = {
        {1, 1, 0},
        {0x24000001, 1, 4},
        {0x20000001, 1, 0}, /* not said */
        {0x04000071, 113, 0},
        {0xf4000000, 0, PCAP_FCS_MAX},
        {0x0bffffff, 0xffff, 0},
    };
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(fields); i++) {
        const struct hand h = header(i % 2, 0xa1b2c3d4, 4, 0, fields[i / 2].last);
        struct pcap_file f;
        assert_int_equal(pcap_read_header(h.d, &f), 0);
        assert_int_equal(f.linktype, fields[i / 2].linktype);
        assert_int_equal(f.fcs_len, fields[i / 2].fcs);
    }
}

static void lengths_are_bounded(void **state)
{
    (void)state;
    static const struct {
        uint32_t snaplen, caplen;
        int result;
    } lengths[] = {
        {0, 0, 0},
        {0, PCAP_SNAPLEN_MAX, 0},
        {0, PCAP_SNAPLEN_MAX + 1, -EPROTO},
        {68, PCAP_SNAPLEN_MAX, 0}, /* more than it promises */
        {68, PCAP_SNAPLEN_MAX + 1, -EPROTO},
        {PCAP_SNAPLEN_MAX + 1, PCAP_SNAPLEN_MAX + 1, 0},
        {PCAP_SNAPLEN_MAX + 1, PCAP_SNAPLEN_MAX + 2, -EPROTO},
        {PCAP_SNAPLEN_ABSURD, PCAP_SNAPLEN_ABSURD, 0},
        {PCAP_SNAPLEN_ABSURD + 1, PCAP_SNAPLEN_MAX, 0},
        {PCAP_SNAPLEN_ABSURD + 1, PCAP_SNAPLEN_MAX + 1, -EPROTO},
        {UINT32_MAX, UINT32_MAX, -EPROTO},
    };
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        struct hand h = header(false, 0xa1b2c3d4, 4, lengths[i].snaplen, 1);
        struct pcap_file f;
        struct pcap_item it = {.len = 7};
        assert_int_equal(pcap_read_header(h.d, &f), 0);
        record(&h, lengths[i].caplen, UINT32_MAX, 0);
        assert_int_equal(pcap_read(&f, h.d + PCAP_HEADER_LEN, PCAP_RECORD_LEN, &it),
                         lengths[i].result);
        assert_int_equal(it.len, lengths[i].result == 0 ? 16 + lengths[i].caplen : 7);
    }
}

/* The frame had at least the bytes that are there; in files of old versions it is the other length
 * that says how many these are. */
static void lengths_that_contradict(void **state)
{
    (void)state;
    static const struct {
        uint16_t minor;
        uint32_t first, second, caplen, origlen;
    } cases[] = {
        {4, 5, 2, 5, 5}, {4, 2, 5, 2, 5}, {3, 5, 2, 2, 5}, {3, 2, 5, 2, 5},
        {2, 5, 2, 2, 5}, {0, 5, 2, 2, 5}, {1, 2, 5, 5, 5},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct hand h = header(true, 0xa1b2c3d4, cases[i].minor, 65535, 1);
        struct pcap_file f;
        struct pcap_item it;
        assert_int_equal(pcap_read_header(h.d, &f), 0);
        record(&h, cases[i].first, cases[i].second, 8);
        assert_int_equal(pcap_read(&f, h.d + PCAP_HEADER_LEN, h.n - PCAP_HEADER_LEN, &it), 0);
        assert_false(it.more);
        assert_int_equal(it.head.caplen, cases[i].caplen);
        assert_int_equal(it.head.origlen, cases[i].origlen);
        assert_int_equal(it.len, 16 + cases[i].caplen);
    }
}

/* The most that a record can say, in either unit. */
static void the_latest_time(void **state)
{
    (void)state;
    for (unsigned ns = 0; ns < 2; ns++) {
        struct hand h = header(false, ns ? 0xa1b23c4d : 0xa1b2c3d4, 4, 65535, 1);
        struct pcap_file f;
        struct pcap_item it;
        assert_int_equal(pcap_read_header(h.d, &f), 0);
        memset(h.d + PCAP_HEADER_LEN, 0xff, 8);
        assert_int_equal(pcap_read(&f, h.d + PCAP_HEADER_LEN, PCAP_RECORD_LEN, &it), 0);
        assert_true(it.head.ts_ns ==
                    UINT32_MAX * NSEC_PER_SEC + UINT32_MAX * (ns ? 1 : INT64_C(1000)));
    }
}

static void other_files_are_refused(void **state)
{
    (void)state;
    struct pcap_file f = {.snaplen = 7};
    static const uint32_t magics[] = {0, 0x0a0d0d0a, 0xa1b2c3d5, 0xa1b2, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        const struct hand h = header(i % 2, magics[i], 4, 65535, 1);
        assert_int_equal(pcap_read_header(h.d, &f), -EPROTO);
        assert_false(pcap_is_magic(h.d));
    }
    struct hand later = header(false, 0xa1b2c3d4, 5, 65535, 1);
    assert_int_equal(pcap_read_header(later.d, &f), -EPROTO);
    later = header(false, 0xa1b2c3d4, 4, 65535, 1);
    later.d[4] = 3;
    assert_int_equal(pcap_read_header(later.d, &f), -EPROTO);
    later.d[4] = 1;
    assert_int_equal(pcap_read_header(later.d, &f), -EPROTO);
    assert_int_equal(f.snaplen, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms_cut_at_every_byte),
        cmocka_unit_test(the_check_sequence_is_told_apart),
        cmocka_unit_test(lengths_are_bounded),
        cmocka_unit_test(lengths_that_contradict),
        cmocka_unit_test(the_latest_time),
        cmocka_unit_test(other_files_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
