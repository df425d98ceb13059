/* SPDX-License-Identifier: Apache-2.0
 *
 * Kinds of packets that the writer does not write: the obsolete packet block, and frames with a
 * check sequence, against bytes made by hand from the document (draft-ietf-opsawg-pcapng, sections
 * 4.2 to 4.4, appendix A).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/batch.h"
#include "proto/pcapng.h"

enum {
    LE_FLAGS = 2 | 4 << 16, /* an option of 4 bytes */
    FCS_4 = 4 << 5,
};

static struct pcapng_reader reader;
static uint8_t buf[256];
static size_t end;

static void put(const uint32_t *words, size_t bytes)
{
    assert_true(end + bytes <= sizeof(buf));
    memcpy(buf + end, words, bytes);
    end += bytes;
}

#define PUT(...) put((const uint32_t[]){__VA_ARGS__}, sizeof((const uint32_t[]){__VA_ARGS__}))

/* Begins a file with a section and an interface with if_fcslen. */
static void begin(uint32_t fcslen)
{
    end = 0;
    pcapng_reader_init(&reader);
    PUT(0x0a0d0d0a, 28, 0x1a2b3c4d, 1, UINT32_MAX, UINT32_MAX, 28);
    PUT(1, 28, 101, 0, 13 | 1 << 16, fcslen, 28);
}

/* The frame of the file's third block, from `at` on. */
static struct pcapng_item frame_at(size_t at)
{
    struct pcapng_item it;
    for (size_t i = 0; i < at; i += it.len) {
        assert_int_equal(pcapng_read(&reader, buf + i, at - i, &it), 0);
        assert_int_not_equal(it.kind, PCAPNG_MORE);
    }
    assert_int_equal(pcapng_read(&reader, buf + at, end - at, &it), 0);
    assert_int_equal(it.kind, PCAPNG_FRAME);
    assert_int_equal(it.len, end - at);
    return it;
}

/* 3 frames are lost before the first; before the second, the number is unknown. */
static void obsolete_packets(void **state)
{
    (void)state;
    begin(0);
    size_t at = end;
    PUT(2, 48, 3 << 16, 1, 7, 4, 9, 0x64636261, LE_FLAGS, FCS_4 | 2, 0, 48);
    struct pcapng_item it = frame_at(at);
    assert_int_equal(it.epb.ifid, 0);
    assert_int_equal(it.epb.caplen, 4);
    assert_int_equal(it.epb.origlen, 9);
    assert_true(it.epb.ts_ns == ((INT64_C(1) << 32) + 7) * 1000);
    assert_int_equal(it.epb.lost, 3);
    assert_int_equal(it.epb.dir, FRAME_DIR_OUT);
    assert_int_equal(it.linktype, 101);
    assert_int_equal(it.fcs_len, 4);
    assert_memory_equal(it.data, "abcd", 4);
    begin(0);
    at = end;
    PUT(2, 36, 0xffffU << 16, 0, 8, 4, 9, 0x64636261, 36);
    it = frame_at(at);
    assert_int_equal(it.epb.lost, 0);
    assert_int_equal(it.epb.dir, FRAME_DIR_UNKNOWN);
    assert_int_equal(it.fcs_len, 0);
}

static void obsolete_packets_that_are_damaged(void **state)
{
    (void)state;
    struct pcapng_item it = {.len = 7};
    begin(0);
    const size_t at = end;
    PUT(2, 36, 1, 0, 8, 4, 9, 0x64636261, 36); /* of an interface that there is not */
    for (size_t i = 0; i < at; i += it.len) {
        assert_int_equal(pcapng_read(&reader, buf + i, at - i, &it), 0);
    }
    assert_int_equal(pcapng_read(&reader, buf + at, end - at, &it), -EPROTO);
    buf[at + 8] = 0;
    buf[at + 20] = 5; /* longer than the block */
    assert_int_equal(pcapng_read(&reader, buf + at, end - at, &it), -EPROTO);
    buf[at + 20] = 4;
    assert_int_equal(pcapng_read(&reader, buf + at, end - at, &it), 0);
}

/* The interface's in bytes or bits, which the frame's own word goes before. */
static void check_sequences(void **state)
{
    (void)state;
    static const struct {
        uint32_t interface, flags;
        unsigned want;
    } cases[] = {{0, 0, 0},  {4, 0, 4},     {2, 0, 2},    {32, 1, 4},
                 {16, 0, 2}, {2, FCS_4, 4}, {0, FCS_4, 4}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        begin(cases[i].interface);
        size_t at = end;
        PUT(6, 48, 0, 0, 7, 4, 9, 0x64636261, LE_FLAGS, cases[i].flags, 0, 48);
        assert_int_equal(frame_at(at).fcs_len, cases[i].want);
        begin(cases[i].interface);
        at = end;
        PUT(3, 20, 4, 0x64636261, 20);
        assert_int_equal(frame_at(at).fcs_len,
                         cases[i].flags == FCS_4 ? cases[i].interface : cases[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(obsolete_packets),
        cmocka_unit_test(obsolete_packets_that_are_damaged),
        cmocka_unit_test(check_sequences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
