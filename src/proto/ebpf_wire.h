/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames and bytes of a socket buffer as a wire has them, as a block of an eBPF program: a
 * super-packet (GSO) is several frames, each of which repeats the headers, and a VLAN tag beside
 * the frame is four bytes of each. The kernel's own `wire_len` says so at egress alone. Pure.
 */
#pragma once

#include <stdbool.h>

#include "proto/ebpf_asm.h"

enum {
    EBPF_WIRE_CTX = BPF_REG_6,    /* wanted: the context */
    EBPF_WIRE_FRAMES = BPF_REG_7, /* result: at least 1 */
    EBPF_WIRE_BYTES = BPF_REG_8,  /* result: of all these frames, without FCS */
    EBPF_WIRE_STACK = 16,         /* bytes below BPF_REG_10 that the block writes */
};

/* Emits the block; R0 to R5 and R9 are lost, too. Headers of TCP and UDP over IPv4 and IPv6 are
 * measured, behind up to two tags, without the jumbo option that no wire sees. Of other
 * super-packets (in tunnels), and of all over UDP, the kernel's `wire_len` is taken at egress. At
 * ingress their last frame is taken for a full one, so that the headers are what is left over. */
void ebpf_wire_emit(struct ebpf_asm *a, bool egress);
