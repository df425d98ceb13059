/* SPDX-License-Identifier: Apache-2.0
 *
 * The observation points of mirrored frames, in the fake sink.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "data/sink/fake.h"
#include "data/source/mirror/points.h"

struct world {
    struct sink *sink;
    struct ledger *ledger[POINT_MAX];
    struct mirror_points *points;
    struct mono now;
};

static struct world *begin(void)
{
    struct world *w = calloc(1, sizeof(*w));
    assert_non_null(w);
    assert_int_equal(fake_sink_new("fake", &w->sink), 0);
    const struct mirror_points_conf conf = {
        .sink = w->sink, .ledgers = w->ledger, .outputs = &w->sink, .n_outputs = 1};
    assert_int_equal(mirror_points_new(&conf, &w->points), 0);
    w->now = (struct mono){INT64_C(1000) * NSEC_PER_SEC};
    return w;
}

static void end(struct world *w)
{
    mirror_points_free(w->points);
    sink_free(w->sink);
    free(w);
}

/* A key of the sender 192.0.2.`host`. */
static struct mirror_key key_of(uint8_t host, enum decap_carrier carrier, bool has_id, uint32_t id)
{
    return (struct mirror_key){.from = {[10] = 0xff, [11] = 0xff, 192, 0, 2, host},
                               .carrier = carrier,
                               .has_id = has_id,
                               .id = id};
}

static struct mirror_point *get(struct world *w, uint8_t host, enum decap_carrier carrier,
                                bool has_id, uint32_t id)
{
    const struct mirror_key key = key_of(host, carrier, has_id, id);
    return mirror_points_get(w->points, &key, w->now);
}

/* A frame of the point goes to the sink. */
static void pass(struct world *w, struct mirror_point *m)
{
    static const uint8_t bytes[60];
    static struct batch b;
    b.n = 1;
    b.f[0] = (struct frame){.data = bytes,
                            .datalen = sizeof(bytes),
                            .caplen = sizeof(bytes),
                            .origlen = sizeof(bytes),
                            .point = m->point.index};
    ledger_add(&m->point.ledger, LEDGER_MIR_IN, 1);
    ledger_add(&m->point.ledger, LEDGER_MIR_OUT, 1);
    w->sink->ops->write(w->sink, &b);
}

static void each_tunnel_of_a_sender_is_one(void **state)
{
    (void)state;
    struct world *w = begin();
    struct mirror_point *a = get(w, 1, DECAP_VXLAN, true, 77);
    assert_non_null(a);
    assert_string_equal(a->point.tap, "192.0.2.1");
    assert_string_equal(a->point.ifname, "vxlan/77");
    assert_ptr_equal(get(w, 1, DECAP_VXLAN, true, 77), a);
    struct mirror_point *b = get(w, 1, DECAP_ERSPAN, false, 0);
    struct mirror_point *c = get(w, 2, DECAP_VXLAN, true, 77);
    struct mirror_point *d = get(w, 1, DECAP_GRE, true, 0);
    struct mirror_point *e = get(w, 1, DECAP_GRE, false, 0);
    assert_string_equal(b->point.ifname, "erspan");
    assert_string_equal(d->point.ifname, "gre/0");
    assert_string_equal(e->point.ifname, "gre");
    assert_true(b != a && c != a && d != e);
    assert_int_equal(b->point.tap_number, a->point.tap_number);
    assert_int_not_equal(c->point.tap_number, a->point.tap_number);
    assert_in_range(a->point.index, POINT_COUNT + 1, POINT_MAX - 1);
    assert_ptr_equal(w->ledger[a->point.index], &a->point.ledger);
    pass(w, a);
    assert_int_equal(ledger_get(point_output(&a->point, w->sink), LEDGER_SINK_OUT), 1);
    const struct mirror_key six = {.from = {0x20, 1, 0xd, 0xb8, [15] = 1}, .carrier = DECAP_TZSP};
    assert_string_equal(mirror_points_get(w->points, &six, w->now)->point.tap, "2001:db8::1");
    mirror_points_remove(w->points);
    assert_null(w->ledger[a->point.index]);
    end(w);
}

static void count_points(void *user, const struct mirror_point *point)
{
    assert_non_null(point->point.tap);
    ++*(unsigned *)user;
}

