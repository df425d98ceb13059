/* SPDX-License-Identifier: Apache-2.0
 *
 * A meter of points whose frames come from elsewhere: each has its own time, which goes on from its
 * newest frame, and may go and come back. Time that passes here is that of the clock, so that flows
 * are made idle by frames and by what is heard, and none is waited for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <netinet/in.h>

#include "data/meter/meter.h"
#include "data/meter/testing.h"
#include "proto/packet.h"

#define S NSEC_PER_SEC

static void offer(struct testing *w, uint32_t index, uint64_t tap, const char *ifname, bool fresh)
{
    struct error err = {""};
    const struct point_offer o = {.index = index,
                                  .tap = "web1",
                                  .tap_number = tap,
                                  .ifname = ifname,
                                  .linktype = PACKET_RAW,
                                  .fresh = fresh};
    assert_int_equal(w->s->ops->point_add(w->s, &o, &err), 0);
}

static void begin(struct testing *w)
{
    testing_begin(w, (struct meter_sink_conf){.flows = 100, .time = METER_BY_POINTS});
    offer(w, 7, 1, "eth0", false);
    offer(w, 8, 2, "eth0", false);
}

/* A frame of the point at that time. */
static void come(struct testing *w, uint32_t point, int64_t ts_ns)
{
    static uint8_t udp[TESTING_UDP];
    testing_udp(udp, false, IPPROTO_UDP, 0);
    testing_add(w, udp, TESTING_UDP, point)->ts_ns = ts_ns;
    testing_pass(w);
}

static struct mono from_now(int64_t ns)
{
    return (struct mono){mono_now().ns + ns};
}

/* Time of one is an hour behind the other's. */
static void each_has_its_time(void **state)
{
    (void)state;
    static struct testing w;
    begin(&w);
    come(&w, 7, 3600 * S);
    come(&w, 8, 10 * S);
    come(&w, 7, 3614 * S);
    assert_int_equal(w.k->n, 0);
    come(&w, 8, 25 * S);
    assert_int_equal(w.k->n, 1);
    assert_int_equal(w.k->r[0].end_reason, 1);
    assert_string_equal(w.k->r[0].point, "web1:eth0");
    assert_int_equal(w.k->r[0].interface, 9);
    testing_end(&w);
    assert_int_equal(w.k->n, 3);
    assert_int_equal(w.k->r[1].packets + w.k->r[2].packets, 3);
    testing_done(&w);
}

/* It counts as outputs do, and looks at frames as they are given to these: with Ethernet. */
static void counts_as_an_output(void **state)
{
    (void)state;
    static struct testing w;
    static uint8_t udp[TESTING_UDP], arp[TESTING_UDP];
    struct error err = {""};
    begin(&w);
    come(&w, 7, 1 * S);
    testing_udp(udp, false, IPPROTO_UDP, 0);
    testing_udp(arp, false, IPPROTO_UDP, 0);
    arp[13] = 6;
    testing_add(&w, udp, 20, 7);
    testing_add(&w, arp, TESTING_UDP, 7);
    testing_add(&w, udp, TESTING_UDP, 99); /* of no point */
    testing_pass(&w);
    assert_int_equal(w.s->ops->counts, LEDGER_SINK);
    assert_int_equal(testing_count(&w, 7, LEDGER_SINK_IN), 3);
    assert_int_equal(testing_count(&w, 7, LEDGER_SINK_OUT), 1);
    assert_int_equal(testing_count(&w, 7, LEDGER_SINK_BAD_IP), 1);
    assert_int_equal(testing_count(&w, 7, LEDGER_SINK_NOT_IP), 1);
    assert_int_equal(testing_count(&w, 7, LEDGER_MET_IN), 0);
    assert_int_equal(w.s->ops->check(w.s, &err), 0);
    testing_end(&w);
    testing_done(&w);
}

/* The time of a point goes on to when its tap was heard, and not beyond. */
static void goes_on_as_far_as_is_known(void **state)
{
    (void)state;
    static struct testing w;
    begin(&w);
    come(&w, 7, 100 * S);
    come(&w, 8, 100 * S);
    meter_sink_heard(w.s, 7, from_now(15 * S));
    meter_sink_heard(w.s, 8, from_now(17 * S));
    meter_sink_heard(w.s, 6, from_now(17 * S)); /* there is none */
    meter_sink_tick(w.s, from_now(3600 * S));
    assert_int_equal(w.k->n, 1); /* a second for frames that are late */
    assert_int_equal(w.k->r[0].interface, 9);
    meter_sink_heard(w.s, 7, from_now(17 * S));
    meter_sink_tick(w.s, from_now(3601 * S));
    assert_int_equal(w.k->n, 2);
    testing_end(&w);
    testing_done(&w);
}

/* Nobody tells of one whose frames come without a tap: its time goes on as the clock's. */
static void goes_on_by_itself(void **state)
{
    (void)state;
    static struct testing w;
    begin(&w);
    come(&w, 7, 100 * S);
    meter_sink_tick(w.s, from_now(15 * S));
    assert_int_equal(w.k->n, 0);
    meter_sink_tick(w.s, from_now(17 * S));
    assert_int_equal(w.k->n, 1);
    testing_end(&w);
    testing_done(&w);
}

