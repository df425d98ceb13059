/* SPDX-License-Identifier: Apache-2.0
 *
 * Observation points between a real tap and a real collector: outputs that have no room for them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data/link_world.h"

static const struct ledger *ledger0(const struct world *w)
{
    const struct tap *t = w->server->n_taps > 0 ? w->server->tap[0] : NULL;
    return t && t->n_ports > 0 ? receiver_port_output(t->port[0], w->writer[0]) : NULL;
}

static bool refused(struct world *w)
{
    const struct ledger *l = ledger0(w);
    return l && ledger_get(l, LEDGER_SINK_REFUSED) == w->n;
}

static bool has_room(struct world *w)
{
    return w->out->ops->check(w->out, NULL) == 0;
}

static bool out(struct world *w)
{
    return ledger_get(ledger0(w), LEDGER_SINK_OUT) == w->n;
}

static bool nobody_there(struct world *w)
{
    return w->server->n_sessions == 0;
}

/* An output has no room for the point: each frame is counted there, it is shown, and the point is
 * added when there is room. The session ends with the point refused once more. */
static void a_refused_point_is_counted(void **state)
{
    (void)state;
    struct world *w = world_new(LINK_CPACE);
    world_start_collector(w);
    fake_sink_room(w->out, 0);
    world_start_tap(w, 0, "web1");
    world_must(w, up0, 5000);
    world_frames(&w->tap[0], 300);
    w->n = 300;
    world_must(w, refused, 5000);
    assert_int_equal(w->out->ops->check(w->out, NULL), 1);
    fake_sink_room(w->out, 1);
    world_must(w, has_room, 5000);
    world_frames(&w->tap[0], 200);
    w->n = 200;
    world_must(w, out, 5000);
    world_kill_tap(w, 0);
    world_start_tap(w, 0, "web1"); /* a new session of it, for which there is no room */
    fake_sink_room(w->out, 0);
    world_must(w, up0, 10000);
    world_frames(&w->tap[0], 10);
    w->n = 310;
    world_must(w, refused, 5000);
    client_stop(w->tap[0].client);
    world_must(w, stopped0, 3000);
    world_must(w, nobody_there, 3000);
    assert_true(has_room(w)); /* nothing is refused any more */
    const struct ledger *rx = &w->server->tap[0]->port[0]->ledger;
    assert_int_equal(ledger_get(rx, LEDGER_RX_OUT), 510);
    assert_int_equal(ledger_get(ledger0(w), LEDGER_SINK_IN), 510);
    assert_int_equal(ledger_sum(ledger0(w), LEDGER_SINK).in_flight, 0);
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_point_is_counted),
    };
    return cmocka_run_group_tests_name("data/link_points", tests, NULL, NULL);
}
