/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue before sinks that a test can hold up. Who waits, waits with a deadline.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>

#include "base/cleanup.h"
#include "data/sink/file/file.h"
#include "data/sink/queue/testing.h"

enum {
    MANY = 200000,
    PRODUCERS = 4,
};

/* All of it, in order, without being told to flush; nothing is left over for gated_finish(). */
static void everything_passes(void **state)
{
    (void)state;
    struct gated w;
    gated_begin(&w, 1, (struct queue_sink_conf){.bytes = 256 << 20}); /* more than all of it */
    gated_add(w.queue, 5, "web1", 0);
    gated_write(w.queue, 4, 0, 10, 60); /* a point that was never added */
    gated_write(w.queue, 5, 0, 1, 60);
    gated_until(gated_passed, &w, 1);
    for (uint32_t i = 1; i < MANY; i += 100) {
        gated_write(w.queue, 5, i, MIN(100u, MANY - i), 14 + i % 700);
    }
    gated_until(gated_passed, &w, MANY);
    struct ledger figures = {0};
    ledger_set(&figures, LEDGER_RING_IN, 77);
    w.queue->ops->point_stats(w.queue, 5, &figures);
    w.queue->ops->point_remove(w.queue, 5);
    gated_until(gated_removed, &w, 1);
    gated_finish(&w);
    size_t n;
    const struct fake_frame *f = fake_sink_frames(w.fake, &n);
    assert_int_equal(n, MANY);
    for (uint32_t i = 0; i < n; i++) {
        assert_int_equal(gated_id(&f[i]), i);
    }
    assert_int_equal(ledger_get(&fake_sink_point(w.fake, 5)->figures, LEDGER_RING_IN), 77);
    gated_balanced(&w, 5, MANY);
    assert_int_equal(gated_count(&w, 5, LEDGER_SINK_OUT), MANY);
    assert_null(sink_ledger(w.queue, 4));
    sink_free(w.queue);
}

/* A frame whose bytes are in two pieces, and the longest there is. */
static void odd_frames_pass(void **state)
{
    (void)state;
    struct gated w;
    static uint8_t data[FRAME_LEN_MAX + 1];
    struct batch b = {.n = 3};
    gated_begin(&w, 1, (struct queue_sink_conf){.bytes = QUEUE_BYTES_MIN});
    gated_add(w.queue, 0, "web1", 0);
    memset(data, 7, sizeof(data));
    b.f[0] = (struct frame){.data = data,
                            .datalen = 60,
                            .caplen = 64,
                            .origlen = 64,
                            .ins_len = 4,
                            .ins_off = 12,
                            .ins = {0x81, 0, 0, 9}};
    b.f[1] = (struct frame){.data = data, .datalen = FRAME_LEN_MAX, .caplen = FRAME_LEN_MAX};
    b.f[2] = (struct frame){.data = data, .datalen = sizeof(data), .caplen = sizeof(data)};
    b.f[1].more = 6;
    for (unsigned i = 1; i <= 5; i++) {
        w.queue->ops->write(w.queue, &b);
        gated_until(gated_passed, &w, 2 * i);
    }
    gated_finish(&w);
    size_t n;
    const struct fake_frame *f = fake_sink_frames(w.fake, &n);
    assert_int_equal(n, 10);
    assert_int_equal(f[2].caplen, 64);
    assert_memory_equal(f[2].data + 10, "\7\7\x81\0\0\x9\7\7", 8);
    assert_int_equal(f[9].caplen, FRAME_LEN_MAX);
    assert_int_equal(f[2].lost, 1); /* that which was too long */
    assert_int_equal(f[2].more, 0);
    assert_int_equal(f[3].more, 6);
    assert_int_equal(gated_count(&w, 0, LEDGER_SINK_FULL), 5);
    gated_balanced(&w, 0, 15);
    sink_free(w.queue);
}

/* An output that stands still loses what its queue cannot hold, to the frame; another beside it
 * loses nothing, and the writer does not wait. */
