/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/testing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "base/test_hex.h"

enum {
    PAYLOAD = 16,
};

struct maker {
    struct made *m;
    struct wr w;
    unsigned eths, ips;             /* the next one's number: it is in its addresses */
    bool turned;                    /* the other direction */
    uint8_t *type;                  /* where the next header's EtherType belongs, or NULL */
    uint8_t *proto;                 /* … its IP protocol, or NULL */
    uint8_t *length[16], *from[16]; /* lengths to be filled in, and where they count from */
    unsigned lengths;
};

static uint32_t here(const struct maker *k)
{
    return (uint32_t)wr_len(&k->w);
}

/* The header that begins here is of this kind. */
static void is(struct maker *k, uint16_t type, uint8_t proto)
{
    if (k->type) {
        st_u16(k->type, type);
    } else if (k->proto) {
        *k->proto = proto;
    }
    k->type = k->proto = NULL;
}

static void length_here(struct maker *k, uint8_t *from)
{
    k->length[k->lengths] = k->w.p;
    k->from[k->lengths++] = from;
    wr_u16(&k->w, 0);
}

static void type_here(struct maker *k)
{
    k->type = k->w.p;
    wr_u16(&k->w, 0);
}

static void proto_here(struct maker *k)
{
    k->proto = k->w.p;
    k->m->proto = here(k);
    wr_u8(&k->w, 255);
}

static void put_eth(struct maker *k)
{
    is(k, 0x6558, 0);
    k->m->mac = here(k);
    unsigned n = k->eths++, ends[2] = {k->turned ? 1 : 2, k->turned ? 2 : 1};
    for (unsigned i = 0; i < 2; i++) {
        wr_copy(&k->w, (uint8_t[]){2, 0, 0, 0, (uint8_t)n, (uint8_t)ends[i]}, 6);
    }
    type_here(k);
}

static void put_ip(struct maker *k, unsigned options, uint16_t frag)
{
    is(k, 0x0800, 4);
    uint8_t *start = k->w.p;
    k->m->family = AF_INET;
    k->m->fragment = frag & 0x3fff;
    wr_u8(&k->w, (uint8_t)(0x45 + options));
    wr_u8(&k->w, 0);
    length_here(k, start);
    wr_u16(&k->w, 7);
    wr_u16(&k->w, frag);
    wr_u8(&k->w, 64);
    proto_here(k);
    wr_u16(&k->w, 0);
    k->m->addr = here(k);
    uint8_t n = (uint8_t)k->ips++, src = k->turned ? 2 : 1;
    wr_copy(&k->w, (uint8_t[]){10, n, 0, src, 10, n, 0, (uint8_t)(3 - src)}, 8);
    for (unsigned i = 0; i < 4 * options; i++) {
        wr_u8(&k->w, 1);
    }
    k->m->ports = 0;
}

static void put_ip6(struct maker *k)
{
    is(k, 0x86dd, 41);
    k->m->family = AF_INET6;
    k->m->fragment = false;
    wr_u32(&k->w, 0x60000000);
    length_here(k, k->w.p + 36);
    proto_here(k);
    wr_u8(&k->w, 64);
    k->m->addr = here(k);
    uint8_t n = (uint8_t)k->ips++, src = k->turned ? 2 : 1;
    for (unsigned i = 0; i < 2; i++, src = (uint8_t)(3 - src)) {
        wr_copy(&k->w, (uint8_t[]){0xfd, n, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, src}, 16);
    }
    k->m->ports = 0;
}

/* An extension of IPv6, or AH: `units` is its second byte, `len` its length. */
static void put_extension(struct maker *k, uint8_t kind, uint8_t units, unsigned len)
{
    is(k, 0, kind);
    proto_here(k);
    wr_u8(&k->w, units);
    if (kind == 60 || kind == 0) {
        wr_copy(&k->w, (uint8_t[]){1, (uint8_t)(len - 4)}, 2);
        len -= 2;
    }
    wr_zero(&k->w, len - 2);
}

static void put_fragment(struct maker *k, uint16_t frag)
{
    is(k, 0, 44);
    proto_here(k);
    wr_u8(&k->w, 0);
    wr_u16(&k->w, frag);
    wr_u32(&k->w, 99);
    k->m->fragment = frag != 0;
}

static void put_udp(struct maker *k, uint16_t sport, uint16_t dport)
{
    is(k, 0, 17);
    uint8_t *start = k->w.p;
    k->m->ports = here(k);
    wr_u16(&k->w, sport);
    wr_u16(&k->w, dport);
    length_here(k, start);
    wr_u16(&k->w, 0);
}

