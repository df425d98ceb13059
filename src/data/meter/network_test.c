/* SPDX-License-Identifier: Apache-2.0
 *
 * Collectors of the test's own on the loopback interface: what they get, and what is counted where
 * they are away, slow, or come back. Whatever becomes of records, each is counted once.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/cleanup.h"
#include "data/meter/network.h"
#include "data/meter/outbox.h"
#include "proto/flowrec_testing.h"
#include "sys/peer.h"

enum {
    DEADLINE_MS = 20000,
    SOME = 200,
    IN_MESSAGE = 18, /* records, in one that has no templates */
    HEADER = 16,     /* of an IPFIX message */
};

static const struct flowrec web = {TESTING_WEB, .interface = 1, .point = "eth0"};

/* A collector's end, and the exporter that sends to it. */
struct world {
    int heard; /* UDP: the socket; TCP: the one that accepts */
    int connection;
    struct udp_addr at;
    bool gone; /* nobody listens any more when the exporter begins */
    struct exporter *e;
    struct network_conf conf;
};

static void listen_at(struct world *w, bool tcp)
{
    const int type = (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
    const int large = 8 << 20, on = 1;
    w->heard = socket(AF_INET, type, 0);
    assert_true(w->heard >= 0);
    if (w->at.len == 0) {
        assert_int_equal(udp_addr_parse("127.0.0.1", &w->at), 0);
    }
    (void)setsockopt(w->heard, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
    (void)setsockopt(w->heard, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    assert_int_equal(bind(w->heard, &w->at.sa, w->at.len), 0);
    assert_true(!tcp || listen(w->heard, 4) == 0);
    assert_int_equal(getsockname(w->heard, &w->at.sa, &w->at.len), 0);
}

static int open_peer(const struct world *w)
{
    struct error err = {""};
    int fd = -1;
    if (peer_open(w->conf.tcp, &w->at, 0, &fd, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return fd;
}

static void begin(struct world *w, const struct network_conf *conf)
{
    w->conf = *conf;
    w->connection = -1;
    listen_at(w, conf->tcp);
    if (w->gone) {
        closep(&w->heard);
    }
    w->conf.fd = open_peer(w);
    w->conf.name = "collector";
    w->conf.source = 7;
    assert_int_equal(network_exporter_new(&w->conf, &w->e), 0);
}

static void until_readable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&p, 1, DEADLINE_MS), 1);
}

static void accept_it(struct world *w)
{
    until_readable(w->heard);
    w->connection = accept(w->heard, NULL, NULL);
    assert_true(w->connection >= 0);
}

static void put(struct world *w, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        w->e->ops->record(w->e, &web);
    }
}

static void tick(struct world *w, int64_t ms, bool last)
{
    const struct exporter_news news = {
        .now = last ? mono_now() : mono_add_ms((struct mono){1}, ms), .ignored = 9, .last = last};
    w->e->ops->tick(w->e, &news);
}

/* In a datagram of NetFlow 9: flow set 0 has them. */
static bool has_templates9(const uint8_t *bytes, size_t len)
{
    struct rd r = rd_make(bytes + 20, len - 20);
    while (rd_left(&r) > 0 && rd_u16(&r) != 0) {
        rd_skip(&r, rd_u16(&r) - 4u);
    }
    assert_true(rd_ok(&r));
    return rd_left(&r) > 0;
}

/* The exporter ticks meanwhile. */
static void until_readable_after(struct world *w, int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    const struct mono end_by = mono_add_ms(mono_now(), DEADLINE_MS);
    for (int64_t ms = 2000; poll(&p, 1, 10) == 0; ms += 10) {
        assert_true(mono_now().ns < end_by.ns);
        tick(w, ms, false);
    }
}

static uint64_t count(const struct world *w, enum ledger_id id)
{
    return ledger_get(&w->e->ledger, id);
}

/* How long finishing took, in ms. */
static int64_t finish(struct world *w)
{
    struct error err = {""};
    const struct mono from = mono_now();
    tick(w, 0, true);
    const int r = w->e->ops->finish(w->e, &err);
    const uint64_t lost = count(w, LEDGER_EXPORT_AWAY) + count(w, LEDGER_EXPORT_SLOW);
    assert_int_equal(r, w->conf.waits && lost > 0 ? -EIO : 0);
    assert_true(r == 0 || strstr(err.text, "were not sent"));
    return mono_diff(mono_now(), from) / NSEC_PER_MSEC;
}

static void end(struct world *w)
{
    const struct ledger_sum s = ledger_sum(&w->e->ledger, NULL, LEDGER_EXPORT);
    assert_int_equal(s.in_flight, 0);
    exporter_free(w->e);
    closep(&w->heard);
    closep(&w->connection);
}

/* Records of data sets of that domain in an IPFIX message; its sequence. */
static unsigned records_in(const uint8_t *bytes, size_t len, uint32_t *ret_domain,
                           uint32_t *ret_seq)
{
    struct rd r = rd_make(bytes, len);
    unsigned n = 0;
    assert_int_equal(rd_u16(&r), 10);
    assert_int_equal(rd_u16(&r), len);
    assert_int_equal(rd_u32(&r), web.last_ns / NSEC_PER_SEC); /* also where no record is in it */
    *ret_seq = rd_u32(&r);
    *ret_domain = rd_u32(&r);
    while (rd_left(&r) > 0) {
        const uint16_t set = rd_u16(&r), l = rd_u16(&r);
        n += set == 256 ? (l - 4u) / 76 : 0;
        rd_skip(&r, l - 4u);
    }
    assert_true(rd_ok(&r));
    return n;
}

/* Whether a set of that kind begins the message. */
static bool begins_with(const uint8_t *bytes, uint16_t set)
{
    return bytes[HEADER] == set >> 8 && bytes[HEADER + 1] == (set & 0xff);
}

static void until_sent(const struct world *w, uint64_t n)
{
    const struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    while (count(w, LEDGER_EXPORT_OUT) < n) {
        assert_true(mono_now().ns < end.ns);
        (void)poll(NULL, 0, 5);
    }
}

/* ---- datagrams ---- */

static void datagrams_arrive(void **state)
{
    (void)state;
    struct world w = {0};
    uint8_t d[2048];
    unsigned n = 0, templates = 0;
    uint32_t domain, sequence;
    begin(&w, &(struct network_conf){.form = ENCODE_IPFIX});
    put(&w, SOME);
    assert_true(finish(&w) < NETWORK_FINISH_MS); /* it waits for nothing */
    assert_int_equal(count(&w, LEDGER_EXPORT_IN), SOME);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), SOME);
    for (ssize_t len; (len = recv(w.heard, d, sizeof(d), MSG_DONTWAIT)) > 0;) {
        assert_true(len <= 1400);
        const unsigned records = records_in(d, (size_t)len, &domain, &sequence);
        assert_true(domain == 0 || (domain == 7 && sequence == n));
        templates += domain == 7 && begins_with(d, 2);
        n += records;
    }
    assert_int_equal(n, SOME);
    assert_int_equal(templates, 1);
    end(&w);
}

