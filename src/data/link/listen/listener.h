/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector's end of the link, in the control thread: answers handshakes, keeps sessions, keys
 * and the list of taps with their ledgers, and tells the data thread (receiver.h) what belongs to
 * what. All state that an unproven address can cause is bounded.
 */
#pragma once

#include "base/history.h"
#include "data/fan.h"
#include "data/link/handshake.h"
#include "data/link/receive/receiver.h"
#include "data/stage_list.h"
#include "model/clock.h"

struct listener;

/* A TAP device, and what is known of it. */
struct listener_device {
    int fd;          /* -1: there is none */
    char name[16];   /* "ntap-web1" */
    bool cut;        /* it does not hold the tap's whole name */
    bool down, gone; /* as its owner has found it; and the next try to make it again */
    unsigned tries;
    struct mono next;
};

struct listener_ops {
    /* A device for this tap; ret->fd -1 when one device serves all, or there is none. The
     * descriptor is the listener's to close when the tap is gone. */
    int (*device)(void *user, const char *tap, struct listener_device *ret, struct error *err);
    void (*say)(void *user, bool error, const char *text);
    /* A data thread has given up, as it has said: nothing is received any more. */
    void (*failed)(void *user);
};

struct listener_conf {
    struct handshake_conf handshake; /* borrowed strings and lists */
    const int *fd;                   /* a socket for each data thread (udp_bind); borrowed */
    unsigned n_threads;              /* in [1, RECEIVER_THREADS] */
    const struct stage_list *stages; /* that frames pass; borrowed, and kept; NULL: none */
    bool restage;                    /* they may be replaced later */
    bool align;                      /* times of frames become those of our clock */
    struct sink *const *outputs;     /* those of each data thread, one after the other; borrowed */
    unsigned n_outputs;              /* places of one data thread: NULL, where one is free */
    const struct listener_ops *ops;
    receiver_record *record; /* by data threads: takes flow records; NULL: nobody does */
    void *user;              /* of both */
};

/* -EINVAL: more outputs than FAN_SINKS. */
int listener_new(struct loop *loop, const struct listener_conf *conf, struct listener **ret,
                 struct error *err);
/* Tells the taps, closes all books and ends the data threads; outputs can be finished then, and
 * listener_each still tells the ledgers. */
void listener_stop(struct listener *s);
void listener_free(struct listener *s);

/* The effects of a list that was read anew. */
struct listener_allowed {
    size_t taps, added, removed, changed; /* keys; changed: another name or pre-shared key */
    unsigned sessions;                    /* closed for that */
};

/* NOISE: from now on these taps are allowed and no others. Sessions of taps that are not on the
 * list any more, or have another name or pre-shared key, are closed at once; the others do not
 * notice. `list` is taken (and left empty), and the one before is not used any more. */
void listener_set_allow(struct listener *s, struct allow_list *list, struct listener_allowed *ret);

/* Frames pass these stages from now on; the list outlives the listener. -EAGAIN, -ENOMEM: not in
 * each data thread. */
int listener_stages(struct listener *s, const struct stage_list *stages);

/* The output in that place, which is free, or no longer is: its ledgers are those of the points
 * from now on. NULL: there is none any more; no data thread has it by then. */
void listener_place(struct listener *s, unsigned place, struct sink *output);
/* Has one data thread give frames to its sink of the output in that place, NULL: to none. `done`
 * counts up when that is so. -EAGAIN, -ENOMEM: it does not come to that. */
int listener_output(struct listener *s, unsigned thread, unsigned place, struct sink *output,
                    _Atomic unsigned *done);

/* The counts of observation points that are not in the list any more, because others needed the
 * place: the sums still hold. */
struct listener_past {
    uint64_t n; /* of points */
    struct ledger rx, reported, out[FAN_SINKS];
};

