/* SPDX-License-Identifier: Apache-2.0
 *
 * A port among a collector's outputs, on a pair of interfaces in a network namespace of the test's
 * own: what the kernel tells of its interface is told to it and to people, once, and it gets
 * another socket when the name comes back. The broker is the test's own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <linux/capability.h>
#include <net/if.h>
#include <stdlib.h>

#include "data/link/listen/impl.h"
#include "data/sink/fake.h"
#include "data/sink/port.h"
#include "node/collector_requests.h"
#include "node/ports.h"
#include "sys/test_net.h"

enum {
    PORT = 1, /* the place of the port, behind that of another output, … */
    AT = 3,   /* … and its number in the list */
    UP = IFF_UP,
    RUNNING = IFF_UP | IFF_RUNNING,
};

static const struct port_wish wish = {.name = "wa"};
static struct broker *broker;

static int open_output(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    return len == 1 && *(const uint8_t *)args == AT
               ? port_output_open(&wish, NULL, &reply->fd, &reply->err)
               : -EINVAL;
}

static int nothing(void *ctx, const void *args, size_t len, struct broker_reply *reply)
{
    (void)ctx;
    (void)args;
    (void)len;
    (void)reply;
    return 0;
}

struct world {
    struct outputs outputs;
    struct output_spec spec[2];
    struct listener *listener;
    struct teller teller;
    struct ports ports;
    struct sink *port;
    char told[1024];
};

static void on_tell(void *user, const char *text)
{
    struct world *w = user;
    size_t used = strlen(w->told);
    snprintf(w->told + used, sizeof(w->told) - used, "%s\n", text);
}

static void assert_told(struct world *w, const char *what)
{
    assert_string_equal(w->told, what);
    w->told[0] = '\0';
}

static void add_pair(void)
{
    sh("ip link add wa mtu 1500 type veth peer name wb && ip link set wa up && ip link set wb up");
}

static void begin(struct world *w)
{
    const struct point_offer point = {.index = 1, .tap = "web", .ifname = "eth0"};
    struct error err = {""};
    int fd = -1;
    *w = (struct world){.spec = {{.kind = OUTPUT_GRE}, {.kind = OUTPUT_PORT}},
                        .teller = {on_tell, w}};
    add_pair();
    w->listener = calloc(1, sizeof(*w->listener));
    assert_non_null(w->listener);
    history_init(&w->listener->history, HISTORY_MAX);
    if (port_output_open(&wish, NULL, &fd, &err) < 0 ||
        port_sink_new(&wish, fd, &w->port, &err) < 0) {
        fail_msg("%s", err.text);
    }
    if (!w->port) {
        abort();
    }
    assert_int_equal(w->port->ops->point_add(w->port, &point, &err), 0);
    w->outputs.conf.teller = &w->teller;
    w->outputs.n = PORT + 1;
    w->outputs.place[0] = (struct output_place){.spec = &w->spec[0]};
    assert_int_equal(fake_sink_new("another", &w->outputs.place[0].sink), 0);
    w->outputs.place[PORT] = (struct output_place){.spec = &w->spec[1], .sink = w->port, .at = AT};
    w->ports = (struct ports){.outputs = &w->outputs,
                              .listener = w->listener,
                              .broker = broker,
                              .teller = &w->teller,
                              .watch = -1};
    assert_int_equal(ports_begin(&w->ports, &err), 0);
}

static void end(struct world *w)
{
    ports_end(&w->ports);
    sink_free(w->outputs.place[0].sink);
    sink_free(w->port);
    history_done(&w->listener->history);
    free(w->listener);
    sh("ip link del wa");
}

/* The kernel tells that there is an interface of that name. */
static void is(struct world *w, const char *name, int index, uint32_t flags, uint32_t mtu)
{
    struct netif link = {.index = index, .flags = flags, .mtu = mtu};
    snprintf(link.name, sizeof(link.name), "%s", name);
    ports_hear(&w->ports, IFWATCH_IS, &link);
}

static void gone(struct world *w, const char *name, int index)
{
    struct netif link = {.index = index};
    snprintf(link.name, sizeof(link.name), "%s", name);
    ports_hear(&w->ports, IFWATCH_GONE, &link);
}

static void assert_state(const struct world *w, const char *words)
{
    struct error err = {""};
    assert_int_equal(w->port->ops->check(w->port, &err), words[0] ? -ENETDOWN : 0);
    assert_string_equal(err.text, words);
}

/* A frame for the port; how many it has sent since. */
static uint64_t send_one(struct world *w, uint32_t len)
{
    static const uint8_t bytes[2000] = {2, 0, 0, 0, 0, 1};
    static struct batch b = {.n = 1};
    b.f[0] =
        (struct frame){.data = bytes, .datalen = len, .caplen = len, .origlen = len, .point = 1};
    w->port->ops->write(w->port, &b);
    return ledger_get(sink_ledger(w->port, 1), LEDGER_SINK_OUT);
}

