/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/send/tx.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/link/send/impl.h"
#include "proto/link.h"

enum {
    TX_WAIT_MS = 200, /* for a full socket, once: then datagrams count as lost until it takes some,
                       * or wait with the backlog. Else a path that stands still would keep commands
                       * waiting for minutes. */
    TX_DRAIN_WAIT_MS = 5, /* the same while the backlog is sent */
    TX_STEP_MS = 2,       /* between two steps of that */
    TX_STUCK_MS = 10,     /* between two tries of what the system does not take */
    TX_NARROW = 1232,     /* where the device has become too narrow: what nearly all carry */
    TX_END_MS = 1000,     /* with a rate, at the end, for what is sealed */
    TX_UNSENT = PACKER_BYTES + (640 << 10), /* with a rate: the longest frame there is, and more */
};

static struct link_tx *of(struct sink *s)
{
    return (struct link_tx *)s;
}

/* Are there frames or datagrams that wait? What the packer has begun does not count. */
static bool has_waiting(const struct link_tx *t)
{
    return !unsent_empty(t->unsent) || !backlog_empty(t->backlog);
}

/* Decides anew whether frames have to wait. */
static void update(struct link_tx *t)
{
    if (!t->backlog) {
        t->direct = t->key.aead;
        return;
    }
    bool was = t->out, now = !t->key.aead || t->held || t->stuck;
    /* Behind an outage, what waits leaves at its own pace until it is no more than may wait for the
     * rate. */
    bool calm = !has_waiting(t) || (t->budget && t->view.waiting <= t->view.room);
    t->out = now || (t->out && !calm);
    t->view.out = now && t->keeps;
    if (t->out && !was) {
        pace_begin(&t->pace, packer_stats(t->packer).frames, mono_now());
    }
    t->direct = t->key.aead && !now && !has_waiting(t);
}

/* A path that is too narrow for a datagram stays so; every other refusal may pass. */
static bool may_pass(int error)
{
    return error != -EMSGSIZE;
}

/* ---- sending ---- */

/* Keeps what was not sent; false where there is no room. */
static bool keep_unsent(struct link_tx *t, const uint8_t *data, size_t len, uint32_t datagram)
{
    if (t->budget && unsent_empty(t->unsent)) {
        t->sealed_ns = wall_now().ns;
    }
    bool kept = unsent_put(t->unsent, data, len, datagram);
    update(t);
    return kept;
}

static unsigned tx_send(void *user, const uint8_t *data, size_t len, uint32_t datagram)
{
    struct link_tx *t = user;
    size_t sent = 0;
    if (t->unsent && !unsent_empty(t->unsent)) { /* behind others */
        return keep_unsent(t, data, len, datagram) ? 0 : tx_datagrams(len, datagram);
    }
    int wait = t->stuck ? 0 : !t->direct ? TX_DRAIN_WAIT_MS : TX_WAIT_MS;
    int r = tx_transmit(t, data, len, datagram, wait, &sent);
    t->stuck = r == -EAGAIN;
    if (r ==
        -EMSGSIZE) { /* the device has become narrower; the control thread finds out how much */
        t->key.datagram = t->key.datagram > TX_NARROW ? TX_NARROW : LINK_DATAGRAM_MIN;
    }
    if (r < 0 && t->unsent && may_pass(r)) {
        t->stuck = r != -EDQUOT;
        return keep_unsent(t, data + sent, len - sent, datagram)
                   ? 0
                   : tx_datagrams(len - sent, datagram);
    }
    return tx_datagrams(len - sent, datagram);
}

static void abandon_unsent(struct link_tx *t)
{
    t->abandoned += t->unsent ? unsent_clear(t->unsent) : 0;
    t->stuck = false;
}

/* Tries what has not left; true when nothing of it waits any more. */
static bool send_unsent(struct link_tx *t)
{
    if (!t->unsent) {
        return true;
    }
    while (!unsent_empty(t->unsent)) {
        size_t len = 0, sent = 0;
        uint32_t datagram = 0;
        const uint8_t *data = unsent_front(t->unsent, &len, &datagram);
        int r = tx_transmit(t, data, len, datagram, 0, &sent);
        unsent_pop(t->unsent, sent);
        t->stuck = r < 0 && r != -EDQUOT;
        if (r < 0 && may_pass(r)) {
            return false;
        }
        if (r < 0) {
            abandon_unsent(t);
        }
    }
    t->stuck = false;
    return true;
}

