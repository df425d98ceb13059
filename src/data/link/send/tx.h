/* SPDX-License-Identifier: Apache-2.0
 *
 * The link as a pipeline's sink: packs frames into sealed records and sends them (packer.h).
 * Frames that cannot be sent wait in a backlog: those that come without a session, in one that is
 * held, or while the system takes no datagrams; and those that come behind them, until it is empty.
 * Without a backlog frames are dropped for want of a session, and datagrams that the system does
 * not take are lost. Belongs to one data thread.
 */
#pragma once

#include "base/time.h"
#include "data/link/send/backlog.h"
#include "data/link/sender.h"
#include "data/sink.h"

/* The ledger (LINK_TX) and the budget of the backlog (NULL: there is none) must outlive the sink.
 * -ENOMEM. */
int link_tx_new(uint16_t stream, struct ledger *ledger, struct backlog_pool *pool,
                struct sink **ret);
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