static void each_state_is_told_once(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    const int wa = index_of("wa"), wb = index_of("wb");
    is(&w, "wa", wa, RUNNING, 1500);
    assert_told(&w, ""); /* as it was thought to be */
    is(&w, "wa", wa, UP, 1500);
    assert_told(&w, "wa has no carrier: its frames are dropped until it has one\n");
    assert_state(&w, "wa has no carrier");
    is(&w, "wa", wa, UP, 1500);
    is(&w, "wb", wb, RUNNING, 1500);
    gone(&w, "wc", wb + 100);
    assert_told(&w, "");
    assert_state(&w, "wa has no carrier");
    is(&w, "wa", wa, 0, 1500);
    assert_told(&w, "wa is down: its frames are dropped until it is up again\n");
    assert_state(&w, "wa is down");
    assert_int_equal(send_one(&w, 60), 0);
    is(&w, "wa", wa, RUNNING, 1500);
    assert_told(&w, "wa has a carrier again\n");
    assert_state(&w, "");
    assert_int_equal(send_one(&w, 60), 1);
    const struct history *h = &w.listener->history;
    assert_int_equal(h->n, 3);
    assert_int_equal(history_at(h, 1)->kind, HISTORY_OUTPUT_GONE);
    assert_int_equal(history_at(h, 2)->kind, HISTORY_OUTPUT_BACK);
    end(&w);
}

/* Another name for the interface, another interface of the name, and none. */
static void the_name_is_what_counts(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    int wa = index_of("wa");
    is(&w, "wz", wa, RUNNING, 1500);
    assert_told(&w, "wa is not there: its frames are dropped until it is again\n");
    assert_state(&w, "wa is not there");
    is(&w, "wa", wa, RUNNING, 1500);
    assert_told(&w, "wa has a carrier again\n");
    assert_int_equal(send_one(&w, 60), 1);
    sh("ip link del wa");
    add_pair();
    assert_int_not_equal(index_of("wa"), wa);
    wa = index_of("wa");
    is(&w, "wa", wa, RUNNING, 1500); /* that it was removed was not told */
    assert_told(&w, "wa is not there: its frames are dropped until it is again\n"
                    "wa has a carrier again\n");
    assert_int_equal(send_one(&w, 60), 2);
    gone(&w, "wa", wa);
    assert_told(&w, "wa is not there: its frames are dropped until it is again\n");
    gone(&w, "wa", wa);
    assert_told(&w, "");
    assert_int_equal(send_one(&w, 60), 2);
    is(&w, "wa", wa, UP, 1500);
    assert_told(&w, "wa has no carrier: its frames are dropped until it has one\n");
    end(&w);
}

/* An interface that others talk to at its address is no port: that is said once. */
static void one_that_is_no_port_any_more(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    const int wa = index_of("wa");
    gone(&w, "wa", wa);
    w.told[0] = '\0';
    sh("ip addr add 10.9.9.9/24 dev wa");
    is(&w, "wa", wa, RUNNING, 1500);
    static const char says[] = "wa is no port as it is now: wa has an address";
    assert_memory_equal(w.told, says, sizeof(says) - 1);
    w.told[0] = '\0';
    is(&w, "wa", wa, RUNNING, 1500);
    assert_told(&w, "");
    assert_state(&w, "wa is not there");
    sh("ip addr del 10.9.9.9/24 dev wa");
    is(&w, "wa", wa, RUNNING, 1500);
    assert_told(&w, "wa has a carrier again\n");
    sh("ip addr add 10.9.9.9/24 dev wa");
    gone(&w, "wa", wa);
    w.told[0] = '\0';
    is(&w, "wa", wa, RUNNING, 1500);
    assert_memory_equal(w.told, says, sizeof(says) - 1);
    end(&w);
}

static void one_that_is_too_narrow(void **state)
{
    (void)state;
    struct world w;
    begin(&w);
    const int wa = index_of("wa");
    const struct mono now = mono_now();
    is(&w, "wa", wa, RUNNING, 1500);
    ports_look(&w.ports, now);
    assert_told(&w, "");
    (void)send_one(&w, 1516);
    ports_look(&w.ports, now);
    assert_told(&w, "wa is too narrow for some frames: an MTU of 1502 would do\n");
    (void)send_one(&w, 1520);
    is(&w, "wa", wa, RUNNING, 1500);
    ports_look(&w.ports, now);
    assert_told(&w, ""); /* once for this MTU */
    is(&w, "wa", wa, RUNNING, 1400);
    (void)send_one(&w, 1515);
    ports_look(&w.ports, now);
    assert_told(&w, "wa is too narrow for some frames: an MTU of 1501 would do\n");
    end(&w);
}

static void lists_with_a_port(void **state)
{
    (void)state;
    struct output_list list = {.n = 1, .spec = {{.kind = OUTPUT_GRE}, {.kind = OUTPUT_PORT}}};
    assert_false(ports_wished(&list));
    list.n = 2;
    assert_true(ports_wished(&list));
}

int main(void)
{
    static const int caps[] = {CAP_NET_RAW};
    static const struct broker_request requests[] = {
        [COLLECTOR_DEVICE] = {"make a device", nothing, 0, 0},
        [COLLECTOR_ALLOW] = {"open the list of taps", nothing, 0, 0},
        [COLLECTOR_OUTPUT] = {"open an output", open_output, 1, 1},
    };
    static const struct broker_conf bc = {
        .requests = requests, .n_requests = ARRAY_SIZE(requests), .caps = caps, .n_caps = 1};
    struct error err = {""};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_state_is_told_once),
        cmocka_unit_test(the_name_is_what_counts),
        cmocka_unit_test(one_that_is_no_port_any_more),
        cmocka_unit_test(one_that_is_too_narrow),
        cmocka_unit_test(lists_with_a_port),
    };
    if (unshare(CLONE_NEWNET) < 0 || broker_start(&bc, &broker, &err) < 0) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    broker_free(broker);
    return failed;
}
