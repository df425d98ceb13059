/* SPDX-License-Identifier: Apache-2.0
 *
 * Flows by hand, and against a plain model: a list of records, each of which is looked at for each
 * packet. Both get the same thousands of packets, by seed; time runs on, stands, and goes back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/ledger.h"
#include "model/flows.h"

#define MS NSEC_PER_MSEC

enum {
    RECORDS = 200000,
};

struct record {
    struct flows_entry e;
    enum flows_end why;
};

struct world {
    struct flows *f;
    struct record *r;
    uint32_t n;
};

static void record(void *user, const struct flows_entry *e, enum flows_end why)
{
    struct world *w = user;
    assert_true(w->n < RECORDS);
    w->r[w->n++] = (struct record){*e, why};
}

static void begin_with(struct world *w, uint32_t most, int64_t idle_ns, int64_t active_ns,
                       uint32_t clocks)
{
    *w = (struct world){.r = calloc(RECORDS, sizeof(struct record))};
    assert_non_null(w->r);
    const struct flows_conf conf = {most, idle_ns, active_ns, clocks, record, w};
    assert_int_equal(flows_new(&conf, &w->f), 0);
}

static void begin(struct world *w, uint32_t most, int64_t idle_ns, int64_t active_ns)
{
    begin_with(w, most, idle_ns, active_ns, 0);
}

static void end(struct world *w)
{
    flows_free(w->f);
    free(w->r);
}

static uint64_t hash_of(const struct flows_key *k)
{
    uint64_t h = 14695981039346656037u; /* FNV-1a */
    for (size_t i = 0; i < sizeof(*k); i++) {
        h = (h ^ ((const uint8_t *)k)[i]) * 1099511628211u;
    }
    return h ^ h >> 29;
}

/* A packet between 10.0.0.1 and 10.0.0.2, from the first where `way` is 0. */
static struct flows_packet packet(int64_t ts_ns, unsigned way, uint16_t port, uint8_t tcp_flags)
{
    struct flows_packet p = {
        .key = {.addr = {{10, 0, 0, (uint8_t)(1 + way)}, {10, 0, 0, (uint8_t)(2 - way)}},
                .port = {way ? 80 : port, way ? port : 80},
                .proto = 6,
                .version = 4},
        .ts_ns = ts_ns,
        .packets = 1,
        .bytes = 100,
        .tcp_flags = tcp_flags,
        .tos = (uint8_t)(way + 1)};
    p.way = flows_key_order(&p.key);
    assert_int_equal(p.way, way);
    p.hash = hash_of(&p.key);
    return p;
}

static void come_at(struct world *w, uint16_t point, int64_t ts_ns, unsigned way, uint16_t port,
                    uint8_t tcp_flags)
{
    struct flows_packet p = packet(ts_ns, way, port, tcp_flags);
    p.key.point = point;
    p.hash = hash_of(&p.key);
    flows_until(w->f, point, ts_ns);
    flows_add(w->f, &p);
}

static void come(struct world *w, int64_t ts_ns, unsigned way, uint16_t port, uint8_t tcp_flags)
{
    come_at(w, 0, ts_ns, way, port, tcp_flags);
}

static void check(const struct world *w, uint32_t i, enum flows_end why, uint64_t there,
                  uint64_t back)
{
    assert_true(i < w->n);
    assert_int_equal(w->r[i].why, why);
    assert_int_equal(w->r[i].e.way[0].packets, there);
    assert_int_equal(w->r[i].e.way[1].packets, back);
}

