/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/netflow5.h"

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/time.h"

enum {
    VERSION = 5,
    HEADER = 24,
    RECORD = 48,
    RANDOM = 2, /* mode of sampling, the upper 2 bits of the header's last field */
};

_Static_assert(HEADER + NETFLOW5_RECORDS * RECORD <= NETFLOW5_MESSAGE, "a datagram has its bytes");

void netflow5_init(struct netflow5 *m, uint8_t source)
{
    *m = (struct netflow5){.source = source};
}

void netflow5_sampling(struct netflow5 *m, const struct sampling *s)
{
    const bool told = s->packets > 0 && s->packets <= NETFLOW5_SAMPLING;
    m->sampling = told ? (uint16_t)(RANDOM << 14 | s->packets) : 0;
}

/* Counters of 32 bits that this many of anything takes. */
static uint64_t counters_for(uint64_t v)
{
    return v / UINT32_MAX + (v % UINT32_MAX != 0);
}

unsigned netflow5_parts(const struct flowrec *r)
{
    const uint64_t most = MAX(counters_for(r->packets), counters_for(r->bytes));
    const uint64_t n = MAX(most, UINT64_C(1));
    return r->version == 4 && n <= NETFLOW5_PARTS ? (unsigned)n : 0;
}

static uint64_t share(uint64_t v, unsigned n, unsigned i)
{
    return v / n + (i < v % n);
}

struct flowrec netflow5_part(const struct flowrec *r, unsigned n, unsigned i)
{
    struct flowrec part = *r;
    part.packets = share(r->packets, n, i);
    part.bytes = share(r->bytes, n, i);
    return part;
}

static void put_record(struct wr *w, const struct uptime *u, const struct flowrec *r)
{
    wr_copy(w, r->addr[0], 4);
    wr_copy(w, r->addr[1], 4);
    wr_u32(w, 0); /* the next hop: nobody routes here */
    wr_u16(w, (uint16_t)MIN(r->interface, (uint32_t)NETFLOW5_INTERFACE));
    wr_u16(w, 0); /* the output's */
    wr_u32(w, (uint32_t)r->packets);
    wr_u32(w, (uint32_t)r->bytes);
    wr_u32(w, uptime_of(u, r->first_ns));
    wr_u32(w, uptime_of(u, r->last_ns));
    wr_u16(w, r->port[0]);
    wr_u16(w, r->port[1]);
    wr_u8(w, 0);
    wr_u8(w, r->tcp_flags);
    wr_u8(w, r->proto);
    wr_u8(w, r->tos);
    wr_zero(w, 8); /* systems and masks of routing, and padding */
}

bool netflow5_add(struct netflow5 *m, const struct flowrec *part)
{
    if (m->records > 0 && (m->records == NETFLOW5_RECORDS || !uptime_fits(&m->uptime, part))) {
        return false;
    }
    uptime_take(&m->uptime, part);
    const size_t at = HEADER + (size_t)m->records * RECORD;
    struct wr w = wr_make(m->bytes + at, RECORD);
    put_record(&w, &m->uptime, part);
    m->records++;
    return true;
}

size_t netflow5_end(struct netflow5 *m)
{
    if (m->records == 0) {
        return 0;
    }
    const int64_t ms = m->uptime.last_ms;
    struct wr w = wr_make(m->bytes, HEADER);
    wr_u16(&w, VERSION);
    wr_u16(&w, (uint16_t)m->records);
    wr_u32(&w, (uint32_t)(ms - m->uptime.base_ms));
    wr_u32(&w, (uint32_t)(ms / 1000));
    wr_u32(&w, (uint32_t)(ms % 1000 * NSEC_PER_MSEC));
    wr_u32(&w, m->sequence);
    wr_u8(&w, NETFLOW5_ENGINE_TYPE);
    wr_u8(&w, m->source);
    wr_u16(&w, m->sampling);
    const size_t len = HEADER + (size_t)m->records * RECORD;
    m->sequence += m->records;
    m->records = 0;
    return len;
}
