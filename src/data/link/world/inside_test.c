/* SPDX-License-Identifier: Apache-2.0
 *
 * A tap that has a session and says nonsense in it, sealed with its own good keys: only its own
 * books suffer. Beside it a good tap runs, all of whose frames arrive; and memory stays bounded.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <malloc.h>
#include <string.h>
#include <sys/ioctl.h>

#include "data/link/world/world.h"

enum { GOOD, BAD };

static uint64_t drawn;

static uint64_t draw(void)
{
    uint64_t z = (drawn += 0x9e3779b97f4a7c15u); /* splitmix64 */
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static void draw_bytes(uint8_t *d, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        d[i] = (uint8_t)draw();
    }
}

static bool both_up(struct world *w)
{
    return tap_flows(&w->tap[GOOD]) && tap_flows(&w->tap[BAD]);
}

static struct world *good_and_bad(void)
{
    struct world *w = world_new(LINK_CPACE);
    drawn = 1;
    world_start_collector(w);
    world_start_tap(w, GOOD, "good");
    world_must(w, up0, 5000);
    world_start_tap(w, BAD, "bad");
    world_must(w, both_up, 5000);
    return w;
}

/* A record of the bad tap's, as it would seal it. */
/* The collector has taken all that was sent to it. */
static bool taken(struct world *w)
{
    int next = -1; /* bytes of the next datagram */
    assert_int_equal(ioctl(w->listener_fd[0], FIONREAD, &next), 0);
    return next == 0;
}

static void inject(struct world *w, uint16_t stream, uint64_t counter, const uint8_t *plain,
                   size_t len)
{
    struct epoch *e = &w->tap[BAD].dialer->current;
    static uint8_t d[LINK_DATAGRAM_MAX];
    uint8_t nonce[AEAD_NONCE_LEN];
    struct link_record rec = {stream, e->keys.remote, counter};
    assert_true(LINK_RECORD_HEADER + len + AEAD_TAG_MAX <= sizeof(d) && e->valid);
    link_record_encode(&rec, d);
    link_record_nonce(&rec, nonce);
    memcpy(d + LINK_RECORD_HEADER, plain, len);
    assert_int_equal(aead_seal(e->tx, nonce, d, LINK_RECORD_HEADER, d + LINK_RECORD_HEADER, len,
                               d + LINK_RECORD_HEADER + len),
                     0);
    world_inject(&w->tap[BAD].relay, true, d, LINK_RECORD_HEADER + len + aead_tag_len(e->tx));
    if (counter % 64 == 63) {
        world_must(w, taken, 5000); /* the buffers of the sockets are not what is tested */
    }
}

static void control_bytes(struct world *w, const uint8_t *plain, size_t len)
{
    inject(w, 0, w->tap[BAD].dialer->current.counter++, plain, len);
}

static void control(struct world *w, const struct link_control *c)
{
    uint8_t d[LINK_CONTROL_MAX];
    int n = link_control_encode(c, d, sizeof(d));
    assert_true(n > 0);
    control_bytes(w, d, (size_t)n);
}

static uint64_t good_written(const struct world *w)
{
    const struct ledger *l = sink_ledger(w->out, 1); /* it came first */
    return l ? ledger_get(l, LEDGER_SINK_OUT) : 0;
}

static bool good_arrived(struct world *w)
{
    return good_written(w) == w->tap[GOOD].sender.made;
}

/* The good tap's frames arrive, in its one session, and nothing of them is lost. */
static void good_is_well(struct world *w)
{
    world_frames(&w->tap[GOOD], 200);
    world_must(w, good_arrived, 3000);
    assert_true(tap_flows(&w->tap[GOOD]));
    assert_int_equal(w->tap[GOOD].dialer->status.sessions, 1);
    assert_int_equal(w->listener->peer[0]->sessions, 1);
    assert_string_equal(w->listener->peer[0]->name, "good");
    assert_int_equal(w->listener->peer[0]->n_points, 1);
    const struct ledger *l = &w->listener->peer[0]->point[0]->ledger;
    assert_int_equal(ledger_get(l, LEDGER_RX_IN), w->tap[GOOD].sender.made);
    assert_int_equal(ledger_sum(l, NULL, LEDGER_LINK_RX).dropped, 0);
}

static struct link_text text(const char *s)
{
    return (struct link_text){s, (uint16_t)strlen(s)};
}

