/* SPDX-License-Identifier: Apache-2.0
 *
 * More taps than a collector remembers, and two of one name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/world/world.h"

static const struct ledger *sink_of(const struct world *w, const char *tap)
{
    const struct peer *t = listener_peer_named(w->listener, tap);
    return sink_ledger(w->out, t->point[0]->index);
}

static bool nobody_there(struct world *w)
{
    return w->listener->n_sessions == 0;
}

static bool that_many(struct world *w)
{
    const struct ledger *l = sink_of(w, w->tap[0].conf.name);
    return l && ledger_get(l, LEDGER_SINK_OUT) == w->n;
}

/* The tap comes, sends `n` frames of which `all` are then its own, and goes. */
static void visit(struct world *w, const char *name, unsigned n, unsigned all)
{
    world_start_tap(w, 0, name);
    world_must(w, up0, 2000);
    world_frames(&w->tap[0], n);
    w->n = all;
    world_must(w, that_many, 2000);
    dialer_stop(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    world_must(w, nobody_there, 2000);
    world_kill_tap(w, 0);
}

static void assert_counted(struct world *w, const char *tap, uint64_t n)
{
    const struct point *p = listener_peer_named(w->listener, tap)->point[0];
    assert_int_equal(ledger_sum(&p->ledger, NULL, LEDGER_LINK_RX).out, n);
    assert_int_equal(ledger_sum(&p->ledger, NULL, LEDGER_LINK_RX).in_flight, 0);
    assert_int_equal(ledger_sum(sink_of(w, tap), NULL, LEDGER_SINK).in, n);
    assert_int_equal(ledger_sum(sink_of(w, tap), NULL, LEDGER_SINK).in_flight, 0);
}

/* More names than are remembered: who is gone for longest makes room, its counts are kept, and when
 * it comes back it counts from 0. */
static void old_taps_are_forgotten(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_PLAIN);
    world_start_collector(w);
    struct listener *s = w->listener;
    visit(w, "first", 100, 100);
    visit(w, "second", 20, 20);
    visit(w, "first", 5, 105); /* it goes on in its ledger, and "second" is older now */
    const struct key k = {.from = {.len = 0}};
    for (unsigned i = 2; i < LISTENER_PEERS; i++) { /* others, all younger */
        char name[16];
        bool wait;
        int len = snprintf(name, sizeof(name), "t%u", i);
        const struct link_info info = {.name = {name, (uint16_t)len}};
        struct peer *t = listener_peer_for(s, &info, &k, &wait);
        assert_non_null(t);
        t->heard = mono_now();
        if (s->n_points < POINT_COUNT) {
            const char *why;
            assert_non_null(listener_point_for(s, t, (struct link_text){"eth0", 4}, &why));
        }
    }
    assert_int_equal(s->n_peers, LISTENER_PEERS);
    assert_int_equal(listener_forgotten(s)->taps, 0);
    uint32_t index = listener_peer_named(s, "second")->point[0]->index;
    visit(w, "third", 7, 7); /* no room for its name */
    const struct listener_forgotten *f = listener_forgotten(s);
    assert_null(listener_peer_named(s, "second"));
    assert_int_equal(listener_peer_named(s, "third")->point[0]->index, index);
    assert_int_equal(listener_peer_named(s, "third")->point[0]->tap_number, LISTENER_PEERS + 1);
    assert_counted(w, "third", 7);
    assert_counted(w, "first", 105);
    assert_int_equal(f->taps, 1);
    assert_int_equal(f->past.n, 1);
    assert_int_equal(ledger_sum(&f->past.rx, NULL, LEDGER_LINK_RX).out, 20);
    assert_int_equal(ledger_sum(&f->past.reported, NULL, LEDGER_LINK_TX).out, 20);
    assert_int_equal(ledger_sum(&f->past.out[0], NULL, LEDGER_SINK).out, 20);
    visit(w, "second", 3, 3); /* "first" goes for that */
    assert_counted(w, "second", 3);
    assert_int_equal(f->taps, 2);
    assert_int_equal(f->sessions, 3);
    assert_int_equal(ledger_sum(&f->past.rx, NULL, LEDGER_LINK_RX).out, 125);
    assert_int_equal(ledger_sum(&f->past.rx, NULL, LEDGER_LINK_RX).in_flight, 0);
    assert_int_equal(ledger_sum(&f->past.reported, NULL, LEDGER_LINK_TX).out,
                     25); /* "first" began anew itself */
    assert_int_equal(ledger_sum(&f->past.out[0], NULL, LEDGER_SINK).in, 125);
    assert_int_equal(ledger_sum(&f->past.out[0], NULL, LEDGER_SINK).in_flight, 0);
    assert_int_equal(s->n_peers, LISTENER_PEERS);
    assert_true(strstr(w->collector_said, "counted together"));
    world_free(w);
}

/* A second tap of the same name at the same host: the first one lives if it was heard after the
 * second one asked, and until then that is not known. */
static void the_first_tap_lives_or_not(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_PLAIN, NULL);
    struct session *ss = w->listener->peer[0]->session;
    const struct link_info info = {.name = {"web1", 4}};
    struct key k = {.from = ss->peer->last_addr};
    bool wait = false;
    k.asked = ss->heard = mono_add_ms(mono_now(), 60000); /* however slow this is */
    assert_null(listener_peer_for(w->listener, &info, &k, &wait));
    assert_true(wait);
    k.asked.ns++;
    assert_null(listener_peer_for(w->listener, &info, &k, &wait));
    assert_true(wait);
    k.asked.ns -= 2;
    const struct peer *t = listener_peer_for(w->listener, &info, &k, &wait);
    assert_false(wait);
    assert_string_equal(t->name, "web1-2");
    ss->heard = mono_add_ms(mono_now(), -LISTENER_ALIVE_MS - 1);
    t = listener_peer_for(w->listener, &info, &k, &wait);
    assert_false(wait);
    assert_ptr_equal(t, ss->peer);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_taps_are_forgotten),
        cmocka_unit_test(the_first_tap_lives_or_not),
    };
    return cmocka_run_group_tests_name("data/link_taps", tests, NULL, NULL);
}
