/* SPDX-License-Identifier: Apache-2.0
 *
 * A reassembler (reasm.h) gives a tap memory up to its share and believes numbers that can be. Each
 * count of the receiving end has its exact number.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/link/receive/reasm.h"

enum {
    SEGMENT = 60000, /* bytes of a large one */
    STREAMS = 64,
    OVERHEAD = 64, /* at most, of what is kept, beside its bytes */
};

#define MIB ((size_t)1 << 20)

/* A tap with many streams. */
struct tap {
    struct reasm_room room;
    struct ledger ledger;
    struct batch batch;
    struct batch_out out;
    struct mono now;
    uint64_t got, stands_for;
    unsigned n;
    struct reasm *reasm[STREAMS];
};

static void deliver(struct batch_out *o)
{
    struct tap *t = CONTAINER_OF(o, struct tap, out);
    t->got += t->batch.n;
    for (uint32_t i = 0; i < t->batch.n; i++) {
        t->stands_for += t->batch.f[i].more + 1;
    }
    t->batch.n = 0;
}

static void begin(struct tap *t, struct reasm_room *all, size_t max, unsigned n)
{
    *t = (struct tap){.now = {NSEC_PER_SEC}, .n = n};
    t->room = (struct reasm_room){.max = max, .all = all};
    t->out = (struct batch_out){&t->batch, deliver};
    for (unsigned i = 0; i < n; i++) {
        t->reasm[i] = reasm_new(i + 1, &t->ledger, &t->room, t->now);
        assert_non_null(t->reasm[i]);
    }
}

static void end(struct tap *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        reasm_free(t->reasm[i]);
    }
    assert_int_equal(t->room.used, 0);
}

static void delivered(struct tap *t)
{
    deliver(&t->out);
    for (unsigned i = 0; i < t->n; i++) {
        reasm_delivered(t->reasm[i]);
    }
}

static void finish(struct tap *t)
{
    for (unsigned i = 0; i < t->n; i++) {
        reasm_finish(t->reasm[i], &t->out);
    }
    delivered(t);
    assert_int_equal(ledger_sum(&t->ledger, NULL, LEDGER_LINK_RX).in_flight, 0);
}

static uint64_t count(const struct tap *t, enum ledger_id id)
{
    return ledger_get(&t->ledger, id);
}

/* A segment of `len` bytes in which frame `no` starts, of `caplen` bytes, as much of it as fits. */
static void segment(struct tap *t, unsigned stream, uint64_t counter, uint64_t no, uint32_t caplen,
                    size_t len)
{
    static uint8_t plain[LINK_DATAGRAM_MAX];
    const struct link_segment s = {.first = 0, .frame_no = no, .base_ts = 1};
    const struct link_frame f = {.caplen = caplen, .origlen = caplen, .ts_ns = 1};
    uint8_t head[LINK_FRAME_HEADER_MAX];
    unsigned n = link_frame_encode(&f, 1, head);
    link_segment_encode(&s, plain);
    memset(plain + LINK_SEGMENT_HEADER, 7, len);
    memcpy(plain + LINK_SEGMENT_HEADER, head, n);
    reasm_segment(t->reasm[stream], counter, plain, LINK_SEGMENT_HEADER + len, t->now, &t->out);
}

/* One whole frame of 60 bytes. */
static void small(struct tap *t, unsigned stream, uint64_t counter, uint64_t no)
{
    segment(t, stream, counter, no, 60, 67);
}

/* A part of a frame that began before. */
static void more(struct tap *t, unsigned stream, uint64_t counter, uint64_t next_no, size_t len)
{
    static uint8_t plain[LINK_DATAGRAM_MAX];
    const struct link_segment s = {.first = LINK_NO_FRAME, .frame_no = next_no};
    link_segment_encode(&s, plain);
    reasm_segment(t->reasm[stream], counter, plain, LINK_SEGMENT_HEADER + len, t->now, &t->out);
}

/* ---- memory ---- */

/* All streams have segments ahead of their turn, as large and many as there may be: the tap has its
 * 4 MiB, and one beside it keeps what it has to. */
