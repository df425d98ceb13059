/* SPDX-License-Identifier: Apache-2.0
 *
 * For the tests of the link's sending end, a library of its own: a sink over a socket that takes
 * what the test lets it take, with the real reassembler behind it, and a ledger at each end.
 */
#pragma once

#include "data/link/receive/reasm.h"
#include "data/link/send/tx.h"

enum {
    DATAGRAM = 1400,
    FRAME = 500, /* bytes; its number is in the first four */
};

struct world {
    struct backlog_pool *pool, *queue;
    struct budget *budget;
    struct sink *tx;
    struct ledger ledger, far; /* the tap's and the collector's */
    int fd[2];
    struct reasm *reasm;
    struct reasm_room room;
    struct batch batch; /* at the far end */
    struct batch_out out;
    uint64_t next_counter;
    uint64_t got_bytes;                /* of datagrams, of all sessions */
    uint64_t got_datagrams, got_short; /* of these, shorter than they might be */
    uint32_t made, got, expect;        /* frames; the number that is to come next */
};

/* Without a session. `backlog`: its bytes, 0: there is none. */
void world_begin(struct world *w, uint64_t backlog);
/* With a rate; without a backlog there is still a queue. */
void world_begin_rate(struct world *w, uint64_t backlog, uint64_t bits);
void world_end(struct world *w);
void world_session(struct world *w);
/* `n` frames come from the interface. */
void tx_frames(struct world *w, unsigned n);
/* The far end reads its socket: frames have to come in order, each once. */
void world_receive(struct world *w);
/* Runs as a data thread does, with a report of everything every so often, until nothing waits. */
void world_drain(struct world *w);
uint64_t world_of(const struct world *w, enum ledger_id id);
int64_t world_in_flight(const struct world *w);
