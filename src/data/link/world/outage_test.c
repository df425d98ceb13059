/* SPDX-License-Identifier: Apache-2.0
 *
 * Outages of the way to the collector, of the way back, and of both, in simulated time
 * (sim.h) and by seed: what they cost, and that both ends' books are exact afterwards.
 * FARSPAN_SIM_SEEDS says how many stories are told, FARSPAN_SIM_SEED which one alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>

#include "data/link/world/sim.h"
#include "data/link/world/world.h"
#include "data/sink/fake.h"

enum {
    STEP_MS = 20,
    RATE = 500,      /* frames a second */
    BORNE_MS = 2500, /* of a dead way: two reports' time, and a look or two */
    SLACK_MS = 300,
    OUTAGES = 4,
    SEEDS = 20,
    PATIENCE_MS = 120000,
};

struct outage {
    int64_t from, to;
    bool way[2]; /* back, there */
};

static struct story {
    struct world *w;
    struct outage outage[OUTAGES];
    unsigned n;
    int64_t dead_since;             /* the way there; 0: it is not */
    uint64_t sent, into_void, late; /* frames; into a dead way, and into one that is so for long */
    uint64_t lost;                  /* that never came out */
    bool ended;
} story;

static bool dead(bool to_collector)
{
    for (unsigned i = 0; i < story.n; i++) {
        const struct outage *o = &story.outage[i];
        if (o->way[to_collector] && sim_now() >= o->from && sim_now() < o->to) {
            return true;
        }
    }
    return false;
}

static unsigned fate(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                     size_t len)
{
    (void)w;
    (void)r;
    (void)d;
    (void)len;
    return dead(to_collector) ? 0 : 1;
}

static int64_t last_end(void)
{
    int64_t end = sim_now();
    for (unsigned i = 0; i < story.n; i++) {
        end = MAX(end, story.outage[i].to);
    }
    return end;
}

/* Frames have left. */
static void judge_sent(const struct tap_end *t)
{
    uint64_t sent = ledger_get(&t->sender.plain.ledger, LEDGER_TX_OUT), n = sent - story.sent;
    story.sent = sent;
    if (!dead(true)) {
        story.dead_since = 0;
        return;
    }
    story.dead_since = story.dead_since ? story.dead_since : sim_now();
    story.into_void += n;
    story.late += sim_now() - story.dead_since > BORNE_MS * NSEC_PER_MSEC ? n : 0;
}

/* The data thread's turn. */
static void on_step(struct loop *l, struct mono now, void *user)
{
    (void)l;
    (void)now;
    struct tap_end *t = user;
    if (!story.ended) {
        world_frames(t, RATE * STEP_MS / 1000);
    }
    if (link_tx_waits(t->sender.plain.tx)) {
        (void)link_tx_drain(t->sender.plain.tx);
    }
    judge_sent(t);
}

static bool empty(struct world *w)
{
    return up0(w) && !link_tx_waits(w->tap[0].sender.plain.tx);
}

static void judge(void)
{
    const struct tap_end *t = &story.w->tap[0];
    const struct ledger *tx = &t->sender.plain.ledger;
    const struct listener *s = story.w->listener;
    struct dialer_stream_status said;
    uint64_t in = 0, out = 0, lost = 0, sent = ledger_get(tx, LEDGER_TX_OUT);
    size_t written = 0;
    for (unsigned i = 0; i < s->n_peers; i++) {
        for (unsigned k = 0; k < s->peer[i]->n_points; k++) {
            const struct ledger *l = &s->peer[i]->point[k]->ledger;
            in += ledger_get(l, LEDGER_RX_IN);
            out += ledger_get(l, LEDGER_RX_OUT);
            lost += ledger_get(l, LEDGER_RX_LOST);
        }
    }
    (void)fake_sink_frames(story.w->out, &written);
    dialer_stream_status(t->dialer, t->dialer->stream[0].id, &said);
    assert_int_equal(written, out);
    assert_int_equal(in, out + lost);
    assert_int_equal(sent, t->sender.made); /* in the end all of them */
    assert_int_equal(sent, said.confirmed + said.reported_lost + said.unconfirmed);
    assert_true(said.confirmed <= out && out <= said.confirmed + said.unconfirmed);
    if (t->dialer->status.sessions == 1) {
        assert_int_equal(in, sent);
        assert_int_equal(said.confirmed, out);
        assert_int_equal(said.unconfirmed, 0);
    }
    story.lost = sent - out;
}

