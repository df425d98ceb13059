/* SPDX-License-Identifier: Apache-2.0
 *
 * The tap flows that are wanted of a data role: their filters are compiled, the broker is told of
 * them (node/mirror_requests.h), and what it makes of them is told on. The broker has them in the
 * kernel, where they go on when this process dies; its next life tells the broker all of them anew
 * before any is given up.
 */
#pragma once

#include "proto/rolemsg.h"
#include "sys/broker.h"

struct engine_taps_conf {
    struct broker *broker; /* with the requests of node/mirror_requests.h */
    /* A message to whoever wants them; false: not now. */
    bool (*send)(void *user, const struct rolemsg *m);
    void *user;
};

struct engine_taps;

/* -ENOMEM. */
int engine_taps_new(const struct engine_taps_conf *conf, struct engine_taps **ret);
/* Flows stay as the broker has them. Takes NULL. */
void engine_taps_free(struct engine_taps *t);

/* A session has begun: whoever wants flows tells all of them, and is told all. */
void engine_taps_begun(struct engine_taps *t);
/* The messages TAP, UNTAP and TAPS. -EBADMSG: the set has another number of flows; -ENOSPC,
 * -ENOMEM: the session is to begin anew. */
int engine_taps_take(struct engine_taps *t, const struct rolemsg *m);
/* Interfaces have changed. */
void engine_taps_look(struct engine_taps *t);
/* Goes on, now and then and at engine_taps_due(). */
void engine_taps_tick(struct engine_taps *t, struct mono now);
struct mono engine_taps_due(const struct engine_taps *t);
/* Tells what there is to tell, as long as that is taken. */
void engine_taps_tell(struct engine_taps *t);
