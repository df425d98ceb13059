/* SPDX-License-Identifier: Apache-2.0
 *
 * The real dialer and the real listener over a simulated path and in simulated time (sim.h),
 * while everything happens that can: datagrams lost, doubled, damaged, cut, late and out of order,
 * each way apart, control records among them; keys that change, addresses that change, outages,
 * taps and collectors that end or die and start again, threads that are held up, clocks that are
 * set.
 *
 * Whatever happened: no frame comes out that was not put in, none twice, each tap's in their order;
 * the books balance to the frame; and where nothing was lost and nobody died, nothing is missing.
 *
 * Each seed is a story of its own. FARSPAN_SIM_SEEDS says how many are told, FARSPAN_SIM_SEED which
 * one alone; a seed that fails is printed, and tells the same story again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "data/link/world/sim.h"
#include "data/link/world/world.h"
#include "data/sink/fake.h"

enum {
    PATH = 1 << 14, /* datagrams under way at most */
    STEPS = 40,
    SEEDS = 60,
    PATIENCE_MS = 120000,
    TAP_NUMBERS = 1 << 24, /* each tap's frames are numbered from another multiple of this */
};

struct odds { /* per thousand datagrams */
    unsigned drop, copy, damage, truncate, late;
    unsigned delay_us, jitter_us;
    unsigned largest; /* larger ones vanish without a word; 0: none does */
};

struct pending {
    int64_t due;
    uint64_t order;
    struct relay *relay;
    bool to_collector;
    size_t len;
    uint8_t *data;
};

static struct story {
    uint64_t seed;
    struct world *w;
    struct allow_list list;
    bool gentle; /* nothing is lost and nobody dies */
    struct odds odds[2];
    int64_t dark_until; /* an outage */
    struct pending path[PATH];
    unsigned n_path;
    uint64_t order, lost_on_path;
    uint32_t next[WORLD_TAPS]; /* the next frame of a tap has at least this number */
    uint64_t written, rx_in, rx_lost, rx_out, sent, dropped, confirmed, unconfirmed;
    unsigned deaths, collectors, lives;
} story;

static bool happens(unsigned per_thousand)
{
    return sim_random(1000) < per_thousand;
}

/* ---- the path ---- */

static int64_t path_due(void)
{
    int64_t due = 0;
    for (unsigned i = 0; i < story.n_path; i++) {
        due = due == 0 || story.path[i].due < due ? story.path[i].due : due;
    }
    return due;
}

static void path_drop(unsigned i)
{
    free(story.path[i].data);
    story.path[i] = story.path[--story.n_path];
}

/* Datagrams that are due arrive, in the order in which they are due. */
static void path_deliver(void)
{
    for (;;) {
        unsigned first = story.n_path;
        for (unsigned i = 0; i < story.n_path; i++) {
            const struct pending *p = &story.path[i], *f = &story.path[first];
            if (p->due <= sim_now() && (first == story.n_path || p->due < f->due ||
                                        (p->due == f->due && p->order < f->order))) {
                first = i;
            }
        }
        if (first == story.n_path) {
            return;
        }
        const struct pending *p = &story.path[first];
        if (p->to_collector || p->relay->tap.len > 0) {
            world_inject(p->relay, p->to_collector, p->data, p->len);
        }
        path_drop(first);
    }
}

static void path_forget(const struct relay *r)
{
    for (unsigned i = 0; i < story.n_path;) {
        if (story.path[i].relay == r) {
            path_drop(i);
        } else {
            i++;
        }
    }
}

static void path_put(struct relay *r, bool to_collector, const uint8_t *d, size_t len)
{
    const struct odds *o = &story.odds[to_collector];
    if (story.n_path == PATH) {
        story.lost_on_path++;
        return;
    }
    struct pending *p = &story.path[story.n_path++];
    *p = (struct pending){.relay = r, .to_collector = to_collector, .len = len};
    p->order = story.order++;
    p->due = sim_now() + o->delay_us * INT64_C(1000);
    p->due += o->jitter_us ? sim_random(o->jitter_us) * INT64_C(1000) : 0;
    p->due += happens(o->late) ? sim_random(60) * NSEC_PER_MSEC : 0;
    p->data = malloc(len + 1);
    memcpy(p->data, d, len);
    if (happens(o->damage) && len > 0) {
        p->data[sim_random((uint32_t)len)] ^= (uint8_t)(1u << sim_random(8));
    }
    if (happens(o->truncate)) {
        p->len = sim_random((uint32_t)len + 1);
    }
}

