/* SPDX-License-Identifier: Apache-2.0
 *
 * A queue that puts frames in order knows which points are one tap's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/sink/fake.h"
#include "data/sink/queue/queue.h"

enum {
    TAPS = 4, /* the first has POINTS points, the others one each */
    POINTS = 6,
    FRAMES = 3000,
    DEADLINE_MS = 20000,
};

#define HOUR (INT64_C(3600) * NSEC_PER_SEC)

static void add(struct sink *s, uint32_t index, uint64_t tap)
{
    static const char *const names[TAPS] = {"bad", "web1", "web2", "web3"};
    struct point_offer point = {
        .index = index, .tap = names[tap], .tap_number = tap, .ifname = "eth0"};
    assert_int_equal(s->ops->point_add(s, &point, NULL), 0);
}

static void write_one(struct sink *s, uint32_t point, int64_t ts)
{
    static const uint8_t data[60];
    static struct batch b = {.n = 1};
    b.f[0] = (struct frame){.data = data,
                            .datalen = sizeof(data),
                            .caplen = sizeof(data),
                            .origlen = sizeof(data),
                            .ts_ns = ts,
                            .point = point};
    s->ops->write(s, &b);
}

/* Most points are those of a tap whose clocks are hours ahead: the other taps' frames, of which
 * each second one is given to the queue too late for its neighbour, are put in order all the same.
 */
static void a_tap_with_many_points(void **state)
{
    (void)state;
    struct sink *fake = NULL, *q = NULL;
    assert_int_equal(fake_sink_new("out", &fake), 0);
    fake->queued = true;
    const struct queue_sink_conf conf = {.order_ns = 100 * NSEC_PER_MSEC};
    assert_int_equal(queue_sink_new(fake, 1, &conf, &q), 0);
    for (uint32_t p = 1; p < POINTS + TAPS; p++) {
        add(q, p, p <= POINTS ? 0 : p - POINTS);
    }
    for (uint32_t i = 0; i < FRAMES; i++) {
        int64_t ts = wall_now().ns;
        write_one(q, 1 + i % POINTS, ts + 3 * HOUR);
        write_one(q, 1 + POINTS + i % (TAPS - 1), ts - (i % 2 ? 50 * NSEC_PER_MSEC : 0));
        q->ops->flush(q);
        if (i % 10 == 0) {
            poll(NULL, 0, 1); /* a second of traffic */
        }
    }
    assert_int_equal(q->ops->finish(q, NULL), 0);
    size_t n;
    const struct fake_frame *f = fake_sink_frames(fake, &n);
    int64_t last = 0, first = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        first = f[i].point > POINTS ? MIN(first, f[i].ts_ns) : first;
    }
    for (size_t i = 0; i < n; i++) { /* the clocks are known once a few frames have come */
        if (f[i].point > POINTS && f[i].ts_ns > first + 200 * NSEC_PER_MSEC) {
            assert_true(f[i].ts_ns >= last);
            last = f[i].ts_ns;
        }
    }
    assert_true(last > first + 200 * NSEC_PER_MSEC);
    sink_free(q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tap_with_many_points),
    };
    return cmocka_run_group_tests_name("data/sink/queue_order", tests, NULL, NULL);
}
