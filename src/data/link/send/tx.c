/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/send/tx.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "data/link/send/packer.h"
#include "model/pace.h"
#include "proto/link.h"
#include "sys/udp.h"

enum {
    TX_WAIT_MS = 200, /* for a full socket, once: then datagrams count as lost until it takes some,
                       * or wait with the backlog. Else a path that stands still would keep commands
                       * waiting for minutes. */
    TX_DRAIN_WAIT_MS = 5, /* the same while the backlog is sent */
    TX_STEP_MS = 2,       /* between two steps of that */
    TX_STUCK_MS = 10,     /* between two tries of what the system does not take */
    TX_NARROW = 1232,     /* where the device has become too narrow: what nearly all carry */
};

/* Sealed datagrams that the system did not take. They have their numbers and keep them: the same
 * bytes are sent again, under the key that they were sealed with. */
struct unsent {
    size_t at, len; /* bytes of `data` sent, and in all; at == len: none */
    uint32_t datagram;
    uint8_t data[PACKER_BYTES];
};

struct link_tx {
    struct sink sink;
    struct packer *packer;
    struct ledger *ledger;
    struct link_sender_key key; /* aead NULL: no session */
    uint32_t size; /* of a datagram, as the packer has it: key.datagram sooner or later */
    bool direct;   /* frames are sent as they come; follows from what is below */
    bool held;
    bool stuck;              /* the socket was full for TX_WAIT_MS; with a backlog: see `unsent` */
    struct backlog *backlog; /* NULL: none */
    struct pace pace;
    struct packer_stats counted;
    uint64_t abandoned; /* datagrams of `unsent` that were given up */
    struct udp_io io;
    struct unsent unsent;
};

static struct link_tx *of(struct sink *s)
{
    return (struct link_tx *)s;
}

/* Decides anew whether frames have to wait. */
static void update(struct link_tx *t)
{
    bool was = t->direct;
    t->direct =
        t->key.aead && (!t->backlog || (!t->held && !t->stuck && backlog_empty(t->backlog)));
    if (was && !t->direct) {
        pace_begin(&t->pace, packer_stats(t->packer).frames, mono_now());
    }
}

static unsigned datagrams(size_t bytes, uint32_t datagram)
{
    return (unsigned)((bytes + datagram - 1) / datagram);
}

static void keep_unsent(struct link_tx *t, const uint8_t *data, size_t len, uint32_t datagram)
{
    memcpy(t->unsent.data, data, len);
    t->unsent.at = 0;
    t->unsent.len = len;
    t->unsent.datagram = datagram;
    t->stuck = true;
    update(t);
}

/* A path that is too narrow for a datagram stays so; every other refusal may pass. */
static bool may_pass(int error)
{
    return error != -EMSGSIZE;
}

static unsigned tx_send(void *user, const uint8_t *data, size_t len, uint32_t datagram)
{
    struct link_tx *t = user;
    size_t sent = 0;
    int wait = !t->direct ? TX_DRAIN_WAIT_MS : TX_WAIT_MS;
    if (t->stuck) {
        if (t->backlog) {
            return datagrams(len, datagram); /* behind others that wait there is no room */
        }
        wait = 0;
    }
    int r = udp_send_segments(&t->io, NULL, NULL, data, len, datagram, wait, &sent);
    t->stuck = r == -EAGAIN;
    if (r ==
        -EMSGSIZE) { /* the device has become narrower; the control thread finds out how much */
        t->key.datagram = t->key.datagram > TX_NARROW ? TX_NARROW : LINK_DATAGRAM_MIN;
    }
    if (r < 0 && t->backlog && may_pass(r)) {
        keep_unsent(t, data + sent, len - sent, datagram);
        return 0;
    }
    return datagrams(len - sent, datagram);
}

static void abandon_unsent(struct link_tx *t)
{
    if (t->unsent.at < t->unsent.len) {
        t->abandoned += datagrams(t->unsent.len - t->unsent.at, t->unsent.datagram);
    }
    t->unsent.at = t->unsent.len = 0;
    t->stuck = false;
}

/* Tries what the system did not take; true when nothing of it is left. */
static bool send_unsent(struct link_tx *t)
{
    struct unsent *u = &t->unsent;
    size_t sent = 0;
    if (u->at < u->len) {
        int r = udp_send_segments(&t->io, NULL, NULL, u->data + u->at, u->len - u->at, u->datagram,
                                  0, &sent);
        u->at += sent;
        if (r < 0 && may_pass(r)) {
            return false;
        }
        abandon_unsent(t);
    }
    t->stuck = false;
    return true;
}

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
    if (t->backlog) {
        ledger_set(t->ledger, LEDGER_TX_BACKLOG_BYTES, backlog_bytes(t->backlog));
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
    ledger_add(t->ledger, LEDGER_TX_BACKLOG_FULL, dropped);
    ledger_add(t->ledger, LEDGER_TX_BACKLOGGED, b->n - from);
    pace_came(&t->pace, bytes);
    update(t);
}

