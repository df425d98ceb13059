/* SPDX-License-Identifier: Apache-2.0
 *
 * The tunnel stage leaves the links' datagrams out, or only its own link's, and drops frames that
 * came because others were sent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/bytes.h"
#include "data/stage/tunnel.h"
#include "proto/ether.h"
#include "proto/link.h"

enum { FRAMES = 6, LEN = 14 + 20 + 8 + LINK_RECORD_MIN };

static const struct ether_flow own = {
    .family = 2, .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}}, .port = {40000, 1234}};

/* A UDP packet from 10.0.0.1 to 10.0.0.`host`. */
static void make(uint8_t d[LEN], uint8_t host, bool record)
{
    struct wr w = wr_make(d, LEN);
    wr_zero(&w, 12);
    wr_u16(&w, ETHER_TYPE_IPV4);
    wr_copy(&w, "\x45\0\0\x2d\0\0\x40\0\x40\x11\0\0\x0a\0\0\1\x0a\0\0", 19);
    wr_u8(&w, host);
    wr_u16(&w, 40000);
    wr_u16(&w, 1234);
    wr_u32(&w, 25 << 16);
    wr_zero(&w, LINK_RECORD_MIN);
    link_record_encode(&(struct link_record){1, 77, host}, d + 42);
    d[50] ^= !record;
}

/* Two of the own flow, one of them no record; records of another link, and other traffic: which
 * are let through. */
static uint32_t run(bool take, bool set, struct ledger *ledger)
{
    static uint8_t data[FRAMES][LEN];
    static struct batch b;
    struct stage *s = NULL;
    uint32_t passed = 0;
    memset(ledger, 0, sizeof(*ledger));
    assert_int_equal(tunnel_stage_new(&(struct stage_conf){.take_links = take}, &s), 0);
    const struct tunnel_conf conf = {.has_flow = set, .flow = own};
    assert_int_equal(s->ops->set(s, &conf), 0);
    b.n = FRAMES;
    for (unsigned i = 0; i < FRAMES; i++) {
        make(data[i], i < 2 ? 2 : 3, i == 0 || i == 2 || i == 3 || i == 4);
        b.f[i] = (struct frame){.data = data[i], .datalen = LEN, .caplen = LEN, .point = i};
    }
    s->ops->run(s, &b, &(struct pass){.common = ledger});
    for (unsigned i = 0; i < b.n; i++) {
        passed |= 1U << b.f[i].point;
    }
    assert_int_equal(ledger_get(ledger, LEDGER_SEL_OUT), b.n);
    s->ops->free(s);
    return passed;
}

static void leaves_links_out(void **state)
{
    (void)state;
    struct ledger l;
    assert_int_equal(run(false, true, &l), 1 << 1 | 1 << 5);
    assert_int_equal(ledger_get(&l, LEDGER_SEL_TUNNEL), 1);
    assert_int_equal(ledger_get(&l, LEDGER_SEL_FOREIGN), 3);
    assert_int_equal(run(false, false, &l), 1 << 1 | 1 << 5);
    assert_int_equal(ledger_get(&l, LEDGER_SEL_TUNNEL), 0);
    assert_int_equal(ledger_get(&l, LEDGER_SEL_FOREIGN), 4);
}

static void takes_them_but_its_own(void **state)
{
    (void)state;
    struct ledger l;
    assert_int_equal(run(true, true, &l), 0x3c);
    assert_int_equal(ledger_get(&l, LEDGER_SEL_TUNNEL), 2);
    assert_int_equal(ledger_get(&l, LEDGER_SEL_FOREIGN), 0);
    assert_int_equal(run(true, false, &l), 0x3f);
}

static void drops_what_was_sent(void **state)
{
    (void)state;
    static uint8_t data[LEN];
    static struct batch b;
    struct ledger l = {0};
    struct tunnel_conf conf = {0};
    struct stage *s = NULL;
    assert_int_equal(tunnel_stage_new(&(struct stage_conf){0}, &s), 0);
    for (unsigned round = 0; round < 3; round++) {
        make(data, 3, false);
        b.n = 2;
        b.f[0] = (struct frame){.data = data, .datalen = LEN, .caplen = LEN, .origlen = LEN};
        b.f[1] = b.f[0];
        b.f[1].origlen = 1000;
        conf.drop = round == 1;
        assert_int_equal(s->ops->set(s, &conf), 0);
        s->ops->run(s, &b, &(struct pass){.common = &l});
        assert_int_equal(b.n, round == 1 ? 0 : 2);
        conf.long_from = 1000; /* all are long in the first round */
        assert_int_equal(tunnel_stage_long(s), LEN + 1000 * (round + 1));
    }
    assert_int_equal(ledger_get(&l, LEDGER_SEL_AMPLIFIED), 2);
    assert_int_equal(ledger_get(&l, LEDGER_SEL_OUT), 4);
    s->ops->free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaves_links_out),
        cmocka_unit_test(takes_them_but_its_own),
        cmocka_unit_test(drops_what_was_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
