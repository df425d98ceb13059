/* SPDX-License-Identifier: Apache-2.0
 *
 * A table of flows: packets are added up until their flow ends, and then leave as a record. Both
 * directions of a conversation share one entry, and its record has the figures of each.
 *
 * Time is the packets' own and goes in with them, so that a result does not depend on how fast a
 * file was read. A flow ends when no packet of it has come for a while, when it has lasted so long
 * that its record is due, or by its TCP flags; a packet that comes then begins a new record, so
 * that each packet is in exactly one and records are deltas. Bounded: where no entry is free the
 * flow that was quiet for longest leaves early. Pure; the caller hashes keys, under a key of its
 * own, so that nobody can aim at a chain.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum {
    FLOWS_VLANS = 4,                /* tags that are part of the key */
    FLOWS_TAGGED = 0x8000,          /* set in each of them: VLAN 0 is one too */
    FLOWS_TUNNELS = 16,             /* kinds of tunnels, of which 0 is none */
    FLOWS_MAX = 1 << 26,            /* entries of a table */
    FLOWS_CLOSED_NS = NSEC_PER_SEC, /* for stragglers behind the end of a TCP connection */
};

enum {
    FLOWS_FIN = 0x01, /* TCP's flags (RFC 9293, section 3.1) that the table acts on */
    FLOWS_SYN = 0x02,
    FLOWS_RST = 0x04,
    FLOWS_ACK = 0x10,
};

/* A flow: the ends in the order that flows_key_order() gives them. Without padding: it is hashed
 * and compared as bytes. */
struct flows_key {
    uint8_t addr[2][16];        /* IPv4: 4 bytes, then zeros */
    uint32_t tunnel_id;         /* of the tunnel in which it is; 0: none */
    uint16_t port[2];           /* 0 where there are none */
    uint16_t vlan[FLOWS_VLANS]; /* the outermost first, FLOWS_TAGGED set; 0: no more */
    uint16_t point;             /* the observation point, < POINT_MAX */
    uint8_t proto;              /* IP protocol */
    uint8_t version : 4;        /* 4 or 6 */
    uint8_t tunnel : 4;         /* its kind, < FLOWS_TUNNELS */
};

_Static_assert(sizeof(struct flows_key) == 52, "a flow's key is hashed as bytes");

/* Puts the ends in order, the same for both directions. Returns the direction of a packet whose
 * source was end 0: 0, or 1 where the ends changed places. */
unsigned flows_key_order(struct flows_key *k);

/* One direction's figures. packets 0: no packet went that way, and the rest is 0. Sums end at
 * LEDGER_MOST (base/ledger.h). */
struct flows_way {
    uint64_t packets, bytes;
    int64_t first_ns, last_ns; /* struct wall; first <= last */
};

struct flows_entry {
    struct flows_key key;
    uint8_t tcp_flags[2];    /* all that were seen, or'ed */
    uint8_t tos[2];          /* of each way's first packet */
    struct flows_way way[2]; /* of packets whose source is end 0, and end 1 */
    uint8_t mac[2][6];       /* of the end 0 and 1, by the first packet; zeros: unknown */
    uint8_t initiator;       /* the end that began: the sender of a SYN, else of the first packet */
    uint8_t state;           /* the table's own, as the numbers at the end */
    uint16_t outer;          /* the caller's, 0 to begin with */
    uint32_t hash, next, older, newer;
};

_Static_assert(sizeof(struct flows_entry) == 152, "memory of a pair of directions");

/* flowEndReason (RFC 5102, section 5.11.3). */
enum flows_end {
    FLOWS_IDLE = 1,
    FLOWS_ACTIVE = 2,
    FLOWS_ENDED = 3,   /* by TCP's flags */
    FLOWS_FORCED = 4,  /* the meter ends */
    FLOWS_EVICTED = 5, /* for want of an entry */
};

struct flows_conf {
    uint32_t most;              /* entries, 1 to FLOWS_MAX */
    int64_t idle_ns, active_ns; /* 0: never */
    uint32_t clocks;            /* so many points have a time of their own; 0: one for all */
    /* Takes a record, which is gone afterwards. */
    void (*record)(void *user, const struct flows_entry *e, enum flows_end why);
    void *user;
};

struct flows;

/* A packet of a flow. */
struct flows_packet {
    struct flows_key key;    /* in order */
    uint64_t hash;           /* of the key */
    unsigned way;            /* 0: its source is end 0 */
    int64_t ts_ns;           /* >= 0 */
    uint64_t packets, bytes; /* it counts as so many, up to LEDGER_MOST: a super-packet, or one that
                              * stands for others, is several */
    uint8_t tcp_flags, tos;
    uint8_t mac[2][6]; /* source's and destination's; zeros: unknown */
};

/* Memory is taken as it is used. -ENOMEM. */
int flows_new(const struct flows_conf *conf, struct flows **ret);
/* Without a record of what is left. Takes NULL. */
void flows_free(struct flows *f);

/* Steps of a look-up for several packets at once, before they are added: each has the processor
 * fetch memory that the next step wants, so that a packet does not wait for it. They change nothing
 * and may be left out. */
enum flows_fetch { FLOWS_FETCH_CHAIN, FLOWS_FETCH_ENTRY, FLOWS_FETCH_NEIGHBOURS, FLOWS_FETCHES };
void flows_fetch(const struct flows *f, uint64_t hash, enum flows_fetch step);

/* Adds a packet, after flows_until() of its time or of a time before that. Returns the entry that
 * began with it, in which the caller may put what is its own; NULL: it was there. */
struct flows_entry *flows_add(struct flows *f, const struct flows_packet *p);
/* It is that late, at a point or at all, or was already: flows whose time has come leave, those
 * first that were quiet first. Where time goes back by more than a flow may be quiet, all of it
 * leave, and it begins anew. */
void flows_until(struct flows *f, uint16_t point, int64_t now_ns);
/* When the next leaves unless a packet of it comes; INT64_MAX: none does. */
int64_t flows_due(const struct flows *f);
/* All leave, or those of an observation point. */
void flows_end(struct flows *f);
void flows_end_point(struct flows *f, uint16_t point);
/* Shows each that is kept now, of a point those first that were closed, and then those that were
 * quiet for longest. Nothing changes. */
void flows_show(const struct flows *f, void (*fn)(void *user, const struct flows_entry *e),
                void *user);

uint32_t flows_now(const struct flows *f);
uint64_t flows_evicted(const struct flows *f);