static void flows_wait_for_one_that_comes_back(void **state)
{
    (void)state;
    static struct testing w;
    begin(&w);
    come(&w, 7, 100 * S);
    meter_sink_heard(w.s, 7, from_now(10 * S));
    w.s->ops->point_remove(w.s, 7);
    come(&w, 7, 101 * S); /* not one of its own */
    meter_sink_tick(w.s, from_now(14 * S));
    assert_int_equal(w.k->n, 0);
    offer(&w, 7, 1, "eth0", false);
    come(&w, 7, 105 * S);
    testing_end(&w);
    assert_int_equal(w.k->n, 1);
    assert_int_equal(w.k->r[0].packets, 2);
    testing_done(&w);
}

/* In its place another tap's interface, one of another name, or one whose counts begin anew. */
static void another_has_other_flows(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 3; k++) {
        static struct testing w;
        begin(&w);
        come(&w, 7, 100 * S);
        w.s->ops->point_remove(w.s, 7);
        offer(&w, 7, k == 0 ? 3 : 1, k == 1 ? "eth1" : "eth0", k == 2);
        assert_int_equal(w.k->n, 1);
        assert_int_equal(w.k->r[0].end_reason, 4);
        come(&w, 7, 101 * S);
        testing_end(&w);
        assert_int_equal(w.k->n, 2);
        assert_string_equal(w.k->r[1].point, k == 1 ? "web1:eth1" : "web1:eth0");
        testing_done(&w);
    }
}

static void flows_of_one_that_stays_away_leave(void **state)
{
    (void)state;
    static struct testing w;
    begin(&w);
    come(&w, 7, 100 * S);
    w.s->ops->point_remove(w.s, 7);
    w.s->ops->point_remove(w.s, 8); /* had no frame */
    meter_sink_tick(w.s, from_now(20 * S));
    assert_int_equal(w.k->n, 1);
    assert_int_equal(w.k->r[0].end_reason, 1);
    offer(&w, 7, 1, "eth0", false);
    offer(&w, 8, 2, "eth0", false);
    come(&w, 8, 5 * S);
    testing_end(&w);
    assert_int_equal(w.k->n, 2);
    testing_done(&w);
}

/* A record of both directions that a tap has made, of web1's eth0: as one, or as two, under the
 * names that the point has here; and of one direction, as one in any case. */
static void records_come_from_elsewhere(void **state)
{
    (void)state;
    const struct flowrec made = {.first_ns = 3,
                                 .last_ns = 9,
                                 .packets = 5,
                                 .bytes = 500,
                                 .addr = {{10, 0, 0, 1}, {10, 0, 0, 2}},
                                 .port = {40000, 80},
                                 .version = 4,
                                 .proto = 6,
                                 .tos = 1,
                                 .tcp_flags = 2,
                                 .end_reason = 3,
                                 .biflow = FLOWREC_INITIATOR,
                                 .reverse = {4, 400, 4, 8, 7, 6},
                                 .mac = {{1}, {2}},
                                 .has_mac = true,
                                 .interface = 99};
    static struct testing w;
    testing_begin(&w,
                  (struct meter_sink_conf){.flows = 100, .biflow = true, .time = METER_BY_POINTS});
    offer(&w, 7, 1, "eth0", false);
    meter_sink_record(w.s, 7, &made);
    meter_sink_record(w.s, 6, &made); /* of no point, nor is there one of the next number */
    meter_sink_record(w.s, POINT_MAX, &made);
    assert_int_equal(w.both->n, 1);
    assert_int_equal(w.both->r[0].reverse.packets, 4);
    assert_int_equal(w.both->r[0].interface, 8);
    assert_string_equal(w.both->r[0].point, "web1:eth0");
    assert_int_equal(w.k->n, 2);
    const struct flowrec *there = &w.k->r[0], *back = &w.k->r[1];
    assert_int_equal(there->packets, 5);
    assert_int_equal(there->reverse.packets, 0);
    assert_int_equal(there->biflow, FLOWREC_ONE_WAY);
    assert_int_equal(back->packets, 4);
    assert_int_equal(back->bytes, 400);
    assert_true(back->first_ns == 4 && back->last_ns == 8);
    assert_true(back->tos == 7 && back->tcp_flags == 6 && back->end_reason == 3);
    assert_true(back->port[0] == 80 && back->port[1] == 40000);
    assert_true(back->addr[0][3] == 2 && back->addr[1][3] == 1);
    assert_true(back->mac[0][0] == 2 && back->mac[1][0] == 1);
    assert_string_equal(back->point, "web1:eth0");
    struct flowrec one = made;
    one.reverse = (struct flowrec_reverse){0};
    meter_sink_record(w.s, 7, &one);
    assert_int_equal(w.both->n, 2);
    assert_int_equal(w.k->n, 3);
    testing_end(&w);
    testing_done(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_its_time),
        cmocka_unit_test(records_come_from_elsewhere),
        cmocka_unit_test(counts_as_an_output),
        cmocka_unit_test(goes_on_as_far_as_is_known),
        cmocka_unit_test(goes_on_by_itself),
        cmocka_unit_test(flows_wait_for_one_that_comes_back),
        cmocka_unit_test(another_has_other_flows),
        cmocka_unit_test(flows_of_one_that_stays_away_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
