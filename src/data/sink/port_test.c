/* SPDX-License-Identifier: Apache-2.0
 *
 * A port on a pair of interfaces in a network namespace of the test's own: each frame is out, or
 * counted by its reason.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "data/output_list.h"
#include "data/sink/port.h"
#include "sys/test_net.h"

static struct port_wish *read_wish(const char *text)
{
    struct error err = {""};
    void *own = NULL;
    if (port_output_read(text, &own, &err) < 0) {
        fail_msg("%s", err.text);
    }
    return own;
}

/* A port whose socket has room for so many bytes; 0: as it comes. */
static struct sink *port_with(const char *name, int send_buffer)
{
    struct error err = {""};
    struct sink *s = NULL;
    struct port_wish *w = read_wish(name);
    struct output_wish wish = {.kind = OUTPUT_PORT, .name = name, .own = w, .fd = -1};
    if (port_output_open(w, NULL, &wish.fd, &err) < 0) {
        fail_msg("%s", err.text);
    }
    if (send_buffer > 0) {
        assert_int_equal(setsockopt(wish.fd, SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof(int)),
                         0);
    }
    if (port_output(&wish, &s, &err) < 0) {
        fail_msg("%s", err.text);
    }
    if (!s) {
        abort();
    }
    const struct point_offer point = {.index = 1, .tap = "web", .ifname = "eth0"};
    assert_int_equal(s->ops->point_add(s, &point, &err), 0);
    assert_int_equal(port_sink_ifindex(s), index_of(name));
    free(w);
    return s;
}

static struct sink *port_on(const char *name)
{
    return port_with(name, 0);
}

static uint64_t count(struct sink *s, enum ledger_id id)
{
    return ledger_get(sink_ledger(s, 1), id);
}

/* Frames of that length, so many of them; afterwards none is in flight. */
static void give(struct sink *s, unsigned n, uint32_t len)
{
    static const uint8_t bytes[2000] = {2, 0, 0, 0, 0, 1};
    static struct batch b;
    for (unsigned left = n; left > 0; left -= b.n) {
        b.n = left < BATCH_MAX ? left : BATCH_MAX;
        for (uint32_t i = 0; i < b.n; i++) {
            b.f[i] = (struct frame){
                .data = bytes, .datalen = len, .caplen = len, .origlen = len, .point = 1};
        }
        s->ops->write(s, &b);
    }
    assert_int_equal(ledger_sum(sink_ledger(s, 1), NULL, LEDGER_SINK).in_flight, 0);
}

static void each_frame_is_out_or_counted(void **state)
{
    (void)state;
    struct sink *s = port_on("va");
    give(s, 1000, 60);
    assert_int_equal(count(s, LEDGER_SINK_OUT), 1000);
    assert_int_equal(count(s, LEDGER_SINK_BYTES), 60000);
    give(s, 3, 13);
    assert_int_equal(count(s, LEDGER_SINK_SHORT), 3);
    sh("ip link set va mtu 1500"); /* of which nobody has told the port */
    give(s, 300, 1515);
    assert_int_equal(count(s, LEDGER_SINK_LONG), 300);
    assert_int_equal(s->ops->missed_mtu(s), 1501);
    assert_int_equal(s->ops->missed_mtu(s), 0);
    port_sink_tell(s, PORT_UP, 1500);
    give(s, 2, 1516);
    give(s, 2, 1514);
    assert_int_equal(s->ops->missed_mtu(s), 1502);
    assert_int_equal(count(s, LEDGER_SINK_LONG), 302);
    assert_int_equal(count(s, LEDGER_SINK_OUT), 1002);
    assert_int_equal(count(s, LEDGER_SINK_IN), 1305 + 2);
    s->ops->free(s);
    sh("ip link set va mtu 9000");
}

/* A queue before the interface that holds back more frames than the ring has places, whether the
 * socket's room or the ring's is at its end first: none is lost. */
static void a_slow_interface_is_waited_for(void **state)
{
    (void)state;
    enum { FRAMES = 1500 };
    static const int buffer[] = {0, 8 << 20};
    for (size_t i = 0; i < ARRAY_SIZE(buffer); i++) {
        struct sink *s = port_with("va", buffer[i]);
        sh("tc qdisc add dev va root tbf rate 2mbit burst 2000 limit 1000000");
        give(s, FRAMES, 60);
        sh("tc qdisc del dev va root");
        assert_int_equal(count(s, LEDGER_SINK_ERROR), 0);
        assert_int_equal(count(s, LEDGER_SINK_OUT), FRAMES);
        s->ops->free(s);
    }
}

