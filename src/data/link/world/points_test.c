/* SPDX-License-Identifier: Apache-2.0
 *
 * Observation points between taps and a real collector: outputs that have no room for them, and
 * what each tap may have of them; and what becomes of their counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/link/receive/impl.h"
#include "data/link/world/world.h"
#include "data/sink/fake.h"

static const struct ledger *ledger0(const struct world *w)
{
    const struct peer *t = w->listener->n_peers > 0 ? w->listener->peer[0] : NULL;
    return t && t->n_points > 0 ? point_output(t->point[0], w->writer[0]) : NULL;
}

static bool refused(struct world *w)
{
    const struct ledger *l = ledger0(w);
    return l && ledger_get(l, LEDGER_SINK_REFUSED) == w->n;
}

static bool has_room(struct world *w)
{
    return w->out->ops->check(w->out, NULL) == 0;
}

static bool out(struct world *w)
{
    return ledger_get(ledger0(w), LEDGER_SINK_OUT) == w->n;
}

static bool nobody_there(struct world *w)
{
    return w->listener->n_sessions == 0;
}

/* An output has no room for the point: each frame is counted there, it is shown, and the point is
 * added when there is room. The session ends with the point refused once more. */
static void a_refused_point_is_counted(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    world_start_collector(w);
    fake_sink_room(w->out, 0);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, 5000);
    world_frames(&w->tap[0], 300);
    w->n = 300;
    world_must(w, refused, 5000);
    assert_int_equal(w->out->ops->check(w->out, NULL), 1);
    fake_sink_room(w->out, 1);
    world_must(w, has_room, 5000);
    world_frames(&w->tap[0], 200);
    w->n = 200;
    world_must(w, out, 5000);
    world_kill_tap(w, 0);
    world_start_tap(w, 0, "web1"); /* a new session of it, for which there is no room */
    fake_sink_room(w->out, 0);
    world_must(w, up0, 10000);
    world_frames(&w->tap[0], 10);
    w->n = 310;
    world_must(w, refused, 5000);
    dialer_stop(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    world_must(w, nobody_there, 3000);
    assert_true(has_room(w)); /* nothing is refused any more, and nothing asked for */
    assert_int_equal(fan_refused(w->listener->receiver[0]->pipeline.sink), 0);
    const struct ledger *rx = &w->listener->peer[0]->point[0]->ledger;
    assert_int_equal(ledger_get(rx, LEDGER_RX_OUT), 510);
    assert_int_equal(ledger_get(ledger0(w), LEDGER_SINK_IN), 510);
    assert_int_equal(ledger_sum(ledger0(w), NULL, LEDGER_SINK).in_flight, 0);
    world_free(w);
}

/* Loses what carries frames on the way to the collector, while w->n. */
static unsigned lose_frames(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                            size_t len)
{
    struct link_record rec;
    (void)r;
    return to_collector && w->n > 0 && link_peek(d, len) == LINK_RECORD &&
                   link_record_decode(d, len, &rec) == 0 && rec.stream != 0
               ? 0
               : 1;
}

static const struct ledger *received(const struct world *w)
{
    return &w->listener->peer[0]->point[0]->ledger;
}

static bool numbered(struct world *w)
{
    return ledger_get(received(w), LEDGER_RX_IN) == w->tap[0].sender.made;
}

/* The tap's reports say how many frames there were: those that were lost at the end are counted
 * while the session lives, as being on their way, and at its end as lost. What the tap and the link
 * have counted is told to the outputs with the point's end. */
static void reports_count_the_last_frames(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, lose_frames);
    world_frames(&w->tap[0], 1000);
    world_must(w, all_written, 5000);
    ledger_set(&w->tap[0].sender.plain.ledger, LEDGER_RING_IN, 1234);
    w->n = 1;
    world_frames(&w->tap[0], 200);
    world_must(w, numbered, 5000);
    assert_int_equal(ledger_get(received(w), LEDGER_RX_OUT), 1000);
    assert_int_equal(ledger_sum(received(w), NULL, LEDGER_LINK_RX).in_flight, 200);
    w->n = 0;
    dialer_stop(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    world_must(w, nobody_there, 3000);
    assert_int_equal(ledger_get(received(w), LEDGER_RX_IN), 1200);
    assert_int_equal(ledger_get(received(w), LEDGER_RX_OUT), 1000);
    assert_int_equal(ledger_get(received(w), LEDGER_RX_LOST), 200);
    assert_int_equal(ledger_get(received(w), LEDGER_RX_BYTES), 1000 * WORLD_FRAME);
    const struct fake_point *p = fake_sink_point(w->out, w->listener->peer[0]->point[0]->index);
    assert_int_equal(p->removes, 1);
    assert_int_equal(ledger_get(&p->figures, LEDGER_RING_IN), 1234);
    for (unsigned i = 0; i < LEDGER_COUNT; i++) {
        if (ledger_info((enum ledger_id)i)->stage == LEDGER_LINK_RX) {
            assert_int_equal(ledger_get(&p->figures, (enum ledger_id)i),
                             ledger_get(received(w), (enum ledger_id)i));
        }
    }
    world_free(w);
}

/* Frames that the collector had not accounted for when a doubt ended are no reason for the next. */
static void a_doubt_forgives_what_was_sent(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, lose_frames);
    w->n = 1;
    world_frames(&w->tap[0], 200);
    struct dialer *c = w->tap[0].dialer;
    const struct mono before = mono_now();
    assert_false(dialer_doubt_tick(c, before));
    assert_true(c->arrival.n > 0);
    dialer_doubt_changed(c, true);
    assert_true(c->arrival.n > 0);
    dialer_doubt_changed(c, false);
    assert_int_equal(c->arrival.forgiven, 200);
    assert_int_equal(c->arrival.n, 0);
    assert_true(c->arrival.grown.ns >= before.ns);
    world_free(w);
}