static unsigned fate(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                     size_t len)
{
    const struct odds *o = &story.odds[to_collector];
    (void)w;
    if (sim_now() < story.dark_until || happens(o->drop) || (o->largest && len > o->largest)) {
        story.lost_on_path++;
        return 0;
    }
    unsigned copies = 1 + (happens(o->copy) ? 1 + sim_random(3) : 0);
    for (unsigned i = 0; i < copies; i++) {
        path_put(r, to_collector, d, len);
    }
    return 0;
}

static unsigned up_to(unsigned max)
{
    return happens(500) ? 0 : sim_random(max);
}

static void draw_odds(void)
{
    for (unsigned i = 0; i < 2; i++) {
        bool harm = !story.gentle;
        story.odds[i] = (struct odds){
            .drop = harm ? up_to(300) : 0,
            .copy = up_to(300),
            /* without keys nothing tells a changed datagram from a right one */
            .damage = harm && story.w->tap_secret.method != LINK_PLAIN ? up_to(100) : 0,
            .truncate = harm && story.w->tap_secret.method != LINK_PLAIN ? up_to(100) : 0,
            .late = harm ? up_to(100) : 0,
            /* a way that becomes shorter at once puts all that is under way out of order */
            .delay_us = harm ? up_to(100000) : 20000,
            .jitter_us = up_to(harm ? 30000 : 9000),
            .largest = harm && happens(200) ? 548 + sim_random(900) : 0,
        };
    }
    sim_stall(up_to(200));
}

/* ---- the books ---- */

/* The frames in the collector's sink are as they were put in, each once and in order. */
static void judge_frames(void)
{
    size_t n = 0;
    const struct fake_frame *f = fake_sink_frames(story.w->out, &n);
    for (size_t i = 0; i < n; i++) {
        uint32_t number = 0;
        assert_int_equal(f[i].caplen, WORLD_FRAME);
        memcpy(&number, f[i].data, 4);
        unsigned tap = number / TAP_NUMBERS;
        assert_true(tap < WORLD_TAPS && number % TAP_NUMBERS < story.w->tap[tap].sender.made);
        assert_true(number >= story.next[tap]);
        story.next[tap] = number + 1;
        for (unsigned k = 4; k < WORLD_FRAME; k++) {
            assert_int_equal(f[i].data[k], (uint8_t)number);
        }
    }
    story.written += n;
}

/* The collector is over, and so is all that it will ever say. */
static void judge_collector(void)
{
    uint64_t out = story.rx_out;
    const struct listener *s = story.w->listener;
    for (unsigned i = 0; i < s->n_peers; i++) {
        for (unsigned k = 0; k < s->peer[i]->n_points; k++) {
            const struct ledger *l = &s->peer[i]->point[k]->ledger;
            assert_int_equal(ledger_sum(l, NULL, LEDGER_LINK_RX).in_flight, 0);
            assert_int_equal(ledger_get(l, LEDGER_RX_MALFORMED), 0);
            story.rx_in += ledger_get(l, LEDGER_RX_IN);
            story.rx_out += ledger_get(l, LEDGER_RX_OUT);
            story.rx_lost += ledger_get(l, LEDGER_RX_LOST);
        }
    }
    size_t n = 0;
    (void)fake_sink_frames(story.w->out, &n);
    assert_int_equal(n, story.rx_out - out);
    judge_frames();
}

static void judge_tap(struct tap_end *t)
{
    assert_int_equal(ledger_sum(&t->sender.plain.ledger, NULL, LEDGER_LINK_TX).in_flight, 0);
    story.sent += ledger_get(&t->sender.plain.ledger, LEDGER_TX_OUT);
    story.dropped += ledger_get(&t->sender.plain.ledger, LEDGER_TX_NOSESSION);
}

/* It came to its end: of each frame that it sent it knows what became of it, or that it does not.
 */
static void judge_end(struct tap_end *t)
{
    struct dialer_stream_status said;
    uint64_t sent = ledger_get(&t->sender.plain.ledger, LEDGER_TX_OUT);
    judge_tap(t);
    dialer_stream_status(t->dialer, t->dialer->stream[0].id, &said);
    assert_int_equal(sent, said.confirmed + said.reported_lost + said.unconfirmed);
    story.confirmed += said.confirmed;
    story.unconfirmed += said.unconfirmed;
}

