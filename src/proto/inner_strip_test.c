/* SPDX-License-Identifier: Apache-2.0
 *
 * Frames of words (proto/testing.h) without their tunnels, which must be the frames that the words
 * of the inside alone make, whole and cut at every length; and for tshark the end of what it saw.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "proto/inner.h"
#include "proto/inner_judge.h"
#include "proto/testing.h"

struct strip_case {
    enum inner_tunnel kind;
    const char *words, *inside; /* NULL: there is nothing to take off */
    unsigned eths, ips;         /* the first numbers of the inside */
};

static const struct strip_case strips[] = {
    {INNER_VLAN, "eth vlan ip tcp", "eth ip tcp", 0, 0},
    {INNER_VLAN, "eth qinq vlan qold vlan ip6 tcp", "eth ip6 tcp", 0, 0},
    {INNER_VLAN, "eth qinq vlan qold vlan vlan ip tcp", "eth vlan ip tcp", 0, 0},
    {INNER_VLAN, "eth vlan arp", "eth arp", 0, 0},
    {INNER_VLAN, "eth vlan ip-later - udp", "eth ip-later - udp", 0, 0},
    {INNER_VLAN, "eth ip tcp", NULL, 0, 0},
    {INNER_VLAN, "eth ip vxlan eth vlan ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip vxlan eth ip tcp", "eth ip tcp", 1, 1},
    {INNER_VXLAN, "eth vlan ip6 hop vxlan8472 eth vlan ip6 tcp", "eth vlan ip6 tcp", 1, 1},
    {INNER_VXLAN, "eth ip vxlan eth ip vxlan eth ip udp", "eth ip vxlan eth ip udp", 1, 1},
    {INNER_VXLAN, "eth ip ip vxlan eth ip-first udp", "eth ip-first udp", 1, 2},
    {INNER_VXLAN, "eth ip erspan2 eth ip vxlan eth ip udp", "eth ip udp", 2, 2},
    {INNER_VXLAN, "eth ip vxlan eth unknown", "eth unknown", 1, 1},
    {INNER_VXLAN, "eth ip geneve eth ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip gre eth ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip-first vxlan eth ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip-last vxlan eth ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip6 first vxlan eth ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip udp:4789 raw:f700000000004d00 eth ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip udp:4789 raw:ffffffffffffffff eth ip tcp", "eth ip tcp", 1, 1},
    {INNER_GRE, "eth ip gre eth ip tcp", "eth ip tcp", 1, 1},
    {INNER_GRE, "eth ip6 gre-cks eth vlan ip tcp", "eth vlan ip tcp", 1, 1},
    {INNER_GRE, "eth ip gre eth arp", "eth arp", 1, 1},
    {INNER_GRE, "eth ip gre ip tcp", "eth ip tcp", 0, 1},
    {INNER_GRE, "eth vlan ip gre-k ip6 tcp", "eth ip6 tcp", 0, 1},
    {INNER_GRE, "eth ip vxlan eth ip gre ip tcp", "eth ip tcp", 1, 2},
    {INNER_GRE, "eth ip gre unknown", NULL, 0, 0},
    {INNER_GRE, "eth ip erspan1 eth ip tcp", NULL, 0, 0},
    {INNER_GRE, "eth ip erspan3 eth ip tcp", NULL, 0, 0},
    {INNER_GRE, "eth ip ip tcp", NULL, 0, 0},
    {INNER_ERSPAN, "eth ip erspan1 eth ip tcp", "eth ip tcp", 1, 1},
    {INNER_ERSPAN, "eth ip erspan2 eth vlan ip tcp", "eth vlan ip tcp", 1, 1},
    {INNER_ERSPAN, "eth ip erspan2-tag eth ip tcp", "eth vlan-a123 ip tcp", 1, 1},
    {INNER_ERSPAN, "eth ip6 erspan3 eth ip6 tcp", "eth ip6 tcp", 1, 1},
    {INNER_ERSPAN, "eth vlan ip erspan3-sub eth ip udp", "eth ip udp", 1, 1},
    {INNER_ERSPAN, "eth ip erspan3-ip ip tcp", "eth ip tcp", 0, 1},
    {INNER_ERSPAN, "eth ip gre eth ip tcp", NULL, 0, 0},
    {INNER_ERSPAN, "eth ip vxlan eth ip tcp", NULL, 0, 0},
    {INNER_VXLAN, "eth ip erspan2-tag eth ip vxlan eth ip tcp", "eth ip tcp", 2, 2},
};

