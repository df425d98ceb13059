/* SPDX-License-Identifier: Apache-2.0
 *
 * Tap flows in the session with the data role: how they are told, and how what is reported of them
 * and of their ports becomes their status, their counts and their end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/batch.h"
#include "control/agents_testing.h"

enum {
    SERVICE = 1, /* at mon0 */
    FLOW = 10,   /* from web0 */
};

/* A host with the ports web0, web1 and mon0, in a session. */
static void tell_ports(struct world *w)
{
    peer_port(w, "web0");
    peer_port(w, "web1");
    peer_port(w, "mon0");
    peer_round(w, 3);
    world_goes(w, 0);
}

static int set_up(void **state)
{
    static struct world w;
    world_make(&w);
    world_goes(&w, 1000);
    tell_ports(&w);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    world_done(*state);
    return 0;
}

/* ---- looking at the store ---- */

static void check_status(struct world *w, const struct kind *k, unsigned number, const char *status,
                         const char *reason)
{
    const bool is_flow = k == &kind_tap_flow;
    const unsigned why = is_flow ? TAP_FLOW_F_STATUS_REASON : TAP_SERVICE_F_STATUS_REASON;
    struct object o;
    assert_true(get_object(w, k, number, &o));
    assert_string_equal(o.v[is_flow ? TAP_FLOW_F_STATUS : TAP_SERVICE_F_STATUS].text, status);
    assert_string_equal(o.v[why].set ? o.v[why].text : "", reason);
    object_done(&o);
}

static void check_flow(struct world *w, unsigned number, const char *status, const char *reason)
{
    check_status(w, &kind_tap_flow, number, status, reason);
}

static void check_counts(struct world *w, int64_t frames, int64_t bytes, int64_t dropped)
{
    struct object o;
    assert_true(get_object(w, &kind_tap_flow, FLOW, &o));
    assert_int_equal(o.v[TAP_FLOW_F_MATCHED_FRAMES].n, frames);
    assert_int_equal(o.v[TAP_FLOW_F_MATCHED_BYTES].n, bytes);
    assert_int_equal(o.v[TAP_FLOW_F_DROPPED].n, dropped);
    object_done(&o);
}

static bool is_there(struct world *w, const struct kind *k, unsigned number)
{
    struct object o;
    if (!get_object(w, k, number, &o)) {
        return false;
    }
    object_done(&o);
    return true;
}

/* As the API deletes it. */
static void begin_to_delete(struct world *w, const struct kind *k, unsigned number)
{
    const bool is_flow = k == &kind_tap_flow;
    struct object o;
    assert_true(get_object(w, k, number, &o));
    object_set_int(&o, is_flow ? TAP_FLOW_F_LEAVES : TAP_SERVICE_F_LEAVES, w->wall_ns);
    assert_int_equal(
        object_set_text(&o, is_flow ? TAP_FLOW_F_STATUS : TAP_SERVICE_F_STATUS, "PENDING_DELETE"),
        0);
    change_capture(w, &o);
    object_done(&o);
}

static void set_flow_text(struct world *w, unsigned number, unsigned field, const char *text)
{
    struct object o;
    assert_true(get_object(w, &kind_tap_flow, number, &o));
    assert_int_equal(object_set_text(&o, field, text), 0);
    change_capture(w, &o);
    object_done(&o);
}

static void begin_flow(struct world *w)
{
    add_service(w, SERVICE, "mon0");
    add_flow(w, FLOW, "web0", SERVICE);
    world_goes(w, 0);
}

static void begin_active_flow(struct world *w)
{
    begin_flow(w);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
}

/* ---- telling ---- */

static void a_set_is_told_whole_and_then_changes_only(void **state)
{
    struct world *w = *state;
    struct peer *p = &w->peer;
    assert_int_equal(p->sets, 1); /* of none */
    begin_flow(w);
    assert_int_equal(p->taps, 1);
    assert_int_equal(p->sets, 2);
    const struct tap_want *f = peer_flow(w, FLOW);
    assert_non_null(f);
    assert_string_equal(f->source, "web0");
    assert_string_equal(f->destination, "mon0");
    assert_true(f->dir == 0 && !f->super && !f->has_vlans && f->filter[0] == '\0');
    add_flow(w, FLOW + 1, "web1", SERVICE);
    world_goes(w, 3000);
    assert_int_equal(p->taps, 2);
    assert_int_equal(p->sets, 3);
    assert_memory_equal(peer_flow(w, FLOW)->service, peer_flow(w, FLOW + 1)->service, WANTED_ID);
    begin_to_delete(w, &kind_tap_flow, FLOW);
    world_goes(w, 3000);
    assert_int_equal(p->taps, 2);
    assert_int_equal(p->untaps, 1);
    assert_int_equal(p->sets, 4);
    assert_int_equal(p->n_flows, 1);
    peer_kill(w);
    peer_start(w); /* all counts are 0 */
    world_goes(w, 1000);
    assert_int_equal(p->taps, 1);
    assert_int_equal(p->untaps, 0);
    assert_int_equal(p->sets, 1);
    assert_non_null(peer_flow(w, FLOW + 1));
}

