/* SPDX-License-Identifier: Apache-2.0
 *
 * The requests of an engine that was taken over about interfaces, the refusals of its broker, and
 * the decoder of an opened interface.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "node/tap_requests.h"

/* The answer of the broker of an interface, whole, cut anywhere, and with more behind it. */
static void decodes_what_was_opened(void **state)
{
    (void)state;
    static const uint8_t d[] = {0, 0, 1, 2, 0, 0,  16, 3, 0, 0, 5, 220,
                                0, 1, 0, 0, 0, 32, 0,  0, 2, 1, 9, 9};
    for (size_t len = 0; len <= sizeof(d); len++) {
        struct tapped o = {.index = 7};
        uint8_t *data = malloc(len + 1);
        memcpy(data + 1, d, len);
        assert_int_equal(tapped_decode(data + 1, len, &o), len < 22 ? -EBADMSG : 0);
        assert_int_equal(o.index, len < 22 ? 7 : 258);
        if (len >= 22) {
            assert_int_equal(o.flags, 0x1003);
            assert_int_equal(o.mtu, 1500);
            assert_int_equal(o.longest, 65536);
            assert_int_equal(o.ring_bytes, 2 << 20);
            assert_int_equal(o.arphrd, 513);
        }
        free(data);
    }
}

static void whose_device(void **state)
{
    (void)state;
    struct interface_grants g = {.select = NULL};
    const struct broker_request *q = &tap_requests[INTERFACE_OWN];
    const uint32_t indexes[] = {0, 1, INT32_MAX, UINT32_MAX};
    assert_int_equal(q->args_min, 4);
    assert_int_equal(q->args_max, 4);
    for (size_t i = 0; i < ARRAY_SIZE(indexes); i++) {
        struct broker_reply reply = {.fd = -1};
        uint8_t arg[4];
        st_u32(arg, indexes[i]);
        assert_int_equal(q->handle(&g, arg, sizeof(arg), &reply), 0);
        assert_int_equal(reply.len, 1);
        assert_int_equal(reply.data[0], 0);
        assert_int_equal(reply.fd, -1);
    }
}

/* An engine that was taken over asks for other interfaces, and gets none. */
static void no_ring_but_those_that_are_selected(void **state)
{
    (void)state;
    static const struct selection s = {.word = {{"va", NULL, false}, {"w*", "w*", false}},
                                       .n_words = 2};
    static struct interface_grants g = {.select = &s};
    const char names[][16] = {"", "vb", "v", "va2", "aw", "123456789012345"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct broker_reply reply = {.fd = -1};
        assert_int_equal(tap_requests[INTERFACE_OPEN_RING].handle(&g, names[i], 16, &reply),
                         -EINVAL);
        assert_int_equal(reply.fd, -1);
        assert_string_not_equal(reply.err.text, "");
    }
    struct broker_reply reply = {.fd = -1};
    const char unterminated[16] = {'w', 'w', 'w', 'w', 'w', 'w', 'w', 'w',
                                   'w', 'w', 'w', 'w', 'w', 'w', 'w', 'w'};
    assert_int_equal(tap_requests[INTERFACE_OPEN_RING].handle(&g, unterminated, 16, &reply),
                     -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_what_was_opened),
        cmocka_unit_test(whose_device),
        cmocka_unit_test(no_ring_but_those_that_are_selected),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
