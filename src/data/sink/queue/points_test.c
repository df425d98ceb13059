/* SPDX-License-Identifier: Apache-2.0
 *
 * Observation points that come and go before a queue: those that the output has no room for, those
 * whose last frames still wait, and many names one after the other.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "data/sink/queue/testing.h"

static bool is_refused(const struct gated *w, uint64_t n)
{
    return gated_count(w, 9, LEDGER_SINK_REFUSED) == n;
}

static bool has_room(const struct gated *w, uint64_t n)
{
    (void)n;
    return w->queue->ops->check(w->queue, NULL) == 0;
}

/* Points that the inner sink does not take: their frames are counted, it is shown, and they are
 * given to it when there is room. */
static void refused_points_are_counted_and_come_back(void **state)
{
    (void)state;
    struct gated w;
    struct error err = {""};
    gated_begin(&w, 1, (struct queue_sink_conf){0});
    fake_sink_room(w.fake, 0);
    gated_add(w.queue, 9, "x", 0);
    gated_write(w.queue, 9, 0, 100, 60);
    gated_until(is_refused, &w, 100);
    assert_int_equal(w.queue->ops->check(w.queue, &err), 1);
    assert_string_equal(err.text,
                        "gate: no room for 1 interface of taps, whose frames are dropped there");
    fake_sink_room(w.fake, 1);
    gated_until(has_room, &w, 0);
    gated_write(w.queue, 9, 100, 50, 60);
    gated_until(gated_passed, &w, 50);
    assert_string_equal(fake_sink_point(w.fake, 9)->tap, "x");
    /* one that goes while it is refused, and comes back */
    gated_add(w.queue, 8, "y", 0);
    gated_write(w.queue, 8, 0, 10, 60);
    w.queue->ops->point_remove(w.queue, 8);
    gated_add(w.queue, 8, "y", 0);
    gated_write(w.queue, 8, 10, 10, 60);
    w.queue->ops->point_remove(w.queue, 9);
    gated_finish(&w);
    gated_balanced(&w, 9, 150);
    assert_int_equal(gated_count(&w, 9, LEDGER_SINK_REFUSED), 100);
    assert_int_equal(gated_count(&w, 9, LEDGER_SINK_OUT), 50);
    gated_balanced(&w, 8, 20);
    assert_int_equal(gated_count(&w, 8, LEDGER_SINK_REFUSED), 20);
    sink_free(w.queue);
}

/* Points that were refused one after the other are all there when there is room again. */
static void several_refused_points_come_back(void **state)
{
    (void)state;
    enum { POINTS = 3 };
    struct gated w;
    gated_begin(&w, 1, (struct queue_sink_conf){0});
    fake_sink_room(w.fake, 0);
    for (uint32_t i = 0; i < POINTS; i++) {
        gated_add(w.queue, 9 - i, "x", 0);
    }
    gated_write(w.queue, 9, 0, 10, 60);
    gated_until(is_refused, &w, 10);
    fake_sink_room(w.fake, POINTS);
    gated_until(has_room, &w, 0);
    for (uint32_t i = 0; i < POINTS; i++) {
        gated_write(w.queue, 9 - i, 100, 1, 60);
    }
    gated_until(gated_passed, &w, POINTS);
    gated_finish(&w);
    for (uint32_t i = 0; i < POINTS; i++) {
        assert_non_null(fake_sink_point(w.fake, 9 - i));
        assert_int_equal(gated_count(&w, 9 - i, LEDGER_SINK_OUT), 1);
    }
    sink_free(w.queue);
}

