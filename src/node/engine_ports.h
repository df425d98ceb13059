/* SPDX-License-Identifier: Apache-2.0
 *
 * The ports of a data role that somebody wants: interfaces, each with one ring and one thread
 * (node/capture.h) whoever wants its frames, whose pipeline ends in a spread (data/sink/spread.h).
 * A port's ring is opened when it is wanted and given up when it is not; the interface may come and
 * go meanwhile (node/interfaces.h).
 */
#pragma once

#include "data/sink/spread.h"
#include "node/interface_edges.h"

struct engine_ports;
struct engine_port;

struct engine_ports_conf {
    struct loop *loop;
    struct broker *broker;
    const struct teller *teller;
    const struct wake *wake;        /* signalled by ports when something is to be looked at */
    const struct selection *select; /* how frames are taken; its words are of no matter here */
};

int engine_ports_new(const struct engine_ports_conf *conf, struct engine_ports **ret,
                     struct error *err);
/* Ends the threads of all ports. Takes NULL. */
void engine_ports_free(struct engine_ports *p);

/* The names that are wanted from now on, up to INTERFACES_MAX, each shorter than IFNAMSIZ and
 * there once, in any order. */
void engine_ports_want(struct engine_ports *p, const char *const *names, unsigned n,
                       struct mono now);
/* How their frames are taken, from the next engine_ports_want on that brings others. The selection
 * is borrowed. */
void engine_ports_select(struct engine_ports *p, const struct selection *select);
/* Several times a second, and when the wake was signalled. */
void engine_ports_tick(struct engine_ports *p, struct mono now);
/* The wall clock was set by so much. */
void engine_ports_shift(struct engine_ports *p, int64_t ns);
/* The port of that name; NULL: there is none (yet, or any more). */
struct engine_port *engine_ports_find(struct engine_ports *p, const char *name);
/* The port that has that number, which no other had, also while it is being given up. NULL: its
 * thread has ended, which so knows no consumer any more. */
struct engine_port *engine_ports_get(struct engine_ports *p, uint64_t number);
uint64_t engine_port_number(const struct engine_port *port);
/* Since when its ring takes frames (struct wall); 0: it has no ring now. */
int64_t engine_port_since(const struct engine_port *port);
/* The time up to which all frames of the present ring were given to its consumers; 0: none. */
int64_t engine_port_read(const struct engine_port *port);
/* The port's own ledger, from the ring to its end. */
const struct ledger *engine_port_ledger(const struct engine_port *port);
/* The thread is to run soon, so that engine_port_read() tells more. */
void engine_port_look(const struct engine_port *port);

/* A consumer gets a place: its number, or -ENOSPC, -ENOMEM, -EAGAIN. `meter` says that the sink is
 * a meter by reads, which is told how far the port was read. *ret_at becomes the time from which on
 * no frame was read before the consumer had its place; 0 until then. What the wishes point to stays
 * until the place is given up. */
int engine_port_add(struct engine_port *port, const struct spread_want *w, bool meter,
                    _Atomic int64_t *ret_at);
/* The same consumer has other wishes. 0, -ENOMEM or -EAGAIN. */
int engine_port_change(struct engine_port *port, unsigned place, const struct spread_want *w);
/* The place is to be free; once `*ret_gone` is true the thread knows nothing of the consumer any
 * more. 0, -ENOMEM or -EAGAIN. */
int engine_port_remove(struct engine_port *port, unsigned place, _Atomic bool *ret_gone);
