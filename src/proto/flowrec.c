/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/flowrec.h"

#include <string.h>

/* The other direction of a biflow, with both its figures still in it. */
static struct flowrec reversed(const struct flowrec *r)
{
    struct flowrec to = *r;
    const struct flowrec_reverse *w = &r->reverse;
    to.packets = w->packets;
    to.bytes = w->bytes;
    to.first_ns = w->first_ns;
    to.last_ns = w->last_ns;
    to.tos = w->tos;
    to.tcp_flags = w->tcp_flags;
    for (unsigned way = 0; way < 2; way++) {
        to.port[way] = r->port[!way];
        memcpy(to.addr[way], r->addr[!way], sizeof(to.addr[way]));
        memcpy(to.mac[way], r->mac[!way], sizeof(to.mac[way]));
        memcpy(to.outer[way], r->outer[!way], sizeof(to.outer[way]));
    }
    return to;
}

unsigned flowrec_split(const struct flowrec *both, struct flowrec ret[2])
{
    const struct flowrec ways[2] = {*both, reversed(both)};
    unsigned n = 0;
    for (unsigned k = 0; k < 2; k++) {
        if (ways[k].packets > 0) {
            ret[n] = ways[k];
            ret[n].biflow = FLOWREC_ONE_WAY;
            ret[n].reverse = (struct flowrec_reverse){0};
            n++;
        }
    }
    return n;
}
