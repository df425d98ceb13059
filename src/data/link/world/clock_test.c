/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector's word on a tap's clock, with the real ends over a simulated path (sim.h): both
 * ends have one clock here, so the path turns the tap's REPORTs into those of a tap whose clock
 * gains, loses and is set, and the truth is known. The link is in the clear, so that it can.
 * FARSPAN_SIM_SEEDS says how many stories are told, FARSPAN_SIM_SEED which one alone.
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

enum {
    PATH = 4096,
    STEPS = 60,
    SEEDS = 40,
};

struct pending {
    int64_t due;
    struct relay *relay;
    bool to_collector;
    size_t len;
    uint8_t *data;
};

static struct story {
    uint64_t seed;
    bool old_end;
    int64_t gain;           /* of the tap's clock, in parts of 10^9, since `turned`, … */
    int64_t turned, gained; /* … when it had gained so much */
    int64_t set;            /* the tap's wall clock was set on by so much, … */
    int64_t set_at;         /* … last at that time */
    struct pending path[PATH];
    unsigned n_path, loss; /* of a hundred */
    int64_t delay[2], jitter[2];
    struct world *w;
    unsigned checks, jumps;
} story;

/* ---- the tap's clock ---- */

static int64_t gained(int64_t at)
{
    return story.gained + (at - story.turned) / 1000000 * story.gain / 1000;
}

/* The collector's wall clock is set; the simulation would set the tap's too. */
static void set_ours(int64_t by)
{
    sim_set_wall(by);
    story.set -= by;
}

static void turn(int64_t gain)
{
    story.gained = gained(sim_now());
    story.turned = sim_now();
    story.gain = gain;
}

