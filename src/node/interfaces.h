/* SPDX-License-Identifier: Apache-2.0
 *
 * The lives of what a tap or a meter watches: interfaces that go down, vanish, come back as others,
 * those that a pattern takes up, and the namespace that they are in. Each keeps its observation
 * point, its capture and its counts (interface.h); only the ring is another one after each return.
 *
 * It is told what the kernel tells (interfaces_hear) and the time, and asks for more through its
 * table, which node/tap_edges.c and node/meter_edges.c fill and tests fake. A lost message has all
 * interfaces asked for again, and what the whole answer does not mention is gone.
 */
#pragma once

#include "node/interface.h"
#include "node/own.h"
#include "sys/ifwatch.h"

enum {
    INTERFACES_MAX = 256,      /* tapped at a time, with those that may come back */
    INTERFACES_GONE = 64,      /* of these that are gone; the others' counts are added up */
    INTERFACES_GONE_MS = 1000, /* after which one may be forgotten */
    INTERFACES_REFUSED = 32,   /* of which it was said that they are not tapped */
};

struct interfaces_ops {
    /* Begins to hear of the namespace's interfaces: interfaces_hear is called from then on. */
    int (*watch)(void *user, struct error *err);
    /* The end of that; only where it succeeded. */
    void (*unwatch)(void *user);
    int (*ask)(void *user); /* for all of them: each is told of, then IFWATCH_ALL. -errno: later */
    /* Which namespace the selection's is now; 0: it is gone. */
    int (*netns)(void *user, uint64_t *ret_id);
    bool (*own)(void *user, int index); /* is it on the list of a collector of this host? */
    bool (*session)(void *user);        /* with the collector: there is one now */
};

/* Those that are forgotten, and what they had counted. */
struct interfaces_gone {
    unsigned n;
    struct interface_counts counts;
};

struct interfaces {
    struct interface_room room; /* its user is also that of `ops` */
    const struct interfaces_ops *ops;
    struct interface *at[INTERFACES_MAX];
    unsigned n;
    struct interfaces_gone gone;
    bool crowded;      /* one found no place: look again when there is one */
    bool watching;     /* `watch` of the table has succeeded, and `unwatch` not come yet */
    struct mono asked; /* for all interfaces; {0}: the answer is complete */
    bool lost;         /* something was missed since: ask again */
    uint64_t netns_id; /* 0: gone */
    struct mono full_said;
    int refused[INTERFACES_REFUSED]; /* indexes */
    unsigned n_refused;
    struct own own;
};

struct interfaces_conf {
    const char *verb;               /* for sentences: "tapped" */
    const struct selection *select; /* borrowed */
    const struct interface_ops *each;
    const struct interfaces_ops *ops;
    void *user; /* of both */
};

void interfaces_init(struct interfaces *all, const struct interfaces_conf *conf);
/* Ends the captures; streams are the dialer's to end before. */
void interfaces_done(struct interfaces *all);

/* Opens what has a name, and watches from then on, which tells of what patterns match. `to`: the
 * collector, for sentences; NULL: there is none. */
int interfaces_start(struct interfaces *all, const char *to, struct mono now, struct error *err);
/* The first answer is complete: all that there was is taken up. */
bool interfaces_settled(const struct interfaces *all);
/* Says which words of the selection wait for an interface. */
void interfaces_say_waiting(const struct interfaces *all);
/* Every second at least: what has to be tried again, and whether the namespace is still there. */
void interfaces_tick(struct interfaces *all, struct mono now);

/* Another selection from now on, whose words are others: what none of them names is let go once
 * what it has is sent, what they name is taken up, and the others get their filter. The selection
 * before has to live on. */
void interfaces_select(struct interfaces *all, const struct selection *select, struct mono now);

/* The kernel tells something. `link` is not looked at with IFWATCH_ALL and IFWATCH_LOST. */
void interfaces_hear(struct interfaces *all, enum ifwatch_kind kind, const struct netif *link,
                     struct mono now);
/* That was all for now: if something was lost, all interfaces are asked for. */
void interfaces_heard(struct interfaces *all, struct mono now);

/* The tunnel's flow is another one (NULL: none): it is not to be captured. */
void interfaces_flow(struct interfaces *all, const struct ether_flow *flow);
/* Tells the events of the captures. */
void interfaces_tell(struct interfaces *all);
/* The stream of one has ended: its counts are added to those of the others that are gone. */
void interfaces_stream_ended(struct interfaces *all, uint16_t stream);