static void segments_out_of_turn(void **state)
{
    (void)state;
    static struct tap hog, good;
    struct reasm_room all = {.max = 64 * MIB};
    uint64_t sent = 0;
    size_t most = 0;
    begin(&hog, &all, 4 * MIB, STREAMS);
    begin(&good, &all, 4 * MIB, 1);
    for (uint64_t c = 1; c <= 8; c++) {
        for (unsigned i = 0; i < STREAMS; i++, sent++) {
            segment(&hog, i, c, c, SEGMENT - 7, SEGMENT);
            most = MAX(most, hog.room.used);
            assert_int_equal(all.used, hog.room.used + good.room.used);
        }
        small(&good, 0, 2 * c - 1, 2 * c - 1);
        small(&good, 0, 2 * c - 2, 2 * c - 2);
        delivered(&good);
        delivered(&hog);
    }
    assert_in_range(most, 4 * MIB - 2 * SEGMENT, 4 * MIB);
    assert_int_equal(good.got, 16);
    assert_int_equal(count(&good, LEDGER_RX_CROWDED_DATAGRAMS), 0);
    /* The first of each stream are kept, and the second of a few; where there is no room for it,
     * what is missing before them is given up, and those that follow come in their turn. */
    uint64_t kept = 4 * MIB / (LINK_SEGMENT_HEADER + SEGMENT + OVERHEAD);
    assert_int_equal(count(&hog, LEDGER_RX_CROWDED_DATAGRAMS), 2 * STREAMS - kept);
    finish(&hog);
    finish(&good);
    assert_int_equal(count(&good, LEDGER_RX_LOST), 0);
    assert_int_equal(hog.got, sent); /* given out of turn, and what was missing is lost */
    assert_int_equal(count(&hog, LEDGER_RX_LOST), STREAMS);
    end(&hog);
    end(&good);
    assert_int_equal(all.used, 0);
}

/* Frames of 1 MiB are begun on all streams: those for which there is no room are counted as that,
 * and those that have a place are put together. */
static void frames_under_construction(void **state)
{
    (void)state;
    enum { FIT = 4, PARTS = FRAME_LEN_MAX / SEGMENT };
    static struct tap hog;
    struct reasm_room all = {.max = 64 * MIB};
    begin(&hog, &all, FIT * MIB, 2 * FIT);
    for (uint64_t c = 0; c <= PARTS; c++) {
        for (unsigned i = 0; i < hog.n; i++) {
            if (c == 0) {
                segment(&hog, i, 0, 0, FRAME_LEN_MAX, SEGMENT + 9);
            } else {
                more(&hog, i, c, 1, c < PARTS ? SEGMENT : FRAME_LEN_MAX % SEGMENT);
            }
        }
        delivered(&hog);
        assert_true(hog.room.used <= FIT * MIB);
    }
    assert_int_equal(hog.got, FIT);
    for (unsigned i = 0; i < hog.n; i++) { /* what comes next finds room again */
        small(&hog, i, PARTS + 1, 1);
    }
    finish(&hog);
    assert_int_equal(hog.got, FIT + 2 * FIT);
    assert_int_equal(count(&hog, LEDGER_RX_NO_ROOM), FIT);
    assert_int_equal(count(&hog, LEDGER_RX_MALFORMED) + count(&hog, LEDGER_RX_LOST), 0);
    assert_int_equal(count(&hog, LEDGER_RX_IN), 4 * FIT);
    end(&hog);
    assert_int_equal(all.used, 0);
}

/* The place of one large frame is given back where others of the tap need it. */
static void a_large_place_is_given_back(void **state)
{
    (void)state;
    static struct tap t;
    struct reasm_room all = {.max = 64 * MIB};
    begin(&t, &all, 3 * MIB / 2, 20);
    for (unsigned i = 0; i < t.n; i++) {
        segment(&t, i, 0, 0, 9 * SEGMENT, SEGMENT + 9);
        for (uint64_t c = 1; c < 9; c++) {
            more(&t, i, c, 1, SEGMENT);
        }
        delivered(&t);
    }
    assert_int_equal(t.got, t.n);
    assert_int_equal(count(&t, LEDGER_RX_NO_ROOM), 0);
    end(&t);
}

/* Many taps take what they can: one that comes later can still have as much as any of them. */
static void whoever_comes_later(void **state)
{
    (void)state;
    enum { TAPS = 20 };
    static struct tap tap[TAPS];
    struct reasm_room all = {.max = 16 * MIB};
    size_t least = SIZE_MAX;
    for (unsigned k = 0; k < TAPS; k++) {
        begin(&tap[k], &all, 16 * MIB, STREAMS);
        for (uint64_t i = 0; i < (uint64_t)4 * STREAMS; i++) {
            segment(&tap[k], (unsigned)(i % STREAMS), 1 + i / STREAMS, 0, 2000, 1000);
            segment(&tap[k], (unsigned)(i % STREAMS), 8 + i / STREAMS, 0, SEGMENT, SEGMENT - 9);
        }
        assert_true(tap[k].room.used <= 16 * MIB / 3);
        least = MIN(least, tap[k].room.used);
    }
    assert_true(all.used < all.max);
    assert_true(tap[TAPS - 1].room.used > 0 && least > 0);
    for (unsigned k = 0; k < TAPS; k++) {
        end(&tap[k]);
    }
    assert_int_equal(all.used, 0);
}

