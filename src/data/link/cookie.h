/* SPDX-License-Identifier: Apache-2.0
 *
 * Cookies: docs/protocol.md, "Cookies". A collector that has much to do answers a HELLO with a code
 * over its sender's address, keeps nothing, and goes on when the tap sends the code back: then the
 * address is real. The secrets that make the codes change every two minutes, and the last one still
 * counts. No clock is read here; the time goes in.
 */
#pragma once

#include "base/time.h"
#include "proto/link.h"

enum {
    COOKIE_ROTATE_MS = 120000, /* a cookie is good for that long at least, and for twice at most */
    COOKIE_USE_MS = 120000,    /* a tap puts one into its HELLOs for so long */
};

struct cookie_jar {
    uint8_t secret[2][32]; /* the newest first */
    struct mono made;
};

/* Draws secrets; random_bytes' errno. */
int cookie_init(struct cookie_jar *j, struct mono now);
/* A new secret where it is due; on -errno the old one stays, and it is tried again. */
int cookie_turn(struct cookie_jar *j, struct mono now);
/* The cookie of an address (IPv6, or IPv4 mapped) and port. */
void cookie_make(const struct cookie_jar *j, const uint8_t addr[16], uint16_t port,
                 uint8_t ret[LINK_COOKIE_LEN]);
/* Was it made for them, not long ago? NULL: no. Compared in constant time. */
bool cookie_holds(const struct cookie_jar *j, const uint8_t addr[16], uint16_t port,
                  const uint8_t cookie[LINK_COOKIE_LEN]);
/* Wipes. */
void cookie_done(struct cookie_jar *j);
