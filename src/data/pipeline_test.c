/* SPDX-License-Identifier: Apache-2.0
 *
 * A pipeline of this end and of the other, between a source and a sink that this file adds: the way
 * that its ledger gets, the order of a batch's stops, stages that want to run by time, and stages
 * that are set while it runs.
 */
#include "data/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/stage/tunnel.h"

enum {
    LEN = 60,
    SNAPLEN = 40,
};

/* A source that pushes batches of its own until they are used up. */
struct counter {
    struct source source;
    unsigned left, each; /* batches, and frames in one */
    struct mono due;
    bool freed;
};

static uint8_t bytes[LEN];

static int counter_run(struct source *s, struct batch_out *o, unsigned batches, struct mono now)
{
    struct counter *c = (struct counter *)s;
    (void)now;
    for (; c->left > 0 && batches > 0; c->left--, batches--) {
        assert_int_equal(o->batch->n, 0); /* the last one has gone */
        for (unsigned i = 0; i < c->each; i++) {
            o->batch->f[o->batch->n++] =
                (struct frame){.data = bytes, .datalen = LEN, .caplen = LEN, .origlen = LEN};
        }
        o->push(o);
    }
    return c->left > 0 ? SOURCE_MORE : SOURCE_DRY;
}

static struct mono counter_due(const struct source *s)
{
    return ((const struct counter *)s)->due;
}

static int counter_fd(const struct source *s)
{
    (void)s;
    return -1;
}

static void counter_free(struct source *s)
{
    ((struct counter *)s)->freed = true;
}

static const struct source_ops at_tap = {
    .kind = "counter",
    .counts = LEDGER_RING,
    .run = counter_run,
    .due = counter_due,
    .fd = counter_fd,
    .free = counter_free,
};

static const struct source_ops at_collector = {
    .kind = "counter",
    .counts = LEDGER_LINK_RX,
    .run = counter_run,
    .fd = counter_fd,
    .free = counter_free,
};

/* A sink that adds up. */
struct adder {
    struct sink sink;
    uint64_t batches, frames, caplen, flushes;
    bool freed;
};

static void adder_write(struct sink *s, const struct batch *b)
{
    struct adder *a = (struct adder *)s;
    a->batches++;
    a->frames += b->n;
    for (uint32_t i = 0; i < b->n; i++) {
        a->caplen += b->f[i].caplen;
    }
}

static void adder_flush(struct sink *s)
{
    ((struct adder *)s)->flushes++;
}

static void adder_free(struct sink *s)
{
    ((struct adder *)s)->freed = true;
}

static const struct sink_ops to_link = {
    .kind = "adder",
    .counts = LEDGER_LINK_TX,
    .write = adder_write,
    .flush = adder_flush,
    .free = adder_free,
};

static const struct sink_ops to_output = {
    .kind = "adder",
    .counts = LEDGER_SINK,
    .write = adder_write,
    .flush = adder_flush,
    .free = adder_free,
};

struct bench {
    struct counter counter;
    struct adder adder;
    struct ledger ledger;
    struct pipeline pipeline;
};

static void begin(struct bench *b, enum stage_end end, unsigned batches, unsigned each)
{
    const bool tap = end == STAGE_AT_TAP;
    *b = (struct bench){
        .counter = {.source.ops = tap ? &at_tap : &at_collector, .left = batches, .each = each},
        .adder.sink.ops = tap ? &to_link : &to_output};
    b->pipeline.source = &b->counter.source;
    b->pipeline.sink = &b->adder.sink;
    assert_int_equal(pipeline_init(&b->pipeline, end, &(struct stage_conf){.snaplen = SNAPLEN},
                                   &(struct pass){.common = &b->ledger}),
                     0);
}

static void end(struct bench *b)
{
    pipeline_done(&b->pipeline);
    assert_true(b->counter.freed && b->adder.freed);
}

static bool is_way(const struct pipeline *p, const struct ledger_way *way)
{
    return p->way.n == way->n && memcmp(p->way.at, way->at, way->n) == 0;
}

static void a_taps_frames_pass_its_stages(void **state)
{
    (void)state;
    static struct bench b;
    const struct ledger_way way = {4, {LEDGER_RING, LEDGER_SELECT, LEDGER_CUT, LEDGER_LINK_TX}};
    begin(&b, STAGE_AT_TAP, 5, 7);
    assert_true(is_way(&b.pipeline, &way));
    assert_int_equal(pipeline_run(&b.pipeline, 3, (struct mono){1}), SOURCE_MORE);
    assert_int_equal(b.adder.batches, 3);
    assert_int_equal(pipeline_run(&b.pipeline, 3, (struct mono){2}), SOURCE_DRY);
    assert_int_equal(b.adder.batches, 5);
    assert_int_equal(b.adder.frames, 35);
    assert_int_equal(b.adder.caplen, 35 * SNAPLEN); /* by the second stage */
    assert_int_equal(ledger_get(&b.ledger, LEDGER_SEL_OUT), 35);
    assert_int_equal(ledger_get(&b.ledger, LEDGER_CUT_OUT), 35);
    assert_int_equal(ledger_sum(&b.ledger, &b.pipeline.way, LEDGER_CUT).in_flight, 0);
    assert_int_equal(b.adder.flushes, 0);
    pipeline_flush(&b.pipeline);
    assert_int_equal(b.adder.flushes, 1);
    end(&b);
}

