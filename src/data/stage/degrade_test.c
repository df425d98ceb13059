/* SPDX-License-Identifier: Apache-2.0
 *
 * The stage that takes something off for the rate: the newest frames go where the queue is full,
 * none in an outage, and behind one new frames share with those that wait.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/stage.h"
#include "model/flowcost.h"

enum {
    LEN = 990, /* a frame costs 1000 bytes */
};

struct world {
    struct stage *s;
    struct limit_view view;
    struct ledger ledger;
    struct batch b;
    uint32_t made, passed; /* frames; the last number that passed, + 1 */
};

static void begin(struct world *w, uint64_t room)
{
    *w = (struct world){.view = {.room = room, .scale = LIMIT_UNIT}};
    assert_int_equal(degrade_stage_new(&(struct stage_conf){.limit = &w->view}, &w->s), 0);
    assert_non_null(w->s);
}

static void end(struct world *w)
{
    struct ledger_way way = {2, {LEDGER_CUT, LEDGER_LIMIT}};
    ledger_set(&w->ledger, LEDGER_CUT_OUT, w->made);
    assert_int_equal(ledger_sum(&w->ledger, &way, LEDGER_LIMIT).in_flight, 0);
    assert_int_equal(w->view.dropped, ledger_get(&w->ledger, LEDGER_LIM_FULL) * 1000);
    w->s->ops->free(w->s);
}

/* So many frames of that length come; how many pass, which are the first of them. */
static uint32_t come(struct world *w, uint32_t n, uint32_t len)
{
    static const uint8_t data[1 << 16];
    for (w->b.n = 0; w->b.n < n; w->b.n++) {
        w->b.f[w->b.n] = (struct frame){
            .data = data, .datalen = len, .caplen = len, .origlen = len, .point = w->b.n};
    }
    w->made += n;
    w->s->ops->run(w->s, &w->b, &(struct pass){.common = &w->ledger});
    for (uint32_t i = 0; i < w->b.n; i++) {
        assert_int_equal(w->b.f[i].point, i);
    }
    return w->b.n;
}

static void the_newest_go(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 20000);
    assert_int_equal(come(&w, 15, LEN), 15);
    assert_int_equal(come(&w, 30, LEN), 20);
    w.view.waiting = 19000;
    assert_int_equal(come(&w, 2, LEN), 1);
    w.view.waiting = 20000;
    w.view.left = 50000; /* what has left is no credit where no more waits than may */
    assert_int_equal(come(&w, 2, LEN), 0);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_FULL), 13);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_OUT), 36);
    end(&w);
}

/* One that is longer than all the room passes where nothing else waits. */
static void a_long_frame_passes_alone(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 20000);
    assert_int_equal(come(&w, 1, 64990), 1);
    w.view.waiting = 1;
    assert_int_equal(come(&w, 1, 64990), 0);
    assert_int_equal(w.view.dropped, 65000);
    w.view.dropped = 1000; /* as end() counts */
    end(&w);
}

static void an_outage_has_no_limit(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 20000);
    w.view.out = true;
    w.view.waiting = 1000000;
    assert_int_equal(come(&w, 200, LEN), 200);
    w.view.out = false; /* it is over: for two that leave, one comes */
    assert_int_equal(come(&w, 100, LEN), 0);
    w.view.left = 10000;
    assert_int_equal(come(&w, 100, LEN), 5);
    assert_int_equal(come(&w, 100, LEN), 0);
    w.view.left = 12000;
    assert_int_equal(come(&w, 100, LEN), 1);
    w.view.left = 1000000; /* and no more than there is room for */
    assert_int_equal(come(&w, 100, LEN), 20);
    end(&w);
}

static void costs_are_the_links(void **state)
{
    (void)state;
    const struct limit_view v = {.scale = LIMIT_UNIT * 3 / 2};
    assert_int_equal(limit_cost(&v, 990), 1500);
    struct stage *s = NULL;
    assert_int_equal(degrade_stage_new(&(struct stage_conf){0}, &s), 0);
    assert_null(s); /* without a rate there is none */
}

/* ---- the ladder ---- */

enum {
    FLOWS = 1024,
    HEADERS = 14 + 20 + 8,
};

static uint8_t packets[FLOWS][LEN];

