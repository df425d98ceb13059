/* SPDX-License-Identifier: Apache-2.0
 *
 * A fan before sinks that keep, refuse and come late: every one gets every frame and every point,
 * and one without room is asked again until it has some.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <poll.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/fan.h"
#include "data/sink/fake.h"

enum {
    SINKS = 3,
    DEADLINE_MS = 5000,
};

struct bench {
    struct sink *sink[SINKS], *fan;
};

static void set_up(struct bench *b)
{
    for (unsigned i = 0; i < SINKS; i++) {
        assert_int_equal(fake_sink_new("fake", &b->sink[i]), 0);
    }
    assert_int_equal(fan_new(b->sink, SINKS, &b->fan), 0);
}

static void tear_down(struct bench *b)
{
    sink_free(b->fan);
    for (unsigned i = 0; i < SINKS; i++) {
        sink_free(b->sink[i]);
    }
}

static int add(const struct bench *b, uint32_t index, const char *ifname, bool fresh)
{
    const struct point_offer p = {.index = index, .tap = "web1", .ifname = ifname, .fresh = fresh};
    struct error err = {""};
    return b->fan->ops->point_add(b->fan, &p, &err);
}

static void put(const struct bench *b, uint32_t index, unsigned n)
{
    static const uint8_t bytes[60];
    struct batch batch = {.n = n};
    for (unsigned i = 0; i < n; i++) {
        batch.f[i] = (struct frame){.data = bytes,
                                    .datalen = sizeof(bytes),
                                    .caplen = sizeof(bytes),
                                    .origlen = sizeof(bytes),
                                    .point = index};
    }
    b->fan->ops->write(b->fan, &batch);
}

static uint64_t count(const struct bench *b, unsigned sink, uint32_t index, enum ledger_id id)
{
    const struct ledger *l = sink_ledger(b->sink[sink], index);
    return l ? ledger_get(l, id) : 0;
}

static void each_sink_gets_all(void **state)
{
    (void)state;
    struct bench b;
    const struct ledger figures = {.n[LEDGER_RING_IN] = 7};
    set_up(&b);
    assert_int_equal(add(&b, 4, "eth0", true), 0);
    put(&b, 4, 5);
    b.fan->ops->flush(b.fan);
    b.fan->ops->point_stats(b.fan, 4, &figures);
    b.fan->ops->point_remove(b.fan, 4);
    for (unsigned i = 0; i < SINKS; i++) {
        const struct fake_point *p = fake_sink_point(b.sink[i], 4);
        assert_int_equal(count(&b, i, 4, LEDGER_SINK_OUT), 5);
        assert_int_equal(fake_sink_flushes(b.sink[i]), 1);
        assert_string_equal(p->ifname, "eth0");
        assert_int_equal(p->adds, 1);
        assert_int_equal(p->removes, 1);
        assert_int_equal(ledger_get(&p->figures, LEDGER_RING_IN), 7);
    }
    tear_down(&b);
}

static void an_index_is_one_point(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    assert_int_equal(add(&b, POINT_MAX, "eth0", true), -EINVAL);
    assert_int_equal(add(&b, 4, "eth0", true), 0);
    assert_int_equal(add(&b, 4, "eth1", true), -EEXIST);
    b.fan->ops->point_remove(b.fan, 5);         /* which is not there */
    b.fan->ops->point_remove(b.fan, POINT_MAX); /* and cannot be */
    b.fan->ops->point_remove(b.fan, 4);
    assert_int_equal(add(&b, 4, "eth1", true), 0);
    for (unsigned i = 0; i < SINKS; i++) {
        assert_int_equal(fake_sink_point(b.sink[i], 4)->adds, 2);
        assert_int_equal(fake_sink_point(b.sink[i], 4)->removes, 1);
    }
    struct sink *many[FAN_SINKS + 1] = {0}, *fan = NULL;
    assert_int_equal(fan_new(many, FAN_SINKS + 1, &fan), -EINVAL);
    tear_down(&b);
}

/* The second sink has room for one point. Frames of the other are counted there as refused until
 * the first is gone; then the fan offers it again, and its ledger goes on. */
static void one_without_room_is_asked_again(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    fake_sink_room(b.sink[1], 1);
    assert_int_equal(add(&b, 1, "eth0", true), 0);
    assert_int_equal(fan_refused(b.fan), 0);
    assert_int_equal(add(&b, 2, "eth1", true), 0);
    assert_int_equal(fan_refused(b.fan), 1);
    put(&b, 2, 3);
    assert_int_equal(count(&b, 1, 2, LEDGER_SINK_REFUSED), 3);
    b.fan->ops->point_remove(b.fan, 1);
    struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    while (fan_refused(b.fan) > 0) {
        assert_false(mono_due(mono_now(), end));
        poll(NULL, 0, 1);
        b.fan->ops->flush(b.fan);
    }
    put(&b, 2, 4);
    assert_int_equal(count(&b, 0, 2, LEDGER_SINK_OUT), 7);
    assert_int_equal(count(&b, 1, 2, LEDGER_SINK_OUT), 4);
    assert_int_equal(count(&b, 1, 2, LEDGER_SINK_REFUSED), 3);
    assert_int_equal(fake_sink_point(b.sink[0], 2)->adds, 1); /* where it had room from the first */
    tear_down(&b);
}

