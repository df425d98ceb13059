/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside of a tap: tap.c assembles it, tap_edges.c gives its interfaces what they need of the
 * broker, of captures and of the dialer.
 */
#pragma once

#include "node/memory.h"
#include "node/tap.h"

struct tap {
    struct tap_around around;
    struct wake wake; /* signalled by captures */
    struct loop_fd *wake_event;
    struct loop_timer *timer;
    struct dialer *dialer;
    struct backlog_pool *backlog; /* NULL: none */
    struct memory memory;
    uint64_t seed; /* of the captures' experiments */
    struct history history;
    int watch; /* hears of interfaces; -1: none */
    struct loop_fd *watch_event;
    struct interfaces interfaces;
};

/* ---- tap_edges.c ---- */

/* Their user is a struct tap. */
extern const struct interface_ops tap_interface_ops;
extern const struct interfaces_ops tap_interfaces_ops;

/* Into the history, and told. */
void tap_event(struct tap *t, enum history_kind kind, const char *subject, const char *words);
/* Reads what the watch has, and hands it on. */
void tap_read_watch(struct tap *t);
