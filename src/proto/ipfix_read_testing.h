/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: IPFIX messages made by hand, the records that were read out of messages, and
 * those that are to be read out of what ipfix.h has written.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"
#include "base/time.h"
#include "proto/ipfix.h"
#include "proto/ipfix_read.h"

enum {
    TESTING_HEADER = 16, /* of a message */
    TESTING_DOMAIN = 7,
    TESTING_SEEN = 512,
};

/* Messages, one behind the other. */
struct draft {
    uint8_t bytes[1 << 18];
    size_t len, message; /* where the last one begins */
};

static inline void draft_message(struct draft *d, uint32_t domain)
{
    d->message = d->len;
    struct wr w = wr_make(d->bytes + d->len, sizeof(d->bytes) - d->len);
    wr_u16(&w, 10);
    wr_u16(&w, TESTING_HEADER);
    wr_u32(&w, 1700000000);
    wr_u32(&w, 0);
    wr_u32(&w, domain);
    d->len += wr_len(&w);
}

/* One more set of the last message. */
static inline void draft_set(struct draft *d, uint16_t id, const uint8_t *body, size_t len)
{
    struct wr w = wr_make(d->bytes + d->len, sizeof(d->bytes) - d->len);
    wr_u16(&w, id);
    wr_u16(&w, (uint16_t)(4 + len));
    wr_copy(&w, body, len);
    d->len += wr_len(&w);
    st_u16(d->bytes + d->message + 2, (uint16_t)(d->len - d->message));
}

/* Whatever ipfix.h has in a message. */
static inline void draft_written(struct draft *d, struct ipfix *m)
{
    const size_t len = ipfix_end(m);
    memcpy(d->bytes + d->len, m->sets.bytes, len);
    d->len += len;
}

#define U16(v) (uint8_t)((v) >> 8), (uint8_t)(v)
#define U32(v) U16((uint32_t)(v) >> 16), U16((uint32_t)(v)&0xffff)
#define U64(v) U32((uint64_t)(v) >> 32), U32((uint64_t)(v)&0xffffffff)
#define PAIR(a, b) U16(a), U16(b) /* a field and its length; a template and its fields */
#define OF(a, b, whose) PAIR(0x8000 | (a), b), U32(whose) /* the same of an enterprise */
#define BACK(a, b) OF(a, b, 29305)                        /* of the other direction */
#define SET(d, id, ...)                                                                            \
    draft_set(d, id, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

struct seen {
    struct flowrec r[TESTING_SEEN]; /* the first ones */
    unsigned n;
    struct ipfix_read_counts counts;
};

static inline void seen_add(void *user, const struct flowrec *r)
{
    struct seen *s = user;
    if (s->n < TESTING_SEEN) {
        s->r[s->n] = *r;
    }
    s->n++;
}

static inline int seen_read(struct seen *s, const uint8_t *bytes, size_t len)
{
    s->n = 0;
    return ipfix_read(bytes, len, seen_add, s, &s->counts);
}

static inline int seen_draft(struct seen *s, const struct draft *d)
{
    return seen_read(s, d->bytes, d->len);
}

static inline bool same_reverse(const struct flowrec_reverse *a, const struct flowrec_reverse *b)
{
    return a->packets == b->packets && a->bytes == b->bytes && a->first_ns == b->first_ns &&
           a->last_ns == b->last_ns && a->tos == b->tos && a->tcp_flags == b->tcp_flags;
}

static inline bool same_record(const struct flowrec *a, const struct flowrec *b)
{
    return a->first_ns == b->first_ns && a->last_ns == b->last_ns && a->packets == b->packets &&
           a->bytes == b->bytes && memcmp(a->addr, b->addr, sizeof(a->addr)) == 0 &&
           memcmp(a->port, b->port, sizeof(a->port)) == 0 &&
           memcmp(a->vlan, b->vlan, sizeof(a->vlan)) == 0 && a->vlans == b->vlans &&
           a->version == b->version && a->proto == b->proto && a->tos == b->tos &&
           a->tcp_flags == b->tcp_flags && a->end_reason == b->end_reason &&
           a->biflow == b->biflow && same_reverse(&a->reverse, &b->reverse) &&
           a->tunnel == b->tunnel && a->tunnel_id == b->tunnel_id &&
           a->outer_version == b->outer_version &&
           memcmp(a->outer, b->outer, sizeof(a->outer)) == 0 && a->has_mac == b->has_mac &&
           a->has_label == b->has_label && memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
           a->label == b->label && a->interface == b->interface && a->point == b->point;
}

static inline int64_t as_written(int64_t ns, unsigned with)
{
    return with & IPFIX_NS ? ns : ns - ns % NSEC_PER_MSEC;
}

/* The record that is read where this one was written with those fields (enum ipfix_with). */
static inline struct flowrec testing_read_back(const struct flowrec *r, unsigned with)
{
    struct flowrec back = *r;
    back.first_ns = as_written(r->first_ns, with);
    back.last_ns = as_written(r->last_ns, with);
    back.reverse = (struct flowrec_reverse){0};
    if (with & IPFIX_BIFLOW && r->reverse.packets > 0) {
        back.reverse = r->reverse;
        back.reverse.first_ns = as_written(r->reverse.first_ns, with);
        back.reverse.last_ns = as_written(r->reverse.last_ns, with);
    }
    back.biflow = !(with & IPFIX_BIFLOW)         ? FLOWREC_ONE_WAY
                  : r->biflow == FLOWREC_ONE_WAY ? FLOWREC_INITIATOR
                                                 : r->biflow;
    memset(back.vlan, 0, sizeof(back.vlan));
    back.vlans = 0;
    for (unsigned i = 0; i < r->vlans && i < 2; i++) { /* there are elements for two */
        if (r->vlan[i] > 0) {
            back.vlan[back.vlans++] = r->vlan[i];
        }
    }
    back.label = r->has_label ? r->label : 0;
    back.has_label = back.label > 0;
    static const uint8_t none[sizeof(r->mac)];
    back.has_mac = memcmp(r->mac, none, sizeof(none)) != 0;
    back.port[0] = flowrec_is_icmp(r) ? 0 : r->port[0];
    back.tunnel = TUNNEL_NONE;
    back.tunnel_id = 0;
    back.outer_version = 0;
    memset(back.outer, 0, sizeof(back.outer));
    back.point = NULL;
    return back;
}
