/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames out of an existing interface, as they are: a packet socket with a ring for sending
 * (TPACKET_V2, PACKET_TX_RING), from which the kernel takes many frames by one call.
 *
 * Two halves, for two processes, as in sys/ring.h. txring_open() needs CAP_NET_RAW, and
 * CAP_NET_ADMIN for the mark. txring_attach() needs nothing. The socket receives nothing, and sends
 * on the interface that it is bound to, as long as a call names no other: see enum sandbox_sends.
 *
 * What is sent carries the mark SOCKMARK_OUTPUT, by which taps of this host leave it out
 * (proto/bpfsel.h); other hosts see nothing of it.
 *
 * Frames are taken in their order. One that the kernel does not take stays, and all behind it,
 * until it does or the caller gives up. See packet(7) and the kernel's packet_mmap.rst, "How to use
 * mmap() directly to improve transmission process".
 */
#pragma once

#include "base/batch.h"
#include "base/error.h"
#include "sys/netif.h"

enum {
    TXRING_SHORTEST = 14,  /* an Ethernet header */
    TXRING_LONGEST = 9234, /* jumbo frames of an MTU of 9216, with a VLAN tag */
};

struct txring;

/* Privileged: a socket bound to the interface. */
int txring_open(const struct netif *port, int *ret_fd, struct error *err);

/* Takes `fd` over on success. */
int txring_attach(int fd, struct txring **ret, struct error *err);
void txring_free(struct txring *t);
DEFINE_FREEP(struct txring, txring_free)

/* The interface that it was bound to, by its index; 0: unknown. */
int txring_ifindex(const struct txring *t);
/* The MTU that a frame of TXRING_SHORTEST bytes or more needs, as the kernel counts: without the
 * Ethernet header and the outermost VLAN tag. */
uint32_t txring_needs_mtu(const struct frame *f);

/* There is no place for a frame: the kernel still has, or was not yet given, what lies there. */
bool txring_full(const struct txring *t);
/* Copies a frame into the next place. -EAGAIN: the ring is full. -EMSGSIZE: longer than
 * TXRING_LONGEST; -EINVAL: too short. */
int txring_put(struct txring *t, const struct frame *f);
/* Gives the kernel what was put. Returns how many frames it has taken since the last call, the
 * oldest first; *ret_err is 0 if these are all, else why the next one was not taken: -ENETDOWN,
 * -ENXIO (the interface is gone), -EMSGSIZE, -ENOBUFS, -EAGAIN (later). */
unsigned txring_push(struct txring *t, int *ret_err);
/* Forgets the oldest frame that was not taken. */
void txring_drop(struct txring *t);
/* Forgets all of them. */
void txring_forget(struct txring *t);
/* Frames that were put and not taken. */
unsigned txring_waiting(const struct txring *t);