/* ---- numbers ---- */

/* A REPORT is believed about frames that did not come as far as the datagrams that did not come can
 * hold them. */
static void reports(void **state)
{
    (void)state;
    static struct tap t;
    static const struct {
        uint64_t frames, datagrams;
        bool believed;
    } said[] = {
        {UINT64_MAX, UINT64_MAX, false},
        {UINT64_C(1) << 63, 10, false},
        {10 + 1 + REASM_STARTS + 1, 10, false}, /* one has begun, and one is not sent yet */
        {10 + 1 + REASM_STARTS, 10, true},
        {10, 5, true}, /* nothing new */
        {11 + 4 * REASM_STARTS + 1, 13, false},
        {11 + 4 * REASM_STARTS, 13, true},
        {11 + 4 * REASM_STARTS, UINT64_C(1) << 40, false},
        {UINT64_C(1) << 40, 11 + REASM_RATE - 1000, false}, /* as many datagrams as a second has */
    };
    for (unsigned i = 0; i < ARRAY_SIZE(said); i++) {
        struct reasm_room all = {.max = MIB};
        begin(&t, &all, MIB, 1);
        for (uint64_t c = 0; c < 10; c++) {
            small(&t, 0, c, c);
        }
        reasm_report(t.reasm[0], said[i].frames, said[i].datagrams, t.now);
        assert_int_equal(count(&t, LEDGER_RX_IN), said[i].believed ? MAX(said[i].frames, 10u) : 10);
        assert_int_equal(count(&t, LEDGER_RX_IMPLAUSIBLE), !said[i].believed);
        finish(&t);
        assert_int_equal(count(&t, LEDGER_RX_LOST), count(&t, LEDGER_RX_IN) - 10);
        assert_int_equal(reasm_accounted(t.reasm[0]), count(&t, LEDGER_RX_IN));
        end(&t);
    }
}

/* A path that swallows all datagrams of a stream for minutes, but no report: honest numbers of the
 * fastest tap are believed, and no more than the time allows. */
static void time_allows(void **state)
{
    (void)state;
    static struct tap t;
    struct reasm_room all = {.max = MIB};
    const uint64_t datagrams = 20000000, frames = 140000000; /* in a second */
    begin(&t, &all, MIB, 1);
    for (unsigned s = 1; s <= 300; s++) {
        t.now = mono_add_ms(t.now, 1000);
        reasm_report(t.reasm[0], s * frames, s * datagrams / 2, t.now);
        assert_int_equal(count(&t, LEDGER_RX_IN), s * frames);
    }
    assert_int_equal(count(&t, LEDGER_RX_IMPLAUSIBLE), 0);
    const uint64_t ever = (uint64_t)REASM_RATE * 302, all_frames = ever * 16;
    assert_false(reasm_plausible(t.reasm[0], ever, t.now));
    assert_true(reasm_plausible(t.reasm[0], (uint64_t)REASM_RATE / 1000 * 301000, t.now));
    reasm_report(t.reasm[0], all_frames, (uint64_t)REASM_RATE * 300, t.now);
    assert_int_equal(count(&t, LEDGER_RX_IMPLAUSIBLE), 2);
    small(&t, 0, 300 * datagrams / 2, 300 * frames); /* from now on all that is missing is new */
    assert_true(reasm_plausible(t.reasm[0], 300 * datagrams / 2 + REASM_RATE - 1000, t.now));
    assert_false(reasm_plausible(t.reasm[0], 300 * datagrams / 2 + REASM_RATE + 1000, t.now));
    finish(&t);
    assert_int_equal(count(&t, LEDGER_RX_LOST), 300 * frames);
    assert_int_equal(count(&t, LEDGER_RX_OUT), 1);
    end(&t);
}

/* A segment whose number of frames could not have lain in those before it is not believed; the next
 * one is. */
