/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of node/mirror.h. A file calls those above it in this list:
 *
 *   mirror_wire.c   destinations whose copies are frames as on a cable (node/mirror_wire.h)
 *   mirror_group.c  flows that share a program: places in it, the program, its place in the kernel
 *   mirror.c        what is wanted
 */
#pragma once

#include "base/table.h"
#include "base/time.h"
#include "node/mirror_flow.h"
#include "node/mirror_wire.h"
#include "sys/filter.h"

enum mirror_way {
    MIRROR_INGRESS,
    MIRROR_EGRESS,
    MIRROR_WAYS,
};

/* Flows of one service from one port in one direction. */
struct mirror_key {
    uint8_t service[WANTED_ID];
    char source[IFNAMSIZ], destination[IFNAMSIZ];
    uint8_t way;
};

struct mirror_group {
    struct table_link by_key;
    struct mirror_key key;
    struct mirror *mirror;
    unsigned index;                         /* in mirror->group */
    struct mirrored *flow[EBPF_TAPS_FLOWS]; /* by their rows; NULL: none */
    uint32_t fresh; /* bits of rows that no program of this group has had yet */
    bool alone;     /* of one flow, with which no other one is to share a program */
    bool refused;   /* the last program could not be made, or the kernel did not take it */
    uint32_t stale; /* bits of rows that the program still counts in for a flow that has gone */
    unsigned n;
    int map, place;          /* -1: none */
    uint32_t program;        /* its number in the kernel */
    int source, destination; /* interfaces by index, for which the program was made; 0: none */
    uint32_t longest;
    uint16_t hatype;
    bool dirty; /* the program is not that of these flows */
    enum tap_state state;
    struct error why;
    struct mono again; /* what failed is not tried before */
    unsigned tries;
};

/* A flow that is wanted. */
struct mirrored {
    struct table_link by_id;
    unsigned place; /* in mirror->flow */
    struct mirror_flow flow, next;
    struct sock_filter *filter, *next_filter; /* owned */
    unsigned n_come;                          /* instructions of next_filter */
    bool complete;                            /* `flow` and `filter` are to be carried out */
    bool is_new;                              /* `next` is coming */
    bool marked;                              /* it was not told of anew */
    bool alone; /* no program was made or taken with it among others */
    struct {
        struct mirror_group *group; /* NULL: none */
        unsigned row;
        struct ebpf_taps_count base; /* of the row, when it became this flow's */
    } at[MIRROR_WAYS];
    struct ebpf_taps_count carried; /* of rows that it had before */
    struct error why;               /* it can join no group; "": it has */
};

struct mirror {
    struct table by_id, groups;
    uint64_t life;
    struct mirrored *flow[TAPWANT_MAX];
    unsigned n;
    struct mirror_group *group[2 * TAPWANT_MAX];
    unsigned n_groups;
    unsigned next; /* the group that mirror_groups_apply() goes on with */
    struct mirror_wires *wires;
    bool recovered; /* what another process had noted is put back */
    bool behind;    /* one before it has changed */
};

/* ---- mirror_group.c ---- */

/* The flow gets a row in a program of its kind. -ENOMEM, -ENOSPC. */
int mirror_join(struct mirror *m, struct mirrored *f, unsigned way);
/* It gives it back, if it has one, and keeps what it has counted. */
void mirror_part(struct mirrored *f, unsigned way);
/* The counts of its row, since that became its own. */
void mirror_counts(const struct mirrored *f, unsigned way, struct ebpf_taps_count *ret);
void mirror_add_counts(struct ebpf_taps_count *to, const struct ebpf_taps_count *c);
/* As mirror_apply(), until then. */
bool mirror_groups_apply(struct mirror *m, struct mono until);
/* `ret_words` is set where there is something to say. */
enum tap_state mirror_group_state(const struct mirror_group *g, const char **ret_words);
void mirror_groups_done(struct mirror *m);
