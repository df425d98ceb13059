/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/network.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/meter/outbox.h"
#include "data/meter/sender.h"
#include "data/meter/streams.h"
#include "data/sink.h"
#include "proto/ipfix_options.h"

enum {
    OPTIONS = 0, /* IPFIX's observation domain of them */
    PARTIAL_MS = 500,
    AGAIN_SOON_MS = 1000,
    AGAIN_MS = 30000,
    AGAIN_RECORDS = 4096,
    TOTALS_MS = 60000,
    WAIT_MS = 200,   /* for room, between two looks */
    STUCK_MS = 1000, /* at the end, for any room at all */
    PACED_MS =
        4000, /* of the rate at most in the outbox of one that waits: it is to be empty in time */
};

_Static_assert((int)OUTBOX_MESSAGE >= (int)IPFIX_MESSAGE &&
                   (int)OUTBOX_MESSAGE >= (int)NETFLOW5_MESSAGE &&
                   (int)OUTBOX_MESSAGE >= (int)NETFLOW9_MESSAGE,
               "a place in the outbox has room for each form's message");

struct network {
    struct exporter exporter;
    struct network_conf conf;
    struct outbox *box;
    struct sender *sender;
    struct streams streams;
    struct encode options;         /* of IPFIX */
    uint8_t first[OUTBOX_MESSAGE]; /* templates for each connection */
    bool begun;                    /* there was a record */
    struct mono again, totals;     /* when templates, and totals, are due */
    struct mono until;             /* of finishing; never: it runs */
    bool stuck;                    /* it finishes, and the collector takes nothing */
    uint64_t ignored, ignored_octets;
    uint64_t slow_records, slow_packets, slow_bytes; /* that count as SLOW */
};

static struct network *of(struct exporter *e)
{
    return (struct network *)e;
}

static bool is_ipfix(const struct network *x)
{
    return x->conf.form == ENCODE_IPFIX;
}

/* ---- messages ---- */

static void count_slow(struct network *x, const struct outmsg *m)
{
    x->slow_records += m->records;
    x->slow_packets = ledger_plus(x->slow_packets, m->packets);
    x->slow_bytes = ledger_plus(x->slow_bytes, m->bytes);
    ledger_add(&x->exporter.ledger, LEDGER_EXPORT_SLOW, m->records);
}

static bool may_wait(const struct network *x, struct mono now)
{
    if (outbox_called_off(x->box) || x->stuck) {
        return false;
    }
    return x->until.ns ? now.ns < x->until.ns : x->conf.waits;
}

/* At the end a collector that takes nothing for a while is not waited for: others are to have their
 * records too. */
static struct outmsg *room(struct network *x)
{
    struct outmsg *m = outbox_room(x->box);
    const struct mono from = mono_now();
    for (struct mono now = from; !m && may_wait(x, now); now = mono_now()) {
        const struct mono soon = mono_add_ms(now, WAIT_MS);
        outbox_wait(x->box, false, x->until.ns && x->until.ns < soon.ns ? x->until : soon);
        m = outbox_room(x->box);
        x->stuck = !m && x->until.ns && mono_due(mono_now(), mono_add_ms(from, STUCK_MS));
    }
    return m;
}

/* The message is done, and goes. `flows`: it is of flow records. */
static void push_message(struct network *x, struct encode *s, bool flows)
{
    struct outmsg lost = {.records = s->records, .packets = s->packets, .bytes = s->bytes};
    size_t len;
    const uint8_t *bytes = encode_end(s, &len);
    if (!bytes) {
        return;
    }
    struct outmsg *m = room(x);
    if (!m) {
        count_slow(x, &lost);
        return;
    }
    m->len = (uint16_t)len;
    m->flows = flows;
    m->records = lost.records;
    m->packets = lost.packets;
    m->bytes = lost.bytes;
    memcpy(m->data, bytes, len);
    outbox_push(x->box);
}

static void push(struct network *x, struct stream *st)
{
    push_message(x, &st->encode, true);
    st->partial = (struct mono){0};
    st->fresh = true;
}

static void push_options(struct network *x)
{
    push_message(x, &x->options, false);
}

/* The sample, if there is one: of IPFIX among the options, else in each stream. */
static void declare(struct network *x, struct encode *s)
{
    const struct sampling *sampling = &x->conf.sampling;
    if (sampling->packets > 0 && !encode_sampling(s, sampling)) {
        push_message(x, s, !is_ipfix(x));
        (void)encode_sampling(s, sampling);
    }
}

/* Over a connection they go before all else, or, of many streams, in each message: those that wait
 * may be sent over another connection. */
static void put_templates(struct network *x, struct stream *st)
{
    st->since = 0;
    if (!x->conf.tcp && !encode_templates(&st->encode)) {
        push(x, st);
        (void)encode_templates(&st->encode); /* there is room in an empty one */
    }
    if (!is_ipfix(x)) {
        declare(x, &st->encode);
    }
}

