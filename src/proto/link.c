/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/link.h"

#include <errno.h>

/* Flags of a frame's header. */
enum {
    FRAME_DIR_MASK = 0x03,
    FRAME_HAS_ORIG = 0x04,
    FRAME_LEN32 = 0x08,
    FRAME_TS_ABS = 0x10,
    FRAME_HAS_PORT = 0x20,
    FRAME_HAS_WEIGHT = 0x40,
    FRAME_HAS_EXT = 0x80,
};

int link_peek(const uint8_t *d, size_t len)
{
    if (len < LINK_HS_HEADER) {
        return -EBADMSG;
    }
    struct rd r = rd_make(d + 4, 4);
    if (d[0] == LINK_RECORD) {
        return d[1] == LINK_VERSION ? LINK_RECORD : -EBADMSG;
    }
    return d[0] >= LINK_HELLO && d[0] <= LINK_COOKIE && rd_u32(&r) == LINK_MAGIC ? d[0] : -EBADMSG;
}

bool link_is_datagram(const uint8_t *d, size_t len)
{
    struct link_record rec;
    int type = link_peek(d, len);
    return type == LINK_RECORD ? len >= LINK_RECORD_MIN && link_record_decode(d, len, &rec) == 0
                               : type > 0 && len >= LINK_REJECT_LEN;
}

static void hs_decode_data(struct rd *r, struct link_hs *m)
{
    m->data_len = rd_u16(r);
    if (m->data_len > LINK_HS_DATA_MAX) {
        r->bad = true;
    }
    m->data = rd_take(r, m->data_len);
}

static bool is_cookie(const uint8_t cookie[LINK_COOKIE_LEN])
{
    static const uint8_t none[LINK_COOKIE_LEN];
    return memcmp(cookie, none, sizeof(none)) != 0;
}

/* The last bytes of a HELLO, which are zero where there is no cookie. */
static void hs_decode_cookie(struct rd *r, struct link_hs *m)
{
    if (rd_left(r) >= LINK_COOKIE_LEN) {
        rd_skip(r, rd_left(r) - LINK_COOKIE_LEN);
    }
    m->cookie = rd_take(r, LINK_COOKIE_LEN);
    if (m->cookie && !is_cookie(m->cookie)) {
        m->cookie = NULL;
    }
}

static void hs_decode_body(struct rd *r, struct link_hs *m)
{
    switch (m->type) {
    case LINK_HELLO:
        m->min_version = rd_u8(r);
        m->max_version = rd_u8(r);
        m->aeads = rd_u16(r);
        hs_decode_data(r, m);
        hs_decode_cookie(r, m);
        break;
    case LINK_ANSWER:
        m->aead = rd_u8(r);
        rd_skip(r, 1);
        hs_decode_data(r, m);
        break;
    case LINK_CONFIRM:
    case LINK_ACCEPT:
        m->data_len = 32;
        m->data = rd_take(r, 32);
        break;
    case LINK_REJECT:
        m->reason = rd_u8(r);
        m->min_version = rd_u8(r);
        m->max_version = rd_u8(r);
        break;
    case LINK_COOKIE:
        m->data_len = LINK_COOKIE_LEN;
        m->data = rd_take(r, LINK_COOKIE_LEN);
        break;
    case LINK_RECORD:
    default:
        r->bad = true;
        break;
    }
}

int link_hs_decode(const uint8_t *d, size_t len, struct link_hs *ret)
{
    int type = link_peek(d, len);
    if (type < 0 || type == LINK_RECORD) {
        return -EBADMSG;
    }
    struct rd r = rd_make(d, len);
    struct link_hs m = {.type = (enum link_type)rd_u8(&r), .version = rd_u8(&r)};
    m.method = rd_u8(&r);
    rd_skip(&r, 1 + 4);
    m.sender = rd_u32(&r);
    m.receiver = rd_u32(&r);
    /* A refusal is understood whatever the version: it is how versions are told. */
    if (m.version != LINK_VERSION && m.type != LINK_REJECT) {
        *ret = m;
        return -EPROTONOSUPPORT;
    }
    hs_decode_body(&r, &m);
    if (!rd_ok(&r) || (m.type == LINK_HELLO && len != LINK_HELLO_LEN)) {
        return -EBADMSG;
    }
    *ret = m;
    return 0;
}

void link_hello_set_cookie(uint8_t hello[LINK_HELLO_LEN], const uint8_t cookie[LINK_COOKIE_LEN])
{
    memcpy(hello + LINK_COOKIE_AT, cookie, LINK_COOKIE_LEN);
}

