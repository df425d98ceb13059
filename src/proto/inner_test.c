/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of words (proto/testing.h): whole, cut at every length, turned round, bent. tshark is the
 * judge of what the innermost headers are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/ether.h"
#include "proto/inner.h"
#include "proto/inner_judge.h"
#include "proto/testing.h"

static void check(const struct made *m, size_t len, const struct inner *in, const char *words)
{
    if (in->headers != MIN(len, m->headers)) {
        fail_msg("%s: headers %u, not %u", words, in->headers, m->headers);
    }
    if (len < m->headers) {
        return;
    }
    assert_int_equal(in->family, m->family);
    assert_int_equal(in->fragment, m->fragment);
    assert_ptr_equal(in->mac[0], m->d + m->mac);
    assert_ptr_equal(in->mac[1], m->d + m->mac + 6);
    if (m->family) {
        assert_int_equal(in->proto, m->d[m->proto]);
        assert_ptr_equal(in->addr[0], m->d + m->addr);
        assert_ptr_equal(in->addr[1], m->d + m->addr + (m->family == AF_INET ? 4 : 16));
    }
    for (unsigned i = 0; i < 2; i++) {
        const uint8_t *p = m->d + m->ports + 2 * i;
        assert_int_equal(in->port[i], m->ports ? p[0] << 8 | p[1] : 0);
    }
}

static void walk_made(const struct made *m, const char *words)
{
    struct inner in;
    memset(&in, 0xff, sizeof(in));
    inner_walk(m->d, m->len, &in);
    check(m, m->len, &in, words);
}

static void finds_the_innermost_headers(void **state)
{
    (void)state;
    struct made m;
    for (size_t i = 0; testing_shapes[i]; i++) {
        testing_make(&m, testing_shapes[i]);
        walk_made(&m, testing_shapes[i]);
    }
    testing_make(&m, "eth ip erspan3-ip ip6 udp"); /* which tshark does not know */
    walk_made(&m, "erspan3-ip");
}

/* At every length: all that is there counts until the end of the headers, and from there on it
 * makes no difference what follows. */
static void cut_anywhere(void **state)
{
    (void)state;
    struct made m;
    struct inner in;
    for (size_t i = 0; testing_shapes[i]; i++) {
        testing_make(&m, testing_shapes[i]);
        for (size_t n = 0; n <= m.len; n++) {
            _cleanup_(freep) uint8_t *exact = malloc(n ? n : 1);
            memcpy(exact, m.d, n);
            inner_walk(exact, n, &in); /* for ASan */
            inner_walk(m.d, n, &in);
            check(&m, n, &in, testing_shapes[i]);
        }
    }
    inner_walk(NULL, 0, &in);
    assert_int_equal(in.headers, 0);
    assert_null(in.mac[0]);
}

static size_t key_of(const struct made *m, uint8_t ret[INNER_KEY_MAX])
{
    struct inner in;
    inner_walk(m->d, m->len, &in);
    return inner_key(&in, ret);
}

static bool same_flow(const struct made *a, const struct made *b)
{
    uint8_t x[INNER_KEY_MAX], y[INNER_KEY_MAX];
    size_t n = key_of(a, x);
    return key_of(b, y) == n && memcmp(x, y, n) == 0;
}

/* The same for both directions of every shape; another one for every bit of the innermost
 * addresses, of the ports and of the protocol. */
