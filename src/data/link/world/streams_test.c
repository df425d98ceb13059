/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams that begin and end while a session goes on, between a real dialer and a real listener.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "data/link/world/world.h"

enum {
    BATCH = 100,
    NAMES = 700, /* more than a collector keeps of one tap */
    EACH = 3,    /* frames */
};

struct extra {
    struct plain_sender sender;
    char ifname[16];
    uint16_t id;
};

static struct extra extras[BATCH];
static unsigned n_extras, begun;

static void add(struct world *w, struct extra *x, const char *fmt, unsigned n)
{
    memset(x, 0, sizeof(*x));
    snprintf(x->ifname, sizeof(x->ifname), fmt, n);
    uint16_t id = dialer_next_stream(w->tap[0].dialer);
    assert_int_equal(plain_sender_init(&x->sender, id, NULL), 0);
    const struct dialer_stream cs = {.ifname = x->ifname, .filter = "", .sender = &x->sender.head};
    assert_int_equal(dialer_add_stream(w->tap[0].dialer, &cs, &x->id), 0);
    assert_int_equal(x->id, id);
}

static void frames(struct extra *x, unsigned n)
{
    uint8_t bytes[64] = {1};
    struct batch *b = calloc(1, sizeof(*b));
    assert_non_null(b);
    for (b->n = 0; b->n < n; b->n++) {
        b->f[b->n] = (struct frame){
            .data = bytes, .datalen = 64, .caplen = 64, .origlen = 64, .ts_ns = wall_now().ns};
    }
    ledger_add(&x->sender.ledger, LEDGER_RING_IN, n);
    ledger_add(&x->sender.ledger, LEDGER_RING_OUT, n);
    ledger_add(&x->sender.ledger, LEDGER_SEL_OUT, n);
    ledger_add(&x->sender.ledger, LEDGER_CUT_OUT, n);
    x->sender.tx->ops->write(x->sender.tx, b);
    x->sender.tx->ops->flush(x->sender.tx);
    free(b);
}

static void end(struct world *w, struct extra *x)
{
    plain_sender_ops.stop(&x->sender.head);
    dialer_end_stream(w->tap[0].dialer, x->id);
}

static bool all_begun(struct world *w)
{
    begun = 0;
    for (unsigned i = 0; i < n_extras; i++) {
        struct stream *s = dialer_find_stream(w->tap[0].dialer, extras[i].id);
        begun += s && s->acked;
    }
    return begun == n_extras;
}

static bool all_ended(struct world *w)
{
    return w->tap[0].dialer->n_streams == 1;
}

static struct point *point_of(struct world *w, const char *ifname)
{
    struct peer *t = w->listener->peer[0];
    for (unsigned i = 0; i < t->n_points; i++) {
        if (strcmp(t->point[i]->ifname, ifname) == 0) {
            return t->point[i];
        }
    }
    return NULL;
}

/* Drops the next w->n segments of extra streams. */
static unsigned lose_segments(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                              size_t len)
{
    struct link_record rec;
    (void)r;
    if (to_collector && link_peek(d, len) == LINK_RECORD && link_record_decode(d, len, &rec) == 0 &&
        rec.stream > 1 && w->n > 0) {
        w->n--;
        return 0;
    }
    return 1;
}

/* Drops the first w->n of what ends streams, either way. */
static unsigned lose_ends(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                          size_t len)
{
    struct link_record rec;
    (void)r, (void)to_collector;
    if (link_peek(d, len) == LINK_RECORD && link_record_decode(d, len, &rec) == 0 &&
        rec.stream == 0 && w->n > 0 && len == LINK_RECORD_HEADER + 19 + AEAD_TAG_MAX) {
        w->n--;
        return 0;
    }
    return 1;
}