int link_hs_encode(const struct link_hs *m, uint8_t *out, size_t cap)
{
    struct wr w = wr_make(out, cap);
    wr_u8(&w, (uint8_t)m->type);
    wr_u8(&w, m->version);
    wr_u8(&w, m->method);
    wr_u8(&w, 0);
    wr_u32(&w, LINK_MAGIC);
    wr_u32(&w, m->sender);
    wr_u32(&w, m->receiver);
    switch (m->type) {
    case LINK_HELLO:
        wr_u8(&w, m->min_version);
        wr_u8(&w, m->max_version);
        wr_u16(&w, m->aeads);
        wr_u16(&w, m->data_len);
        wr_copy(&w, m->data, m->data_len);
        if (wr_ok(&w) && wr_len(&w) <= LINK_COOKIE_AT) {
            wr_zero(&w, LINK_HELLO_LEN - wr_len(&w));
        } else {
            w.bad = true;
        }
        if (wr_ok(&w) && m->cookie) {
            link_hello_set_cookie(out, m->cookie);
        }
        break;
    case LINK_ANSWER:
        wr_u8(&w, m->aead);
        wr_u8(&w, 0);
        wr_u16(&w, m->data_len);
        wr_copy(&w, m->data, m->data_len);
        break;
    case LINK_CONFIRM:
    case LINK_ACCEPT:
        wr_copy(&w, m->data, 32);
        break;
    case LINK_REJECT:
        wr_u8(&w, m->reason);
        wr_u8(&w, m->min_version);
        wr_u8(&w, m->max_version);
        wr_u8(&w, 0);
        break;
    case LINK_COOKIE:
        wr_copy(&w, m->data, LINK_COOKIE_LEN);
        break;
    case LINK_RECORD:
    default:
        return -EINVAL;
    }
    return wr_ok(&w) ? (int)wr_len(&w) : -ENOBUFS;
}

/* Multiplication, so that what is constant or counts in other protocols' headers does not cancel
 * out, as it would by XOR alone. */
uint16_t link_record_mark(const struct link_record *r)
{
    uint32_t start = (uint32_t)LINK_RECORD << 24 | (uint32_t)LINK_VERSION << 16 | r->stream;
    uint32_t h = r->receiver * LINK_MARK_RECEIVER;
    h = (h ^ (uint32_t)r->counter) * LINK_MARK_LOW;
    h = (h ^ start) * LINK_MARK_START;
    h = (h ^ (uint16_t)(r->counter >> 32)) * LINK_MARK_HIGH;
    return (uint16_t)(h >> 16);
}

int link_record_decode(const uint8_t *d, size_t len, struct link_record *ret)
{
    struct rd r = rd_make(d, len);
    uint8_t type = rd_u8(&r), version = rd_u8(&r);
    struct link_record rec = {.stream = rd_u16(&r)};
    rec.receiver = rd_u32(&r);
    uint16_t mark = rd_u16(&r);
    rec.counter = (uint64_t)rd_u16(&r) << 32;
    rec.counter |= rd_u32(&r);
    if (!rd_ok(&r) || type != LINK_RECORD || version != LINK_VERSION ||
        rec.stream > LINK_STREAM_MAX || mark != link_record_mark(&rec)) {
        return -EBADMSG;
    }
    *ret = rec;
    return 0;
}

void link_record_encode(const struct link_record *r, uint8_t out[LINK_RECORD_HEADER])
{
    out[0] = LINK_RECORD;
    out[1] = LINK_VERSION;
    st_u16(out + 2, r->stream);
    st_u32(out + 4, r->receiver);
    st_u64(out + 8, (uint64_t)link_record_mark(r) << 48 | (r->counter & LINK_COUNTER_MAX));
}

void link_record_nonce(const struct link_record *r, uint8_t ret[12])
{
    st_u32(ret, r->stream);
    st_u64(ret + 4, r->counter);
}

int link_segment_decode(const uint8_t *d, size_t len, struct link_segment *ret)
{
    struct rd r = rd_make(d, len);
    struct link_segment s = {.first = rd_u16(&r)};
    s.frame_no = rd_u64(&r);
    s.base_ts = (int64_t)rd_u64(&r);
    s.payload_len = (uint32_t)rd_left(&r);
    s.payload = r.p;
    if (!rd_ok(&r) || s.payload_len == 0 ||
        (s.first != LINK_NO_FRAME && s.first >= s.payload_len)) {
        return -EBADMSG;
    }
    *ret = s;
    return 0;
}

void link_segment_encode(const struct link_segment *s, uint8_t out[LINK_SEGMENT_HEADER])
{
    st_u16(out, s->first);
    st_u64(out + 2, s->frame_no);
    st_u64(out + 10, (uint64_t)s->base_ts);
}