/* No descriptor is left for the point's device: it is refused here, and added when there is one. */
static void a_device_finds_no_descriptor(void **state)
{
    (void)state;
    struct gated w;
    struct error err = {""};
    struct rlimit old, none;
    gated_begin(&w, 1, (struct queue_sink_conf){.lanes = true});
    int mine = open("/dev/null", O_RDWR | O_CLOEXEC);
    const struct point_offer point = {.index = 9, .tap = "x", .ifname = "eth0", .device = mine};
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    none = old;
    none.rlim_cur = 3; /* the queue's is not among the standard ones */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    assert_int_equal(w.queue->ops->point_add(w.queue, &point, &err), -ENOSPC);
    assert_string_equal(err.text, "gate: no room for x:eth0");
    gated_write(w.queue, 9, 0, 7, 60);
    assert_int_equal(gated_count(&w, 9, LEDGER_SINK_REFUSED), 7);
    assert_int_equal(w.queue->ops->check(w.queue, NULL), 1);
    assert_int_equal(w.queue->ops->point_add(w.queue, &point, &err), -ENOSPC);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    assert_int_equal(w.queue->ops->point_add(w.queue, &point, &err), 0);
    assert_int_equal(w.queue->ops->point_add(w.queue, &point, &err), -EEXIST);
    assert_int_equal(w.queue->ops->check(w.queue, NULL), 0);
    gated_write(w.queue, 9, 7, 2, 60);
    gated_finish(&w);
    size_t n;
    const struct fake_frame *f = fake_sink_frames(w.fake, &n);
    assert_int_equal(n, 2);
    assert_int_equal(f[0].lost, 7); /* the file will say how many are missing before it */
    gated_balanced(&w, 9, 9);
    sink_free(w.queue);
    close(mine);
}

/* With an order, a point's removal waits for its last frame, and no longer. */
static void removal_waits_for_the_last_frame(void **state)
{
    (void)state;
    for (uint32_t n = 0; n < 4; n++) {
        struct gated w;
        gated_begin(&w, 1, (struct queue_sink_conf){.order_ns = 50 * NSEC_PER_MSEC});
        gated_add(w.queue, 1, "a", 0);
        gated_add(w.queue, 2, "b", 0);
        gated_write(w.queue, 1, 10, n, 60);
        w.queue->ops->point_remove(w.queue, 1);
        gated_until(gated_removed, &w, 1);
        assert_int_equal(atomic_load(&w.gate->passed_before), n);
        gated_write(w.queue, 2, 100, 1, 60);
        gated_until(gated_passed, &w, n + 1);
        gated_finish(&w);
        gated_balanced(&w, 1, n);
        sink_free(w.queue);
    }
}

/* The memory of the whole process, in bytes. */
struct memory {
    uint64_t space, resident;
};

static struct memory memory_now(void)
{
    unsigned long space = 0, resident = 0;
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    _cleanup_(fclosep) FILE *f = fopen("/proc/self/statm", "re");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%lu %lu", &space, &resident), 2);
    return (struct memory){space * page, resident * page};
}

static bool has_shrunk(const struct gated *w, uint64_t n)
{
    (void)w;
    return memory_now().space < n;
}

static bool is_given_back(const struct gated *w, uint64_t n)
{
    (void)w;
    return memory_now().resident < n;
}

/* Taps that come under ever new names, from one producer or from two at once: what each has a lane
 * for goes with it. Those of the lanes that are kept go on. */
static void a_lane_goes_with_its_last_point(void **state)
{
    (void)state;
    enum { NAMES = 1000, AT_ONCE = 20, LEFT = 1 << 30 };
    const int64_t windows[] = {0, NSEC_PER_MSEC};
    for (unsigned k = 0; k < ARRAY_SIZE(windows); k++) {
        struct gated w;
        gated_begin(&w, 2,
                    (struct queue_sink_conf){
                        .bytes = QUEUE_BYTES_MIN, .lanes = true, .order_ns = windows[k]});
        struct sink *other = queue_sink_producer(w.queue, 1);
        gated_add(w.queue, 1, "stays", 0);
        uint64_t before = memory_now().space;
        for (uint32_t i = 0; i < NAMES; i++) {
            char name[16];
            uint32_t index = 2 + i % AT_ONCE;
            snprintf(name, sizeof(name), "tap%u", i);
            gated_add(w.queue, index, name, 0);
            gated_add(other, 30 + index, name, 0);
            gated_write(w.queue, index, i, 2, 60);
            gated_write(other, 30 + index, i, 2, 60);
            w.queue->ops->point_remove(w.queue, index);
            other->ops->point_remove(other, 30 + index);
            if (i % 3 == 0) { /* it is back at once */
                gated_add(w.queue, index, name, 0);
                gated_write(w.queue, index, i + 2, 1, 60);
                w.queue->ops->point_remove(w.queue, index);
            }
            gated_write(w.queue, 1, i, 1, 60);
            if (i % AT_ONCE == AT_ONCE - 1) {
                gated_until(gated_passed, &w, 5 * (i + 1) + i / 3 + 1);
            }
        }
        gated_until(has_shrunk, &w, before + LEFT); /* where each had kept its lane: some 6 GB */
        gated_finish(&w);
        gated_balanced(&w, 1, NAMES);
        assert_int_equal(gated_count(&w, 1, LEDGER_SINK_OUT), NAMES);
        sink_free(w.queue);
    }
}