static void put_ports(struct maker *k)
{
    k->m->ports = here(k);
    wr_u16(&k->w, k->turned ? TESTING_DPORT : TESTING_SPORT);
    wr_u16(&k->w, k->turned ? TESTING_SPORT : TESTING_DPORT);
}

static void put_tcp(struct maker *k, unsigned options)
{
    is(k, 0, 6);
    put_ports(k);
    wr_u32(&k->w, 1);
    wr_u32(&k->w, 2);
    wr_u8(&k->w, (uint8_t)((5 + options) << 4));
    wr_copy(&k->w, "\x10\x20\0\0\0\0\0", 7);
    for (unsigned i = 0; i < 4 * options; i++) {
        wr_u8(&k->w, 1);
    }
}

static void put_gre(struct maker *k, uint16_t flags)
{
    is(k, 0, 47);
    wr_u16(&k->w, flags);
    type_here(k);
    for (unsigned bit = 0x8000; bit > 0x800; bit >>= 1) {
        if (flags & bit) {
            wr_u32(&k->w, 0x1234);
        }
    }
}

static void put_arp(struct maker *k)
{
    is(k, 0x0806, 0);
    wr_copy(&k->w, "\0\1\x08\0\6\4\0\1", 8);
    wr_zero(&k->w, 20);
}

/* "gpe-ip", "gpe-ip6", "gpe-eth" (which need not tell), "gpe-frame" (which tells). */
static void put_gpe(struct maker *k, const char *what)
{
    static const char *const next[] = {"eth", "ip", "ip6", "frame"};
    uint32_t n = 0;
    while (strcmp(next[n], what) != 0) {
        assert_true(++n < ARRAY_SIZE(next));
    }
    put_udp(k, 50000, 4790);
    wr_u32(&k->w, (n ? 0x0c000000u : 0x08000000u) | n);
    wr_u32(&k->w, 77 << 8);
}

/* "gtpu", "gtpu-s" with a sequence number, "gtpu-e" with two extension headers. */
static void put_gtpu(struct maker *k, char what)
{
    put_udp(k, 50000, 2152);
    wr_u8(&k->w, what == 's' ? 0x32 : what == 'e' ? 0x34 : 0x30);
    wr_u8(&k->w, 255);
    length_here(k, k->w.p + 6);
    wr_u32(&k->w, 0x87654321);
    wr_copy(&k->w,
            "\0\1\0\x85" /* PDU session container */
            "\1\x10\1\x40\2\0\0\0\0\0\0\0",
            what == 'e' ? 16 : 0);
    wr_copy(&k->w, "\0\1\0\0", what == 's' ? 4 : 0);
}

static bool put_tunnel(struct maker *k, const char *word)
{
    bool erspan = strncmp(word, "erspan", 6) == 0;
    if (strcmp(word, "vxlan") == 0 || strcmp(word, "vxlan8472") == 0) {
        put_udp(k, 50000, word[5] ? 8472 : 4789);
        wr_u32(&k->w, 0x08000000);
        wr_u32(&k->w, 77 << 8);
    } else if (strcmp(word, "geneve") == 0 || strcmp(word, "geneve-options") == 0) {
        bool options = word[6];
        put_udp(k, 50000, 6081);
        wr_u8(&k->w, options ? 3 : 0);
        wr_u8(&k->w, 0);
        type_here(k);
        wr_u32(&k->w, 77 << 8);
        wr_copy(&k->w, "\1\2\3\2\0\0\0\0\0\0\0\0", options ? 12 : 0);
    } else if (erspan && word[6] == '1') {
        put_gre(k, 0);
        is(k, 0x88be, 0);
    } else if (erspan && word[6] == '2') { /* "erspan2-tag": class 5, VLAN 0x123 */
        put_gre(k, 0x1000);
        is(k, 0x88be, 0);
        wr_u16(&k->w, 0x1123);
        wr_u16(&k->w, word[7] ? 0xb001 : 0xb801); /* without "-tag" the tag is in the frame */
        wr_u32(&k->w, 7);
    } else if (erspan) { /* "erspan3", "erspan3-sub", "erspan3-ip" */
        put_gre(k, 0x1000);
        is(k, 0x22eb, 0);
        wr_u32(&k->w, 0x21230001);
        wr_u32(&k->w, 5);
        wr_u16(&k->w, 0);
        wr_u16(&k->w, strcmp(word, "erspan3-sub") == 0  ? 1
                      : strcmp(word, "erspan3-ip") == 0 ? 2 << 10
                                                        : 0);
        wr_zero(&k->w, strcmp(word, "erspan3-sub") == 0 ? 8 : 0);
    } else if (strncmp(word, "gpe-", 4) == 0) {
        put_gpe(k, word + 4);
    } else if (strncmp(word, "gtpu", 4) == 0) {
        put_gtpu(k, word[4] ? word[5] : 0);
    } else {
        return false;
    }
    return true;
}