/* Nobody listens: each datagram is refused, and none counts as sent. */
static void a_collector_that_is_not_there(void **state)
{
    (void)state;
    for (enum encode_form form = 0; form < ENCODE_FORMS; form++) {
        struct world w = {0};
        begin(&w, &(struct network_conf){.form = form, .waits = true});
        closep(&w.heard);
        put(&w, SOME);
        assert_true(finish(&w) < NETWORK_FINISH_MS); /* it waits for nothing */
        assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 0);
        assert_int_equal(count(&w, LEDGER_EXPORT_AWAY), SOME);
        end(&w);
    }
}

/* A collector with a name that has gone elsewhere: it is looked up again once it has refused for a
 * while, and the templates are told there. One that is still there is no news. */
static void a_collector_that_moves(void **state)
{
    (void)state;
    struct world w = {.gone = true}, there = {0};
    uint8_t d[2048];
    const struct mono end_by = mono_add_ms(mono_now(), DEADLINE_MS);
    begin(&w, &(struct network_conf){.form = ENCODE_NETFLOW9, .named = true});
    put(&w, 1);
    tick(&w, 0, false);
    while (!network_exporter_wants(w.e)) {
        assert_true(mono_now().ns < end_by.ns);
        put(&w, 100);
        (void)poll(NULL, 0, 20);
    }
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 0);
    network_exporter_give(w.e, open_peer(&w)); /* the same address */
    assert_false(network_exporter_wants(w.e));
    listen_at(&there, false);
    network_exporter_give(w.e, open_peer(&there));
    ssize_t len;
    do { /* what was on its way may come first */
        until_readable_after(&w, there.heard);
        len = recv(there.heard, d, sizeof(d), 0);
        assert_true(len > 0);
    } while (!has_templates9(d, (size_t)len));
    const uint64_t before = count(&w, LEDGER_EXPORT_AWAY);
    put(&w, 100);
    (void)finish(&w);
    assert_int_equal(count(&w, LEDGER_EXPORT_AWAY), before);
    closep(&there.heard);
    end(&w);
}