/* ---- what happens ---- */

/* In a gentle story not more at once than the collector puts in order (REASM_WINDOW). */
static void frames(struct tap_end *t, unsigned n)
{
    world_frames(t, n);
    if (story.gentle) {
        world_run(story.w, never, 10);
    }
}

static void start_tap(unsigned i, uint32_t first)
{
    static const char *const names[WORLD_TAPS] = {"web1", "web2"};
    world_start_tap(story.w, i, names[i]);
    story.w->tap[i].sender.made = first;
    story.lives++;
}

static void kill_tap(unsigned i)
{
    struct tap_end *t = &story.w->tap[i];
    uint32_t made = t->sender.made;
    path_forget(&t->relay);
    world_sender_release(&t->sender);
    judge_tap(t);
    world_kill_tap(story.w, i);
    start_tap(i, made);
    story.deaths++;
}

static void restart_collector(void)
{
    if (happens(500)) { /* it dies: no last word */
        story.dark_until = sim_now() + NSEC_PER_MSEC;
    }
    world_stop_collector(story.w);
    judge_collector();
    world_forget_collector(story.w);
    story.dark_until = MAX(story.dark_until, sim_now() + sim_random(3000) * NSEC_PER_MSEC);
    world_start_collector(story.w);
    story.collectors++;
}

static void wait_a_while(void)
{
    world_run(story.w, never, (int)sim_random(happens(100) ? 8000 : 300) + 1);
}

static unsigned taps(void)
{
    return story.w->tap[1].dialer ? 2 : 1;
}

static void step(void)
{
    struct world *w = story.w;
    unsigned what = sim_random(100), tap = sim_random(taps());
    struct tap_end *t = &w->tap[tap];
    if (what < 45) {
        frames(t, 1 + sim_random(story.gentle ? 300 : 1000));
    } else if (what < 70) {
        wait_a_while();
    } else if (what < 78) {
        draw_odds();
    } else if (what < 84) {
        t->dialer->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
        world_run(w, never, 500);
    } else if (what < 88) {
        world_new_source(&t->relay);
    } else if (what < 91) { /* the clock is set */
        sim_set_wall(((int64_t)sim_random(200000) - 100000) * NSEC_PER_SEC);
    } else if (what < 93) { /* its data thread is slow to hear of keys */
        if (t->sender.hold) {
            world_sender_release(&t->sender);
        } else {
            t->sender.hold = true;
            world_run(w, never, (int)sim_random(1500) + 1);
            world_sender_release(&t->sender);
        }
    } else if (!story.gentle && what < 96) {
        story.dark_until = sim_now() + sim_random(9000) * NSEC_PER_MSEC;
    } else if (!story.gentle && what < 98) {
        kill_tap(tap);
    } else if (!story.gentle && what == 98) {
        restart_collector();
    } else {
        t->sender.refuse = sim_random(3);
    }
}

static bool all_up(struct world *w)
{
    for (unsigned i = 0; i < taps(); i++) {
        if (!tap_flows(&w->tap[i])) {
            return false;
        }
    }
    return true;
}

static bool all_stopped(struct world *w)
{
    for (unsigned i = 0; i < taps(); i++) {
        if (!w->tap[i].stopped) {
            return false;
        }
    }
    return true;
}

/* The path is good again, everybody finds the other, and ends in order. */
static void end(void)
{
    struct world *w = story.w;
    memset(story.odds, 0, sizeof(story.odds));
    story.dark_until = 0;
    for (unsigned i = 0; i < taps(); i++) {
        world_sender_release(&w->tap[i].sender);
        w->tap[i].sender.refuse = 0;
    }
    world_run(w, never,
              2500); /* what was silent for too long is over by then, and what was not is heard */
    world_must(w, all_up, PATIENCE_MS);
    world_run(w, never, 200);
    assert_true(all_up(w));
    uint64_t sessions = 0;
    for (unsigned i = 0; i < taps(); i++) {
        frames(&w->tap[i], 100);
        dialer_stop(w->tap[i].dialer);
        dialer_senders_changed(w->tap[i].dialer);
    }
    world_must(w, all_stopped, 5000);
    for (unsigned i = 0; i < taps(); i++) {
        judge_end(&w->tap[i]);
        sessions += w->tap[i].dialer->status.sessions;
    }
    world_stop_collector(w);
    judge_collector();
    assert_int_equal(story.rx_in, story.rx_out + story.rx_lost);
    assert_true(story.rx_in <= story.sent);
    if (sessions == taps() && story.deaths == 0 && story.collectors == 0) {
        assert_int_equal(story.rx_in, story.sent); /* to the frame */
        assert_int_equal(story.unconfirmed, 0);
    }
    assert_true(story.confirmed <= story.rx_out);
    if (story.gentle) {
        assert_int_equal(sessions, taps());
        assert_int_equal(story.rx_lost, 0);
        assert_int_equal(story.written, story.sent);
    }
}

