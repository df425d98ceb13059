/* SPDX-License-Identifier: Apache-2.0
 *
 * Observation points that come and go before a queue: those that the output has no room for, those
 * whose last frames still wait, and many names one after the other.
 */
#include "data/sink/queue_test_util.h"

#include <stdio.h>

static bool is_refused(const struct world *w, uint64_t n)
{
    return count(w, 9, LEDGER_SINK_REFUSED) == n;
}

static bool has_room(const struct world *w, uint64_t n)
{
    (void)n;
    return w->queue->ops->check(w->queue, NULL) == 0;
}

/* Points that the inner sink does not take: their frames are counted, it is shown, and they are
 * given to it when there is room. */
static void refused_points_are_counted_and_come_back(void **state)
{
    (void)state;
    struct world w;
    struct error err = {""};
    begin(&w, 1, (struct queue_sink_conf){0});
    fake_sink_room(w.fake, 0);
    add_to(w.queue, 9, "x", 0);
    write_to(w.queue, 9, 0, 100, 60);
    until(is_refused, &w, 100);
    assert_int_equal(w.queue->ops->check(w.queue, &err), 1);
    assert_string_equal(err.text,
                        "gate: no room for 1 interface of taps, whose frames are dropped there");
    fake_sink_room(w.fake, 1);
    until(has_room, &w, 0);
    write_to(w.queue, 9, 100, 50, 60);
    until(has_passed, &w, 50);
    /* one that goes while it is refused, and comes back */
    add_to(w.queue, 8, "y", 0);
    write_to(w.queue, 8, 0, 10, 60);
    w.queue->ops->port_remove(w.queue, 8);
    add_to(w.queue, 8, "y", 0);
    write_to(w.queue, 8, 10, 10, 60);
    w.queue->ops->port_remove(w.queue, 9);
    finish(&w);
    assert_balanced(&w, 9, 150);
    assert_int_equal(count(&w, 9, LEDGER_SINK_REFUSED), 100);
    assert_int_equal(count(&w, 9, LEDGER_SINK_OUT), 50);
    assert_balanced(&w, 8, 20);
    assert_int_equal(count(&w, 8, LEDGER_SINK_REFUSED), 20);
    sink_free(w.queue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refused_points_are_counted_and_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