static void what_a_form_cannot_carry(void **state)
{
    (void)state;
    struct world w = {0};
    struct flowrec six = web, large = web;
    uint8_t d[2048];
    six.version = 6;
    large.bytes = UINT64_C(5) << 32;
    begin(&w, &(struct network_conf){.form = ENCODE_NETFLOW5});
    w.e->ops->record(w.e, &six);
    w.e->ops->record(w.e, &large);
    put(&w, 1);
    (void)finish(&w);
    assert_int_equal(count(&w, LEDGER_EXPORT_IN), 3);
    assert_int_equal(count(&w, LEDGER_EXPORT_CARRY), 1);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 2);
    assert_int_equal(recv(w.heard, d, sizeof(d), MSG_DONTWAIT), 24 + 7 * 48);
    end(&w);
}

/* Bytes of the datagram that comes next; `ret`: 2048 bytes. */
static size_t next(const struct world *w, uint8_t *ret)
{
    until_readable(w->heard);
    const ssize_t n = recv(w->heard, ret, 2048, 0);
    assert_true(n > 0);
    return (size_t)n;
}

static bool is_quiet(const struct world *w)
{
    struct pollfd p = {.fd = w->heard, .events = POLLIN};
    return poll(&p, 1, 30) == 0;
}

/* A message that is not full leaves after a while, templates come again; by the meter's clock. */
static void the_clock_ticks(void **state)
{
    (void)state;
    struct world w = {0};
    uint8_t d[2048];
    begin(&w, &(struct network_conf){.form = ENCODE_NETFLOW9});
    tick(&w, 0, false);
    put(&w, 1);
    tick(&w, 200, false);
    tick(&w, 600, false);
    assert_true(is_quiet(&w));
    tick(&w, 700, false);
    const size_t all = next(&w, d);
    assert_true(d[20] == 0 && d[21] == 0 && all > 200); /* templates first */
    tick(&w, 1199, false);
    tick(&w, 1800, false);
    assert_true(next(&w, d) > 100 && d[20] == 0 && d[21] == 0);
    put(&w, 1);
    tick(&w, 2000, false);
    tick(&w, 2600, false);
    assert_true(next(&w, d) > 60 && d[20] == 1 && d[21] == 0); /* a record without them */
    tick(&w, 31100, false);
    assert_true(is_quiet(&w));
    tick(&w, 31900, false);
    tick(&w, 32500, false);
    assert_true(next(&w, d) > 100 && d[20] == 0 && d[21] == 0);
    (void)finish(&w);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 2);
    end(&w);
}

/* IPFIX: totals each minute, with those of what was counted until then, in domain 0. */
static void totals_by_the_clock(void **state)
{
    (void)state;
    struct world w = {0};
    uint8_t d[2048];
    uint32_t domain, sequence;
    unsigned totals = 0;
    begin(&w, &(struct network_conf){.form = ENCODE_IPFIX});
    put(&w, SOME);
    for (int64_t ms = 0; ms <= 130000; ms += 500) {
        tick(&w, ms, false);
    }
    until_sent(&w, SOME);
    (void)finish(&w);
    for (ssize_t len; (len = recv(w.heard, d, sizeof(d), MSG_DONTWAIT)) > 0;) {
        (void)records_in(d, (size_t)len, &domain, &sequence);
        const bool is = domain == 0 && d[HEADER + 4] == 1 && d[HEADER + 5] == 3; /* template 259 */
        totals += is;
        struct rd r = rd_make(d + HEADER + 26 + 4 + 4 + 8, 8); /* exportedFlowRecordTotalCount */
        assert_true(!is || totals < 4 || rd_u64(&r) == SOME);
    }
    /* two by the clock, one as the last tick is of another, far ahead of it, and one at the end */
    assert_int_equal(totals, 4);
    end(&w);
}

