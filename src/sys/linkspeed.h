/* SPDX-License-Identifier: Apache-2.0
 *
 * The speed of an interface's link, as its driver has it (ethtool's link settings,
 * linux/ethtool.h).
 */
#pragma once

#include <stdint.h>

/* Of the interface of that name in this namespace: bit/s; 0: the driver does not know, as without a
 * carrier, or has none, or there is no such interface. Needs no privilege. */
uint64_t linkspeed_read(const char *ifname);