static void places_are_bounded(void **state)
{
    (void)state;
    struct world *w = begin();
    struct mirror_past past = {.n = 9};
    struct mirror_point *first = get(w, 1, DECAP_VXLAN, true, 0);
    pass(w, first);
    const uint32_t index = first->point.index;
    w->now = mono_add_ms(w->now, 1);
    for (uint32_t vni = 1; vni < POINT_MIRRORS; vni++) {
        assert_non_null(get(w, 1, DECAP_VXLAN, true, vni));
    }
    assert_null(get(w, 1, DECAP_VXLAN, true, POINT_MIRRORS)); /* all are in use */
    w->now = mono_add_ms(w->now, MIRROR_IDLE_MS - 1);
    struct mirror_point *other = get(w, 2, DECAP_ERSPAN, true, 5); /* the first has been idle */
    assert_non_null(other);
    assert_string_equal(other->point.tap, "192.0.2.2");
    assert_int_equal(other->point.index, index);
    assert_int_equal(ledger_get(&other->point.ledger, LEDGER_MIR_OUT), 0);
    assert_int_equal(ledger_get(point_output(&other->point, w->sink), LEDGER_SINK_OUT), 0);
    assert_null(get(w, 1, DECAP_VXLAN, true, 0)); /* which is no more, and all others are in use */
    unsigned n = 0;
    mirror_points_each(w->points, count_points, &n, &past);
    assert_int_equal(n, POINT_MIRRORS);
    assert_int_equal(past.n, 1);
    assert_int_equal(ledger_get(&past.rx, LEDGER_MIR_OUT), 1);
    assert_int_equal(ledger_get(&past.out[0], LEDGER_SINK_OUT), 1);
    end(w);
}

/* Frames that an output has not given on yet are in its count, which is not to be another's. */
static void a_point_with_frames_in_flight_stays(void **state)
{
    (void)state;
    struct world *w = begin();
    for (uint32_t vni = 0; vni < POINT_MIRRORS; vni++) {
        struct mirror_point *m = get(w, 1, DECAP_VXLAN, true, vni);
        ledger_add(sink_ledger(w->sink, m->point.index), LEDGER_SINK_IN, vni == 7 ? 0 : 1);
    }
    w->now = mono_add_ms(w->now, MIRROR_IDLE_MS);
    assert_non_null(get(w, 1, DECAP_VXLAN, true, 2000)); /* in the place of 7 */
    assert_null(get(w, 1, DECAP_VXLAN, true, 2001));
    assert_null(get(w, 1, DECAP_VXLAN, true, 7));
    end(w);
}

/* The data thread does not wait for whoever looks at points: new senders find no room meanwhile. */
static void try_more(void *user, const struct mirror_point *point)
{
    (void)point;
    struct world *w = user;
    assert_null(get(w, 9, DECAP_VXLAN, true, 9999));
}

static void no_place_changes_while_it_is_looked_at(void **state)
{
    (void)state;
    struct world *w = begin();
    for (uint32_t vni = 0; vni < POINT_MIRRORS; vni++) {
        (void)get(w, 1, DECAP_VXLAN, true, vni);
    }
    w->now = mono_add_ms(w->now, MIRROR_IDLE_MS);
    mirror_points_each(w->points, try_more, w, NULL);
    assert_non_null(get(w, 9, DECAP_VXLAN, true, 9999));
    end(w);
}

/* An output that is none any more holds no point back, and the sums of its place are those of the
 * next one that has it. */
static void outputs_come_and_go(void **state)
{
    (void)state;
    struct world *w = begin();
    struct mirror_past past = {.n = 0};
    unsigned n = 0;
    for (uint32_t vni = 0; vni < POINT_MIRRORS; vni++) {
        struct mirror_point *m = get(w, 1, DECAP_VXLAN, true, vni);
        pass(w, m);
        ledger_add(sink_ledger(w->sink, m->point.index), LEDGER_SINK_IN, vni == 7 ? 0 : 1);
    }
    w->now = mono_add_ms(w->now, MIRROR_IDLE_MS);
    assert_non_null(get(w, 1, DECAP_VXLAN, true, 2000));
    assert_null(get(w, 1, DECAP_VXLAN, true, 2001)); /* all others have a frame in flight */
    mirror_points_output(w->points, 0, NULL);
    assert_non_null(get(w, 1, DECAP_VXLAN, true, 2001));
    mirror_points_each(w->points, count_points, &n, &past);
    assert_int_equal(past.n, 2);
    assert_int_equal(ledger_get(&past.out[0], LEDGER_SINK_OUT), 0); /* of nobody's place */
    assert_int_equal(ledger_get(&past.rx, LEDGER_MIR_OUT), 2);
    end(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tunnel_of_a_sender_is_one),
        cmocka_unit_test(places_are_bounded),
        cmocka_unit_test(a_point_with_frames_in_flight_stays),
        cmocka_unit_test(no_place_changes_while_it_is_looked_at),
        cmocka_unit_test(outputs_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
