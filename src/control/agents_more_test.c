/* SPDX-License-Identifier: Apache-2.0
 *
 * More of the session with the data role: ports, snapshots, a socket that is full, and the loop.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "control/agents_testing.h"
#include "sys/loop.h"

static int set_up(void **state)
{
    static struct world w;
    world_make(&w);
    *state = &w;
    return 0;
}

static int tear_down(void **state)
{
    world_done(*state);
    return 0;
}

/* ---- ports ---- */

static struct object get_port(struct world *w, const char *name)
{
    char id[KIND_ID];
    struct object o;
    port_id(name, id);
    assert_int_equal(w->store->ops->get(w->store, &kind_port, id, &o, NULL), 0);
    assert_string_equal(o.v[PORT_F_NAME].text, name);
    return o;
}

static void check_port(struct world *w, const char *name, bool is_there)
{
    struct object o = get_port(w, name);
    assert_int_equal(o.v[PORT_F_THERE].n, is_there);
    object_done(&o);
}

static void ports_come_and_go_and_are_the_same(void **state)
{
    struct world *w = *state;
    char words[320];
    world_goes(w, 1000);
    peer_port(w, "eth0");
    peer_port(w, "a\\x22b");
    world_goes(w, 0);
    uint64_t n = 1;
    assert_int_equal(w->store->ops->count(w->store, &kind_port, &(struct store_query){0}, &n, NULL),
                     0);
    assert_int_equal(n, 0); /* the round is not over */
    peer_round(w, 2);
    world_goes(w, 0);
    check_port(w, "a\\x22b", true);
    struct object o = get_port(w, "eth0");
    assert_int_equal(o.v[PORT_F_MTU].n, 1500);
    assert_int_equal(o.v[PORT_F_IFINDEX].n, 3);
    assert_true(o.v[PORT_F_UP].n == 1 && o.v[PORT_F_CARRIER].n == 0);
    assert_false(o.v[PORT_F_SPEED].set);
    assert_string_equal(o.v[PORT_F_MAC].text, "02:00:00:00:00:09");
    assert_int_equal(o.v[FIELD_OF_GENERATION].n, 1);
    assert_int_equal(object_set_text(&o, PORT_F_ALIAS, "uplink"), 0);
    change_capture(w, &o);
    object_done(&o);
    for (unsigned i = 0; i < 2; i++) { /* nothing new, and eth0 is gone */
        peer_port(w, "a\\x22b");
        peer_round(w, 1);
        world_goes(w, 0);
    }
    check_port(w, "a\\x22b", true);
    o = get_port(w, "eth0");
    assert_true(o.v[PORT_F_THERE].n == 0 && o.v[PORT_F_UP].n == 0);
    assert_int_equal(o.v[FIELD_OF_GENERATION].n, 2);
    object_done(&o);
    assert_int_equal(count_events(w, "port.gone", words), 1);
    peer_port(w, "eth0");
    peer_port(w, "a\\x22b");
    peer_round(w, 2);
    world_goes(w, 0);
    o = get_port(w, "eth0");
    assert_int_equal(o.v[PORT_F_THERE].n, 1);
    assert_string_equal(o.v[PORT_F_ALIAS].text, "uplink");
    object_done(&o);
    assert_int_equal(count_events(w, "port.there", words), 3);
    peer_round(w, 0); /* a host without any */
    world_goes(w, 0);
    check_port(w, "eth0", false);
}

static void a_round_that_lacks_some_is_none(void **state)
{
    struct world *w = *state;
    world_goes(w, 1000);
    peer_port(w, "eth0");
    peer_round(w, 1);
    world_goes(w, 0);
    peer_port(w, "eth1");
    peer_round(w, 2); /* one was lost */
    world_goes(w, 0);
    check_port(w, "eth0", true);
    peer_port(w, "eth1");
    w->peer.round++; /* the end of another round */
    peer_round(w, 1);
    world_goes(w, 0);
    check_port(w, "eth0", true);
    peer_port(w, "eth1");
    peer_kill(w); /* half a round */
    world_goes(w, 1000);
    peer_start(w);
    world_goes(w, 1000);
    peer_port(w, "eth2");
    peer_round(w, 1);
    world_goes(w, 0);
    check_port(w, "eth0", false);
    check_port(w, "eth2", true);
}

