/* SPDX-License-Identifier: Apache-2.0
 *
 * Agents with a store in memory, in simulated time, and a data role that is played: at the other
 * end of a socket pair, it reads what it is told, acknowledges it, and says what a test wants.
 */
#pragma once

#include "control/agents.h"
#include "model/kinds.h"
#include "proto/rolemsg.h"

#define SEC INT64_C(1000000000)

enum {
    WALL = 1000000, /* s: when a world begins */
    PEER_FLOWS = 512,
};

/* The data role, as it is played. */
struct peer {
    int fd; /* -1: it is dead */
    uint64_t life;
    bool deaf;      /* it reads, and takes nothing of it */
    bool forgetful; /* it acknowledges nothing */
    bool greeted;
    uint64_t generation, applied;
    size_t n, n_has;
    bool came[WANTED_MAX];
    struct wanted part[WANTED_MAX], has[WANTED_MAX];
    unsigned wants; /* messages WANT that came */
    unsigned snapshots;
    uint32_t round;
    /* Tap flows, as they were told in this session. */
    struct tap_want flow[PEER_FLOWS]; /* the first n_flows, in any order */
    size_t n_flows;
    unsigned taps, untaps, sets;       /* messages TAP, UNTAP and TAPS that came */
    uint64_t flows_generation, let_go; /* of the last TAPS, and of the last TAPPED */
};

struct world {
    struct store *store;
    struct agents *agents;
    struct mono now;
    int64_t wall_ns;
    struct peer peer;
    bool no_peer;   /* nobody takes the other end */
    unsigned eager; /* a capture of which the peer tells, right behind its greeting, that it is
                     * done; 0: none */
    int waiting;    /* the other end of the last pair; -1: it was taken */
    unsigned connects;
    uint64_t published;
    bool ended;
    void *woken;
    char said[320];
};

void world_make(struct world *w);
void world_done(struct world *w);
/* New agents over the same store, as after a crash of control. */
void world_restart(struct world *w);
/* Time goes on, and both sides do what there is to do. */
void world_goes(struct world *w, int64_t ms);
/* The data role dies; a new life of it begins. */
void peer_kill(struct world *w);
void peer_start(struct world *w);
/* The peer reads what is there. */
void peer_read(struct world *w);
void peer_says(struct world *w, const struct rolemsg *m);
void peer_send_bytes(struct world *w, const void *p, size_t n);
/* Its report of the capture of that number, by the time of the wall clock in s. */
void peer_report(struct world *w, unsigned number, enum wanted_state state,
                 enum wanted_reason reason, int64_t from_s, int64_t until_s, uint64_t written);
/* One port of the round, and the end of a round. */
void peer_port(struct world *w, const char *name);
void peer_port_is(struct world *w, const char *name, bool up, bool faces_owner);
void peer_round(struct world *w, uint32_t n);
/* The place of the capture in its set; -1: it has none of that number. */
int peer_has(const struct world *w, unsigned number);
/* The tap flow as it was told; NULL: none of that number is wanted of it. */
const struct tap_want *peer_flow(const struct world *w, unsigned number);
/* Its report of that flow, with as many frames of 100 bytes, of which a tenth was dropped. */
void peer_flow_is(struct world *w, unsigned number, enum tap_state state, const char *words,
                  uint64_t frames);

/* A new capture of that number, of [start, stop) in s from the world's beginning on. */
void add_capture(struct world *w, unsigned number, int64_t start_s, int64_t stop_s);
void change_capture(struct world *w, struct object *o);
struct object get_capture(struct world *w, unsigned number);
/* The id of this host's port of that name. */
void port_id(const char *name, char ret[KIND_ID]);
/* A new service, and a new flow of both directions, of that number; ports by name. */
void add_service(struct world *w, unsigned number, const char *port);
void add_flow(struct world *w, unsigned number, const char *source, unsigned service);
/* The object of that number: false, there is none. *ret is object_done()'s. */
bool get_object(struct world *w, const struct kind *k, unsigned number, struct object *ret);
/* Fails the test unless it has this state. */
void check_state(struct world *w, unsigned number, const char *state);
/* How many events of that name there are; the words of the last one. */
unsigned count_events(struct world *w, const char *what, char words[320]);
