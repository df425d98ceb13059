/* SPDX-License-Identifier: Apache-2.0
 *
 * Does who has moved get what is sent to the new address? An authentic record that came from there
 * does not show it: whoever takes one off its path, or a tap itself, can write any source into it.
 * Until a REPORT repeats the time of one that was sent there and nowhere else, no more bytes are
 * sent than came from there (docs/protocol.md, "The life of a session").
 */
#pragma once

#include <stdbool.h>

#include "base/cleanup.h"

enum { LINK_PROOF_TOLD = 8 }; /* REPORTs whose time may still be repeated */

/* Zeros: it is proven. */
struct link_proof {
    bool wanted;
    uint64_t may;                  /* bytes, with the headers of IP and UDP, that may be sent */
    int64_t told[LINK_PROOF_TOLD]; /* the times of REPORTs sent there; 0: none */
    unsigned next;
};

/* There is another address, of which nothing is known. */
static inline void link_proof_ask(struct link_proof *p)
{
    *p = (struct link_proof){.wanted = true};
}

/* A datagram came from there. */
static inline void link_proof_came(struct link_proof *p, size_t bytes)
{
    p->may += p->wanted ? bytes : 0;
}

/* May one be sent there? Then it counts as sent. */
static inline bool link_proof_allows(struct link_proof *p, size_t bytes)
{
    if (p->wanted && bytes > p->may) {
        return false;
    }
    p->may -= p->wanted ? bytes : 0;
    return true;
}

/* A REPORT of this time is sent there. */
static inline void link_proof_told(struct link_proof *p, int64_t now)
{
    p->told[p->next++ % LINK_PROOF_TOLD] = now;
}

/* A REPORT repeats this time; true when that is the proof. */
static inline bool link_proof_echo(struct link_proof *p, int64_t echo)
{
    for (unsigned i = 0; p->wanted && echo != 0 && i < ARRAY_SIZE(p->told); i++) {
        if (p->told[i] == echo) {
            *p = (struct link_proof){0};
            return true;
        }
    }
    return false;
}
