/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: the decision that bpfsel's programs make, written as plain C by other means, and
 * a maker of frames that come close to every edge of it. The unit test runs the programs in an
 * interpreter of its own, the root test in the kernel; both are held against this.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/sockmark.h"
#include "proto/bpfsel.h"
#include "proto/link.h"

struct seen { /* a frame as a packet socket sees it */
    uint8_t data[2048];
    uint32_t len;
    uint32_t wire; /* its length, if it is longer than what is looked at here */
    bool tagged;   /* the kernel took a tag out */
    uint16_t tci;
    bool outgoing;
    uint32_t mark;
};

static inline bool oracle_is_tag(uint16_t type)
{
    return type == 0x8100 || type == 0x88a8 || type == 0x9100;
}

static inline bool oracle_side(const uint8_t *addr, uint16_t port, const uint8_t *want,
                               uint16_t want_port, size_t n)
{
    static const uint8_t any[16];
    return (memcmp(want, any, n) == 0 || memcmp(addr, want, n) == 0) &&
           (want_port == 0 || port == want_port);
}

struct oracle_udp {
    uint8_t src[16], dst[16];
    uint16_t sport, dport;
    struct rd payload;
};

/* `family`: of the IP header at r; its UDP header, whether whole or a first fragment. */
static inline bool oracle_udp(int family, struct rd r, struct oracle_udp *ret)
{
    struct rd ip = r;
    size_t n = family == AF_INET ? 4 : 16;
    uint8_t first = rd_u8(&r);
    memset(ret, 0, sizeof(*ret));
    if (family == AF_INET) {
        rd_skip(&r, 5);
        uint16_t frag = rd_u16(&r);
        rd_skip(&r, 1);
        uint8_t proto = rd_u8(&r);
        rd_skip(&r, 2);
        if (first >> 4 != 4 || (first & 15) < 5 || (frag & 0x1fff) || proto != 17) {
            return false;
        }
    } else {
        rd_skip(&r, 5);
        uint8_t next = rd_u8(&r);
        rd_skip(&r, 1);
        if (first >> 4 != 6 || next != 17) {
            return false;
        }
    }
    rd_copy(&r, ret->src, n);
    rd_copy(&r, ret->dst, n);
    rd_skip(&ip, family == AF_INET ? (first & 15) * 4U : 40U);
    ret->sport = rd_u16(&ip);
    ret->dport = rd_u16(&ip);
    rd_skip(&ip, 4);
    ret->payload = ip;
    return rd_ok(&r) && rd_ok(&ip);
}

static inline bool oracle_flow(const struct bpfsel_flow *f, const struct oracle_udp *u)
{
    size_t n = f->family == AF_INET ? 4 : 16;
    return (oracle_side(u->src, u->sport, f->local, f->local_port, n) &&
            oracle_side(u->dst, u->dport, f->remote, f->remote_port, n)) ||
           (oracle_side(u->dst, u->dport, f->local, f->local_port, n) &&
            oracle_side(u->src, u->sport, f->remote, f->remote_port, n));
}

static inline bool oracle_link(const struct oracle_udp *u)
{
    return link_is_datagram(u->payload.p, rd_left(&u->payload));
}

static inline bool oracle_tunnel(const struct bpfsel_conf *conf, const struct seen *s)
{
    struct rd r = rd_make(s->data, s->len);
    uint16_t type = 0;
    if (!conf->raw_ip) {
        rd_skip(&r, 12);
        type = rd_u16(&r);
        for (int tags = 0; tags < 2 && oracle_is_tag(type); tags++) {
            rd_skip(&r, 2);
            type = rd_u16(&r);
        }
    }
    for (unsigned six = 0; six < 2 && rd_ok(&r); six++) {
        struct oracle_udp u;
        int family = six ? AF_INET6 : AF_INET;
        if ((!conf->raw_ip && type != (six ? 0x86dd : 0x0800)) || !oracle_udp(family, r, &u)) {
            continue;
        }
        bool found = conf->no_links && oracle_link(&u);
        for (unsigned i = 0; i < conf->n_flows; i++) {
            found |= conf->flows[i].family == family && oracle_flow(&conf->flows[i], &u);
        }
        if (found) {
            return true;
        }
    }
    return false;
}

/* True when the prelude lets the frame through to the user's program. */
static inline bool oracle_accepts(const struct bpfsel_conf *conf, const struct seen *s)
{
    if ((conf->dir == FRAME_DIR_OUT && !s->outgoing) ||
        (conf->dir == FRAME_DIR_IN && s->outgoing) ||
        (conf->no_outputs && s->mark == SOCKMARK_OUTPUT) ||
        (conf->no_mark && s->mark == conf->no_mark)) {
        return false;
    }
    if (conf->vlans) {
        struct rd r = rd_make(s->data, s->len);
        rd_skip(&r, 12);
        uint16_t type = rd_u16(&r), tci = rd_u16(&r);
        if (s->tagged) {
            tci = s->tci;
        } else if (!rd_ok(&r) || !oracle_is_tag(type)) {
            return false;
        }
        if (!vlan_set_has(conf->vlans, tci & 0xfff)) {
            return false;
        }
    }
    return !oracle_tunnel(conf, s);
}

static inline uint32_t dice(uint64_t *seed, uint32_t sides)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(*seed >> 33) % sides;
}

