/* SPDX-License-Identifier: Apache-2.0
 *
 * Flow records in place of frames, between the real ends: they come in order with frames, under
 * their point, and each is counted; what a hostile tap makes of them costs only its own books.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "data/link/world/world.h"
#include "proto/flowrec_testing.h"
#include "proto/ipfix.h"

enum {
    SOME = 5,
};

static const struct flowrec web = {TESTING_WEB_BOTH};

/* The data thread's; looked at when that has ended. */
static struct {
    unsigned n;
    uint32_t point;
    struct flowrec last;
} heard;

static void hear(void *user, uint32_t point, const struct flowrec *r)
{
    (void)user;
    heard.n++;
    heard.point = point;
    heard.last = *r;
}

static struct world *begin(void)
{
    struct world *w = world_new(LINK_CPACE);
    memset(&heard, 0, sizeof(heard));
    w->record = hear;
    world_start(w);
    return w;
}

/* A FLOWS of these bytes leaves. */
static void send_flows(struct world *w, const uint8_t *bytes, size_t len)
{
    struct sink *tx = w->tap[0].sender.plain.tx;
    static struct batch b = {.n = 1};
    b.f[0] = (struct frame){.data = bytes,
                            .datalen = (uint32_t)len,
                            .caplen = (uint32_t)len,
                            .origlen = (uint32_t)len,
                            .ts_ns = 7,
                            .flows = true};
    ledger_add(&w->tap[0].sender.plain.ledger, LEDGER_CUT_OUT, 1);
    tx->ops->write(tx, &b);
    tx->ops->flush(tx);
}

static size_t message(struct ipfix *m, unsigned records)
{
    ipfix_init_with(m, 1, IPFIX_BIFLOW | IPFIX_NS);
    assert_true(ipfix_templates(m));
    for (unsigned i = 0; i < records; i++) {
        assert_true(ipfix_add(m, &web));
    }
    return ipfix_end(m);
}

static const struct ledger *books(const struct world *w)
{
    return &w->listener->peer[0]->point[0]->ledger;
}

/* The count that a test waits for. */
static struct {
    enum ledger_id id;
    uint64_t n;
} wanted;

static bool is_counted(struct world *w)
{
    return ledger_get(books(w), wanted.id) >= wanted.n;
}

static void until_counted(struct world *w, enum ledger_id id, uint64_t n)
{
    wanted.id = id;
    wanted.n = n;
    world_must(w, is_counted, 5000);
}

static void records_come_with_frames(void **state)
{
    (void)state;
    struct world *w = begin();
    static struct ipfix m;
    for (unsigned i = 0; i < 20; i++) {
        world_frames(&w->tap[0], 10);
        send_flows(w, m.sets.bytes, message(&m, SOME));
    }
    until_counted(w, LEDGER_RX_RECORDS, 20 * SOME);
    world_must(w, all_written, 5000);
    const struct ledger *l = books(w);
    assert_int_equal(ledger_get(l, LEDGER_RX_OUT), 200);
    assert_int_equal(ledger_get(l, LEDGER_RX_MESSAGES), 20);
    assert_int_equal(ledger_get(l, LEDGER_RX_RECORDS), 20 * SOME);
    assert_int_equal(ledger_get(l, LEDGER_RX_TOLD), 20 * SOME * 8);
    assert_int_equal(ledger_get(l, LEDGER_RX_UNREADABLE), 0);
    assert_int_equal(ledger_sum(l, NULL, LEDGER_LINK_RX).in_flight, 0);
    assert_int_equal(ledger_sum(l, NULL, LEDGER_LINK_RX).dropped, 0);
    world_stop_collector(w);
    assert_int_equal(heard.n, 20 * SOME);
    assert_int_equal(heard.point, 1);
    assert_true(heard.last.first_ns == web.first_ns && heard.last.reverse.packets == 3);
    world_forget_collector(w);
    world_free(w);
}

/* A template of one field, the packets in a byte, and the version; so many records of it. */
static size_t tiny(uint8_t *d, size_t records)
{
    struct wr w = wr_make(d, 65535);
    wr_u16(&w, 10);
    wr_u16(&w, (uint16_t)(16 + 16 + 4 + 2 * records));
    wr_u32(&w, 0);
    wr_u64(&w, 1);
    wr_u16(&w, 2);
    wr_u16(&w, 16);
    wr_u16(&w, 256);
    wr_u16(&w, 2);
    wr_u32(&w, 60 << 16 | 1);
    wr_u32(&w, 2 << 16 | 1);
    wr_u16(&w, 256);
    wr_u16(&w, (uint16_t)(4 + 2 * records));
    for (size_t i = 0; i < records; i++) {
        wr_u16(&w, 0x0401);
    }
    return wr_len(&w);
}

/* Cut short, garbage, more records than their bytes are worth, and packets without a measure. */
static void nonsense_costs_its_own_tap_only(void **state)
{
    (void)state;
    struct world *w = begin();
    static struct ipfix m;
    static uint8_t d[65536];
    const size_t len = message(&m, SOME);
    send_flows(w, m.sets.bytes, len - 1);
    send_flows(w, (const uint8_t *)"garbage", 7);
    const size_t many = tiny(d, 20000);
    send_flows(w, d, many);
    until_counted(w, LEDGER_RX_UNREADABLE, 3);
    const struct ledger *l = books(w);
    const uint64_t records = SOME - 1 + many / 32;
    assert_int_equal(ledger_get(l, LEDGER_RX_MESSAGES), 3);
    assert_int_equal(ledger_get(l, LEDGER_RX_UNREADABLE), 3);
    assert_int_equal(ledger_get(l, LEDGER_RX_RECORDS), records);
    struct flowrec huge = web;
    huge.packets = huge.reverse.packets = LEDGER_MOST;
    for (unsigned i = 0; i < 20; i++) {
        ipfix_init_with(&m, 1, IPFIX_BIFLOW | IPFIX_NS);
        assert_true(ipfix_templates(&m) && ipfix_add(&m, &huge));
        send_flows(w, m.sets.bytes, ipfix_end(&m));
    }
    world_frames(&w->tap[0], 10);
    until_counted(w, LEDGER_RX_RECORDS, records + 20);
    world_must(w, all_written, 5000);
    assert_true(ledger_get(l, LEDGER_RX_TOLD) == LEDGER_MOST);
    assert_int_equal(ledger_get(l, LEDGER_RX_RECORDS), records + 20);
    assert_int_equal(w->tap[0].dialer->status.sessions, 1);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_come_with_frames),
        cmocka_unit_test(nonsense_costs_its_own_tap_only),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
