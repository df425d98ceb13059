/* SPDX-License-Identifier: Apache-2.0
 *
 * The kernel's counters of an interface (rtnetlink's IFLA_STATS64, rtnetlink(7)), asked for over a
 * socket that another process has opened (sys/ifwatch.h), in whose namespace the interface is.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct linkcount {
    bool up; /* it is up, and has a carrier */
    uint64_t rx_bytes, rx_packets, rx_errors, rx_dropped, rx_overrun, rx_mcast;
    uint64_t tx_bytes, tx_packets, tx_errors, tx_dropped, tx_carrier, tx_collision;
};

/* A socket that only answers: 0 or -errno. In the namespace of the interfaces. */
int linkcount_open(int *ret_fd, struct error *err);
/* Asks for one interface's: the kernel answers before the call ends. -ENODEV: there is none of that
 * name; or another -errno. */
int linkcount_read(int fd, const char *ifname, struct linkcount *ret);