/* Of IPFIX in a stream of their own, else in that of the records. */
static void put_name(struct network *x, struct stream *st, uint32_t interface)
{
    struct encode *s = is_ipfix(x) ? &x->options : &st->encode;
    if (!encode_interface(s, interface, x->streams.name[interface])) {
        push_message(x, s, !is_ipfix(x));
        (void)encode_interface(s, interface, x->streams.name[interface]);
    }
}

static void put_names(struct network *x)
{
    if (is_ipfix(x)) {
        declare(x, &x->options);
    }
    for (uint32_t i = 0; i <= POINT_MAX; i++) {
        struct stream *st = x->streams.at[x->conf.each ? i : 0];
        if (x->streams.name[i] && st) {
            put_name(x, st, i);
        }
    }
    if (is_ipfix(x)) {
        push_options(x);
    }
}

/* An interface has its name before its first record, also where that is in another stream. */
static void tell_name(struct network *x, struct stream *st, const struct flowrec *r)
{
    if (is_ipfix(x)) {
        encode_time(&x->options, r);
        push(x, st);
    }
    put_name(x, st, r->interface);
    if (is_ipfix(x)) {
        push_options(x);
    }
}

static void put_totals(struct network *x)
{
    struct sender_figures f;
    sender_figures(x->sender, &f);
    const struct ipfix_totals t = {.messages = f.messages,
                                   .records = f.records,
                                   .octets = f.octets,
                                   .unsent_records = f.away_records + x->slow_records,
                                   .unsent_packets = ledger_plus(f.away_packets, x->slow_packets),
                                   .unsent_bytes = ledger_plus(f.away_bytes, x->slow_bytes),
                                   .ignored = x->ignored,
                                   .ignored_octets = x->ignored_octets};
    for (unsigned i = 0; i < x->streams.n; i++) {
        const uint32_t time_s = streams_at(&x->streams, i)->encode.ipfix.time_s;
        x->options.ipfix.time_s = MAX(x->options.ipfix.time_s, time_s);
    }
    /* The message was empty. Domain 0 stands for all of them (RFC 7011, section 4.1). */
    (void)ipfix_totals(&x->options.ipfix, x->conf.each ? 0 : x->conf.source, &t);
    push_options(x);
}

/* ---- the meter's thread ---- */

static void begin(struct network *x, struct stream *st, const struct flowrec *r)
{
    if (is_ipfix(x) && !x->begun) {
        encode_time(&x->options, r);
        declare(x, &x->options);
        push_options(x);
    }
    x->begun = st->begun = true;
    encode_time(&st->encode, r);
    put_templates(x, st);
}

static void put_part(struct network *x, struct stream *st, const struct flowrec *r, unsigned n,
                     unsigned i)
{
    for (unsigned tries = 0; tries < 2; tries++) {
        if (st->fresh && x->conf.tcp && x->conf.each) {
            (void)encode_templates(&st->encode);
        }
        st->fresh = false;
        if (encode_part(&st->encode, r, n, i)) {
            return;
        }
        push(x, st); /* there is room in an empty one */
    }
}

static void network_record(struct exporter *e, const struct flowrec *r)
{
    struct network *x = of(e);
    struct stream *st = streams_of(&x->streams, r);
    const unsigned n = st ? encode_parts(&st->encode, r) : 0;
    ledger_add(&e->ledger, LEDGER_EXPORT_IN, 1);
    if (n == 0) {
        ledger_add(&e->ledger, st ? LEDGER_EXPORT_CARRY : LEDGER_EXPORT_SLOW, 1);
        x->slow_records += !st;
        return;
    }
    if (!st->begun) {
        begin(x, st, r);
    }
    if (streams_new_name(&x->streams, r)) {
        tell_name(x, st, r);
    }
    for (unsigned i = 0; i < n; i++) {
        put_part(x, st, r, n, i);
    }
    st->since++;
    if (st->since >= AGAIN_RECORDS && !x->conf.tcp) {
        put_templates(x, st);
        put_names(x);
    }
}

static void push_all(struct network *x)
{
    for (unsigned i = 0; i < x->streams.n; i++) {
        push(x, streams_at(&x->streams, i));
    }
}

/* Templates by the clock. */
static void resend(struct network *x, struct mono now)
{
    if (x->again.ns == 0) {
        x->again = mono_add_ms(now, AGAIN_SOON_MS);
    } else if (!x->conf.tcp && mono_due(now, x->again)) {
        x->again = mono_add_ms(now, AGAIN_MS);
        for (unsigned i = 0; i < x->streams.n; i++) {
            put_templates(x, streams_at(&x->streams, i));
        }
        put_names(x);
        push_all(x);
    }
}

/* A collector at another address, or of another connection, has heard no templates and names. */
static void tell_again(struct network *x, struct mono now)
{
    if (x->conf.tcp) {
        put_names(x);
    } else {
        x->again = now;
    }
}