static void tell(uint64_t seed)
{
    static const enum link_method methods[] = {LINK_CPACE, LINK_NOISE, LINK_PLAIN};
    story = (struct story){.seed = seed};
    sim_begin(seed, path_due, path_deliver);
    story.gentle = happens(300);
    enum link_method method = methods[sim_random(3)];
    struct world *w = story.w = world_new(method);
    w->look_ms = 10;
    if (method == LINK_NOISE) {
        world_use_keys(w, &story.list);
    }
    w->fate = fate;
    world_start_collector(w);
    start_tap(0, 0);
    if (method != LINK_NOISE && happens(500)) { /* a key is one tap's */
        start_tap(1, TAP_NUMBERS);
    }
    if (story.gentle || happens(800)) {
        world_must(w, all_up, PATIENCE_MS);
    }
    draw_odds();
    for (unsigned i = 0; i < STEPS; i++) {
        step();
    }
    end();
    while (story.n_path > 0) {
        path_drop(0);
    }
    world_forget_collector(w);
    world_free(w);
    allow_done(&story.list);
    sim_end();
}

static void print_seed(void)
{
    fprintf(stderr, "the story of seed %llu went wrong: FARSPAN_SIM_SEED=%llu\n",
            (unsigned long long)story.seed, (unsigned long long)story.seed);
}

static int teardown(void **state)
{
    (void)state;
    if (sim_runs()) { /* it did not come to its end */
        print_seed();
    }
    return 0;
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void everything_at_once(void **state)
{
    (void)state;
    uint64_t first = number_from("FARSPAN_SIM_SEED", 1);
    uint64_t n = getenv("FARSPAN_SIM_SEED") ? 1 : number_from("FARSPAN_SIM_SEEDS", SEEDS);
    for (uint64_t seed = first; seed < first + n; seed++) {
        tell(seed);
    }
}

static bool rekeyed(struct world *w)
{
    return w->tap[0].dialer->status.rekeys > w->n;
}

/* Clocks are set by days, forwards and back, in a session, at a re-keying, and between two lives of
 * a tap: none of that is anything to a session, and figures about clocks stay sober. */
static void clocks_are_set(void **state)
{
    static const int64_t hours[] = {1, -1, 24 * 365, -24 * 3650, 24 * 365 * 20, -24 * 400};
    (void)state;
    story = (struct story){0};
    sim_begin(1, path_due, path_deliver);
    struct world *w = story.w = world_new(LINK_NOISE);
    w->look_ms = 10;
    world_use_keys(w, &story.list);
    w->fate = fate;
    story.odds[0].delay_us = story.odds[1].delay_us = 10000;
    world_start_collector(w);
    start_tap(0, 0);
    world_must(w, all_up, 2000);
    for (unsigned i = 0; i < ARRAY_SIZE(hours); i++) {
        struct dialer *c = w->tap[0].dialer;
        sim_set_wall(hours[i] * 3600 * NSEC_PER_SEC);
        frames(&w->tap[0], 100);
        world_run(w, never, 3100);
        assert_in_range(c->status.rtt_ns, 1, NSEC_PER_SEC);
        assert_in_range(c->status.clock_offset_ns + NSEC_PER_SEC, 0, 2 * NSEC_PER_SEC);
        assert_in_range(w->listener->peer[0]->rtt_ns, 1, NSEC_PER_SEC);
        w->n = c->status.rekeys;
        c->uplink.keyed.ns -= UPLINK_REKEY_MS * NSEC_PER_MSEC;
        world_must(w, rekeyed, 1000);
        assert_int_equal(c->status.sessions, 1);
        sim_set_wall(-NSEC_PER_SEC);
        kill_tap(0);
        world_must(w, all_up, 4000);
    }
    world_must(w, all_written, 1000);
    end();
    world_forget_collector(w);
    world_free(w);
    allow_done(&story.list);
    sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clocks_are_set),
        cmocka_unit_test_teardown(everything_at_once, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
