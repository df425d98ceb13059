/* SPDX-License-Identifier: Apache-2.0
 *
 * What client.c (sockets, handshakes, actions), client_session.c (records of an epoch) and
 * client_path.c (the way to the collector: how wide it is, and where it begins and ends) share.
 */
#pragma once

#include "data/client.h"
#include "data/link/clock.h"
#include "data/link/cookie.h"
#include "data/link/replay.h"
#include "model/pmtu.h"
#include "sys/udp.h"

enum {
    CLIENT_SAID = 4, /* sentences that are not said again within a minute */
    CLIENT_STREAMS = 256,
    CLIENT_ID_REKEYS = 2, /* before a stream's id is used again in a session */
    CLIENT_TICK_MS = 100,
    CLIENT_REPORT_MS = 1000,
    CLIENT_DRAIN_MS = 2000 + WORKER_DRAIN_MS, /* for data threads to send what they have, at the
                                                 end */
    CLIENT_CLOSE_MS = 2000,
    CLIENT_GONE_MS = 300,    /* what remains of that when the collector seems to have closed */
    CLIENT_SERVED_MS = 3000, /* a session whose frames are not taken by then is worth a word */
    CLIENT_SILENT_MS = 2200, /* two REPORTs are missing: is the socket still the right one? */
    CLIENT_LOOKUP_MS = 3500, /* and is the collector's address? */
    CLIENT_MOVE_MS = 1000,   /* between two looks at that */
    CLIENT_LONG_TRIES = 3,   /* of a STREAM with more than passes any path */
};

/* Keys of one handshake with what the control thread needs to use them. */
struct epoch {
    bool valid;
    struct handshake_keys keys;
    struct aead *tx, *rx;
    uint64_t counter; /* of records sent on stream 0 */
    struct replay replay;
};

struct stream {
    uint16_t id;
    struct client_stream conf;
    bool ending;              /* nothing more comes of it */
    bool end_known;           /* nor is there anything more to tell of it */
    bool acked;               /* the collector knows it: frames may flow */
    unsigned asked;           /* STREAMs sent */
    uint64_t told[2];         /* frames numbered, as of the last REPORT and the one before */
    bool stale;               /* its data thread has not got the newest key yet */
    bool ended;               /* nor been told that the session is over */
    uint64_t accounted, lost; /* as the collector last said of this session */
    uint64_t past_accounted, past_lost; /* of earlier sessions */
};

enum closing { OPEN, DRAINING, CLOSING, CLOSED };

struct client {
    struct loop *loop;
    struct client_conf conf;
    struct uplink uplink;
    struct handshake_tap handshake;
    struct udp_io io; /* fd -1: none */
    struct loop_fd *io_event;
    struct udp_addr peer, local;
    bool unsendable;       /* the socket does not send any more */
    bool looked_up;        /* in this silence */
    bool probes;           /* the collector answers them */
    bool too_narrow;       /* it was said that not even the smallest passes */
    struct mono next_move; /* not before then */
    struct pmtu pmtu;
    uint64_t passed[4]; /* frames numbered and received, datagrams and bytes sent, when the
                         * collector last reported */
    unsigned headers;   /* bytes of IP's and UDP's, on this socket */
    uint32_t found_mtu; /* what the last search came to, to be told once; 0: nothing */
    struct loop_timer *tick;
    struct mono next_report, close_deadline; /* the latter while draining, too */
    struct epoch current, previous, pending;
    uint64_t tag;                    /* of the session, or of the one that the handshake is for */
    uint8_t cookie[LINK_COOKIE_LEN]; /* goes into HELLOs until then */
    struct mono cookie_until;        /* {0}: there is none */
    uint32_t serial;                 /* of the session, for the workers' progress */
    bool announced;                  /* it was said that the session is up */
    struct stream stream[CLIENT_STREAMS]; /* in no order */
    uint16_t n_streams, last_id;
    uint32_t retired[LINK_STREAM_MAX + 1]; /* by id: re-keyings before its stream ended, + 1 */
    enum closing closing;
    int64_t last_now; /* the collector's wall time in its last REPORT, and when that came */
    struct mono last_at;
    struct link_clock clock;
    uint64_t life;         /* names this process's history */
    uint64_t events_known; /* of its events the collector knows this one and those before */
    struct client_status status;
    struct error refusal; /* why the collector (or who pretends to be it) refuses the handshake */
    struct {
        struct error words;
        struct mono at;
    } said[CLIENT_SAID]; /* what was wrong lately; the words are empty where there is nothing */
};

/* client_streams.c */
struct stream *client_find_stream(struct client *c, uint16_t id);
/* Goes on with streams that end. */
void client_end_streams(struct client *c);
/* A new session: every id is free that is not in use. */
void client_forget_ids(struct client *c);

/* client.c */
int client_use_socket(struct client *c, int fd);
/* Gives data threads the newest key and socket, as soon as they take them. */
void client_hand_out_keys(struct client *c);
void client_event(struct client *c, enum uplink_event event);
void client_say(struct client *c, bool error, const char *fmt, ...) _printf_(3, 4);

/* client_session.c */
int epoch_open(struct epoch *e, const struct handshake_keys *keys);
void epoch_close(struct epoch *e);
void client_send_info(struct client *c);
void client_send_streams(struct client *c);
void client_send_report(struct client *c, bool final);
/* A stream's counter has used up half of its bits: the session is to end before it is at their end.
 */
bool client_worn_out(const struct client *c);
/* The oldest event that the collector does not know of yet, if there is one. */
void client_send_event(struct client *c);
void client_send_close(struct client *c);
/* The last of one stream: its final report, and that it ends. */
void client_send_end(struct client *c, struct stream *s);
/* A sending key for a data thread; -errno. */
int client_worker_key(struct client *c, struct link_tx_key *ret);
void client_record(struct client *c, uint8_t *d, size_t len);
/* A record of the newest epoch, so large that the datagram has `size` bytes: PROBE. -EMSGSIZE: the
 * device does not take it. */
int client_send_probe(struct client *c, uint32_t token, uint32_t size);

/* client_path.c */
/* A session is up: the search begins. */
void client_path_up(struct client *c);
void client_path_down(struct client *c);
void client_path_tick(struct client *c, struct mono now);
void client_path_acked(struct client *c, const struct link_probe *ack);
/* The collector has told what came; `doubt`: it misses frames. */
void client_path_reported(struct client *c, bool doubt);
/* A record was sent; `r` as of udp_send_segments(). */
void client_path_sent(struct client *c, int r);