static void a_flow_is_told_as_it_is_wanted(void **state)
{
    struct world *w = *state;
    struct object o;
    begin_flow(w);
    set_flow_text(w, FLOW, TAP_FLOW_F_VLANS, "0,100-101,4095");
    set_flow_text(w, FLOW, TAP_FLOW_F_FILTER, "not port 22");
    set_flow_text(w, FLOW, TAP_FLOW_F_DIRECTION, "in");
    assert_true(get_object(w, &kind_tap_service, SERVICE, &o));
    assert_int_equal(object_set_text(&o, TAP_SERVICE_F_FRAMES, "super"), 0);
    change_capture(w, &o);
    object_done(&o);
    world_goes(w, 0);
    const struct tap_want *f = peer_flow(w, FLOW);
    assert_non_null(f);
    assert_int_equal(w->peer.taps, 2);
    assert_string_equal(f->filter, "not port 22");
    assert_true(f->has_vlans && f->super);
    assert_true(vlan_set_has(&f->vlans, 0) && vlan_set_has(&f->vlans, 100) &&
                vlan_set_has(&f->vlans, 101) && vlan_set_has(&f->vlans, 4095));
    assert_false(vlan_set_has(&f->vlans, 102) || vlan_set_has(&f->vlans, 1));
    assert_int_equal(f->dir, FRAME_DIR_IN); /* IN of a port that faces itself */
}

static void a_port_that_turns_around_turns_its_flows(void **state)
{
    struct world *w = *state;
    begin_flow(w);
    set_flow_text(w, FLOW, TAP_FLOW_F_DIRECTION, "out");
    world_goes(w, 0);
    assert_int_equal(peer_flow(w, FLOW)->dir, FRAME_DIR_OUT);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
    world_goes(w, 0);
    peer_port_is(w, "web0", true, true); /* it is a machine's now: what that sends comes in here */
    peer_port(w, "web1");
    peer_port(w, "mon0");
    peer_round(w, 3);
    world_goes(w, 0);
    assert_int_equal(w->peer.taps, 3);
    assert_int_equal(peer_flow(w, FLOW)->dir, FRAME_DIR_IN);
    check_flow(w, FLOW, "DOWN", "it is being set up"); /* what was told was of the other way */
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
}

/* The host sees the port come back, and counts on. */
static void a_flow_whose_port_is_away_stays_wanted(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    for (unsigned i = 0; i < 3; i++) {
        peer_port(w, "web1");
        peer_port(w, "mon0");
        peer_round(w, 2);
        world_goes(w, 0);
        assert_non_null(peer_flow(w, FLOW));
        check_flow(w, FLOW, "DOWN", "the port web0 is not there");
        peer_flow_is(w, FLOW, TAP_IS_AWAY, "the interface web0 is not there", 0);
        tell_ports(w);
        check_flow(w, FLOW, "DOWN", "the interface web0 is not there");
        peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
        world_goes(w, 0);
        check_flow(w, FLOW, "ACTIVE", "");
        assert_int_equal(w->peer.untaps, 0);
        assert_int_equal(w->peer.taps, 1);
    }
}

