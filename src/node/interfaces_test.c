/* SPDX-License-Identifier: Apache-2.0
 *
 * The lives of many interfaces together, in a world without a network: patterns, what is left out,
 * what the kernel did not tell, and the namespace. interfaces_limits_test.c has the limits.
 */
#include <errno.h>
#include <string.h>

#include "node/testing.h"

/* ---- the start ---- */

static void a_name_that_is_not_there_is_no_start(void **state)
{
    (void)state;
    struct error err = {""};
    struct fake *f = fake_new();
    fake_select(f, "eth0");
    assert_int_equal(fake_begin(f, &err), -ENODEV);
    assert_string_equal(err.text, "no eth0");
    fake_done(f);
}

static void without_a_watch_there_is_no_start(void **state)
{
    (void)state;
    struct error err = {""};
    struct fake *f = fake_new();
    fake_select(f, "eth*");
    f->watch_error = -EPERM;
    assert_int_equal(fake_begin(f, &err), -EPERM);
    assert_string_equal(err.text, "cannot watch");
    fake_done(f);
}

static void without_its_namespace_there_is_no_start(void **state)
{
    (void)state;
    struct error err = {""};
    struct fake *f = fake_new();
    fake_select(f, "eth*");
    f->select.netns = "blue";
    f->netns_error = -EPIPE;
    assert_int_equal(fake_begin(f, &err), -EPIPE);
    assert_string_equal(err.text, "--netns blue: Broken pipe");
    fake_done(f);
}

static void a_pattern_takes_up_what_is_there(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_select(f, "veth*");
    fake_select(f, "eth0");
    fake_add(f, "lo", 1);
    fake_add(f, "eth0", 2);
    fake_add(f, "veth1", 3);
    fake_add(f, "veth2", 4);
    fake_run(f);
    fake_told(f, "says listening on eth0, sending to home:4789\n"
                 "interface-appeared veth1 is there and tapped (index 3, MTU 1500)\n"
                 "interface-appeared veth2 is there and tapped (index 4, MTU 1500)\n");
    assert_int_equal(f->all.n, 3);
    assert_null(fake_interface(f, "lo"));
    assert_int_equal(fake_stream_of(f, "eth0")->rings, 1);
    fake_done(f);
}

static void a_pattern_takes_up_what_comes(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("veth*");
    struct netif *veth1 = fake_appear(f, "veth1", 3);
    fake_told(f, "interface-appeared veth1 is there and tapped (index 3, MTU 1500)\n");
    fake_vanish(f, veth1);
    fake_told(f, "interface-gone veth1 is gone\n");
    fake_appear(f, "eth0", 4);
    fake_told(f, "");
    assert_int_equal(f->all.n, 1);
    fake_done(f);
}

/* ---- what is left out ---- */

static void what_cannot_be_tapped_is_told_once(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("wlan*");
    struct netif *wlan0 = fake_add(f, "wlan0", 3);
    wlan0->arphrd = ARPHRD_IEEE80211;
    fake_tell(f, wlan0);
    fake_told(f,
              "interface-not-tapped wlan0 is not tapped: wlan0: its frames have headers of their "
              "own kind (ARPHRD 801), for which there is no form as Ethernet\n");
    fake_tell(f, wlan0);
    fake_told(f, "");
    for (int k = 0; k < INTERFACES_REFUSED; k++) { /* as many others push it out of the list */
        struct netif other = *wlan0;
        other.index = 100 + k;
        fake_tell(f, &other);
    }
    f->text[0] = '\0';
    fake_tell(f, wlan0);
    assert_string_not_equal(f->text, "");
    assert_int_equal(f->all.n, 0);
    assert_int_equal(f->opens, 0);
    fake_done(f);
}

static void a_collectors_device_is_left_out(void **state)
{
    (void)state;
    static const char told[] = "own-device ntap0 is the device of a collector on this host, and "
                               "is not tapped\n";
    struct fake *f = fake_waiting("*");
    struct netif *ntap0 = fake_add(f, "ntap0", 3);
    snprintf(ntap0->kind, sizeof(ntap0->kind), "tun");
    f->own = 3;
    fake_tell(f, ntap0);
    fake_told(f, told);
    fake_tell(f, ntap0);
    fake_told(f, ""); /* once */
    assert_int_equal(f->all.n, 0);
    fake_vanish(f, ntap0);
    fake_told(f, "");
    ntap0 = fake_add(f, "ntap0", 3); /* another one of that index */
    snprintf(ntap0->kind, sizeof(ntap0->kind), "tun");
    fake_tell(f, ntap0);
    fake_told(f, told);
    fake_done(f);
}