/* UDP over IPv4 of one flow each, whose number is in the port. */
static void make_flows(struct world *w, unsigned from, unsigned n)
{
    static const uint8_t head[HEADERS] = {2,    0, 0,  0,    0, 2, 2, 0, 0,  0,  0, 1,    8,  0,
                                          0x45, 0, 3,  0xd0, 0, 0, 0, 0, 64, 17, 0, 0,    10, 0,
                                          0,    1, 10, 0,    0, 2, 0, 0, 0,  53, 3, 0xbc, 0,  0};
    w->b.n = n;
    for (unsigned i = 0; i < n; i++) {
        uint8_t *d = packets[from + i];
        memcpy(d, head, sizeof(head));
        d[34] = (uint8_t)((from + i) >> 8);
        d[35] = (uint8_t)(from + i);
        w->b.f[i] = (struct frame){
            .data = d, .datalen = LEN, .caplen = LEN, .origlen = LEN, .point = from + i};
    }
}

static void run_flows(struct world *w, unsigned from, unsigned n)
{
    make_flows(w, from, n);
    w->made += n;
    w->s->ops->run(w->s, &w->b, &(struct pass){.common = &w->ledger});
}

/* All flows come once; those that pass are marked. */
static unsigned pass_flows(struct world *w, bool passed[FLOWS])
{
    unsigned n = 0;
    memset(passed, 0, FLOWS * sizeof(*passed));
    for (unsigned from = 0; from < FLOWS; from += BATCH_MAX) {
        run_flows(w, from, BATCH_MAX);
        for (uint32_t i = 0; i < w->b.n; i++) {
            passed[w->b.f[i].point] = true;
        }
        n += w->b.n;
    }
    return n;
}

static void begin_ladder(struct world *w, struct limit_plan *plan, uint64_t room)
{
    *plan = (struct limit_plan){.ladder = true, .key = {1, 2, 3}};
    *w = (struct world){.view = {.plan = plan, .room = room, .scale = LIMIT_UNIT}};
    assert_int_equal(degrade_stage_new(&(struct stage_conf){.limit = &w->view}, &w->s), 0);
}

static void end_ladder(struct world *w)
{
    struct ledger_way way = {2, {LEDGER_CUT, LEDGER_LIMIT}};
    ledger_set(&w->ledger, LEDGER_CUT_OUT, w->made);
    assert_int_equal(ledger_sum(&w->ledger, &way, LEDGER_LIMIT).in_flight, 0);
    w->s->ops->free(w->s);
}

static uint64_t came(const struct limit_plan *plan, unsigned headers, unsigned from)
{
    uint64_t sum = 0;
    for (unsigned k = from; k < LIMIT_CLASSES; k++) {
        sum += atomic_load(&plan->came[headers][k]);
    }
    return sum;
}

/* While nothing is taken off and little waits, frames are not looked at; then all are, and what
 * each step would cost is known. */
static void the_cost_of_each_step_is_known(void **state)
{
    (void)state;
    static struct world w;
    static struct limit_plan plan;
    bool passed[FLOWS];
    begin_ladder(&w, &plan, UINT64_C(10) << 20);
    assert_int_equal(pass_flows(&w, passed), FLOWS);
    assert_int_equal(came(&plan, 0, 0), FLOWS * 1000);
    assert_int_equal(came(&plan, 1, LIMIT_CLASSES - 1), FLOWS * 1000);
    w.view.waiting = w.view.room / 2;
    assert_int_equal(pass_flows(&w, passed), FLOWS);
    assert_int_equal(came(&plan, 0, 0), 2 * FLOWS * 1000);
    assert_int_equal(came(&plan, 1, 0), FLOWS * (1000 + HEADERS + LIMIT_FRAME));
    for (unsigned k = 1; k < 4; k++) { /* each halving halves, by six deviations and more */
        uint64_t flows = (came(&plan, 0, k) - FLOWS * 1000) / 1000, part = FLOWS >> k;
        assert_in_range(flows, part / 2, part * 3 / 2);
    }
    end_ladder(&w);
}

/* Each halving keeps some of the flows that the one before has kept. Frames say for how many they
 * stand, and the first of a step says so. */