static void both_ways_are_one_flow(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 15000 * MS, 60000 * MS);
    come(&w, 1000, 1, 5000, FLOWS_ACK);
    come(&w, 2000, 0, 5000, 0x08);
    come(&w, 3000, 1, 5000, 0x20);
    assert_int_equal(flows_now(w.f), 1);
    assert_int_equal(flows_due(w.f), 3000 + 15000 * MS);
    flows_until(w.f, 0, 3000 + 15000 * MS - 1);
    assert_int_equal(w.n, 0);
    flows_until(w.f, 0, 3000 + 15000 * MS);
    assert_int_equal(w.n, 1);
    assert_int_equal(flows_now(w.f), 0);
    assert_int_equal(flows_due(w.f), INT64_MAX);
    check(&w, 0, FLOWS_IDLE, 1, 2);
    const struct flows_entry *e = &w.r[0].e;
    assert_int_equal(e->way[0].bytes, 100);
    assert_int_equal(e->way[1].bytes, 200);
    assert_true(e->way[0].first_ns == 2000 && e->way[0].last_ns == 2000);
    assert_true(e->way[1].first_ns == 1000 && e->way[1].last_ns == 3000);
    assert_int_equal(e->tcp_flags[0], 0x08);
    assert_int_equal(e->tcp_flags[1], 0x30);
    assert_true(e->tos[0] == 1 && e->tos[1] == 2);
    assert_int_equal(e->initiator, 1);
    end(&w);
}

/* A connection's initiator is the sender of its SYN, also where the answer was seen first. */
static void the_initiator_sends_the_syn(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 0, 0);
    come(&w, 1, 1, 1, FLOWS_SYN | FLOWS_ACK);
    come(&w, 1, 1, 2, 0);
    come(&w, 2, 0, 2, FLOWS_SYN);
    come(&w, 1, 1, 3, FLOWS_SYN);
    flows_end(w.f);
    const unsigned initiators[] = {0, 0, 1};
    for (unsigned i = 0; i < ARRAY_SIZE(initiators); i++) {
        assert_int_equal(w.r[i].e.initiator, initiators[i]);
        assert_int_equal(w.r[i].why, FLOWS_FORCED);
    }
    end(&w);
}

/* A packet that comes when the time is over begins a new record, to the nanosecond. */
static void records_have_an_end(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 10 * MS, 25 * MS);
    for (int64_t t = 0; t <= 24; t += 4) {
        come(&w, t * MS, 0, 1, 0);
    }
    come(&w, 25 * MS - 1, 0, 1, 0);
    assert_int_equal(w.n, 0);
    come(&w, 25 * MS, 0, 1, 0);
    check(&w, 0, FLOWS_ACTIVE, 8, 0);
    come(&w, 35 * MS - 1, 0, 1, 0);
    come(&w, 45 * MS - 1, 0, 1, 0);
    check(&w, 1, FLOWS_IDLE, 2, 0);
    flows_end(w.f);
    check(&w, 2, FLOWS_FORCED, 1, 0);
    assert_int_equal(w.n, 3);
    end(&w);
    begin(&w, 10, 0, 25 * MS); /* without the one, the other is the limit of both */
    come(&w, 0, 0, 1, 0);
    come(&w, 20 * MS, 0, 1, 0);
    flows_until(w.f, 0, 45 * MS - 1);
    assert_int_equal(w.n, 0);
    flows_until(w.f, 0, 45 * MS);
    check(&w, 0, FLOWS_ACTIVE, 2, 0);
    end(&w);
    begin(&w, 10, 0, 0);
    come(&w, 0, 0, 1, 0);
    come(&w, INT64_MAX, 0, 1, 0);
    assert_int_equal(flows_due(w.f), INT64_MAX);
    assert_int_equal(w.n, 0);
    end(&w);
}

/* Stragglers belong to the connection for a second, unless a new one begins. */
static void connections_end(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 15000 * MS, 60000 * MS);
    come(&w, 0, 0, 1, FLOWS_SYN);
    come(&w, 1, 0, 1, FLOWS_FIN | FLOWS_ACK);
    come(&w, 2, 0, 1, FLOWS_FIN | FLOWS_ACK); /* the same end again is not both */
    flows_until(w.f, 0, 2000 * MS);
    assert_int_equal(w.n, 0);
    come(&w, 2000 * MS, 1, 1, FLOWS_FIN | FLOWS_ACK);
    come(&w, 2500 * MS, 0, 1, FLOWS_ACK);
    flows_until(w.f, 0, 3500 * MS - 1);
    assert_int_equal(w.n, 0);
    flows_until(w.f, 0, 3500 * MS);
    check(&w, 0, FLOWS_ENDED, 4, 1);
    come(&w, 4000 * MS, 0, 1, FLOWS_SYN);
    come(&w, 4001 * MS, 1, 1, FLOWS_RST);
    come(&w, 4002 * MS, 0, 1, FLOWS_SYN);
    check(&w, 1, FLOWS_ENDED, 1, 1);
    come(&w, 4003 * MS, 0, 1, FLOWS_SYN); /* is sent again: no end was seen */
    flows_end(w.f);
    check(&w, 2, FLOWS_FORCED, 2, 0);
    assert_int_equal(w.n, 3);
    end(&w);
}