/* A question may be lost: while the session is held, each tick asks again, and nothing else. */
static void a_held_session_asks_until_it_is_answered(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct dialer *c = w->tap[0].dialer;
    assert_true(c->probes);
    uint64_t asked = c->current.counter;
    assert_false(dialer_doubt_tick(c, mono_now()));
    assert_int_equal(c->current.counter, asked); /* nothing is in doubt */
    c->uplink.held = true;
    dialer_doubt_changed(c, true);
    assert_int_equal(c->current.counter, asked + 1);
    for (unsigned i = 2; i < 5; i++) {
        assert_false(dialer_doubt_tick(c, mono_now()));
        assert_int_equal(c->current.counter, asked + i);
    }
    const struct link_probe stale = {.token = c->proof - 1}, right = {.token = c->proof};
    assert_false(dialer_doubt_acked(c, &stale));
    assert_true(dialer_doubt_acked(c, &right));
    c->uplink.held = false;
    assert_false(dialer_doubt_acked(c, &right));
    world_free(w);
}

static struct peer *tap_named(struct listener *s, const char *fmt, unsigned n)
{
    char name[16];
    bool wait;
    const struct key k = {.from = {.len = 0}};
    int len = snprintf(name, sizeof(name), fmt, n);
    struct peer *t =
        listener_peer_for(s, &(struct link_info){.name = {name, (uint16_t)len}}, &k, &wait);
    assert_non_null(t);
    return t;
}

/* A new interface of the tap, in use. */
static const char *take(struct listener *s, struct peer *t)
{
    static unsigned n;
    char name[16];
    const char *why = NULL;
    int len = snprintf(name, sizeof(name), "eth%u", n++);
    struct point *p = listener_point_for(s, t, (struct link_text){name, (uint16_t)len}, &why);
    if (p) {
        p->has_stream = true;
    }
    return p ? NULL : why;
}

static unsigned take_all(struct listener *s, struct peer *t)
{
    unsigned n = 0;
    while (!take(s, t)) {
        n++;
    }
    return n;
}

/* Greedy taps get no more than is to spare, and each other gets its share in any case. */
static void each_tap_has_a_share(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_PLAIN);
    world_start_collector(w);
    struct listener *s = w->listener;
    struct peer *greedy[6];
    for (unsigned i = 0; i < 6; i++) {
        greedy[i] = tap_named(s, "greedy%u", i);
        (void)take_all(s, greedy[i]);
    }
    assert_int_equal(greedy[0]->n_points, POINT_OF_PEER);
    assert_int_equal(greedy[4]->n_points, POINT_OF_PEER);
    assert_int_equal(greedy[5]->n_points, POINT_COUNT - POINT_SPARE - 5 * POINT_OF_PEER);
    for (unsigned i = 0; i < POINT_SPARE / POINT_SHARE; i++) {
        assert_int_equal(take_all(s, tap_named(s, "small%u", i)), POINT_SHARE);
    }
    assert_int_equal(s->n_points, POINT_COUNT);
    struct peer *late = tap_named(s, "late%u", 0);
    assert_string_equal(take(s, late), "no more interfaces can be kept");
    /* One of a small tap is idle for long, and one of a greedy one: that goes first. */
    struct peer *small = tap_named(s, "small%u", 0);
    small->point[3]->has_stream = greedy[1]->point[7]->has_stream = false;
    small->point[3]->idle = (struct mono){1};
    greedy[1]->point[7]->idle = (struct mono){2};
    assert_non_null(take(s, greedy[0])); /* not for one that has more than its share */
    assert_non_null(take(s, greedy[5]));
    assert_int_equal(greedy[1]->n_points, POINT_OF_PEER);
    assert_null(take(s, late));
    assert_int_equal(greedy[1]->n_points, POINT_OF_PEER - 1);
    assert_null(take(s, late));
    assert_int_equal(small->n_points, POINT_SHARE - 1);
    assert_non_null(take(s, late));
    assert_int_equal(late->n_points, 2);
    world_free(w);
}

/* A tap whose interfaces always have other names: in place of its own, and not faster than that. */
static void names_have_a_rate(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_PLAIN);
    world_start_collector(w);
    struct listener *s = w->listener;
    struct peer *t = tap_named(s, "restless%u", 0), *other = tap_named(s, "other%u", 0);
    assert_null(take(s, other));
    other->point[0]->has_stream = false;
    other->point[0]->idle = (struct mono){1};
    t->names.at = mono_add_ms(mono_now(), 3600 * 1000);
    assert_int_equal(take_all(s, t), POINT_OF_PEER);
    for (unsigned i = 0; i < POINT_OF_PEER; i++) {
        t->point[i]->has_stream = false;
        t->point[i]->idle = (struct mono){1};
    }
    assert_string_equal(take(s, t), "too many new interfaces, it has to wait");
    t->names.at = mono_add_ms(mono_now(), -60 * 1000); /* a minute */
    unsigned n = take_all(s, t);
    assert_in_range(n, 60 * PEER_NAMES_RATE, 60 * PEER_NAMES_RATE + 2);
    assert_int_equal(t->n_points, POINT_OF_PEER);
    assert_int_equal(other->n_points, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_point_is_counted),
        cmocka_unit_test(reports_count_the_last_frames),
        cmocka_unit_test(a_doubt_forgives_what_was_sent),
        cmocka_unit_test(a_held_session_asks_until_it_is_answered),
        cmocka_unit_test(each_tap_has_a_share),
        cmocka_unit_test(names_have_a_rate),
    };
    return cmocka_run_group_tests_name("data/link_points", tests, NULL, NULL);
}