static void frames_that_cannot_be(void **state)
{
    (void)state;
    static struct tap t;
    struct reasm_room all = {.max = MIB};
    begin(&t, &all, MIB, 1);
    small(&t, 0, 0, 0);
    small(&t, 0, 1, UINT64_C(1) << 63);
    small(&t, 0, 2, 2 * (uint64_t)REASM_STARTS + 1);
    small(&t, 0, 3, 3);          /* frames 1 and 2 came to nothing */
    small(&t, 0, 9, UINT64_MAX); /* and after a gap */
    small(&t, 0, 10, 9);
    finish(&t);
    assert_int_equal(count(&t, LEDGER_RX_IMPLAUSIBLE), 3);
    assert_int_equal(count(&t, LEDGER_RX_OUT), 3);
    assert_int_equal(count(&t, LEDGER_RX_IN), 10);
    assert_int_equal(count(&t, LEDGER_RX_MALFORMED), 2 + 5);
    end(&t);
}

/* A segment in which the frame that began before ends after `rest` bytes, and frame `no` starts,
 * whole. */
static void rest_and_small(struct tap *t, uint64_t counter, uint64_t no, uint16_t rest)
{
    static uint8_t plain[LINK_DATAGRAM_MAX];
    const struct link_segment s = {.first = rest, .frame_no = no, .base_ts = 1};
    const struct link_frame f = {.caplen = 60, .origlen = 60, .ts_ns = 1};
    uint8_t head[LINK_FRAME_HEADER_MAX];
    unsigned n = link_frame_encode(&f, 1, head);
    link_segment_encode(&s, plain);
    memset(plain + LINK_SEGMENT_HEADER, 7, rest);
    memcpy(plain + LINK_SEGMENT_HEADER + rest, head, n);
    memset(plain + LINK_SEGMENT_HEADER + rest + n, 7, 60);
    reasm_segment(t->reasm[0], counter, plain, LINK_SEGMENT_HEADER + rest + n + 60, t->now,
                  &t->out);
}

/* A segment that is none, between others: the frame that it would have ended is counted as
 * malformed, also where a gap follows, and so is one that ends too early or too late. */
static void nonsense_between(void **state)
{
    (void)state;
    static struct tap t;
    struct reasm_room all = {.max = MIB};
    begin(&t, &all, MIB, 1);
    segment(&t, 0, 0, 0, 200, 100); /* 200 bytes, of which 93 are here */
    reasm_segment(t.reasm[0], 1, (const uint8_t *)"none", 4, t.now, &t.out);
    more(&t, 0, 2, 1, 107); /* no part of a frame any more */
    small(&t, 0, 3, 1);
    delivered(&t);
    assert_int_equal(t.got, 1);
    assert_int_equal(count(&t, LEDGER_RX_MALFORMED), 1);
    segment(&t, 0, 4, 2, 200, 100);
    more(&t, 0, 5, UINT64_C(1) << 60, 107); /* more frames before it than there can be */
    small(&t, 0, 6, 3);
    delivered(&t);
    assert_int_equal(t.got, 2);
    assert_int_equal(count(&t, LEDGER_RX_MALFORMED), 2);
    segment(&t, 0, 7, 4, 200, 100);
    rest_and_small(&t, 8, 5, 106);
    segment(&t, 0, 9, 6, 200, 100);
    rest_and_small(&t, 10, 7, 107);
    delivered(&t);
    assert_int_equal(t.got, 5);
    assert_int_equal(count(&t, LEDGER_RX_MALFORMED), 3);
    segment(&t, 0, 11, 8, 200, 100);
    more(&t, 0, 12, 9, 108); /* a byte too many, and then a gap */
    small(&t, 0, 14, 10);    /* frame 9 began in what is missing */
    segment(&t, 0, 15, 11, 200, 100);
    more(&t, 0, 16, UINT64_C(1) << 60, 107);
    small(&t, 0, 18, 13);
    small(&t, 0, 19, 5); /* a number that goes back */
    small(&t, 0, 21, 16);
    finish(&t);
    assert_int_equal(t.got, 8);
    assert_int_equal(count(&t, LEDGER_RX_MALFORMED), 5 + 2 + 2);
    assert_int_equal(count(&t, LEDGER_RX_LOST), 0);
    assert_int_equal(count(&t, LEDGER_RX_IN), 17);
    end(&t);
}

/* Headers with a weight and an extension, cut at each of their bytes: the weight is the frame's,
 * the extension is passed over. */
