/* SPDX-License-Identifier: Apache-2.0
 *
 * The statistics of an interface in a file: each figure and its place in the block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/sink/file/stats.h"
#include "proto/pcapng.h"

/* The statistics as a reader finds them. */
static struct pcapng_isb read_back(const struct file_point *point, struct wall end, uint8_t *buf,
                                   size_t size)
{
    static struct pcapng_reader r;
    struct pcapng_item it;
    struct wr w = wr_make(buf, size);
    pcapng_reader_init(&r);
    pcapng_put_shb(&w, &(struct pcapng_shb){.hardware = {NULL, 0}});
    pcapng_put_idb(&w, &(struct pcapng_idb){.linktype = 1});
    size_t at = 0, isb = wr_len(&w);
    file_stats_put(&w, point, end);
    assert_true(wr_ok(&w));
    for (; at <= isb; at += it.len) {
        assert_int_equal(pcapng_read(&r, buf + at, wr_len(&w) - at, &it), 0);
    }
    assert_int_equal(it.kind, PCAPNG_STATS);
    assert_int_equal(at, wr_len(&w));
    return it.isb;
}

/* A tap of which nothing is known yet, and nothing was lost: the figures of its own are absent. */
static void of_a_silent_tap(void **state)
{
    (void)state;
    uint8_t buf[4096];
    struct ledger sink = {0};
    static const struct file_point point = {.start = {1000}};
    struct file_point p = point;
    p.ledger = &sink;
    struct pcapng_isb isb = read_back(&p, (struct wall){2000}, buf, sizeof(buf));
    assert_int_equal(isb.has,
                     PCAPNG_HAS_START | PCAPNG_HAS_END | PCAPNG_HAS_USRDELIV | PCAPNG_HAS_IFDROP);
    assert_int_equal(isb.start_ns, 1000);
    assert_int_equal(isb.end_ns, 2000);
    assert_int_equal(isb.ts_ns, 2000);
    assert_int_equal(isb.usrdeliv, 0);
    assert_int_equal(isb.ifdrop, 0);
    assert_int_equal(isb.comment.len, 0);
}

/* One frame is enough for the tap's figures. */
static void of_a_tap_that_has_seen_one_frame(void **state)
{
    (void)state;
    uint8_t buf[4096];
    struct ledger sink = {0};
    static struct file_point p;
    p = (struct file_point){.ledger = &sink};
    ledger_set(&p.figures, LEDGER_RING_IN, 1);
    struct pcapng_isb isb = read_back(&p, (struct wall){1}, buf, sizeof(buf));
    const uint32_t figures = PCAPNG_HAS_IFRECV | PCAPNG_HAS_ACCEPT | PCAPNG_HAS_OSDROP;
    assert_int_equal(isb.has & figures, figures);
    assert_int_equal(isb.ifrecv, 1);
    assert_int_equal(isb.osdrop, 0);
}

/* A tap that has told its figures: frames that were lost anywhere count, those left out on purpose
 * do not. */
static void of_a_tap_that_loses_frames(void **state)
{
    (void)state;
    uint8_t buf[4096];
    struct ledger sink = {0};
    static struct file_point p;
    p = (struct file_point){.ledger = &sink, .start = {INT64_C(1700000000123456789)}};
    p.written = 80;
    ledger_set(&p.figures, LEDGER_RING_IN, 100);
    ledger_set(&p.figures, LEDGER_RING_FULL, 7);
    ledger_set(&p.figures, LEDGER_RING_OFFLOAD, 2);
    ledger_set(&p.figures, LEDGER_RX_LOST, 4);
    ledger_set(&sink, LEDGER_SINK_IN, 87);
    ledger_set(&sink, LEDGER_SINK_FULL, 5);
    ledger_set(&sink, LEDGER_SINK_OUT, 82);
    const struct wall end = {INT64_C(1700000001000000000)};
    struct pcapng_isb isb = read_back(&p, end, buf, sizeof(buf));
    assert_int_equal(isb.has, PCAPNG_HAS_START | PCAPNG_HAS_END | PCAPNG_HAS_USRDELIV |
                                  PCAPNG_HAS_IFDROP | PCAPNG_HAS_IFRECV | PCAPNG_HAS_ACCEPT |
                                  PCAPNG_HAS_OSDROP);
    assert_int_equal(isb.start_ns, p.start.ns);
    assert_int_equal(isb.end_ns, end.ns);
    assert_int_equal(isb.ifrecv, 100);
    assert_int_equal(isb.accept, 100);
    assert_int_equal(isb.osdrop, 9);
    assert_int_equal(isb.usrdeliv, 80);
    assert_int_equal(isb.ifdrop, 7 + 2 + 4 + 5);
    assert_true(isb.comment.len > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_a_silent_tap),
        cmocka_unit_test(of_a_tap_that_has_seen_one_frame),
        cmocka_unit_test(of_a_tap_that_loses_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