/* A name of the command line is tapped all the same, and only a TUN/TAP device can be one. */
static void only_a_pattern_leaves_it_out(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_select(f, "ntap0");
    fake_select(f, "veth*");
    struct netif *ntap0 = fake_add(f, "ntap0", 3);
    snprintf(ntap0->kind, sizeof(ntap0->kind), "tun");
    f->own = 3;
    fake_run(f);
    assert_true(fake_stream_of(f, "ntap0")->ring);
    f->own = 4;
    fake_appear(f, "veth0", 4);
    assert_true(fake_stream_of(f, "veth0")->ring);
    fake_done(f);
}

static void a_collector_may_take_it_later(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("*");
    struct netif *tap0 = fake_add(f, "tap0", 3);
    snprintf(tap0->kind, sizeof(tap0->kind), "tun");
    tap0->flags = 0;
    fake_tell(f, tap0); /* a collector's is listed before it comes up */
    fake_told(f, "");
    assert_int_equal(f->all.n, 0);
    tap0->flags = IFF_UP;
    fake_tell(f, tap0);
    fake_told(f, "interface-appeared tap0 is there and tapped (index 3, MTU 1500)\n");
    f->own = 3;
    fake_tell(f, tap0);
    fake_told(f, "own-device tap0 is the device of a collector on this host, and is not tapped\n");
    assert_false(fake_stream_of(f, "tap0")->ring);
    f->own = 0; /* the collector has ended and left it */
    fake_tell(f, tap0);
    fake_told(f, "interface-appeared tap0 is back (index 3, MTU 1500)\n");
    f->own = 3; /* another collector */
    fake_tell(f, tap0);
    fake_told(f, "own-device tap0 is the device of a collector on this host, and is not tapped\n");
    fake_done(f);
}

/* ---- what the kernel did not tell ---- */

static void a_lost_message_asks_again(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    struct netif *v0 = fake_appear(f, "v0", 1);
    fake_appear(f, "v1", 2);
    f->text[0] = '\0';
    *v0 = (struct netif){.index = 0}; /* and that is what was lost */
    fake_add(f, "v2", 3);
    fake_hear(f, IFWATCH_LOST);
    assert_int_equal(f->asks, 1);
    interfaces_heard(&f->all, f->now);
    assert_int_equal(f->asks, 2);
    fake_told(f, "");
    fake_answer(f);
    fake_told(f, "interface-appeared v2 is there and tapped (index 3, MTU 1500)\n"
                 "interface-gone v0 is gone\n");
    assert_int_equal(f->asks, 2);
    fake_done(f);
}

/* An answer in which something was lost says nothing of who is gone: the next one does. */
static void a_torn_answer_takes_nobody_for_gone(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    struct netif *v0 = fake_appear(f, "v0", 1);
    f->text[0] = '\0';
    fake_hear(f, IFWATCH_LOST);
    interfaces_heard(&f->all, f->now);
    fake_hear(f, IFWATCH_LOST); /* once more, within the answer */
    interfaces_heard(&f->all, f->now);
    assert_int_equal(f->asks, 2);
    fake_hear(f, IFWATCH_ALL);
    fake_told(f, "");
    interfaces_heard(&f->all, f->now);
    assert_int_equal(f->asks, 3);
    *v0 = (struct netif){.index = 0};
    fake_answer(f);
    fake_told(f, "interface-gone v0 is gone\n");
    fake_done(f);
}

static void an_answer_that_does_not_come_is_asked_for_again(void **state)
{
    (void)state;
    struct error err = {""};
    struct fake *f = fake_new();
    fake_select(f, "v*");
    assert_int_equal(fake_begin(f, &err), 0);
    fake_pass(f, 1999);
    assert_int_equal(f->asks, 1);
    fake_pass(f, 1);
    assert_int_equal(f->asks, 2);
    fake_answer(f);
    fake_pass(f, 60000);
    assert_int_equal(f->asks, 2);
    fake_done(f);
}

static void a_question_that_fails_is_asked_again(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    f->ask_error = -EAGAIN;
    fake_hear(f, IFWATCH_LOST);
    interfaces_heard(&f->all, f->now);
    assert_int_equal(f->asks, 2);
    f->ask_error = 0;
    fake_pass(f, 500); /* the time of an answer */
    assert_int_equal(f->asks, 2);
    fake_pass(f, 1500);
    assert_int_equal(f->asks, 3);
    fake_answer(f);
    fake_pass(f, 2000);
    assert_int_equal(f->asks, 3);
    fake_done(f);
}

