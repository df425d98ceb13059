/* SPDX-License-Identifier: Apache-2.0
 *
 * The classic capture file, against bytes made by hand from the document (draft-ietf-opsawg-pcap,
 * sections 4 and 5), and read by tshark.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/time.h"
#include "proto/pcap.h"
#include "proto/pcapng.h"
#include "proto/tshark_judge.h"

static void bytes_are_those_of_the_document(void **state)
{
    (void)state;
    static const uint8_t us[] = {0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0,
                                 0,    0,    0,    0,    4, 0, 1, 0, 0, 0, 5, 0, 0, 0,
                                 3,    0,    0,    0,    2, 0, 0, 0, 9, 0, 0, 0, 7, 8};
    uint8_t got[sizeof(us)] = {0};
    const struct pcap_record v = {.caplen = 2, .origlen = 9, .ts_ns = 5 * NSEC_PER_SEC + 3999};
    struct wr w = wr_make(got, sizeof(got));
    pcap_put_header(&w, false, PCAP_SNAPLEN_MAX, PCAPNG_LINKTYPE_ETHERNET);
    assert_int_equal(wr_len(&w), PCAP_HEADER_LEN);
    uint8_t *at = pcap_record_begin(&w, false, &v);
    assert_ptr_equal(at, got + PCAP_HEADER_LEN + PCAP_RECORD_LEN);
    memcpy(at, "\7\10", 2);
    assert_true(wr_ok(&w));
    assert_memory_equal(got, us, sizeof(us));
    w = wr_make(got, sizeof(got));
    pcap_put_header(&w, true, PCAP_SNAPLEN_MAX, PCAPNG_LINKTYPE_ETHERNET);
    assert_memory_equal(got, "\x4d\x3c\xb2\xa1", 4);
    (void)pcap_record_begin(&w, true, &v);
    assert_memory_equal(got + PCAP_HEADER_LEN, "\5\0\0\0\x9f\x0f\0\0", 8);
}

static void without_room_nothing_is_written(void **state)
{
    (void)state;
    uint8_t room[PCAP_RECORD_LEN + 9];
    const struct pcap_record v = {.caplen = 10, .origlen = 10};
    struct wr w = wr_make(room, sizeof(room));
    assert_null(pcap_record_begin(&w, false, &v));
    assert_false(wr_ok(&w));
}

/* Times before 1970 and behind the last second are the first and the last. */
static void times_have_bounds(void **state)
{
    (void)state;
    uint8_t room[PCAP_RECORD_LEN];
    struct wr w = wr_make(room, sizeof(room));
    (void)pcap_record_begin(&w, true, &(struct pcap_record){.ts_ns = -1});
    assert_memory_equal(room, "\0\0\0\0\0\0\0\0", 8);
    w = wr_make(room, sizeof(room));
    (void)pcap_record_begin(&w, true, &(struct pcap_record){.ts_ns = INT64_MAX});
    assert_memory_equal(room, "\xff\xff\xff\xff\xff\xc9\x9a\x3b", 8);
}

static void tshark_reads_it(void **state)
{
    (void)state;
    static const char *const told[] = {"17.123456000|60|1514\n", "17.123456789|60|1514\n"};
    for (unsigned ns = 0; ns < 2 && !judge_missing(); ns++) {
        uint8_t file[PCAP_HEADER_LEN + PCAP_RECORD_LEN + 60] = {0};
        char path[32], line[64] = "";
        const struct pcap_record v = {60, 1514, 17 * NSEC_PER_SEC + 123456789};
        struct wr w = wr_make(file, sizeof(file));
        pcap_put_header(&w, ns != 0, PCAP_SNAPLEN_MAX, PCAPNG_LINKTYPE_ETHERNET);
        memset(pcap_record_begin(&w, ns != 0, &v), 0xee, v.caplen);
        judge_file(path, file, sizeof(file));
        FILE *f = judge_open(path, "-e frame.time_epoch -e frame.cap_len -e frame.len");
        assert_non_null(f);
        assert_non_null(fgets(line, sizeof(line), f));
        assert_string_equal(line, told[ns]);
        assert_int_equal(pclose(f), 0);
        unlink(path);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_those_of_the_document),
        cmocka_unit_test(without_room_nothing_is_written),
        cmocka_unit_test(times_have_bounds),
        cmocka_unit_test(tshark_reads_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
