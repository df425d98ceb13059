/* SPDX-License-Identifier: Apache-2.0
 *
 * The life of one interface, in a world without a network.
 */
#include <errno.h>
#include <string.h>

#include "node/testing.h"
#include "proto/pcapng.h"

/* One that was named, tapped from the start. */
static struct fake *named(const char *name, int index, struct netif **ret)
{
    char text[64];
    struct fake *f = fake_new();
    fake_select(f, name);
    *ret = fake_add(f, name, index);
    fake_run(f);
    snprintf(text, sizeof(text), "says listening on %s, sending to home:4789\n", name);
    fake_told(f, text);
    assert_true(fake_stream_of(f, name)->ring);
    return f;
}

static void vanishes_and_comes_back_as_another(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    const struct fake_stream *s = fake_stream_of(f, "eth0");
    fake_vanish(f, eth0);
    fake_told(f, "interface-gone eth0 is gone\n");
    assert_false(s->ring);
    fake_pass(f, 3600 * 1000);
    eth0 = fake_appear(f, "eth0", 12);
    fake_told(f, "interface-appeared eth0 is back (index 12, MTU 1500)\n"
                 "index-changed eth0 has index 12 now, before 7\n");
    assert_true(s->ring);
    fake_tell(f, eth0); /* once more: it is known */
    fake_told(f, "");
    assert_int_equal(s->rings, 2);
    assert_int_equal(f->streams, 1);
    assert_int_equal(f->all.n, 1);
    fake_done(f);
}

static void comes_back_in_another_form(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    fake_vanish(f, eth0);
    eth0 = fake_add(f, "eth0", 7);
    eth0->flags = 0;
    eth0->mtu = 9000;
    eth0->arphrd = ARPHRD_NONE;
    f->text[0] = '\0';
    fake_tell(f, eth0);
    fake_told(f, "interface-appeared eth0 is back (index 7, MTU 9000, down)\n"
                 "link-type-changed eth0 is of another kind now (ARPHRD 65534, before 1)\n"
                 "mtu-changed eth0 has MTU 9000 now, before 1500\n");
    assert_int_equal(fake_stream_of(f, "eth0")->linktype, PCAPNG_LINKTYPE_RAW);
    fake_done(f);
}

/* The kernel tells of the new one before it has told that the old one is gone. */
static void is_another_before_it_is_gone(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    eth0->index = 8;
    fake_tell(f, eth0);
    fake_told(f, "interface-appeared eth0 is back (index 8, MTU 1500)\n"
                 "index-changed eth0 has index 8 now, before 7\n");
    const struct netif old = {.index = 7};
    interfaces_hear(&f->all, IFWATCH_GONE, &old, f->now);
    fake_told(f, "");
    assert_true(fake_stream_of(f, "eth0")->ring);
    fake_done(f);
}

/* A message about another index that is older than the ring. */
static void an_old_message_changes_nothing(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    struct netif old = *eth0;
    old.index = 6;
    old.mtu = 1400;
    fake_tell(f, &old);
    fake_told(f, "");
    assert_int_equal(f->opens, 2);
    assert_int_equal(fake_stream_of(f, "eth0")->rings, 1);
    assert_int_equal(fake_interface(f, "eth0")->now.index, 7);
    assert_int_equal(fake_interface(f, "eth0")->now.mtu, 1500);
    fake_done(f);
}

static void goes_down_and_up(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    eth0->flags = 0;
    fake_tell(f, eth0);
    fake_told(f, "interface-down eth0 went down; capture goes on when it comes up again\n");
    fake_tell(f, eth0);
    fake_told(f, "");
    eth0->flags = IFF_UP;
    fake_tell(f, eth0);
    fake_told(f, "interface-up eth0 came up\n");
    assert_int_equal(fake_stream_of(f, "eth0")->rings, 1);
    fake_done(f);
}

static void changes_its_mtu(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    eth0->mtu = 9000;
    fake_tell(f, eth0);
    fake_told(f, "mtu-changed eth0 has MTU 9000 now, before 1500\n");
    fake_tell(f, eth0);
    fake_told(f, ""); /* once */
    assert_int_equal(fake_stream_of(f, "eth0")->rings, 1);
    fake_done(f);
}

