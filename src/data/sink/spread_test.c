/* SPDX-License-Identifier: Apache-2.0
 *
 * One port's frames to many consumers: each gets exactly those that a plain look at every frame
 * would give it, in order, and its counts say what became of all of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "data/sink/spread.h"

enum {
    LEN = 64,
    FRAMES = 5000,
    CONSUMERS = 40,
};

/* A consumer's sink: the numbers of the frames that it was given. */
struct catch
{
    struct sink sink;
    uint32_t id[FRAMES], caplen[FRAMES];
    uint32_t n, point, flushes;
};

static void catch_write(struct sink *s, const struct batch *b)
{
    struct catch *c = (struct catch *)s;
    uint8_t bytes[LEN + 4];
    for (uint32_t i = 0; i < b->n; i++) {
        const struct frame *f = &b->f[i];
        assert_true(c->n < FRAMES);
        assert_int_equal(f->point, c->point);
        assert_true(f->caplen >= 20);
        frame_copy(f, 0, bytes, f->caplen);
        const bool tagged = bytes[12] == 0x81;
        memcpy(&c->id[c->n], bytes + 14 + (tagged ? 4 : 0), 4);
        c->caplen[c->n++] = f->caplen;
    }
}

static void catch_flush(struct sink *s)
{
    ((struct catch *)s)->flushes++;
}

static const struct sink_ops catch_ops = {.write = catch_write, .flush = catch_flush};

/* Frame number `id`: an experimental EtherType, its direction, time and tag follow from the id. */
static uint8_t bytes[FRAMES][LEN];

static struct frame frame(uint32_t id)
{
    uint8_t *p = bytes[id];
    memset(p, (int)(id % 7), LEN);
    p[12] = 0x88;
    p[13] = 0xb5;
    memcpy(p + 14, &id, 4);
    struct frame f = {.data = p,
                      .datalen = LEN,
                      .caplen = LEN,
                      .origlen = LEN,
                      .ts_ns = (int64_t)id * 1000,
                      .dir = (uint8_t)(1 + id % 2),
                      .point = 77};
    if (id % 3 == 0) {
        static const uint8_t tag[] = {0x81, 0x00};
        f.ins_len = 4;
        f.ins_off = 12;
        memcpy(f.ins, tag, 2);
        st_u16(f.ins + 2, (uint16_t)(0x6000 | id % 100));
        f.caplen += 4;
        f.origlen += 4;
    }
    return f;
}

static void push(struct sink *spread, uint32_t from, uint32_t to)
{
    static struct batch b;
    while (from < to) {
        for (b.n = 0; b.n < BATCH_MAX && from < to;) {
            b.f[b.n++] = frame(from++);
        }
        spread->ops->write(spread, &b);
    }
}

/* The program "ether[0] == k", which libpcap would write alike. */
static void first_byte_is(struct sock_filter ret[4], uint8_t k)
{
    ret[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0);
    ret[1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, k, 0, 1);
    ret[2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 262144);
    ret[3] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
}

struct consumer {
    struct catch catch;
    struct spread_want want;
    struct spread_counts counts;
    struct sock_filter insns[4];
    struct filter_prog prog;
    struct vlan_set vlans;
    unsigned byte; /* of its filter; 7: it has none */
};

static bool plainly_wanted(const struct consumer *c, uint32_t id)
{
    const struct spread_want *w = &c->want;
    return (c->byte == 7 || id % 7 == c->byte) &&
           (w->dir == FRAME_DIR_UNKNOWN || w->dir == 1 + id % 2) &&
           (!w->vlans || (id % 3 == 0 && vlan_set_has(w->vlans, id % 100)));
}

static void make(struct consumer *c, unsigned k)
{
    *c = (struct consumer){.catch = {.sink.ops = &catch_ops, .point = k}, .byte = k % 8};
    first_byte_is(c->insns, (uint8_t)c->byte);
    c->prog = (struct filter_prog){c->insns, 4};
    for (unsigned v = 0; v < 100; v += 1 + k % 5) {
        c->vlans.bits[v / 64] |= UINT64_C(1) << v % 64;
    }
    c->want = (struct spread_want){.sink = &c->catch.sink,
                                   .point = k,
                                   .filter = c->byte == 7 ? NULL : &c->prog,
                                   .dir = (enum frame_dir)(k % 3),
                                   .vlans = k % 4 == 1 ? &c->vlans : NULL,
                                   .snaplen = k % 5 == 2 ? 40 : 0,
                                   .start_ns = (int64_t)k * 10 * 1000,
                                   .stop_ns = (int64_t)(FRAMES - k * 20) * 1000,
                                   .counts = &c->counts};
}

