/* SPDX-License-Identifier: Apache-2.0
 *
 * For tests only: pcap-filter(7) expressions and frames by a seed, made so that the one often
 * matches the other, and the kernel's own verdict about them.
 */
#pragma once

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "proto/ebpf_oracle.h"

enum {
    EXPR_MAX = 2048,
    FRAME_MAX = 1600,
};

/* A few values of each kind, so that they meet. */
static inline uint32_t some_port(uint64_t *seed)
{
    static const uint16_t ports[] = {22, 53, 80, 443, 1024, 5000, 65535};
    return ports[dice(seed, 7)];
}

/* An expression without a value of its own. */
static inline const char *expr_fixed(uint64_t *seed)
{
    static const char *const fixed[] = {
        "ip",
        "ip6",
        "arp",
        "rarp",
        "tcp",
        "udp",
        "icmp",
        "icmp6",
        "sctp",
        "ip broadcast",
        "ether broadcast",
        "ether multicast",
        "ip multicast",
        "ip6 multicast",
        "mpls",
        "pppoes",
        "ip protochain 6",
        "ip6 protochain 17",
        "tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn",
        "icmp[icmptype] == icmp-echo",
        "ip[6:2] & 0x1fff != 0",
        "ether[0] & 1 = 1",
        "ip[ip[0] & 0xf] > 3",
        "udp[4:2] > 20",
        "(ip[2:2] - ((ip[0] & 0xf) << 2)) > 40",
        "ip[8] * 3 / 2 % 7 = 4",
        "len / ip[8] > 5",
        "ether[len - 2] = 0",
        "ip6[40:2] = 53",
        "ether[12:2] >> 8 = 8",
        "ether[1500:4] != 0",
        "vlan",
        "vlan and ip",
        "vlan and vlan",
        "ip[0] ^ ip[1] > 0x40",
        "-ip[9] & 0xff = 0xef",
        "1 << (ip[9] & 0x3f) & 0x40 != 0",
        "link[3] = 0",
        "ether proto 0x88b5",
        "iso",
        "ether[ip[8]:2] & 0xf0 = 0x50",
    };
    return fixed[dice(seed, sizeof(fixed) / sizeof(fixed[0]))];
}

static inline void expr_word(char *to, size_t size, uint64_t *seed)
{
    const char *const dirs[] = {"", "src ", "dst ", "src or dst ", "src and dst "};
    const char *dir = dirs[dice(seed, 5)];
    switch (dice(seed, 9)) {
    case 0:
        snprintf(to, size, "%shost 10.0.%u.%u", dir, dice(seed, 2), dice(seed, 3));
        return;
    case 1:
        snprintf(to, size, "%snet 10.0.%u.0/24", dir, dice(seed, 3));
        return;
    case 2:
        snprintf(to, size, "%s%sport %u", dice(seed, 2) ? "udp " : "", dir, some_port(seed));
        return;
    case 3:
        snprintf(to, size, "%sportrange %u-%u", dir, dice(seed, 100), some_port(seed) + 100);
        return;
    case 4:
        snprintf(to, size, "%s %u", dice(seed, 2) ? "greater" : "less", dice(seed, 200));
        return;
    case 5:
        snprintf(to, size, "vlan %u", dice(seed, 4) * 100);
        return;
    case 6:
        snprintf(to, size, "ip6 host fd00::%u", dice(seed, 4));
        return;
    default:
        snprintf(to, size, "%s", expr_fixed(seed));
        return;
    }
}

/* An expression of up to `depth` levels; libpcap may refuse it. */
static inline void expr_make(char *to, size_t size, int depth, uint64_t *seed)
{
    char left[EXPR_MAX], right[EXPR_MAX];
    if (depth == 0 || dice(seed, 4) == 0) {
        expr_word(to, size, seed);
        return;
    }
    expr_make(left, sizeof(left), depth - 1, seed);
    if (dice(seed, 4) == 0) {
        snprintf(to, size, "not (%.*s)", (int)size - 16, left);
        return;
    }
    expr_make(right, sizeof(right), depth - 1, seed);
    snprintf(to, size, "(%.*s) %s (%.*s)", (int)size / 2 - 16, left, dice(seed, 2) ? "and" : "or",
             (int)size / 2 - 16, right);
}

