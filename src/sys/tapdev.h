/* SPDX-License-Identifier: Apache-2.0
 *
 * The collector's own interface (`-i ntap0`): a TAP device into which the received frames are
 * written, so that tools listen on it as on a SPAN port. It is made, and goes with its descriptor
 * or is kept; or it exists, is persistent and unused, and stays. The host must not answer on it: it
 * has no addresses, ARP and multicast are off, and it is deaf (sys/deaf.h). Opening and setting up
 * need CAP_NET_ADMIN; writing needs nothing but the descriptor.
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

/* 1 to 15 bytes, without '/', ':', '%', blanks or control characters, and not "." or ".."; nor
 * "any", "all" or "default", which stand for more than one interface elsewhere. */
bool tapdev_name_valid(const char *name);

/* Puts a tap's name for "%t" in the pattern. What an interface's name cannot have becomes '_', what
 * is too long is cut; as that may make two names one, a hash of the whole name then stands at its
 * end ("ntap-web_k3f9a2"), and *ret_cut is true (NULL: who cares). -EINVAL when the pattern has
 * another '%', or leaves no room. */
int tapdev_name_expand(const char *pattern, const char *tap, char ret[IFNAMSIZ], bool *ret_cut,
                       struct error *err);

struct tapdev {
    int fd; /* does not block */
    int ifindex;
    char name[IFNAMSIZ];
    bool taken; /* it was there, persistent and unused */
    bool keep;  /* it is to stay when the descriptor is closed */
};

/* Makes the device, or takes it; one that was made is down as yet. -EEXIST with the reason when
 * there is an interface of that name that cannot be taken. */
int tapdev_open(const char *name, bool keep, struct tapdev *ret, struct error *err);

/* Sets it up and brings it up. `ret_heard` says what the host's network stack still hears of it, ""
 * for nothing. */
int tapdev_set_up(const struct tapdev *d, struct error *ret_heard, struct error *err);

enum tapdev_state { TAPDEV_UP, TAPDEV_DOWN, TAPDEV_GONE };
/* Without a privilege, and without a word to who writes. */
enum tapdev_state tapdev_state(int fd);

/* Writes one frame (`caplen` bytes of it). 0, or -EINVAL: shorter than an Ethernet header,
 * -EMSGSIZE: longer than TAPDEV_FRAME_MAX, -EIO: the device is down, -EBADFD: it was removed,
 * -EAGAIN or -ENOBUFS: no memory now. A VLAN tag cut short (a tagged frame of fewer than 18 bytes)
 * is taken by the device and then lost in the kernel. */
int tapdev_write(int fd, const struct frame *f);