/* As a store of an earlier version has them. */
static void ports_of_no_project_are_the_operators(void **state)
{
    struct world *w = *state;
    world_goes(w, 1000);
    for (unsigned i = 0; i < 2; i++) {
        peer_port(w, "eth0");
        peer_round(w, 1);
        world_goes(w, 0);
        struct object o = get_port(w, "eth0");
        assert_string_equal(o.v[FIELD_OF_PROJECT].text, "local");
        assert_int_equal(object_set_text(&o, FIELD_OF_PROJECT, ""), 0);
        change_capture(w, &o);
        object_done(&o);
    }
}

static void ports_of_other_agents_stay(void **state)
{
    struct world *w = *state;
    struct object o;
    object_init(&o, &kind_port);
    assert_int_equal(object_set_text(&o, FIELD_OF_ID, "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a55"), 0);
    assert_int_equal(object_set_text(&o, PORT_F_AGENT, "web1"), 0);
    assert_int_equal(object_set_text(&o, PORT_F_NAME, "eth0"), 0);
    object_set_int(&o, PORT_F_THERE, true);
    change_capture(w, &o);
    object_done(&o);
    world_goes(w, 1000);
    peer_port(w, "eth1");
    peer_round(w, 1);
    world_goes(w, 0);
    assert_int_equal(
        w->store->ops->get(w->store, &kind_port, "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a55", &o, NULL),
        0);
    assert_int_equal(o.v[PORT_F_THERE].n, 1);
    object_done(&o);
}

static void too_many_ports_end_the_session(void **state)
{
    struct world *w = *state;
    char name[32], words[320];
    world_goes(w, 1000);
    for (unsigned i = 0; i < 1025; i++) {
        (void)snprintf(name, sizeof(name), "p%u", i);
        peer_port(w, name);
        if (i % 50 == 0) {
            agents_work(w->agents, w->now, (struct wall){w->wall_ns});
        }
    }
    world_goes(w, 0);
    assert_int_equal(count_events(w, "agent.lost", words), 1);
    assert_non_null(strstr(words, "more than 1024 ports"));
}

/* ---- snapshots ---- */

static void snapshots_are_waited_for(void **state)
{
    struct world *w = *state;
    struct rolemsg m = {.type = ROLEMSG_SNAPPED, .id = {1, 2, 3}};
    struct error err = {""};
    int waiter[2];
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[0], w->now, &err), -EPIPE);
    world_goes(w, 1000);
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[0], w->now, &err), -EAGAIN);
    world_goes(w, 0);
    assert_int_equal(w->peer.snapshots, 1);
    assert_null(w->woken);
    peer_port(w, "eth0"); /* a change of the same call */
    peer_round(w, 1);
    peer_says(w, &m);
    peer_says(w, &m);
    world_goes(w, 0);
    assert_ptr_equal(w->woken, &waiter[0]);
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[0], w->now, &err), 0);

    m.code = ENOSPC;
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[1], w->now, &err), -EAGAIN);
    world_goes(w, 0);
    peer_says(w, &m);
    world_goes(w, 0);
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[1], w->now, &err), -ENOSPC);
    assert_non_null(strstr(err.text, "No space left"));

    w->woken = NULL;
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[0], w->now, &err), -EAGAIN);
    world_goes(w, 11000);
    assert_ptr_equal(w->woken, &waiter[0]);
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[0], w->now, &err), -ETIMEDOUT);

    w->woken = NULL;
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[1], w->now, &err), -EAGAIN);
    peer_kill(w);
    world_goes(w, 0);
    assert_ptr_equal(w->woken, &waiter[1]);
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[1], w->now, &err), -EPIPE);
}

