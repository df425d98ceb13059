/* SPDX-License-Identifier: Apache-2.0
 *
 * The session with the data role, played in simulated time: it dies and comes back in each state of
 * a capture, messages are lost and doubled, it is hostile, and the store fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control/agents_testing.h"

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

/* ---- captures ---- */

static void a_capture_from_its_start_to_its_end(void **state)
{
    struct world *w = *state;
    char words[320];
    add_capture(w, 1, 30, 60);
    world_goes(w, 19000);
    assert_true(w->peer.greeted);
    assert_int_equal(peer_has(w, 1), -1);
    world_goes(w, 2000); /* ten seconds ahead */
    assert_int_equal(peer_has(w, 1), 0);
    assert_true(agents_are_settled(w->agents));
    assert_string_equal(w->peer.has[0].point[0], "eth0");
    assert_int_equal(w->peer.has[0].start_ns, (WALL + 30) * SEC);
    peer_report(w, 1, WANTED_WAITS, WANTED_NO_REASON, 0, 0, 0);
    world_goes(w, 9000);
    check_state(w, 1, "scheduled");
    peer_report(w, 1, WANTED_RUNS, WANTED_NO_REASON, 30, 31, 5);
    peer_report(w, 1, WANTED_RUNS, WANTED_NO_REASON, 30, 31, 5);
    world_goes(w, 0);
    check_state(w, 1, "running");
    assert_int_equal(w->published, 500);
    assert_int_equal(count_events(w, "capture.started", words), 1);
    peer_report(w, 1, WANTED_FINISHES, WANTED_STOP_TIME, 30, 60, 7);
    world_goes(w, 0);
    check_state(w, 1, "finishing");
    peer_report(w, 1, WANTED_DONE, WANTED_STOP_TIME, 30, 60, 8);
    world_goes(w, 0);
    check_state(w, 1, "done");
    assert_true(w->ended && w->published == 800);
    assert_int_equal(peer_has(w, 1), -1); /* it has left the set */
    assert_int_equal(count_events(w, "capture.ended", words), 1);
    assert_string_equal(words, "done: its stop has come");
    peer_report(w, 1, WANTED_DONE, WANTED_STOP_TIME, 30, 60, 99);
    w->peer.wants = 0;
    world_goes(w, 30000);
    assert_int_equal(w->peer.wants, 0); /* and then nothing more is told */
    struct object o = get_capture(w, 1);
    assert_int_equal(o.v[CAPTURE_F_FRAMES].n, 8);
    assert_string_equal(o.v[CAPTURE_F_GAPS].text, "[]");
    object_done(&o);
}

/* Dies in a state, and comes back three seconds later with nothing. */
static void die_in(struct world *w, unsigned number, enum wanted_state in)
{
    if (in >= WANTED_RUNS) {
        peer_report(w, number, WANTED_RUNS, WANTED_NO_REASON, 0, 5, 10);
    }
    if (in >= WANTED_FINISHES) {
        peer_report(w, number, WANTED_FINISHES, WANTED_STOP_TIME, 0, 6, 12);
    }
    world_goes(w, 0);
    peer_kill(w);
    world_goes(w, 3000);
    assert_false(agents_are_settled(w->agents));
    peer_start(w);
    world_goes(w, 2000);
    assert_true(agents_are_settled(w->agents));
    assert_true(peer_has(w, number) >= 0);
}

static void it_dies_in_each_state_and_comes_back(void **state)
{
    struct world *w = *state;
    static const int64_t before[] = {
        [WANTED_WAITS] = 0, [WANTED_RUNS] = 10, [WANTED_FINISHES] = 12};
    char words[320];
    for (unsigned in = WANTED_WAITS; in <= WANTED_FINISHES; in++) {
        add_capture(w, in, 0, 100);
        world_goes(w, 0);
        die_in(w, in, (enum wanted_state)in);
        check_state(w, in,
                    in == WANTED_WAITS  ? "scheduled"
                    : in == WANTED_RUNS ? "running"
                                        : "finishing");
        peer_report(w, in, WANTED_RUNS, WANTED_NO_REASON, 20, 30, 3);
        world_goes(w, 0);
        peer_report(w, in, WANTED_DONE, WANTED_STOP_TIME, 20, 100, 4);
        peer_report(w, in, WANTED_DONE, WANTED_STOP_TIME, 20, 100, 4);
        world_goes(w, 0);
        check_state(w, in, "done");
        struct object o = get_capture(w, in);
        assert_int_equal(o.v[CAPTURE_F_FRAMES].n, before[in] + 4);
        assert_non_null(strstr(o.v[CAPTURE_F_GAPS].text,
                               in == WANTED_WAITS ? "it began late" : "it was interrupted"));
        object_done(&o);
    }
    assert_int_equal(count_events(w, "agent.lost", words), 3);
    assert_int_equal(count_events(w, "agent.connected", words), 4);
}