static inline void frame_ip4(struct wr *w, uint8_t proto, uint64_t *seed)
{
    unsigned options = dice(seed, 4) == 0 ? dice(seed, 11) : 0;
    wr_u8(w, (uint8_t)(dice(seed, 30) ? 0x45 + options : dice(seed, 256)));
    wr_u8(w, (uint8_t)dice(seed, 256));
    wr_u16(w, (uint16_t)dice(seed, 1500));
    wr_u16(w, 1);
    wr_u16(w, (uint16_t)(dice(seed, 6) ? 0x4000 : dice(seed, 0x2004)));
    wr_u8(w, (uint8_t)dice(seed, 256));
    wr_u8(w, proto);
    wr_u16(w, 0);
    for (int i = 0; i < 2; i++) {
        wr_u32(w,
               dice(seed, 20) == 0 ? 0xffffffff : 0x0a000000 | dice(seed, 3) << 8 | dice(seed, 3));
    }
    wr_zero(w, options * 4);
}

static inline void frame_ip6(struct wr *w, uint8_t proto, uint64_t *seed)
{
    bool more = dice(seed, 5) == 0;
    wr_u32(w, 0x60000000);
    wr_u16(w, (uint16_t)dice(seed, 1500));
    wr_u8(w, more ? (uint8_t)(dice(seed, 2) ? 0 : 60) : proto);
    wr_u8(w, 64);
    for (int i = 0; i < 2; i++) {
        wr_u32(w, dice(seed, 8) ? 0xfd000000 : 0xff020000);
        wr_zero(w, 11);
        wr_u8(w, (uint8_t)dice(seed, 4));
    }
    if (more) {
        wr_u8(w, proto);
        wr_zero(w, 7);
    }
}

/* A frame of 14 to FRAME_MAX bytes, often cut short: gives its length. */
static inline uint32_t frame_make(uint8_t *to, uint64_t *seed)
{
    static const uint8_t protos[] = {6, 17, 17, 1, 58, 132, 47};
    struct wr w = wr_make(to, FRAME_MAX);
    uint8_t proto = protos[dice(seed, 7)];
    bool four = dice(seed, 3) != 0;
    memset(to, 0, FRAME_MAX);
    wr_copy(&w, dice(seed, 6) ? "\2\0\0\0\0\2" : "\377\377\377\377\377\377", 6);
    wr_copy(&w, "\2\0\0\0\0\1", 6);
    for (uint32_t tags = dice(seed, 6) / 3; tags > 0; tags--) {
        wr_u16(&w, dice(seed, 3) ? 0x8100 : 0x88a8);
        wr_u16(&w, (uint16_t)(dice(seed, 8) << 13 | dice(seed, 4) * 100));
    }
    if (dice(seed, 10) == 0) {
        static const uint16_t others[] = {0x0806, 0x8035, 0x8847, 0x8864, 0x88b5, 100};
        wr_u16(&w, others[dice(seed, 6)]);
    } else {
        wr_u16(&w, four ? 0x0800 : 0x86dd);
        if (four) {
            frame_ip4(&w, proto, seed);
        } else {
            frame_ip6(&w, proto, seed);
        }
        wr_u16(&w, (uint16_t)some_port(seed));
        wr_u16(&w, (uint16_t)some_port(seed));
    }
    uint32_t headers = (uint32_t)wr_len(&w), len = headers + dice(seed, 60);
    for (uint32_t i = headers; i < headers + 60; i++) {
        to[i] = (uint8_t)dice(seed, 256);
    }
    len = dice(seed, 8) == 0 ? FRAME_MAX - dice(seed, 100) : len;
    return dice(seed, 5) == 0 ? 14 + dice(seed, headers - 13) : len;
}

/* The judge: a pair of local sockets, of which the second takes what its filter lets through. */
static inline int judge_open(int ret[2])
{
    return socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ret);
}

static inline int judge_use(const int pair[2], const struct sock_filter *insns, unsigned n)
{
    struct sock_fprog prog = {(unsigned short)n, (struct sock_filter *)insns};
    return setsockopt(pair[1], SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

/* The kernel's verdict of the classic program about that frame, without any tag beside it. */
static inline bool judge_says(const int pair[2], const void *frame, uint32_t len)
{
    uint8_t got;
    return send(pair[0], frame, len, 0) == (ssize_t)len && recv(pair[1], &got, 1, MSG_TRUNC) >= 0;
}
