/* SPDX-License-Identifier: Apache-2.0
 *
 * Capture files made by hand in every form, and what is none.
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
    ROOM = 128,
    SECOND = 1700000000,
    PART = 123456,
};

struct made {
    uint8_t d[ROOM];
    size_t n;
    bool big;
};

static void put(struct made *m, uint32_t v, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++) {
        const unsigned at = m->big ? bytes - 1 - i : i;
        m->d[m->n++] = (uint8_t)(v >> (8 * at));
    }
}

static void put_file(struct made *m, bool big, uint32_t magic, uint32_t link)
{
    *m = (struct made){.big = big};
    put(m, magic, 4);
    put(m, 2, 2);
    put(m, 4, 2);
    put(m, 0, 4);
    put(m, 0, 4);
    put(m, 65535, 4);
    put(m, link, 4);
}

static void put_record(struct made *m, uint32_t caplen, uint32_t origlen, unsigned more)
{
    put(m, SECOND, 4);
    put(m, PART, 4);
    put(m, caplen, 4);
    put(m, origlen, 4);
    for (unsigned i = 0; i < more; i++) {
        put(m, 0xee, 1);
    }
}

static void all_forms(void **state)
{
    (void)state;
    static const struct {
        uint32_t magic;
        int64_t ns;
        unsigned more;
    } forms[] = {{0xa1b2c3d4, PART * 1000, 0}, {0xa1b23c4d, PART, 0}, {0xa1b2cd34, PART * 1000, 8}};
    for (unsigned i = 0; i < 2 * ARRAY_SIZE(forms); i++) {
        const bool big = i % 2;
        struct made m;
        struct pcap_file f;
        struct pcap_item item;
        put_file(&m, big, forms[i / 2].magic, 0x24000071);
        assert_int_equal(pcap_read_header(m.d, &f), 0);
        assert_int_equal(f.big, big);
        assert_int_equal(f.linktype, 0x71);
        assert_int_equal(f.fcs_len, 4);
        assert_int_equal(f.snaplen, 65535);
        put_record(&m, 3, 60, forms[i / 2].more);
        const size_t data = m.n;
        put(&m, 0x010203, 3);
        const uint8_t *record = m.d + PCAP_HEADER_LEN;
        const size_t len = m.n - PCAP_HEADER_LEN;
        for (size_t n = 0; n < len; n++) {
            assert_int_equal(pcap_read(&f, record, n, &item), 0);
            assert_true(item.more);
            assert_int_equal(item.len, n < len - 3 ? len - 3 : len);
        }
        assert_int_equal(pcap_read(&f, record, sizeof(m.d) - PCAP_HEADER_LEN, &item), 0);
        assert_false(item.more);
        assert_int_equal(item.len, len);
        assert_ptr_equal(item.data, m.d + data);
        assert_int_equal(item.head.caplen, 3);
        assert_int_equal(item.head.origlen, 60);
        assert_true(item.head.ts_ns == SECOND * NSEC_PER_SEC + forms[i / 2].ns);
    }
}

static void odd_lengths(void **state)
{
    (void)state;
    struct made m;
    struct pcap_file f;
    struct pcap_item item;
    put_file(&m, false, 0xa1b2c3d4, 1);
    assert_int_equal(pcap_read_header(m.d, &f), 0);
    assert_int_equal(f.fcs_len, 0);
    const struct {
        uint32_t caplen, origlen;
        int result;
        uint32_t want;
    } lengths[] = {{0, 0, 0, 0},
                   {4, 3, 0, 4}, /* the shorter one is not true */
                   {PCAP_SNAPLEN_MAX, UINT32_MAX, 0, UINT32_MAX},
                   {PCAP_SNAPLEN_MAX + 1, UINT32_MAX, -EPROTO, 0},
                   {UINT32_MAX, 0, -EPROTO, 0}};
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        m.n = 0;
        put_record(&m, lengths[i].caplen, lengths[i].origlen, 0);
        assert_int_equal(pcap_read(&f, m.d, 16, &item), lengths[i].result);
        if (lengths[i].result == 0) {
            assert_int_equal(item.more, lengths[i].caplen > 0);
            assert_int_equal(item.len, 16 + lengths[i].caplen);
            assert_int_equal(item.head.origlen, lengths[i].want);
        }
    }
}

static void other_files(void **state)
{
    (void)state;
    struct made m;
    struct pcap_file f = {.snaplen = 7};
    const uint32_t magics[] = {0, 0x0a0d0d0a, 0xa1b2c3d5, 0xa1b2, UINT32_MAX};
    for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
        put_file(&m, false, magics[i], 1);
        assert_int_equal(pcap_read_header(m.d, &f), -EPROTO);
        assert_int_equal(f.snaplen, 7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_forms),
        cmocka_unit_test(odd_lengths),
        cmocka_unit_test(other_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
