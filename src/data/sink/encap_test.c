/* SPDX-License-Identifier: Apache-2.0
 *
 * Tunnels as users name them, and a sink on a socket that takes packets or refuses them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/time.h"
#include "data/output_list.h"
#include "data/sink/encap.h"
#include "data/sink/plain.h"

static const struct {
    const char *text, *address;
    enum output_kind output;
    struct encap tunnel;
    enum encap_oversize oversize;
} tunnels[] = {
    {"vxlan://192.0.2.1/77",
     "192.0.2.1:0",
     OUTPUT_VXLAN,
     {ENCAP_VXLAN, 77, true, 4789},
     ENCAP_SLICE},
    {"vxlan://192.0.2.1:8472/0",
     "192.0.2.1:0",
     OUTPUT_VXLAN,
     {ENCAP_VXLAN, 0, true, 8472},
     ENCAP_SLICE},
    {"vxlan://[2001:db8::1]:1/16777215,oversize=drop",
     "[2001:db8::1]:0",
     OUTPUT_VXLAN,
     {ENCAP_VXLAN, ENCAP_VNI_MAX, true, 1},
     ENCAP_DROP},
    {"vxlan://2001:db8::1/5",
     "[2001:db8::1]:0",
     OUTPUT_VXLAN,
     {ENCAP_VXLAN, 5, true, 4789},
     ENCAP_SLICE},
    {"gre://192.0.2.1", "192.0.2.1:0", OUTPUT_GRE, {ENCAP_GRE, 0, false, 4789}, ENCAP_SLICE},
    {"gre://[2001:db8::1]/4294967295,oversize=slice",
     "[2001:db8::1]:0",
     OUTPUT_GRE,
     {ENCAP_GRE, UINT32_MAX, true, 4789},
     ENCAP_SLICE},
    {"erspan://192.0.2.1/1023",
     "192.0.2.1:0",
     OUTPUT_ERSPAN,
     {ENCAP_ERSPAN, 1023, true, 4789},
     ENCAP_SLICE},
    {"erspan3://192.0.2.1/1,oversize=fragment",
     "192.0.2.1:0",
     OUTPUT_ERSPAN3,
     {ENCAP_ERSPAN3, 1, true, 4789},
     ENCAP_FRAGMENT},
};

static void words_of_tunnels(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(tunnels) / sizeof(tunnels[0]); i++) {
        struct output_list l = {0};
        struct error err = {""};
        char text[UDP_ADDR_TEXT];
        if (output_list_add(&l, tunnels[i].text, &err) < 0) {
            fail_msg("%s: %s", tunnels[i].text, err.text);
        }
        const struct encap_wish *w = l.spec[0].own;
        udp_addr_text(&w->to, text);
        assert_string_equal(text, tunnels[i].address);
        assert_int_equal(l.spec[0].kind, tunnels[i].output);
        assert_int_equal(w->tunnel.kind, tunnels[i].tunnel.kind);
        assert_int_equal(w->tunnel.id, tunnels[i].tunnel.id);
        assert_int_equal(w->tunnel.has_key, tunnels[i].tunnel.has_key);
        assert_int_equal(w->tunnel.port, tunnels[i].tunnel.port);
        assert_int_equal(w->oversize, tunnels[i].oversize);
        output_list_done(&l);
    }
}

/* Names are looked up when the output is opened; what is not a whole address is no name. */
static void words_of_hosts(void **state)
{
    (void)state;
    static const char *const names[] = {
        "a", "probe.example.org", "probe.example.org.", "x-1_y.4.z", "3com", "PROBE"};
    static const char *const others[] = {
        "192.0.2", "192.0.2.1.1", "1234", "0x7f.1", "-a",          "a.-b", "a..b",         ".a",
        ".",       "a b",         "a/b",  "a,b",    "h\xc3\xb6st", "a.1",  "fe80::1%none0"};
    char text[400], label[65];
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct encap_wish w;
        struct error err = {""};
        assert_int_equal(encap_wish_read(ENCAP_GRE, names[i], &w, &err), 0);
        assert_string_equal(w.host, names[i]);
        assert_int_equal(w.to.len, 0);
        snprintf(text, sizeof(text), "%s:1234/7", names[i]);
        assert_int_equal(encap_wish_read(ENCAP_VXLAN, text, &w, &err), 0);
        assert_string_equal(w.host, names[i]);
        assert_int_equal(w.tunnel.port, 1234);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct encap_wish w;
        if (encap_wish_read(ENCAP_GRE, others[i], &w, NULL) != -EINVAL) {
            fail_msg("\"%s\" is a host's name", others[i]);
        }
    }
    memset(label, 'a', sizeof(label));
    for (int n = 63; n <= 64; n++) {
        struct encap_wish w;
        snprintf(text, sizeof(text), "%.*s.b", n, label);
        assert_int_equal(encap_wish_read(ENCAP_GRE, text, &w, NULL), n == 63 ? 0 : -EINVAL);
        snprintf(text, sizeof(text), "%.62s.%.62s.%.62s.%.*s", label, label, label, n + 1, label);
        assert_int_equal(encap_wish_read(ENCAP_GRE, text, &w, NULL), -EINVAL);
    }
}

