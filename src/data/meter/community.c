/* SPDX-License-Identifier: Apache-2.0 */
#include "data/meter/community.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "sys/crypto/sha1.h"

enum {
    BYTES = 2 + 2 * 16 + 2 + 4,
};

/* Types of ICMP and ICMPv6 whose packets are answered by the other of the pair. */
static const uint8_t pairs4[][2] = {{0, 8}, {9, 10}, {13, 14}, {15, 16}, {17, 18}};
static const uint8_t pairs6[][2] = {{128, 129}, {130, 131}, {133, 134},
                                    {135, 136}, {139, 140}, {144, 145}};

/* The other type of the pair; -1: there is none. */
static int answer(const struct flowrec *r, uint8_t type)
{
    const uint8_t(*pair)[2] = r->version == 4 ? pairs4 : pairs6;
    const size_t n = r->version == 4 ? ARRAY_SIZE(pairs4) : ARRAY_SIZE(pairs6);
    for (size_t i = 0; i < n; i++) {
        if (pair[i][0] == type || pair[i][1] == type) {
            return pair[i][pair[i][0] == type];
        }
    }
    return -1;
}

/* The ports as the specification has them; false: the flow's ends keep their order. */
static bool take_ports(const struct flowrec *r, uint16_t ret[2])
{
    memcpy(ret, r->port, sizeof(r->port));
    if (!flowrec_is_icmp(r)) {
        return true;
    }
    const uint8_t type = (uint8_t)(r->port[1] >> 8);
    const int other = answer(r, type);
    ret[0] = type;
    ret[1] = other < 0 ? r->port[1] & 0xff : (uint16_t)other;
    return other >= 0;
}

static bool has_ports(const struct flowrec *r)
{
    return r->proto == IPPROTO_TCP || r->proto == IPPROTO_UDP || r->proto == IPPROTO_SCTP ||
           flowrec_is_icmp(r);
}

bool community_id(const struct flowrec *r, char ret[COMMUNITY_LEN + 1])
{
    uint8_t bytes[BYTES];
    uint16_t port[2];
    char hash[SHA1_BASE64_LEN + 1];
    struct wr w = wr_make(bytes, sizeof(bytes));
    const size_t n = r->version == 4 ? 4 : 16;
    const bool may_turn = take_ports(r, port);
    const int order = memcmp(r->addr[0], r->addr[1], n);
    const unsigned first = may_turn && (order > 0 || (order == 0 && port[0] > port[1])) ? 1 : 0;
    wr_u16(&w, 0); /* the seed */
    wr_copy(&w, r->addr[first], n);
    wr_copy(&w, r->addr[!first], n);
    wr_u8(&w, r->proto);
    wr_u8(&w, 0);
    if (has_ports(r)) {
        wr_u16(&w, port[first]);
        wr_u16(&w, port[!first]);
    }
    if (sha1_base64(bytes, wr_len(&w), hash) < 0) {
        return false;
    }
    (void)snprintf(ret, COMMUNITY_LEN + 1, "1:%s", hash);
    return true;
}
