/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/tap.h"

/* What the broker gave of an interface, whole, cut anywhere, and with more behind it. */
static void decodes_what_was_opened(void **state)
{
    (void)state;
    static const uint8_t d[] = {0, 0, 1, 2, 0, 0,  16, 3, 0, 0, 5, 220,
                                0, 1, 0, 0, 0, 32, 0,  0, 2, 1, 9, 9};
    for (size_t len = 0; len <= sizeof(d); len++) {
        struct tap_opened o = {.index = 7};
        uint8_t *data = malloc(len + 1);
        memcpy(data + 1, d, len);
        assert_int_equal(tap_opened_decode(data + 1, len, &o), len < 22 ? -EBADMSG : 0);
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

/* Which argument of -i an interface's name belongs to: the broker opens no other. */
static void words_match(void **state)
{
    (void)state;
    struct tap_conf c = {
        .word = {{"veth*", "veth*", false}, {"eth0", NULL, false}, {"*[0-9]", "*[0-9]", false}},
        .n_words = 3};
    assert_ptr_equal(tap_word_for(&c, "eth0"), &c.word[1]);
    assert_ptr_equal(tap_word_for(&c, "veth7"), &c.word[0]);
    assert_ptr_equal(tap_word_for(&c, "wg3"), &c.word[2]);
    assert_null(tap_word_for(&c, "lo"));
    assert_null(tap_word_for(&c, ""));
    c.word[c.n_words++] = (struct tap_word){"any", "*", true};
    assert_ptr_equal(tap_word_for(&c, "lo"), &c.word[3]);
    assert_ptr_equal(tap_word_for(&c, "eth0"), &c.word[1]);
}

/* The memory for patterns is shared; few interfaces get no more than a named one has. */
static void rings_share_the_memory(void **state)
{
    (void)state;
    for (unsigned n = 0; n <= TAP_INTERFACES; n++) {
        uint32_t share = tap_ring_share(n);
        assert_in_range(share, TAP_PATTERN_RING_MIN, RING_BYTES_DEFAULT);
        assert_true(share == TAP_PATTERN_RING_MIN ||
                    (uint64_t)share * n <= (uint64_t)TAP_PATTERN_RINGS);
    }
    assert_int_equal(tap_ring_share(1), RING_BYTES_DEFAULT);
    assert_int_equal(tap_ring_share(16), TAP_PATTERN_RINGS / 16);
    assert_int_equal(tap_ring_share(TAP_INTERFACES), TAP_PATTERN_RING_MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decodes_what_was_opened),
        cmocka_unit_test(words_match),
        cmocka_unit_test(rings_share_the_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