/* Frames that begin in another way want another ring, and the collector is told. */
static void changes_its_type(void **state)
{
    (void)state;
    struct netif *tun0;
    struct fake *f = named("tun0", 7, &tun0);
    const struct fake_stream *s = fake_stream_of(f, "tun0");
    assert_int_equal(s->linktype, PCAPNG_LINKTYPE_ETHERNET);
    tun0->arphrd = ARPHRD_NONE;
    fake_tell(f, tun0);
    fake_told(f, "link-type-changed tun0 is of another kind now (ARPHRD 65534, before 1)\n");
    assert_true(s->ring);
    assert_int_equal(s->rings, 2);
    assert_int_equal(s->linktype, PCAPNG_LINKTYPE_RAW);
    assert_int_equal(s->arphrd, ARPHRD_NONE);
    tun0->arphrd = ARPHRD_IPGRE;
    tun0->flags = IFF_UP | IFF_POINTOPOINT;
    fake_tell(f, tun0);
    assert_int_equal(s->linktype, PCAPNG_LINKTYPE_LINUX_SLL);
    tun0->arphrd = ARPHRD_PPP;
    fake_tell(f, tun0);
    assert_int_equal(s->linktype, PCAPNG_LINKTYPE_LINUX_SLL);
    assert_int_equal(s->rings, 4);
    fake_done(f);
}

static void becomes_one_that_cannot_be_tapped(void **state)
{
    (void)state;
    struct netif *wlan0;
    struct fake *f = named("wlan0", 7, &wlan0);
    wlan0->arphrd = ARPHRD_IEEE80211;
    fake_tell(f, wlan0);
    fake_told(f,
              "link-type-changed wlan0 is of another kind now (ARPHRD 801, before 1)\n"
              "interface-not-tapped wlan0 is not tapped: wlan0: its frames have headers of their "
              "own kind (ARPHRD 801), for which there is no form as Ethernet\n");
    assert_false(fake_stream_of(f, "wlan0")->ring);
    fake_pass(f, 60000);
    fake_tell(f, wlan0);
    fake_told(f, ""); /* was said */
    wlan0->arphrd = ARPHRD_ETHER;
    fake_tell(f, wlan0);
    fake_told(f, "interface-appeared wlan0 is back (index 7, MTU 1500)\n"
                 "link-type-changed wlan0 is of another kind now (ARPHRD 1, before 801)\n");
    assert_true(fake_stream_of(f, "wlan0")->ring);
    fake_done(f);
}

static void is_renamed_and_gets_its_name_back(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    snprintf(eth0->name, sizeof(eth0->name), "lan");
    fake_tell(f, eth0);
    fake_told(f, "interface-renamed eth0 is called lan now\n");
    assert_false(fake_stream_of(f, "eth0")->ring);
    assert_int_equal(f->all.n, 1);
    snprintf(eth0->name, sizeof(eth0->name), "eth0");
    fake_tell(f, eth0);
    fake_told(f, "interface-appeared eth0 is back (index 7, MTU 1500)\n");
    assert_true(fake_stream_of(f, "eth0")->ring);
    fake_done(f);
}

/* With the old name there are the old observation point and its counts, with the new one others. */
static void is_renamed_to_what_a_pattern_matches(void **state)
{
    (void)state;
    struct fake *f = fake_new();
    fake_select(f, "veth*");
    struct netif *link = fake_add(f, "veth1", 7);
    fake_run(f);
    fake_told(f, "interface-appeared veth1 is there and tapped (index 7, MTU 1500)\n");
    snprintf(link->name, sizeof(link->name), "veth2");
    fake_tell(f, link);
    fake_told(f, "interface-renamed veth1 is called veth2 now\n"
                 "interface-appeared veth2 is there and tapped (index 7, MTU 1500)\n");
    assert_false(fake_stream_of(f, "veth1")->ring);
    assert_true(fake_stream_of(f, "veth2")->ring);
    assert_int_equal(f->streams, 2);
    fake_done(f);
}

static void is_opened_again_after_a_failure(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    fake_vanish(f, eth0);
    f->text[0] = '\0';
    f->open_error = -ENOMEM;
    eth0 = fake_appear(f, "eth0", 8);
    fake_told(f, "interface-not-tapped eth0 is not tapped: eth0 cannot be opened\n");
    assert_int_equal(f->opens, 2);
    fake_tell(f, eth0); /* which is no reason to try earlier */
    fake_pass(f, 9999);
    assert_int_equal(f->opens, 2);
    fake_pass(f, 1);
    assert_int_equal(f->opens, 3);
    fake_told(f, "interface-not-tapped eth0 is not tapped: eth0 cannot be opened\n");
    f->open_error = 0;
    fake_pass(f, 10000);
    fake_told(f, "interface-appeared eth0 is back (index 8, MTU 1500)\n"
                 "index-changed eth0 has index 8 now, before 7\n");
    fake_pass(f, 10000);
    assert_int_equal(f->opens, 4);
    fake_done(f);
}

/* Its former rings have not been given up yet: nobody need hear of that. */
static void is_opened_soon_when_rings_are_in_use(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    fake_vanish(f, eth0);
    f->text[0] = '\0';
    f->open_error = -EAGAIN;
    fake_appear(f, "eth0", 8);
    fake_pass(f, 499);
    assert_int_equal(f->opens, 2);
    fake_told(f, "");
    f->open_error = 0;
    fake_pass(f, 1);
    assert_true(fake_stream_of(f, "eth0")->ring);
    fake_done(f);
}

