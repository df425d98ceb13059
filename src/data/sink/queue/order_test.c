/* SPDX-License-Identifier: Apache-2.0
 *
 * Putting in order, against a model: what went in, sorted. Time is the test's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "data/sink.h"
#include "data/sink/queue/order.h"

enum {
    MS = 1000000,
    WINDOW = 20 * MS,
    BYTES = 4 << 20,
    FRAMES = 20000,
    FRAMES_MAX = 60000,
    POINTS = 9,
};

#define SECOND (INT64_C(1000) * MS)
#define HOUR (3600 * SECOND)
#define EPOCH (INT64_C(1700000000) * 1000 * MS)

struct sent {
    int64_t ts, came;
    uint32_t point, id;
};

struct world {
    struct order *o;
    struct sent *sent;
    uint32_t n, taken[FRAMES_MAX], n_taken, late, ahead, full;
    int64_t waited; /* the longest */
    uint64_t seed;
};

static uint32_t draw(struct world *w, uint32_t below)
{
    w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->seed >> 33) % below;
}

static void begin(struct world *w, uint64_t seed, size_t bytes)
{
    memset(w, 0, sizeof(*w));
    w->seed = seed;
    w->o = order_new(WINDOW, bytes);
    w->sent = calloc(FRAMES_MAX, sizeof(*w->sent));
    assert_non_null(w->o);
    assert_non_null(w->sent);
    for (uint32_t p = 0; p < POINTS; p++) {
        order_point(w->o, p, p + 1);
    }
}

static void end(struct world *w)
{
    order_free(w->o);
    free(w->sent);
}

static uint32_t length_of(uint32_t id)
{
    return 14 + id * 7919 % 1500;
}

/* The frame that came out is the one that went in under its number. */
static void take_in(struct world *w, const struct frame *f, int64_t now)
{
    uint32_t id;
    assert_true(f->caplen >= sizeof(id));
    memcpy(&id, f->data, sizeof(id));
    assert_true(id < w->n && w->n_taken < FRAMES_MAX);
    assert_int_equal(f->caplen, length_of(id));
    assert_int_equal(f->ts_ns, w->sent[id].ts);
    assert_int_equal(f->point, w->sent[id].point);
    assert_int_equal(f->data[f->caplen - 1], f->caplen > 4 ? (uint8_t)id : f->data[3]);
    if (now - w->sent[id].came > w->waited) {
        w->waited = now - w->sent[id].came;
    }
    w->taken[w->n_taken++] = id;
}

static void release(struct world *w, int64_t now, bool early)
{
    struct frame f;
    while (order_take(w->o, (struct mono){now}, early, &f)) {
        take_in(w, &f, now);
    }
}

/* As its user does it. */
static void send_one(struct world *w, uint32_t point, int64_t ts, int64_t now)
{
    uint8_t data[2000];
    uint32_t id = w->n++;
    memset(data, (int)(id & 0xff), sizeof(data));
    memcpy(data, &id, sizeof(id));
    w->sent[id] = (struct sent){ts, now, point, id};
    struct frame f = {.data = data,
                      .datalen = length_of(id),
                      .caplen = length_of(id),
                      .origlen = length_of(id),
                      .ts_ns = ts,
                      .point = point};
    enum order_verdict v;
    while ((v = order_put(w->o, &f, (struct mono){now})) == ORDER_FULL) {
        struct frame out;
        assert_true(order_take(w->o, (struct mono){now}, true, &out));
        take_in(w, &out, now);
        w->full++;
    }
    w->late += v == ORDER_LATE;
    w->ahead += v == ORDER_AHEAD;
    if (v == ORDER_LATE) {
        take_in(w, &f, now);
    }
}

static int by_time(const void *a, const void *b)
{
    const struct sent *x = a, *y = b;
    return x->ts != y->ts ? (x->ts > y->ts ? 1 : -1) : x->id > y->id ? 1 : -1;
}

static void assert_each_once(struct world *w)
{
    static uint8_t seen[FRAMES_MAX];
    memset(seen, 0, sizeof(seen));
    assert_int_equal(w->n_taken, w->n);
    for (uint32_t i = 0; i < w->n; i++) {
        assert_int_equal(seen[w->taken[i]]++, 0);
    }
}

