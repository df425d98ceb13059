/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/world/plain_sender.h"

static struct plain_sender *of(struct link_sender *s)
{
    return (struct plain_sender *)s;
}

static int begin_session(struct link_sender *s, const struct link_sender_key *key, uint32_t serial,
                         uint64_t accounted)
{
    struct plain_sender *p = of(s);
    link_tx_session(p->tx, key);
    link_tx_settle(p->tx, accounted);
    p->serial = serial;
    return 0;
}

static int rekey(struct link_sender *s, const struct link_sender_key *key)
{
    link_tx_rekey(of(s)->tx, key);
    return 0;
}

static int size(struct link_sender *s, uint32_t datagram)
{
    link_tx_size(of(s)->tx, datagram);
    return 0;
}

static int down(struct link_sender *s, uint64_t accounted)
{
    struct plain_sender *p = of(s);
    link_tx_down(p->tx);
    link_tx_settle(p->tx, accounted);
    p->serial = 0;
    return 0;
}

static void hold(struct link_sender *s, bool held)
{
    link_tx_hold(of(s)->tx, held);
}

static void reported(struct link_sender *s, uint64_t accounted, uint64_t lost)
{
    link_tx_reported(of(s)->tx, accounted, lost);
}

static void stop(struct link_sender *s)
{
    struct plain_sender *p = of(s);
    p->tx->ops->flush(p->tx);
    p->stopped = true;
}

static bool done(const struct link_sender *s)
{
    return ((const struct plain_sender *)s)->stopped;
}

static bool progress(const struct link_sender *s, uint32_t serial, struct link_sender_progress *ret)
{
    const struct plain_sender *p = (const struct plain_sender *)s;
    if (p->serial != serial) {
        return false;
    }
    *ret = link_tx_progress(p->tx);
    return true;
}

static const struct ledger_way *way(const struct link_sender *s)
{
    static const struct ledger_way tap = {4,
                                          {LEDGER_RING, LEDGER_SELECT, LEDGER_CUT, LEDGER_LINK_TX}};
    (void)s;
    return &tap;
}

static const struct ledger *ledger(const struct link_sender *s)
{
    return &((const struct plain_sender *)s)->ledger;
}

static bool take_refused(struct link_sender *s)
{
    return link_tx_take_refused(of(s)->tx);
}

static bool take_stood(struct link_sender *s)
{
    (void)s; /* it has no thread that could stand still */
    return false;
}

static void stood_known(struct link_sender *s)
{
    (void)s;
}

const struct link_sender_ops plain_sender_ops = {
    .session = begin_session,
    .rekey = rekey,
    .size = size,
    .down = down,
    .hold = hold,
    .reported = reported,
    .stop = stop,
    .done = done,
    .progress = progress,
    .ledger = ledger,
    .way = way,
    .take_refused = take_refused,
    .take_stood = take_stood,
    .stood_known = stood_known,
};

int plain_sender_init(struct plain_sender *p, uint16_t stream, struct backlog_pool *pool)
{
    *p = (struct plain_sender){.head.ops = &plain_sender_ops};
    return link_tx_new(stream, &p->ledger, &(struct link_tx_shared){.backlog = pool}, &p->tx);
}

void plain_sender_done(struct plain_sender *p)
{
    sink_free(TAKE_PTR(p->tx));
}
