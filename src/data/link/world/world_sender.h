/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: a tap's data thread that is none. This file defines the functions of worker.h
 * over the real link sink; they run when the test says so.
 */
#pragma once

#include "base/cleanup.h"
#include "data/worker.h"

enum {
    WORLD_HELD = 32,
};

enum held_op { HELD_SESSION, HELD_REKEY, HELD_SIZE, HELD_DOWN };

/* A tap's data thread that runs when the test says so. */
struct worker {
    struct sink *tx;
    struct ledger ledger;
    uint32_t serial, made;
    bool done;
    bool hold;       /* commands wait */
    unsigned refuse; /* so many commands are refused */
    struct {
        enum held_op op;
        struct link_tx_key key;
        uint32_t serial;
        uint64_t accounted;
    } held[WORLD_HELD];
    unsigned n_held, sessions, rekeys, downs, holds;
    uint32_t datagram;
    uint64_t sent_before; /* datagrams that it says to have sent beside its real ones */
};

static inline void worker_carry_out(struct worker *w, enum held_op op, struct link_tx_key *key,
                                    uint32_t serial, uint64_t accounted)
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

static inline void worker_release(struct worker *w)
{
    w->hold = false;
    for (unsigned i = 0; i < w->n_held; i++) {
        worker_carry_out(w, w->held[i].op, &w->held[i].key, w->held[i].serial,
                         w->held[i].accounted);
    }
    w->n_held = 0;
}

static inline int worker_take(struct worker *w, enum held_op op, const struct link_tx_key *key,
                              uint32_t serial, uint64_t accounted)
{
    struct link_tx_key k = key ? *key : (struct link_tx_key){.fd = -1};
    if (w->refuse > 0) {
        w->refuse--;
        link_tx_key_done(&k);
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
    worker_carry_out(w, op, &k, serial, accounted);
    return 0;
}

int worker_session(struct worker *w, const struct link_tx_key *key, uint32_t serial,
                   uint64_t accounted)
{
    return worker_take(w, HELD_SESSION, key, serial, accounted);
}

int worker_rekey(struct worker *w, const struct link_tx_key *key)
{
    return worker_take(w, HELD_REKEY, key, 0, 0);
}

int worker_size(struct worker *w, uint32_t datagram)
{
    return worker_take(w, HELD_SIZE, NULL, datagram, 0);
}

int worker_down(struct worker *w, uint64_t accounted)
{
    return worker_take(w, HELD_DOWN, NULL, 0, accounted);
}

void worker_hold(struct worker *w, bool held)
{
    link_tx_hold(w->tx, held);
    w->holds += held ? 1 : 0;
}

void worker_reported(struct worker *w, uint64_t accounted, uint64_t lost)
{
    link_tx_reported(w->tx, accounted, lost);
}

bool worker_take_refused(struct worker *w)
{
    return link_tx_take_refused(w->tx);
}

bool worker_take_stood(struct worker *w)
{
    (void)w;
    return false;
}

void worker_stood_known(struct worker *w)
{
    (void)w;
}

void worker_stop(struct worker *w)
{
    w->tx->ops->flush(w->tx);
    w->done = true;
}

const struct ledger *worker_ledger(const struct worker *w)
{
    return &w->ledger;
}

bool worker_done(const struct worker *w)
{
    return w->done;
}

bool worker_progress(const struct worker *w, uint32_t serial, struct link_tx_progress *ret)
{
    if (w->serial != serial) {
        return false;
    }
    *ret = link_tx_progress(w->tx);
    ret->datagrams += w->sent_before;
    return true;
}
