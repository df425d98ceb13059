/* SPDX-License-Identifier: Apache-2.0
 *
 * The watchdog over interfaces in a world without a network: which are opened anew, when, and when
 * the tap is to end.
 */
#include <errno.h>

#include "node/testing.h"
#include "node/watchdog.h"

enum {
    LOOK_MS = 500,
};

static struct watchdog_conf conf(uint32_t max_ms, uint32_t restarts)
{
    struct watchdog_conf c = {.idle = {max_ms, restarts}};
    assert_int_equal(calendar_parse("mon-sun", "hours", &c.hours, NULL), 0);
    return c;
}

/* Time passes with looks; the last one's word. */
static bool watch(struct fake *f, const struct watchdog_conf *c, int64_t ms)
{
    bool dead = false;
    for (int64_t end = f->now.ns + ms * NSEC_PER_MSEC; f->now.ns < end;) {
        fake_pass(f, LOOK_MS);
        dead = watchdog_look(&f->all, c, true, f->now);
    }
    return dead;
}

/* Interfaces that have names, tapped and looked at once. */
static struct fake *named(const struct watchdog_conf *c, const char *a, const char *b)
{
    struct fake *f = fake_new();
    fake_select(f, a);
    fake_add(f, a, 7);
    if (b) {
        fake_select(f, b);
        fake_add(f, b, 8);
    }
    fake_run(f);
    f->text[0] = '\0';
    assert_false(watchdog_look(&f->all, c, true, f->now));
    return f;
}

static void is_opened_anew_and_dies(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(1500, 2);
    struct fake *f = named(&c, "eth0", NULL);
    struct fake_stream *s = fake_stream_of(f, "eth0");
    s->frames = 77;
    assert_false(watch(f, &c, 1500)); /* of which the first look saw frames */
    assert_int_equal(s->renewals, 0);
    assert_false(watch(f, &c, 500));
    assert_int_equal(s->renewals, 1);
    assert_int_equal(s->known, 77);
    fake_told(f, ""); /* its thread has yet to do it */
    s->reopened++;
    assert_false(watch(f, &c, 500));
    fake_told(f, "capture-reopened eth0 no frame came for 1500 ms: its capture was opened anew (1 "
                 "of 2 times)\n");
    assert_false(watch(f, &c, 1000));
    s->reopened++;
    assert_false(watch(f, &c, 1000));
    assert_int_equal(s->renewals, 2);
    fake_told(f, "capture-reopened eth0 no frame came for 1500 ms: its capture was opened anew (2 "
                 "of 2 times)\n");
    assert_true(watch(f, &c, 500));
    fake_told(f, "capture-dead eth0 no frame came for 1500 ms after the last time that it was "
                 "opened anew: it counts as dead until one comes\n");
    assert_true(watch(f, &c, 60000));
    fake_told(f, "");
    assert_int_equal(s->renewals, 2);
    assert_int_equal(s->rings, 1);
    fake_done(f);
}

/* The thread has found a frame at the last moment, and has kept its ring: nothing is told. */
static void a_frame_at_the_last_moment(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(1000, 1);
    struct fake *f = named(&c, "eth0", NULL);
    struct fake_stream *s = fake_stream_of(f, "eth0");
    assert_false(watch(f, &c, 1000));
    assert_int_equal(s->renewals, 1);
    s->frames++;
    assert_false(watch(f, &c, 500));
    assert_int_equal(fake_interface(f, "eth0")->idle.restarts, 0);
    assert_false(watch(f, &c, 500));
    assert_int_equal(s->renewals, 1);
    fake_told(f, "");
    fake_done(f);
}

static void all_have_to_be_dead(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(1000, 0);
    struct fake *f = named(&c, "eth0", "eth1");
    struct fake_stream *s = fake_stream_of(f, "eth1");
    for (unsigned k = 0; k < 10; k++) {
        s->frames++;
        assert_false(watch(f, &c, 500));
    }
    assert_true(fake_interface(f, "eth0")->idle.dead);
    fake_told(f, "capture-dead eth0 no frame came for 1 s: it counts as dead until one comes\n");
    assert_true(watch(f, &c, 1000));
    fake_told(f, "capture-dead eth1 no frame came for 1 s: it counts as dead until one comes\n");
    fake_stream_of(f, "eth0")->frames++; /* it lives again */
    assert_false(watch(f, &c, 500));
    assert_int_equal(s->renewals, 0);
    fake_done(f);
}