/* 20,000 names that come one after the other leave nothing: address space and memory are as large
 * after all of them as after the first thousand. The time that is given to them may end earlier
 * under ASan, which writes to all that is taken and given back. TSan keeps 8 KB for each thread
 * that has ended. */
#if defined(__SANITIZE_THREAD__)
#define MANY_NAMES 2000
#else
#define MANY_NAMES 20000
#endif

static void thousands_of_names_leave_nothing(void **state)
{
    (void)state;
    enum { NAMES = MANY_NAMES, FIRST = 1000, AT_ONCE = 10, ENOUGH_MS = 8000 };
    struct gated w;
    struct memory first = {0};
    uint32_t n = 0;
    struct mono enough = mono_add_ms(mono_now(), ENOUGH_MS);
    gated_begin(&w, 1, (struct queue_sink_conf){.bytes = QUEUE_BYTES_MIN, .lanes = true});
    while (n < NAMES && (n < 2 * FIRST || !mono_due(mono_now(), enough))) {
        for (unsigned i = 0; i < AT_ONCE; i++, n++) {
            char name[16];
            snprintf(name, sizeof(name), "tap%u", n);
            gated_add(w.queue, 1 + i, name, 0);
            gated_write(w.queue, 1 + i, n, 1, 60);
            w.queue->ops->point_remove(w.queue, 1 + i);
        }
        gated_until(gated_passed, &w, n);
        if (n == FIRST) {
            first = memory_now();
        }
    }
    gated_until(has_shrunk, &w, first.space + (256 << 20));      /* all lanes: 3 MB each */
    gated_until(is_given_back, &w, first.resident + (32 << 20)); /* each touches a page or more */
    gated_finish(&w);
    size_t came;
    (void)fake_sink_frames(w.fake, &came);
    assert_int_equal(came, n);
    sink_free(w.queue);
}

static void *come_and_go(void *arg)
{
    struct sink *s = arg;
    for (uint32_t i = 0; i < 3000; i++) {
        uint32_t index = s == queue_sink_producer(s, 0) ? 1 : 2;
        gated_add(s, index, i % 2 ? "a" : "b", 0);
        gated_write(s, index, i, i % 4, 60);
        s->ops->point_remove(s, index);
    }
    return NULL;
}

/* Two producers with the same taps, over and over: each lane ends or does not, as it comes. */
static void lanes_end_while_others_begin(void **state)
{
    (void)state;
    struct gated w;
    pthread_t t;
    gated_begin(&w, 2, (struct queue_sink_conf){.bytes = QUEUE_BYTES_MIN, .lanes = true});
    assert_int_equal(pthread_create(&t, NULL, come_and_go, queue_sink_producer(w.queue, 1)), 0);
    (void)come_and_go(w.queue);
    pthread_join(t, NULL);
    gated_finish(&w);
    size_t n;
    (void)fake_sink_frames(w.fake, &n);
    assert_int_equal(n, 2 * (3000 / 4 * (1 + 2 + 3)));
    sink_free(w.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_points_are_counted_and_come_back),
        cmocka_unit_test(several_refused_points_come_back),
        cmocka_unit_test(a_device_finds_no_descriptor),
        cmocka_unit_test(removal_waits_for_the_last_frame),
        cmocka_unit_test(a_lane_goes_with_its_last_point),
        cmocka_unit_test(thousands_of_names_leave_nothing),
        cmocka_unit_test(lanes_end_while_others_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