/* The traffic of a tap, sent and received, over all its interfaces and sessions. */
struct listener_traffic {
    uint64_t frames_sent, frames_received;            /* numbered by the tap, and given on here */
    uint64_t bytes_sent, bytes_received;              /* of frames; sent: as its last REPORTs say */
    uint64_t frames_missing, bytes_missing;           /* the difference: lost, or under way, … */
    uint64_t frames_missing_most, bytes_missing_most; /* … and the largest that it was */
    bool bytes_known;  /* the tap sent nothing before this collector knew it: bytes compare */
    uint64_t restarts; /* of captures to which nothing came */
};

enum listener_state {
    LISTENER_SILENT, /* nothing is heard of it, and it did not say that it ends */
    LISTENER_UP,
    LISTENER_LIMITED, /* it has stopped: more was to be sent than its limit allows */
    LISTENER_IDLE,    /* it has stopped: nothing came to its interfaces */
    LISTENER_REVOKED, /* it is not on the list any more, or is another there */
    LISTENER_ENDED,   /* by itself, in order */
};

/* "stopped-by-limit" */
const char *listener_state_word(enum listener_state state);

/* One tap, live or gone, for people and programs. */
struct listener_peer {
    const char *name, *host, *software;
    bool live;
    bool silent;                 /* live, but not heard for some seconds */
    char address[UDP_ADDR_TEXT]; /* where it was last heard from */
    const char *cipher;
    struct mono since, heard;
    unsigned sessions, rekeys;
    unsigned moves; /* how often it went on from another address */
    /* Sessions that ended without the tap's last word: what it sent after its last report and what
     * did not come is in no count. */
    unsigned unclosed;
    unsigned refused;                /* interfaces that it announces and that are not taken */
    int64_t rtt_ns, clock_offset_ns; /* the tap's wall clock minus ours; valid with rtt_ns > 0 */
    enum listener_state state;
    struct listener_traffic traffic;
    const char *rung;  /* the step of its limit, by its events; "": it told of none */
    uint64_t breaches; /* intervals at its rate, by its events (--on-limit stop) */
    bool has_clock;    /* the tap is live and its clock is known: */
    struct clock_estimate clock;
    bool aligned;         /* times of its frames are corrected by then */
    unsigned clock_jumps; /* how often it was set, or the like */
    struct point *const *points;
    unsigned n_points;
    const struct listener_device *device;
    const struct history *history;    /* as the tap tells it */
    const struct listener_past *past; /* NULL: all its interfaces are in the list */
};

/* Taps that were gone for longest when there was no room for another name: nothing is left of them
 * but what they counted. */
struct listener_forgotten {
    uint64_t taps, sessions, unclosed;
    struct listener_past past;
};
const struct listener_forgotten *listener_forgotten(const struct listener *s);

typedef void listener_peer_fn(void *user, const struct listener_peer *tap);
void listener_each(const struct listener *s, listener_peer_fn *fn, void *user);

/* The devices of taps that have one. What `fn` changes of a device stays changed. */
typedef void listener_device_fn(void *user, const char *tap, struct listener_device *d);
void listener_each_device(struct listener *s, listener_device_fn *fn, void *user);

/* The collector's events: sessions of taps, and those that the caller adds. */
const struct history *listener_history(const struct listener *s);
/* `subject` is a tap's name, or an output's. */
void listener_event(struct listener *s, enum history_kind kind, const char *subject,
                    const char *words);

struct listener_counters {
    uint64_t handshakes, accepted; /* HELLOs read, sessions or keys that came of them */
    uint64_t revoked;              /* sessions closed as their taps went off the list */
    uint64_t unanswered;           /* as too many answers had not left yet */
    uint64_t cookies, put_off;     /* HELLOs answered by a cookie; left for later */
    uint64_t wrong_secret, wrong_key, wrong_method, wrong_version, slowed;
    struct receiver_figures receiver; /* of all data threads, … */
    unsigned n_threads;
    uint64_t datagrams_of[RECEIVER_THREADS]; /* … and what each of them received */
};
void listener_counters(const struct listener *s, struct listener_counters *ret);
