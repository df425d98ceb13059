/* SPDX-License-Identifier: Apache-2.0
 *
 * The tap's end of the link, in the control thread: connects to the collector, keeps the session
 * and its keys, tells the collector of the streams and of the ledger, and hands sending keys to the
 * data threads. When to do what is model/uplink.h's to say; how messages are made is data/link/'s.
 */
#pragma once

#include "base/history.h"
#include "data/link/handshake.h"
#include "data/worker.h"
#include "model/uplink.h"
#include "sys/udp.h"

struct client;

struct client_ops {
    /* Gives a UDP socket that is connected to the collector: its name is looked up, or, with
     * `again`, the address that was found last serves; nothing has to be waited for then. */
    int (*connect)(void *user, bool again, int *ret_fd, struct error *err);
    /* The tunnel's flow is now this one: it is not to be captured. NULL: there is none. */
    void (*flow)(void *user, const struct ether_flow *flow);
    /* Something that a person should know; `error`: something is wrong. */
    void (*say)(void *user, bool error, const char *text);
    /* After client_end_stream: the stream is no more, its status can be asked for the last time,
     * and its worker is done. */
    void (*stream_ended)(void *user, uint16_t id);
    /* After client_stop: all is sent and confirmed, or will not be. */
    void (*stopped)(void *user);
};

struct client_conf {
    struct handshake_conf handshake; /* borrowed strings and lists */
    const char *name, *host, *software;
    const char *collector; /* as the user wrote it, for sentences */
    uint32_t mtu;          /* packets to it have at most so many bytes; 0: as many as pass */
    /* Borrowed, and used by the control thread only: the client adds what happens to sessions, and
     * tells the collector of all that is in it. */
    struct history *history;
    const struct client_ops *ops;
    void *user;
};

int client_new(struct loop *loop, const struct client_conf *conf, struct client **ret,
               struct error *err);
void client_free(struct client *c);

struct client_stream {
    const char *ifname, *filter; /* borrowed; filter may be "" */
    uint32_t snaplen;
    uint64_t speed_bps;
    uint16_t linktype, arphrd; /* see struct link_stream */
    struct worker *worker;     /* borrowed */
};

/* Adds an observation point; *ret_id its stream. -ENOSPC. */
int client_add_stream(struct client *c, const struct client_stream *s, uint16_t *ret_id);
/* Its interface is of this kind now: the next session's collector is told. */
void client_stream_kind(struct client *c, uint16_t id, uint16_t linktype, uint16_t arphrd);
/* The id that the next stream will have; 0: no more can be added now. Ids are used again, but not
 * under a key under which they were used before. */
uint16_t client_next_stream(const struct client *c);
/* Its interface will not come back: the worker, which was told to stop, sends what it has, the
 * collector closes the stream's books, and stream_ended follows. */
void client_end_stream(struct client *c, uint16_t id);

void client_start(struct client *c);
/* Data threads stop taking frames, what they took is sent, the collector is told. */
void client_stop(struct client *c);
/* A worker has published something: call it when their wake was signalled. */
void client_workers_changed(struct client *c);

struct client_status {
    bool up;
    const char *state;           /* for people */
    const char *cipher;          /* NULL without a session */
    char address[UDP_ADDR_TEXT]; /* of the collector, "" when not known */
    uint32_t datagram;           /* bytes of UDP payload */
    uint32_t path_mtu;           /* of IP packets, as data is sent now; 0 without a session */
    const char *path_state;      /* for people */
    unsigned moves;              /* how often the session went on over another socket */
    struct mono since;           /* the session's beginning */
    struct mono keyed;
    unsigned sessions, rekeys, refused_records;
    int64_t rtt_ns, clock_offset_ns; /* collector's wall clock minus ours; valid with rtt_ns > 0 */
};

struct client_stream_status {
    uint64_t confirmed, reported_lost; /* over all sessions */
};

void client_status(const struct client *c, struct client_status *ret);
void client_stream_status(const struct client *c, uint16_t id, struct client_stream_status *ret);