static void a_step_holds_for_frames(void **state)
{
    (void)state;
    static struct world w;
    static struct limit_plan plan;
    bool passed[FLOWS], before[FLOWS];
    unsigned rungs = 0;
    begin_ladder(&w, &plan, UINT64_MAX);
    (void)pass_flows(&w, before);
    for (unsigned h = 1; h <= 10; h++) {
        atomic_store(&plan.step, h | (h > 5 ? LIMIT_HEADERS : 0u));
        unsigned n = pass_flows(&w, passed);
        for (unsigned i = 0; i < FLOWS; i++) {
            assert_true(before[i] || !passed[i]);
        }
        assert_in_range(n, h < 6 ? (FLOWS >> h) / 3 : 0, (FLOWS >> h) * 2 + 8);
        memcpy(before, passed, sizeof(before));
    }
    atomic_store(&plan.step, 2 | LIMIT_HEADERS);
    for (unsigned from = 0; from < FLOWS; from += BATCH_MAX) {
        run_flows(&w, from, BATCH_MAX);
        for (uint32_t i = 0; i < w.b.n; i++) {
            const struct frame *f = &w.b.f[i];
            assert_true(f->more == 3 && f->caplen == HEADERS && f->origlen == LEN);
            assert_true(f->rung == 0 || f->rung == (LIMIT_RUNG | LIMIT_HEADERS | 2));
            rungs += f->rung != 0;
        }
    }
    assert_int_equal(rungs, 1);
    assert_true(ledger_get(&w.ledger, LEDGER_LIM_SLICED) > 0);
    atomic_store(&plan.step, 10 | LIMIT_HEADERS | LIMIT_COUNT);
    assert_int_equal(pass_flows(&w, passed), 0);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_COUNTED), FLOWS);
    end_ladder(&w);
}

/* A frame whose payload was never made counts as it would have been, and goes as its headers,
 * whatever the step has become in the meantime; of one of another flow nothing is left. */
static void frames_may_come_without_their_payload(void **state)
{
    (void)state;
    static struct world w;
    static struct limit_plan plan;
    enum { FULL = LEN + 500 };
    begin_ladder(&w, &plan, UINT64_MAX);
    for (unsigned k = 0; k < 2; k++) {
        atomic_store(&plan.step, k == 0 ? LIMIT_HEADERS : 0);
        make_flows(&w, 0, 2);
        w.b.f[0].full = FULL;
        w.made += 2;
        w.s->ops->run(w.s, &w.b, &(struct pass){.common = &w.ledger});
        assert_int_equal(w.b.n, 2);
        assert_int_equal(w.b.f[0].caplen, HEADERS);
        assert_int_equal(w.b.f[0].full, 0);
        assert_int_equal(w.b.f[1].caplen, k == 0 ? HEADERS : LEN);
        assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_SLICED), k == 0 ? 2 : 3);
        assert_int_equal(came(&plan, 0, 0), (k + 1) * (LEN + FULL + 2 * LIMIT_FRAME));
    }
    assert_int_equal(w.view.dropped, 2 * (FULL - HEADERS) + LEN - HEADERS);
    end_ladder(&w);
}

/* Frames to be kept are whole on each step but the last, and have room where others have none. */
static void some_frames_are_kept_whole(void **state)
{
    (void)state;
    static struct world w;
    static struct limit_plan plan;
    struct error err = {""};
    struct filter_prog keep = {0};
    begin_ladder(&w, &plan, 20000);
    assert_int_equal(filter_compile_plain("src portrange 0-1", &keep, &err), 0);
    atomic_store(&plan.keep, &keep);
    atomic_store(&plan.step, 10 | LIMIT_HEADERS);
    run_flows(&w, 0, 2);
    assert_int_equal(w.b.n, 2);
    assert_int_equal(w.b.f[1].caplen, LEN);
    assert_int_equal(w.b.f[1].more, 0);
    assert_int_equal(came(&plan, 1, LIMIT_CLASSES - 1), 2000);
    plan.ladder = false; /* dropped where the queue is full, the others before */
    atomic_store(&plan.step, 0);
    w.s->ops->free(w.s);
    assert_int_equal(degrade_stage_new(&(struct stage_conf){.limit = &w.view}, &w.s), 0);
    w.view.waiting = 14500;
    run_flows(&w, 0, 4);
    assert_int_equal(w.b.n, 2);
    assert_int_equal(w.b.f[1].point, 1);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_FULL), 2);
    plan.ladder = true;
    atomic_store(&plan.step, LIMIT_COUNT);
    run_flows(&w, 0, 2);
    assert_int_equal(w.b.n, 0);
    filter_done(&keep);
    end_ladder(&w);
}

/* ---- flow records ---- */

/* A meter to which frames of even ports are no flow's. */
struct meter {
    struct sink sink;
    struct ledger *ledger;
    unsigned seen[FLOWS];
};