/* The bytes that a strip of `len` bytes speaks of; returns how many. */
static uint32_t stripped(const uint8_t *d, size_t len, const struct inner_strip *s,
                         uint8_t ret[TESTING_MAX])
{
    struct wr w = wr_make(ret, TESTING_MAX);
    uint32_t n = (uint32_t)MIN(len, s->end) - s->off;
    wr_copy(&w, d + s->off, s->ins_off);
    wr_copy(&w, s->ins, s->ins_len);
    wr_copy(&w, d + s->off + s->ins_off, n - s->ins_off);
    assert_true(wr_ok(&w));
    return (uint32_t)wr_len(&w);
}

static void strip_cut_anywhere(const struct strip_case *c, const struct made *m,
                               const struct made *inside)
{
    struct inner_strip whole = {0}, s;
    uint8_t got[TESTING_MAX];
    assert_int_equal(inner_strip(m->d, m->len, c->kind, &whole), c->inside ? 0 : -ENOENT);
    uint32_t need = whole.off + (c->kind == INNER_VLAN        ? 2
                                 : whole.ins_len != 14        ? 14
                                 : inside->family == AF_INET6 ? 40
                                                              : 20);
    for (size_t n = 0; n <= m->len; n++) {
        _cleanup_(freep) uint8_t *exact = malloc(n ? n : 1);
        memcpy(exact, m->d, n);
        memset(&s, 0xee, sizeof(s));
        bool there = c->inside && n >= need;
        assert_int_equal(inner_strip(exact, n, c->kind, &s), there ? 0 : -ENOENT);
        if (there) {
            assert_int_equal(s.off, whole.off);
            assert_int_equal(s.end, whole.end);
            assert_int_equal(stripped(exact, n, &s, got), inside->len - (m->len - n));
            assert_memory_equal(got, inside->d, inside->len - (m->len - n));
        }
    }
}

static void tunnels_come_off(void **state)
{
    (void)state;
    struct made m, inside = {0};
    for (size_t i = 0; i < ARRAY_SIZE(strips); i++) {
        const struct strip_case *c = &strips[i];
        testing_make(&m, c->words);
        if (c->inside) {
            testing_make_at(&inside, c->inside, c->eths, c->ips, false);
        }
        strip_cut_anywhere(c, &m, &inside);
    }
}

/* Makes the captured frame of `m`, as a capture has it, and takes the tunnel off: the first `len`
 * bytes of `origlen`, of which `ins_len` from `ins_off` on are beside the others, in `rest`. */
static int strip_captured(const struct strip_case *c, const struct made *m, uint32_t len,
                          uint32_t origlen, uint16_t ins_off, uint8_t ins_len,
                          uint8_t rest[TESTING_MAX], struct frame *ret)
{
    struct frame f = {.data = rest,
                      .datalen = len - ins_len,
                      .caplen = len,
                      .origlen = origlen,
                      .ts_ns = 5,
                      .ins_len = ins_len,
                      .ins_off = ins_off};
    memcpy(rest, m->d, ins_off);
    memcpy(f.ins, m->d + ins_off, ins_len);
    memcpy(rest + ins_off, m->d + ins_off + ins_len, TESTING_MAX - ins_off - ins_len);
    *ret = f;
    int r = inner_strip_frame(ret, c->kind);
    if (r < 0) {
        assert_memory_equal(ret, &f, sizeof(f));
    }
    assert_int_equal(ret->ts_ns, 5);
    return r;
}

static void check_captured(const struct frame *f, const struct made *inside, uint32_t caplen,
                           uint32_t origlen)
{
    uint8_t got[TESTING_MAX];
    assert_int_equal(f->caplen, caplen);
    assert_int_equal(f->origlen, origlen);
    assert_in_range(f->caplen, 1, f->datalen + f->ins_len);
    frame_copy(f, 0, got, f->caplen);
    assert_memory_equal(got, inside->d, f->caplen);
}