static void a_collector_has_no_stage_of_a_taps(void **state)
{
    (void)state;
    static struct bench b;
    const struct ledger_way way = {2, {LEDGER_LINK_RX, LEDGER_SINK}};
    begin(&b, STAGE_AT_COLLECTOR, 2, 3);
    assert_true(is_way(&b.pipeline, &way));
    assert_int_equal(pipeline_run(&b.pipeline, 9, (struct mono){1}), SOURCE_DRY);
    assert_int_equal(b.adder.frames, 6);
    assert_int_equal(b.adder.caplen, 6 * LEN);
    assert_null(pipeline_stage(&b.pipeline, STAGE_CUT));
    assert_int_equal(pipeline_set(&b.pipeline, STAGE_CUT, NULL), -ENOENT);
    end(&b);
}

static void a_stage_is_set_by_its_kind(void **state)
{
    (void)state;
    static struct bench b;
    const struct tunnel_conf drop = {.drop = true};
    begin(&b, STAGE_AT_TAP, 2, 4);
    assert_int_equal(pipeline_run(&b.pipeline, 1, (struct mono){1}), SOURCE_MORE);
    assert_int_equal(pipeline_set(&b.pipeline, STAGE_TUNNEL, &drop), 0);
    assert_int_equal(pipeline_set(&b.pipeline, STAGE_CUT, &drop), -ENOTSUP);
    assert_int_equal(pipeline_run(&b.pipeline, 1, (struct mono){2}), SOURCE_DRY);
    assert_int_equal(b.adder.frames, 4);
    assert_int_equal(ledger_get(&b.ledger, LEDGER_SEL_AMPLIFIED), 4);
    end(&b);
}

/* The stage that keeps time: it counts its runs, and wants one every 10 ms. */
static struct {
    struct mono next;
    unsigned runs, frames;
} timed;

static void timed_run(struct stage *s, struct batch *b, const struct pass *p)
{
    (void)s;
    timed.runs++;
    timed.frames += b->n;
    timed.next = mono_add_ms(p->now, 10);
}

static struct mono timed_due(const struct stage *s)
{
    (void)s;
    return timed.next;
}

static void timed_free(struct stage *s)
{
    (void)s;
}

static void source_and_stages_have_their_time(void **state)
{
    (void)state;
    static struct bench b;
    static const struct stage_ops ops = {.run = timed_run, .due = timed_due, .free = timed_free};
    struct stage stage = {.ops = &ops, .kind = STAGE_KINDS};
    struct mono now = {NSEC_PER_SEC};
    begin(&b, STAGE_AT_TAP, 1, 4);
    assert_int_equal(pipeline_due(&b.pipeline).ns, 0);
    assert_int_equal(pipeline_wait(&b.pipeline, now, 500), 500);
    b.pipeline.stage[b.pipeline.n_stages++] = &stage;
    assert_int_equal(pipeline_run(&b.pipeline, 1, now), SOURCE_DRY);
    assert_int_equal(timed.runs, 1); /* with the batch; its time has not come again */
    assert_int_equal(timed.frames, 4);
    assert_in_range(pipeline_wait(&b.pipeline, now, 500), 10, 11);
    assert_int_equal(pipeline_wait(&b.pipeline, now, 3), 3);
    b.counter.due = mono_add_ms(now, 4); /* the source's comes first */
    assert_in_range(pipeline_wait(&b.pipeline, now, 500), 4, 5);
    now = mono_add_ms(now, 10);
    assert_int_equal(pipeline_wait(&b.pipeline, mono_add_ms(now, 1000), 500), 0);
    assert_int_equal(pipeline_run(&b.pipeline, 1, now), SOURCE_DRY);
    assert_int_equal(timed.runs, 2);
    assert_int_equal(timed.frames, 4);
    assert_int_equal(b.adder.batches, 1);
    end(&b);
}

/* Frames count in the ledger of their point, and those of a point without one in the common one. */
static void frames_count_by_point(void **state)
{
    (void)state;
    struct ledger one = {0}, common = {0};
    struct ledger *const ledgers[3] = {NULL, &one, NULL};
    const struct pass p = {.ledger = ledgers, .n = ARRAY_SIZE(ledgers), .common = &common};
    assert_ptr_equal(pass_ledger(&p, &(struct frame){.point = 1}), &one);
    assert_ptr_equal(pass_ledger(&p, &(struct frame){.point = 2}), &common);
    assert_ptr_equal(pass_ledger(&p, &(struct frame){.point = 3}), &common);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_taps_frames_pass_its_stages),
        cmocka_unit_test(a_collector_has_no_stage_of_a_taps),
        cmocka_unit_test(a_stage_is_set_by_its_kind),
        cmocka_unit_test(source_and_stages_have_their_time),
        cmocka_unit_test(frames_count_by_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