static void snapshots_are_bounded_and_forgotten(void **state)
{
    struct world *w = *state;
    struct rolemsg m = {.type = ROLEMSG_SNAPPED, .id = {1}, .code = UINT32_MAX};
    struct error err = {""};
    int waiter[17];
    world_goes(w, 1000);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[i], w->now, &err), -EAGAIN);
    }
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[16], w->now, &err), -EBUSY);
    peer_says(w, &m);
    world_goes(w, 0);
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[3], w->now, &err), -EPROTO);
    world_goes(w, 11000); /* the others have gone, and nobody asks for theirs */
    assert_int_equal(agents_snapshot(w->agents, m.id, &waiter[5], w->now, &err), -EAGAIN);
}

/* ---- a peer that does not read ---- */

static void a_full_socket_is_waited_for(void **state)
{
    struct world *w = *state;
    char filter[WANTED_FILTER];
    memset(filter, 'x', sizeof(filter) - 1);
    filter[sizeof(filter) - 1] = '\0';
    world_goes(w, 1000);
    for (unsigned i = 0; i < 200; i++) {
        add_capture(w, i, 0, 100);
        struct object o = get_capture(w, i);
        assert_int_equal(object_set_text(&o, CAPTURE_F_FILTER, filter), 0);
        change_capture(w, &o);
        object_done(&o);
    }
    for (unsigned i = 0; i < 5; i++) {
        agents_work(w->agents, w->now, (struct wall){w->wall_ns});
    }
    assert_true(agents_wants_to_write(w->agents));
    for (unsigned i = 0; i < 1000 && w->peer.n_has != 200; i++) {
        peer_read(w);
        agents_work(w->agents, w->now, (struct wall){w->wall_ns});
    }
    assert_int_equal(w->peer.n_has, 200);
    assert_string_equal(w->peer.has[199].filter, filter);
    world_goes(w, 0);
    assert_true(agents_are_settled(w->agents));
    assert_false(agents_wants_to_write(w->agents));
    w->peer.wants = 0;
    world_goes(w, 20000);
    assert_int_equal(w->peer.wants, 0);
}

/* ---- the loop ---- */

struct looping {
    struct world *w;
    unsigned turns, deaths;
};

/* The peer's turn, ten times a second; the test ends once all is told twice over. */
static void turn(struct loop *l, struct mono now _unused_, void *user)
{
    struct looping *t = user;
    peer_read(t->w);
    if (agents_are_settled(t->w->agents) && t->w->peer.n_has == 1) {
        if (t->deaths++ > 0) {
            loop_stop(l, 0);
            return;
        }
        peer_kill(t->w);
        peer_start(t->w);
    }
    if (++t->turns > 2000) {
        loop_stop(l, 1);
    }
}

static void the_loop_does_it(void **state)
{
    struct world *w = *state;
    struct looping t = {.w = w};
    struct loop *l = NULL;
    w->now = mono_now();
    w->wall_ns = wall_now().ns;
    world_restart(w);
    add_capture(w, 1, 0, 100);
    struct object o = get_capture(w, 1);
    object_set_int(&o, CAPTURE_F_START, w->wall_ns);
    object_set_int(&o, CAPTURE_F_STOP, w->wall_ns + 100 * SEC);
    change_capture(w, &o);
    object_done(&o);
    assert_int_equal(loop_new(&l), 0);
    assert_int_equal(agents_attach(w->agents, l), 0);
    agents_changed(w->agents); /* a request that comes before the first turn */
    agents_poke(w->agents);
    assert_int_equal(loop_add_timer(l, mono_now(), 10 * NSEC_PER_MSEC, turn, &t, NULL), 0);
    assert_int_equal(loop_run(l), 0);
    assert_int_equal(t.deaths, 2);
    agents_free(w->agents);
    w->agents = NULL;
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ports_come_and_go_and_are_the_same, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_round_that_lacks_some_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ports_of_no_project_are_the_operators, set_up, tear_down),
        cmocka_unit_test_setup_teardown(ports_of_other_agents_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(too_many_ports_end_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshots_are_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(snapshots_are_bounded_and_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_socket_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_loop_does_it, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
