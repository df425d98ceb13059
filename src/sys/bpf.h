/* SPDX-License-Identifier: Apache-2.0
 *
 * eBPF programs in the kernel and where they are attached, by the system call bpf(2): maps of
 * counters, programs for frames of an interface (BPF_PROG_TYPE_SCHED_CLS), and their places in an
 * interface's chain (tcx, Linux 6.6). A place is a descriptor, and is given up with it: when its
 * process ends, however it ends, the kernel takes the program off.
 *
 * For the broker alone: it needs CAP_BPF and CAP_NET_ADMIN, and makes its programs itself
 * (proto/ebpf_taps.h). Every call works in the calling thread's network namespace.
 */
#pragma once

#include <linux/bpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

enum {
    BPF_CHAIN_MAX = 63, /* programs that the kernel takes on an interface in one direction */
};

/* 0 when programs can be made and attached here. Else -errno, and the sentence says what is
 * missing: -ENOSYS no system call, -EPERM a capability, -EOPNOTSUPP tcx. */
int bpf_probe(struct error *err);

/* A per-CPU array of `n` values, all zero; `value_size` is a multiple of 8. The name, of at most 15
 * letters, digits, dots and underscores, is for people who list maps. Gives its descriptor, which
 * the caller closes; a program that uses it keeps it alive. */
int bpf_map_create(const char *name, uint32_t value_size, uint32_t n, struct error *err);
/* The value at that place as the sum over all processors, each of its 64-bit words by itself.
 * `size`: of the map's values in bytes, at most 256. -ENOENT: there is no such place. */
int bpf_map_sum(int map, uint32_t place, uint64_t *ret, size_t size, struct error *err);

/* Gives the program's descriptor, which the caller closes; a place in a chain keeps it alive.
 * -errno with the verifier's own words, when it was the verifier who refused it. */
int bpf_prog_load(const char *name, const struct bpf_insn *insns, unsigned n, struct error *err);

/* Attaches the program to the interface: before all that are attached to what comes in, or after
 * all that are attached to what goes out. Gives the descriptor of the place. -ENODEV: there is no
 * such interface; -ERANGE: its chain is full. */
int bpf_attach(int prog, int ifindex, bool egress, struct error *err);
/* The program takes the place of the one that is there; no frame passes neither or both. -ENOLINK:
 * the interface is gone, and with it the place. */
int bpf_swap(int place, int prog, struct error *err);

/* A program's number in this host, by which bpf_chain lists it. */
int bpf_prog_id(int prog, uint32_t *ret, struct error *err);
/* The numbers of the programs in the chain, in the order in which they see a frame. */
struct bpf_chain {
    unsigned n;
    uint32_t ids[BPF_CHAIN_MAX];
};
int bpf_chain(int ifindex, bool egress, struct bpf_chain *ret, struct error *err);

/* Runs the program on a frame, in memory (BPF_PROG_TEST_RUN), for tests and probes. `ctx` may be
 * NULL: the program's context at first. Gives the program's result. */
int bpf_prog_run(int prog, const void *frame, size_t len, const struct __sk_buff *ctx, int *ret,
                 struct error *err);