static void a_cancelled_one_ends_also_after_a_death(void **state)
{
    struct world *w = *state;
    add_capture(w, 1, 0, 100);
    world_goes(w, 1000);
    peer_report(w, 1, WANTED_RUNS, WANTED_NO_REASON, 0, 1, 5);
    world_goes(w, 0);
    struct object o = get_capture(w, 1);
    assert_int_equal(object_set_text(&o, CAPTURE_F_STATE, "finishing"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_CODE, "cancelled"), 0);
    assert_int_equal(object_set_text(&o, CAPTURE_F_REASON, "cancelled by alice"), 0);
    change_capture(w, &o);
    object_done(&o);
    world_goes(w, 0);
    assert_true(w->peer.has[0].cancelled);
    peer_kill(w);
    world_goes(w, 1000);
    peer_start(w);
    world_goes(w, 2000);
    assert_true(w->peer.has[0].cancelled);
    peer_report(w, 1, WANTED_DONE, WANTED_CANCELLED, 3, 3, 0);
    world_goes(w, 0);
    check_state(w, 1, "cancelled");
    o = get_capture(w, 1);
    assert_string_equal(o.v[CAPTURE_F_REASON].text, "cancelled by alice");
    assert_string_equal(o.v[CAPTURE_F_GAPS].text, "[]");
    assert_int_equal(o.v[CAPTURE_F_FRAMES].n, 5);
    object_done(&o);
}

static void control_dies_and_nothing_counts_twice(void **state)
{
    struct world *w = *state;
    add_capture(w, 1, 0, 100);
    world_goes(w, 1000);
    peer_report(w, 1, WANTED_RUNS, WANTED_NO_REASON, 0, 10, 50);
    world_goes(w, 0);
    world_restart(w);
    world_goes(w, 1000);
    assert_int_equal(peer_has(w, 1), 0);
    peer_report(w, 1, WANTED_RUNS, WANTED_NO_REASON, 0, 20, 60);
    world_goes(w, 0);
    struct object o = get_capture(w, 1);
    assert_int_equal(o.v[CAPTURE_F_FRAMES].n, 60);
    assert_string_equal(o.v[CAPTURE_F_GAPS].text, "[]");
    object_done(&o);
}

static void what_waits_in_the_socket_is_heard(void **state)
{
    struct world *w = *state;
    add_capture(w, 1, 0, 100);
    world_goes(w, 1000);
    w->eager = 1;
    world_restart(w);
    agents_work(w->agents, w->now, (struct wall){w->wall_ns});
    check_state(w, 1, "done");
}

static void one_that_comes_back_behind_the_stop_has_no_port_yet(void **state)
{
    struct world *w = *state;
    add_capture(w, 1, 0, 5);
    add_capture(w, 2, 0, 5);
    world_goes(w, 1000);
    peer_report(w, 2, WANTED_RUNS, WANTED_NO_REASON, 0, 1, 5);
    world_goes(w, 0);
    peer_kill(w);
    world_goes(w, 10000);
    peer_start(w);
    world_goes(w, 2000);
    peer_report(w, 1, WANTED_FAILED, WANTED_POINT_GONE, 0, 0, 0);
    peer_report(w, 2, WANTED_FAILED, WANTED_POINT_GONE, 0, 0, 0);
    world_goes(w, 0);
    struct object o = get_capture(w, 1);
    assert_string_equal(o.v[CAPTURE_F_CODE].text, "missed");
    object_done(&o);
    o = get_capture(w, 2);
    assert_string_equal(o.v[CAPTURE_F_STATE].text, "done");
    assert_string_equal(o.v[CAPTURE_F_CODE].text, "stop-time");
    assert_non_null(strstr(o.v[CAPTURE_F_GAPS].text, "it ended early"));
    object_done(&o);
}

static void what_is_lost_is_told_again(void **state)
{
    struct world *w = *state;
    w->peer.deaf = true;
    add_capture(w, 1, 0, 100);
    add_capture(w, 2, 0, 100);
    world_goes(w, 20000);
    /* At once for the empty set and for each change, then after 1, 2, 4, 8 s. */
    assert_in_range(w->peer.wants, 2 * 5, 2 * 7);
    w->peer.deaf = false;
    w->peer.forgetful = true;
    world_goes(w, 9000);
    assert_int_equal(w->peer.n_has, 2);
    assert_false(agents_are_settled(w->agents));
    w->peer.forgetful = false;
    world_goes(w, 9000);
    assert_true(agents_are_settled(w->agents));
    w->peer.wants = 0;
    world_goes(w, 20000);
    assert_int_equal(w->peer.wants, 0);
}