static void words_that_are_none(void **state)
{
    (void)state;
    static const struct {
        enum encap_kind kind;
        const char *text, *says;
    } cases[] = {
        {ENCAP_VXLAN, "", "\"\" is neither an address nor a host's name"},
        {ENCAP_VXLAN, "/1", "\"\" is neither an address nor a host's name"},
        {ENCAP_VXLAN, "192.0.2.1", "the VNI is missing"},
        {ENCAP_VXLAN, "192.0.2.1/", "the VNI: \"\" is not a whole number"},
        {ENCAP_VXLAN, "192.0.2.1/16777216", "the VNI: 16777216 is not between 0 and 16777215"},
        {ENCAP_VXLAN, "[2001:db8::1/1", "\"[2001:db8::1\" is neither an address nor a host's name"},
        {ENCAP_GRE, "192.0.2.1:1/1", "\"192.0.2.1:1\" is neither an address nor a host's name"},
        {ENCAP_GRE, "192.0.2.1/4294967296", "the key: 4294967296 is not between 0 and 4294967295"},
        {ENCAP_ERSPAN, "192.0.2.1/1024", "the session: 1024 is not between 0 and 1023"},
        {ENCAP_ERSPAN, "192.0.2.1/1,",
         "\"\" is no setting of a tunnel, but \"oversize=slice\", \"oversize=drop\" and "
         "\"oversize=fragment\" are"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct encap_wish w;
        struct error err = {""};
        if (encap_wish_read(cases[i].kind, cases[i].text, &w, &err) != -EINVAL &&
            !strstr(cases[i].says, "between")) {
            fail_msg("%s is read", cases[i].text);
        }
        assert_string_equal(err.text, cases[i].says);
    }
}

/* A sink whose packets go through a pair of sockets, which has no IP header and no MTU. */
static void counts_are_by_what_the_kernel_says(void **state)
{
    (void)state;
    static uint8_t bytes[2000] = {2, 0, 0, 0, 0, 1}, got[3000];
    struct encap_wish w;
    struct error err = {""};
    struct sink *s = NULL;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(encap_wish_read(ENCAP_GRE, "192.0.2.1,oversize=drop", &w, &err), 0);
    assert_int_equal(encap_sink_new(&w, "gre://192.0.2.1", pair[0], &s, &err), 0);
    const struct point_offer point = {.index = 1, .tap = "web", .ifname = "eth0"};
    assert_int_equal(s->ops->point_add(s, &point, &err), 0);
    const struct ledger *l = sink_ledger(s, 1);
    struct batch b = {.n = 3};
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t len = i == 1 ? 13 : 60;
        b.f[i] =
            (struct frame){.data = bytes, .datalen = len, .caplen = len, .point = i == 2 ? 5 : 1};
    }
    s->ops->write(s,
                  &b); /* one that fits, one that is too short, one of a point that is not there */
    assert_int_equal(ledger_get(l, LEDGER_SINK_IN), 2);
    assert_int_equal(ledger_get(l, LEDGER_SINK_OUT), 1);
    assert_int_equal(ledger_get(l, LEDGER_SINK_SHORT), 1);
    assert_int_equal(ledger_get(l, LEDGER_SINK_BYTES), 60);
    assert_int_equal(recv(pair[1], got, sizeof(got), 0), 64);
    assert_memory_equal(got, "\0\0\x65\x58\2\0\0\0\0\1", 10);
    assert_int_equal(s->ops->check(s, &err), 0);
    close(pair[1]);
    b.n = 1;
    s->ops->write(s, &b);
    assert_int_equal(ledger_get(l, LEDGER_SINK_ERROR), 1);
    assert_int_equal(s->ops->check(s, &err), -ENETDOWN);
    assert_memory_equal(err.text, "frames do not leave: ", 21);
    assert_int_equal(ledger_sum(l, NULL, LEDGER_SINK).in_flight, 0);
    s->ops->free(s);
}

/* Between two tries of what a socket does not take now: a thread that did not wait would spin. */
static void a_wait_takes_time(void **state)
{
    (void)state;
    const struct mono from = mono_now();
    plain_wait();
    assert_true(mono_diff(mono_now(), from) >= NSEC_PER_MSEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_takes_time),
        cmocka_unit_test(words_of_tunnels),
        cmocka_unit_test(words_of_hosts),
        cmocka_unit_test(words_that_are_none),
        cmocka_unit_test(counts_are_by_what_the_kernel_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
