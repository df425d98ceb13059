/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow records that come in place of frames, in a receiver that no thread runs: their times by our
 * clock. What a tap may make of them is in world/flows_test.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "data/link/receive/impl.h"
#include "proto/ipfix.h"

#define S NSEC_PER_SEC

enum {
    POINT = 3,
    NOW_S = 5,      /* on our monotonic clock, … */
    AHEAD_S = 1000, /* … and so much more on our wall clock */
    CAME_S = NOW_S + AHEAD_S,
};

static struct {
    unsigned n;
    struct flowrec last;
} heard;

static void hear(void *user, uint32_t point, const struct flowrec *r)
{
    (void)user;
    assert_int_equal(point, POINT);
    heard.n++;
    heard.last = *r;
}

/* The record as it is heard of a tap whose clock is so; NULL: nothing is known of it. */
static struct flowrec take(const struct flowrec *rec, const struct align *clock)
{
    static struct ledger ledger;
    struct align_point align = {.known = clock != NULL};
    struct receiver *r = calloc(1, sizeof(*r));
    struct ipfix *m = calloc(1, sizeof(*m));
    assert_true(r && m);
    ipfix_init_with(m, 1, IPFIX_BIFLOW | IPFIX_NS);
    assert_true(ipfix_templates(m) && ipfix_add(m, rec));
    const size_t len = ipfix_end(m);
    align.to = clock ? *clock : (struct align){.offset = S};
    r->now = (struct mono){NOW_S * S};
    r->conf.record = hear;
    r->ledger[POINT] = &ledger;
    r->align[POINT] = &align;
    r->pipeline.batch.n = 1;
    r->pipeline.batch.f[0] = (struct frame){.data = m->sets.bytes,
                                            .datalen = (uint32_t)len,
                                            .caplen = (uint32_t)len,
                                            .point = POINT,
                                            .flows = true};
    heard.n = 0;
    rx_take_flows(r);
    assert_int_equal(heard.n, 1);
    assert_int_equal(r->pipeline.batch.n, 0);
    free(m);
    free(r);
    return heard.last;
}

static struct flowrec between(int64_t first, int64_t last)
{
    return (struct flowrec){.first_ns = first,
                            .last_ns = last,
                            .packets = 5,
                            .bytes = 700,
                            .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
                            .port = {40000, 80},
                            .version = 4,
                            .proto = 6,
                            .biflow = FLOWREC_INITIATOR};
}

static struct align ahead_by(int64_t offset)
{
    return (struct align){.offset = offset, .ahead = AHEAD_S * S};
}

static void times_of_both_directions_are_ours(void **state)
{
    (void)state;
    struct flowrec rec = between(100 * S + 1, 200 * S + 2);
    const struct align fast = ahead_by(30 * S), slow = ahead_by(-30 * S);
    rec.reverse = (struct flowrec_reverse){
        .packets = 1, .bytes = 60, .first_ns = 110 * S + 3, .last_ns = 190 * S + 4};
    struct flowrec got = take(&rec, &fast);
    assert_int_equal(got.first_ns, 70 * S + 1);
    assert_int_equal(got.last_ns, 170 * S + 2);
    assert_int_equal(got.reverse.first_ns, 80 * S + 3);
    assert_int_equal(got.reverse.last_ns, 160 * S + 4);
    got = take(&rec, &slow);
    assert_int_equal(got.first_ns, 130 * S + 1);
    assert_int_equal(got.last_ns, 230 * S + 2);
    assert_int_equal(got.reverse.first_ns, 140 * S + 3);
    assert_int_equal(got.reverse.last_ns, 220 * S + 4);
    got = take(&rec, NULL);
    assert_int_equal(got.first_ns, rec.first_ns);
    assert_int_equal(got.last_ns, rec.last_ns);
    assert_int_equal(got.reverse.first_ns, rec.reverse.first_ns);
    assert_int_equal(got.reverse.last_ns, rec.reverse.last_ns);
    rec.reverse = (struct flowrec_reverse){0}; /* nothing came back: there is no time of it */
    got = take(&rec, &slow);
    assert_int_equal(got.first_ns, 130 * S + 1);
    assert_int_equal(got.reverse.first_ns, 0);
    assert_int_equal(got.reverse.last_ns, 0);
}

/* A packet is seen before its record has come, and after 1970. */
static void times_that_cannot_be(void **state)
{
    (void)state;
    const struct align clock = ahead_by(-30 * S), early = ahead_by(500 * S);
    struct flowrec rec = between((CAME_S - 30) * S, (CAME_S - 30) * S + 1);
    rec.reverse = (struct flowrec_reverse){1, 60, 10 * S, (CAME_S + 1) * S};
    struct flowrec got = take(&rec, &clock);
    assert_int_equal(got.first_ns, CAME_S * S);
    assert_int_equal(got.last_ns, CAME_S * S);
    assert_int_equal(got.reverse.first_ns, 40 * S);
    assert_int_equal(got.reverse.last_ns, CAME_S * S);
    rec = between(400 * S, 500 * S + 1);
    got = take(&rec, &early);
    assert_int_equal(got.first_ns, 0);
    assert_int_equal(got.last_ns, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_of_both_directions_are_ours),
        cmocka_unit_test(times_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
