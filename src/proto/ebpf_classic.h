/* SPDX-License-Identifier: Apache-2.0
 *
 * Classic BPF (what libpcap compiles an expression into for a live interface, sys/filter.h) into a
 * block of an eBPF program at the tcx or clsact hook, which decides as the kernel would have the
 * classic program decide on a packet socket. It differs in one point: a load beyond the frame means
 * "does not match" and goes on behind the block, where eBPF's own BPF_LD_ABS would end the program,
 * and with it those of others behind it in the chain. Pure.
 *
 * Bytes of the frame are read directly where they are in the linear part of the socket buffer, and
 * by bpf_skb_load_bytes where not. So the block has the program twice: for frames whose first
 * bytes, as far as the program looks for constant places within EBPF_CLASSIC_WINDOW, are all there,
 * and for all others.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "proto/ebpf_asm.h"

enum {
    /* Registers that the block wants: the context, and the context's `data`, loaded since the last
     * helper that may move it. All others but BPF_REG_10 are lost. */
    EBPF_CLASSIC_CTX = BPF_REG_6,
    EBPF_CLASSIC_DATA = BPF_REG_9,
    EBPF_CLASSIC_STACK = 72,   /* bytes below BPF_REG_10 that the block writes */
    EBPF_CLASSIC_WINDOW = 128, /* bytes */
};

struct ebpf_classic {
    const struct sock_filter *prog; /* borrowed; any bytes: bpfcheck is asked */
    unsigned n;
    bool egress;     /* the frame is being sent: its SKF_AD_PKTTYPE is PACKET_OUTGOING */
    uint16_t hatype; /* ARPHRD_… of the interface, for SKF_AD_HATYPE */
};

/* Emits the block, which goes to one of the two labels. -EINVAL: bpfcheck refuses the program;
 * -EOPNOTSUPP: it loads what no eBPF program can know there (SKF_AD_NLATTR, SKF_AD_NLATTR_NEST,
 * SKF_AD_PAY_OFFSET). A program that does not fit is ebpf_asm_settle's to tell. */
int ebpf_classic_emit(struct ebpf_asm *a, const struct ebpf_classic *c, unsigned match,
                      unsigned no_match, struct error *err);
