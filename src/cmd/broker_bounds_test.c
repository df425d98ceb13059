/* SPDX-License-Identifier: Apache-2.0
 *
 * How much the two brokers hand out, to an engine that asks for as much as it can: the handlers of
 * their tables, called as sys/broker.h calls them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/collector.h"
#include "cmd/tap.h"
#include "sys/test_net.h"

static int ask(const struct broker_request *q, void *ctx, const char *text, size_t len,
               struct broker_reply *ret)
{
    uint8_t args[BROKER_ARGS_MAX] = {0};
    memcpy(args, text, strlen(text));
    *ret = (struct broker_reply){.fd = -1};
    return q->handle(ctx, args, len, ret);
}

static void rings_of_an_interface(void **state)
{
    (void)state;
    static struct tap_conf c = {
        .word = {{"va", false}, {"vb", false}}, .n_words = 2, .ring_bytes = 1 << 20};
    const struct broker_request *q = &tap_requests[TAP_OPEN_RING];
    struct broker_reply r;
    int fd[RING_LIST_EACH];
    for (int i = 0; i < RING_LIST_EACH; i++) {
        assert_int_equal(ask(q, &c, "va", 16, &r), 0);
        fd[i] = r.fd;
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(q, &c, "va", 16, &r), -EAGAIN);
        assert_int_equal(r.fd, -1);
    }
    assert_int_equal(ask(q, &c, "vb", 16, &r), 0);
    close(r.fd);
    close(fd[0]);
    assert_int_equal(ask(q, &c, "va", 16, &r), 0);
    close(r.fd);
    close(fd[1]);
}

static void devices_for_taps(void **state)
{
    (void)state;
    static struct collector c = {.conf.device = "n-%t", .one_each = true};
    const struct broker_request *q = &collector_requests[COLLECTOR_DEVICE];
    struct broker_reply r;
    for (unsigned i = 0; i < COLLECTOR_DEVICES; i++) {
        c.made[i] = index_of("va"); /* what is there */
    }
    c.n_made = COLLECTOR_DEVICES;
    assert_int_equal(ask(q, &c, "one", 3, &r), -ENOSPC);
    assert_string_equal(r.err.text, "there are 4096 devices for taps already");
    assert_int_equal(r.fd, -1);
    c.made[7] = 99999; /* what is gone */
    assert_int_equal(ask(q, &c, "one", 3, &r), 0);
    assert_int_equal(c.n_made, COLLECTOR_DEVICES);
    assert_int_equal(c.made[COLLECTOR_DEVICES - 1], index_of("n-one"));
    close(r.fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_of_an_interface),
        cmocka_unit_test(devices_for_taps),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