static void a_full_socket_is_waited_for(void **state)
{
    struct world *w = *state;
    char filter[WANTED_FILTER];
    memset(filter, 'x', sizeof(filter) - 1);
    filter[sizeof(filter) - 1] = '\0';
    add_service(w, SERVICE, "mon0");
    for (unsigned i = 0; i < 200; i++) {
        add_flow(w, FLOW + i, "web0", SERVICE);
        set_flow_text(w, FLOW + i, TAP_FLOW_F_FILTER, filter);
    }
    for (unsigned i = 0; i < 5; i++) {
        agents_work(w->agents, w->now, (struct wall){w->wall_ns});
    }
    assert_true(agents_wants_to_write(w->agents));
    assert_int_equal(w->peer.taps, 0);
    for (unsigned i = 0; i < 20; i++) { /* some of those that are told, and of those that are not */
        begin_to_delete(w, &kind_tap_flow, FLOW + i * 10);
    }
    for (unsigned i = 0; i < 1000 && w->peer.sets < 2; i++) {
        agents_work(w->agents, w->now, (struct wall){w->wall_ns});
        peer_read(w);
    }
    assert_int_equal(w->peer.sets, 2);
    assert_int_equal(w->peer.n_flows, 180);
    assert_int_equal(w->peer.taps - w->peer.untaps, 180); /* each of them once */
    assert_true(w->peer.untaps > 0 && w->peer.untaps < 20);
    assert_string_equal(peer_flow(w, FLOW + 199)->filter, filter);
    assert_false(agents_wants_to_write(w->agents));
}

/* ---- the status ---- */

static void a_flow_is_as_it_is_reported(void **state)
{
    struct world *w = *state;
    char words[320];
    struct object o;
    begin_flow(w);
    check_flow(w, FLOW, "DOWN", "it is being set up");
    check_status(w, &kind_tap_service, SERVICE, "ACTIVE", "");
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
    assert_true(get_object(w, &kind_tap_flow, FLOW, &o));
    assert_string_equal(o.v[TAP_FLOW_F_DATAPATH].text, "kernel");
    object_done(&o);
    peer_flow_is(w, FLOW, TAP_IS_FAILED, "the kernel refuses it", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ERROR", "the kernel refuses it");
    assert_true(get_object(w, &kind_tap_flow, FLOW, &o));
    assert_false(o.v[TAP_FLOW_F_DATAPATH].set);
    object_done(&o);
    peer_flow_is(w, FLOW, TAP_IS_AWAY, "mon0 has no carrier", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "DOWN", "mon0 has no carrier");
    peer_flow_is(w, FLOW, TAP_IS_FAILED, "", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ERROR", "no reason was told");
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
    const unsigned n = count_events(w, "tap_flow.status", words);
    assert_string_equal(words, "ACTIVE");
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 7); /* counts are no event */
    world_goes(w, 2000);
    assert_int_equal(count_events(w, "tap_flow.status", words), n);
}

static void a_port_that_goes_takes_its_flows_down(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    peer_port(w, "web0");
    peer_port(w, "web1");
    peer_round(w, 2);
    world_goes(w, 0);
    check_flow(w, FLOW, "DOWN", "the port mon0 is not there");
    check_status(w, &kind_tap_service, SERVICE, "DOWN", "the port mon0 is not there");
    peer_port(w, "web0");
    peer_port(w, "web1");
    peer_port_is(w, "mon0", false, false);
    peer_round(w, 3);
    world_goes(w, 0);
    check_flow(w, FLOW, "DOWN", "the port mon0 is down");
    check_status(w, &kind_tap_service, SERVICE, "DOWN", "the port mon0 is down");
    peer_flow_is(w, FLOW, TAP_IS_AWAY, "the interface mon0 is down", 0);
    tell_ports(w);
    check_flow(w, FLOW, "DOWN", "the interface mon0 is down");
    check_status(w, &kind_tap_service, SERVICE, "ACTIVE", "");
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
}

static void a_port_of_another_project_is_not_there(void **state)
{
    struct world *w = *state;
    char id[KIND_ID];
    struct object o;
    begin_active_flow(w);
    port_id("web0", id);
    assert_int_equal(w->store->ops->get(w->store, &kind_port, id, &o, NULL), 0);
    assert_int_equal(object_set_text(&o, FIELD_OF_PROJECT, "red"), 0);
    change_capture(w, &o);
    world_goes(w, 0);
    check_flow(w, FLOW, "DOWN", "the port web0 is not there");
    assert_null(peer_flow(w, FLOW));
    assert_int_equal(object_set_text(&o, FIELD_OF_PROJECT, "local"), 0);
    change_capture(w, &o);
    object_done(&o);
    world_goes(w, 0);
    assert_non_null(peer_flow(w, FLOW));
}

static void a_flow_of_a_lost_peer_is_down(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    peer_kill(w);
    world_goes(w, 0);
    check_flow(w, FLOW, "DOWN", "it is being set up");
    peer_start(w);
    world_goes(w, 2000);
    check_flow(w, FLOW, "DOWN", "it is being set up");
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 0);
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
}