/* Where there is no entry left, who was quiet for longest goes, be it open or closed. */
static void the_longest_quiet_is_evicted(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 3, 15000 * MS, 60000 * MS);
    come(&w, 1, 0, 1, 0);
    come(&w, 2, 0, 2, FLOWS_RST);
    come(&w, 3, 0, 3, 0);
    come(&w, 4, 0, 1, 0);
    const uint16_t gone[] = {2, 3, 1, 4};
    for (unsigned i = 0; i < ARRAY_SIZE(gone); i++) {
        come(&w, 5 + i, 0, (uint16_t)(4 + i), 0);
        assert_int_equal(w.n, i + 1);
        assert_int_equal(w.r[i].why, FLOWS_EVICTED);
        assert_int_equal(w.r[i].e.key.port[0], gone[i]);
        assert_int_equal(flows_now(w.f), 3);
    }
    assert_int_equal(flows_evicted(w.f), 4);
    end(&w);
}

/* A sum ends, and does not begin anew. */
static void sums_end(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 15000 * MS, 60000 * MS);
    struct flows_packet p = packet(1000, 0, 5000, FLOWS_ACK);
    p.packets = LEDGER_MOST / 2 - 1;
    p.bytes = LEDGER_MOST;
    for (unsigned i = 0; i < 22; i++) {
        flows_add(w.f, &p);
        if (i == 1 || i == 21) {
            flows_end(w.f);
        }
    }
    check(&w, 0, FLOWS_FORCED, LEDGER_MOST - 2, 0);
    check(&w, 1, FLOWS_FORCED, LEDGER_MOST, 0);
    assert_true(w.r[0].e.way[0].bytes == LEDGER_MOST && w.r[1].e.way[0].bytes == LEDGER_MOST);
    end(&w);
}

/* Of packets whose time runs ahead of the table's. */
static void a_record_ends_by_its_packets(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 15000 * MS, 60000 * MS);
    const struct flows_packet p[] = {
        packet(0, 0, 5000, FLOWS_ACK), packet(14999 * MS, 0, 5000, FLOWS_ACK),
        packet(29999 * MS, 0, 5000, FLOWS_ACK), packet(30000 * MS, 1, 5000, FLOWS_ACK)};
    for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
        flows_add(w.f, &p[i]);
    }
    assert_int_equal(w.n, 1);
    check(&w, 0, FLOWS_IDLE, 2, 0);
    flows_end(w.f);
    check(&w, 1, FLOWS_FORCED, 1, 1);
    end(&w);
}

static void one_point_ends(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 15000 * MS, 60000 * MS);
    for (uint16_t i = 0; i < 6; i++) {
        struct flows_packet p = packet(i, 0, 5000 + i, i == 5 ? FLOWS_RST : FLOWS_ACK);
        p.key.point = i % 2;
        p.hash = hash_of(&p.key);
        flows_add(w.f, &p);
    }
    flows_end_point(w.f, 1);
    assert_int_equal(w.n, 3);
    check(&w, 0, FLOWS_ENDED, 1, 0);
    check(&w, 1, FLOWS_FORCED, 1, 0);
    check(&w, 2, FLOWS_FORCED, 1, 0);
    assert_int_equal(flows_now(w.f), 3);
    flows_end_point(w.f, 7);
    assert_int_equal(flows_now(w.f), 3);
    flows_end(w.f);
    assert_int_equal(w.n, 6);
    for (unsigned i = 3; i < 6; i++) {
        assert_int_equal(w.r[i].e.key.point, 0);
    }
    end(&w);
}