static void one_flow_both_ways(void **state)
{
    (void)state;
    struct made there, back;
    for (size_t i = 0; testing_shapes[i]; i++) {
        testing_make_at(&there, testing_shapes[i], 0, 0, false);
        testing_make_at(&back, testing_shapes[i], 0, 0, true);
        /* ARP has no flow but its tunnel's, whose directions have ports of their own. */
        assert_int_equal(same_flow(&there, &back), !strstr(testing_shapes[i], "vxlan eth arp"));
        uint32_t n = there.family == 0 ? 12 : there.family == AF_INET ? 8 : 32;
        uint32_t at = there.family == 0 ? there.mac : there.addr;
        for (uint32_t bit = 0; bit < 8 * n; bit++) {
            back = there;
            back.d[at + bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(same_flow(&there, &back));
        }
        for (uint32_t bit = 0; there.ports && bit < 32; bit++) {
            back = there;
            back.d[there.ports + bit / 8] ^= (uint8_t)(1 << bit % 8);
            assert_false(same_flow(&there, &back));
        }
    }
    testing_make(&there, "eth ip tcp");
    testing_make(&back, "eth ip udp");
    assert_false(same_flow(&there, &back));
}

static uint8_t *low_ports_first(struct made *m, uint16_t first, uint16_t second)
{
    st_u16(m->d + m->ports, first);
    st_u16(m->d + m->ports + 2, second);
    return m->d;
}

/* Between one address and itself the ports alone give the order. Ports belong to their address. */
static void keys(void **state)
{
    (void)state;
    static const char *const words[] = {"eth ip udp", "eth ip6 udp"};
    struct made a, b;
    uint8_t key[INNER_KEY_MAX];
    for (size_t i = 0; i < 2; i++) {
        testing_make(&a, words[i]);
        uint32_t n = a.family == AF_INET ? 4 : 16;
        assert_int_equal(key_of(&a, key), 2 + 2 * n + 4);
        assert_int_equal(key[0], a.family == AF_INET ? 4 : 6);
        b = a;
        low_ports_first(&a, 1, 2);
        low_ports_first(&b, 2, 1);
        assert_false(same_flow(&a, &b));
        memcpy(a.d + a.addr, a.d + a.addr + n, n);
        memcpy(b.d + b.addr, b.d + b.addr + n, n);
        assert_true(same_flow(&a, &b));
        low_ports_first(&b, 2, 3);
        assert_false(same_flow(&a, &b));
    }
    testing_make(&a, "eth unknown");
    assert_int_equal(key_of(&a, key), 14);
    assert_memory_equal(key, "\1\0\2\0\0\0\0\1\2\0\0\0\0\2", 14);
    a.len = 13;
    assert_int_equal(key_of(&a, key), 2);
    assert_memory_equal(key, "\0\0", 2);
}

static void fragments_are_one_flow(void **state)
{
    (void)state;
    static const char *const same[][2] = {
        {"eth ip-first udp", "eth ip-later udp"},
        {"eth ip-first tcp", "eth ip-last udp"},
        {"eth ip6 first udp", "eth ip6 later tcp"},
        {"eth ip6 first dst udp", "eth ip6 last dst udp"},
        {"eth ip6 first udp", "eth vlan ip6 hop later icmp6"},
        {"eth ip-first vxlan eth ip udp", "eth ip-later udp"},
        {"eth ip-first gre eth ip udp", "eth ip-first udp"},
        {"eth ip-first ip udp", "eth ip-first tcp"},
        {"eth ip6 atomic udp", "eth ip6 udp"},
    };
    struct made a, b;
    for (size_t i = 0; i < ARRAY_SIZE(same); i++) {
        testing_make_at(&a, same[i][0], 0, 0, false);
        testing_make_at(&b, same[i][1], 0, 0, true);
        assert_true(same_flow(&a, &b));
    }
    testing_make(&a, "eth ip udp");
    testing_make(&b, "eth ip-first udp");
    assert_false(same_flow(&a, &b));
}

/* Ethernet's padding is data of nobody. A length of 0 says nothing. */
static void packets_end_where_they_say(void **state)
{
    (void)state;
    struct made m;
    struct inner in;
    testing_make(&m, "eth ip tcp");
    for (uint32_t total = 1; total <= m.len - 14; total++) {
        st_u16(m.d + 16, (uint16_t)total);
        inner_walk(m.d, m.len, &in);
        assert_int_equal(in.headers, MIN(MAX(34u, 14 + total), 54u));
        assert_int_equal(in.port[0], total < 24 ? 0 : TESTING_SPORT);
        assert_int_equal(in.port[1], total < 24 ? 0 : TESTING_DPORT);
        assert_int_equal(in.proto, 6);
    }
    st_u16(m.d + 16, 0);
    inner_walk(m.d, m.len, &in);
    assert_int_equal(in.port[1], TESTING_DPORT);
    testing_make(&m, "eth ip-options udp");
    st_u16(m.d + 16, 21); /* no packet is shorter than its own header */
    inner_walk(m.d, m.len, &in);
    assert_int_equal(in.headers, 14 + 32);
    testing_make(&m, "eth ip6 tcp");
    for (uint32_t payload = 1; payload <= m.len - 54; payload++) {
        st_u16(m.d + 18, (uint16_t)payload);
        inner_walk(m.d, m.len, &in);
        assert_int_equal(in.headers, MIN(54 + payload, 74u));
        assert_int_equal(in.port[1], payload < 4 ? 0 : TESTING_DPORT);
    }
    st_u16(m.d + 18, 0);
    inner_walk(m.d, m.len, &in);
    assert_int_equal(in.port[1], TESTING_DPORT);
    testing_make(&m, "eth ip gre ip tcp"); /* the outer one's word counts for what is inside */
    st_u16(m.d + 16, 20 + 4 + 20);
    inner_walk(m.d, m.len, &in);
    assert_int_equal(in.headers, 14 + 20 + 4 + 20);
    assert_int_equal(in.port[1], 0);
}

/* Frames that are understood no further than to the "-". */
static void other_things_are_no_tunnels(void **state)
{
    (void)state;
    static const char *const words[] = {
        "eth ip udp:4789 - raw:f700000000004d00 eth ip tcp",  /* VXLAN without its flag */
        "eth ip udp:4788 - raw:0800000000004d00 eth ip tcp",  /* another port */
        "eth ip udp:6081 - raw:4000655800004d00 eth ip tcp",  /* Geneve version 1 */
        "eth ip udp:6081 - raw:0000880000004d00 eth ip tcp",  /* Geneve with something else */
        "eth ip proto:47 - raw:20018000 raw:00000001 ip tcp", /* GRE version 1 */
        "eth ip proto:47 - raw:40000800 raw:00000000 ip tcp", /* GRE with routes */
        "eth ip gre unknown - ip tcp",
        "eth ip erspan3-ip - raw:55", /* IP version 5 */
        "eth ip proto:47 raw:000022eb raw:2001000000000000 raw:00000400 - eth ip tcp", /* type 1 */
        "eth ip-first udp:4789 - raw:0800000000004d00 eth ip tcp",
        "eth ip-first - gre eth ip tcp",
        "eth ip-first - ip tcp",
        "eth ip6 first - ip6 tcp",
        "eth ip6 first udp:6081 - raw:0000655800004d00 eth ip tcp",
        "eth ip proto:4 - raw:65 ip ip", /* not the version that the number says */
        "eth ip proto:41 - raw:45 ip ip",
        "eth ip proto:4 - raw:44 ip ip", /* a header of 16 bytes */
        "eth qinq vlan qold vlan - vlan ip tcp",
        "eth ip ip ip ip ip - ip tcp",
        "eth ip ip ip ip ip udp:4789 - raw:0800000000004d00 eth ip tcp",
        "eth ip6 ip6 ip6 ip6 ip6 - gre ip tcp",
        "eth - eth ip tcp", /* the type of Ethernet right inside Ethernet */
    };
    struct made m;
    struct inner in;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        testing_make(&m, words[i]);
        walk_made(&m, words[i]);
        inner_walk(m.d, m.headers, &in);
        check(&m, m.headers, &in, words[i]);
    }
}

