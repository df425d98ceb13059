/* SPDX-License-Identifier: Apache-2.0
 *
 * Ids against the examples of RFC 9562, and texts that are none.
 */
#include "model/uuid.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* RFC 9562, appendix A.6. */
static void test_version_7(void **state)
{
    static const uint8_t random[UUID_RANDOM] = {0xfc, 0xc3, 0x18, 0xc4, 0xdc,
                                                0x0c, 0x0c, 0x07, 0x39, 0x8f};
    uint8_t id[UUID_BYTES];
    char text[UUID_TEXT];
    (void)state;
    uuid_make(UINT64_C(0x017f22e279b0), random, id);
    uuid_text(id, text);
    assert_string_equal(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
}

/* Appendix B.2: the first bytes of a SHA-256. */
static void test_version_8(void **state)
{
    uint8_t hash[UUID_BYTES] = {0x5c, 0x14, 0x6b, 0x14, 0x3c, 0x52, 0x4a, 0xfd,
                                0x93, 0x8a, 0x37, 0x5d, 0x0d, 0xf1, 0xfb, 0xf6};
    uint8_t id[UUID_BYTES];
    char text[UUID_TEXT];
    (void)state;
    uuid_of_hash(hash, id);
    uuid_text(id, text);
    assert_string_equal(text, "5c146b14-3c52-8afd-938a-375d0df1fbf6");
    uuid_of_hash(hash, hash); /* in place */
    assert_memory_equal(hash, id, sizeof(id));
}

static void test_order_is_that_of_times(void **state)
{
    static const uint8_t most[UUID_RANDOM] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
    static const uint8_t least[UUID_RANDOM] = {0};
    uint8_t id[UUID_BYTES];
    char before[UUID_TEXT], after[UUID_TEXT];
    (void)state;
    uuid_make(UINT64_C(0xffffffff), most, id);
    uuid_text(id, before);
    assert_string_equal(before, "0000ffff-ffff-7fff-bfff-ffffffffffff");
    uuid_make(UINT64_C(0x100000000), least, id);
    uuid_text(id, after);
    assert_true(strcmp(before, after) < 0);
}

static void test_parse(void **state)
{
    static const char *const wrong[] = {
        "",
        "0199c1d2",
        "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a5",
        "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a555",
        "0199c1d27c1e-7a30-9f3e-0f2f6f0c1a5555",
        "0199c1d2-7c1e-7a30-9f3e_0f2f6f0c1a55",
        "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a5g",
        "{199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a5}",
        "../../../../../../../../../etc/passwd",
        "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a55\n",
    };
    uint8_t id[UUID_BYTES] = {0}, zeros[UUID_BYTES] = {0};
    char text[UUID_TEXT];
    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(uuid_parse(wrong[i], id), -EINVAL);
        assert_memory_equal(id, zeros, sizeof(id)); /* untouched */
    }
    assert_int_equal(uuid_parse("0199C1D2-7c1e-7A30-9F3E-0f2f6f0c1aFf", id), 0);
    uuid_text(id, text);
    assert_string_equal(text, "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1aff");
}

static void test_times_are_read_back(void **state)
{
    (void)state;
    static const uint64_t times[] = {0, 1, UINT64_C(1700000000000), (UINT64_C(1) << 48) - 1};
    const uint8_t random[UUID_RANDOM] = {0xff, 0xff, 0xff, 0xff, 0xff,
                                         0xff, 0xff, 0xff, 0xff, 0xff};
    uint8_t id[UUID_BYTES], hash[UUID_BYTES] = {1};
    for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
        uint64_t ms = 7;
        uuid_make(times[i], random, id);
        assert_int_equal(uuid_time(id, &ms), 0);
        assert_true(ms == times[i]);
    }
    uint64_t ms = 7;
    uuid_of_hash(hash, id);
    assert_int_equal(uuid_time(id, &ms), -EINVAL);
    assert_true(ms == 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_version_7),
        cmocka_unit_test(test_version_8),
        cmocka_unit_test(test_order_is_that_of_times),
        cmocka_unit_test(test_times_are_read_back),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