/* The end of an answer to an earlier question says nothing of those that were never asked for. */
static void an_older_answer_is_not_the_one_that_failed(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    fake_appear(f, "v0", 1);
    f->text[0] = '\0';
    f->ask_error = -EAGAIN;
    fake_hear(f, IFWATCH_LOST);
    interfaces_heard(&f->all, f->now);
    f->ask_error = 0;
    fake_hear(f, IFWATCH_ALL);
    interfaces_heard(&f->all, f->now);
    fake_told(f, "");
    assert_int_equal(f->asks, 3);
    fake_answer(f);
    fake_told(f, "");
    assert_true(fake_stream_of(f, "v0")->ring);
    fake_done(f);
}

/* ---- the namespace ---- */

static struct fake *in_namespace(const char *name, struct netif **ret)
{
    struct fake *f = fake_new();
    fake_select(f, "eth0");
    f->select.netns = name;
    f->netns = 77;
    *ret = fake_add(f, "eth0", 2);
    fake_run(f);
    fake_pass(f, 500);
    fake_told(f, "says listening on eth0, sending to home:4789\n");
    return f;
}

static void a_namespace_goes_and_comes_back(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = in_namespace("blue", &eth0);
    f->netns = 0;
    fake_pass(f, 500);
    fake_told(f, "interface-gone eth0 is gone\n"
                 "namespace-gone blue the namespace is gone; one of this name will be tapped when "
                 "it comes\n");
    assert_false(f->watching); /* nothing keeps it alive */
    assert_false(fake_stream_of(f, "eth0")->ring);
    fake_pass(f, 500);
    fake_told(f, "");
    f->netns = 78;
    fake_pass(f, 500);
    fake_told(f, "namespace-back blue the namespace is there again\n");
    assert_true(f->watching);
    assert_int_equal(f->asks, 2);
    fake_answer(f);
    fake_told(f, "interface-appeared eth0 is back (index 2, MTU 1500)\n");
    assert_true(fake_stream_of(f, "eth0")->ring);
    fake_done(f);
}

static void a_namespace_is_another_one(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = in_namespace("blue", &eth0);
    f->netns_error = -EPIPE;
    f->netns = 78;
    fake_pass(f, 500);
    fake_told(f, ""); /* nobody knows */
    f->netns_error = 0;
    fake_pass(f, 500);
    fake_told(f, "interface-gone eth0 is gone\n"
                 "namespace-gone blue the namespace of this name is another one now\n"
                 "namespace-back blue the namespace is there again\n");
    assert_int_equal(f->watches, 2);
    fake_done(f);
}

static void a_process_ends(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = in_namespace("1234", &eth0);
    f->netns = 0;
    fake_pass(f, 500);
    fake_told(f, "interface-gone eth0 is gone\n"
                 "namespace-gone 1234 the process has ended; its namespace is let go and will not "
                 "come back\n");
    fake_done(f);
}

static void a_namespace_that_cannot_be_watched_is_tried_again(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = in_namespace("blue", &eth0);
    f->netns = 0;
    fake_pass(f, 500);
    f->text[0] = '\0';
    f->netns = 78;
    f->watch_error = -ENOENT;
    fake_pass(f, 500);
    fake_told(f, "namespace-back blue the namespace is there again\n"
                 "says cannot watch\n");
    f->watch_error = 0;
    fake_pass(f, 500);
    fake_told(f, "namespace-back blue the namespace is there again\n");
    assert_true(f->watching);
    fake_done(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_not_there_is_no_start),
        cmocka_unit_test(without_a_watch_there_is_no_start),
        cmocka_unit_test(without_its_namespace_there_is_no_start),
        cmocka_unit_test(a_pattern_takes_up_what_is_there),
        cmocka_unit_test(a_pattern_takes_up_what_comes),
        cmocka_unit_test(what_cannot_be_tapped_is_told_once),
        cmocka_unit_test(a_collectors_device_is_left_out),
        cmocka_unit_test(only_a_pattern_leaves_it_out),
        cmocka_unit_test(a_collector_may_take_it_later),
        cmocka_unit_test(a_lost_message_asks_again),
        cmocka_unit_test(a_torn_answer_takes_nobody_for_gone),
        cmocka_unit_test(an_answer_that_does_not_come_is_asked_for_again),
        cmocka_unit_test(a_question_that_fails_is_asked_again),
        cmocka_unit_test(an_older_answer_is_not_the_one_that_failed),
        cmocka_unit_test(a_namespace_goes_and_comes_back),
        cmocka_unit_test(a_namespace_is_another_one),
        cmocka_unit_test(a_process_ends),
        cmocka_unit_test(a_namespace_that_cannot_be_watched_is_tried_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