/* A point's time moves its own flows alone, forward and back. */
static void points_have_their_own_time(void **state)
{
    (void)state;
    struct world w;
    begin_with(&w, 10, 15000 * MS, 60000 * MS, 3);
    come_at(&w, 0, 0, 0, 5000, FLOWS_ACK);
    come_at(&w, 1, 3600000 * MS, 0, 5000, FLOWS_ACK);
    come_at(&w, 2, 7200000 * MS, 0, 5000, FLOWS_ACK);
    assert_int_equal(w.n, 0);
    assert_int_equal(flows_due(w.f), 15000 * MS);
    flows_until(w.f, 2, 7215000 * MS);
    assert_int_equal(w.n, 1);
    check(&w, 0, FLOWS_IDLE, 1, 0);
    assert_int_equal(w.r[0].e.key.point, 2);
    flows_until(w.f, 1, 1000 * MS);
    assert_int_equal(w.n, 2);
    assert_int_equal(w.r[1].e.key.point, 1);
    assert_int_equal(flows_now(w.f), 1);
    flows_end_point(w.f, 0);
    come_at(&w, 0, -3600000 * MS, 0, 5000, FLOWS_ACK); /* another's, under that index */
    assert_int_equal(flows_now(w.f), 1);
    flows_until(w.f, 0, -3590000 * MS);
    assert_int_equal(w.n, 3);
    end(&w);
}

/* Of the longest quiet of several points, each by its own time. */
static void one_of_several_points_is_evicted(void **state)
{
    (void)state;
    struct world w;
    begin_with(&w, 4, 15000 * MS, 60000 * MS, 3);
    come_at(&w, 0, 1000 * MS, 0, 5000, FLOWS_ACK);
    come_at(&w, 0, 9000 * MS, 0, 5001, FLOWS_ACK); /* quiet for 8 s, the one before */
    come_at(&w, 1, 900000 * MS, 0, 5002, FLOWS_ACK);
    come_at(&w, 1, 909000 * MS, 0, 5003, FLOWS_ACK); /* 9 s */
    come_at(&w, 2, 5 * MS, 0, 5004, FLOWS_ACK);
    assert_int_equal(w.n, 1);
    check(&w, 0, FLOWS_EVICTED, 1, 0);
    assert_int_equal(w.r[0].e.key.port[0], 5002);
    come_at(&w, 2, 6 * MS, 0, 5005, FLOWS_ACK);
    assert_int_equal(w.r[1].e.key.port[0], 5000);
    assert_int_equal(flows_evicted(w.f), 2);
    end(&w);
}

static void time_goes_back(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 10 * MS, 25 * MS);
    come(&w, 100 * MS, 0, 1, 0);
    come(&w, 95 * MS, 0, 1, 0); /* a little: the packet was overtaken */
    come(&w, 91 * MS, 1, 1, 0);
    flows_until(w.f, 0, 110 * MS);
    check(&w, 0, FLOWS_IDLE, 2, 1);
    assert_true(w.r[0].e.way[0].first_ns == 95 * MS && w.r[0].e.way[0].last_ns == 100 * MS);
    come(&w, 120 * MS, 0, 1, 0);
    come(&w, 110 * MS - 1, 0, 2, 0); /* further than a flow is quiet */
    check(&w, 1, FLOWS_FORCED, 1, 0);
    come(&w, 115 * MS, 0, 2, 0);
    assert_int_equal(w.n, 2);
    flows_end(w.f);
    check(&w, 2, FLOWS_FORCED, 2, 0);
    end(&w);
}

/* ---- against a plain model ---- */

enum {
    FLOWS = 40,
    POINTS = 3, /* with a clock each; a flow's point is its number modulo this */
};

struct plain {
    bool is[FLOWS], closed[FLOWS];
    uint8_t fins[FLOWS];
    uint64_t packets[FLOWS];
    int64_t first[FLOWS], last[FLOWS], time[POINTS];
};