/* Points with delays of their own below the window, and jitter that keeps to it: sorted, all. */
static void sorted_as_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        begin(&w, seed, BYTES);
        struct sent *pending = calloc(FRAMES, sizeof(*pending));
        int64_t delay[POINTS];
        for (uint32_t p = 0; p < POINTS; p++) {
            delay[p] = draw(&w, WINDOW / 2);
        }
        int64_t ts = EPOCH;
        for (uint32_t i = 0; i < FRAMES / 2; i++) {
            ts += draw(&w, 200000) * (draw(&w, 50) == 0 ? 40 : 1);
            uint32_t p = draw(&w, POINTS);
            /* sorted by arrival with the same function */
            pending[i] =
                (struct sent){ts - EPOCH + HOUR + delay[p] + draw(&w, WINDOW / 3), ts, p, i};
        }
        qsort(pending, FRAMES / 2, sizeof(*pending), by_time);
        for (uint32_t i = 0; i < FRAMES / 2; i++) {
            release(&w, pending[i].ts, false);
            send_one(&w, pending[i].point, pending[i].came, pending[i].ts);
        }
        int64_t due = order_due(w.o).ns;
        assert_true(due > 0);
        release(&w, due - 1, false);
        assert_true(order_len(w.o) > 0);
        release(&w, due + WINDOW, false);
        assert_int_equal(order_len(w.o), 0);
        assert_int_equal(order_due(w.o).ns, 0);
        assert_each_once(&w);
        assert_int_equal(w.late + w.ahead + w.full, 0);
        qsort(w.sent, w.n, sizeof(*w.sent), by_time);
        for (uint32_t i = 0; i < w.n; i++) {
            assert_int_equal(w.taken[i], w.sent[i].id);
        }
        free(pending);
        end(&w);
    }
}

/* Nothing waits longer than the window, whatever the timestamps are, and nothing is lost. */
static void any_clock_is_borne(void **state)
{
    (void)state;
    static const int64_t odd[] = {0,         HOUR,   -HOUR,      INT64_MAX - EPOCH,
                                  INT64_MIN, -EPOCH, 2 * WINDOW, -2 * WINDOW};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world w;
        begin(&w, seed, BYTES);
        int64_t now = HOUR;
        for (uint32_t i = 0; i < FRAMES / 2; i++) {
            now += draw(&w, 300000);
            release(&w, now, false);
            int64_t off = odd[draw(&w, sizeof(odd) / sizeof(odd[0]))], ts = 0;
            if (off == INT64_MIN || __builtin_add_overflow(EPOCH + now, off, &ts)) {
                ts = off < 0 ? INT64_MIN : INT64_MAX;
            }
            send_one(&w, draw(&w, POINTS), ts, now);
            if (order_due(w.o).ns != 0) {
                assert_true(order_due(w.o).ns > now);
            }
        }
        for (int64_t past = now + WINDOW; now <= past; now += 300000) {
            release(&w, now, false);
        }
        release(&w, now, false);
        assert_int_equal(order_len(w.o), 0);
        assert_each_once(&w);
        assert_true(w.waited <= WINDOW + 300000);
        end(&w);
    }
}

/* How often a frame of a point that is `good` came out behind a younger one of such a point, of
 * those that came in [from, to). */
static uint32_t inversions(const struct world *w, const bool good[POINTS], int64_t from, int64_t to)
{
    uint32_t n = 0, looked_at = 0;
    int64_t last = INT64_MIN;
    for (uint32_t i = 0; i < w->n_taken; i++) {
        const struct sent *s = &w->sent[w->taken[i]];
        if (s->point < POINTS && good[s->point] && s->came >= from && s->came < to) {
            n += s->ts < last;
            last = s->ts > last ? s->ts : last;
            looked_at++;
        }
    }
    assert_true(looked_at > 100);
    return n;
}

/* Frames of all points by chance, whose clocks are off by so much, up to `until`. */
static void send_with_clocks(struct world *w, const int64_t off[POINTS], int64_t *now,
                             int64_t until)
{
    while (*now < until) {
        *now += draw(w, 800000);
        release(w, *now, false);
        uint32_t p = w->n < 3 ? 0 : draw(w, POINTS); /* a wrong one comes first */
        send_one(w, p, EPOCH + *now + off[p] - draw(w, WINDOW / 2), *now);
    }
}

/* A few taps whose clocks are hours off: the others are in order all the same. */
static void wrong_clocks_spoil_nobody_elses_order(void **state)
{
    (void)state;
    static const int64_t off[POINTS] = {3 * HOUR, 0, 0, -3 * HOUR, 0, 0, 0, HOUR / 1000, 0};
    static const bool good[POINTS] = {
        [1] = true, [2] = true, [4] = true, [5] = true, [6] = true, [8] = true};
    struct world w;
    begin(&w, 5, BYTES);
    int64_t now = HOUR;
    send_with_clocks(&w, off, &now, HOUR + 6 * SECOND);
    release(&w, now + WINDOW, true);
    assert_each_once(&w);
    assert_int_equal(inversions(&w, good, HOUR + 50 * MS, now), 0);
    assert_true(w.ahead > w.n / 9 && w.late > w.n / 20);
    end(&w);
}