static void a_slow_output_harms_only_itself(void **state)
{
    (void)state;
    struct gated slow, good;
    gated_begin(&slow, 1, (struct queue_sink_conf){.bytes = 2 << 20});
    gated_begin(&good, 1, (struct queue_sink_conf){.bytes = 64 << 20});
    gated_add(slow.queue, 1, "web1", 0);
    gated_add(good.queue, 1, "web1", 0);
    atomic_store(&slow.gate->closed, true);
    for (uint32_t i = 0; i < MANY / 4; i += 250) {
        gated_write(slow.queue, 1, i, 250, 1000);
        gated_write(good.queue, 1, i, 250, 1000);
    }
    gated_until(gated_passed, &good, MANY / 4);
    uint64_t full = gated_count(&slow, 1, LEDGER_SINK_FULL);
    assert_true(full > MANY / 4 - (2 << 20) / 1000 - BATCH_MAX && full < MANY / 4);
    atomic_store(&slow.gate->closed, false);
    gated_until(gated_passed, &slow, MANY / 4 - full);
    gated_write(slow.queue, 1, MANY, 1, 60); /* the file will say how many are missing before it */
    gated_until(gated_passed, &slow, MANY / 4 - full + 1);
    gated_finish(&slow);
    gated_finish(&good);
    size_t n;
    const struct fake_frame *f = fake_sink_frames(slow.fake, &n);
    assert_int_equal(n, MANY / 4 - full + 1);
    uint64_t lost = 0;
    for (size_t i = 0; i < n; i++) {
        lost += f[i].lost;
    }
    assert_int_equal(lost, full);
    gated_balanced(&slow, 1, MANY / 4 + 1);
    assert_int_equal(gated_count(&slow, 1, LEDGER_SINK_FULL), full);
    assert_int_equal(gated_count(&good, 1, LEDGER_SINK_OUT), MANY / 4);
    gated_balanced(&good, 1, MANY / 4);
    sink_free(slow.queue);
    sink_free(good.queue);
}

/* Where each tap has a lane: one whose frames take a thousand times as long. */
static void a_slow_lane_gets_its_share(void **state)
{
    (void)state;
    struct gated w;
    gated_begin(&w, 1, (struct queue_sink_conf){.bytes = 2 << 20, .lanes = true});
    gated_add(w.queue, 1, "slow", 0);
    gated_add(w.queue, 2, "good", 0);
    atomic_store(&w.gate->slow, 1);
    gated_write(w.queue, 1, 0, 30000, 1000);
    uint64_t full = gated_count(&w, 1, LEDGER_SINK_FULL);
    assert_true(full > 0); /* its own queue has no room for more */
    for (uint32_t i = 0; i < 20; i++) {
        gated_write(w.queue, 2, i * 1000, 1000, 1000);
        uint64_t before = atomic_load(&w.gate->slow_passed);
        struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
        while (gated_count(&w, 2, LEDGER_SINK_OUT) < (i + 1) * 1000) {
            assert_false(mono_due(mono_now(), deadline));
            poll(NULL, 0, 1);
        }
        /* a handful of the other's in the meantime: in their order of coming it would be 2000 */
        assert_true(atomic_load(&w.gate->slow_passed) - before < 200);
    }
    assert_int_equal(gated_count(&w, 2, LEDGER_SINK_FULL), 0);
    assert_true(gated_count(&w, 1, LEDGER_SINK_OUT) > 0);
    atomic_store(&w.gate->slow, UINT32_MAX);
    gated_finish(&w);
    gated_balanced(&w, 1, 30000);
    gated_balanced(&w, 2, 20000);
    sink_free(w.queue);
}

struct writer {
    struct sink *s;
    uint32_t point, from, frames;
};

static void *write_frames(void *arg)
{
    const struct writer *a = arg;
    for (uint32_t i = 0; i < a->frames; i += 50) {
        gated_write(a->s, a->point, a->from + i, 50, 100 + i % 900);
    }
    return NULL;
}