static void flows_survive_another_control(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 50);
    world_goes(w, 0);
    add_flow(w, FLOW + 1, "web1", SERVICE);
    begin_to_delete(w, &kind_tap_flow, FLOW + 1); /* by a control that dies at once */
    w->wall_ns += SEC;
    world_restart(w);
    world_goes(w, 1000);
    assert_int_equal(w->peer.n_flows, 1);
    assert_non_null(peer_flow(w, FLOW));
    assert_false(is_there(w, &kind_tap_flow, FLOW + 1));
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 60); /* the same life */
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
    check_counts(w, 60, 6000, 6);
}

/* ---- counts ---- */

static void counts_of_lives_add_up(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 100);
    world_goes(w, 0);
    check_counts(w, 100, 10000, 10);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 30); /* they do not fall within a life */
    world_goes(w, 0);
    check_counts(w, 100, 10000, 10);
    peer_kill(w);
    peer_start(w);
    world_goes(w, 2000);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 20);
    world_goes(w, 0);
    check_counts(w, 120, 12000, 12);
    peer_flow_is(w, FLOW, TAP_IS_AWAY, "web0 is down", 50);
    world_goes(w, 0);
    check_counts(w, 150, 15000, 15);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", UINT64_MAX / 100); /* more than the store can say */
    world_goes(w, 0);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", UINT64_MAX / 100);
    world_goes(w, 0);
    check_counts(w, UINT64_MAX / 100 + 100, INT64_MAX, UINT64_MAX / 1000 + 10);
}

static void reports_of_what_was_not_told_mean_nothing(void **state)
{
    struct world *w = *state;
    char words[320];
    begin_active_flow(w);
    peer_flow_is(w, 77, TAP_IS_FLOWING, "", 5);
    peer_flow_is(w, SERVICE, TAP_IS_FAILED, "no", 5);
    world_goes(w, 0);
    begin_to_delete(w, &kind_tap_flow, FLOW);
    w->peer.deaf = true;
    world_goes(w, 0);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 5);
    world_goes(w, 0);
    check_flow(w, FLOW, "PENDING_DELETE", "");
    check_counts(w, 0, 0, 0);
    assert_int_equal(count_events(w, "agent.lost", words), 0);
}

static void reports_of_another_version_mean_nothing(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    set_flow_text(w, FLOW, TAP_FLOW_F_FILTER, "udp");
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 5); /* of the one without a filter */
    world_goes(w, 0);
    check_flow(w, FLOW, "DOWN", "it is being set up");
    check_counts(w, 0, 0, 0);
    peer_flow_is(w, FLOW, TAP_IS_FLOWING, "", 6);
    world_goes(w, 0);
    check_flow(w, FLOW, "ACTIVE", "");
}

/* ---- the end ---- */

static void a_flow_stays_until_it_is_let_go_of(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    w->peer.forgetful = true;
    begin_to_delete(w, &kind_tap_flow, FLOW);
    begin_to_delete(w, &kind_tap_service, SERVICE);
    world_goes(w, 1000);
    assert_int_equal(w->peer.n_flows, 0);
    check_flow(w, FLOW, "PENDING_DELETE", "");
    const uint64_t now = w->peer.flows_generation;
    peer_says(w, &(struct rolemsg){.type = ROLEMSG_TAPPED, .generation = now - 1});
    peer_says(w, &(struct rolemsg){.type = ROLEMSG_TAPPED, .generation = now + 1});
    peer_says(w, &(struct rolemsg){.type = ROLEMSG_TAPPED});
    world_goes(w, 1000);
    assert_true(is_there(w, &kind_tap_flow, FLOW));
    peer_says(w, &(struct rolemsg){.type = ROLEMSG_TAPPED, .generation = now});
    world_goes(w, 0);
    assert_false(is_there(w, &kind_tap_flow, FLOW));
    assert_false(is_there(w, &kind_tap_service, SERVICE));
}

/* So many ms later it is gone, and not before. */
static void check_gone_in(struct world *w, int64_t ms)
{
    const int64_t from = w->wall_ns;
    while (is_there(w, &kind_tap_flow, FLOW) && w->wall_ns < from + 10 * SEC) {
        world_goes(w, 0);
    }
    assert_in_range((w->wall_ns - from) / NSEC_PER_MSEC, ms - 200, ms + 200);
    assert_false(is_there(w, &kind_tap_service, SERVICE));
}

static void a_flow_of_which_nobody_lets_go_goes_in_five_seconds(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    w->peer.deaf = true;
    begin_to_delete(w, &kind_tap_flow, FLOW);
    begin_to_delete(w, &kind_tap_service, SERVICE);
    check_gone_in(w, 5000);
}

