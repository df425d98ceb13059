/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap's decisions in the kernel beyond the user's expression, as classic BPF: which
 * direction, which VLANs, and that the datagrams of farspan's links, or of the own tunnel only, are
 * never captured (capturing them would make more of them). The prelude made here stands before the
 * program that libpcap compiled (sys/filter.h), which starts as if it were alone: registers zero,
 * frame untouched. The result goes to a packet socket (sys/ring.h). Pure: no system call.
 *
 * Numbers of the ancillary loads: linux/filter.h; the language: Documentation/networking/filter.rst
 * of the kernel. A load beyond the frame ends a program with "refuse", so every load in the prelude
 * is behind a check of the length: a frame too short to decide on goes to the user's program.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/batch.h"
#include "base/error.h"
#include "base/parse.h"

enum {
    BPFSEL_MAX = 4096, /* BPF_MAXINSNS: what the kernel takes */
};

/* One UDP flow, matched in both directions. What is unknown (an address of zeros, a port 0) is not
 * compared; at least the remote side must be known. */
struct bpfsel_flow {
    int family;                       /* AF_INET or AF_INET6 (not v4-mapped) */
    uint8_t local[16], remote[16];    /* network order; AF_INET: the first four bytes */
    uint16_t local_port, remote_port; /* host order */
};

struct bpfsel_conf {
    bool raw_ip;                  /* frames start with the IP header: no Ethernet, no VLANs */
    enum frame_dir dir;           /* FRAME_DIR_UNKNOWN: both */
    const struct vlan_set *vlans; /* NULL: all, untagged ones too */
    bool
        no_outputs; /* refuse what a collector of this host gives out of a port (base/sockmark.h) */
    uint32_t no_mark; /* refuse frames that have this mark, too; 0: none */
    bool no_links;    /* refuse the datagrams of every link, which are known by link_is_datagram */
    const struct bpfsel_flow *flows; /* to refuse as well */
    unsigned n_flows;
    const struct sock_filter *user; /* NULL: accept `snaplen` bytes of what is left */
    unsigned n_user;
    uint32_t snaplen; /* with `user` NULL or slice_up_to: bytes to keep of a frame; 0: all */
    /* Not 0: frames longer than this are kept whole whatever the snaplen, for what is cut into
     * several frames later must be there; the user's program is then compiled to accept all. */
    uint32_t slice_up_to;
};

/* Writes the program to `ret` (room for BPFSEL_MAX). -E2BIG when it would be longer than that,
 * -EINVAL for a flow without a remote side or VLANs on a link without Ethernet. */
int bpfsel_make(const struct bpfsel_conf *conf, struct sock_filter ret[BPFSEL_MAX], unsigned *ret_n,
                struct error *err);

/* A program of one instruction that refuses every frame. */
struct sock_filter bpfsel_reject_all(void);
