/* SPDX-License-Identifier: Apache-2.0
 *
 * The source of frames that others mirror to this host without a tap, in VXLAN, GRE, ERSPAN and
 * TZSP, and of ivTAP's own clients. All of it comes in the clear, so that only a sender's address
 * speaks for it: packets of others than those allowed are counted and dropped.
 */
#pragma once

#include "data/source.h"
#include "data/source/mirror/points.h"
#include "sys/cidr.h"

enum {
    MIRROR_SOCKETS = 12,
};

enum mirror_kind {
    MIRROR_VXLAN,
    MIRROR_GRE, /* IP protocol 47: GRE and ERSPAN */
    MIRROR_TZSP,
    MIRROR_IVTAP,
};

struct mirror_socket {
    enum mirror_kind kind;
    uint16_t port; /* 0: of a raw socket */
    int fd;        /* of sys/dgram.h */
};

struct mirror_conf {
    const struct mirror_socket *socket; /* descriptors are borrowed; copied */
    unsigned n_sockets;                 /* 1 to MIRROR_SOCKETS */
    const struct cidr_list *from;       /* allowed senders; borrowed, and kept */
    bool gre, erspan;                   /* of protocol 47, these are asked for */
    struct mirror_points_conf points;
};

/* 0 or -errno. */
int mirror_source_new(const struct mirror_conf *conf, struct source **ret);

/* ---- any thread ---- */

/* The counts of packets that are no point's; MIRROR. */
const struct ledger *mirror_ledger(const struct source *s);

struct mirror_figures {
    uint64_t keepalives; /* of TZSP */
    uint64_t other_gre;  /* packets of IP protocol 47 that were not asked for */
};
void mirror_figures(const struct source *s, struct mirror_figures *ret);
/* The source's, and freed with it. */
struct mirror_points *mirror_source_points(const struct source *s);