static void a_missed_one_is_told_of(void **state)
{
    struct world *w = *state;
    add_capture(w, 1, 0, 5);
    add_capture(w, 2, 0, 5);
    peer_kill(w);
    world_goes(w, 50000);
    check_state(w, 1, "scheduled");
    peer_start(w); /* and says that it came too late */
    world_goes(w, 2000);
    peer_report(w, 2, WANTED_FAILED, WANTED_POINT_GONE, 0, 0, 0);
    world_goes(w, 0);
    struct object o = get_capture(w, 2);
    assert_string_equal(o.v[CAPTURE_F_STATE].text, "failed");
    assert_string_equal(o.v[CAPTURE_F_CODE].text, "missed");
    object_done(&o);
    check_state(w, 1, "scheduled");
    world_goes(w, 20000); /* of this one it says nothing */
    o = get_capture(w, 1);
    assert_string_equal(o.v[CAPTURE_F_CODE].text, "missed");
    object_done(&o);
    assert_int_equal(peer_has(w, 1), -1);
}

static void one_that_cannot_be_told_is_refused(void **state)
{
    struct world *w = *state;
    char list[WANTED_NAME + 8] = "[\"";
    add_capture(w, 1, 50, 100);
    struct object o = get_capture(w, 1);
    memset(list + 2, 'x', WANTED_NAME);
    memcpy(list + 2 + WANTED_NAME, "\"]", 3);
    assert_int_equal(object_set_text(&o, CAPTURE_F_POINTS, list), 0);
    object_set_int(&o, CAPTURE_F_START, WALL * SEC);
    change_capture(w, &o);
    object_done(&o);
    world_goes(w, 0);
    o = get_capture(w, 1);
    assert_string_equal(o.v[CAPTURE_F_STATE].text, "failed");
    assert_string_equal(o.v[CAPTURE_F_CODE].text, "refused");
    assert_non_null(strstr(o.v[CAPTURE_F_REASON].text, "no name of an interface"));
    object_done(&o);
}

static void a_clock_that_is_set_is_noted(void **state)
{
    struct world *w = *state;
    char words[320];
    add_capture(w, 1, 0, 50);
    add_capture(w, 2, 3600 + 5, 3600 + 50);
    world_goes(w, 1000);
    peer_report(w, 1, WANTED_RUNS, WANTED_NO_REASON, 0, 1, 1);
    w->wall_ns += 3600 * SEC;
    world_goes(w, 1000);
    assert_int_equal(count_events(w, "clock.set", words), 1);
    assert_non_null(strstr(words, "+3600000 ms"));
    assert_true(peer_has(w, 2) >= 0); /* it follows the clock, … */
    for (int64_t i = 0; i < 70; i++) {
        peer_report(w, 1, WANTED_RUNS, WANTED_NO_REASON, 0, 2 + i, 1);
        world_goes(w, 1000);
    }
    check_state(w, 1, "running"); /* … and this one does not */
    w->wall_ns -= 7200 * SEC;
    world_goes(w, 1000);
    assert_int_equal(count_events(w, "clock.set", words), 2);
    assert_true(peer_has(w, 1) >= 0);
    assert_int_equal(peer_has(w, 2), -1);
}

/* ---- a hostile peer ---- */

static void check_thrown_out(struct world *w, const char *why)
{
    char words[320];
    const unsigned connects = w->connects, lost = count_events(w, "agent.lost", words);
    world_goes(w, 200);
    assert_int_equal(count_events(w, "agent.lost", words), lost + 1);
    if (!strstr(words, why)) {
        fail_msg("\"%s\" is not in \"%s\"", why, words);
    }
    world_goes(w, 2000);
    assert_int_equal(w->connects, connects + 1);
    assert_true(agents_are_settled(w->agents));
}

static void hostile_messages_end_the_session(void **state)
{
    struct world *w = *state;
    static uint8_t large[WANTED_MESSAGE_MAX + 1000];
    static const struct {
        struct rolemsg m;
        const char *why;
    } cases[] = {
        {{.type = ROLEMSG_HELLO, .version = 1, .life = 9}, "hello twice"},
        {{.type = ROLEMSG_WANT}, "only control sends"},
        {{.type = ROLEMSG_SNAPSHOT}, "only control sends"},
    };
    add_capture(w, 1, 0, 100);
    world_goes(w, 1000);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        peer_says(w, &cases[i].m);
        check_thrown_out(w, cases[i].why);
    }
    peer_send_bytes(w, "x", 1);
    check_thrown_out(w, "a message that is none");
    peer_send_bytes(w, large, sizeof(large));
    check_thrown_out(w, "a message that is none");
    check_state(w, 1, "scheduled");
}