static bool put_link(struct maker *k, const char *word)
{
    static const struct {
        const char *word;
        uint16_t type, tci;
    } tags[] = {{"vlan", 0x8100, 100},
                {"qinq", 0x88a8, 101},
                {"qold", 0x9100, 102},
                {"vlan-a123", 0x8100, 0xa123}};
    for (size_t i = 0; i < ARRAY_SIZE(tags); i++) {
        if (strcmp(word, tags[i].word) == 0) {
            is(k, tags[i].type, 0);
            wr_u16(&k->w, tags[i].tci);
            type_here(k);
            return true;
        }
    }
    if (strcmp(word, "eth") == 0) {
        put_eth(k);
    } else if (strcmp(word, "arp") == 0) {
        put_arp(k);
    } else if (strcmp(word, "unknown") == 0) {
        is(k, 0x88b5, 253); /* for experiments */
    } else {
        return false;
    }
    return true;
}

static bool put_network(struct maker *k, const char *word)
{
    if (strcmp(word, "ip") == 0) {
        put_ip(k, 0, 0x4000);
    } else if (strcmp(word, "ip-options") == 0) {
        put_ip(k, 3, 0);
    } else if (strcmp(word, "ip-first") == 0) {
        put_ip(k, 0, 0x2000);
    } else if (strcmp(word, "ip-later") == 0) {
        put_ip(k, 0, 0x2005);
    } else if (strcmp(word, "ip-last") == 0) {
        put_ip(k, 1, 0x0005);
    } else if (strcmp(word, "ip6") == 0) {
        put_ip6(k);
    } else if (strcmp(word, "hop") == 0) {
        put_extension(k, 0, 0, 8);
    } else if (strcmp(word, "dst") == 0) {
        put_extension(k, 60, 1, 16);
    } else if (strcmp(word, "ah") == 0) {
        put_extension(k, 51, 4, 24);
    } else if (strcmp(word, "atomic") == 0) {
        put_fragment(k, 0);
    } else if (strcmp(word, "first") == 0) {
        put_fragment(k, 1);
    } else if (strcmp(word, "later") == 0) {
        put_fragment(k, 8 | 1);
    } else if (strcmp(word, "last") == 0) {
        put_fragment(k, 8);
    } else {
        return false;
    }
    return true;
}

static bool put_transport(struct maker *k, const char *word)
{
    static const char gre_letters[] = "c.ks"; /* GRE's flags, the highest first */
    if (strcmp(word, "tcp") == 0) {
        put_tcp(k, 0);
    } else if (strcmp(word, "tcp-options") == 0) {
        put_tcp(k, 5);
    } else if (strcmp(word, "udp") == 0) {
        put_udp(k, k->turned ? TESTING_DPORT : TESTING_SPORT,
                k->turned ? TESTING_SPORT : TESTING_DPORT);
    } else if (strcmp(word, "sctp") == 0) {
        is(k, 0, 132);
        put_ports(k);
        wr_zero(&k->w, 8);
    } else if (strcmp(word, "dccp") == 0) {
        is(k, 0, 33);
        put_ports(k);
        wr_copy(&k->w, "\4\0\0\0\4\0\0\0\0\0\0\1", 12); /* data, with a long sequence number */
    } else if (strcmp(word, "icmp") == 0) {
        is(k, 0, 1);
        wr_copy(&k->w, "\x08\0\0\0\0\1\0\1", 8);
    } else if (strcmp(word, "icmp6") == 0) {
        is(k, 0, 58);
        wr_copy(&k->w, "\x80\0\0\0\0\1\0\1", 8);
    } else if (strcmp(word, "esp") == 0) {
        is(k, 0, 50);
        wr_zero(&k->w, 8);
    } else if (strncmp(word, "udp:", 4) == 0) { /* "udp:4789" */
        put_udp(k, 50000, (uint16_t)strtoul(word + 4, NULL, 10));
    } else if (strncmp(word, "proto:", 6) == 0) {
        is(k, 0, (uint8_t)strtoul(word + 6, NULL, 10));
    } else if (strncmp(word, "raw:", 4) == 0) {
        size_t n = strlen(word + 4) / 2;
        assert_true(test_hex(word + 4, wr_take(&k->w, n), n));
    } else if (strncmp(word, "gre", 3) == 0) { /* "gre", "gre-ks" … */
        uint16_t flags = 0;
        for (const char *c = word + 3 + (word[3] == '-'); *c; c++) {
            flags |= (uint16_t)(0x8000 >> (strchr(gre_letters, *c) - gre_letters));
        }
        put_gre(k, flags);
    } else {
        return false;
    }
    return true;
}

