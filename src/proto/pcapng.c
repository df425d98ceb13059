/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/pcapng.h"

#include <errno.h>

#include "proto/pcapng_wire.h"

static size_t pad4(size_t n)
{
    return (n + 3) & ~(size_t)3;
}

enum {
    TAIL_HEAD = 16, /* of a block, as far as its end in the file is looked for */
};

/* Type and a length that end_block() fills in. */
static uint8_t *begin_block(struct wr *w, uint32_t type)
{
    uint8_t *at = wr_take(w, 8);
    if (at) {
        memcpy(at, &type, 4);
    }
    return at;
}

static void end_block(struct wr *w, uint8_t *at)
{
    uint8_t *end = wr_take(w, 4);
    if (!end) {
        return;
    }
    uint32_t len = (uint32_t)(w->p - at);
    memcpy(at + 4, &len, 4);
    memcpy(end, &len, 4);
}

/* Without a half character at the end: a continuation byte there means that one was cut. */
static size_t text_len(struct pcapng_text t)
{
    if (t.len <= PCAPNG_TEXT_MAX) {
        return t.len;
    }
    size_t n = PCAPNG_TEXT_MAX;
    while (n > 0 && ((uint8_t)t.p[n] & 0xc0) == 0x80) {
        n--;
    }
    return n;
}

static void put_option(struct wr *w, uint16_t code, const void *value, size_t len)
{
    wr_u16le(w, code);
    wr_u16le(w, (uint16_t)len);
    wr_copy(w, value, len);
    wr_zero(w, pad4(len) - len);
}

static void put_text(struct wr *w, uint16_t code, struct pcapng_text t)
{
    if (t.p) {
        put_option(w, code, t.p, text_len(t));
    }
}

static void put_u64(struct wr *w, uint16_t code, uint64_t v)
{
    put_option(w, code, &v, sizeof(v));
}

/* Timestamps are two 32-bit words, the upper one first, in either byte order. */
static void put_ts(struct wr *w, int64_t ns)
{
    uint64_t v = ns > 0 ? (uint64_t)ns : 0;
    wr_u32le(w, (uint32_t)(v >> 32));
    wr_u32le(w, (uint32_t)v);
}

static void put_ts_option(struct wr *w, uint16_t code, int64_t ns)
{
    wr_u16le(w, code);
    wr_u16le(w, 8);
    put_ts(w, ns);
}

void pcapng_put_shb(struct wr *w, const struct pcapng_shb *v)
{
    uint8_t *at = begin_block(w, PCAPNG_SHB);
    wr_u32le(w, BYTE_ORDER_MAGIC);
    wr_u16le(w, 1);
    wr_u16le(w, 0);
    wr_u64le(w, UINT64_MAX); /* section length: not known */
    put_text(w, OPT_SHB_HARDWARE, v->hardware);
    put_text(w, OPT_SHB_OS, v->os);
    put_text(w, OPT_SHB_USERAPPL, v->app);
    put_option(w, OPT_END, NULL, 0);
    end_block(w, at);
}

/* if_filter begins with a byte that says what follows: 0, a text in libpcap's language. */
static void put_filter(struct wr *w, struct pcapng_text filter)
{
    if (!filter.p) {
        return;
    }
    size_t len = text_len(filter);
    wr_u16le(w, OPT_IF_FILTER);
    wr_u16le(w, (uint16_t)(len + 1));
    wr_u8(w, FILTER_IS_TEXT);
    wr_copy(w, filter.p, len);
    wr_zero(w, pad4(len + 1) - (len + 1));
}

void pcapng_put_idb(struct wr *w, const struct pcapng_idb *v)
{
    const uint8_t resolution = TSRESOL_NS;
    uint8_t *at = begin_block(w, PCAPNG_IDB);
    wr_u16le(w, v->linktype);
    wr_u16le(w, 0);
    wr_u32le(w, v->snaplen);
    put_text(w, OPT_IF_NAME, v->name);
    put_text(w, OPT_IF_DESCRIPTION, v->description);
    if (v->speed) {
        put_u64(w, OPT_IF_SPEED, v->speed);
    }
    put_option(w, OPT_IF_TSRESOL, &resolution, 1);
    put_filter(w, v->filter);
    put_text(w, OPT_IF_OS, v->os);
    put_option(w, OPT_END, NULL, 0);
    end_block(w, at);
}

void pcapng_put_isb(struct wr *w, const struct pcapng_isb *v)
{
    uint8_t *at = begin_block(w, PCAPNG_ISB);
    wr_u32le(w, v->ifid);
    put_ts(w, v->ts_ns);
    put_text(w, OPT_COMMENT, v->comment);
    if (v->has & PCAPNG_HAS_START) {
        put_ts_option(w, OPT_ISB_START, v->start_ns);
    }
    if (v->has & PCAPNG_HAS_END) {
        put_ts_option(w, OPT_ISB_END, v->end_ns);
    }
    const uint64_t figures[] = {v->ifrecv, v->ifdrop, v->accept, v->osdrop, v->usrdeliv};
    for (unsigned i = 0; i < ARRAY_SIZE(figures); i++) {
        if (v->has & (PCAPNG_HAS_IFRECV << i)) {
            put_u64(w, (uint16_t)(OPT_ISB_IFRECV + i), figures[i]);
        }
    }
    put_option(w, OPT_END, NULL, 0);
    end_block(w, at);
}