/* The datagram as that tap would have sent it. */
static size_t warp(uint8_t *d, size_t len)
{
    struct link_control c;
    struct link_record rec;
    if (link_record_decode(d, len, &rec) < 0 || rec.stream != 0 ||
        link_control_decode(d + LINK_RECORD_HEADER, len - LINK_RECORD_HEADER, &c) < 0 ||
        c.type != LINK_REPORT) {
        return len;
    }
    const int64_t at = c.report.steady, held = (int64_t)c.report.echo_age;
    assert_true(at > 0);
    c.report.steady += gained(at);
    c.report.now += gained(at) + story.set;
    c.report.echo_age += (uint64_t)(gained(at) - gained(at - held));
    int n = link_control_encode(&c, d + LINK_RECORD_HEADER, len - LINK_RECORD_HEADER);
    assert_int_equal(n, len - LINK_RECORD_HEADER);
    return len - (story.old_end ? sizeof(c.report.steady) : 0);
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

static void path_deliver(void)
{
    for (unsigned i = 0; i < story.n_path;) {
        struct pending *p = &story.path[i];
        if (p->due > sim_now()) {
            i++;
            continue;
        }
        if (p->to_collector || p->relay->tap.len > 0) {
            world_inject(p->relay, p->to_collector, p->data, p->len);
        }
        path_drop(i);
    }
}

static unsigned fate(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                     size_t len)
{
    (void)w;
    if (story.n_path == PATH || sim_random(100) < story.loss) {
        return 0;
    }
    struct pending *p = &story.path[story.n_path++];
    *p = (struct pending){.relay = r, .to_collector = to_collector, .data = malloc(len)};
    memcpy(p->data, d, len);
    p->len = to_collector ? warp(p->data, len) : len;
    const int64_t jitter = story.jitter[to_collector] / 1000;
    p->due = sim_now() + story.delay[to_collector] + 1000;
    p->due += jitter ? sim_random((uint32_t)jitter) * INT64_C(1000) : 0;
    return 0;
}

/* ---- the judge ---- */

static struct session *session_of(struct world *w)
{
    return w->listener->n_peers > 0 ? w->listener->peer[0]->session : NULL;
}

static bool judge(struct world *w)
{
    struct clock_estimate c;
    struct session *ss = session_of(w);
    if (!ss || !listener_clock(ss, &c)) {
        return false;
    }
    /* When its newest REPORT left is known by the clock that was not set, or about. */
    if (story.old_end ? ss->model.now.at.ns <= story.set_at + NSEC_PER_SEC
                      : ss->model.told <= story.set_at + gained(story.set_at)) {
        return false;
    }
    const int64_t wrong = llabs(c.offset - gained(sim_now()) - story.set);
    if (wrong > c.bound) {
        fail_msg("seed %llu: wrong by %.3f ms, and the bound is %.3f ms",
                 (unsigned long long)story.seed, (double)wrong / 1e6, (double)c.bound / 1e6);
    }
    story.checks++;
    return false;
}

/* ---- the stories ---- */

static int64_t some_step(void)
{
    static const uint32_t most_us[] = {100, 20000, 1000000, 2000000000};
    const uint32_t n = most_us[sim_random(4)];
    return ((int64_t)sim_random(2 * n) - n) * 1000;
}

static void step(void)
{
    const unsigned what = sim_random(100);
    if (what < 6) {
        story.set += some_step();
        story.set_at = sim_now();
    } else if (what < 10) {
        set_ours(some_step());
    } else if (what < 16) {
        turn((int64_t)sim_random(1198000) - 599000);
    } else if (what < 30) {
        for (unsigned i = 0; i < 2; i++) {
            story.delay[i] = (int64_t)sim_random(sim_random(2) ? 300 : 300000) * 1000;
            story.jitter[i] = sim_random(2) ? 0 : (int64_t)sim_random(200000) * 1000;
        }
    } else if (what < 36) {
        story.loss = sim_random(3) ? 0 : sim_random(60);
    }
}

static void tell(uint64_t seed)
{
    story = (struct story){.seed = seed, .old_end = seed % 4 == 0};
    sim_begin(seed, path_due, path_deliver);
    turn((int64_t)sim_random(1198000) - 599000);
    story.set = some_step();
    struct world *w = story.w = world_new(LINK_PLAIN);
    w->look_ms = 10;
    w->fate = fate;
    world_start_collector(w);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, 5000);
    for (unsigned i = 0; i < STEPS; i++) {
        world_run(w, judge, 1000);
        step();
    }
    while (story.n_path > 0) {
        path_drop(0);
    }
    world_stop_collector(w);
    story.jumps = w->listener->peer[0]->clock_jumps;
    world_forget_collector(w);
    world_free(w);
    sim_end();
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

static void the_bound_always_holds(void **state)
{
    (void)state;
    uint64_t first = number_from("FARSPAN_SIM_SEED", 1);
    uint64_t n = getenv("FARSPAN_SIM_SEED") ? 1 : number_from("FARSPAN_SIM_SEEDS", SEEDS);
    unsigned checks = 0;
    for (uint64_t seed = first; seed < first + n; seed++) {
        tell(seed);
        checks += story.checks;
    }
    assert_true(checks > n * STEPS * 25);
}

static bool has_event(const struct history *h, const char *words)
{
    for (unsigned i = 0; i < h->n; i++) {
        const struct history_event *e = history_at(h, i);
        if (e->kind == HISTORY_CLOCK_JUMP && strstr(e->words, words)) {
            return true;
        }
    }
    return false;
}

static void jumps_are_events(void **state)
{
    (void)state;
    story = (struct story){0};
    sim_begin(1, path_due, path_deliver);
    struct world *w = story.w = world_new(LINK_PLAIN);
    w->look_ms = 10;
    w->fate = fate;
    world_start_collector(w);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, 5000);
    world_run(w, judge, 20000);
    const struct peer *t = w->listener->peer[0];
    assert_int_equal(t->clock_jumps, 0);
    story.set -= 2 * NSEC_PER_MSEC;
    story.set_at = sim_now();
    world_run(w, judge, 3000);
    assert_int_equal(t->clock_jumps, 1);
    assert_true(has_event(&w->listener->history, "the tap's clock jumped back by 0.002000 s"));
    assert_non_null(strstr(w->collector_said, "web1: its clock jumped back by 0.002000 s"));
    set_ours(3600 * NSEC_PER_SEC); /* one event for all taps, … */
    world_run(w, judge, 3000);
    assert_true(has_event(&w->listener->history, "the collector's clock jumped on by 3600.000 s"));
    assert_int_equal(t->clock_jumps, 1); /* … whose model has begun anew */
    assert_true(story.checks > 1500);
    world_stop_collector(w);
    world_forget_collector(w);
    world_free(w);
    sim_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jumps_are_events),
        cmocka_unit_test(the_bound_always_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