static void states_have_words_and_reasons(void **state)
{
    (void)state;
    static const struct {
        enum port_state state;
        enum ledger_id why;
        const char *words;
    } cases[] = {{PORT_NO_CARRIER, LEDGER_SINK_CARRIER, "va has no carrier"},
                 {PORT_DOWN, LEDGER_SINK_CARRIER, "va is down"},
                 {PORT_GONE, LEDGER_SINK_GONE, "va is not there"}};
    struct sink *s = port_on("va");
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct error err = {""};
        uint64_t before = count(s, cases[i].why);
        port_sink_tell(s, cases[i].state, 0);
        give(s, 5, 60);
        assert_int_equal(count(s, cases[i].why), before + 5);
        assert_int_equal(s->ops->check(s, &err), -ENETDOWN);
        assert_string_equal(err.text, cases[i].words);
    }
    port_sink_tell(s, PORT_UP, 9000);
    give(s, 5, 60);
    assert_int_equal(s->ops->check(s, NULL), 0);
    assert_int_equal(count(s, LEDGER_SINK_OUT), 5);
    s->ops->free(s);
}

/* The kernel knows it before anybody tells; and another socket brings it back. */
static void an_interface_goes_and_comes(void **state)
{
    (void)state;
    struct error err = {""};
    int fd = -1;
    sh("ip link add wa type veth peer name wb && ip link set wa up && ip link set wb up");
    struct sink *s = port_on("wa");
    give(s, 10, 60);
    sh("ip link set wa down");
    give(s, 10, 60);
    assert_int_equal(count(s, LEDGER_SINK_CARRIER), 10);
    sh("ip link del wa");
    give(s, 10, 60);
    assert_int_equal(count(s, LEDGER_SINK_GONE), 10);
    sh("ip link add wa type veth peer name wb && ip link set wa up && ip link set wb up");
    assert_int_equal(port_output_open(port_sink_wish(s), NULL, &fd, &err), 0);
    assert_int_equal(port_sink_renew(s, fd, &err), 0);
    give(s, 10, 60);
    assert_int_equal(count(s, LEDGER_SINK_OUT), 20);
    s->ops->free(s);
    sh("ip link del wa");
}

static void names_that_may_be_ports(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } wrong[] = {{"", "\"\" is no interface's name"},
                 {"a/b", "\"a/b\" is no interface's name"},
                 {"0123456789abcdef", "an interface's name has at most 15 characters"},
                 {"va,", "\"\" is no setting of a port, but \"force\" is"},
                 {"va,forced", "\"forced\" is no setting of a port, but \"force\" is"}};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct error err = {""};
        void *own = NULL;
        assert_int_equal(port_output_read(wrong[i].text, &own, &err), -EINVAL);
        assert_string_equal(err.text, wrong[i].says);
    }
    sh("ip link add da type veth peer name db && ip addr add 10.9.9.9/24 dev da");
    sh("ip link add fa type veth peer name fb && ip -6 addr add fe80::1/64 dev fa");
    static const struct {
        const char *text;
        int r;
    } cases[] = {{"va", 0}, {"da", -EADDRINUSE}, {"da,force", 0}, {"fa", 0}, {"none0", -ENODEV}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct port_wish *w = read_wish(cases[i].text);
        struct netif n;
        assert_int_equal(port_check(w, &n, NULL), cases[i].r);
        free(w);
    }
    sh("ip link del da && ip link del fa");
}

static void lists_of_outputs(void **state)
{
    (void)state;
    struct output_list l = {0};
    struct error err = {""};
    char name[16];
    for (unsigned i = 0; i < OUTPUT_LIST_MAX; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        assert_int_equal(output_list_add(&l, name, &err), 0);
        assert_int_equal(l.spec[i].kind, OUTPUT_PORT);
        assert_string_equal(l.spec[i].text, name);
    }
    assert_int_equal(output_list_add(&l, "p8", &err), -EINVAL);
    assert_string_equal(err.text, "at most 8 outputs");
    assert_int_equal(l.n, OUTPUT_LIST_MAX);
    output_list_done(&l);
    assert_int_equal(output_list_add(&l, "p1", &err), 0);
    assert_int_equal(output_list_add(&l, "p1", &err), -EINVAL);
    assert_string_equal(err.text, "it is there twice");
    assert_int_equal(output_list_add(&l, "p1,x", &err), -EINVAL);
    assert_string_equal(err.text, "\"x\" is no setting of a port, but \"force\" is "
                                  "(INTERFACE[,force])");
    assert_int_equal(l.n, 1);
    output_list_done(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_frame_is_out_or_counted),
        cmocka_unit_test(a_slow_interface_is_waited_for),
        cmocka_unit_test(states_have_words_and_reasons),
        cmocka_unit_test(an_interface_goes_and_comes),
        cmocka_unit_test(names_that_may_be_ports),
        cmocka_unit_test(lists_of_outputs),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
