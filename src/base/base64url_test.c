/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes as text in URLs: RFC 4648's vectors, all lengths there and back, and texts that are none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/base64url.h"
#include "base/cleanup.h"

static void vectors(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
        {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff", "-_8"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[16];
        base64url_put(cases[i][0], strlen(cases[i][0]), text);
        assert_string_equal(text, cases[i][1]);
    }
}

static void there_and_back(void **state)
{
    (void)state;
    uint8_t from[64], to[64];
    char text[BASE64URL_LEN(64) + 1];
    for (unsigned n = 0; n <= sizeof(from); n++) {
        for (unsigned i = 0; i < n; i++) {
            from[i] = (uint8_t)(i * 37 + n);
        }
        base64url_put(from, n, text);
        assert_int_equal(strlen(text), BASE64URL_LEN(n));
        assert_int_equal(base64url_get(text, strlen(text), to, n), n);
        assert_memory_equal(from, to, n);
    }
}

static void refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"A", "Zm9vY", "Zh", "Zm9", "Zg==", "Z g", "Zm/v", "Zm+v"};
    uint8_t to[8];
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        assert_int_equal(base64url_get(bad[i], strlen(bad[i]), to, sizeof(to)), -EINVAL);
    }
    assert_int_equal(base64url_get("Zm9v", 4, to, 2), -EMSGSIZE);
    assert_int_equal(base64url_get("Zg\0", 3, to, 8), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors),
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
