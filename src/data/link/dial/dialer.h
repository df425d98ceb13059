/* SPDX-License-Identifier: Apache-2.0
 *
 * The tap's end of the link, in the control thread: connects to the collector, keeps the session
 * and its keys, tells the collector of the streams and of the ledger, and hands sending keys to the
 * data threads. When to do what is model/uplink.h's to say; how messages are made is data/link/'s.
 */
#pragma once

#include "base/history.h"
#include "data/link/budget.h"
#include "data/link/handshake.h"
#include "data/link/sender.h"
#include "model/uplink.h"
#include "proto/ether.h"
#include "sys/loop.h"
#include "sys/udp.h"

struct dialer;

/* Which of the addresses that the collector's name has; broker requests have these numbers. */
enum dialer_where {
    DIALER_WHERE_NAME,  /* looked up: the one in use, if that is one of them, else the first */
    DIALER_WHERE_FOUND, /* the one in use; nothing is looked up, nor waited for */
    DIALER_WHERE_NEXT,  /* looked up: the one behind that in use, which led to no session */
};

struct dialer_ops {
    /* Gives a UDP socket that is connected to the collector. */
    int (*connect)(void *user, enum dialer_where where, int *ret_fd, struct error *err);
    /* The tunnel's flow is now this one: it is not to be captured. NULL: there is none. */
    void (*flow)(void *user, const struct ether_flow *flow);
    /* Something that a person should know; `error`: something is wrong. */
    void (*say)(void *user, bool error, const char *text);
    /* After dialer_end_stream: the stream is no more, its status can be asked for the last time,
     * and its sender is done. */
    void (*stream_ended)(void *user, uint16_t id);
    /* After dialer_stop: all is sent and confirmed, or will not be. */
    void (*stopped)(void *user);
};

struct dialer_conf {
    struct handshake_conf handshake; /* borrowed strings and lists */
    const char *name, *host, *software;
    const char *collector; /* as the user wrote it, for sentences */
    uint32_t mtu;          /* packets to it have at most so many bytes; 0: as many as pass */
    struct budget *budget; /* borrowed: what is sent counts there; NULL: there is no rate */
    /* Borrowed, and used by the control thread only: the dialer adds what happens to sessions, and
     * tells the collector of all that is in it. */
    struct history *history;
    const struct dialer_ops *ops;
    void *user;
};

int dialer_new(struct loop *loop, const struct dialer_conf *conf, struct dialer **ret,
               struct error *err);
void dialer_free(struct dialer *c);

struct dialer_stream {
    const char *ifname, *filter; /* borrowed; filter may be "" */
    uint32_t snaplen;
    uint64_t speed_bps;
    uint16_t linktype, arphrd;  /* see struct link_stream */
    struct link_sender *sender; /* borrowed */
};

/* Adds an observation point; *ret_id its stream. -ENOSPC. */
int dialer_add_stream(struct dialer *c, const struct dialer_stream *s, uint16_t *ret_id);
/* Its interface is of this kind now: the next session's collector is told. */
void dialer_stream_kind(struct dialer *c, uint16_t id, uint16_t linktype, uint16_t arphrd);
/* The id that the next stream will have; 0: no more can be added now. Ids are used again, but not
 * under a key under which they were used before. */
uint16_t dialer_next_stream(const struct dialer *c);
/* Its interface will not come back: the sender, which was told to stop, sends what it has, the
 * collector closes the stream's books, and stream_ended follows. */
void dialer_end_stream(struct dialer *c, uint16_t id);

void dialer_start(struct dialer *c);
/* Data threads stop taking frames, what they took is sent, the collector is told. */
void dialer_stop(struct dialer *c);
/* The same, and the collector is told that it is for this reason. */
void dialer_end(struct dialer *c, enum link_close why);
/* A sender has published something: call it when their wake was signalled. */
void dialer_senders_changed(struct dialer *c);

struct dialer_status {
    bool up;
    const char *state;           /* for people */
    const char *cipher;          /* NULL without a session */
    char address[UDP_ADDR_TEXT]; /* of the collector, "" when not known */
    uint32_t datagram;           /* bytes of UDP payload */
    uint32_t path_mtu;           /* of IP packets, as data is sent now; 0 without a session */
    const char *path_state;      /* for people */
    unsigned moves;              /* how often the session went on over another socket */
    bool flows;                  /* the session's collector takes flow records */
    struct mono since;           /* the session's beginning */
    struct mono keyed;
    unsigned sessions, rekeys, refused_records;
    int64_t rtt_ns, clock_offset_ns; /* collector's wall clock minus ours; valid with rtt_ns > 0 */
};

struct dialer_stream_status {
    uint64_t confirmed, reported_lost; /* over all sessions */
    uint64_t unconfirmed;              /* sent in sessions that are over, and neither of these */
};

void dialer_status(const struct dialer *c, struct dialer_status *ret);
void dialer_stream_status(const struct dialer *c, uint16_t id, struct dialer_stream_status *ret);