static void meter_write(struct sink *s, const struct batch *b)
{
    struct meter *m = (struct meter *)s;
    for (uint32_t i = 0; i < b->n; i++) {
        ledger_add(m->ledger, LEDGER_MET_IN, 1);
        ledger_add(m->ledger, b->f[i].point % 2 ? LEDGER_MET_OUT : LEDGER_MET_NOT_IP, 1);
        m->seen[b->f[i].point]++;
    }
}

static const struct sink_ops meter_ops = {
    .kind = "meter", .counts = LEDGER_METER, .write = meter_write};

static void frames_are_told_in_flow_records(void **state)
{
    (void)state;
    static struct world w;
    static struct limit_plan plan;
    static struct meter m;
    bool passed[FLOWS];
    struct error err = {""};
    begin_ladder(&w, &plan, UINT64_MAX);
    assert_int_equal(sink_init(&m.sink, &meter_ops, "meter"), 0);
    const struct point_offer here = {.tap = "", .ifname = ""};
    assert_int_equal(sink_point_open(&m.sink, &here, &m.ledger, &err), 0);
    atomic_store(&plan.step, LIMIT_FLOWS);
    assert_int_equal(pass_flows(&w, passed), 0); /* there is no meter yet */
    assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_COUNTED), FLOWS);
    w.view.meter = &m.sink;
    assert_int_equal(pass_flows(&w, passed), 0);
    for (unsigned i = 0; i < FLOWS; i++) {
        assert_int_equal(m.seen[i], 1);
    }
    assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_METERED), FLOWS / 2);
    assert_int_equal(ledger_get(&w.ledger, LEDGER_LIM_COUNTED), FLOWS + FLOWS / 2);
    assert_int_equal(w.view.dropped, 2 * FLOWS * 1000);
    atomic_store(&plan.step, 0);
    assert_int_equal(pass_flows(&w, passed), FLOWS);
    assert_int_equal(ledger_get(m.ledger, LEDGER_MET_IN), FLOWS);
    end_ladder(&w);
    sink_done(&m.sink);
}

/* A frame of each of these flows comes, 100 ms after the one before. */
static void come_in_time(struct world *w, struct mono *now, unsigned from, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        *now = mono_add_ms(*now, 100);
        make_flows(w, from + k, 1);
        w->made++;
        w->s->ops->run(w->s, &w->b, &(struct pass){.common = &w->ledger, .now = *now});
    }
}

/* Frames that are kept whole are so beside flow records, and cost what they did. Nobody wants to
 * know the others' cost where flow records are no step, or no longer one. */
static void the_cost_of_flow_records_is_known(void **state)
{
    (void)state;
    static struct world w;
    static struct limit_plan plan;
    struct error err = {""};
    struct filter_prog keep = {0};
    struct mono now = {1000 * NSEC_PER_SEC};
    begin_ladder(&w, &plan, UINT64_MAX);
    assert_int_equal(filter_compile_plain("src portrange 0-1", &keep, &err), 0);
    atomic_store(&plan.keep, &keep);
    atomic_store(&plan.step, LIMIT_FLOWS);
    run_flows(&w, 0, 4);
    assert_int_equal(w.b.n, 2);
    assert_int_equal(atomic_load(&plan.told), 2000);
    atomic_store(&plan.flows, true);
    come_in_time(&w, &now, 4, 20);
    const uint64_t told = atomic_load(&plan.told);
    assert_in_range(told, 2000 + 10 * FLOWCOST_RECORD,
                    2000 + 12 * FLOWCOST_RECORD); /* a second's are taken for old ones */
    atomic_store(&plan.flows, false);
    come_in_time(&w, &now, 24, 20);
    assert_int_equal(atomic_load(&plan.told), told);
    filter_done(&keep);
    end_ladder(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_newest_go),
        cmocka_unit_test(a_long_frame_passes_alone),
        cmocka_unit_test(an_outage_has_no_limit),
        cmocka_unit_test(costs_are_the_links),
        cmocka_unit_test(the_cost_of_each_step_is_known),
        cmocka_unit_test(a_step_holds_for_frames),
        cmocka_unit_test(frames_may_come_without_their_payload),
        cmocka_unit_test(some_frames_are_kept_whole),
        cmocka_unit_test(frames_are_told_in_flow_records),
        cmocka_unit_test(the_cost_of_flow_records_is_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