static void headers_are_cut_anywhere(void **state)
{
    (void)state;
    static struct tap t;
    struct reasm_room all = {.max = MIB};
    uint8_t d[2 * LINK_FRAME_HEADER_MAX + 200] = {0}, plain[LINK_SEGMENT_HEADER + sizeof(d)];
    struct link_frame f = {.caplen = 60, .origlen = 61, .ts_ns = INT64_MAX, .weight = 7};
    f.ext = d + LINK_FRAME_HEADER_MAX;
    f.ext_len = 255;
    unsigned n = link_frame_encode(&f, 0, d) + 60;
    for (unsigned cut = 1; cut < n; cut++) {
        begin(&t, &all, MIB, 1);
        struct link_segment s = {.first = 0};
        link_segment_encode(&s, plain);
        memcpy(plain + LINK_SEGMENT_HEADER, d, cut);
        reasm_segment(t.reasm[0], 0, plain, LINK_SEGMENT_HEADER + cut, t.now, &t.out);
        s = (struct link_segment){.first = LINK_NO_FRAME, .frame_no = 1};
        link_segment_encode(&s, plain);
        memcpy(plain + LINK_SEGMENT_HEADER, d + cut, n - cut);
        reasm_segment(t.reasm[0], 1, plain, LINK_SEGMENT_HEADER + n - cut, t.now, &t.out);
        small(&t, 0, 2, 1);
        finish(&t);
        assert_int_equal(t.got, 2);
        assert_int_equal(t.stands_for, 7 + 1);
        assert_int_equal(count(&t, LEDGER_RX_MALFORMED), 0);
        end(&t);
    }
}

/* No room for a segment where one behind it has that already: that one goes first, and this one is
 * late. */
static void a_place_is_given_up(void **state)
{
    (void)state;
    static struct tap t;
    struct reasm_room all = {.max = MIB};
    begin(&t, &all, SEGMENT + 2 * OVERHEAD, 1);
    small(&t, 0, 0, 0);
    segment(&t, 0, 5, 5, SEGMENT - 7, SEGMENT);
    segment(&t, 0, 3, 3, SEGMENT - 7, SEGMENT);
    finish(&t);
    assert_int_equal(t.got, 2);
    assert_int_equal(count(&t, LEDGER_RX_DATAGRAMS), 3);
    assert_int_equal(count(&t, LEDGER_RX_LATE_DATAGRAMS), 1);
    assert_int_equal(count(&t, LEDGER_RX_CROWDED_DATAGRAMS), 1);
    assert_int_equal(count(&t, LEDGER_RX_LOST), 4);
    end(&t);
}

/* ---- counts ---- */

static void exact_counts(void **state)
{
    (void)state;
    static struct tap t;
    struct reasm_room all = {.max = MIB};
    begin(&t, &all, MIB, 1);
    static const uint64_t order[] = {0, 1, 3, 2, 5, 8, 9, 20};
    for (unsigned i = 0; i < ARRAY_SIZE(order); i++) {
        small(&t, 0, order[i], order[i]);
    }
    t.now = mono_add_ms(t.now, REASM_HOLD_MS);
    (void)reasm_tick(t.reasm[0], t.now, &t.out); /* 4, 6, 7 and 10 to 19 are given up */
    small(&t, 0, 6, 6);
    small(&t, 0, 4, 4);
    small(&t, 0, 21 + REASM_WINDOW, 21); /* too far ahead to be kept, and nothing is */
    finish(&t);
    assert_int_equal(count(&t, LEDGER_RX_DATAGRAMS), 11);
    assert_int_equal(count(&t, LEDGER_RX_LATE_DATAGRAMS), 2);
    assert_int_equal(count(&t, LEDGER_RX_GAP_DATAGRAMS), 1 + 2 + 10 + REASM_WINDOW);
    assert_int_equal(count(&t, LEDGER_RX_IN), 22);
    assert_int_equal(count(&t, LEDGER_RX_OUT), 9);
    assert_int_equal(count(&t, LEDGER_RX_BYTES), 9 * 60);
    assert_int_equal(count(&t, LEDGER_RX_LOST), 13);
    assert_int_equal(count(&t, LEDGER_RX_MALFORMED), 0);
    assert_int_equal(count(&t, LEDGER_RX_NO_ROOM), 0);
    assert_int_equal(count(&t, LEDGER_RX_CROWDED_DATAGRAMS), 0);
    assert_int_equal(count(&t, LEDGER_RX_IMPLAUSIBLE), 0);
    assert_int_equal(t.got, 9);
    end(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments_out_of_turn),
        cmocka_unit_test(frames_under_construction),
        cmocka_unit_test(a_large_place_is_given_back),
        cmocka_unit_test(whoever_comes_later),
        cmocka_unit_test(reports),
        cmocka_unit_test(time_allows),
        cmocka_unit_test(frames_that_cannot_be),
        cmocka_unit_test(nonsense_between),
        cmocka_unit_test(a_place_is_given_up),
        cmocka_unit_test(headers_are_cut_anywhere),
        cmocka_unit_test(exact_counts),
    };
    return cmocka_run_group_tests_name("data/link/reasm", tests, NULL, NULL);
}
