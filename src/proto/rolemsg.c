/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/rolemsg.h"

#include <errno.h>

#include "base/bytes.h"

#define MAGIC UINT32_C(0x66737231) /* "fsr1" */

static int put_want(struct wr *w, const struct rolemsg *m)
{
    wr_u64(w, m->generation);
    wr_u16(w, m->place);
    wr_u16(w, m->n);
    return m->n > 0 ? wanted_put(w, &m->wanted) : 0;
}

static int put_body(struct wr *w, const struct rolemsg *m)
{
    switch (m->type) {
    case ROLEMSG_HELLO:
        wr_u16(w, m->version);
        wr_u64(w, m->life);
        return 0;
    case ROLEMSG_WANT:
        return put_want(w, m);
    case ROLEMSG_SNAPSHOT:
        wr_copy(w, m->id, sizeof(m->id));
        return 0;
    case ROLEMSG_APPLIED:
        wr_u64(w, m->generation);
        return 0;
    case ROLEMSG_IS:
        return wanted_is_put(w, &m->is);
    case ROLEMSG_PORT:
        wr_u32(w, m->round);
        return wanted_port_put(w, &m->port);
    case ROLEMSG_PORTS:
        wr_u32(w, m->round);
        wr_u32(w, m->ports);
        return 0;
    case ROLEMSG_SNAPPED:
        wr_copy(w, m->id, sizeof(m->id));
        wr_u32(w, m->code);
        return 0;
    case ROLEMSG_TAP:
        return tap_want_put(w, &m->tap);
    case ROLEMSG_UNTAP:
        wr_copy(w, m->id, sizeof(m->id));
        return 0;
    case ROLEMSG_TAPS:
        wr_u64(w, m->generation);
        wr_u32(w, m->taps);
        return 0;
    case ROLEMSG_TAPPED:
        wr_u64(w, m->generation);
        return 0;
    case ROLEMSG_TAP_IS:
        return tap_is_put(w, &m->tap_is);
    }
    return -EMSGSIZE;
}

int rolemsg_put(void *buf, size_t cap, const struct rolemsg *m)
{
    struct wr w = wr_make(buf, cap);
    wr_u32(&w, MAGIC);
    wr_u8(&w, (uint8_t)m->type);
    const int r = put_body(&w, m);
    return r < 0 || !wr_ok(&w) ? -EMSGSIZE : (int)wr_len(&w);
}

static int get_want(struct rd *r, struct rolemsg *m)
{
    m->generation = rd_u64(r);
    m->place = rd_u16(r);
    m->n = rd_u16(r);
    const bool empty = m->n == 0 && m->place == 0;
    if (!rd_ok(r) || m->n > WANTED_MAX || (m->place >= m->n && !empty)) {
        return -EBADMSG;
    }
    return m->n > 0 ? wanted_get(r, &m->wanted) : 0;
}

static int get_body(struct rd *r, struct rolemsg *m)
{
    switch (m->type) {
    case ROLEMSG_HELLO:
        m->version = rd_u16(r);
        m->life = rd_u64(r);
        return 0;
    case ROLEMSG_WANT:
        return get_want(r, m);
    case ROLEMSG_SNAPSHOT:
        rd_copy(r, m->id, sizeof(m->id));
        return 0;
    case ROLEMSG_APPLIED:
        m->generation = rd_u64(r);
        return 0;
    case ROLEMSG_IS:
        return wanted_is_get(r, &m->is);
    case ROLEMSG_PORT:
        m->round = rd_u32(r);
        return wanted_port_get(r, &m->port);
    case ROLEMSG_PORTS:
        m->round = rd_u32(r);
        m->ports = rd_u32(r);
        return 0;
    case ROLEMSG_SNAPPED:
        rd_copy(r, m->id, sizeof(m->id));
        m->code = rd_u32(r);
        return 0;
    case ROLEMSG_TAP:
        return tap_want_get(r, &m->tap);
    case ROLEMSG_UNTAP:
        rd_copy(r, m->id, sizeof(m->id));
        return 0;
    case ROLEMSG_TAPS:
        m->generation = rd_u64(r);
        m->taps = rd_u32(r);
        return m->taps <= TAPWANT_MAX ? 0 : -EBADMSG;
    case ROLEMSG_TAPPED:
        m->generation = rd_u64(r);
        return 0;
    case ROLEMSG_TAP_IS:
        return tap_is_get(r, &m->tap_is);
    }
    return -EBADMSG;
}

int rolemsg_get(const void *buf, size_t len, struct rolemsg *ret)
{
    struct rd r = rd_make(buf, len);
    struct rolemsg m = {.type = ROLEMSG_HELLO};
    const uint32_t magic = rd_u32(&r);
    m.type = (enum rolemsg_type)rd_u8(&r);
    if (magic != MAGIC || !rd_ok(&r) || get_body(&r, &m) < 0 || !rd_ok(&r) || rd_left(&r) > 0) {
        return -EBADMSG;
    }
    *ret = m;
    return 0;
}
