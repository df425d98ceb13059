/* SPDX-License-Identifier: Apache-2.0
 *
 * The estimate against the records that a flow table (model/flows.h) makes of the same packets, and
 * in the cases that the ladder stands on it: flows that are there already, that come all the time,
 * that last, and that are more than the sketch has room for.
 */
#include "model/flowcost.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "model/flows.h"

enum {
    TICK_MS = 10,
};

struct world {
    struct flowcost *f;
    struct mono now;
    uint64_t bytes;
};

static void begin(struct world *w)
{
    *w = (struct world){.f = flowcost_new(), .now = {1000 * NSEC_PER_SEC}};
    assert_non_null(w->f);
    w->bytes += flowcost_due(w->f, w->now);
}

static void pass(struct world *w, int64_t ms)
{
    w->now = mono_add_ms(w->now, ms);
    w->bytes += flowcost_due(w->f, w->now);
}

/* Spread over all bits. */
static uint64_t hash(uint64_t n)
{
    n = (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
    n = (n ^ (n >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return n ^ (n >> 29);
}

static uint64_t taken(struct world *w)
{
    const uint64_t n = w->bytes;
    w->bytes = 0;
    return n;
}

/* Packets of `n` flows, each in every tick. */
static void flows_last(struct world *w, unsigned n, int64_t ms)
{
    for (int64_t t = 0; t < ms; t += TICK_MS) {
        pass(w, TICK_MS);
        for (unsigned i = 0; i < n; i++) {
            w->bytes += flowcost_frame(w->f, hash(i));
        }
    }
}

/* A new flow in every tick, of one packet. */
static void flows_come(struct world *w, int64_t ms)
{
    static uint64_t next = 1 << 20;
    for (int64_t t = 0; t < ms; t += TICK_MS) {
        pass(w, TICK_MS);
        w->bytes += flowcost_frame(w->f, hash(next++));
    }
}

/* Nobody has looked before: they cost what their records do when these leave, one by one. */
static void flows_that_are_there_cost_little_a_second(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    flows_last(&w, 300, 1000);
    assert_in_range(taken(&w), 1, 300 * FLOWCOST_RECORD / 15);
    flows_last(&w, 300, 44000);
    assert_in_range(taken(&w), 300 * FLOWCOST_RECORD * 8 / 10, 300 * FLOWCOST_RECORD);
    flows_last(&w, 300, 60000); /* each lasts for longer than a record does */
    assert_in_range(taken(&w), 300 * FLOWCOST_RECORD * 8 / 10, 300 * FLOWCOST_RECORD * 11 / 10);
    flowcost_free(w.f);
}

/* Once it is known which flows are there, each that is new costs a record at once, and no more. */
static void flows_that_come_cost_a_record_each(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    flows_come(&w, FLOWCOST_COLD_MS - TICK_MS);
    (void)taken(&w);
    flows_come(&w, 10000);
    const uint64_t each = 10000 / TICK_MS * FLOWCOST_RECORD;
    assert_in_range(taken(&w), each, each + FLOWCOST_COLD_MS / TICK_MS * FLOWCOST_RECORD);
    flowcost_free(w.f);
}

/* A flow whose records have left is a new one; so is none that was just seen. */
static void a_pause_ends_a_flow(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    flows_last(&w, 1, 20000);
    (void)taken(&w);
    for (unsigned k = 0; k < 14; k++) { /* others are seen meanwhile */
        pass(&w, 1000);
    }
    (void)taken(&w);
    assert_int_equal(flowcost_frame(w.f, hash(0)), 0);
    for (unsigned k = 0; k < 15; k++) {
        pass(&w, 1000);
    }
    assert_int_equal(flowcost_frame(w.f, hash(0)), FLOWCOST_RECORD);
    flowcost_free(w.f);
}

/* Where nobody looked for a while, what is there then is not new. */
static void it_gets_cold(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    flows_last(&w, 1, 5000);
    pass(&w, FLOWCOST_COLD_MS + 1);
    assert_int_equal(flowcost_frame(w.f, hash(7)), 0);
    pass(&w, FLOWCOST_COLD_MS - 1);
    assert_int_equal(flowcost_frame(w.f, hash(8)), 0);
    pass(&w, 1);
    assert_int_equal(flowcost_frame(w.f, hash(9)), FLOWCOST_RECORD);
    flowcost_free(w.f);
}

/* A hundred thousand flows are told apart. */
static void many_flows_have_room(void **state)
{
    (void)state;
    enum { MANY = 100000 };
    struct world w;
    uint64_t again = 0;
    begin(&w);
    for (unsigned i = 0; i < MANY; i++) {
        (void)flowcost_frame(w.f, hash(i));
    }
    pass(&w, FLOWCOST_COLD_MS);
    for (unsigned i = 0; i < MANY; i++) {
        again += flowcost_frame(w.f, hash(i)) / FLOWCOST_RECORD;
    }
    assert_in_range(again, 0, MANY / 200);
    flowcost_free(w.f);
}

/* ---- against a flow table ---- */

static void count_record(void *user, const struct flows_entry *e, enum flows_end why)
{
    (void)e;
    (void)why;
    (*(uint64_t *)user)++;
}

/* Flows of all lengths for twenty minutes: the cost is that of the records, but for those that are
 * still to come. */
static void it_costs_what_records_do(void **state)
{
    (void)state;
    enum { AT_ONCE = 400, SECONDS = 1200 };
    static struct flow {
        uint64_t id, period_ms, next_ms, end_ms;
    } flow[AT_ONCE];
    struct world w;
    uint64_t records = 0, ids = 0, seed = 11;
    struct flows *table = NULL;
    const struct flows_conf conf = {.most = 1 << 16,
                                    .idle_ns = FLOWCOST_IDLE_MS * NSEC_PER_MSEC,
                                    .active_ns = FLOWCOST_ACTIVE_MS * NSEC_PER_MSEC,
                                    .record = count_record,
                                    .user = &records};
    assert_int_equal(flows_new(&conf, &table), 0);
    memset(flow, 0, sizeof(flow));
    begin(&w);
    for (uint64_t ms = 0; ms < SECONDS * UINT64_C(1000); ms += TICK_MS) {
        pass(&w, TICK_MS);
        for (unsigned i = 0; i < AT_ONCE; i++) {
            struct flow *f = &flow[i];
            if (ms < f->next_ms) {
                continue;
            }
            if (ms >= f->end_ms) { /* another one begins in its place */
                seed = hash(seed);
                *f = (struct flow){ids++, 10 + seed % 20000, ms, ms + (seed >> 20) % 300000};
            }
            f->next_ms = ms + f->period_ms;
            w.bytes += flowcost_frame(w.f, hash(f->id));
            struct flows_packet p = {.key = {.version = 4, .proto = 17},
                                     .hash = hash(f->id),
                                     .ts_ns = (int64_t)ms * NSEC_PER_MSEC,
                                     .packets = 1,
                                     .bytes = 100};
            memcpy(p.key.addr[0], &f->id, 4);
            flows_until(table, 0, p.ts_ns);
            (void)flows_add(table, &p);
        }
    }
    assert_in_range(w.bytes / FLOWCOST_RECORD, records * 9 / 10, (records + AT_ONCE) * 11 / 10);
    flows_free(table);
    flowcost_free(w.f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flows_that_are_there_cost_little_a_second),
        cmocka_unit_test(flows_that_come_cost_a_record_each),
        cmocka_unit_test(a_pause_ends_a_flow),
        cmocka_unit_test(it_gets_cold),
        cmocka_unit_test(many_flows_have_room),
        cmocka_unit_test(it_costs_what_records_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