/* Any bytes as control records; true ones cut short; those of unknown types. */
static void control_records(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    uint8_t d[LINK_CONTROL_MAX];
    for (unsigned i = 0; i < 1500; i++) {
        size_t n = draw() % (i % 3 ? 64 : sizeof(d));
        draw_bytes(d, n);
        d[0] = (uint8_t)(i % 20);
        if (d[0] != LINK_CLOSE) {
            control_bytes(w, d, MAX(n, (size_t)1));
        }
    }
    good_is_well(w);
    world_free(w);
}

static void many_streams(struct world *w, unsigned n)
{
    for (unsigned i = 1; i <= n; i++) {
        char name[LINK_NAME_MAX + 1];
        snprintf(name, sizeof(name), "eth%u", i);
        struct link_control c = {.type = LINK_STREAM};
        c.stream = (struct link_stream){.stream = (uint16_t)(i * 10), .ifname = text(name)};
        control(w, &c);
    }
}

static void many_names(struct world *w)
{
    many_streams(w, POINT_STREAMS + 80);
    for (uint32_t i = 0; i < 700; i++) {
        char name[LINK_NAME_MAX + 1];
        snprintf(name, sizeof(name), "port%u", i);
        struct link_control c = {.type = LINK_PORT};
        c.port = (struct link_port){(uint16_t)(1 + i % 3), (uint16_t)(i * 97), text(name)};
        control(w, &c);
    }
}

/* More streams and interfaces than there may be. */
static void beyond_the_limits(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    many_names(w);
    good_is_well(w);
    const struct peer *bad = w->listener->peer[1];
    assert_in_range(bad->n_points, POINT_STREAMS, POINT_OF_PEER);
    assert_non_null(bad->session);
    assert_int_equal(bad->session->n_streams, POINT_STREAMS);
    assert_in_range(w->listener->n_points, POINT_STREAMS + 1, POINT_OF_PEER + 1);
    world_free(w);
}

static uint64_t of_bad(const struct world *w, enum ledger_id id)
{
    const struct peer *bad = w->listener->peer[1];
    uint64_t n = 0;
    for (unsigned i = 0; i < bad->n_points; i++) {
        n += ledger_get(&bad->point[i]->ledger, id);
    }
    return n;
}

static size_t memory(void)
{
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd; /* 0 where a sanitiser has the heap */
}

/* A datagram of the good tap's that the next one overtakes; len 0: none. */
static struct {
    uint8_t data[2048];
    size_t len;
} behind;

static void let_go(struct relay *r)
{
    if (behind.len > 0) {
        world_inject(r, true, behind.data, behind.len);
        behind.len = 0;
    }
}

/* On the good tap's way to the collector each third datagram is overtaken by the next one. */
static unsigned overtake(struct world *w, struct relay *r, bool to_collector, const uint8_t *d,
                         size_t len)
{
    if (!to_collector || r != &w->tap[GOOD].relay || len > sizeof(behind.data)) {
        return 1;
    }
    if (behind.len == 0 && w->n++ % 3 == 0) {
        memcpy(behind.data, d, len);
        behind.len = len;
        return 0;
    }
    if (behind.len > 0) {
        world_inject(r, true, d, len);
        let_go(r);
        return 0;
    }
    return 1;
}

/* Another part of a frame that never ends, on all streams; in the end the next frame begins. */
static void fill_streams(struct world *w, uint64_t counter, bool last)
{
    enum { PART = 60000 };
    static uint8_t d[LINK_SEGMENT_HEADER + PART];
    const struct link_segment s = {.first = counter == 0 || last ? 0 : LINK_NO_FRAME,
                                   .frame_no = counter > 0};
    const struct link_frame f = {.caplen = FRAME_LEN_MAX, .origlen = FRAME_LEN_MAX};
    link_segment_encode(&s, d);
    (void)link_frame_encode(&f, 0, d + LINK_SEGMENT_HEADER);
    for (unsigned i = 1; i < POINT_STREAMS; i++) {
        inject(w, (uint16_t)(i * 10), counter, d, sizeof(d));
        if (i % 16 == 0) {
            world_frames(&w->tap[GOOD], 2);
            world_run(w, never, 1);
            world_must(w, taken, 5000);
        }
    }
}

/* As many streams as there may be, each with the largest frame: the tap gets its share of memory
 * and no more, and loses what is beyond; beside it a tap on a bad path has what it needs. */