/* One tap has most of the interfaces, and says of each another time: it has one vote of four. */
static void a_tap_has_one_vote(void **state)
{
    (void)state;
    static const int64_t off[2][POINTS] = {
        {3 * HOUR, 4 * HOUR, 5 * HOUR, 3 * HOUR, 0, 3 * HOUR, 0, 3 * HOUR, 0},
        {-3 * HOUR, -4 * HOUR, -5 * HOUR, -3 * HOUR, 0, -3 * HOUR, 0, -3 * HOUR, 0}};
    static const bool good[POINTS] = {[4] = true, [6] = true, [8] = true};
    for (unsigned i = 0; i < 2; i++) {
        struct world w;
        begin(&w, 7, BYTES);
        for (uint32_t p = 0; p < POINTS; p++) {
            order_point(w.o, p, good[p] ? 100 + p : 7);
        }
        int64_t now = HOUR;
        send_with_clocks(&w, off[i], &now, HOUR + 4 * SECOND);
        release(&w, now + WINDOW, true);
        assert_each_once(&w);
        assert_int_equal(inversions(&w, good, HOUR + 50 * MS, now), 0);
        end(&w);
    }
}

/* Its vote is that of most of its interfaces. */
static void a_tap_votes_as_most_of_its_points(void **state)
{
    (void)state;
    static const int64_t off[2][POINTS] = {{3 * HOUR, 0, 0, 0, 3 * HOUR, 0, 0, 0, 3 * HOUR},
                                           {-3 * HOUR, 0, 0, 0, -3 * HOUR, 0, 0, 0, -3 * HOUR}};
    static const bool good[POINTS] = {
        [1] = true, [2] = true, [3] = true, [5] = true, [6] = true, [7] = true};
    for (unsigned i = 0; i < 2; i++) {
        struct world w;
        begin(&w, 10, BYTES);
        for (uint32_t p = 0; p < POINTS; p++) {
            order_point(w.o, p, p / 3);
        }
        int64_t now = HOUR;
        send_with_clocks(&w, off[i], &now, HOUR + 2 * SECOND);
        release(&w, now + WINDOW, true);
        assert_each_once(&w);
        assert_int_equal(inversions(&w, good, HOUR + 50 * MS, now), 0);
        end(&w);
    }
}

/* Clocks are put forward and back after several periods, the wrong one is always the first to be
 * heard, and each is believed again a period later. */
static void clocks_step_after_periods(void **state)
{
    (void)state;
    static const bool good[POINTS] = {[1] = true, [2] = true, [3] = true, [4] = true,
                                      [5] = true, [6] = true, [7] = true, [8] = true};
    static const int64_t step[] = {0, HOUR, -HOUR, HOUR / 60};
    struct world w;
    begin(&w, 8, BYTES);
    int64_t now = HOUR;
    for (unsigned i = 0; i < 4; i++) {
        int64_t off[POINTS], from = now, half = now + 5 * SECOND / 2;
        for (uint32_t p = 0; p < POINTS; p++) {
            off[p] = p == 0 ? 3 * HOUR : step[i];
        }
        for (int64_t t = now + SECOND / 10; t <= half; t += SECOND / 10) {
            send_with_clocks(&w, off, &now, t);
            now += 2 * WINDOW;
            release(&w, now, false);
            send_one(&w, 0, EPOCH + now + off[0], now); /* also after each period's end */
        }
        uint32_t ahead = w.ahead, late = w.late, wrong = 0, n = w.n;
        send_with_clocks(&w, off, &now, half + 2 * SECOND);
        for (uint32_t k = n; k < w.n; k++) {
            wrong += w.sent[k].point == 0;
        }
        release(&w, now + WINDOW, true);
        assert_int_equal(inversions(&w, good, from + 2 * SECOND + 50 * MS, now), 0);
        assert_int_equal(w.ahead - ahead, wrong); /* and no others */
        assert_int_equal(w.late - late, 0);
        now += 2 * WINDOW;
    }
    assert_each_once(&w);
    end(&w);
}

/* Thousands of taps that are gone have no say after a while, and a point that goes to another tap
 * brings nothing of what it said for the one before. */
