/* SPDX-License-Identifier: Apache-2.0
 *
 * The structures and functions that the files of this folder share. Each file calls those above it
 * in this list, never those below it:
 *
 *   say.c      sentences for a person, and events of the tap's history
 *   epoch.c    the keys of one handshake
 *   senders.c  keys, sizes and news for the streams' senders
 *   out.c      what is sent: handshake messages and control records
 *   path.c     the width of the path
 *   move.c     the socket and the two addresses at its ends
 *   doubt.c    whether datagrams arrive
 *   streams.c  observation points that come and go
 *   act.c      events of model/uplink.h, and what it wants done
 *   in.c       what comes: handshake messages, control records, refusals
 *   dialer.c   the loop's events and timers, start and end
 */
#pragma once

#include "data/link/clock.h"
#include "data/link/cookie.h"
#include "data/link/dial/dialer.h"
#include "data/link/replay.h"
#include "model/arrival.h"
#include "model/pmtu.h"
#include "sys/udp.h"

enum {
    DIALER_SAID = 4, /* sentences that are not said again within a minute */
    DIALER_STREAMS = 256,
    DIALER_ID_REKEYS = 2, /* before a stream's id is used again in a session */
    DIALER_TICK_MS = 100,
    DIALER_STOOD_MS =
        LINK_SENDER_STOOD_MS, /* without a tick: this thread, or the machine, stood still */
    DIALER_REPORT_MS = 1000,
    DIALER_DRAIN_MS = 2000 + LINK_SENDER_DRAIN_MS, /* for data threads to send what they have, at
                                                 the end */
    DIALER_CLOSE_MS = 2000,
    DIALER_GONE_MS = 300,    /* what remains of that when the collector seems to have closed */
    DIALER_SERVED_MS = 3000, /* a session whose frames are not taken by then is worth a word */
    DIALER_SILENT_MS = 2200, /* two REPORTs are missing: is the socket still the right one? */
    DIALER_LOOKUP_MS = 3500, /* and is the collector's address? */
    DIALER_MOVE_MS = 1000,   /* between two looks at that */
    DIALER_LONG_TRIES = 3,   /* of a STREAM with more than passes any path */
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
    struct dialer_stream conf;
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

struct dialer {
    struct loop *loop;
    struct dialer_conf conf;
    struct uplink uplink;
    struct handshake_tap handshake;
    struct udp_io io; /* fd -1: none */
    struct loop_fd *io_event;
    loop_fd_fn *readable; /* takes the socket's events */
    struct udp_addr peer, local;
    bool tried;            /* the address in use has led to no session yet */
    bool unsendable;       /* the socket does not send any more */
    bool looked_up;        /* in this silence */
    bool probes, weights;  /* the collector answers those, understands these, … */
    bool extensions;       /* … and passes these over */
    bool flows;            /* it takes flow records in place of frames */
    bool too_narrow;       /* it was said that not even the smallest passes */
    struct mono next_move; /* not before then */
    struct pmtu pmtu;
    struct arrival arrival;
    uint64_t ended_frames; /* of this session's streams that have ended: nobody waits for them */
    uint32_t proof;        /* the token of this doubt's PROBEs; another for each doubt */
    struct mono doubted;   /* when it began */
    struct awake ticked;
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
    uint32_t serial;                 /* of the session, for the senders' progress */
    bool announced;                  /* it was said that the session is up */
    struct stream stream[DIALER_STREAMS]; /* in no order */
    uint16_t n_streams, last_id;
    uint32_t retired[LINK_STREAM_MAX + 1]; /* by id: re-keyings before its stream ended, + 1 */
    enum closing closing;
    enum link_close close_reason;
    int64_t last_now; /* the collector's wall time in its last REPORT, and when that came */
    struct mono last_at;
    struct link_clock clock;
    uint64_t life;         /* names this process's history */
    uint64_t events_known; /* of its events the collector knows this one and those before */
    struct dialer_status status;
    struct error refusal; /* why the collector (or who pretends to be it) refuses the handshake */
    struct {
        struct error words;
        struct mono at;
    } said[DIALER_SAID]; /* what was wrong lately; the words are empty where there is nothing */
};

/* say.c */
void dialer_say(struct dialer *c, bool error, const char *fmt, ...) _printf_(3, 4);
/* Adds an event about the collector to the tap's history. */
void dialer_note(struct dialer *c, enum history_kind kind, const char *words);

/* epoch.c */
int epoch_open(struct epoch *e, const struct handshake_keys *keys);
void epoch_close(struct epoch *e);

/* senders.c */
/* The collector takes the stream's frames: its sender begins, unless it cannot now. */
void dialer_senders_begin(struct dialer *c, struct stream *s);
/* Gives the newest key and socket to the senders that do not have them, as soon as they take them.
 */
void dialer_senders_keys(struct dialer *c);
/* The key or the socket is another one. */
void dialer_senders_rekey(struct dialer *c);
/* Datagrams have another size. */
void dialer_senders_size(struct dialer *c);
/* The session is in doubt, or no longer. */
void dialer_senders_hold(struct dialer *c, bool held);
/* The session is over. */
void dialer_senders_down(struct dialer *c);
bool dialer_senders_done(const struct dialer *c);
/* A stream's counter has used up half of its bits: the session is to end before it is at their end.
 */
bool dialer_worn_out(const struct dialer *c);

/* out.c */
/* Begins a handshake; the one before is forgotten. */
void dialer_send_hello(struct dialer *c);
void dialer_send_confirm(struct dialer *c);
void dialer_send_info(struct dialer *c);
void dialer_send_streams(struct dialer *c);
void dialer_send_report(struct dialer *c, bool final);
/* The oldest event that the collector does not know of yet, if there is one. */
void dialer_send_event(struct dialer *c);
void dialer_send_close(struct dialer *c);
/* The last of one stream: its final report, and that it ends. */
void dialer_send_end(struct dialer *c, struct stream *s);
/* A record of the newest epoch, so large that the datagram has `size` bytes: PROBE. -EMSGSIZE: the
 * device does not take it. */
int dialer_send_probe(struct dialer *c, uint32_t token, uint32_t size);

/* path.c */
/* A session is up, or goes on over another socket: the search begins. */
void dialer_path_begin(struct dialer *c);
void dialer_path_down(struct dialer *c);
/* For sessions that are up and have a socket. */
void dialer_path_tick(struct dialer *c, struct mono now);
void dialer_path_acked(struct dialer *c, const struct link_probe *ack);
/* The collector has told what came; `doubt`: it misses frames. */
void dialer_path_reported(struct dialer *c, bool doubt);

/* move.c */
/* Takes the descriptor, also where it fails. */
int dialer_use_socket(struct dialer *c, int fd);
void dialer_close_socket(struct dialer *c);
/* For sessions that are up and have a socket: looks for another one where nothing comes or goes.
 * True when the collector's name was looked up, after which it may be heard at another address
 * (UPLINK_MOVED). */
bool dialer_move_tick(struct dialer *c, struct mono now);

/* doubt.c */
/* A session is up: nothing was sent in it yet. */
void dialer_arrival_begin(struct dialer *c);
/* A report has come. True when it ends the doubt (UPLINK_PROVEN). */
bool dialer_arrival_reported(struct dialer *c, const struct link_report *r);
/* A stream of the session is no more. */
void dialer_arrival_ended(struct dialer *c, const struct stream *s);
/* Data threads keep frames, or no longer. */
void dialer_doubt_changed(struct dialer *c, bool held);
/* There is a reason to doubt that what is sent arrives, a new one. True when the session is not in
 * doubt yet (UPLINK_DOUBT). */
bool dialer_doubt(struct dialer *c);
/* True when the acknowledgment ends the doubt (UPLINK_PROVEN). */
bool dialer_doubt_acked(const struct dialer *c, const struct link_probe *ack);
/* True when there is a reason for doubt. */
bool dialer_doubt_tick(struct dialer *c, struct mono now);

/* streams.c */
struct stream *dialer_find_stream(struct dialer *c, uint16_t id);
/* Goes on with streams that end. */
void dialer_end_streams(struct dialer *c);
/* A new session: every id is free that is not in use. */
void dialer_forget_ids(struct dialer *c);

/* act.c */
void dialer_event(struct dialer *c, enum uplink_event event);

/* in.c */
/* A datagram has come. */
void dialer_datagram(struct dialer *c, uint8_t *d, size_t len);
/* Something came on the socket instead of an answer. */
void dialer_answered(struct dialer *c, enum udp_answer a);