/* A write asks again too: a collector that is never idle does not flush. */
static void a_refused_point_that_goes_is_not_offered(void **state)
{
    (void)state;
    struct bench b;
    set_up(&b);
    fake_sink_room(b.sink[2], 1);
    assert_int_equal(add(&b, 1, "eth0", true), 0);
    assert_int_equal(add(&b, 2, "eth1", true), 0);
    assert_int_equal(add(&b, 3, "eth2", true), 0);
    assert_int_equal(fan_refused(b.fan), 2);
    b.fan->ops->point_remove(b.fan, 2);
    assert_int_equal(fan_refused(b.fan), 1);
    fake_sink_room(b.sink[2], 2);
    struct mono end = mono_add_ms(mono_now(), DEADLINE_MS);
    while (fan_refused(b.fan) > 0) {
        assert_false(mono_due(mono_now(), end));
        poll(NULL, 0, 1);
        put(&b, 1, 1);
    }
    put(&b, 3, 2);
    assert_int_equal(count(&b, 2, 3, LEDGER_SINK_OUT), 2);
    tear_down(&b);
}

/* A sink that comes gets all points that are there, one that goes loses them, and the others do not
 * notice. */
static void sinks_come_and_go(void **state)
{
    (void)state;
    struct bench b;
    struct sink *more = NULL;
    set_up(&b);
    assert_int_equal(fake_sink_new("more", &more), 0);
    assert_int_equal(add(&b, 1, "eth0", true), 0);
    assert_int_equal(add(&b, 2, "eth1", true), 0);
    put(&b, 1, 3);
    fan_set(b.fan, FAN_SINKS - 1, more);
    put(&b, 1, 4);
    put(&b, 2, 5);
    assert_int_equal(fake_sink_point(more, 1)->adds, 1);
    assert_int_equal(ledger_get(sink_ledger(more, 1), LEDGER_SINK_OUT), 4);
    fan_set(b.fan, 1, NULL);
    assert_int_equal(fake_sink_point(b.sink[1], 1)->removes, 1);
    assert_int_equal(fake_sink_point(b.sink[1], 2)->removes, 1);
    assert_true(fake_sink_flushes(b.sink[1]) > 0);
    put(&b, 2, 6);
    assert_int_equal(add(&b, 3, "eth2", true), 0);
    put(&b, 3, 7);
    b.fan->ops->point_remove(b.fan, 3);
    assert_null(sink_ledger(b.sink[1], 3));
    assert_int_equal(count(&b, 1, 2, LEDGER_SINK_OUT), 5);
    for (unsigned i = 0; i < SINKS; i += 2) {
        assert_int_equal(count(&b, i, 1, LEDGER_SINK_OUT), 7);
        assert_int_equal(count(&b, i, 2, LEDGER_SINK_OUT), 11);
        assert_int_equal(count(&b, i, 3, LEDGER_SINK_OUT), 7);
        assert_int_equal(fake_sink_point(b.sink[i], 1)->adds, 1);
    }
    struct ledger total = {0};
    sink_total(more, &total);
    assert_int_equal(ledger_get(&total, LEDGER_SINK_OUT), 4 + 5 + 6 + 7);
    fan_set(b.fan, FAN_SINKS - 1, NULL);
    put(&b, 1, 1);
    assert_int_equal(ledger_get(sink_ledger(more, 1), LEDGER_SINK_OUT), 4);
    sink_free(more);
    tear_down(&b);
}

/* Points that a sink had no room for are offered to it no longer when it goes, and to the next one
 * in its place at once. */
static void a_place_without_room_is_left(void **state)
{
    (void)state;
    struct bench b;
    struct sink *more = NULL;
    set_up(&b);
    assert_int_equal(fake_sink_new("more", &more), 0);
    fake_sink_room(b.sink[2], 0);
    fake_sink_room(more, 1);
    assert_int_equal(add(&b, 1, "eth0", true), 0);
    assert_int_equal(add(&b, 2, "eth1", true), 0);
    assert_int_equal(fan_refused(b.fan), 2);
    fan_set(b.fan, 2, NULL);
    assert_int_equal(fan_refused(b.fan), 0);
    fan_set(b.fan, 2, more);
    assert_int_equal(fan_refused(b.fan), 1);
    put(&b, 2, 2);
    assert_int_equal(ledger_get(sink_ledger(more, 2), LEDGER_SINK_REFUSED), 2);
    fan_set(b.fan, 2, NULL);
    assert_int_equal(fan_refused(b.fan), 0);
    sink_free(more);
    tear_down(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_sink_gets_all),
        cmocka_unit_test(an_index_is_one_point),
        cmocka_unit_test(one_without_room_is_asked_again),
        cmocka_unit_test(a_refused_point_that_goes_is_not_offered),
        cmocka_unit_test(sinks_come_and_go),
        cmocka_unit_test(a_place_without_room_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
