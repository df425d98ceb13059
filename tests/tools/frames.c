/* SPDX-License-Identifier: Apache-2.0
 *
 * The frames are written front to back by small functions, each of which is told how many bytes are
 * left for it (`room`) and fills them exactly; lengths and checksums follow from that.
 */
#include "frames.h"
#include "base/bytes.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

struct gen {
    struct wr w;
    uint64_t rng;
    size_t mark; /* 0 as long as no mark was placed */
};

/* weight: how many of each hundred, roughly; min: the shortest frame that the kind fits in */
static const struct {
    const char *name;
    unsigned weight, min;
} kinds_table[FRAME_KINDS] = {
    [FRAME_TCP4] = {"tcp4", 22, 110},  [FRAME_UDP4] = {"udp4", 18, 60},
    [FRAME_ICMP4] = {"icmp4", 5, 60},  [FRAME_FRAG4] = {"frag4", 4, 60},
    [FRAME_TCP6] = {"tcp6", 8, 160},   [FRAME_UDP6] = {"udp6", 6, 120},
    [FRAME_ICMP6] = {"icmp6", 4, 120}, [FRAME_ARP] = {"arp", 4, 60},
    [FRAME_LLDP] = {"lldp", 1, 64},    [FRAME_VLAN] = {"vlan", 10, 180},
    [FRAME_QINQ] = {"qinq", 5, 184},   [FRAME_VXLAN] = {"vxlan", 5, 190},
    [FRAME_OTHER] = {"other", 3, 60},  [FRAME_MALFORMED] = {"malformed", 4, 64},
    [FRAME_RUNT] = {"runt", 2, 24},
};

static void put_body(struct gen *g, enum frame_kind kind, size_t room);

const char *frame_kind_name(enum frame_kind kind)
{
    return kind < FRAME_KINDS ? kinds_table[kind].name : "?";
}

/* splitmix64 (public domain, S. Vigna): short, seeded, the same everywhere */
static uint64_t rng_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static uint32_t pick(struct gen *g, uint32_t below)
{
    return (uint32_t)((rng_next(&g->rng) >> 32) * below >> 32);
}

static bool chance(struct gen *g, uint32_t percent)
{
    return pick(g, 100) < percent;
}

static void put_random(struct gen *g, size_t n)
{
    for (; n >= 8; n -= 8) {
        wr_u64(&g->w, rng_next(&g->rng));
    }
    for (; n > 0; n--) {
        wr_u8(&g->w, (uint8_t)rng_next(&g->rng));
    }
}

/* The mark, once in a frame, and random bytes after it. */
static void put_payload(struct gen *g, size_t room)
{
    if (g->mark == 0 && room >= FRAME_MARK) {
        g->mark = wr_len(&g->w);
        wr_u64(&g->w, 0);
        wr_u16(&g->w, 0xffff);
        room -= FRAME_MARK;
    }
    put_random(g, room);
}

static uint32_t sum16(const uint8_t *p, size_t n)
{
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    }
    return n % 2 ? sum + ((uint32_t)p[n - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
    while (sum >> 16) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint16_t)~sum;
}

static void set16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

/*
 * Finishes the checksum at `field` of the transport header that begins at `l4` and ends where we
 * write now; `addresses` (n bytes) and the protocol are the pseudo header's.
 */
static void finish_l4(struct gen *g, size_t l4, size_t field, size_t addresses, size_t n,
                      uint8_t proto)
{
    if (!wr_ok(&g->w)) {
        return;
    }
    uint8_t *p = g->w.start;
    size_t len = wr_len(&g->w) - l4;
    uint32_t sum = sum16(p + l4, len);
    if (n) {
        sum += sum16(p + addresses, n) + (uint32_t)len + proto;
    }
    uint16_t check = fold(sum);
    set16(p + l4 + field, check ? check : 0xffff);
}

static uint16_t pick_port(struct gen *g)
{
    static const uint16_t ports[] = {53, 80, 443, 5000, 123, 3389, 22, 8080};
    return chance(g, 60) ? ports[pick(g, 8)] : (uint16_t)(1024 + pick(g, 60000));
}