static void a_flow_goes_without_a_peer_as_well(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    peer_kill(w);
    begin_to_delete(w, &kind_tap_flow, FLOW);
    begin_to_delete(w, &kind_tap_service, SERVICE);
    check_gone_in(w, 5000);
    peer_start(w);
    world_goes(w, 2000);
    assert_int_equal(w->peer.n_flows, 0); /* and the peer that comes is not told of it */
}

static void agents_wake_for_what_leaves(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    w->peer.deaf = true;
    begin_to_delete(w, &kind_tap_flow, FLOW);
    const int64_t from = w->now.ns;
    world_goes(w, 300);
    agents_changed(w->agents); /* out of step with the look that is made each second */
    for (unsigned i = 0; i < 100; i++) {
        agents_work(w->agents, w->now, (struct wall){w->wall_ns});
        peer_read(w);
        if (!is_there(w, &kind_tap_flow, FLOW)) {
            break;
        }
        const struct mono due = agents_due(w->agents);
        const int64_t ns = due.ns > w->now.ns ? due.ns - w->now.ns : 0;
        w->now.ns += ns;
        w->wall_ns += ns;
    }
    assert_false(is_there(w, &kind_tap_flow, FLOW));
    assert_int_equal((w->now.ns - from) / NSEC_PER_MSEC, 5000);
}

static void a_service_goes_behind_its_last_flow(void **state)
{
    struct world *w = *state;
    begin_active_flow(w);
    add_flow(w, FLOW + 1, "web1", SERVICE);
    world_goes(w, 0);
    begin_to_delete(w, &kind_tap_service, SERVICE);
    begin_to_delete(w, &kind_tap_flow, FLOW);
    world_goes(w, 6000);
    assert_false(is_there(w, &kind_tap_flow, FLOW));
    check_status(w, &kind_tap_service, SERVICE, "PENDING_DELETE", "");
    begin_to_delete(w, &kind_tap_flow, FLOW + 1);
    world_goes(w, 0);
    assert_false(is_there(w, &kind_tap_service, SERVICE));
}

/* ---- hostile peers ---- */

static void what_only_control_says_ends_the_session(void **state)
{
    struct world *w = *state;
    static const enum rolemsg_type types[] = {ROLEMSG_TAP, ROLEMSG_UNTAP, ROLEMSG_TAPS};
    char words[320];
    begin_active_flow(w);
    for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
        struct rolemsg m = {.type = types[i], .tap = *peer_flow(w, FLOW)};
        peer_says(w, &m);
        world_goes(w, 2000);
        assert_int_equal(count_events(w, "agent.lost", words), i + 1);
        assert_non_null(strstr(words, "what only control sends"));
        assert_non_null(peer_flow(w, FLOW));
    }
}

static void a_flood_of_reports_ends_the_session(void **state)
{
    struct world *w = *state;
    char words[320];
    begin_active_flow(w);
    for (unsigned i = 0; i < 5000 && count_events(w, "agent.lost", words) == 0; i++) {
        peer_flow_is(w, FLOW, i % 2 ? TAP_IS_FAILED : TAP_IS_FLOWING, i % 2 ? "no" : "", i);
        if (i % 50 == 49) {
            agents_work(w->agents, w->now, (struct wall){w->wall_ns});
        }
    }
    assert_int_equal(count_events(w, "agent.lost", words), 1);
    assert_non_null(strstr(words, "more than 4096 messages in a second"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        T(a_set_is_told_whole_and_then_changes_only),
        T(a_flow_is_told_as_it_is_wanted),
        T(a_port_that_turns_around_turns_its_flows),
        T(a_flow_whose_port_is_away_stays_wanted),
        T(a_full_socket_is_waited_for),
        T(a_flow_is_as_it_is_reported),
        T(a_port_that_goes_takes_its_flows_down),
        T(a_port_of_another_project_is_not_there),
        T(a_flow_of_a_lost_peer_is_down),
        T(flows_survive_another_control),
        T(counts_of_lives_add_up),
        T(reports_of_what_was_not_told_mean_nothing),
        T(reports_of_another_version_mean_nothing),
        T(a_flow_stays_until_it_is_let_go_of),
        T(a_flow_of_which_nobody_lets_go_goes_in_five_seconds),
        T(a_flow_goes_without_a_peer_as_well),
        T(agents_wake_for_what_leaves),
        T(a_service_goes_behind_its_last_flow),
        T(what_only_control_says_ends_the_session),
        T(a_flood_of_reports_ends_the_session),
#undef T
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
