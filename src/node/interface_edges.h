/* SPDX-License-Identifier: Apache-2.0
 *
 * The edges of interfaces: what they need of the broker and of captures, alike for a tap and for a
 * meter, which add their own (node/tap_edges.h, node/meter_edges.h), and the socket on which the
 * kernel tells of them.
 */
#pragma once

#include "node/interfaces.h"
#include "node/teller.h"
#include "sys/broker.h"
#include "sys/loop.h"

/* Begins the structure that is the user of both tables. All is borrowed, but what the comments
 * say. */
struct interface_edges {
    const struct selection *select;
    struct loop *loop;
    struct broker *broker;
    const struct teller *teller;
    const struct wake *wake; /* signalled by captures */
    struct history *history;
    struct interfaces interfaces; /* owned, by interface_edges_init and _done */
    int watch;                    /* owned; -1: none */
    struct loop_fd *watch_event;  /* owned */
};

/* The rest is set, or is before interfaces_start. */
void interface_edges_init(struct interface_edges *e, const struct interfaces_conf *conf);
/* Ends the captures; what they serve has ended. */
void interface_edges_done(struct interface_edges *e);

/* Into the history, and told. */
void interface_edges_tell(const struct interface_edges *e, enum history_kind kind,
                          const char *subject, const char *words);
/* Reads what the kernel has told, and hands it on. */
void interface_edges_read(struct interface_edges *e);
/* After interfaces_start: waits, some seconds at most, until it is known which there are, and says
 * what is waited for. */
void interface_edges_settle(struct interface_edges *e);
/* Captures have published something: their errors and events are told. */
void interface_edges_woke(struct interface_edges *e);

/* "up", "down", "dead" or "gone". */
const char *interface_edges_state(const struct interface *i);

/* ---- rows of struct interface_ops ---- */

void interface_edges_event(void *user, enum history_kind kind, const char *subject,
                           const char *words);
void interface_edges_say(void *user, const char *text);
int interface_edges_open(void *user, const struct interface *i, struct tapped *ret,
                         struct ring **ret_ring, struct error *err);
int interface_edges_ring(void *user, struct interface *i, struct ring *ring,
                         const struct sock_filter *program, unsigned n, struct error *err);
int interface_edges_renew(void *user, struct interface *i, struct ring *ring,
                          const struct sock_filter *program, unsigned n, uint64_t known,
                          struct error *err);
struct history_event *interface_edges_told(void *user, const struct interface *i);
void interface_edges_free(void *user, struct interface *i);

/* ---- rows of struct interfaces_ops ---- */

int interface_edges_watch(void *user, struct error *err);
void interface_edges_unwatch(void *user);
int interface_edges_ask(void *user);
int interface_edges_netns(void *user, uint64_t *ret_id);
bool interface_edges_own(void *user, int index);
