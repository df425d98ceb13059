/* SPDX-License-Identifier: Apache-2.0
 *
 * The eBPF program that copies frames of one port, in one direction, to the destination of one tap
 * service, for up to EBPF_TAPS_FLOWS flows of that service. It is attached by tcx (sys/bpf.h):
 * first of all programs where frames come in, last where they go out.
 *
 * A frame passes it so: one that carries the mark is such a copy already and goes on. Each flow
 * looks at it (VLAN, filter: proto/ebpf_classic.h). If any matches, each one that does counts it,
 * and one copy, with the mark, is sent by the destination. The frame itself goes on as it was, to
 * the next program: the program never decides what becomes of it, and writes nothing to it. Pure.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/parse.h"

enum {
    EBPF_TAPS_FLOWS = 16,    /* more than that take the kernel's verifier too long */
    EBPF_TAPS_NEXT = -1,     /* the program's result: TCX_NEXT, and for clsact TC_ACT_UNSPEC */
    EBPF_TAPS_ROOM = 262144, /* instructions: room enough for any program that the kernel takes */
};

/* The value of the map that has the counters: a per-CPU array, a row for each flow. A copy is of
 * one frame, or of a super-packet (GSO), and `frames` are those that a wire has of it. */
struct ebpf_taps_count {
    uint64_t frames; /* that matched */
    uint64_t bytes;  /* of those frames, each with its headers and its VLAN tag, without FCS */
    /* Of those frames the ones whose copy the destination did not take: */
    uint64_t failed_down;  /* it is down or has no carrier. A queue that drops older frames of the
                            * same flow for a new one (fq_codel) is told apart from that by the
                            * interface's state alone. */
    uint64_t failed_gone;  /* there is no such interface in this namespace */
    uint64_t failed_big;   /* longer than its MTU allows */
    uint64_t failed_full;  /* its queue, or the other end behind it, has dropped it */
    uint64_t failed_other; /* memory was short, for one */
};

struct ebpf_taps_flow {
    const struct vlan_set *vlans; /* borrowed; NULL: all. Bit 0: frames of no VLAN, also those with
                                   * a tag of id 0. The outermost tag counts, 802.1Q or 802.1ad,
                                   * whether beside the frame or in it. */
    const struct sock_filter *filter; /* borrowed; NULL: all; by sys/filter.h for a live interface
                                       * with Ethernet */
    unsigned n_filter;
    uint32_t counter; /* its row in the map */
};

struct ebpf_taps {
    bool egress;     /* frames that are sent, not those that come in */
    uint16_t hatype; /* the port's ARPHRD_… */
    uint32_t mark;   /* of copies; SOCKMARK_COPY of base/sockmark.h */
    uint32_t to;     /* the destination's interface index */
    /* Bytes of the longest frame that the destination takes (its MTU and the Ethernet header), for
     * the reason of a failure alone; 0: not known, and too long ones are failed_full. */
    uint32_t longest;
    int map_fd;                         /* of the counters: struct ebpf_taps_count by uint32_t */
    const struct ebpf_taps_flow *flows; /* borrowed */
    unsigned n_flows;
};

/* Writes the program to `ret`, which has room for `room` instructions. -EINVAL: no flow, too many,
 * a VLAN set without a member, or a filter that no kernel would take; -EOPNOTSUPP: a filter
 * asks for what a program here cannot know; -E2BIG: it does not fit, or a jump in it is too far. */
int ebpf_taps_make(const struct ebpf_taps *conf, struct bpf_insn *ret, unsigned room,
                   unsigned *ret_n, struct error *err);