/* Tells the story; `before_ms`: of its beginning in which nothing happens. */
static void tell(uint64_t seed, void (*draw)(void))
{
    struct loop_timer *step = NULL;
    story = (struct story){0};
    sim_begin(seed, NULL, NULL);
    struct world *w = story.w = world_new(LINK_CPACE);
    w->look_ms = 10;
    w->backlog = backlog_pool_new(64 << 20);
    w->fate = fate;
    world_start(w);
    assert_int_equal(
        loop_add_timer(w->loop, mono_now(), STEP_MS * NSEC_PER_MSEC, on_step, &w->tap[0], &step),
        0);
    world_run(w, never, 3000 + (int)sim_random(1000));
    draw();
    world_run(w, never, (int)((last_end() - sim_now()) / NSEC_PER_MSEC) + 1000);
    world_must(w, up0, PATIENCE_MS);
    story.ended = true;
    world_must(w, empty, PATIENCE_MS);
    dialer_stop(w->tap[0].dialer);
    world_must(w, stopped0, 5000);
    loop_del_timer(w->loop, step);
    world_stop_collector(w);
    judge();
    world_forget_collector(w);
    struct backlog_pool *pool = w->backlog;
    world_free(w);
    backlog_pool_free(pool);
    sim_end();
}

static int64_t ms(unsigned n)
{
    return n * NSEC_PER_MSEC;
}

static void draw_one(bool both)
{
    story.n = 1;
    story.outage[0].from = sim_now();
    story.outage[0].to = sim_now() + ms(1000 + sim_random(59000));
    story.outage[0].way[0] = both;
    story.outage[0].way[1] = true;
}

static void draw_one_way(void)
{
    draw_one(false);
}

static void draw_both_ways(void)
{
    draw_one(true);
}

static void draw_mixture(void)
{
    int64_t at = sim_now();
    story.n = 1 + sim_random(OUTAGES);
    for (unsigned i = 0; i < story.n; i++) {
        struct outage *o = &story.outage[i];
        unsigned ways = 1 + sim_random(3);
        o->from = at;
        o->to = at + ms(1000 + sim_random(59000));
        o->way[0] = ways & 1;
        o->way[1] = ways & 2;
        at += ms(sim_random(20000));
    }
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void each_seed(void (*one)(uint64_t seed))
{
    uint64_t first = number_from("FARSPAN_SIM_SEED", 1);
    uint64_t n = getenv("FARSPAN_SIM_SEED") ? 1 : number_from("FARSPAN_SIM_SEEDS", SEEDS);
    for (uint64_t seed = first; seed < first + n; seed++) {
        one(seed);
    }
}

static uint64_t sum_one_way, sum_both;

static void compare(uint64_t seed)
{
    tell(seed, draw_both_ways);
    uint64_t both = story.lost;
    tell(seed, draw_one_way);
    if (story.lost > both + RATE * SLACK_MS / 1000) {
        fail_msg("seed %llu: %llu frames lost one way, %llu both", (unsigned long long)seed,
                 (unsigned long long)story.lost, (unsigned long long)both);
    }
    sum_one_way += story.lost;
    sum_both += both;
}

/* The same outage at the same moment, of the way there alone and of both. */
static void one_way_costs_no_more_than_both(void **state)
{
    (void)state;
    sum_one_way = sum_both = 0;
    each_seed(compare);
    assert_true(sum_both > 0 && sum_one_way > 0);
    assert_true(sum_one_way <= sum_both);
}

static void mixture(uint64_t seed)
{
    tell(seed, draw_mixture);
    uint64_t edges = OUTAGES * RATE * STEP_MS / 1000; /* what was on its way when a cut came */
    if (story.late > 0 || story.lost > story.into_void + edges) {
        fail_msg("seed %llu: %llu frames sent long after a cut; %llu into it, %llu lost",
                 (unsigned long long)seed, (unsigned long long)story.late,
                 (unsigned long long)story.into_void, (unsigned long long)story.lost);
    }
}

/* However outages of either way follow each other and overlap, nothing is sent into a way that has
 * been dead for as long as silence is borne, and nothing else is lost. */
static void mixtures_cost_what_goes_into_the_void(void **state)
{
    (void)state;
    each_seed(mixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_way_costs_no_more_than_both),
        cmocka_unit_test(mixtures_cost_what_goes_into_the_void),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
