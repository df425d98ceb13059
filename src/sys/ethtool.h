/* SPDX-License-Identifier: Apache-2.0
 *
 * Features of a network interface, by the ioctls of ethtool: the tasks that the kernel leaves to a
 * device, and whether they are switched on. The kernel itself names them, so that features of later
 * kernels are here as well. Calls are about the caller's network namespace; each opens and closes
 * its own socket.
 */
#pragma once

#include <stdbool.h>

#include "base/error.h"

enum {
    ETHTOOL_FEATURES = 128, /* that are kept of an interface */
    ETHTOOL_NAME = 32,      /* of a name, with its end: ETH_GSTRING_LEN */
};

struct ethtool_feature {
    char name[ETHTOOL_NAME]; /* such as "tx-tcp-segmentation"; "": the kernel names none here */
    bool can_change;
    bool wanted; /* it was asked for; false where it cannot be changed */
    bool active;
};

struct ethtool_features {
    unsigned n;
    struct ethtool_feature at[ETHTOOL_FEATURES]; /* in the running kernel's order */
};

/* -ENODEV: there is no such interface. */
int ethtool_get(const char *ifname, struct ethtool_features *ret, struct error *err);

/* Asks for each feature that can be changed as `wanted` of it says. The places are those of
 * ethtool_get(). The kernel may still leave one as it was, which ethtool_get() tells. Needs
 * CAP_NET_ADMIN. */
int ethtool_set(const char *ifname, const struct ethtool_features *f, struct error *err);

/* Does a device with this feature cut super-packets into frames, or finish their checksums? */
bool ethtool_cuts(const char *feature);