/* ---- counting ---- */

/* Brings the ledger up to what the packer and the backlog have done. */
static void count(struct link_tx *t)
{
    struct packer_stats now = packer_stats(t->packer);
    ledger_set(t->ledger, LEDGER_TX_WIRE_BYTES, now.wire_bytes);
    ledger_set(t->ledger, LEDGER_TX_UNSENT, now.unsent + t->abandoned);
    ledger_add(t->ledger, LEDGER_TX_DATAGRAMS, now.datagrams - t->counted.datagrams);
    t->counted = now;
}

static void count_waiting(struct link_tx *t)
{
    if (!t->backlog) {
        return;
    }
    ledger_set(t->ledger, LEDGER_TX_BACKLOG_BYTES, t->out ? backlog_bytes(t->backlog) : 0);
    if (t->budget) {
        tx_publish_limit(t);
    }
}

/* The batch's frames from number `from` on have to wait. */
static void wait_for(struct link_tx *t, const struct batch *b, uint32_t from)
{
    uint64_t bytes = 0, dropped = 0;
    for (uint32_t i = from; i < b->n; i++) {
        dropped += backlog_put(t->backlog, &b->f[i]);
        bytes += b->f[i].caplen;
    }
    pace_came(&t->pace, bytes);
    update(t);
    ledger_add(t->ledger, LEDGER_TX_BACKLOG_FULL, dropped);
    ledger_add(t->ledger, LEDGER_TX_BACKLOGGED, t->out ? b->n - from : 0);
}

/* Frames that were packed. */
struct packed {
    uint64_t frames, bytes;
};

static void pack(struct link_tx *t, const struct frame *f, struct packed *done)
{
    if (f->flows && !t->key.flows) {
        ledger_add(t->ledger, LEDGER_TX_UNKNOWN, 1);
        return;
    }
    packer_frame(t->packer, f);
    done->frames++;
    done->bytes += f->caplen;
}

static void count_packed(struct link_tx *t, const struct packed *done)
{
    ledger_add(t->ledger, LEDGER_TX_OUT, done->frames);
    ledger_add(t->ledger, LEDGER_TX_BYTES, done->bytes);
}

static void tx_write(struct sink *s, const struct batch *b)
{
    struct link_tx *t = of(s);
    struct packed done = {0};
    uint32_t i = 0;
    if (!t->key.aead && !t->keeps) {
        ledger_add(t->ledger, LEDGER_TX_NOSESSION, b->n);
        return;
    }
    for (; i < b->n && t->direct; i++) { /* a send on the way may end that */
        pack(t, &b->f[i], &done);
    }
    count_packed(t, &done);
    if (i < b->n) {
        wait_for(t, b, i);
        (void)link_tx_drain(
            s); /* batch by batch, or a small backlog would not hold a run of them */
    }
}

/* Sealed datagrams wait: nothing else may be sealed, as it would have to wait behind them. */
static bool waits_sealed(const struct link_tx *t)
{
    return t->unsent && !unsent_empty(t->unsent);
}

static void set_size(struct link_tx *t)
{
    t->size = t->key.datagram;
    packer_set_size(t->packer, t->size);
    if (t->budget) {
        uint32_t around = LINK_RECORD_HEADER + LINK_SEGMENT_HEADER + AEAD_TAG_MAX;
        t->view.scale = LIMIT_UNIT * (t->size + t->headers) / (t->size - around);
        packer_set_most(t->packer, budget_burst(t->budget, t->size + t->headers));
    }
}

/* May the packed bytes leave, the last datagram as short as it is? */
static bool may_flush(struct link_tx *t)
{
    if (!t->budget) {
        return true;
    }
    if (!backlog_empty(t->backlog)) { /* more comes behind: full ones only */
        packer_push(t->packer);
        return false;
    }
    return !packer_has_rest(t->packer) ||
           budget_room(t->budget, &t->seat, t->size + t->headers, 1, &t->wait_ms) > 0;
}

/* Sends the packed bytes, unless they have to wait. */
static void flush(struct link_tx *t)
{
    if (!t->key.aead || waits_sealed(t) || !may_flush(t)) {
        return;
    }
    packer_flush(t->packer);
    if (t->key.datagram != t->size && !waits_sealed(t)) {
        set_size(t);
    }
}

