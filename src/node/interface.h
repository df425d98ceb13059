/* SPDX-License-Identifier: Apache-2.0
 *
 * One interface that is tapped or metered: its capture and stream, which stay for as long as it is
 * remembered, and its ring, which is another one after each return. It is the same observation
 * point then. interfaces.c has all of them and says when each is taken up and let go; what that
 * needs of the broker, of captures and of the link goes through a table, which
 * node/tap_edges.c and node/meter_edges.c fill and tests fake.
 */
#pragma once

#include <net/if.h>

#include "base/history.h"
#include "model/idle.h"
#include "node/capture.h"
#include "node/selection.h"
#include "proto/ether.h"

struct interface {
    char name[IFNAMSIZ];
    const struct selection_word *word;
    bool there;        /* it has a ring, of the interface `now` */
    bool ending;       /* it is being forgotten: capture and stream end */
    bool seen;         /* since all were asked for */
    struct tapped now; /* or as it was last */
    struct mono gone;  /* since when it is not there */
    struct mono retry; /* it could not be opened: the next try */
    struct capture *capture;
    uint16_t stream;   /* of the link, or the observation point of a meter */
    struct idle idle;  /* the watchdog's; see node/watchdog.h for these three */
    uint64_t reopened; /* times that the ring was opened anew, as they were told */
    unsigned restart;  /* which of those in a row the last one was */
};

/* How it announces itself: the link type that its frames have in a capture file, and its kind. */
struct interface_kind {
    uint16_t linktype, arphrd;
};

/* The capture's counts, and what a collector has said of its frames; zeros where there is none. */
struct interface_counts {
    struct ledger ledger;
    struct interface_said {
        uint64_t confirmed, reported_lost, unconfirmed;
    } said;
};

struct interface_ops {
    /* Something happened to `subject`: for the history, and for people. */
    void (*event)(void *user, enum history_kind kind, const char *subject, const char *words);
    void (*say)(void *user, const char *text);
    /* Its capture, without a ring yet, and its stream. -ENOSPC: no stream can be added now. */
    int (*start)(void *user, struct interface *i, const struct interface_kind *kind,
                 struct error *err);
    /* The ring of the interface that has its name now, and that as it is. -EAGAIN: its former rings
     * have not been given up yet; -ENODEV or -ENOENT: it is not there. */
    int (*open)(void *user, const struct interface *i, struct tapped *ret, struct ring **ret_ring,
                struct error *err);
    /* The capture gets this ring, which is taken, with its program; NULL: none. */
    int (*ring)(void *user, struct interface *i, struct ring *ring,
                const struct sock_filter *program, unsigned n, struct error *err);
    /* The capture gets a second ring, which is taken, in place of the one in use if that accepts no
     * more than `known` frames (capture_renew). */
    int (*renew)(void *user, struct interface *i, struct ring *ring,
                 const struct sock_filter *program, unsigned n, uint64_t known, struct error *err);
    /* The ring gets another program, which is taken; `flow` is the tunnel's (NULL: none). */
    int (*filter)(void *user, struct interface *i, struct filter_prog *program,
                  const struct ether_flow *flow);
    /* The stream is of this kind now. */
    void (*kind)(void *user, struct interface *i, const struct interface_kind *kind);
    /* Capture and stream end: interfaces_stream_ended follows. */
    void (*end)(void *user, struct interface *i);
    /* The next event that the capture tells, or NULL; freed by the caller. */
    struct history_event *(*told)(void *user, const struct interface *i);
    void (*counts)(void *user, const struct interface *i, struct interface_counts *ret);
    /* The capture is no more. */
    void (*free)(void *user, struct interface *i);
};

/* All that the interfaces have in common. */
struct interface_room {
    const char *verb; /* for sentences: an interface is "tapped" or "metered" */
    const struct selection *select;
    const struct interface_ops *ops;
    void *user;
    bool has_flow, has_former;
    struct ether_flow flow;   /* of the tunnel, which is not to be captured, … */
    struct ether_flow former; /* … and the one before: a session may move to another address */
    struct sock_filter program[BPFSEL_MAX]; /* where one is made */
};

/* Tells of an event. */
void interface_event(const struct interface_room *room, enum history_kind kind, const char *subject,
                     const char *fmt, ...) _printf_(4, 5);

/* With a capture and a stream, without a ring. `kind`: what is known of it. -ENOSPC: no stream can
 * be added now. */
int interface_new(struct interface_room *room, const char *name, const struct selection_word *word,
                  const struct tapped *kind, struct mono now, struct interface **ret,
                  struct error *err);
/* Takes NULL. */
void interface_free(struct interface_room *room, struct interface *i);

/* Gives it a ring of the interface that has its name now; where it is not there, or cannot be
 * tapped, -errno, and it is tried again later. -EALREADY: it has that ring. */
int interface_bring_up(struct interface_room *room, struct interface *i, struct mono now,
                       struct error *err);
/* The same with an event that says what came of it. */
void interface_take(struct interface_room *room, struct interface *i, struct mono now);
/* Nothing comes: its capture is opened anew, unless its ring accepts more than `known` frames until
 * then. -EAGAIN: its former rings have not been given up yet; -ENODEV: it is another one now, of
 * which the kernel will tell. */
int interface_renew(struct interface_room *room, struct interface *i, uint64_t known,
                    struct error *err);
/* It has no ring from now on; what is in the old one is sent and counted. */
void interface_let_go(struct interface_room *room, struct interface *i, struct mono now);
/* It is the one that is tapped, and is like `link` now. -errno: it cannot be tapped any more. */
int interface_changed(struct interface_room *room, struct interface *i, const struct netif *link,
                      struct mono now, struct error *err);
/* It will not come back. */
void interface_end(struct interface_room *room, struct interface *i);
/* The tunnel's flow is another one. */
void interface_set_filter(struct interface_room *room, struct interface *i);
/* Tells the events of its capture: that it gives what was sent, and those of stages. */
void interface_tell(struct interface_room *room, struct interface *i);