static void memory_has_shares(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    many_streams(w, POINT_STREAMS - 1);
    good_is_well(w);
    size_t before = memory(), most = 0;
    w->fate = overtake;
    for (uint64_t c = 0; c < 10; c++) {
        fill_streams(w, c, c == 9);
        most = MAX(most, memory());
    }
    w->fate = NULL;
    let_go(&w->tap[GOOD].relay); /* no other will overtake it */
    assert_true(most == 0 || most < before + RECEIVER_ROOM + (6 << 20));
    world_frames(&w->tap[GOOD], 100);
    good_is_well(w);
    assert_true(w->n > 50);
    unsigned fit = RECEIVER_ROOM / FRAME_LEN_MAX, all = POINT_STREAMS - 1;
    assert_in_range(of_bad(w, LEDGER_RX_NO_ROOM), all - fit, all);
    const struct ledger *l = &w->listener->peer[0]->point[0]->ledger;
    assert_int_equal(ledger_get(l, LEDGER_RX_CROWDED_DATAGRAMS), 0);
    world_free(w);
}

static size_t a_segment(uint8_t *d, unsigned i)
{
    static const uint64_t numbers[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, 1ull << 63, 1ull << 40};
    static const int64_t times[] = {INT64_MIN, INT64_MAX, -1, 0};
    size_t n = 1 + draw() % 1200;
    draw_bytes(d + LINK_SEGMENT_HEADER, n);
    struct link_segment s = {.first = (uint16_t)(i % 4 ? draw() % n : LINK_NO_FRAME),
                             .frame_no = numbers[i % ARRAY_SIZE(numbers)],
                             .base_ts = times[i % ARRAY_SIZE(times)]};
    link_segment_encode(&s, d);
    if (s.first != LINK_NO_FRAME && i % 2) { /* a header that is one: of a frame that never ends */
        struct link_frame f = {.caplen = 1 << 20,
                               .origlen = UINT32_MAX,
                               .ts_ns = times[i % ARRAY_SIZE(times)],
                               .has_port = true,
                               .port = (uint16_t)draw()};
        uint8_t head[LINK_FRAME_HEADER_MAX];
        unsigned len = link_frame_encode(&f, s.base_ts, head);
        memcpy(d + LINK_SEGMENT_HEADER + s.first, head, MIN((size_t)len, n - s.first));
    }
    return LINK_SEGMENT_HEADER + n;
}

/* Segments with any numbers, times, ports and lengths, whose counters jump, on streams that are
 * known and not. */
static void segments(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    uint8_t d[2048] = {0};
    uint64_t counter = 100;
    for (unsigned i = 0; i < 3000; i++) {
        size_t n = i % 5 ? a_segment(d, i) : draw() % sizeof(d);
        counter += i % 7 ? 1 : draw() % 200;
        inject(w, (uint16_t)(i % 50 ? 1 : draw() % (LINK_STREAM_MAX + 1)), counter, d, n);
    }
    static const uint64_t far[] = {1ull << 32, 1ull << 63, UINT64_MAX - 1, UINT64_MAX, 5, 0};
    for (unsigned i = 0; i < ARRAY_SIZE(far); i++) {
        inject(w, 1, far[i], d, a_segment(d, i));
    }
    good_is_well(w);
    world_free(w);
}

/* Figures that cannot be, before and after the end of a stream: they are in no count and no sum. */
static void reports(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    static const uint64_t numbers[] = {UINT64_MAX, 0, 1ull << 63, 77};
    for (unsigned i = 0; i < 500; i++) {
        struct link_control c = {.type = LINK_REPORT};
        c.report = (struct link_report){.final = i % 50 == 49,
                                        .now = (int64_t)numbers[i % 4],
                                        .echo = (int64_t)numbers[i / 4 % 4],
                                        .echo_age = numbers[i / 16 % 4],
                                        .count = 2};
        for (unsigned k = 0; k < 2; k++) {
            struct link_report_stream *rs = &c.report.stream[k];
            *rs = (struct link_report_stream){.stream = (uint16_t)(1 + k * (i % 4000)),
                                              .frames = numbers[i % 4],
                                              .lost = numbers[i / 2 % 4]};
            rs->has[LEDGER_RING_IN] = true;
            rs->n[LEDGER_RING_IN] = numbers[i / 8 % 4];
        }
        control(w, &c);
    }
    good_is_well(w);
    const struct point *p = w->listener->peer[1]->point[0];
    assert_in_range(of_bad(w, LEDGER_RX_IN), 0, 77);
    assert_int_equal(of_bad(w, LEDGER_RX_IN), of_bad(w, LEDGER_RX_LOST));
    assert_in_range(ledger_get(&p->reported, LEDGER_RING_IN), 0, 77);
    assert_true(of_bad(w, LEDGER_RX_IMPLAUSIBLE) > 100);
    world_free(w);
}

static uint64_t figure;