int link_frame_header_len(const uint8_t *d, size_t have)
{
    const uint8_t f = d[0];
    if ((f & FRAME_DIR_MASK) == FRAME_DIR_MASK) {
        return -EBADMSG;
    }
    int len = 1 + (f & FRAME_LEN32 ? 4 : 2) + (f & FRAME_HAS_ORIG ? 4 : 0) +
              (f & FRAME_TS_ABS ? 8 : 4) + (f & FRAME_HAS_PORT ? 2 : 0) +
              (f & FRAME_HAS_WEIGHT ? 4 : 0);
    if (f & FRAME_HAS_EXT) { /* its length stands in one byte before it */
        len += (size_t)len < have ? 1 + d[len] : 1;
    }
    return len;
}

int link_frame_decode(const uint8_t *d, size_t len, int64_t base_ts, struct link_frame *ret)
{
    struct rd r = rd_make(d, len);
    uint8_t flags = rd_u8(&r);
    struct link_frame f = {.dir = flags & FRAME_DIR_MASK};
    f.caplen = flags & FRAME_LEN32 ? rd_u32(&r) : rd_u16(&r);
    f.origlen = flags & FRAME_HAS_ORIG ? rd_u32(&r) : f.caplen;
    if (flags & FRAME_TS_ABS) {
        f.ts_ns = (int64_t)rd_u64(&r);
    } else {
        f.ts_ns = (int64_t)((uint64_t)base_ts + (uint64_t)(int64_t)(int32_t)rd_u32(&r));
    }
    f.has_port = flags & FRAME_HAS_PORT;
    f.port = f.has_port ? rd_u16(&r) : 0;
    f.weight = flags & FRAME_HAS_WEIGHT ? rd_u32(&r) : 1;
    f.ext_len = flags & FRAME_HAS_EXT ? rd_u8(&r) : 0;
    f.ext = f.ext_len > 0 ? rd_take(&r, f.ext_len) : NULL;
    if (!rd_ok(&r) || rd_left(&r) > 0 || f.dir == FRAME_DIR_MASK || f.weight == 0 ||
        f.caplen == 0 || f.caplen > FRAME_LEN_MAX || f.origlen < f.caplen) {
        return -EBADMSG;
    }
    *ret = f;
    return 0;
}

unsigned link_frame_encode(const struct link_frame *f, int64_t base_ts,
                           uint8_t out[LINK_FRAME_HEADER_MAX])
{
    int64_t delta = (int64_t)((uint64_t)f->ts_ns - (uint64_t)base_ts);
    uint8_t flags = f->dir & FRAME_DIR_MASK;
    flags |= f->origlen != f->caplen ? FRAME_HAS_ORIG : 0;
    flags |= f->caplen > UINT16_MAX ? FRAME_LEN32 : 0;
    flags |= delta < INT32_MIN || delta > INT32_MAX ? FRAME_TS_ABS : 0;
    flags |= f->has_port ? FRAME_HAS_PORT : 0;
    flags |= f->weight > 1 ? FRAME_HAS_WEIGHT : 0;
    flags |= f->ext_len > 0 ? FRAME_HAS_EXT : 0;
    struct wr w = wr_make(out, LINK_FRAME_HEADER_MAX);
    wr_u8(&w, flags);
    if (flags & FRAME_LEN32) {
        wr_u32(&w, f->caplen);
    } else {
        wr_u16(&w, (uint16_t)f->caplen);
    }
    if (flags & FRAME_HAS_ORIG) {
        wr_u32(&w, f->origlen);
    }
    if (flags & FRAME_TS_ABS) {
        wr_u64(&w, (uint64_t)f->ts_ns);
    } else {
        wr_u32(&w, (uint32_t)(int32_t)delta);
    }
    if (f->has_port) {
        wr_u16(&w, f->port);
    }
    if (f->weight > 1) {
        wr_u32(&w, f->weight);
    }
    if (f->ext_len > 0) {
        wr_u8(&w, f->ext_len);
        wr_copy(&w, f->ext, f->ext_len);
    }
    return (unsigned)wr_len(&w);
}

/* The first value of that type in the extension that has so many bytes or more; NULL: there is
 * none. */
static const uint8_t *find_ext(const struct link_frame *f, uint8_t wanted, uint8_t least)
{
    struct rd r = rd_make(f->ext, f->ext_len);
    while (rd_left(&r) > 0) {
        uint8_t type = rd_u8(&r), len = rd_u8(&r);
        const uint8_t *value = rd_take(&r, len);
        if (rd_ok(&r) && type == wanted && len >= least) {
            return value;
        }
    }
    return NULL;
}

uint8_t link_frame_rung(const struct link_frame *f)
{
    const uint8_t *value = find_ext(f, LINK_EXT_RUNG, 1);
    return value ? value[0] : 0;
}

bool link_frame_is_flows(const struct link_frame *f)
{
    return find_ext(f, LINK_EXT_FLOWS, 0) != NULL;
}

bool link_name_ok(const char *p, size_t len)
{
    if (len == 0 || len > LINK_NAME_MAX || p[0] == '.' || p[0] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        char c = p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == '_' || c == '-')) {
            return false;
        }
    }
    return true;
}