/* One that is down, or has a name and is gone, may come back: the tap waits for it. */
static void who_may_come_back_is_not_dead(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(1000, 0);
    struct fake *f = named(&c, "eth0", "eth1");
    struct netif *eth1 = fake_find(f, "eth1");
    eth1->flags = 0;
    fake_tell(f, eth1);
    assert_false(watch(f, &c, 60000));
    assert_true(fake_interface(f, "eth0")->idle.dead);
    eth1->flags = IFF_UP;
    fake_tell(f, eth1);
    assert_false(watch(f, &c, 500));
    fake_vanish(f, eth1);
    assert_false(watch(f, &c, 60000));
    fake_appear(f, "eth1", 9);
    assert_false(watch(f, &c, 1000)); /* whose first look it is */
    assert_true(watch(f, &c, 500));
    fake_done(f);
}

/* A pattern's are counted while they are there; where there is none, nothing is dead. */
static void of_patterns(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(1000, 0);
    struct fake *f = fake_waiting("veth*");
    assert_false(watch(f, &c, 60000));
    struct netif *a = fake_appear(f, "veth1", 7);
    fake_appear(f, "veth2", 8);
    assert_false(watch(f, &c, 500));
    for (unsigned k = 0; k < 10; k++) {
        fake_stream_of(f, "veth1")->frames++;
        assert_false(watch(f, &c, 500));
    }
    assert_true(fake_interface(f, "veth2")->idle.dead);
    fake_vanish(f, a);
    assert_true(watch(f, &c, 500)); /* all that is left */
    fake_vanish(f, fake_find(f, "veth2"));
    assert_false(watch(f, &c, 60000));
    f->session = false;
    fake_done(f);
}

/* Outside business hours, and without a time. */
static void nothing_is_expected(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(1000, 0), off = conf(0, 0);
    struct fake *f = named(&c, "eth0", NULL);
    assert_true(watch(f, &c, 1000));
    assert_false(watchdog_look(&f->all, &c, false, f->now));
    assert_false(fake_interface(f, "eth0")->idle.dead);
    assert_true(watch(f, &c, 1500)); /* the first look sees that some may come */
    assert_false(watchdog_look(&f->all, &off, true, f->now));
    assert_false(watch(f, &off, 60000));
    fake_done(f);
}

/* Rings that are not given up yet are waited for, as long again as it was idle; other failures
 * count like a restart. */
static void it_cannot_be_opened(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(2000, 2);
    struct fake *f = named(&c, "eth0", NULL);
    const struct fake_stream *s = fake_stream_of(f, "eth0");
    f->open_error = -EAGAIN;
    assert_false(watch(f, &c, 3500));
    fake_told(f, "");
    assert_int_equal(fake_interface(f, "eth0")->idle.restarts, 0);
    f->open_error = 0;
    assert_false(watch(f, &c, 500));
    assert_int_equal(s->renewals, 1);
    f->open_error = -EAGAIN;
    assert_false(watch(f, &c, 3500));
    fake_told(f, "");
    assert_false(watch(f, &c, 500));
    fake_told(f, "interface-not-tapped eth0 its capture cannot be opened anew: eth0 cannot be "
                 "opened\n");
    assert_true(watch(f, &c, 2000));
    fake_stream_of(f, "eth0")->frames++;
    f->text[0] = '\0';
    f->open_error = -ENOMEM;
    assert_false(watch(f, &c, 2500));
    fake_told(f, "interface-not-tapped eth0 its capture cannot be opened anew: eth0 cannot be "
                 "opened\n");
    f->open_error = 0;
    f->renew_error = -ENOMEM; /* its thread is stuck */
    assert_false(watch(f, &c, 2000));
    fake_told(f, "interface-not-tapped eth0 its capture cannot be opened anew: eth0 takes no "
                 "second ring\n");
    assert_true(watch(f, &c, 2000));
    assert_int_equal(s->renewals, 1);
    assert_true(s->ring);
    fake_done(f);
}

/* The name leads to another interface, of which the kernel has yet to tell: that one is taken up
 * as ever. */
static void it_is_another_one_now(void **state)
{
    (void)state;
    const struct watchdog_conf c = conf(1000, 3);
    struct fake *f = named(&c, "eth0", NULL);
    const struct fake_stream *s = fake_stream_of(f, "eth0");
    struct netif *eth0 = fake_find(f, "eth0");
    eth0->index = 9;
    assert_false(watch(f, &c, 1500));
    assert_int_equal(s->renewals, 0);
    fake_told(f, "");
    fake_tell(f, eth0);
    assert_int_equal(s->rings, 2);
    f->text[0] = '\0';
    eth0->arphrd = ARPHRD_NONE;
    assert_false(watch(f, &c, 500));
    assert_int_equal(s->renewals, 0);
    fake_told(f, "");
    fake_done(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(is_opened_anew_and_dies),
        cmocka_unit_test(a_frame_at_the_last_moment),
        cmocka_unit_test(all_have_to_be_dead),
        cmocka_unit_test(who_may_come_back_is_not_dead),
        cmocka_unit_test(of_patterns),
        cmocka_unit_test(nothing_is_expected),
        cmocka_unit_test(it_cannot_be_opened),
        cmocka_unit_test(it_is_another_one_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