static void tx_flush(struct sink *s)
{
    struct link_tx *t = of(s);
    flush(t);
    count(t);
    count_waiting(t);
}

bool link_tx_waits(const struct sink *s)
{
    const struct link_tx *t = (const struct link_tx *)s;
    bool packed =
        t->budget && t->key.aead && (packer_has_rest(t->packer) || packer_full(t->packer));
    return packed || (t->backlog && (t->stuck || has_waiting(t)));
}

bool link_tx_may_send(const struct sink *s)
{
    return ((const struct link_tx *)s)->key.aead && link_tx_waits(s);
}

/* Does the rate let another full datagram leave? What is packed and may leave does. */
static bool may_pack(struct link_tx *t)
{
    if (t->budget && packer_full(t->packer) >= t->may) {
        packer_push(t->packer);
        t->may = waits_sealed(t) ? 0
                                 : budget_room(t->budget, &t->seat, t->size + t->headers,
                                               PACKER_SEGMENTS, &t->wait_ms);
    }
    return !t->budget || t->may > 0;
}

static void drain_some(struct link_tx *t)
{
    const struct frame *f;
    struct packed done = {0};
    struct mono now = mono_now();
    t->may = 0;
    while (!waits_sealed(t) && (!t->out || pace_may(&t->pace, now)) &&
           (f = backlog_front(t->backlog)) != NULL && may_pack(t)) {
        pack(t, f, &done);
        pace_sent(&t->pace, f->caplen);
        backlog_pop(t->backlog);
    }
    count_packed(t, &done);
}

/* Milliseconds to the next step, -1: there is none. */
static int next_step(const struct link_tx *t)
{
    if (t->stuck) {
        return TX_STUCK_MS;
    }
    if (!link_tx_waits(&t->sink)) {
        return -1;
    }
    return t->budget && (t->wait_ms > 0 || !t->out) ? MAX(t->wait_ms, 1) : TX_STEP_MS;
}

int link_tx_drain(struct sink *s)
{
    struct link_tx *t = of(s);
    if (!t->backlog) {
        return -1;
    }
    ledger_add(t->ledger, LEDGER_TX_BACKLOG_FULL, backlog_yield(t->backlog));
    int again = -1;
    t->wait_ms = 0;
    if (t->key.aead && !t->held) {
        if (send_unsent(t)) {
            drain_some(t);
            flush(t);
        }
        again = next_step(t);
    }
    count(t);
    count_waiting(t);
    update(t);
    return again;
}

bool link_tx_take_refused(struct sink *s)
{
    struct link_tx *t = of(s);
    bool refused = t->io.refused;
    t->io.refused = false;
    return refused;
}

/* Waits for the rate, so that what is sealed or packed can leave; it is a burst at most. */
static void send_rest(struct link_tx *t)
{
    struct mono end = mono_add_ms(mono_now(), TX_END_MS);
    while (link_tx_may_send(&t->sink) && !t->stuck && !mono_due(mono_now(), end)) {
        int ms = link_tx_drain(&t->sink);
        (void)poll(NULL, 0, MAX(ms, 0));
    }
}

void link_tx_give_up(struct sink *s)
{
    struct link_tx *t = of(s);
    if (t->backlog) {
        ledger_add(t->ledger, t->key.aead ? LEDGER_TX_LEFT : LEDGER_TX_NOSESSION,
                   backlog_clear(t->backlog));
        if (t->budget) {
            send_rest(t);
        }
        (void)send_unsent(t);
        abandon_unsent(t);
        update(t);
    }
    tx_flush(s);
}

void link_tx_hold(struct sink *s, bool held)
{
    struct link_tx *t = of(s);
    if (t->held && !held) {
        pace_begin(&t->pace, packer_stats(t->packer).frames, mono_now());
    }
    t->held = held && t->keeps;
    update(t);
}

void link_tx_reported(struct sink *s, uint64_t accounted, uint64_t lost)
{
    struct link_tx *t = of(s);
    pace_report(&t->pace, packer_stats(t->packer).frames, accounted, lost, mono_now());
}

void link_tx_settle(struct sink *s, uint64_t accounted)
{
    struct link_tx *t = of(s);
    uint64_t sent = ledger_get(t->ledger, LEDGER_TX_OUT);
    ledger_set(t->ledger, LEDGER_TX_UNCONFIRMED, sent - MIN(accounted, sent));
}

