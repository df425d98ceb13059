/* SPDX-License-Identifier: Apache-2.0
 *
 * How many interfaces are tapped and remembered, and which are forgotten, in a world without a
 * network.
 */
#include <errno.h>
#include <string.h>

#include "node/testing.h"

/* So many that match "v*", from index 1 on. */
static void appear_many(struct fake *f, unsigned n)
{
    for (unsigned k = 0; k < n; k++) {
        char name[IFNAMSIZ];
        snprintf(name, sizeof(name), "v%u", k);
        fake_appear(f, name, (int)k + 1);
    }
    f->text[0] = '\0';
}

static void no_more_than_so_many(void **state)
{
    (void)state;
    static const char told[] =
        "interface-not-tapped w w is not tapped: no more than 256 interfaces "
        "are\n";
    struct fake *f = fake_waiting("[vw]*");
    appear_many(f, INTERFACES_MAX);
    assert_int_equal(f->all.n, INTERFACES_MAX);
    struct netif *w = fake_appear(f, "w", 1000);
    fake_told(f, told);
    fake_pass(f, 59999);
    fake_tell(f, w);
    fake_told(f, "");
    fake_pass(f, 1);
    fake_tell(f, w);
    fake_told(f, told);
    assert_int_equal(f->all.n, INTERFACES_MAX);
    fake_done(f);
}

/* When another wants its place, one that is gone is forgotten, and all are asked for. */
static void one_that_is_gone_makes_room(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("[vw]*");
    appear_many(f, INTERFACES_MAX);
    uint16_t stream = fake_interface(f, "v9")->stream;
    fake_vanish(f, fake_find(f, "v9"));
    fake_pass(f, 5000);
    assert_false(f->stream[stream].ended); /* nobody wants it */
    fake_appear(f, "w", 1000);
    fake_pass(f, 0);
    assert_true(f->stream[stream].ended);
    assert_true(fake_interface(f, "v9")->ending);
    interfaces_stream_ended(&f->all, stream);
    assert_null(fake_interface(f, "v9"));
    unsigned asks = f->asks;
    fake_pass(f, 500);
    assert_int_equal(f->asks, asks + 1);
    fake_answer(f);
    assert_true(fake_stream_of(f, "w")->ring);
    assert_int_equal(f->all.n, INTERFACES_MAX);
    fake_vanish(f, fake_find(f, "v10"));
    fake_pass(f, 5000);
    assert_false(fake_stream_of(f, "v10")->ended); /* nobody wants that one */
    fake_done(f);
}

static void without_a_stream_it_waits(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    f->max_streams = 1;
    struct netif *v0 = fake_appear(f, "v0", 1);
    f->text[0] = '\0';
    fake_appear(f, "v1", 2);
    fake_told(f, "interface-not-tapped v1 no stream for v1\n");
    fake_vanish(f, v0);
    fake_pass(f, 1000);
    interfaces_stream_ended(&f->all, 1);
    f->max_streams = 2;
    fake_pass(f, 500);
    assert_int_equal(f->asks, 2);
    fake_answer(f);
    assert_true(fake_stream_of(f, "v1")->ring);
    fake_done(f);
}

/* More than INTERFACES_GONE are gone: the one that has been gone for longest is forgotten, after a
 * moment, and its counts are kept in the sum. */
