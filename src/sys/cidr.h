/* SPDX-License-Identifier: Apache-2.0
 *
 * Ranges of addresses in CIDR's notation (RFC 4632, section 3.1; RFC 4291, section 2.3).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
    CIDR_MAX = 256, /* ranges of a list */
};

/* Of IPv6 addresses; those of IPv4 are mapped (::ffff:a.b.c.d), as udp_addr_ip gives them. */
struct cidr {
    uint8_t net[16];
    uint8_t bits; /* that have to be alike, 0 to 128 */
};

struct cidr_list {
    struct cidr at[CIDR_MAX];
    unsigned n;
};

/* Adds the ranges of a text, such as "10.0.0.0/8,2001:db8::1": an address alone is a range of one.
 * -EINVAL with a sentence; the list may have some of them then. */
int cidr_list_add(struct cidr_list *l, const char *text, struct error *err);
bool cidr_list_has(const struct cidr_list *l, const uint8_t ip[16]);
/* ::1, or one of 127.0.0.0/8: no other host can send from it. */
bool cidr_is_loopback(const uint8_t ip[16]);
