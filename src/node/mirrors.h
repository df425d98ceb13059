/* SPDX-License-Identifier: Apache-2.0
 *
 * A collector's frames that come without a tap: sockets for what others mirror, a data thread that
 * reads them, and what is told of the senders. The sockets are opened with privileges; the rest
 * runs in the engine.
 */
#pragma once

#include <jansson.h>

#include "data/link/listen/listener.h"
#include "data/source/mirror/mirror.h"
#include "data/stage_list.h"
#include "node/outputs.h"
#include "node/teller.h"

enum {
    MIRRORS_VXLAN = 8, /* ports */
};

/* The wishes of a user. */
struct mirrors_conf {
    uint16_t vxlan[MIRRORS_VXLAN];
    unsigned n_vxlan;
    bool gre, erspan;
    uint16_t tzsp, ivtap; /* ports; 0: not asked for */
    struct cidr_list from;
};

bool mirrors_wished(const struct mirrors_conf *c);
/* Whether it is said whose frames are taken, if any are. -EINVAL with a sentence. */
int mirrors_allowed(const struct mirrors_conf *c, struct error *err);

struct mirrors_opened {
    struct mirror_socket socket[MIRROR_SOCKETS];
    unsigned n;
};

/* With privileges: the sockets, on this address alone (NULL: on all). -errno with a sentence. */
int mirrors_open(const struct mirrors_conf *c, const struct udp_addr *at,
                 struct mirrors_opened *ret, struct error *err);
/* Closes what is open. */
void mirrors_opened_done(struct mirrors_opened *o);

struct mirrors;

/* All is borrowed, and kept. */
struct mirrors_around {
    const struct mirrors_conf *conf;
    const struct mirrors_opened *opened;
    const struct outputs *outputs;   /* their last producer is for mirrored frames */
    struct sink *const *writer;      /* that producer's sinks, by place; FAN_SINKS */
    const struct stage_list *stages; /* that frames pass */
    bool restage;                    /* they may be replaced later */
    struct listener *listener;       /* whose history has the events */
};

/* Frames come from now on. 0, or -errno with a sentence. */
int mirrors_new(const struct mirrors_around *around, struct mirrors **ret, struct error *err);
/* To be called now and then: says which senders are new, and what ivTAP's clients say. -errno with
 * a sentence when nothing is read any more. */
int mirrors_look(struct mirrors *m, struct error *err);
/* Frames pass these stages from now on; the list outlives this. -EAGAIN, -ENOMEM. */
int mirrors_stages(struct mirrors *m, const struct stage_list *stages);
/* Frames go to this sink in that place, NULL: to none, and points have their ledgers in `output`.
 * `done` counts up when that is so. -EAGAIN, -ENOMEM. */
int mirrors_output(struct mirrors *m, unsigned place, struct sink *sink, struct sink *output,
                   _Atomic unsigned *done);
/* Ends the thread: its points leave the outputs. What was counted can still be read. */
void mirrors_stop(struct mirrors *m);
/* Takes NULL. */
void mirrors_free(struct mirrors *m);

/* For what is told of them: the source, and what was asked for. */
const struct source *mirrors_source(const struct mirrors *m);
const struct mirrors_around *mirrors_around(const struct mirrors *m);