static void templates_by_number(void **state)
{
    (void)state;
    struct world w = {0};
    uint8_t d[2048];
    unsigned templates = 0;
    uint32_t domain, sequence;
    begin(&w, &(struct network_conf){.form = ENCODE_IPFIX});
    put(&w, 3 * 4096);
    (void)finish(&w);
    for (ssize_t len; (len = recv(w.heard, d, sizeof(d), MSG_DONTWAIT)) > 0;) {
        (void)records_in(d, (size_t)len, &domain, &sequence);
        for (ssize_t at = HEADER; domain == 7 && at < len; at += d[at + 2] << 8 | d[at + 3]) {
            templates += d[at] == 0 && d[at + 1] == 2;
        }
    }
    assert_int_equal(templates, 4);
    end(&w);
}

/* 400 records at 2000 a second: a fifth of a second, never more than a few at once. */
static void a_pace(void **state)
{
    (void)state;
    struct world w = {0};
    uint8_t d[2048];
    const struct mono from = mono_now();
    begin(&w, &(struct network_conf){.form = ENCODE_NETFLOW5, .rate = 2000, .waits = true});
    put(&w, 400);
    unsigned n = 0;
    while (n < 400 - 28) {
        const size_t len = next(&w, d);
        n += (unsigned)(len - 24) / 48;
        const int64_t ns = mono_diff(mono_now(), from);
        /* what the rate allows until now, a burst of 10 ms, and the message that is over it */
        assert_true(n <= ns * 2000 / NSEC_PER_SEC + 20 + 28 + 8);
    }
    (void)finish(&w);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 400);
    end(&w);
}

/* ---- connections ---- */

struct reading {
    int fd;
    unsigned records, firsts; /* of the domain of records: those, and messages of templates alone */
    uint32_t gaps;            /* messages whose sequence was not the expected one */
};

/* Reads messages until the other end closes. */
static void *read_all(void *arg)
{
    struct reading *r = arg;
    uint8_t d[2048];
    uint32_t domain, sequence, want = 0;
    while (recv(r->fd, d, HEADER, MSG_WAITALL) == HEADER) {
        const size_t len = (size_t)d[2] << 8 | d[3];
        if (len < HEADER || len > sizeof(d) ||
            recv(r->fd, d + HEADER, len - HEADER, MSG_WAITALL) != (ssize_t)(len - HEADER)) {
            return (void *)"a message that is not whole";
        }
        const unsigned n = records_in(d, len, &domain, &sequence);
        if (domain == 7) {
            r->firsts += begins_with(d, 2);
            r->gaps += sequence != want;
            want = sequence + n;
            r->records += n;
        }
    }
    return NULL;
}

static void a_connection(void **state)
{
    (void)state;
    struct world w = {0};
    pthread_t thread;
    void *said = NULL;
    begin(&w, &(struct network_conf){.form = ENCODE_IPFIX, .tcp = true, .waits = true});
    accept_it(&w);
    struct reading r = {.fd = w.connection};
    assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
    put(&w, 30000);
    assert_true(finish(&w) < NETWORK_FINISH_MS);
    pthread_join(thread, &said);
    assert_null(said);
    assert_int_equal(r.records, 30000);
    assert_true(r.firsts == 1 && r.gaps == 0);
    assert_int_equal(count(&w, LEDGER_EXPORT_OUT), 30000);
    end(&w);
}

static void until_wanted(const struct world *w)
{
    const struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    while (!network_exporter_wants(w->e)) {
        assert_true(mono_now().ns < end.ns);
        (void)poll(NULL, 0, 5);
    }
}

/* Refused: records wait, then those that have waited longest leave; and the end is quick. */
static void a_connection_that_is_refused(void **state)
{
    (void)state;
    static const bool was_there[] = {true, false};
    for (size_t i = 0; i < ARRAY_SIZE(was_there); i++) {
        struct world w = {.gone = !was_there[i]};
        begin(&w, &(struct network_conf){.form = ENCODE_IPFIX,
                                         .tcp = true,
                                         .waits = true,
                                         .bytes = 50 * sizeof(struct outmsg)});
        closep(&w.heard);
        put(&w, 100);
        until_wanted(&w);
        put(&w, 10000);
        assert_true(count(&w, LEDGER_EXPORT_AWAY) > 8000);
        assert_true(finish(&w) < NETWORK_FINISH_MS);
        assert_int_equal(count(&w, LEDGER_EXPORT_AWAY), 10100);
        end(&w);
    }
}