static void the_oldest_is_forgotten(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    appear_many(f, INTERFACES_GONE + 4);
    fake_vanish(f, fake_find(f, "v5"));
    fake_pass(f, 100);
    fake_vanish(f, fake_find(f, "v3"));
    fake_pass(f, 100);
    for (int k = 6; k < 6 + INTERFACES_GONE - 2; k++) {
        char name[IFNAMSIZ];
        snprintf(name, sizeof(name), "v%d", k);
        fake_vanish(f, fake_find(f, name));
    }
    fake_pass(f, 60000);
    const struct fake_stream *v3 = fake_stream_of(f, "v3");
    struct fake_stream *v5 = fake_stream_of(f, "v5");
    assert_false(v5->ended); /* 64 may be gone */
    fake_vanish(f, fake_find(f, "v0"));
    f->session = false;
    fake_pass(f, 1);
    assert_false(v5->ended); /* it may have frames that wait for a session */
    f->session = true;
    fake_pass(f, 1);
    assert_true(v5->ended);
    assert_false(v3->ended);
    fake_pass(f, 60000);
    assert_false(v3->ended); /* v5 is one less */
    v5->frames = 1234;
    v5->said = (struct interface_said){3, 4, 5};
    interfaces_stream_ended(&f->all, fake_interface(f, "v5")->stream);
    assert_int_equal(f->all.gone.n, 1);
    assert_int_equal(ledger_get(&f->all.gone.counts.ledger, LEDGER_RING_IN), 1234);
    assert_int_equal(f->all.gone.counts.said.confirmed, 3);
    assert_int_equal(f->all.gone.counts.said.reported_lost, 4);
    assert_int_equal(f->all.gone.counts.said.unconfirmed, 5);
    assert_null(fake_interface(f, "v5"));
    interfaces_stream_ended(&f->all, 999); /* nobody's */
    assert_int_equal(f->all.gone.n, 1);
    fake_done(f);
}

static void one_that_has_just_gone_is_kept_for_a_moment(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    appear_many(f, INTERFACES_GONE + 1);
    for (int k = 0; k <= INTERFACES_GONE; k++) {
        char name[IFNAMSIZ];
        snprintf(name, sizeof(name), "v%d", k);
        fake_vanish(f, fake_find(f, name));
    }
    const struct fake_stream *v0 = fake_stream_of(f, "v0");
    fake_pass(f, INTERFACES_GONE_MS - 1);
    assert_false(v0->ended);
    fake_pass(f, 1);
    assert_true(v0->ended);
    fake_done(f);
}

/* It was gone before it could be opened, and has had a capture for that moment only. */
static void one_that_never_was_there_is_forgotten(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    const struct netif v0 = {.index = 1, .name = "v0", .flags = IFF_UP, .arphrd = ARPHRD_ETHER};
    f->max_streams = 1;
    fake_tell(f, &v0);
    fake_appear(f, "v1", 2); /* wants its place */
    const struct fake_stream *s = fake_stream_of(f, "v0");
    fake_pass(f, INTERFACES_GONE_MS - 1);
    assert_false(s->ended);
    fake_pass(f, 1);
    assert_true(s->ended);
    fake_done(f);
}

/* An interface of the command line is waited for, however long. */
static void a_name_is_never_forgotten(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_select(f, "eth0");
    fake_select(f, "v*");
    struct netif *eth0 = fake_add(f, "eth0", 1000);
    fake_run(f);
    fake_vanish(f, eth0);
    fake_pass(f, 100000);
    appear_many(f, INTERFACES_MAX); /* one of them finds no place */
    fake_pass(f, 100000);
    assert_false(fake_stream_of(f, "eth0")->ended);
    fake_done(f);
}

/* It comes back in the moment in which it is being forgotten: as another observation point. */
static void comes_back_while_it_ends(void **state)
{
    (void)state;
    struct fake *f = fake_waiting("v*");
    appear_many(f, INTERFACES_MAX);
    fake_vanish(f, fake_find(f, "v9"));
    fake_appear(f, "v999", 1000);
    fake_pass(f, 1000);
    struct interface *v9 = fake_interface(f, "v9");
    uint16_t stream = v9->stream;
    assert_true(v9->ending);
    f->text[0] = '\0';
    fake_appear(f, "v9", 1001);
    fake_told(f, "");
    assert_false(f->stream[stream].ring);
    interfaces_stream_ended(&f->all, stream);
    fake_vanish(f, fake_find(f, "v999"));
    fake_pass(f, 500);
    fake_answer(f);
    assert_true(fake_stream_of(f, "v9")->ring);
    assert_int_not_equal(fake_interface(f, "v9")->stream, stream);
    fake_done(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_more_than_so_many),
        cmocka_unit_test(one_that_is_gone_makes_room),
        cmocka_unit_test(without_a_stream_it_waits),
        cmocka_unit_test(the_oldest_is_forgotten),
        cmocka_unit_test(one_that_has_just_gone_is_kept_for_a_moment),
        cmocka_unit_test(one_that_never_was_there_is_forgotten),
        cmocka_unit_test(a_name_is_never_forgotten),
        cmocka_unit_test(comes_back_while_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