static void put_tcp_header(struct gen *g, size_t *room)
{
    /* no options, or timestamps, or the options of a SYN */
    static const uint8_t stamps[] = {1, 1, 8, 10, 0, 0, 1, 2, 0, 0, 3, 4};
    static const uint8_t syn[] = {2, 4, 5, 0xb4, 4, 2, 1, 3, 3, 7, 1, 1};
    unsigned form = pick(g, 3);
    size_t options = form == 0 ? 0 : sizeof(stamps);
    wr_u16(&g->w, pick_port(g));
    wr_u16(&g->w, pick_port(g));
    put_random(g, 8);
    wr_u8(&g->w, (uint8_t)((5 + options / 4) << 4));
    wr_u8(&g->w, form == 2 ? 0x02 : 0x18);
    wr_u16(&g->w, 0xffff);
    wr_u32(&g->w, 0);
    wr_copy(&g->w, form == 2 ? syn : stamps, options);
    *room -= 20 + options;
}

static void put_vxlan(struct gen *g, size_t room)
{
    wr_u32(&g->w, 0x08000000);
    wr_u32(&g->w, pick(g, 1u << 24) << 8);
    wr_u64(&g->w, 0x020000bb00010200u);
    wr_u32(&g->w, 0x00bb0000 | pick(g, 256));
    put_body(g, chance(g, 50) ? FRAME_UDP4 : FRAME_ARP, room - 8 - 14);
}

/* A transport header and payload of exactly `room` bytes. */
static void put_l4(struct gen *g, uint8_t proto, size_t room, size_t addresses, size_t n,
                   bool vxlan)
{
    size_t l4 = wr_len(&g->w), all = room;
    if (proto == 6) {
        put_tcp_header(g, &room);
        put_payload(g, room);
        finish_l4(g, l4, 16, addresses, n, proto);
    } else if (proto == 17) {
        wr_u16(&g->w, pick_port(g));
        wr_u16(&g->w, vxlan ? 4789 : pick_port(g));
        wr_u16(&g->w, (uint16_t)all);
        wr_u16(&g->w, 0);
        if (vxlan) {
            put_vxlan(g, room - 8);
        } else {
            put_payload(g, room - 8);
        }
        if (!vxlan || chance(g, 50)) { /* a tunnel's outer checksum is often 0 */
            finish_l4(g, l4, 6, addresses, n, proto);
        }
    } else {
        wr_u8(&g->w, proto == 58 ? 128 : 8);
        wr_u8(&g->w, 0);
        wr_u16(&g->w, 0);
        put_random(g, 4);
        put_payload(g, room - 8);
        finish_l4(g, l4, 2, addresses, proto == 58 ? n : 0, proto);
    }
}

static void put_ip4(struct gen *g, uint8_t proto, size_t room, uint16_t frag, bool vxlan)
{
    static const uint8_t router_alert[] = {0x94, 4, 0, 0};
    size_t at = wr_len(&g->w);
    size_t options = !vxlan && room > 100 && chance(g, 15) ? sizeof(router_alert) : 0;
    wr_u8(&g->w, (uint8_t)(0x45 + options / 4));
    wr_u8(&g->w, (uint8_t)(pick(g, 64) << 2));
    wr_u16(&g->w, (uint16_t)room);
    put_random(g, 2);
    wr_u16(&g->w, frag);
    wr_u8(&g->w, (uint8_t)(1 + pick(g, 255)));
    wr_u8(&g->w, proto);
    wr_u16(&g->w, 0);
    wr_u32(&g->w, 0x0a010000 | pick(g, 256));
    wr_u32(&g->w, 0x0a020000 | pick(g, 256));
    wr_copy(&g->w, router_alert, options);
    if (wr_ok(&g->w)) {
        set16(g->w.start + at + 10, fold(sum16(g->w.start + at, 20 + options)));
    }
    room -= 20 + options;
    if (frag & 0x1fff) {
        put_payload(g, room); /* a later fragment: no transport header */
    } else {
        put_l4(g, proto, room, at + 12, 8, vxlan);
    }
}

