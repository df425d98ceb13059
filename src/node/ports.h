/* SPDX-License-Identifier: Apache-2.0
 *
 * The ports among a collector's outputs (data/sink/port.h), in the engine's control thread: the
 * kernel tells of each change of an interface (sys/ifwatch.h), and each port is told whether it is
 * up, has a carrier, and what it carries. A port whose interface was removed gets another socket
 * from the broker when its name comes back.
 */
#pragma once

#include "data/link/listen/listener.h"
#include "node/outputs.h"
#include "sys/broker.h"
#include "sys/ifwatch.h"
#include "sys/loop.h"

enum {
    PORTS_TELL_MS = 5000,
};

struct port_seen {
    const struct sink *sink; /* whose place it is; NULL: nobody's */
    int ifindex;             /* of the interface that its socket is bound to; 0: none */
    unsigned state;          /* enum port_state */
    uint32_t mtu;
    bool told_mtu;            /* that frames were too long for this MTU */
    bool refused;             /* why the name's interface is no port was told */
    struct sink_readers told; /* who reads an output, as last told, … */
    struct mono next;         /* … and before when it is not told again */
};

struct ports {
    struct outputs *outputs; /* borrowed, as all here but the descriptor */
    struct listener *listener;
    struct broker *broker;
    const struct teller *teller;
    struct loop *loop;
    struct loop_fd *heard;
    int watch;                        /* of ifwatch_open(); -1: there are no ports */
    struct port_seen seen[FAN_SINKS]; /* by place */
};

/* Whether the list has a port, so that `watch` has to be opened. */
bool ports_wished(const struct output_list *list);
/* From now on; the fields up to `loop` and `watch` are set. 0 or -errno with a sentence. */
int ports_begin(struct ports *p, struct error *err);
/* Now and then: says which of the list's outputs were too narrow for frames, once each, and how
 * many read one, once in PORTS_TELL_MS at most. */
void ports_look(struct ports *p, struct mono now);
/* Takes one that never began. */
void ports_end(struct ports *p);

/* An ifwatch_fn, for what the kernel tells of an interface. `ports` is a struct ports. */
void ports_hear(void *ports, enum ifwatch_kind kind, const struct netif *link);
