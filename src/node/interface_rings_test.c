/* SPDX-License-Identifier: Apache-2.0
 *
 * How much the broker hands out to an engine that asks for as much as it can.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/tap_requests.h"
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
    static const struct selection s = {
        .word = {{"va", NULL, false}, {"vb", NULL, false}}, .n_words = 2, .ring_bytes = 1 << 20};
    static struct interface_grants g = {.select = &s};
    const struct broker_request *q = &tap_requests[INTERFACE_OPEN_RING];
    struct broker_reply r;
    int fd[RING_LIST_EACH];
    for (int i = 0; i < RING_LIST_EACH; i++) {
        assert_int_equal(ask(q, &g, "va", 16, &r), 0);
        fd[i] = r.fd;
    }
    for (int i = 0; i < 5; i++) {
        assert_int_equal(ask(q, &g, "va", 16, &r), -EAGAIN);
        assert_int_equal(r.fd, -1);
    }
    assert_int_equal(ask(q, &g, "vb", 16, &r), 0);
    close(r.fd);
    close(fd[0]);
    assert_int_equal(ask(q, &g, "va", 16, &r), 0);
    close(r.fd);
    close(fd[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rings_of_an_interface),
    };
    return cmocka_run_group_tests(tests, own_namespace, NULL);
}
