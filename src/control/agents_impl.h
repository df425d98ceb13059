/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of agents. A file calls those above it in this list:
 *
 *   agents_store.c         the transaction, events
 *   agents_ports.c         rounds of ports into the store
 *   agents_captures.c      what is wanted, and reports into the store
 *   agents_send.c          a message to the peer
 *   agents_taps.c          tap flows: what is wanted, and their statuses into the store
 *   agents_taps_reports.c  reports of them into the store
 *   agents_snaps.c         snapshots that are waited for
 *   agents_session.c       the socket: what comes, and what is told
 *   agents.c               one call after the other
 *   agents_loop.c          the loop
 */
#pragma once

#include "base/time.h"
#include "control/agents_conf.h"
#include "control/objects.h"
#include "model/capture.h"
#include "model/plan.h"
#include "model/taps.h"
#include "proto/rolemsg.h"

enum {
    AGENTS_PORTS = 1024, /* of a round */
    AGENTS_SNAPS = 16,   /* snapshots at once */
    AGENTS_LOOK_MS = 1000,
    AGENTS_RATE = 4096,    /* messages a second */
    AGENTS_AT_ONCE = 1024, /* messages of one call */
};

/* A capture as it is told. */
struct agents_want {
    uint8_t id[WANTED_ID];
    uint64_t version;
    uint8_t *body; /* owned: as of wanted_put() */
    size_t len;
    struct mono heard; /* the last report of it, or when it was wanted first */
    int64_t told_ns;   /* wall clock: when this life of the peer was told of it; 0: not yet */
};

struct agents_wants {
    struct agents_want at[WANTED_MAX]; /* in order of ids */
    size_t n;
};

/* A tap flow as it is told. */
struct agents_tap {
    uint8_t id[WANTED_ID];  /* first: it is searched by it */
    uint64_t version, told; /* a hash of its body; the one that was told in this session; 0: none */
    uint8_t *body;          /* owned: as of tap_want_put() */
    size_t len;
    enum taps_reported reported; /* of this version */
    char words[WANTED_WORDS];
};

struct agents_taps {
    struct agents_tap *at; /* owned; wanted, in order of ids */
    size_t n;
    uint8_t (*gone)[WANTED_ID]; /* owned; were told, and are not wanted any more */
    size_t n_gone;
    uint64_t generation; /* of this set */
    size_t next;         /* those before it are told */
    bool untold, acknowledged;
    bool changed;         /* a look is due */
    bool leaving;         /* some wait to be let go of, … */
    struct mono leave_at; /* … and the first of them goes then, whoever has not let go of it */
    int64_t look_ns;      /* wall clock: when the store was looked at */
};

struct agents_snap {
    void *waiter; /* NULL: it is free */
    uint8_t id[WANTED_ID];
    int result; /* -EAGAIN: it is waited for */
    bool wakes; /* the waiter is to be told at the end of the call */
    struct mono until;
};

struct agents_told {
    char id[KIND_ID];
    uint64_t published;
    bool ended;
};

struct agents_ports {
    uint32_t round;
    bool whole; /* the round is over, and not yet in the store */
    size_t n;
    struct wanted_port at[AGENTS_PORTS];
};

enum agents_state {
    AGENTS_AWAY,  /* no socket */
    AGENTS_CALLS, /* HELLO was sent */
    AGENTS_OPEN,  /* HELLO came */
};

struct agents {
    struct agents_conf conf;
    struct mono began;
    /* The session. */
    enum agents_state state;
    int fd;
    uint64_t life; /* of the peer; stays when the session is lost; 0: none was known */
    struct mono connect_at, since;
    int64_t again_ms;   /* before the next try, if this session ends soon */
    struct mono window; /* when the counted second began, … */
    unsigned in_window; /* … and the messages in it */
    /* The set, and how far it is told. */
    struct plan plan;
    struct agents_wants wants;
    bool telling, blocked; /* blocked: the socket takes nothing now */
    uint64_t telling_generation;
    size_t next;
    /* The look at what is wanted. */
    bool changed;
    struct mono look_at;
    struct mono clock_mono;
    struct wall clock_wall, wall;
    /* The transaction. */
    bool under_way;
    int broken; /* errno: it must not be committed */
    struct agents_told told[WANTED_MAX];
    size_t n_told;
    struct error said; /* the last failure that was said */
    struct agents_ports ports;
    struct agents_taps taps;
    struct agents_snap snap[AGENTS_SNAPS];
    /* The loop. */
    struct loop *loop;
    struct loop_fd *watch;
    struct loop_timer *timer;
    int watched;
};

/* ---- agents_store.c ---- */

/* Each begins the transaction if none is under way. A failure is kept until the end. */
int agents_put(struct agents *a, struct object *o);
int agents_remove(struct agents *a, const struct object *o);
void agents_event(struct agents *a, const char *what, const struct object *of, const char *fmt, ...)
    _printf_(4, 5);
void agents_publish(struct agents *a, const char *id, uint64_t published, bool ended);
/* Ends the transaction, and tells then. False: nothing of it is there. */
bool agents_commit(struct agents *a);
void agents_say(struct agents *a, const struct error *err);

/* ---- agents_ports.c ---- */

/* -EBADMSG with a sentence. */
int agents_port(struct agents *a, const struct rolemsg *m, struct error *err);
void agents_ports_end(struct agents *a, const struct rolemsg *m);
void agents_ports_store(struct agents *a);

/* ---- agents_captures.c ---- */

void agents_look(struct agents *a, struct mono now);
/* All that is wanted was told; or the peer has a new life, which was told nothing yet. */
void agents_was_told(struct agents *a);
void agents_was_born(struct agents *a);
void agents_report(struct agents *a, const struct wanted_is *is, struct mono now);
void agents_wants_done(struct agents_wants *w);

/* ---- agents_send.c ---- */

/* 0; -EAGAIN: the socket takes nothing now; another -errno: it takes nothing any more. */
int agents_send(struct agents *a, const struct rolemsg *m);

/* ---- agents_taps.c ---- */

/* Goes through all flows where something has changed. */
void agents_taps_look(struct agents *a);
/* Removes those that were deleted and that nobody carries out any more. */
void agents_taps_reap(struct agents *a);
/* A session has begun, or is over: nothing is told, and nothing known. */
void agents_taps_session(struct agents *a);
/* Tells changes: 0, or as agents_send(). */
int agents_taps_tell(struct agents *a);
void agents_tapped(struct agents *a, uint64_t generation);
/* NULL: it is not wanted. */
struct agents_tap *agents_tap_find(const struct agents_taps *t, const uint8_t id[WANTED_ID]);
void agents_taps_no_memory(struct agents *a);
void agents_taps_done(struct agents *a);

/* ---- agents_taps_reports.c ---- */

void agents_tap_report(struct agents *a, const struct tap_is *is);

/* ---- agents_snaps.c ---- */

/* As agents_snapshot(). */
int agents_snap(struct agents *a, const uint8_t id[WANTED_ID], void *waiter, struct mono now,
                struct error *err);
void agents_snapped(struct agents *a, const struct rolemsg *m);
void agents_snaps_lost(struct agents *a);
void agents_snaps_expire(struct agents *a, struct mono now);
/* Wakes those whose result is known: after the transaction, as they begin one of their own. */
void agents_snaps_wake(struct agents *a);

/* ---- agents_session.c ---- */

void agents_session(struct agents *a, struct mono now);
void agents_tell(struct agents *a, struct mono now);
/* Ends the session; `words` say why, "" for its peer's end. */
void agents_lose(struct agents *a, struct mono now, const char *words);