/* Messages that are not full, after a while. */
static void push_partial(struct network *x, struct mono now)
{
    for (unsigned i = 0; i < x->streams.n; i++) {
        struct stream *st = streams_at(&x->streams, i);
        if (st->partial.ns == 0) {
            st->partial = now;
        } else if (mono_diff(now, st->partial) >= PARTIAL_MS * NSEC_PER_MSEC) {
            push(x, st);
        }
    }
}

static void network_tick(struct exporter *e, const struct exporter_news *news)
{
    struct network *x = of(e);
    x->ignored = news->ignored;
    x->ignored_octets = news->ignored_octets;
    if (news->last) {
        x->until = mono_add_ms(news->now, NETWORK_FINISH_MS);
        outbox_call_off(x->box, false);
    }
    if (!x->begun) {
        return;
    }
    push_partial(x, news->now);
    if (sender_reconnected(x->sender)) {
        tell_again(x, news->now);
    }
    resend(x, news->now);
    if (x->totals.ns == 0) {
        x->totals = mono_add_ms(news->now, TOTALS_MS);
    } else if (is_ipfix(x) && mono_due(news->now, x->totals)) {
        x->totals = mono_add_ms(news->now, TOTALS_MS);
        put_totals(x);
    }
}

static void network_hurry(struct exporter *e)
{
    outbox_call_off(of(e)->box, true);
}

static int network_finish(struct exporter *e, struct error *err)
{
    struct network *x = of(e);
    push_all(x);
    sender_hasten(x->sender, x->until);
    outbox_wait(x->box, true, x->until);
    if (is_ipfix(x) && x->begun) {
        put_totals(x);
    }
    sender_free(TAKE_PTR(x->sender));
    for (const struct outmsg *m; (m = outbox_first(x->box)); outbox_drop(x->box)) {
        count_slow(x, m);
    }
    const uint64_t lost = ledger_get(&e->ledger, LEDGER_EXPORT_AWAY) + x->slow_records;
    return lost == 0 || !x->conf.waits
               ? 0
               : error_set(err, EIO, "%s: %" PRIu64 " of %" PRIu64 " records were not sent",
                           e->name, lost, ledger_get(&e->ledger, LEDGER_EXPORT_IN));
}

static void network_free(struct exporter *e)
{
    struct network *x = of(e);
    sender_free(x->sender);
    outbox_free(x->box);
    streams_done(&x->streams);
    free(x);
}

static const struct exporter_ops ops[ENCODE_FORMS] = {
#define OPS(FORM, name)                                                                            \
    [ENCODE_##                                                                                     \
        FORM] = {name, network_record, network_tick, network_hurry, network_finish, network_free}
    OPS(NETFLOW5, "netflow5"),
    OPS(NETFLOW9, "netflow9"),
    OPS(IPFIX, "ipfix"),
#undef OPS
};

/* The templates as a message for each connection. */
static size_t make_first(struct network *x)
{
    struct encode s;
    size_t len;
    encode_init(&s, x->conf.form, x->conf.source, x->conf.with);
    (void)encode_templates(&s);
    const uint8_t *bytes = encode_end(&s, &len);
    memcpy(x->first, bytes, len);
    return len;
}

static int start(struct network *x)
{
    const struct network_conf *c = &x->conf;
    const uint64_t most = c->waits ? (uint64_t)c->rate * PACED_MS / 1000 : 0;
    const int r = outbox_new(c->bytes ? c->bytes : OUTBOX_BYTES, most, &x->box);
    if (r < 0) {
        return r;
    }
    const struct sender_conf sc = {.tcp = c->tcp,
                                   .named = c->named,
                                   .fd = c->fd,
                                   .waits = c->waits,
                                   .rate = c->rate,
                                   .box = x->box,
                                   .ledger = &x->exporter.ledger,
                                   .first = c->tcp && !c->each ? x->first : NULL,
                                   .first_len = c->tcp && !c->each ? make_first(x) : 0};
    return sender_start(&sc, &x->sender);
}

int network_exporter_new(const struct network_conf *conf, struct exporter **ret)
{
    struct network *x = calloc(1, sizeof(*x));
    if (!x) {
        return -ENOMEM;
    }
    x->exporter.ops = &ops[conf->form];
    x->conf = *conf;
    x->exporter.biflows = is_ipfix(x) && (conf->with & IPFIX_BIFLOW);
    (void)snprintf(x->exporter.name, sizeof(x->exporter.name), "%s", conf->name);
    streams_init(&x->streams,
                 &(struct streams_conf){conf->form, conf->each, conf->source, conf->with});
    encode_init(&x->options, conf->form, OPTIONS, 0);
    const int r = start(x);
    if (r < 0) {
        network_free(&x->exporter);
        return r;
    }
    *ret = &x->exporter;
    return 0;
}

bool network_exporter_wants(const struct exporter *e)
{
    const struct sender *s = ((const struct network *)e)->sender;
    return s && sender_wants(s);
}

void network_exporter_give(struct exporter *e, int fd)
{
    sender_give(of(e)->sender, fd); /* it is there where somebody wants one */
}