static void check(const struct consumer *c)
{
    uint32_t given = 0, offered = 0;
    for (uint32_t id = 0; id < FRAMES; id++) {
        const int64_t ts = (int64_t)id * 1000;
        if (ts < c->want.start_ns || ts >= c->want.stop_ns) {
            continue;
        }
        offered++;
        if (plainly_wanted(c, id)) {
            assert_true(given < c->catch.n);
            assert_int_equal(c->catch.id[given], id);
            const uint32_t len = LEN + (id % 3 == 0 ? 4 : 0);
            assert_int_equal(c->catch.caplen[given], c->want.snaplen ? c->want.snaplen : len);
            given++;
        }
    }
    assert_int_equal(c->catch.n, given);
    assert_int_equal(c->counts.given, given);
    assert_int_equal(c->counts.offered, offered);
    assert_int_equal(c->counts.unwanted, offered - given);
    assert_false(c->counts.full);
}

static void each_gets_what_it_wants(void **state)
{
    (void)state;
    static struct consumer c[CONSUMERS];
    static struct ledger ledger;
    struct sink *s = NULL;
    uint32_t some = 0;
    assert_int_equal(spread_new(&ledger, &s), 0);
    for (unsigned k = 0; k < CONSUMERS; k++) {
        make(&c[k], k);
        spread_set(s, k, &c[k].want);
    }
    assert_int_equal(spread_now(s), CONSUMERS);
    push(s, 0, FRAMES);
    s->ops->flush(s);
    for (unsigned k = 0; k < CONSUMERS; k++) {
        check(&c[k]);
        assert_int_equal(c[k].catch.flushes, 1);
        some += c[k].catch.n > 0;
    }
    assert_true(some > CONSUMERS / 2);
    assert_int_equal(ledger_get(&ledger, LEDGER_SINK_IN), FRAMES);
    assert_int_equal(ledger_get(&ledger, LEDGER_SINK_OUT), FRAMES);
    sink_free(s);
}

/* One consumer comes while frames pass, another goes: places are used again, and the one that goes
 * is flushed. */
static void consumers_come_and_go(void **state)
{
    (void)state;
    static struct consumer a, b;
    static struct ledger ledger;
    struct sink *s = NULL;
    assert_int_equal(spread_new(&ledger, &s), 0);
    make(&a, 0);
    make(&b, 0);
    a.want.filter = b.want.filter = NULL;
    push(s, 0, 100); /* nobody wants these */
    spread_set(s, 3, &a.want);
    push(s, 100, 200);
    spread_set(s, 500, &b.want);
    push(s, 200, 300);
    spread_set(s, 3, NULL);
    assert_int_equal(spread_now(s), 1);
    assert_int_equal(a.catch.flushes, 1);
    push(s, 300, 400);
    spread_set(s, 500, NULL);
    assert_int_equal(spread_now(s), 0);
    push(s, 400, 500);
    assert_int_equal(a.catch.n, 200);
    assert_int_equal(a.catch.id[0], 100);
    assert_int_equal(a.catch.id[199], 299);
    assert_int_equal(b.catch.n, 200);
    assert_int_equal(b.catch.id[0], 200);
    sink_free(s);
}

/* Two ports of one capture share its number of frames; what comes after is no part of it. */
static void a_budget_is_shared(void **state)
{
    (void)state;
    static struct consumer a, b;
    static struct ledger ledger;
    struct sink *one = NULL, *two = NULL;
    static _Atomic uint64_t budget = 150;
    assert_int_equal(spread_new(&ledger, &one), 0);
    assert_int_equal(spread_new(&ledger, &two), 0);
    make(&a, 7);
    make(&b, 7);
    a.want.dir = b.want.dir = FRAME_DIR_UNKNOWN;
    a.want.start_ns = b.want.start_ns = 0;
    a.want.budget = b.want.budget = &budget;
    spread_set(one, 0, &a.want);
    spread_set(two, 0, &b.want);
    push(one, 0, 100);
    push(two, 0, 100);
    assert_int_equal(a.catch.n, 100);
    assert_int_equal(b.catch.n, 50);
    assert_false(a.counts.full);
    assert_true(b.counts.full);
    assert_int_equal(b.counts.offered, 50);
    push(one, 100, 200);
    push(two, 100, 200);
    assert_true(a.counts.full);
    assert_int_equal(a.counts.given, 100);
    assert_int_equal(a.counts.offered, 100);
    assert_int_equal(b.counts.given, 50);
    sink_free(one);
    sink_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_gets_what_it_wants),
        cmocka_unit_test(consumers_come_and_go),
        cmocka_unit_test(a_budget_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
