/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector's own interface (`-i ntap0`): a TAP device into which the received frames are
 * written, so that tools listen on it as on a SPAN port. It goes with its descriptor. The host must
 * not answer on it: it has no addresses, ARP and multicast are off. Opening needs CAP_NET_ADMIN;
 * writing needs nothing but the descriptor.
 */
#pragma once

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/batch.h"
#include "base/error.h"

enum {
    TAPDEV_MTU = 65521, /* the most that the kernel lets a TAP device have */
    TAPDEV_QUEUE = 1000,
    /* Bytes of the longest frame that is written: what capturing tools read at most (their largest
     * snaplen). The kernel takes frames far beyond the MTU, but from half a megabyte on refuses
     * some lengths and not others. */
    TAPDEV_FRAME_MAX = 262144,
};

#define TAPDEV_ALIAS "farspan collector" /* what the device is marked with (ifalias) */

/* 1 to 15 bytes, without '/', ':', '%', blanks or control characters, and not "." or "..". */
bool tapdev_name_valid(const char *name);

/* Puts a tap's name for "%t" in the pattern. What an interface's name cannot have becomes '_', what
 * is too long is cut; as that may make two names one, a hash of the whole name then stands at its
 * end ("ntap-web_k3f9a2"). -EINVAL when the pattern has another '%', or leaves no room. */
int tapdev_name_expand(const char *pattern, const char *tap, char ret[IFNAMSIZ], struct error *err);

/* Makes the device, sets it up and brings it up; the descriptor does not block. -EEXIST when there
 * is an interface of that name. `ret_ifindex` may be NULL. */
int tapdev_open(const char *name, int *ret_fd, int *ret_ifindex, struct error *err);

/* Writes one frame (`caplen` bytes of it). 0, or -EINVAL: shorter than an Ethernet header,
 * -EMSGSIZE: longer than TAPDEV_FRAME_MAX, -EIO: the device is down, -EBADFD: it was removed,
 * -EAGAIN or -ENOBUFS: no memory now. A VLAN tag cut short (a tagged frame of fewer than 18 bytes)
 * is taken by the device and then lost in the kernel. */
int tapdev_write(int fd, const struct frame *f);