static void votes_come_and_go(void **state)
{
    (void)state;
    static const int64_t off[POINTS] = {0, 0, 0, 2 * HOUR, 2 * HOUR, 2 * HOUR, 2 * HOUR, 0, 0};
    static const bool good[POINTS] = {[0] = true, [1] = true, [2] = true, [7] = true, [8] = true};
    for (unsigned handed_over = 0; handed_over < 2; handed_over++) {
        struct world w;
        begin(&w, 9, BYTES);
        int64_t now = HOUR;
        for (uint32_t p = POINTS; p < POINT_MAX; p++) {
            order_point(w.o, p, 10000 + p);
            now += 10000;
            release(&w, now, false);
            send_one(&w, p, EPOCH + now - 5 * HOUR, now);
        }
        for (uint32_t p = POINTS; handed_over && p < POINT_MAX; p++) {
            static const uint64_t others[] = {1, 2, 3, 8, 9};
            order_point(w.o, p, others[p % 5]);
        }
        int64_t until = now + (handed_over ? 1 : 13) * SECOND;
        int64_t from = handed_over ? now + 50 * MS : until - SECOND;
        send_with_clocks(&w, off, &now, until);
        release(&w, now + WINDOW, true);
        assert_int_equal(inversions(&w, good, from, now), 0);
        assert_each_once(&w);
        end(&w);
    }
}

/* A clock that is put forward in the middle: its interface's own frames keep their order. */
static void a_step_keeps_an_interfaces_order(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 6, BYTES);
    int64_t now = HOUR;
    for (uint32_t i = 0; i < 3000; i++) {
        now += 100000;
        release(&w, now, false);
        uint32_t p = i % 3;
        send_one(&w, p, EPOCH + now + (p == 1 && i > 1500 ? HOUR : 0), now);
    }
    release(&w, now, true);
    assert_each_once(&w);
    uint32_t last = 0;
    for (uint32_t i = 0; i < w.n_taken; i++) {
        if (w.sent[w.taken[i]].point == 1) {
            assert_true(w.taken[i] >= last);
            last = w.taken[i];
        }
    }
    end(&w);
}

/* Later than what was given out: at once, and counted; the rest goes on. */
static void late_ones_pass(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 1, BYTES);
    send_one(&w, 2, EPOCH, HOUR);
    send_one(&w, 1, EPOCH + 10 * MS, HOUR);
    release(&w, HOUR + WINDOW - 1, false);
    assert_int_equal(w.n_taken, 0);
    release(&w, HOUR + WINDOW, false);
    assert_int_equal(w.n_taken, 2);
    send_one(&w, 2, EPOCH + 9 * MS, HOUR + WINDOW);
    assert_int_equal(w.late, 1);
    assert_int_equal(w.n_taken, 3);
    send_one(&w, 2, EPOCH + 10 * MS, HOUR + WINDOW);
    assert_int_equal(w.n_taken, 3);
    release(&w, HOUR + 2 * WINDOW, false);
    assert_int_equal(w.n_taken, 4);
    end(&w);
}

/* A stamp so far back that the difference to the clock fits no number is behind, and not ahead. */
static void the_farthest_stamp_is_behind(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 3, BYTES);
    send_one(&w, 0, HOUR, HOUR);
    send_one(&w, 1, HOUR, HOUR);
    send_one(&w, 2, INT64_MIN, HOUR + 1);
    assert_int_equal(w.ahead, 0);
    release(&w, HOUR + 2 * WINDOW, false);
    assert_each_once(&w);
    end(&w);
}

/* Without room the smallest go early; what comes out of memory is sound, and in order still. */
static void room_is_bounded(void **state)
{
    (void)state;
    struct world w;
    begin(&w, 3, FRAME_LEN_MAX + (64 << 10));
    for (uint32_t i = 0; i < FRAMES; i++) {
        send_one(&w, i % POINTS, EPOCH + (int64_t)(i ^ 1) * 10, HOUR + i * 10);
    }
    assert_true(w.full > FRAMES / 2);
    release(&w, HOUR + WINDOW, true);
    assert_each_once(&w);
    for (uint32_t i = 0; i < w.n_taken; i++) {
        assert_int_equal(w.taken[i] ^ 1, i);
    }
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sorted_as_the_model),
        cmocka_unit_test(any_clock_is_borne),
        cmocka_unit_test(wrong_clocks_spoil_nobody_elses_order),
        cmocka_unit_test(a_tap_has_one_vote),
        cmocka_unit_test(a_tap_votes_as_most_of_its_points),
        cmocka_unit_test(clocks_step_after_periods),
        cmocka_unit_test(votes_come_and_go),
        cmocka_unit_test(a_step_keeps_an_interfaces_order),
        cmocka_unit_test(late_ones_pass),
        cmocka_unit_test(the_farthest_stamp_is_behind),
        cmocka_unit_test(room_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