struct story {
    struct world w;
    struct plain p;
    unsigned clocks; /* POINTS, or 1: one time for all */
    int64_t idle, active;
    uint64_t ended[FLOWS]; /* records */
};

static void plain_end(struct story *s, unsigned k)
{
    s->ended[k]++;
    s->p.is[k] = s->p.closed[k] = false;
}

static void plain_until(struct story *s, unsigned point, int64_t now)
{
    struct plain *p = &s->p;
    const int64_t quiet = MIN(s->idle, s->active);
    const bool back = p->time[point] - now > quiet;
    p->time[point] = back ? now : MAX(p->time[point], now);
    for (unsigned k = point; k < FLOWS; k += s->clocks) {
        const int64_t limit = p->closed[k] ? MIN(quiet, FLOWS_CLOSED_NS) : quiet;
        if (p->is[k] && (back || p->time[point] - p->last[k] >= limit)) {
            plain_end(s, k);
        }
    }
}

static void plain_add(struct story *s, unsigned k, unsigned way, int64_t now, uint8_t flags)
{
    struct plain *p = &s->p;
    const bool syn = (flags & (FLOWS_SYN | FLOWS_ACK)) == FLOWS_SYN;
    if (p->is[k] && ((p->closed[k] && syn) || now - p->last[k] >= s->idle ||
                     now - p->first[k] >= s->active || p->last[k] - now >= s->active)) {
        plain_end(s, k);
    }
    if (!p->is[k]) {
        p->is[k] = true;
        p->packets[k] = p->fins[k] = 0;
        p->first[k] = p->last[k] = now;
    }
    p->packets[k]++;
    p->first[k] = MIN(p->first[k], now);
    p->last[k] = MAX(p->last[k], now);
    p->fins[k] |= flags & FLOWS_FIN ? (uint8_t)(1 + way) : 0;
    p->closed[k] |= flags & FLOWS_RST || p->fins[k] == 3;
}

/* The table has told of each flow as often as the model. */
static void agree(const struct story *s, uint64_t sent)
{
    uint64_t told[FLOWS] = {0}, packets = 0;
    for (uint32_t i = 0; i < s->w.n; i++) {
        const struct flows_entry *e = &s->w.r[i].e;
        const unsigned k = e->key.port[0] - 1000u;
        assert_true(k < FLOWS);
        told[k]++;
        for (unsigned way = 0; way < 2; way++) {
            const struct flows_way *y = &e->way[way];
            packets += y->packets;
            assert_true(y->first_ns <= y->last_ns);
            assert_true(y->last_ns - y->first_ns < s->active);
            assert_int_equal(y->bytes, 100 * y->packets);
        }
    }
    assert_int_equal(packets, sent);
    assert_memory_equal(told, s->ended, sizeof(told));
}

static void tell_story(unsigned seed, unsigned clocks)
{
    enum { PACKETS = 3000 };
    static const uint8_t flags[] = {0,         0,         FLOWS_ACK, FLOWS_ACK,
                                    FLOWS_SYN, FLOWS_FIN, FLOWS_RST, FLOWS_SYN | FLOWS_ACK};
    struct story s = {
        .clocks = clocks, .idle = (5 + seed % 11) * 300 * MS, .active = (4 + seed % 7) * 700 * MS};
    uint64_t random = seed * 2654435761u + 1;
    int64_t now[POINTS];
    for (unsigned k = 0; k < POINTS; k++) { /* an hour from each other */
        now[k] = (1000 + 3600 * (int64_t)k) * NSEC_PER_SEC;
        s.p.time[k] = INT64_MIN / 2;
    }
    begin_with(&s.w, FLOWS, s.idle, s.active, clocks == 1 ? 0 : clocks);
    for (unsigned i = 0; i < PACKETS; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const unsigned k = (unsigned)(random >> 33) % FLOWS, way = random >> 40 & 1;
        const unsigned kind = (unsigned)(random >> 41) % 400;
        const unsigned point = k % clocks;
        now[point] += kind == 0   ? -(int64_t)(random >> 50) * MS
                      : kind < 40 ? -(int64_t)(random >> 60) * MS
                      : kind < 60 ? (int64_t)(random >> 54) * MS
                                  : (int64_t)(random >> 59) * MS;
        const uint8_t flag = flags[random >> 45 & 7];
        plain_until(&s, point, now[point]);
        plain_add(&s, k, way, now[point], flag);
        come_at(&s.w, (uint16_t)point, now[point], way, (uint16_t)(1000 + k), flag);
    }
    for (unsigned k = 0; k < FLOWS; k++) {
        s.ended[k] += s.p.is[k];
    }
    flows_end(s.w.f);
    agree(&s, PACKETS);
    end(&s.w);
}