/* Several threads at once, and then each point goes to the next thread, over and over. */
static void points_move_between_producers(void **state)
{
    (void)state;
    enum { ROUNDS = 20, EACH = 1000 };
    for (int lanes = 0; lanes < 2; lanes++) {
        struct gated w;
        gated_begin(&w, PRODUCERS, (struct queue_sink_conf){.bytes = 4 << 20, .lanes = lanes});
        for (unsigned round = 0; round < ROUNDS; round++) {
            pthread_t thread[PRODUCERS];
            struct writer a[PRODUCERS];
            for (unsigned t = 0; t < PRODUCERS; t++) {
                char tap[] = {(char)('a' + (t + round) % PRODUCERS), 0};
                a[t] = (struct writer){queue_sink_producer(w.queue, t), 1 + (t + round) % PRODUCERS,
                                       round * EACH, EACH};
                gated_add(a[t].s, a[t].point, tap, 0);
                assert_int_equal(pthread_create(&thread[t], NULL, write_frames, &a[t]), 0);
            }
            for (unsigned t = 0; t < PRODUCERS; t++) {
                pthread_join(thread[t], NULL);
                a[t].s->ops->point_remove(a[t].s, a[t].point); /* not waited for */
            }
        }
        assert_null(queue_sink_producer(w.queue, PRODUCERS));
        gated_until(gated_removed, &w, ROUNDS * PRODUCERS);
        gated_finish(&w);
        uint32_t next[1 + PRODUCERS] = {0};
        size_t n;
        const struct fake_frame *f = fake_sink_frames(w.fake, &n);
        for (size_t i = 0; i < n; i++) { /* in order, what was dropped left out */
            uint32_t id = gated_id(&f[i]);
            assert_true(id >= next[f[i].point]);
            next[f[i].point] = id + 1;
        }
        uint64_t written = 0;
        for (uint32_t p = 1; p <= PRODUCERS; p++) {
            gated_balanced(&w, p, ROUNDS * EACH);
            assert_int_equal(fake_sink_point(w.fake, p)->adds, ROUNDS);
            written += gated_count(&w, p, LEDGER_SINK_OUT);
        }
        assert_int_equal(written, n);
        sink_free(w.queue);
    }
}

