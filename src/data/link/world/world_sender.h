/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a stream's sender without a thread, over the real link sink. Its commands are
 * carried out when the test says so.
 */
#pragma once

#include "base/cleanup.h"
#include "data/link/send/tx.h"
#include "data/link/sender.h"

enum {
    WORLD_HELD = 32,
};

enum held_op { HELD_SESSION, HELD_REKEY, HELD_SIZE, HELD_DOWN };

struct world_sender {
    struct link_sender head; /* first */
    struct sink *tx;
    struct ledger ledger;
    uint32_t serial, made;
    bool done;
    bool hold;       /* commands wait */
    unsigned refuse; /* so many commands are refused */
    struct {
        enum held_op op;
        struct link_sender_key key;
        uint32_t serial;
        uint64_t accounted;
    } held[WORLD_HELD];
    unsigned n_held, sessions, rekeys, downs, holds;
    uint32_t datagram;
    uint64_t sent_before; /* datagrams that it says to have sent beside its real ones */
};

static inline void world_sender_carry_out(struct world_sender *w, enum held_op op,
                                          struct link_sender_key *key, uint32_t serial,
                                          uint64_t accounted)
{
    switch (op) {
    case HELD_SESSION:
        link_tx_session(w->tx, key);
        link_tx_settle(w->tx, accounted);
        w->serial = serial;
        w->sessions++;
        break;
    case HELD_REKEY:
        link_tx_rekey(w->tx, key);
        w->rekeys++;
        break;
    case HELD_SIZE:
        link_tx_size(w->tx, serial);
        w->datagram = serial;
        break;
    case HELD_DOWN:
        link_tx_down(w->tx);
        link_tx_settle(w->tx, accounted);
        w->serial = 0;
        w->downs++;
        break;
    }
}

static inline void world_sender_release(struct world_sender *w)
{
    w->hold = false;
    for (unsigned i = 0; i < w->n_held; i++) {
        world_sender_carry_out(w, w->held[i].op, &w->held[i].key, w->held[i].serial,
                               w->held[i].accounted);
    }
    w->n_held = 0;
}

static inline int world_sender_take(struct world_sender *w, enum held_op op,
                                    const struct link_sender_key *key, uint32_t serial,
                                    uint64_t accounted)
{
    struct link_sender_key k = key ? *key : (struct link_sender_key){.fd = -1};
    if (w->refuse > 0) {
        w->refuse--;
        link_sender_key_done(&k);
        return -EAGAIN;
    }
    if (w->hold) {
        assert_true(w->n_held < WORLD_HELD);
        w->held[w->n_held].op = op;
        w->held[w->n_held].key = k;
        w->held[w->n_held].accounted = accounted;
        w->held[w->n_held++].serial = serial;
        return 0;
    }
    world_sender_carry_out(w, op, &k, serial, accounted);
    return 0;
}

static inline struct world_sender *world_sender_of(struct link_sender *s)
{
    return (struct world_sender *)s;
}

static int world_sender_session(struct link_sender *s, const struct link_sender_key *key,
                                uint32_t serial, uint64_t accounted)
{
    return world_sender_take(world_sender_of(s), HELD_SESSION, key, serial, accounted);
}

static int world_sender_rekey(struct link_sender *s, const struct link_sender_key *key)
{
    return world_sender_take(world_sender_of(s), HELD_REKEY, key, 0, 0);
}

static int world_sender_size(struct link_sender *s, uint32_t datagram)
{
    return world_sender_take(world_sender_of(s), HELD_SIZE, NULL, datagram, 0);
}

static int world_sender_down(struct link_sender *s, uint64_t accounted)
{
    return world_sender_take(world_sender_of(s), HELD_DOWN, NULL, 0, accounted);
}

static void world_sender_hold(struct link_sender *s, bool held)
{
    struct world_sender *w = world_sender_of(s);
    link_tx_hold(w->tx, held);
    w->holds += held ? 1 : 0;
}

static void world_sender_reported(struct link_sender *s, uint64_t accounted, uint64_t lost)
{
    link_tx_reported(world_sender_of(s)->tx, accounted, lost);
}

static bool world_sender_take_refused(struct link_sender *s)
{
    return link_tx_take_refused(world_sender_of(s)->tx);
}

static bool world_sender_take_stood(struct link_sender *s)
{
    (void)s;
    return false;
}

static void world_sender_stood_known(struct link_sender *s)
{
    (void)s;
}

static void world_sender_stop(struct link_sender *s)
{
    struct world_sender *w = world_sender_of(s);
    w->tx->ops->flush(w->tx);
    w->done = true;
}

static const struct ledger *world_sender_ledger(const struct link_sender *s)
{
    const struct world_sender *w = (const struct world_sender *)s;
    return &w->ledger;
}

static bool world_sender_done(const struct link_sender *s)
{
    const struct world_sender *w = (const struct world_sender *)s;
    return w->done;
}

static bool world_sender_progress(const struct link_sender *s, uint32_t serial,
                                  struct link_sender_progress *ret)
{
    const struct world_sender *w = (const struct world_sender *)s;
    if (w->serial != serial) {
        return false;
    }
    *ret = link_tx_progress(w->tx);
    ret->datagrams += w->sent_before;
    return true;
}

static const struct link_sender_ops world_sender_ops = {
    .session = world_sender_session,
    .rekey = world_sender_rekey,
    .size = world_sender_size,
    .down = world_sender_down,
    .hold = world_sender_hold,
    .reported = world_sender_reported,
    .take_refused = world_sender_take_refused,
    .take_stood = world_sender_take_stood,
    .stood_known = world_sender_stood_known,
    .stop = world_sender_stop,
    .ledger = world_sender_ledger,
    .done = world_sender_done,
    .progress = world_sender_progress,
};