static void the_plain_model_agrees(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 200; seed++) {
        tell_story(seed, seed % 2 ? POINTS : 1);
    }
}

/* Ten thousand entries, and a packet of a new flow each time: all are counted, memory is as it was
 * at the first, and an order is kept. */
static uint64_t flood_records, flood_packets;

static void flood_record(void *user, const struct flows_entry *e, enum flows_end why)
{
    (void)user;
    (void)why;
    flood_records++;
    flood_packets += e->way[0].packets + e->way[1].packets;
}

static void a_flood_is_bounded(void **state)
{
    (void)state;
    enum { MOST = 10000, SYNS = 1000000 };
    struct flows *f;
    const struct flows_conf conf = {MOST, 15000 * MS, 60000 * MS, 0, flood_record, NULL};
    flood_records = flood_packets = 0;
    assert_int_equal(flows_new(&conf, &f), 0);
    for (uint32_t i = 0; i < SYNS; i++) {
        struct flows_packet p = packet(i, 0, 80, FLOWS_SYN);
        memcpy(p.key.addr[0], &i, sizeof(i));
        p.hash = hash_of(&p.key);
        flows_until(f, 0, p.ts_ns);
        flows_add(f, &p);
    }
    assert_int_equal(flows_now(f), MOST);
    assert_int_equal(flows_evicted(f), SYNS - MOST);
    flows_end(f);
    assert_int_equal(flood_records, SYNS);
    assert_int_equal(flood_packets, SYNS);
    flows_free(f);
}

/* The same inside two tunnels is two flows. An entry is the caller's to complete when it begins,
 * and only then. */
static void what_is_in_other_tunnels_is_another_flow(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 10, 0, 0);
    const struct {
        unsigned kind;
        uint32_t id;
    } tunnels[] = {{0, 0}, {1, 0}, {1, 1u << 31}, {2, 1u << 31}};
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < ARRAY_SIZE(tunnels); i++) {
            struct flows_packet p = packet(1 + i, round, 5000, 0);
            p.key.tunnel = tunnels[i].kind & 15u;
            p.key.tunnel_id = tunnels[i].id;
            p.hash = 1;
            struct flows_entry *e = flows_add(w.f, &p);
            assert_int_equal(e != NULL, round == 0);
            if (e) {
                e->outer = (uint16_t)(100 + i);
            }
        }
    }
    flows_end(w.f);
    assert_int_equal(w.n, ARRAY_SIZE(tunnels));
    for (unsigned i = 0; i < w.n; i++) {
        check(&w, i, FLOWS_FORCED, 1, 1);
        assert_int_equal(w.r[i].e.key.tunnel, tunnels[i].kind);
        assert_int_equal(w.r[i].e.outer, 100 + i);
    }
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_in_other_tunnels_is_another_flow),
        cmocka_unit_test(both_ways_are_one_flow),
        cmocka_unit_test(the_initiator_sends_the_syn),
        cmocka_unit_test(records_have_an_end),
        cmocka_unit_test(connections_end),
        cmocka_unit_test(the_longest_quiet_is_evicted),
        cmocka_unit_test(sums_end),
        cmocka_unit_test(a_record_ends_by_its_packets),
        cmocka_unit_test(one_point_ends),
        cmocka_unit_test(points_have_their_own_time),
        cmocka_unit_test(one_of_several_points_is_evicted),
        cmocka_unit_test(time_goes_back),
        cmocka_unit_test(the_plain_model_agrees),
        cmocka_unit_test(a_flood_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