/* It was there when the kernel spoke, and is not any more. */
static void is_gone_again_before_it_is_opened(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    struct netif told = *eth0;
    fake_vanish(f, eth0);
    f->text[0] = '\0';
    told.index = 8;
    fake_tell(f, &told);
    fake_told(f, "");
    fake_pass(f, 60000);
    assert_int_equal(f->opens, 2); /* the kernel will tell of the next */
    fake_appear(f, "eth0", 9);
    fake_told(f, "interface-appeared eth0 is back (index 9, MTU 1500)\n"
                 "index-changed eth0 has index 9 now, before 7\n");
    fake_done(f);
}

/* A capture whose thread is stuck takes no ring. */
static void a_ring_that_is_not_taken_is_tried_again(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    fake_vanish(f, eth0);
    f->ring_error = -EAGAIN;
    fake_appear(f, "eth0", 8);
    assert_false(fake_interface(f, "eth0")->there);
    f->ring_error = 0;
    fake_pass(f, 500);
    assert_true(fake_interface(f, "eth0")->there);
    assert_true(fake_stream_of(f, "eth0")->ring);
    fake_done(f);
}

/* Each change of the tunnel is a filter for those that are there; the flow before stays in it. */
static void leaves_the_tunnel_out(void **state)
{
    (void)state;
    struct netif *eth0;
    const struct ether_flow a = {.family = 2, .port = {1, 2}, .addr = {{1}, {2}}};
    const struct ether_flow b = {.family = 2, .port = {3, 2}, .addr = {{3}, {2}}};
    struct fake *f = named("eth0", 7, &eth0);
    const struct fake_stream *s = fake_stream_of(f, "eth0");
    f->select.take_links = true;
    unsigned before = s->filters;
    interfaces_flow(&f->all, &a);
    assert_int_equal(s->filters, before + 1);
    assert_false(f->all.room.has_former);
    interfaces_flow(&f->all, &b);
    assert_true(f->all.room.has_former);
    assert_memory_equal(&f->all.room.former, &a, sizeof(a));
    assert_memory_equal(&f->all.room.flow, &b, sizeof(b));
    interfaces_flow(&f->all, NULL);
    assert_memory_equal(&f->all.room.former, &b, sizeof(b));
    assert_int_equal(s->filters, before + 3);
    fake_told(f, "");
    fake_vanish(f, eth0);
    interfaces_flow(&f->all, &a);
    assert_int_equal(s->filters, before + 3);
    fake_done(f);
}

/* A program that the tunnel's flow does not fit into is said. */
static void a_filter_that_cannot_be_is_said(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    f->select.take_links = true;
    interfaces_flow(&f->all, &(struct ether_flow){.family = 2}); /* no remote side */
    assert_memory_equal(f->text, "says eth0: ", strlen("says eth0: "));
    fake_done(f);
}

/* Events of a capture, which found that frames come because frames were sent, or of its stages. */
static void tells_what_its_capture_tells(void **state)
{
    (void)state;
    struct netif *eth0;
    struct fake *f = named("eth0", 7, &eth0);
    struct fake_stream *s = fake_stream_of(f, "eth0");
    interfaces_tell(&f->all);
    fake_told(f, "");
    s->told = (struct history_event){.kind = HISTORY_AMPLIFIED, .words = "frames come"};
    interfaces_tell(&f->all);
    fake_told(f, "amplification eth0 frames come\n");
    interfaces_tell(&f->all);
    fake_told(f, "");
    s->told = (struct history_event){.kind = HISTORY_STAGE, .words = "100%s of them"};
    interfaces_tell(&f->all);
    fake_told(f, "stage eth0 100%s of them\n");
    fake_done(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vanishes_and_comes_back_as_another),
        cmocka_unit_test(comes_back_in_another_form),
        cmocka_unit_test(is_another_before_it_is_gone),
        cmocka_unit_test(an_old_message_changes_nothing),
        cmocka_unit_test(goes_down_and_up),
        cmocka_unit_test(changes_its_mtu),
        cmocka_unit_test(changes_its_type),
        cmocka_unit_test(becomes_one_that_cannot_be_tapped),
        cmocka_unit_test(is_renamed_and_gets_its_name_back),
        cmocka_unit_test(is_renamed_to_what_a_pattern_matches),
        cmocka_unit_test(is_opened_again_after_a_failure),
        cmocka_unit_test(is_opened_soon_when_rings_are_in_use),
        cmocka_unit_test(is_gone_again_before_it_is_opened),
        cmocka_unit_test(a_ring_that_is_not_taken_is_tried_again),
        cmocka_unit_test(leaves_the_tunnel_out),
        cmocka_unit_test(a_filter_that_cannot_be_is_said),
        cmocka_unit_test(tells_what_its_capture_tells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