static bool figure_taken(struct world *w)
{
    return ledger_get(&w->listener->peer[1]->point[1]->reported, LEDGER_RING_BYTES) == figure;
}

static bool implausible_again(struct world *w)
{
    return of_bad(w, LEDGER_RX_IMPLAUSIBLE) == w->n;
}

/* A tap's counters may be anything when it comes, and then grow as an interface has them grow. */
static void figures(void **state)
{
    (void)state;
    static const struct {
        uint64_t n;
        bool believed;
    } said[] = {{UINT64_MAX, false},
                {LEDGER_MOST + 1, false},
                {LEDGER_MOST / 2, true},
                {LEDGER_MOST / 2 + 2 * LISTENER_FIGURES, true},
                {LEDGER_MOST / 2 + 60 * LISTENER_FIGURES, false},
                {LEDGER_MOST, false}};
    struct world *w = good_and_bad();
    struct link_control c = {.type = LINK_STREAM};
    c.stream = (struct link_stream){.stream = 7, .ifname = text("eth7")};
    control(w, &c);
    for (unsigned i = 0; i < ARRAY_SIZE(said); i++) {
        c = (struct link_control){.type = LINK_REPORT, .report = {.count = 1}};
        c.report.stream[0] = (struct link_report_stream){.stream = 7};
        c.report.stream[0].has[LEDGER_RING_BYTES] = true;
        c.report.stream[0].n[LEDGER_RING_BYTES] = said[i].n;
        control(w, &c);
        figure = said[i].believed ? said[i].n : figure;
        w->n += !said[i].believed;
        world_must(w, implausible_again, 2000);
        world_must(w, figure_taken, 2000);
    }
    good_is_well(w);
    world_free(w);
}

/* The bad tap in its session gives itself other names, also that of the good tap. */
static void other_names(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    static const char *const names[] = {"good", "bad", "other", "good-2"};
    for (unsigned i = 0; i < 400; i++) {
        struct link_control c = {.type = LINK_INFO};
        c.info = (struct link_info){.tag = i % 3 ? draw() : w->tap[GOOD].dialer->tag,
                                    .name = text(names[i % 4]),
                                    .host = text("\033[31m"),
                                    .software = text("x")};
        control(w, &c);
    }
    good_is_well(w);
    assert_string_equal(w->listener->peer[1]->name, "bad");
    assert_int_equal(w->listener->n_peers, 2);
    assert_true(tap_flows(&w->tap[BAD]));
    world_free(w);
}

/* As many control records as it can send: others are heard, and nothing piles up. */
static void a_flood_of_control_records(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    good_is_well(w);
    size_t before = 0;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 15000; i++) {
            struct link_control c = {.type = i % 2 ? LINK_REPORT : LINK_STREAM};
            if (c.type == LINK_STREAM) {
                c.stream = (struct link_stream){.stream = 1, .ifname = text("eth0")};
            }
            control(w, &c);
            if (i % 1000 == 0) {
                world_frames(&w->tap[GOOD], 10);
            }
        }
        good_is_well(w);
        size_t now = memory();
        assert_true(round == 0 || now < before + (1 << 20));
        before = round == 0 ? now : before;
    }
    struct listener_counters sc;
    listener_counters(w->listener, &sc);
    assert_true(sc.receiver.control_full > 10000);
    assert_true(mono_diff(mono_now(), w->listener->peer[0]->heard) < 3 * NSEC_PER_SEC);
    world_free(w);
}

static bool bad_gone(struct world *w)
{
    return w->listener->peer[1]->session == NULL;
}

/* It ends its session, and goes on all the same. */
static void after_the_end(void **state)
{
    (void)state;
    struct world *w = good_and_bad();
    struct link_control last = {.type = LINK_REPORT, .report = {.final = true, .count = 1}};
    uint8_t d[2048] = {0};
    last.report.stream[0].stream = 1;
    control(w, &last);
    control(w, &(struct link_control){.type = LINK_CLOSE, .reason = 200});
    w->fate = NULL;
    for (unsigned i = 0; i < 300; i++) {
        inject(w, 1, 1000 + i, d, a_segment(d, i));
        control(w, &last);
        control(w, &(struct link_control){.type = LINK_CLOSE});
    }
    world_must(w, bad_gone, 3000);
    good_is_well(w);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_records),   cmocka_unit_test(beyond_the_limits),
        cmocka_unit_test(memory_has_shares), cmocka_unit_test(segments),
        cmocka_unit_test(reports),           cmocka_unit_test(figures),
        cmocka_unit_test(other_names),       cmocka_unit_test(a_flood_of_control_records),
        cmocka_unit_test(after_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