static void finish(struct world *w)
{
    dialer_stop(w->tap[0].dialer);
    dialer_senders_changed(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    world_stop_collector(w);
    world_forget_collector(w);
    world_free(w);
}

/* Drops the next w->n segments of the first stream. */
static unsigned lose_first(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                           size_t len)
{
    struct link_record rec;
    (void)r;
    if (to_collector && link_peek(d, len) == LINK_RECORD && link_record_decode(d, len, &rec) == 0 &&
        rec.stream == 1 && w->n > 0) {
        w->n--;
        return 0;
    }
    return 1;
}

/* A session that ends while segments of it wait for one that is missing waits for nothing any
 * more: receivers do not look at its streams again. */
static void a_session_ends_while_segments_wait(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    w->fate = lose_first;
    w->n = 1;
    world_frames(&w->tap[0], 5);
    world_run(w, never, 2);
    assert_int_equal(w->n, 0);
    world_frames(&w->tap[0], 5);
    world_run(w, never, 2);
    listener_session_end(w->listener, w->listener->peer[0]->session);
    world_kill_tap(w, 0);
    world_run(w, never, 50); /* longer than anything waits */
    const struct point *p = w->listener->peer[0]->point[0];
    assert_int_equal(ledger_get(&p->ledger, LEDGER_RX_LOST), 5);
    assert_int_equal(ledger_get(&p->ledger, LEDGER_RX_OUT), 5);
    world_stop_collector(w);
    world_forget_collector(w);
    world_free(w);
}

/* A stream whose last frames are lost on the way: when it has ended, both ends know how many. */
static void a_stream_ends_with_a_loss(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    n_extras = 1;
    add(w, &extras[0], "veth%u", 1);
    world_must(w, all_begun, 3000);
    frames(&extras[0], 5); /* one segment */
    world_run(w, never, 20);
    w->fate = lose_segments;
    w->n = 1;
    frames(&extras[0], 3);
    end(w, &extras[0]);
    world_must(w, all_ended, 5000);
    assert_int_equal(w->n, 0);
    assert_int_equal(w->tap[0].ended.confirmed, 5);
    assert_int_equal(w->tap[0].ended.reported_lost, 3);
    assert_int_equal(w->tap[0].ended.unconfirmed, 0);
    assert_int_equal(ledger_get(&point_of(w, "veth1")->ledger, LEDGER_RX_LOST), 3);
    sink_free(extras[0].sender.tx);
    finish(w);
}

static void a_stream_ends(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    n_extras = 1;
    add(w, &extras[0], "veth%u", 1);
    world_must(w, all_begun, 3000);
    frames(&extras[0], 50);
    w->fate = lose_ends;
    w->n = 3;
    end(w, &extras[0]);
    world_must(w, all_ended, 5000);
    assert_int_equal(w->n, 0);
    assert_int_equal(w->tap[0].streams_ended, 1);
    struct point *p = point_of(w, "veth1");
    assert_non_null(p);
    assert_false(p->has_stream);
    assert_int_equal(ledger_get(&p->ledger, LEDGER_RX_IN), 50);
    assert_int_equal(ledger_get(&p->ledger, LEDGER_RX_OUT), 50);
    assert_int_equal(ledger_get(&p->reported, LEDGER_RING_IN), 50);
    sink_free(extras[0].sender.tx);

    /* The same name again: a new stream, the same point, which counts on. */
    add(w, &extras[0], "veth%u", 1);
    assert_int_equal(extras[0].id, 3);
    world_must(w, all_begun, 3000);
    frames(&extras[0], 20);
    end(w, &extras[0]);
    world_must(w, all_ended, 5000);
    assert_ptr_equal(point_of(w, "veth1"), p);
    assert_int_equal(ledger_get(&p->ledger, LEDGER_RX_OUT), 70);
    assert_int_equal(ledger_get(&p->reported, LEDGER_RING_IN), 70);
    sink_free(extras[0].sender.tx);
    world_frames(&w->tap[0], 30); /* the session has gone on all the time */
    w->tap[0].sender.made += 70;
    world_must(w, all_written, 3000);
    finish(w);
}

static bool one_ended(struct world *w)
{
    return w->tap[0].dialer->n_streams == n_extras;
}

/* The first of several ends: what the others count goes on to their own points. */
static void the_others_keep_their_points(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    n_extras = 3;
    for (unsigned i = 0; i < n_extras; i++) {
        add(w, &extras[i], "veth%u", i);
    }
    world_must(w, all_begun, 3000);
    end(w, &extras[0]);
    world_must(w, one_ended, 5000);
    frames(&extras[1], 10);
    frames(&extras[2], 20);
    end(w, &extras[1]);
    end(w, &extras[2]);
    world_must(w, all_ended, 5000);
    for (unsigned i = 0; i < n_extras; i++) {
        const struct point *p = point_of(w, extras[i].ifname);
        if (!p) {
            fail_msg("%s has no point", extras[i].ifname);
            return;
        }
        assert_int_equal(ledger_get(&p->ledger, LEDGER_RX_OUT), 10 * i);
        assert_int_equal(ledger_get(&p->reported, LEDGER_RING_IN), 10 * i);
        assert_false(p->has_stream);
        sink_free(extras[i].sender.tx);
    }
    finish(w);
}

static bool second_session(struct world *w)
{
    return w->tap[0].dialer->status.sessions == 2 && up0(w);
}

/* An interface has become one of another kind: the next session's collector hears of it. */
static void another_kind_is_announced(void **state)
{
    (void)state;
    enum { RAW = 101, TUNNEL = 65534 };
    struct world *w = world_up(LINK_CPACE, NULL);
    dialer_stream_kind(w->tap[0].dialer, 1, RAW, TUNNEL);
    dialer_stream_kind(w->tap[0].dialer, 7, 0, 0); /* there is none */
    world_stop_collector(w);
    world_forget_collector(w);
    world_start_collector(w);
    world_must(w, second_session, 5000);
    world_frames(&w->tap[0], 1);
    w->tap[0].sender.made = 1;
    world_must(w, all_written, 3000);
    const struct point *p = w->listener->peer[0]->point[0];
    assert_int_equal(p->linktype, RAW);
    assert_int_equal(p->arphrd, TUNNEL);
    world_free(w);
}

/* An id is used again under a key of its own only. */
static void ids_wait_for_new_keys(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct dialer *c = w->tap[0].dialer;
    n_extras = 1;
    add(w, &extras[0], "veth%u", 1);
    assert_int_equal(extras[0].id, 2);
    end(w, &extras[0]);
    world_must(w, all_ended, 5000);
    sink_free(extras[0].sender.tx);
    assert_int_equal(dialer_next_stream(c), 3);
    c->last_id = LINK_STREAM_MAX; /* they begin again: 1 is in use, 2 was a moment ago */
    assert_int_equal(dialer_next_stream(c), 3);
    c->status.rekeys++;
    assert_int_equal(dialer_next_stream(c), 3);
    c->status.rekeys++;
    assert_int_equal(dialer_next_stream(c), 2);
    c->status.rekeys = 0;
    finish(w);
}

/* More names than can be kept: the counts of those that are long gone are one. */
static void a_thousand_names(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    for (unsigned n = 0; n < NAMES; n += BATCH) {
        n_extras = BATCH;
        bucket_init(&w->listener->peer[0]->names, POINT_OF_PEER, mono_now()); /* an hour later */
        for (unsigned i = 0; i < BATCH; i++) {
            add(w, &extras[i], "veth%u", n + i);
        }
        world_must(w, all_begun, 5000);
        for (unsigned i = 0; i < BATCH; i++) {
            frames(&extras[i], EACH);
            end(w, &extras[i]);
        }
        world_must(w, all_ended, 10000);
        for (unsigned i = 0; i < BATCH; i++) {
            sink_free(extras[i].sender.tx);
        }
        if (n + 2 * BATCH == NAMES) {
            world_run(w, never, LISTENER_IDLE_MS + 100);
        }
    }
    const struct peer *t = w->listener->peer[0];
    assert_int_equal(t->n_points, POINT_OF_PEER);
    assert_non_null(t->past);
    assert_int_equal(t->past->n, NAMES + 1 - POINT_OF_PEER);
    uint64_t out = ledger_get(&t->past->rx, LEDGER_RX_OUT), told = 0, given = 0;
    for (unsigned i = 0; i < t->n_points; i++) {
        out += ledger_get(&t->point[i]->ledger, LEDGER_RX_OUT);
        told += ledger_get(&t->point[i]->reported, LEDGER_RING_IN);
        const struct ledger *l = sink_ledger(w->out, t->point[i]->index);
        given += l ? ledger_get(l, LEDGER_SINK_IN) : 0;
    }
    told += ledger_get(&t->past->reported, LEDGER_RING_IN);
    given += ledger_get(&t->past->out[0], LEDGER_SINK_IN);
    assert_int_equal(out, NAMES * EACH);
    assert_int_equal(told, NAMES * EACH);
    assert_int_equal(given, NAMES * EACH);
    assert_int_equal(ledger_sum(&t->past->rx, NULL, LEDGER_LINK_RX).in_flight, 0);
    assert_int_equal(ledger_sum(&t->past->out[0], NULL, LEDGER_SINK).in_flight, 0);
    finish(w);
}

static bool none_refused(struct world *w)
{
    return w->listener->peer[0]->session->n_refused == 0;
}

static bool refused(struct world *w)
{
    (void)all_begun(w);
    return begun == BATCH / 2 && w->listener->peer[0]->session->n_refused == BATCH / 2;
}

static unsigned sentences(const struct world *w, const char *words)
{
    unsigned n = 0;
    for (const char *at = w->collector_said; (at = strstr(at, words)) != NULL; at++) {
        n++;
    }
    return n;
}

/* New names beyond what a tap may announce at once have to wait; names that are known do not. It is
 * said once, and shown for as long as it is so. */
static void new_names_have_a_rate(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    struct peer *t = w->listener->peer[0];
    n_extras = BATCH;
    t->names.milli = BATCH / 2 * 1000;
    t->names.at = mono_add_ms(mono_now(), 3600 * 1000); /* no more comes until then */
    for (unsigned i = 0; i < BATCH; i++) {
        add(w, &extras[i], "veth%u", i);
    }
    world_must(w, refused, 5000);
    (void)world_run(w, never, 300); /* they are asked for over and over */
    assert_true(refused(w));
    assert_int_equal(t->n_points, 1 + BATCH / 2);
    assert_int_equal(sentences(w, "too many new interfaces"), 1);
    unsigned known = 0, unknown = 0;
    for (unsigned i = 0; i < BATCH; i++) { /* one of each kind ends: only the new one's is missed */
        bool has = point_of(w, extras[i].ifname) != NULL;
        known = has ? i : known;
        unknown = has ? unknown : i;
    }
    end(w, &extras[known]);
    end(w, &extras[unknown]);
    world_run(w, never, 300);
    assert_int_equal(t->session->n_refused, BATCH / 2 - 1);
    bucket_init(&t->names, POINT_OF_PEER, mono_now());
    world_must(w, none_refused, 5000);
    for (unsigned i = 0; i < BATCH; i++) {
        if (i != known && i != unknown) {
            end(w, &extras[i]);
        }
    }
    world_must(w, all_ended, 10000);
    for (unsigned i = 0; i < BATCH; i++) {
        sink_free(extras[i].sender.tx);
    }
    assert_int_equal(t->n_points, BATCH); /* all but the one that ended before its time */
    finish(w);
}

static unsigned no_frames(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                          size_t len)
{
    (void)r;
    struct link_record rec;
    bool segment = to_collector && link_peek(d, len) == LINK_RECORD &&
                   link_record_decode(d, len, &rec) == 0 && rec.stream != 0;
    w->n += segment;
    return segment ? 0 : 1;
}

/* Of the last frames nothing comes but the tap's word that there were any. */
static void the_last_frames_are_lost(void **state)
{
    (void)state;
    struct world *w = world_up(LINK_CPACE, NULL);
    world_frames(&w->tap[0], 200);
    world_must(w, all_written, 2000);
    w->fate = no_frames;
    world_frames(&w->tap[0], 300);
    dialer_stop(w->tap[0].dialer);
    world_must(w, stopped0, 3000);
    const struct ledger *l = &w->listener->peer[0]->point[0]->ledger;
    assert_true(w->n > 0);
    assert_int_equal(ledger_get(l, LEDGER_RX_IN), 500);
    assert_int_equal(ledger_get(l, LEDGER_RX_OUT), 200);
    assert_int_equal(ledger_get(l, LEDGER_RX_LOST), 300);
    assert_int_equal(ledger_get(l, LEDGER_RX_IMPLAUSIBLE), 0);
    assert_int_equal(world_written(w), 200);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stream_ends),
        cmocka_unit_test(a_session_ends_while_segments_wait),
        cmocka_unit_test(a_stream_ends_with_a_loss),
        cmocka_unit_test(the_others_keep_their_points),
        cmocka_unit_test(another_kind_is_announced),
        cmocka_unit_test(ids_wait_for_new_keys),
        cmocka_unit_test(new_names_have_a_rate),
        cmocka_unit_test(a_thousand_names),
        cmocka_unit_test(the_last_frames_are_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
