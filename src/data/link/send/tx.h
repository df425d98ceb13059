/* SPDX-License-Identifier: Apache-2.0
 *
 * The link as a pipeline's sink: packs frames into sealed records and sends them (packer.h).
 * Frames that cannot be sent wait in a backlog: those that come without a session, in one that is
 * held, or while the system takes no datagrams; and those that come behind them, until it is empty.
 * Without a backlog frames are dropped for want of a session, and datagrams that the system does
 * not take are lost. Belongs to one data thread.
 *
 * With a rate (link/budget.h), datagrams leave as the budget lets them, and frames wait for that in
 * the same place, in order; only full datagrams leave while some wait. How much may wait is for the
 * stage `degrade` to see to, by data/limit.h: here nothing is dropped for the rate.
 */
#pragma once

#include "base/time.h"
#include "data/limit.h"
#include "data/link/budget.h"
#include "data/link/send/backlog.h"
#include "data/link/sender.h"
#include "data/sink.h"

/* Parts that a tap's senders share; all of them must outlive them. */
struct link_tx_shared {
    struct backlog_pool *backlog; /* the memory of the backlogs; NULL: there are none */
    struct budget *budget;        /* the rate; NULL: none */
    struct backlog_pool *queue;   /* with a rate and no backlog: the memory of what waits for it */
    struct limit_plan *plan;      /* of the limit; NULL: none */
};

/* The ledger (LINK_TX) must outlive the sink. -ENOMEM. */
int link_tx_new(uint16_t stream, struct ledger *ledger, const struct link_tx_shared *shared,
                struct sink **ret);
/* How the limit stands, for the stage before it; NULL without a limit. It lives as the sink does.
 */
struct limit_view *link_tx_limit(struct sink *s);
/* Begins a session: frames are numbered from 0. The key is taken over, here and below; it must
 * never have sealed anything, as counters begin at 0 too. */
void link_tx_session(struct sink *s, const struct link_sender_key *key);
/* Goes on in the same session under another key, or over another socket. */
void link_tx_rekey(struct sink *s, const struct link_sender_key *key);
/* The path carries datagrams of another size. */
void link_tx_size(struct sink *s, uint32_t datagram);
/* The session is over. */
void link_tx_down(struct sink *s);
/* The session is in doubt: frames are kept back, or no longer. The end of it ends that too. */
void link_tx_hold(struct sink *s, bool held);
/* The collector's last report on this session's frames: so many are accounted for, and of these so
 * many lost. The backlog is sent as fast as reports let it (model/pace.h). */
void link_tx_reported(struct sink *s, uint64_t accounted, uint64_t lost);

/* All sessions up to now are over, and the collector has accounted for so many of their frames: the
 * others are unconfirmed. */
void link_tx_settle(struct sink *s, uint64_t accounted);

/* Something waits, and link_tx_drain is to be called. */
bool link_tx_waits(const struct sink *s);
/* Something waits, and there is a session that it could go into. */
bool link_tx_may_send(const struct sink *s);
/* Sends of what waits what may go at this time. Returns the milliseconds to the next call, or -1:
 * nothing can go before one of the calls above. */
int link_tx_drain(struct sink *s);
/* True once after the peer's host was said to listen on no such port (unproven: ICMP). */
bool link_tx_take_refused(struct sink *s);
/* The end: what waits still is dropped and counted. */
void link_tx_give_up(struct sink *s);
struct link_sender_progress link_tx_progress(const struct sink *s);