/* As many extensions as ether.h says, and no more. */
static void extensions_are_bounded(void **state)
{
    (void)state;
    struct made m;
    char dsts[4 * ETHER_EXT_MAX + 1] = "", words[256];
    for (size_t i = 0; i < sizeof(dsts) - 1; i++) {
        dsts[i] = "dst "[i % 4];
    }
    snprintf(words, sizeof(words), "eth ip6 %sudp", dsts);
    testing_make(&m, words);
    walk_made(&m, words);
    snprintf(words, sizeof(words), "eth ip6 %s- dst udp", dsts);
    testing_make(&m, words);
    walk_made(&m, words);
}

/* The first in the list is outermost. Gives the last one that is a network header, or "". */
static const char *innermost(const char *protocols)
{
    const char *found = "";
    for (const char *p = protocols; p; p = strchr(p, ':')) {
        p += *p == ':';
        size_t n = strcspn(p, ":");
        if (n == 2 && memcmp(p, "ip", 2) == 0) {
            found = "ip";
        } else if (n == 4 && memcmp(p, "ipv6", 4) == 0) {
            found = "ipv6";
        }
    }
    return found;
}

static void address_text(const struct inner *in, unsigned which, char ret[INET6_ADDRSTRLEN])
{
    assert_non_null(inet_ntop(in->family, in->addr[which], ret, INET6_ADDRSTRLEN));
}