/* In one piece, with a tag or an Ethernet header beside it, padded, and sliced. */
static void captured_frames(void **state)
{
    (void)state;
    struct made m, inside;
    uint8_t rest[TESTING_MAX];
    struct frame f;
    for (size_t i = 0; i < ARRAY_SIZE(strips); i++) {
        const struct strip_case *c = &strips[i];
        testing_make(&m, c->words);
        if (!c->inside) {
            assert_int_equal(strip_captured(c, &m, m.len, m.len, 0, 0, rest, &f), -ENOENT);
            continue;
        }
        testing_make_at(&inside, c->inside, c->eths, c->ips, false);
        uint32_t pad = c->kind == INNER_VLAN ? 6 : 0; /* it is told from data by a tunnel alone */
        bool tagged = (m.d[12] == 0x81 || m.d[12] == 0x88) && m.d[13] != 0xb5;
        for (unsigned kind = 0; kind < 3; kind++) {
            uint16_t off = kind == 1 ? 12 : 0;
            uint8_t len = kind == 0 ? 0 : kind == 1 ? 4 : 14;
            if ((kind == 1 && !tagged) || (kind == 2 && tagged)) {
                continue;
            }
            assert_int_equal(strip_captured(c, &m, m.len, m.len, off, len, rest, &f), 0);
            check_captured(&f, &inside, inside.len, inside.len);
            assert_int_equal(strip_captured(c, &m, m.len + 6, m.len + 6, off, len, rest, &f), 0);
            check_captured(&f, &inside, inside.len + pad, inside.len + pad);
            assert_int_equal(strip_captured(c, &m, m.len - 9, m.len + 6, off, len, rest, &f), 0);
            check_captured(&f, &inside, inside.len - 9, inside.len + pad);
        }
    }
}

/* A frame has one place where bytes are inserted, and only its first bytes are looked at. */
static void captured_frames_that_stay(void **state)
{
    (void)state;
    struct strip_case vlan = {INNER_VLAN, "eth vlan ip tcp", NULL, 0, 0};
    struct made m;
    uint8_t rest[TESTING_MAX], scratch[INNER_SCRATCH];
    struct frame f;
    size_t len = 0;
    testing_make(&m, vlan.words);
    assert_int_equal(strip_captured(&vlan, &m, m.len, m.len, 30, 4, rest, &f), -ENOENT);
    assert_ptr_equal(inner_bytes(&f, scratch, &len), scratch);
    assert_int_equal(len, m.len);
    assert_memory_equal(scratch, m.d, len);
    f.caplen = f.datalen = TESTING_MAX;
    (void)inner_bytes(&f, scratch, &len);
    assert_int_equal(len, INNER_SCRATCH);
    f.ins_len = 0;
    assert_ptr_equal(inner_bytes(&f, scratch, &len), rest);
    assert_int_equal(len, TESTING_MAX);
}

static bool ends_in(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

/* Without its tunnel a frame has the same innermost headers, and what tshark sees in it is the end
 * of what it saw before. */
static void tshark_sees_the_inside(void **state)
{
    (void)state;
    if (judge_missing()) {
        skip();
    }
    static uint8_t file[1 << 18];
    uint8_t got[TESTING_MAX];
    struct made m;
    struct inner_strip s;
    struct judged before, after;
    char path[32];
    unsigned pairs = 0;
    struct wr w = wr_make(file, sizeof(file));
    judge_begin(&w);
    for (size_t i = 0; i < ARRAY_SIZE(strips); i++) {
        testing_make(&m, strips[i].words);
        if (strips[i].kind != INNER_VLAN && !strstr(strips[i].words, "-ip") &&
            inner_strip(m.d, m.len, strips[i].kind, &s) == 0) {
            judge_frame(&w, m.d, m.len);
            judge_frame(&w, got, stripped(m.d, m.len, &s, got));
            pairs++;
        }
    }
    judge_file(path, file, wr_len(&w));
    FILE *f = judge_open(path, judge_fields);
    assert_non_null(f);
    for (unsigned i = 0; i < pairs; i++) {
        judge_line(f, &before);
        judge_line(f, &after);
        const char *inside = after.field[F_PROTOCOLS] + strlen("eth:ethertype:");
        inside += strncmp(inside, "vlan:ethertype:", 15) == 0 ? 15 : 0; /* a tag put back */
        assert_true(ends_in(before.field[F_PROTOCOLS], inside));
        assert_true(strlen(before.field[F_PROTOCOLS]) > strlen(after.field[F_PROTOCOLS]));
        for (unsigned k = F_SPORT; k < F_FRAME_LEN; k++) {
            if (*after.field[k]) {
                assert_string_equal(before.field[k], after.field[k]);
            }
        }
    }
    assert_null(fgets(before.line, sizeof(before.line), f));
    assert_int_equal(pclose(f), 0);
    assert_in_range(pairs, 18, ARRAY_SIZE(strips));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tunnels_come_off),
        cmocka_unit_test(captured_frames),
        cmocka_unit_test(captured_frames_that_stay),
        cmocka_unit_test(tshark_sees_the_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
