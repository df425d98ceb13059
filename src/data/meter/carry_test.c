/* SPDX-License-Identifier: Apache-2.0
 *
 * Pieces of IPFIX messages: each can be read alone, all records are in one, and each record that
 * finds no room is counted.
 */
#include "data/meter/carry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "proto/flowrec_testing.h"
#include "proto/ipfix_read.h"

static const struct flowrec web = {TESTING_WEB_BOTH};

struct heard {
    unsigned records;
    uint64_t packets;
    struct flowrec last;
};

static void hear(void *user, const struct flowrec *r)
{
    struct heard *h = user;
    h->records++;
    h->packets += r->packets + r->reverse.packets;
    h->last = *r;
}

/* The oldest piece is read, with nothing else, and dropped. */
static void take(struct exporter *e, struct heard *h)
{
    const struct carry_piece *p = carry_first(e);
    struct ipfix_read_counts counts;
    const uint64_t before = h->packets;
    assert_non_null(p);
    assert_in_range(p->len, 1, CARRY_PIECE);
    assert_int_equal(ipfix_read(p->bytes, p->len, hear, h, &counts), 0);
    assert_int_equal(counts.skipped, 0);
    assert_int_equal(h->packets - before, p->packets);
    carry_drop(e);
}

static void tick(struct exporter *e, int64_t ms)
{
    e->ops->tick(e, &(struct exporter_news){.now = {NSEC_PER_SEC + ms * NSEC_PER_MSEC}});
}

static void finish(struct exporter *e)
{
    struct error err = {""};
    assert_int_equal(e->ops->finish(e, &err), 0);
}

static void end(struct exporter *e)
{
    assert_int_equal(ledger_sum(&e->ledger, NULL, LEDGER_EXPORT).in_flight, 0);
    exporter_free(e);
}

/* A piece leaves after a second, as full as it is. */
static void a_record_does_not_wait_for_long(void **state)
{
    (void)state;
    struct exporter *e;
    struct heard h = {0};
    assert_int_equal(carry_exporter_new(&e), 0);
    assert_true(e->biflows);
    tick(e, 0);
    e->ops->record(e, &web);
    tick(e, 200);
    tick(e, 200 + CARRY_MS - 1);
    assert_null(carry_first(e));
    tick(e, 200 + CARRY_MS);
    take(e, &h);
    assert_int_equal(h.records, 1);
    assert_int_equal(h.last.reverse.packets, 3);
    assert_int_equal(h.last.first_ns, web.first_ns);
    assert_int_equal(h.last.port[1], 80);
    assert_null(carry_first(e));
    tick(e, 5000);
    assert_null(carry_first(e)); /* nothing is no piece */
    end(e);
}

/* Records of both versions; each piece is full before the next begins. */
static void pieces_are_full(void **state)
{
    (void)state;
    enum { MANY = 1000 };
    struct exporter *e;
    struct heard h = {0};
    unsigned pieces = 0;
    assert_int_equal(carry_exporter_new(&e), 0);
    for (unsigned i = 0; i < MANY; i++) {
        struct flowrec r = web;
        r.version = i % 3 ? 4 : 6;
        e->ops->record(e, &r);
    }
    finish(e);
    while (carry_first(e)) {
        const bool last = carry_first(e)->len < CARRY_PIECE - 1400;
        take(e, &h);
        assert_true(!last || !carry_first(e));
        pieces++;
    }
    assert_int_equal(h.records, MANY);
    assert_int_equal(h.packets, MANY * 8);
    assert_in_range(pieces, MANY * 150 / CARRY_PIECE, MANY * 200 / CARRY_PIECE);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_OUT), MANY);
    end(e);
}

/* Nobody takes pieces: what finds no room is counted, and what waits is as it was. */
static void there_is_a_bound(void **state)
{
    (void)state;
    struct exporter *e;
    struct heard h = {0};
    unsigned given = 0;
    assert_int_equal(carry_exporter_new(&e), 0);
    while (carry_untold(e) < 100 * 8) {
        e->ops->record(e, &web);
        given++;
    }
    assert_in_range(given * 150, CARRY_BYTES * 9 / 10, CARRY_BYTES * 11 / 10);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_SLOW), 100);
    take(e, &h);
    e->ops->record(e, &web); /* there is room again */
    assert_int_equal(carry_untold(e), 100 * 8);
    finish(e);
    while (carry_first(e)) {
        take(e, &h);
    }
    assert_int_equal(h.records, given - 100 + 1);
    end(e);
}

/* Those that nobody will take count as if they had found no room; one that was taken does not. */
static void what_waits_may_be_given_up(void **state)
{
    (void)state;
    enum { MANY = 300 };
    struct exporter *e;
    struct heard h = {0};
    assert_int_equal(carry_exporter_new(&e), 0);
    for (unsigned i = 0; i < MANY; i++) {
        e->ops->record(e, &web);
    }
    finish(e);
    take(e, &h);
    assert_non_null(carry_first(e));
    carry_shed(e);
    assert_null(carry_first(e));
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_OUT), h.records);
    assert_int_equal(ledger_get(&e->ledger, LEDGER_EXPORT_SLOW), MANY - h.records);
    assert_int_equal(carry_untold(e), (MANY - h.records) * 8);
    carry_shed(e); /* nothing waits */
    assert_int_equal(carry_untold(e), (MANY - h.records) * 8);
    end(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_record_does_not_wait_for_long),
        cmocka_unit_test(pieces_are_full),
        cmocka_unit_test(there_is_a_bound),
        cmocka_unit_test(what_waits_may_be_given_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