static void mac_text(const uint8_t *p, char ret[18])
{
    snprintf(ret, 18, "%02x:%02x:%02x:%02x:%02x:%02x", p[0], p[1], p[2], p[3], p[4], p[5]);
}

static void judge_transport(const struct inner *in, const struct judged *j)
{
    unsigned which = in->proto == 6 ? 0 : in->proto == 17 ? 1 : in->proto == 132 ? 2 : 3;
    char text[32];
    snprintf(text, sizeof(text), "%u", in->port[0]);
    assert_string_equal(text, j->field[F_SPORT + which]);
    snprintf(text, sizeof(text), "%u", in->port[1]);
    assert_string_equal(text, j->field[F_DPORT + which]);
    if (in->mac[0] > in->addr[0]) {
        return; /* the tunnel's own ports: what is inside has no IP header */
    }
    uint32_t payload = in->headers - (uint32_t)strtoul(j->field[F_FRAME_LEN], NULL, 10);
    if (in->proto == 6) {
        assert_int_equal(strtoul(j->field[F_TCP_LEN], NULL, 10), -payload);
    } else if (in->proto == 17) {
        assert_int_equal(strtoul(j->field[F_UDP_LEN], NULL, 10) - 8, -payload);
    }
}

static void judge(const struct inner *in, const struct judged *j)
{
    char text[INET6_ADDRSTRLEN];
    mac_text(in->mac[0], text);
    assert_string_equal(text, j->field[F_MAC_DST]);
    mac_text(in->mac[1], text);
    assert_string_equal(text, j->field[F_MAC_SRC]);
    const char *network = innermost(j->field[F_PROTOCOLS]);
    assert_string_equal(network, in->family == 0 ? "" : in->family == AF_INET ? "ip" : "ipv6");
    for (unsigned i = 0; i < 2 && in->family != 0; i++) {
        address_text(in, i, text);
        assert_string_equal(text, j->field[(in->family == AF_INET ? F_IP_SRC : F_IP6_SRC) + i]);
    }
    if (in->port[0] != 0) {
        judge_transport(in, j);
    }
}

static void tshark_agrees(void **state)
{
    (void)state;
    if (judge_missing()) {
        skip();
    }
    static uint8_t file[1 << 18];
    struct made m;
    struct inner in;
    struct judged j;
    unsigned with_ports = 0;
    char path[32];
    struct wr w = wr_make(file, sizeof(file));
    judge_begin(&w);
    for (size_t i = 0; testing_shapes[i]; i++) {
        testing_make(&m, testing_shapes[i]);
        judge_frame(&w, m.d, m.len);
    }
    judge_file(path, file, wr_len(&w));
    FILE *f = judge_open(path, judge_fields);
    assert_non_null(f);
    for (size_t i = 0; testing_shapes[i]; i++) {
        judge_line(f, &j);
        testing_make(&m, testing_shapes[i]);
        inner_walk(m.d, m.len, &in);
        printf("%s: %s\n", testing_shapes[i], j.field[F_PROTOCOLS]); /* for the log of a failure */
        judge(&in, &j);
        with_ports += in.port[0] != 0;
    }
    assert_int_equal(pclose(f), 0);
    assert_in_range(with_ports, 40, UINT32_MAX);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_innermost_headers),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(one_flow_both_ways),
        cmocka_unit_test(keys),
        cmocka_unit_test(fragments_are_one_flow),
        cmocka_unit_test(packets_end_where_they_say),
        cmocka_unit_test(other_things_are_no_tunnels),
        cmocka_unit_test(extensions_are_bounded),
        cmocka_unit_test(tshark_agrees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
