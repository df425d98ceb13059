/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures and functions that the files of this folder share: receiver.c (datagrams become
 * records, the thread), streams.c (keys, sessions, streams, points), flows.c (flow records in place
 * of frames), events.c (to the control thread) and commands.c (from it). All of it belongs to the
 * data thread, but for the queue of events and the counters.
 */
#pragma once

#include "base/cleanup.h"
#include "base/queue.h"
#include "data/link/cookie.h"
#include "data/link/receive/reasm.h"
#include "data/link/receive/receiver.h"
#include "data/link/replay.h"
#include "data/pipeline.h"
#include "data/thread.h"
#include "model/admission.h"
#include "sys/crypto/cpace.h"

enum {
    RECEIVER_RECENT = 64,     /* a power of two */
    RECEIVER_EVENTS = 16384,  /* that may wait, of all kinds */
    RECEIVER_PACKETS = 16,    /* receive buffers of UDP_BUFFER bytes */
    RECEIVER_CONTROLS = 2000, /* control records of a session at once, and half as many a second */
    RECEIVER_CONTROLS_NEW = 32, /* under a key that is no session's yet, and a quarter a second */
};

struct rx_stream {
    uint16_t id;
    struct reasm *reasm;
    struct replay replay;
    struct point *point;
    struct rx_stream **waits_at, *next_waiting; /* its place among those that wait, or NULL */
};

struct rx_session {
    struct rx_stream *stream[POINT_STREAMS];
    unsigned n_streams;
    struct rx_stream *recent[RECEIVER_RECENT]; /* by the low bits of the id: found at once */
    struct point *point[POINT_OF_PEER]; /* added to the sink, to be removed with the session */
    unsigned n_points;
    struct rx_key *keys;   /* bound to it */
    struct bucket control; /* records of stream 0 that are passed on, under whichever key */
    struct reasm_room room;
    bool aligned; /* what is known of the tap's clock: */
    struct align align;
};

struct rx_key {
    uint32_t index;
    struct aead *aead;     /* NULL: its handshake is under way */
    struct replay replay;  /* of stream 0 */
    struct bucket control; /* records of stream 0, while it has no session */
    struct bucket hello;   /* handshake messages that name it */
    struct udp_addr from;  /* of its HELLO, and then of its newest control record, … */
    uint64_t newest;       /* … which has this counter, less one */
    bool expects, guessed; /* a CONFIRM with this tag; another one came */
    uint8_t tag[CPACE_TAG_LEN];
    struct rx_session *session;
    struct rx_key *next; /* of the session */
};

struct counters {
    _Atomic uint64_t datagrams, bytes, malformed, unknown_session, too_many, forged, replayed,
        unexpected, control_full, socket_full;
};

/* Events of one kind: told by the data thread, taken by the control thread. */
struct event_lane {
    _Atomic uint64_t told, taken;
};

struct receiver {
    struct source source;
    struct pipeline pipeline;
    struct thread *thread;
    struct receiver_conf conf;
    struct queue *events;
    struct event_lane lane[RECEIVER_EVENT_KINDS];
    struct udp_io io;
    struct udp_packet packet[RECEIVER_PACKETS];
    uint8_t *buffers;
    struct ledger *ledger[POINT_MAX];     /* of the points that the sink has, by index */
    struct align_point *align[POINT_MAX]; /* the same, with receiver_conf.align */
    struct ledger nobodys;                /* of frames of other points: there are none */
    struct batch_out out;      /* of the streams: the pipeline's, which rx_deliver goes through */
    struct mono now, asked;    /* after and before the socket was last read */
    struct mono tick;          /* when a stream wants its tick; {0}: none does */
    struct rx_stream *waiting; /* for segments that are missing */
    struct reasm_room room;    /* of which each session has a part */
    unsigned unknown_told;
    struct admission_sources sources;
    struct cookie_jar cookies;
    struct counters counters;
    struct rx_key *key[RECEIVER_SLOTS];
    struct rx_session *session[RECEIVER_SESSIONS];
    struct reasm *touched[POINT_STREAMS]; /* streams with frames in the batch */
    unsigned n_touched;
};

static inline void receiver_count(_Atomic uint64_t *c, uint64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* events.c */
void receiver_tell(struct receiver *r, struct receiver_event head, const uint8_t *data, size_t len);
/* How many events of that kind the control thread has not taken yet. */
uint64_t receiver_waiting(const struct receiver *r, enum receiver_event_kind kind);

/* flows.c */
/* Takes flow records out of the pipeline's batch. */
void rx_take_flows(struct receiver *r);

/* streams.c */
/* Pushes the batch down the pipeline; a stream with frames in it must have been touched. */
void rx_deliver(struct receiver *r);
void rx_touch(struct receiver *r, struct reasm *reasm);
void rx_stream_publish(struct rx_stream *s);
/* To be called after anything that may have changed whether the stream waits for segments. */
void rx_stream_wait(struct receiver *r, struct rx_stream *s);
/* `s` may be NULL. */
struct rx_stream *rx_stream_find(struct rx_session *s, uint16_t id);

/* Each carries out the command of receiver.h that has its name; `aead` is taken over. */
void rx_key_expect(struct receiver *r, uint32_t index, const struct udp_addr *from,
                   const uint8_t tag[CPACE_TAG_LEN]);
void rx_key_add(struct receiver *r, uint32_t index, const struct udp_addr *from, struct aead *aead);
void rx_key_drop(struct receiver *r, uint32_t index);
void rx_key_bind(struct receiver *r, uint32_t index, uint32_t session);
void rx_stream_add(struct receiver *r, uint32_t session, uint16_t stream, struct point *point,
                   int device);
void rx_sub_add(struct receiver *r, uint32_t session, uint16_t stream, uint16_t sub,
                struct point *point, int device);
void rx_report(struct receiver *r, uint32_t session, uint16_t stream,
               const struct receiver_report *said);
void rx_align(struct receiver *r, uint32_t session, const struct align *to);
void rx_stream_end(struct receiver *r, uint32_t session, uint16_t stream, bool keep);
/* Ends the session, if there is such a one, closes its books, and tells the control thread. */
void rx_session_close(struct receiver *r, uint32_t id);