/* One extension header of 8 bytes; `next` is what follows it. RFC 8200, section 4. */
static void put_ext6(struct gen *g, uint8_t type, uint8_t next)
{
    wr_u8(&g->w, next);
    if (type == 44) {
        wr_u8(&g->w, 0);
        wr_u16(&g->w, (uint16_t)(pick(g, 2))); /* offset 0, more fragments or not */
        put_random(g, 4);
    } else if (type == 43) {
        wr_u8(&g->w, 0);
        wr_u16(&g->w, (uint16_t)(0x0400 | pick(g, 2) << 8));
        wr_u32(&g->w, 0);
    } else {
        wr_u8(&g->w, 0);
        wr_u16(&g->w, 0x0104); /* PadN */
        wr_u32(&g->w, 0);
    }
}

static void put_ip6(struct gen *g, uint8_t proto, size_t room)
{
    static const uint8_t types[] = {0, 60, 43, 44}; /* in the order that RFC 8200 recommends */
    uint8_t chain[5], n = 0;
    for (unsigned i = 0; i < sizeof(types); i++) {
        if (chance(g, 15)) {
            chain[n++] = types[i];
        }
    }
    chain[n] = proto;
    wr_u32(&g->w, 0x60000000 | pick(g, 1u << 20));
    wr_u16(&g->w, (uint16_t)(room - 40));
    wr_u8(&g->w, chain[0]);
    wr_u8(&g->w, (uint8_t)(1 + pick(g, 255)));
    size_t addresses = wr_len(&g->w);
    for (unsigned i = 0; i < 2; i++) {
        wr_u64(&g->w, 0xfd01000000000000u + i);
        wr_u64(&g->w, pick(g, 256));
    }
    for (unsigned i = 0; i < n; i++) {
        put_ext6(g, chain[i], chain[i + 1]);
    }
    put_l4(g, proto, room - 40 - 8u * n, addresses, 32, false);
}

static void put_arp(struct gen *g, size_t room)
{
    wr_u16(&g->w, 1);
    wr_u16(&g->w, 0x0800);
    wr_u16(&g->w, 0x0604);
    wr_u16(&g->w, (uint16_t)(1 + pick(g, 2)));
    put_random(g, 20);
    put_payload(g, room - 28);
}

/* IEEE 802.1AB: chassis, port, time to live, a description that takes the rest, end. */
static void put_lldp(struct gen *g, size_t room)
{
    wr_u16(&g->w, 0x0207);
    wr_u8(&g->w, 4);
    put_random(g, 6);
    wr_u16(&g->w, 0x0403);
    wr_u8(&g->w, 7);
    wr_u16(&g->w, 0x3131);
    wr_u16(&g->w, 0x0602);
    wr_u16(&g->w, 120);
    size_t text = room - 9 - 5 - 4 - 2 - 2;
    text = text > 511 ? 511 : text;
    wr_u16(&g->w, (uint16_t)(0x0c00 | text));
    put_payload(g, text);
    wr_u16(&g->w, 0);
    put_random(g, room - 9 - 5 - 4 - 2 - 2 - text);
}

static void put_tag(struct gen *g, uint16_t tpid)
{
    static const uint16_t ids[] = {0, 1, 5, 5, 100, 100, 200, 201, 205, 210, 211, 300, 4094, 1000};
    wr_u16(&g->w, tpid);
    wr_u16(&g->w, (uint16_t)(pick(g, 8) << 13 | ids[pick(g, 14)]));
}

static enum frame_kind pick_inner(struct gen *g)
{
    static const enum frame_kind inner[] = {FRAME_TCP4, FRAME_UDP4, FRAME_ICMP4, FRAME_TCP6,
                                            FRAME_UDP6, FRAME_ARP,  FRAME_ICMP6, FRAME_OTHER};
    return inner[pick(g, 8)];
}