/* It is killed, and comes back: what is sent then begins with templates, and goes on counting. */
static void a_collector_that_comes_back(void **state)
{
    (void)state;
    struct world w = {0};
    pthread_t thread;
    void *said = NULL;
    begin(&w, &(struct network_conf){.form = ENCODE_IPFIX, .tcp = true});
    accept_it(&w);
    put(&w, SOME);
    until_sent(&w, 11 * IN_MESSAGE);
    closep(&w.connection); /* with bytes that were not read: a reset */
    closep(&w.heard);
    until_wanted(&w);
    put(&w, SOME);
    listen_at(&w, true);
    network_exporter_give(w.e, open_peer(&w));
    assert_false(network_exporter_wants(w.e));
    accept_it(&w);
    struct reading r = {.fd = w.connection};
    assert_int_equal(pthread_create(&thread, NULL, read_all, &r), 0);
    put(&w, SOME);
    assert_true(finish(&w) < NETWORK_FINISH_MS);
    pthread_join(thread, &said);
    assert_null(said);
    assert_int_equal(r.records, 3 * SOME - 11 * IN_MESSAGE);
    assert_true(r.firsts == 1 && r.gaps == 1); /* the first message says what there was before */
    assert_int_equal(count(&w, LEDGER_EXPORT_IN), 3 * SOME);
    end(&w);
}

/* It does not read: live, records that have no room are dropped, and the meter goes on. */
static void a_slow_collector(void **state)
{
    (void)state;
    struct world w = {0};
    begin(&w, &(struct network_conf){
                  .form = ENCODE_IPFIX, .tcp = true, .bytes = 50 * sizeof(struct outmsg)});
    accept_it(&w);
    const struct mono from = mono_now();
    while (count(&w, LEDGER_EXPORT_SLOW) < 1000 || count(&w, LEDGER_EXPORT_OUT) < 1000) {
        put(&w, 1000);
        assert_true(mono_diff(mono_now(), from) < DEADLINE_MS * NSEC_PER_MSEC);
    }
    closep(&w.connection); /* so that the end need not wait for it */
    (void)finish(&w);
    end(&w);
}

static void *call_off(void *arg)
{
    struct world *w = arg;
    (void)poll(NULL, 0, 300);
    w->e->ops->hurry(w->e);
    return NULL;
}

/* From a file the meter waits for it, until it is told that there is no time any more. */
static void a_meter_that_waits(void **state)
{
    (void)state;
    struct world w = {0};
    pthread_t thread;
    unsigned n = 0;
    begin(&w, &(struct network_conf){.form = ENCODE_IPFIX,
                                     .tcp = true,
                                     .waits = true,
                                     .bytes = 50 * sizeof(struct outmsg)});
    accept_it(&w);
    assert_int_equal(pthread_create(&thread, NULL, call_off, &w), 0);
    const struct mono from = mono_now();
    for (; count(&w, LEDGER_EXPORT_SLOW) == 0; n++) {
        put(&w, 1);
    }
    assert_true(mono_diff(mono_now(), from) >= 250 * NSEC_PER_MSEC);
    pthread_join(thread, NULL);
    closep(&w.connection);
    (void)finish(&w);
    assert_int_equal(count(&w, LEDGER_EXPORT_IN), n);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(datagrams_arrive),
        cmocka_unit_test(a_collector_that_is_not_there),
        cmocka_unit_test(a_collector_that_moves),
        cmocka_unit_test(what_a_form_cannot_carry),
        cmocka_unit_test(the_clock_ticks),
        cmocka_unit_test(totals_by_the_clock),
        cmocka_unit_test(templates_by_number),
        cmocka_unit_test(a_pace),
        cmocka_unit_test(a_connection),
        cmocka_unit_test(a_connection_that_is_refused),
        cmocka_unit_test(a_collector_that_comes_back),
        cmocka_unit_test(a_slow_collector),
        cmocka_unit_test(a_meter_that_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
