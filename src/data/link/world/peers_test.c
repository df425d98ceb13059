/* SPDX-License-Identifier: Apache-2.0
 *
 * More taps than a collector remembers, two of one name, and one that ends by itself.
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

static unsigned told_of(const struct history *h, enum history_kind kind)
{
    unsigned n = 0;
    for (unsigned k = 0; k < h->n; k++) {
        n += history_at(h, k)->kind == kind;
    }
    return n;
}

/* The collector says the reason, and tells the event, once each. */
static void a_tap_ends_by_itself(void **state)
{
    (void)state;
    static const struct {
        enum link_close why;
        const char *said;
    } cases[] = {
        {LINK_CLOSE_END, ": session closed by the tap\n"},
        {LINK_CLOSE_LIMIT, ": session closed by the tap, which has stopped: more was to be sent "
                           "than its limit allows\n"},
        {LINK_CLOSE_IDLE, ": session closed by the tap, which has stopped: nothing comes to its "
                          "interfaces any more (--max-idle)\n"},
        {(enum link_close)200, ": session closed by the tap\n"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct world *w = world_up(LINK_PLAIN, NULL);
        dialer_end(w->tap[0].dialer, cases[i].why);
        dialer_senders_changed(w->tap[0].dialer);
        dialer_stop(w->tap[0].dialer); /* changes nothing */
        world_must(w, stopped0, 3000);
        const char *at = strstr(w->collector_said, ": session closed");
        assert_non_null(at);
        assert_memory_equal(at, cases[i].said, strlen(cases[i].said));
        assert_null(strstr(at + 1, ": session closed"));
        assert_int_equal(told_of(listener_history(w->listener), HISTORY_TAP_STOPPED),
                         strstr(cases[i].said, "stopped") != NULL);
        world_free(w);
    }
}

/* A list that was read anew has the tap as it was: its session goes on with that list's entry, the
 * list before is gone, and one without it ends the session. */
static void lists_follow_each_other(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_NOISE);
    struct allow_list first = {0}, next = {0}, none = {0};
    struct listener_allowed told;
    uint8_t key[KEY_LEN];
    char text[KEY_TEXT_LEN + 1], line[160];
    world_use_keys(w, &first);
    world_start(w);
    key_public(w->tap_secret.identity, key);
    key_format(key, text);
    for (unsigned i = 0; i < 3; i++) {
        int n = snprintf(line, sizeof(line), "%s branch\n", text);
        assert_int_equal(allow_parse(line, (size_t)n, "list", &next, NULL), 0);
        listener_set_allow(w->listener, &next, &told);
        assert_int_equal(told.sessions, 0);
        allow_done(&first); /* nothing may point there any more */
        assert_ptr_equal(w->listener->peer[0]->session->entry, w->listener->allow.entries);
    }
    listener_set_allow(w->listener, &none, &told);
    assert_int_equal(told.removed, 1);
    assert_int_equal(told.sessions, 1);
    world_must(w, nobody_there, 2000);
    world_free(w);
}

static unsigned refuse_all(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                           size_t len)
{
    uint8_t out[HANDSHAKE_MESSAGE_MAX];
    struct link_hs m;
    (void)w;
    if (to_collector && link_hs_decode(d, len, &m) == 0) {
        int n = handshake_reject(200, m.sender, out);
        world_inject(r, false, out, (size_t)n);
    }
    return 0;
}

static bool reason_said(struct world *w)
{
    return strstr(w->said, " refuses (reason 200)") != NULL;
}

/* A collector of a later release has reasons that this tap does not know. */
static void an_unknown_reason_has_its_number(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    w->fate = refuse_all;
    world_start_collector(w);
    world_start_tap(w, 0, "web1");
    world_must(w, reason_said, 5000);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(old_taps_are_forgotten),
        cmocka_unit_test(the_first_tap_lives_or_not),
        cmocka_unit_test(a_tap_ends_by_itself),
        cmocka_unit_test(lists_follow_each_other),
        cmocka_unit_test(an_unknown_reason_has_its_number),
    };
    return cmocka_run_group_tests_name("data/link_taps", tests, NULL, NULL);
}