uint8_t *pcapng_epb_begin(struct wr *w, const struct pcapng_epb *v)
{
    uint32_t len = (uint32_t)pcapng_epb_len(v);
    size_t padded = pad4(v->caplen);
    uint8_t *block = wr_take(w, len);
    if (!block) {
        return NULL;
    }
    uint64_t ts = v->ts_ns > 0 ? (uint64_t)v->ts_ns : 0;
    const uint32_t head[7] = {PCAPNG_EPB,   len,       v->ifid,   (uint32_t)(ts >> 32),
                              (uint32_t)ts, v->caplen, v->origlen};
    memcpy(block, head, sizeof(head));
    uint8_t *frame = block + sizeof(head);
    memset(frame + v->caplen, 0, padded - v->caplen);
    struct wr tail = wr_make(frame + padded, len - sizeof(head) - padded);
    if (v->dir) {
        const uint32_t flags = v->dir;
        put_option(&tail, OPT_EPB_FLAGS, &flags, sizeof(flags));
    }
    if (v->lost) {
        put_u64(&tail, OPT_EPB_DROPCOUNT, v->lost);
    }
    put_text(&tail, OPT_COMMENT, v->comment);
    if (v->dir || v->lost || v->comment.p) {
        put_option(&tail, OPT_END, NULL, 0);
    }
    wr_u32le(&tail, len);
    return frame;
}

void pcapng_tail_init(struct pcapng_tail *t, uint64_t size)
{
    *t = (struct pcapng_tail){.size = size};
}

static bool all_zero(const uint8_t *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* The block's second length must be like the first; then the block is whole. */
static bool tail_end_of_block(struct pcapng_tail *t, const uint8_t *p)
{
    struct rd r = rd_make(p, 4);
    if (wire_u32(&r, t->big) != t->block_len) {
        return false;
    }
    if (t->is_idb && !t->described) {
        t->described = true;
        t->snaplen = t->idb_snaplen;
    }
    t->frames += t->is_frame;
    t->good += t->block_len;
    t->at = t->good;
    t->block_len = 0;
    return true;
}

/* -EBADMSG for a header that cannot be; 1 to go on; 0 when the file ends inside the block. */
static int tail_header(struct pcapng_tail *t, const uint8_t *p, size_t left)
{
    struct rd r = rd_make(p, PCAPNG_BLOCK_MIN);
    uint32_t type = wire_u32(&r, t->big);
    const uint8_t *len_at = rd_take(&r, 4);
    if (type == PCAPNG_SHB) {
        int order = wire_byte_order(&r);
        if (order < 0) {
            return -EBADMSG;
        }
        t->big = order;
    } else if (!t->started) {
        return -EBADMSG;
    }
    t->started = true;
    struct rd len_rd = rd_make(len_at, 4);
    uint32_t len = wire_u32(&len_rd, t->big);
    if (!wire_len_ok(len)) {
        return -EBADMSG;
    }
    if (len > t->size - t->good) {
        return 0;
    }
    struct rd idb = rd_make(p, left);
    rd_skip(&idb, 12); /* type, length, link type */
    t->is_idb = type == PCAPNG_IDB;
    t->is_frame = type == PCAPNG_EPB || type == PCAPNG_SPB || type == PCAPNG_PB;
    t->idb_snaplen = wire_u32(&idb, t->big);
    t->block_len = len;
    t->at = t->good + len - 4;
    return 1;
}

int pcapng_tail_feed(struct pcapng_tail *t, const uint8_t *window, size_t n)
{
    const uint64_t from = t->at;
    while (!t->zeros) {
        size_t off = (size_t)(t->at - from);
        size_t left = n - off;
        if (t->at >= t->size) {
            return 0;
        }
        if (t->block_len) {
            if (left < 4) {
                return 1;
            }
            t->zeros = !tail_end_of_block(t, window + off);
        } else {
            if (t->size - t->at < PCAPNG_BLOCK_MIN) {
                return t->started ? 0 : -EPROTO;
            }
            if (left < MIN(TAIL_HEAD, t->size - t->at)) {
                return 1;
            }
            int go = tail_header(t, window + off, left);
            if (go == -EBADMSG && !t->started) {
                return -EPROTO;
            }
            if (go == -EBADMSG) {
                t->zeros = true;
                t->at += 8; /* type and length may have reached the disk, and nothing after */
            }
            if (go == 0) {
                return 0;
            }
        }
        if (t->at - from > n) {
            return 1;
        }
    }
    /* A block that is wrong here is only torn when nothing but zeros follows. */
    size_t off = (size_t)(t->at - from);
    if (!all_zero(window + off, n - off)) {
        return -EBADMSG;
    }
    t->at = from + n;
    return t->at < t->size ? 1 : 0;
}