/* The end does not wait for ever, and what was not written then is counted. */
static void the_end_is_bounded(void **state)
{
    (void)state;
    struct gated w;
    struct error err = {""};
    gated_begin(&w, 1, (struct queue_sink_conf){.bytes = 2 << 20, .finish_ms = 50});
    gated_add(w.queue, 1, "web1", 0);
    atomic_store(&w.gate->slow, 1);
    gated_write(w.queue, 1, 0, 1500, 1000);
    assert_int_equal(w.queue->ops->finish(w.queue, &err), -ETIMEDOUT);
    assert_non_null(strstr(err.text, "gate: not everything"));
    gated_balanced(&w, 1, 1500);
    assert_true(gated_count(&w, 1, LEDGER_SINK_CLOSED) > 0);
    sink_free(w.queue);
    /* never finished at all */
    gated_begin(&w, 1, (struct queue_sink_conf){.bytes = 2 << 20});
    gated_add(w.queue, 1, "web1", 0);
    gated_write(w.queue, 1, 0, 1500, 1000);
    sink_free(w.queue);
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

/* The queue has a descriptor of its own, until the point's last frame is written and a while after
 * that: closing it is left to whoever asks how the sink is. */
static void devices_are_kept_as_long_as_needed(void **state)
{
    (void)state;
    struct gated w;
    gated_begin(&w, 1, (struct queue_sink_conf){.lanes = true});
    int mine = open("/dev/null", O_RDWR | O_CLOEXEC);
    atomic_store(&w.gate->closed, true);
    gated_add(w.queue, 3, "web1", mine);
    gated_write(w.queue, 3, 0, 10, 60);
    w.queue->ops->point_remove(w.queue, 3);
    close(mine);
    atomic_store(&w.gate->closed, false);
    gated_until(gated_removed, &w, 1);
    int theirs = atomic_load(&w.gate->device);
    assert_true(theirs > 0);
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    while (is_open(theirs)) {
        assert_int_equal(w.queue->ops->check(w.queue, NULL), 0);
        assert_false(mono_due(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
    /* and one that is open at the end */
    mine = open("/dev/null", O_RDWR | O_CLOEXEC);
    gated_add(w.queue, 3, "web1", mine);
    gated_write(w.queue, 3, 10, 10, 60);
    gated_until(gated_passed, &w, 20);
    theirs = atomic_load(&w.gate->device);
    assert_true(is_open(theirs));
    gated_finish(&w);
    sink_free(w.queue);
    assert_false(is_open(theirs));
    close(mine);
}

/* Two taps, the second behind the first: in order of time at the end, and all of it though the
 * first goes away in the middle. */
static void frames_are_put_in_order(void **state)
{
    (void)state;
    struct gated w;
    gated_begin(&w, 1, (struct queue_sink_conf){.order_ns = 200 * NSEC_PER_MSEC});
    gated_add(w.queue, 1, "a", 0);
    gated_add(w.queue, 2, "b", 0);
    for (uint32_t i = 0; i < 1000; i += 20) {
        gated_write(w.queue, 1, i + 10, 10, 60);
        gated_write(w.queue, 2, i, 10, 60);
    }
    w.queue->ops->point_remove(w.queue, 1);
    gated_add(w.queue, 1, "a", 0);
    gated_write(w.queue, 1, 1000, 10, 60);
    gated_until(gated_passed, &w, 1010); /* nobody says that there is nothing more */
    gated_write(w.queue, 2, 500, 1, 60);
    gated_until(gated_passed, &w, 1011);
    gated_finish(&w);
    size_t n;
    const struct fake_frame *f = fake_sink_frames(w.fake, &n);
    assert_int_equal(n, 1011);
    for (uint32_t i = 0; i < 1010; i++) {
        assert_int_equal(gated_id(&f[i]), i);
    }
    assert_int_equal(gated_id(&f[1010]), 500);
    assert_int_equal(gated_count(&w, 2, LEDGER_SINK_LATE), 1);
    gated_balanced(&w, 1, 510);
    gated_balanced(&w, 2, 501);
    sink_free(w.queue);
}

/* The window is longer than the room: frames go early, and are counted as that. */
static void order_has_its_room(void **state)
{
    (void)state;
    struct gated w;
    gated_begin(&w, 1, (struct queue_sink_conf){.bytes = 2 << 20, .order_ns = 3600 * NSEC_PER_SEC});
    gated_add(w.queue, 1, "a", 0);
    uint32_t sent = 0;
    struct mono deadline = mono_add_ms(mono_now(), DEADLINE_MS);
    for (; gated_count(&w, 1, LEDGER_SINK_EARLY) < 5000; sent += 100) {
        gated_write(w.queue, 1, sent, 100, 1000);
        assert_false(mono_due(mono_now(), deadline));
        poll(NULL, 0, 1);
    }
    gated_finish(&w); /* and at the end nothing waits */
    size_t n;
    const struct fake_frame *f = fake_sink_frames(w.fake, &n);
    assert_int_equal(n + gated_count(&w, 1, LEDGER_SINK_FULL), sent);
    for (uint32_t i = 1; i < n; i++) {
        assert_true(gated_id(&f[i]) > gated_id(&f[i - 1]));
    }
    gated_balanced(&w, 1, sent);
    sink_free(w.queue);
}

/* Before a file whose reader stands still, both count what they drop, in the same place. */
static void both_count_what_is_full(void **state)
{
    (void)state;
    int ends[2];
    struct sink *file = NULL, *s = NULL;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const struct file_sink_conf fc = {.path = "pipe", .chunks = 2, .finish_ms = 50};
    assert_int_equal(file_sink_new(ends[1], false, &fc, &file, NULL), 0);
    assert_int_equal(
        queue_sink_new(file, 1, &(struct queue_sink_conf){.bytes = QUEUE_BYTES_MIN}, &s), 0);
    gated_add(s, 1, "web1", 0);
    gated_write(s, 1, 0, 50000, 1000);
    assert_true(s->ops->finish(s, NULL) < 0);
    struct ledger_sum sum = ledger_sum(sink_ledger(s, 1), NULL, LEDGER_SINK);
    assert_int_equal(sum.in, 50000);
    assert_int_equal(sum.in_flight, 0);
    assert_true(ledger_get(sink_ledger(s, 1), LEDGER_SINK_FULL) > 40000);
    sink_free(s);
    close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_passes),
        cmocka_unit_test(odd_frames_pass),
        cmocka_unit_test(a_slow_output_harms_only_itself),
        cmocka_unit_test(a_slow_lane_gets_its_share),
        cmocka_unit_test(points_move_between_producers),
        cmocka_unit_test(the_end_is_bounded),
        cmocka_unit_test(devices_are_kept_as_long_as_needed),
        cmocka_unit_test(frames_are_put_in_order),
        cmocka_unit_test(order_has_its_room),
        cmocka_unit_test(both_count_what_is_full),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