static void put_other(struct gen *g, size_t room)
{
    static const uint16_t types[] = {0x8847, 0x8864, 0x88f7, 0x9000,
                                     0x22f3, 0xdead, 0x0806, 0x86dd};
    if (chance(g, 30)) {
        wr_u16(&g->w, (uint16_t)(room > 1500 ? 1500 : room)); /* 802.3 length */
        wr_u32(&g->w, 0xaaaa0300);                            /* SNAP */
        put_payload(g, room - 4);
    } else {
        wr_u16(&g->w, types[pick(g, 8)]);
        put_payload(g, room);
    }
}

/* A valid packet whose header then lies; the mark stays whole. */
static void put_malformed(struct gen *g, size_t room)
{
    size_t at = wr_len(&g->w) + 2;
    unsigned how = pick(g, 10);
    if (how == 0) { /* an IP header that ends early */
        wr_u16(&g->w, chance(g, 50) ? 0x0800 : 0x86dd);
        wr_u8(&g->w, 0x45);
        wr_u8(&g->w, 0);
        put_payload(g, 16);
        return;
    }
    put_body(g, how >= 8 && room >= 100 ? FRAME_UDP6 : FRAME_UDP4, room);
    uint8_t *p = g->w.start + at;
    if (!wr_ok(&g->w)) {
        return;
    }
    switch (how) {
    case 1:
        p[0] = (uint8_t)(pick(g, 2) ? 0x55 : 0x05); /* version */
        break;
    case 2:
        p[0] = (uint8_t)(pick(g, 2) ? 0x41 : 0x4f); /* header length */
        break;
    case 3:
        set16(p + 2, (uint16_t)(room + 1 + pick(g, 30000))); /* longer than the frame */
        break;
    case 4:
        set16(p + 2, (uint16_t)pick(g, 20)); /* shorter than its own header */
        break;
    case 5:
        p[10] ^= 0x5a; /* header checksum */
        break;
    case 6:
        p[20 + 6] ^= 0xa5; /* UDP checksum */
        break;
    case 7:
        set16(p + 20 + 4, (uint16_t)pick(g, 65536)); /* UDP length */
        break;
    default:
        set16(p + 4, (uint16_t)(room + pick(g, 1000))); /* IPv6 payload length, or the IPv4 id */
        break;
    }
}

static void put_frag4(struct gen *g, size_t room)
{
    uint16_t part = (uint16_t)pick(g, 3);
    uint16_t offset = (uint16_t)(1 + pick(g, 1000));
    put_ip4(g, 17, room, part == 0 ? 0x2000 : part == 1 ? 0x2000 | offset : offset, false);
}

/* The ethertype and `room` bytes after it. */
static void put_body(struct gen *g, enum frame_kind kind, size_t room)
{
    switch (kind) {
    case FRAME_TCP4:
    case FRAME_UDP4:
    case FRAME_ICMP4:
    case FRAME_VXLAN:
        wr_u16(&g->w, 0x0800);
        put_ip4(g,
                kind == FRAME_TCP4    ? 6
                : kind == FRAME_ICMP4 ? 1
                                      : 17,
                room, 0, kind == FRAME_VXLAN);
        break;
    case FRAME_FRAG4:
        wr_u16(&g->w, 0x0800);
        put_frag4(g, room);
        break;
    case FRAME_TCP6:
    case FRAME_UDP6:
    case FRAME_ICMP6:
        wr_u16(&g->w, 0x86dd);
        put_ip6(g, kind == FRAME_TCP6 ? 6 : kind == FRAME_UDP6 ? 17 : 58, room);
        break;
    case FRAME_ARP:
        wr_u16(&g->w, 0x0806);
        put_arp(g, room);
        break;
    case FRAME_LLDP:
        wr_u16(&g->w, 0x88cc);
        put_lldp(g, room);
        break;
    case FRAME_VLAN:
        put_tag(g, 0x8100);
        put_body(g, pick_inner(g), room - 4);
        break;
    case FRAME_QINQ:
        put_tag(g, chance(g, 60) ? 0x88a8 : 0x8100);
        put_tag(g, 0x8100);
        put_body(g, pick_inner(g), room - 8);
        break;
    case FRAME_OTHER:
        put_other(g, room);
        break;
    case FRAME_MALFORMED:
        put_malformed(g, room);
        break;
    case FRAME_RUNT:
        wr_u16(&g->w, chance(g, 50) ? 0x0800 : 0x9000);
        put_payload(g, room);
        break;
    case FRAME_KINDS:
        break;
    }
}

