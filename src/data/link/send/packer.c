/* SPDX-License-Identifier: Apache-2.0 */
#include "data/link/send/packer.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "proto/link.h"

enum {
    HEADERS = LINK_RECORD_HEADER + LINK_SEGMENT_HEADER,
};

struct packer {
    uint16_t stream;
    struct packer_out out;
    struct packer_key key;
    uint32_t size;               /* of a datagram */
    uint32_t tag_len;            /* of the key's cipher */
    uint32_t max_segments, most; /* side by side; at most that, as the owner wants it */
    /* The segment being filled: at buf + sealed * size. */
    uint32_t pos, end; /* next byte of its payload and where that ends, from its start */
    struct link_segment seg;
    uint32_t sealed; /* segments before it */
    uint64_t counter, frame_no;
    struct packer_stats stats;
    uint8_t buf[PACKER_BYTES];
};

static void segment_begin(struct packer *p)
{
    p->pos = HEADERS;
    p->end = p->size - p->tag_len;
    p->seg = (struct link_segment){.first = LINK_NO_FRAME, .frame_no = p->frame_no};
}

static void set_max(struct packer *p)
{
    p->max_segments =
        MIN(MIN((uint32_t)PACKER_BYTES / p->size, (uint32_t)PACKER_SEGMENTS), MAX(p->most, 1U));
}

struct packer *packer_new(uint16_t stream, const struct packer_out *out)
{
    struct packer *p = calloc(1, sizeof(*p));
    if (p) {
        p->stream = stream;
        p->out = *out;
        p->size = LINK_DATAGRAM_MIN;
        p->most = PACKER_SEGMENTS;
        set_max(p);
        segment_begin(p);
    }
    return p;
}

void packer_free(struct packer *p)
{
    free(p);
}

/* `last_len`: bytes of the last sealed datagram, which may be short. */
static void send_sealed(struct packer *p, uint32_t last_len)
{
    size_t len = (size_t)(p->sealed - 1) * p->size + last_len;
    p->stats.unsent += p->out.send(p->out.user, p->buf, len, p->size);
    p->stats.wire_bytes += len;
    p->sealed = 0;
}

/* Seals the segment being filled and begins the next; sends when there is no room for one. Returns
 * the length of the sealed datagram. */
static uint32_t segment_seal(struct packer *p)
{
    uint8_t *at = p->buf + (size_t)p->sealed * p->size;
    struct link_record rec = {p->stream, p->key.receiver, p->counter++};
    uint8_t nonce[AEAD_NONCE_LEN];
    link_record_encode(&rec, at);
    link_segment_encode(&p->seg, at + LINK_RECORD_HEADER);
    link_record_nonce(&rec, nonce);
    int r = -EOVERFLOW; /* no nonce comes twice; the dialer ends the session long before */
    if (rec.counter < LINK_COUNTER_MAX) {
        r = aead_seal(p->key.aead, nonce, at, LINK_RECORD_HEADER, at + LINK_RECORD_HEADER,
                      p->pos - LINK_RECORD_HEADER, at + p->pos);
    }
    if (r < 0) { /* clear text must not leave: zeros do instead, which the collector refuses */
        memset(at + LINK_RECORD_HEADER, 0, p->pos - LINK_RECORD_HEADER + p->tag_len);
    }
    uint32_t len = p->pos + p->tag_len;
    p->sealed++;
    p->stats.datagrams++;
    if (p->sealed == p->max_segments) {
        send_sealed(p, len);
    }
    segment_begin(p);
    return len;
}

void packer_flush(struct packer *p)
{
    uint32_t len = p->size;
    if (p->pos > HEADERS) {
        len = segment_seal(p);
    }
    if (p->sealed > 0) {
        send_sealed(p, len);
    }
}

void packer_push(struct packer *p)
{
    if (p->sealed > 0) { /* the segment being filled comes to where the first of them was */
        uint32_t at = p->sealed * p->size;
        send_sealed(p, p->size);
        memmove(p->buf, p->buf + at, p->pos);
    }
}

unsigned packer_full(const struct packer *p)
{
    return p->sealed;
}

bool packer_has_rest(const struct packer *p)
{
    return p->pos > HEADERS;
}

static void use_key(struct packer *p, const struct packer_key *key)
{
    p->key = *key;
    p->tag_len = (uint32_t)aead_tag_len(key->aead);
    segment_begin(p);
}

void packer_reset(struct packer *p, const struct packer_key *key)
{
    p->sealed = 0;
    p->counter = p->frame_no = 0;
    p->stats.frames = p->stats.datagrams = 0;
    use_key(p, key);
}

void packer_rekey(struct packer *p, const struct packer_key *key)
{
    packer_flush(p);
    use_key(p, key);
}

void packer_set_size(struct packer *p, uint32_t datagram)
{
    if (p->key.aead) {
        packer_flush(p);
    }
    p->size = MAX(LINK_DATAGRAM_MIN, MIN(datagram, (uint32_t)LINK_DATAGRAM_MAX));
    set_max(p);
    segment_begin(p);
}

void packer_set_most(struct packer *p, unsigned datagrams)
{
    p->most = datagrams;
    if (p->key.aead && p->sealed >= MAX(p->most, 1U)) {
        packer_push(p);
    }
    set_max(p);
}

/* Room for the next bytes of the stream: at most `want`, at least 1. */
static uint8_t *room(struct packer *p, uint32_t want, uint32_t *ret_len)
{
    if (p->pos == p->end) {
        segment_seal(p);
    }
    uint8_t *at = p->buf + (size_t)p->sealed * p->size + p->pos;
    *ret_len = MIN(want, p->end - p->pos);
    p->pos += *ret_len;
    return at;
}

void packer_frame(struct packer *p, const struct frame *f)
{
    uint8_t header[LINK_FRAME_HEADER_MAX];
    struct link_frame h = {.caplen = f->caplen,
                           .origlen = f->origlen,
                           .ts_ns = f->ts_ns,
                           .dir = f->dir,
                           .has_port = f->point != 0,
                           .port = (uint16_t)f->point,
                           .weight = p->key.weights ? f->more + 1 : 1};
    static const uint8_t flows[] = {LINK_EXT_FLOWS, 0};
    const uint8_t rung[] = {LINK_EXT_RUNG, 1, f->rung};
    if (f->flows) {
        h.ext = flows;
        h.ext_len = sizeof(flows);
    } else if (f->rung && p->key.extensions) {
        h.ext = rung;
        h.ext_len = sizeof(rung);
    }
    if (p->pos == p->end) {
        segment_seal(p); /* so that the frame is said to start where it does */
    }
    if (p->seg.first == LINK_NO_FRAME) {
        p->seg.first = (uint16_t)(p->pos - HEADERS);
        p->seg.base_ts = f->ts_ns;
    }
    p->frame_no++;
    p->stats.frames++;
    uint32_t n = 0, len = link_frame_encode(&h, p->seg.base_ts, header);
    for (uint32_t done = 0; done < len; done += n) {
        uint8_t *to = room(p, len - done, &n);
        memcpy(to, header + done, n);
    }
    for (uint32_t done = 0; done < f->caplen; done += n) {
        uint8_t *to = room(p, f->caplen - done, &n);
        frame_copy(f, done, to, n);
    }
}

struct packer_stats packer_stats(const struct packer *p)
{
    return p->stats;
}