/* Greets in its own way, or not at all. */
static void greet_badly(struct world *w, const struct rolemsg *m, const char *why)
{
    peer_kill(w);
    world_goes(w, 6000);
    w->peer.fd = TAKE_FD(w->waiting);
    w->peer.greeted = false;
    peer_says(w, m);
    char words[320];
    world_goes(w, 0);
    (void)count_events(w, "agent.lost", words);
    if (!strstr(words, why)) {
        fail_msg("\"%s\" is not in \"%s\"", why, words);
    }
    assert_false(agents_are_settled(w->agents));
    peer_kill(w);
    peer_start(w);
    world_goes(w, 3000);
    assert_true(agents_are_settled(w->agents));
}

static void bad_greetings_end_the_session(void **state)
{
    struct world *w = *state;
    world_goes(w, 1000);
    greet_badly(w, &(struct rolemsg){.type = ROLEMSG_APPLIED}, "did not begin with a hello");
    greet_badly(w, &(struct rolemsg){.type = ROLEMSG_HELLO, .version = 2, .life = 1},
                "speaks version 2 and not 1");
    greet_badly(w, &(struct rolemsg){.type = ROLEMSG_HELLO, .version = 1}, "has no number");
}

static void a_flood_ends_the_session(void **state)
{
    struct world *w = *state;
    char words[320];
    world_goes(w, 1000);
    for (unsigned i = 0; i < 5000 && agents_fd(w->agents) >= 0; i++) {
        peer_report(w, i + 100, WANTED_RUNS, WANTED_NO_REASON, 0, 1, 1);
        if (i % 50 == 49) {
            agents_work(w->agents, w->now, (struct wall){w->wall_ns});
        }
        if (count_events(w, "agent.lost", words) > 0) {
            break;
        }
    }
    assert_int_equal(count_events(w, "agent.lost", words), 1);
    assert_non_null(strstr(words, "more than 4096 messages in a second"));
}

static void reports_of_what_it_was_not_told_mean_nothing(void **state)
{
    struct world *w = *state;
    char words[320];
    add_capture(w, 1, 0, 100);
    add_capture(w, 2, 1000, 2000); /* not told yet */
    world_goes(w, 1000);
    peer_report(w, 2, WANTED_DONE, WANTED_STOP_TIME, 0, 100, 7);
    peer_report(w, 77, WANTED_DONE, WANTED_STOP_TIME, 0, 100, 7);
    peer_says(w, &(struct rolemsg){.type = ROLEMSG_APPLIED, .generation = 12345});
    world_goes(w, 1000);
    check_state(w, 2, "scheduled");
    assert_int_equal(count_events(w, "capture.ended", words), 0);
    assert_int_equal(count_events(w, "agent.lost", words), 0);
}

/* ---- the store fails ---- */

static int no_commit(struct store *s, struct error *err)
{
    s->ops->rollback(s);
    return error_set(err, ENOSPC, "the disk is full");
}

static void what_was_not_committed_was_not_told(void **state)
{
    struct world *w = *state;
    add_capture(w, 1, 0, 100);
    world_goes(w, 1000);
    const struct store_ops *whole = w->store->ops;
    struct store_ops broken = *whole;
    broken.commit = no_commit;
    w->store->ops = &broken;
    peer_report(w, 1, WANTED_DONE, WANTED_LIMIT_BYTES, 0, 10, 50);
    peer_port(w, "eth0");
    peer_round(w, 1);
    world_goes(w, 3000);
    assert_true(w->connects > 1);
    w->store->ops = whole;
    assert_string_equal(w->said, "the disk is full");
    assert_int_equal(w->published, 0);
    check_state(w, 1, "scheduled");
    assert_int_equal(peer_has(w, 1), 0);
    world_goes(w, 2000);
    assert_true(agents_are_settled(w->agents));
    peer_report(w, 1, WANTED_DONE, WANTED_LIMIT_BYTES, 0, 10, 50); /* as in each new session */
    world_goes(w, 1000);
    check_state(w, 1, "done");
    assert_true(w->ended && w->published == 5000);
    char words[320];
    assert_int_equal(count_events(w, "port.there", words), 1); /* its round was kept */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_capture_from_its_start_to_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_dies_in_each_state_and_comes_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cancelled_one_ends_also_after_a_death, set_up, tear_down),
        cmocka_unit_test_setup_teardown(control_dies_and_nothing_counts_twice, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_waits_in_the_socket_is_heard, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_comes_back_behind_the_stop_has_no_port_yet, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_lost_is_told_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_missed_one_is_told_of, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_that_cannot_be_told_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_is_set_is_noted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hostile_messages_end_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(bad_greetings_end_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_flood_ends_the_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reports_of_what_it_was_not_told_mean_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_was_not_committed_was_not_told, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