static void put_addresses(struct gen *g, enum frame_kind kind)
{
    if (kind == FRAME_LLDP) {
        wr_u32(&g->w, 0x0180c200);
        wr_u16(&g->w, 0x000e);
    } else if (kind == FRAME_ARP && chance(g, 70)) {
        wr_u32(&g->w, 0xffffffff);
        wr_u16(&g->w, 0xffff);
    } else {
        wr_u32(&g->w, 0x020000aa);
        wr_u16(&g->w, (uint16_t)pick(g, 64));
    }
    wr_u32(&g->w, 0x020000ab);
    wr_u16(&g->w, (uint16_t)pick(g, 64));
}

/* Many small, some of a full Ethernet frame, a few jumbo: about 400 bytes on average. */
static uint32_t pick_len(struct gen *g, enum frame_kind kind, uint32_t max_len)
{
    static const uint16_t edges[] = {60, 64, 128, 1514, 1518, 1522, 9000, 2048};
    uint32_t min = kinds_table[kind].min, len, r = pick(g, 1000);
    if (kind == FRAME_RUNT) {
        return min + pick(g, 36);
    }
    if (r < 500) {
        len = 60 + pick(g, 68);
    } else if (r < 770) {
        len = 128 + pick(g, 470);
    } else if (r < 950) {
        len = 600 + pick(g, 915);
    } else if (r < 985) {
        len = edges[pick(g, 8)];
    } else {
        len = 1515 + pick(g, 7486);
    }
    len = len < min ? min : len;
    return len > max_len ? max_len : len;
}

static enum frame_kind pick_kind(struct gen *g, uint32_t kinds)
{
    uint32_t sum = 0;
    for (unsigned k = 0; k < FRAME_KINDS; k++) {
        sum += kinds >> k & 1 ? kinds_table[k].weight : 0;
    }
    uint32_t at = pick(g, sum);
    for (unsigned k = 0; k < FRAME_KINDS; k++) {
        uint32_t weight = kinds >> k & 1 ? kinds_table[k].weight : 0;
        if (at < weight) {
            return (enum frame_kind)k;
        }
        at -= weight;
    }
    return FRAME_UDP4;
}

int frames_build(struct frames *ret_frames, size_t n, uint64_t seed, uint32_t kinds,
                 uint32_t max_len)
{
    struct frames f = {.n = n, .v = calloc(n, sizeof(*f.v)), .memory = calloc(n, max_len)};
    if (!f.v || !f.memory) {
        frames_done(&f);
        return -ENOMEM;
    }
    struct gen g = {.rng = seed};
    for (size_t i = 0; i < n; i++) {
        enum frame_kind kind = pick_kind(&g, kinds);
        uint32_t len = pick_len(&g, kind, max_len);
        g.w = wr_make(f.memory + i * max_len, len);
        g.mark = 0;
        put_addresses(&g, kind);
        put_body(&g, kind, len - 14);
        if (!wr_ok(&g.w) || g.mark == 0) {
            abort(); /* a minimum in the table is wrong */
        }
        f.v[i] = (struct frame){g.w.start, (uint32_t)wr_len(&g.w), (uint32_t)g.mark, kind};
    }
    *ret_frames = f;
    return 0;
}

void frames_done(struct frames *frames)
{
    if (frames) {
        free(frames->v);
        free(frames->memory);
        *frames = (struct frames){0};
    }
}

void frame_mark(struct frame *frame, uint64_t number)
{
    uint8_t *p = frame->data + frame->mark;
    struct wr w = wr_make(p, FRAME_MARK);
    wr_u64(&w, number);
    wr_u16(&w, fold(sum16(p, 8)));
}