static void tx_write(struct sink *s, const struct batch *b)
{
    struct link_tx *t = of(s);
    if (!t->key.aead && !t->backlog) {
        ledger_add(t->ledger, LEDGER_TX_NOSESSION, b->n);
        return;
    }
    uint64_t bytes = 0;
    uint32_t i = 0;
    for (; i < b->n && t->direct; i++) { /* a send on the way may end that */
        packer_frame(t->packer, &b->f[i]);
        bytes += b->f[i].caplen;
    }
    ledger_add(t->ledger, LEDGER_TX_OUT, i);
    ledger_add(t->ledger, LEDGER_TX_BYTES, bytes);
    if (i < b->n) {
        wait_for(t, b, i);
        (void)link_tx_drain(
            s); /* batch by batch, or a small backlog would not hold a run of them */
    }
}

/* Sealed datagrams wait: nothing else may be sealed, as it would have to wait behind them. */
static bool waits_sealed(const struct link_tx *t)
{
    return t->backlog && t->stuck;
}

static void set_size(struct link_tx *t)
{
    t->size = t->key.datagram;
    packer_set_size(t->packer, t->size);
}

/* Sends the packed bytes, unless the system takes nothing now. */
static void flush(struct link_tx *t)
{
    if (!t->key.aead || waits_sealed(t)) {
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
    return t->backlog && (t->stuck || !backlog_empty(t->backlog));
}

bool link_tx_may_send(const struct sink *s)
{
    return ((const struct link_tx *)s)->key.aead && link_tx_waits(s);
}

static void drain_some(struct link_tx *t)
{
    const struct frame *f;
    uint64_t frames = 0, bytes = 0;
    struct mono now = mono_now();
    while (!t->stuck && pace_may(&t->pace, now) && (f = backlog_front(t->backlog)) != NULL) {
        packer_frame(t->packer, f);
        pace_sent(&t->pace, f->caplen);
        bytes += f->caplen;
        frames++;
        backlog_pop(t->backlog);
    }
    ledger_add(t->ledger, LEDGER_TX_OUT, frames);
    ledger_add(t->ledger, LEDGER_TX_BYTES, bytes);
}

int link_tx_drain(struct sink *s)
{
    struct link_tx *t = of(s);
    if (!t->backlog) {
        return -1;
    }
    ledger_add(t->ledger, LEDGER_TX_BACKLOG_FULL, backlog_yield(t->backlog));
    int again = -1;
    if (t->key.aead && !t->held) {
        if (send_unsent(t)) {
            drain_some(t);
            flush(t);
        }
        again = t->stuck ? TX_STUCK_MS : backlog_empty(t->backlog) ? -1 : TX_STEP_MS;
    }
    update(t);
    count(t);
    count_waiting(t);
    return again;
}

bool link_tx_take_refused(struct sink *s)
{
    struct link_tx *t = of(s);
    bool refused = t->io.refused;
    t->io.refused = false;
    return refused;
}

void link_tx_give_up(struct sink *s)
{
    struct link_tx *t = of(s);
    if (t->backlog) {
        ledger_add(t->ledger, t->key.aead ? LEDGER_TX_LEFT : LEDGER_TX_NOSESSION,
                   backlog_clear(t->backlog));
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
    t->held = held;
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
    update(t);
}

void link_tx_session(struct sink *s, const struct link_sender_key *key)
{
    struct link_tx *t = of(s);
    link_tx_down(s);
    t->key = *key;
    t->io = (struct udp_io){.fd = key->fd, .shared = key->shared};
    packer_reset(t->packer, &(struct packer_key){key->aead, key->receiver});
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
    t->key = *key;
    t->io = (struct udp_io){.fd = key->fd, .shared = key->shared};
    (void)send_unsent(t); /* the old socket may have been why it waits */
    packer_rekey(t->packer, &(struct packer_key){key->aead, key->receiver});
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
    link_sender_key_done(&t->key);
    backlog_free(t->backlog);
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

int link_tx_new(uint16_t stream, struct ledger *ledger, struct backlog_pool *pool,
                struct sink **ret)
{
    struct link_tx *t = calloc(1, sizeof(*t));
    if (!t) {
        return -ENOMEM;
    }
    t->ledger = ledger;
    t->key.fd = -1;
    t->packer = packer_new(stream, &(struct packer_out){tx_send, t});
    t->backlog = pool ? backlog_new(pool) : NULL;
    if (!t->packer || (pool && !t->backlog) || sink_init(&t->sink, &ops, "link") < 0) {
        backlog_free(t->backlog);
        packer_free(t->packer);
        free(t);
        return -ENOMEM;
    }
    *ret = &t->sink;
    return 0;
}