/* A link's datagram, one that just is none, or nothing of the kind. */
static inline void make_payload(struct wr *w, uint64_t *seed)
{
    uint8_t d[LINK_HS_HEADER + 8] = {0};
    uint32_t kind = dice(seed, 5);
    struct link_record rec = {.stream = (uint16_t)dice(seed, LINK_STREAM_MAX + 1),
                              .receiver = dice(seed, UINT32_MAX),
                              .counter = (uint64_t)dice(seed, UINT32_MAX) << dice(seed, 17)};
    link_record_encode(&rec, d);
    if (kind ==
        1) { /* a bit of the record's is another one: which may be its tag's, and no matter */
        d[dice(seed, LINK_RECORD_HEADER + 2)] ^= (uint8_t)(1 << dice(seed, 8));
    } else if (kind == 2) {
        struct wr hs = wr_make(d, sizeof(d));
        wr_u8(&hs, (uint8_t)dice(seed, 9));
        wr_u8(&hs, (uint8_t)dice(seed, 3));
        wr_u16(&hs, (uint16_t)dice(seed, 3));
        wr_u32(&hs, LINK_MAGIC ^ (dice(seed, 3) ? 0 : UINT32_C(1) << dice(seed, 32)));
    } else if (kind == 3) {
        memset(d, (int)dice(seed, 256), sizeof(d));
    }
    wr_copy(w, d, dice(seed, 4) ? sizeof(d) : dice(seed, sizeof(d)));
}

static inline void make_ip(struct wr *w, const struct bpfsel_flow *f, uint64_t *seed)
{
    bool v4 = f->family == AF_INET, back = dice(seed, 2);
    size_t n = v4 ? 4 : 16;
    uint8_t a[16], b[16], options = (uint8_t)(v4 && dice(seed, 3) == 0 ? dice(seed, 11) : 0);
    memcpy(a, f->local, 16);
    memcpy(b, f->remote, 16);
    uint16_t pa = f->local_port, pb = f->remote_port;
    switch (dice(seed, 8)) { /* mostly the flow itself, else one thing off */
    case 0:
        a[dice(seed, (uint32_t)n)] ^= 1;
        break;
    case 1:
        b[dice(seed, (uint32_t)n)] ^= 1;
        break;
    case 2:
        pa ^= 1;
        break;
    case 3:
        pb ^= 1;
        break;
    default:
        break;
    }
    if (v4) {
        wr_u8(w, (uint8_t)((dice(seed, 12) ? 0x45 : 0x54) + options));
        wr_u8(w, 0);
        wr_u16(w, 100);
        wr_u16(w, 7);
        wr_u16(w, (uint16_t)(dice(seed, 4) ? 0x4000 : dice(seed, 2) ? 0x2000 : 3));
        wr_u8(w, 64);
        wr_u8(w, dice(seed, 8) ? 17 : 6);
        wr_u16(w, 0);
    } else {
        wr_u32(w, dice(seed, 12) ? 0x60000000 : 0x40000000);
        wr_u16(w, 60);
        wr_u8(w, dice(seed, 8) ? 17 : 44);
        wr_u8(w, 64);
    }
    wr_copy(w, back ? b : a, n);
    wr_copy(w, back ? a : b, n);
    wr_zero(w, options * 4U);
    wr_u16(w, back ? pb : pa);
    wr_u16(w, back ? pa : pb);
    wr_u32(w, 0x00080000);
    make_payload(w, seed);
}

/* A frame that is the flow or nearly so, with 0 to 3 tags, often cut short. */
static inline void make_frame(struct seen *s, const struct bpfsel_flow *f, bool raw_ip,
                              uint32_t min_len, uint64_t *seed)
{
    static const uint16_t types[] = {0x8100, 0x88a8, 0x9100};
    static const uint16_t ids[] = {0, 1, 31, 32, 63, 64, 100, 200, 210, 211, 2047, 4094, 4095};
    memset(s, 0, sizeof(*s));
    struct wr w = wr_make(s->data, sizeof(s->data));
    if (!raw_ip) {
        wr_copy(&w, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
        for (uint32_t tags = dice(seed, 8) / 2; tags > 0; tags--) {
            wr_u16(&w, types[dice(seed, 3)]);
            wr_u16(&w, (uint16_t)(dice(seed, 8) << 13 | ids[dice(seed, 13)]));
        }
        wr_u16(&w, dice(seed, 8) == 0 ? 0x0806 : f->family == AF_INET ? 0x0800 : 0x86dd);
    }
    make_ip(&w, f, seed);
    s->len = (uint32_t)wr_len(&w) + dice(seed, 40);
    if (dice(seed, 4) == 0) {
        s->len = dice(seed, (uint32_t)wr_len(&w));
    }
    s->len = s->len < min_len ? min_len : s->len;
    s->outgoing = dice(seed, 2);
    s->mark = dice(seed, 8) == 0 ? SOCKMARK_OUTPUT : dice(seed, 8) == 0 ? SOCKMARK_OUTPUT ^ 1 : 0;
    s->tagged = !raw_ip && dice(seed, 3) == 0;
    s->tci = (uint16_t)(s->tagged ? dice(seed, 8) << 13 | ids[dice(seed, 13)] : 0);
}