void testing_make_at(struct made *m, const char *words, unsigned eths, unsigned ips, bool turned)
{
    char copy[256], *state = NULL;
    struct made data = {0};
    *m = (struct made){0};
    struct maker k = {.m = m, .eths = eths, .ips = ips, .turned = turned};
    k.w = wr_make(m->d, sizeof(m->d));
    snprintf(copy, sizeof(copy), "%s", words);
    for (char *word = strtok_r(copy, " ", &state); word; word = strtok_r(NULL, " ", &state)) {
        if (strcmp(word, "-") == 0) {
            m->headers = here(&k);
            k.m = &data;
        } else if (!put_link(&k, word) && !put_network(&k, word) && !put_tunnel(&k, word) &&
                   !put_transport(&k, word)) {
            fail_msg("there is no word %s", word);
        }
    }
    if (m->headers == 0) {
        m->headers = here(&k);
    }
    for (unsigned i = 0; i < PAYLOAD; i++) {
        wr_u8(&k.w, (uint8_t)(0xa0 + i));
    }
    for (unsigned i = 0; i < k.lengths; i++) {
        st_u16(k.length[i], (uint16_t)(k.w.p - k.from[i]));
    }
    assert_true(wr_ok(&k.w));
    m->len = here(&k);
    if (m->fragment) {
        m->ports = 0;
    }
}

void testing_make(struct made *m, const char *words)
{
    testing_make_at(m, words, 0, 0, false);
}

const char *const testing_shapes[] = {
    "eth ip tcp",
    "eth ip udp",
    "eth ip tcp-options",
    "eth ip-options udp",
    "eth ip sctp",
    "eth ip dccp",
    "eth ip icmp",
    "eth ip esp",
    "eth ip ah udp",
    "eth ip ah gre ip tcp",
    "eth ip6 tcp",
    "eth ip6 hop dst udp",
    "eth ip6 dst ah dst tcp-options",
    "eth ip6 atomic udp",
    "eth ip6 icmp6",
    "eth vlan ip tcp",
    "eth qinq vlan ip6 udp",
    "eth qinq vlan qold vlan ip udp",
    "eth ip-first udp",
    "eth ip-first tcp",
    "eth ip-later - udp",
    "eth ip-last - udp",
    "eth ip6 first udp",
    "eth ip6 dst later - udp",
    "eth ip6 last - udp",
    "eth arp",
    "eth vlan arp",
    "eth unknown",
    "eth ip",
    "eth ip ip tcp",
    "eth ip ip6 udp",
    "eth ip6 ip udp",
    "eth ip6 dst ip6 hop tcp",
    "eth ip-options ip ip6 ip tcp",
    "eth ip vxlan eth ip tcp",
    "eth vlan ip vxlan eth vlan ip tcp-options",
    "eth ip6 vxlan eth ip6 udp",
    "eth ip vxlan8472 eth ip udp",
    "eth ip vxlan eth arp",
    "eth ip vxlan eth ip-later - udp",
    "eth ip vxlan eth ip6 first udp",
    "eth ip geneve eth ip udp",
    "eth ip geneve ip tcp",
    "eth ip6 geneve-options ip6 udp",
    "eth ip geneve-options eth vlan ip6 tcp",
    "eth ip gre ip udp",
    "eth ip gre ip6 tcp",
    "eth ip gre-k eth ip tcp",
    "eth ip gre-s ip udp",
    "eth ip gre-cks eth qinq vlan ip udp",
    "eth ip6 gre-c ip6 tcp",
    "eth qinq vlan ip-options gre-ks ip tcp",
    "eth ip erspan1 eth ip tcp",
    "eth ip erspan2 eth ip udp",
    "eth ip6 erspan2-tag eth ip tcp",
    "eth vlan ip erspan2 eth vlan ip6 udp",
    "eth ip erspan3 eth ip tcp",
    "eth ip erspan3-sub eth ip6 udp",
    "eth ip erspan2 eth ip vxlan eth ip gre ip tcp",
    "eth ip vxlan eth ip vxlan eth ip vxlan eth ip vxlan eth ip6 tcp",
    NULL,
};
