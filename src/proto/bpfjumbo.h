/* SPDX-License-Identifier: Apache-2.0
 *
 * A user's filter for packets of IPv6 big TCP. Those have a hop-by-hop header of eight bytes with
 * the jumbo option (RFC 2675) behind the IPv6 header, which no wire sees: "tcp port 80" does not
 * match them, and would match each frame that they are cut into. So bpfsel has the same program run
 * on such packets as if the eight bytes were not there: this rewrites its loads. Pure.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    BPFJUMBO_BYTES = 8,
    BPFJUMBO_LONGER = 65536, /* packets that have it are longer than that */
};

/* Writes `n` instructions of `user`, rewritten, to `to`, which has room for `room` of them. `ip`:
 * where the IPv6 header is in the packet. Returns how many they became, 0 when they do not fit or
 * the eight bytes make no difference to the program.
 * Bytes behind the IPv6 header are loaded from eight bytes further on, its "next header" from
 * the hop-by-hop header, and lengths are eight less; but X loaded with the length (which libpcap
 * does not do) stays, and so do loads of several bytes that straddle "next header". */
unsigned bpfjumbo_make(const struct sock_filter *user, unsigned n, uint32_t ip,
                       struct sock_filter *to, unsigned room);
