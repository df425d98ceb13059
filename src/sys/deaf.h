/* SPDX-License-Identifier: Apache-2.0
 *
 * An interface whose frames are for those who capture on it, and for nobody else: the host's own
 * network stack is not to take, answer or forward what others put there. Two walls, either of which
 * may be missing:
 *
 *   a filter that drops all frames where they come in (clsact, cls_bpf), which the kernel asks
 *   after the programs that capture everything. It has the lowest precedence, so that a user's own
 *   filter comes before it (to redirect frames to a virtual machine, say), and goes with the
 *   interface;
 *   the interface's settings: no IPv6, no router advertisements, no forwarding, and strict reverse
 *   path filtering, which without an address refuses nearly every source.
 */
#pragma once

#include "base/error.h"

enum {
    DEAF_PREF = 0xffff, /* the filter's precedence: the lowest */
};

/* In the interface's network namespace, before it is up. Needs CAP_NET_ADMIN. 0: nothing reaches
 * the host; -errno, with a sentence that says what still does: the interface may be used all the
 * same. Again on an interface that is deaf already changes nothing. */
int deaf_make(int ifindex, const char *name, struct error *err);