void link_tx_down(struct sink *s)
{
    struct link_tx *t = of(s);
    if (t->key.aead) {
        (void)send_unsent(t);
        tx_flush(s);
    }
    abandon_unsent(t);
    count(t);
    link_sender_key_done(&t->key);
    t->held = false;
    if (t->backlog && !t->keeps) {
        ledger_add(t->ledger, LEDGER_TX_NOSESSION, backlog_clear(t->backlog));
    }
    update(t);
}

/* Takes it over; returns what the packer gets of it. */
static struct packer_key use_key(struct link_tx *t, const struct link_sender_key *key)
{
    t->key = *key;
    t->io = (struct udp_io){.fd = key->fd, .shared = key->shared};
    t->headers = t->budget ? udp_headers(key->fd) : 0;
    return (struct packer_key){key->aead, key->receiver, key->weights, key->extensions};
}

void link_tx_session(struct sink *s, const struct link_sender_key *key)
{
    struct link_tx *t = of(s);
    link_tx_down(s);
    const struct packer_key packs = use_key(t, key);
    packer_reset(t->packer, &packs);
    t->counted = packer_stats(t->packer);
    set_size(t);
    t->pace = (struct pace){0};
    pace_begin(&t->pace, 0, mono_now());
    update(t);
}

void link_tx_rekey(struct sink *s, const struct link_sender_key *key)
{
    struct link_tx *t = of(s);
    if (!t->key.aead) {
        link_tx_session(s, key);
        return;
    }
    tx_flush(s);
    struct link_sender_key old = t->key;
    const struct packer_key packs = use_key(t, key);
    (void)send_unsent(t); /* the old socket may have been why it waits */
    packer_rekey(t->packer, &packs);
    set_size(t);
    update(t);
    link_sender_key_done(&old);
}

void link_tx_size(struct sink *s, uint32_t datagram)
{
    struct link_tx *t = of(s);
    if (t->key.aead && t->key.datagram != datagram) {
        t->key.datagram = datagram;
        tx_flush(s);
    }
}

struct link_sender_progress link_tx_progress(const struct sink *s)
{
    struct packer_stats st = packer_stats(((const struct link_tx *)s)->packer);
    return (struct link_sender_progress){st.frames, st.datagrams};
}

static void tx_free(struct sink *s)
{
    struct link_tx *t = of(s);
    if (t->budget) {
        budget_leave(t->budget, &t->seat);
    }
    link_sender_key_done(&t->key);
    backlog_free(t->backlog);
    unsent_free(t->unsent);
    packer_free(t->packer);
    sink_done(s);
    free(t);
}

static const struct sink_ops ops = {
    .kind = "link",
    .counts = LEDGER_LINK_TX,
    .write = tx_write,
    .flush = tx_flush,
    .free = tx_free,
};

static bool make_parts(struct link_tx *t, uint16_t stream, struct backlog_pool *pool)
{
    t->packer = packer_new(stream, &(struct packer_out){tx_send, t});
    t->backlog = pool ? backlog_new(pool) : NULL;
    t->unsent = pool ? unsent_new(t->budget ? TX_UNSENT : PACKER_BYTES) : NULL;
    return t->packer && (!pool || (t->backlog && t->unsent)) &&
           sink_init(&t->sink, &ops, "link") == 0;
}

int link_tx_new(uint16_t stream, struct ledger *ledger, const struct link_tx_shared *shared,
                struct sink **ret)
{
    struct link_tx *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->ledger = ledger;
    t->key.fd = -1;
    t->budget = shared->budget;
    t->keeps = shared->backlog != NULL;
    t->view = (struct limit_view){.plan = shared->plan, .scale = LIMIT_UNIT, .room = UINT64_MAX};
    if (!make_parts(t, stream, t->keeps ? shared->backlog : shared->queue)) {
        backlog_free(t->backlog);
        unsent_free(t->unsent);
        packer_free(t->packer);
        free(t);
        return -ENOMEM;
    }
    if (t->budget) {
        budget_join(t->budget, &t->seat);
        t->view.room = MIN(budget_queue(t->budget), backlog_share(t->backlog) / 2);
    }
    *ret = &t->sink;
    return 0;
}

struct limit_view *link_tx_limit(struct sink *s)
{
    struct link_tx *t = of(s);
    return t->budget || t->view.plan ? &t->view : NULL;
}
