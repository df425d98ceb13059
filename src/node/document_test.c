/* SPDX-License-Identifier: Apache-2.0
 *
 * A document's numbers up to 2^64-1, and its texts, which are clean whatever was said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "node/document.h"

static void assert_text(const json_t *doc, const char *want)
{
    char *text = document_text(doc, JSON_COMPACT);
    assert_string_equal(text, want);
    free(text);
}

/* As numbers, to the last digit, and the same when they are read and written again. */
static void numbers_of_64_bits(void **state)
{
    (void)state;
    static const uint64_t values[] = {0,
                                      1,
                                      INT64_MAX,
                                      (uint64_t)INT64_MAX + 1,
                                      9999999999999999999U,
                                      10000000000000000000U,
                                      UINT64_MAX - 1,
                                      UINT64_MAX};
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        char want[64];
        json_t *o = json_object();
        document_set(o, "n", values[i]);
        snprintf(want, sizeof(want), "{\"n\":%llu}", (unsigned long long)values[i]);
        assert_text(o, want);
        json_decref(o);
        o = document_read(want, strlen(want));
        assert_non_null(o);
        assert_true(document_value(json_object_get(o, "n")) == values[i]);
        assert_text(o, want);
        json_decref(o);
    }
}

static void texts_are_no_numbers(void **state)
{
    (void)state;
    static const char *const same[] = {
        "{\"a\":\"18446744073709551615\",\"b\":[18446744073709551615,-5,1.5,18446744073709551614]}",
        "{\"a\":\"\\\"18446744073709551615\",\"b\":\"\\\\\",\"c\":9223372036854775808}",
        "[\"\\\\u000118446744073709551615\",\"\\\"\\\\u00011\"]",
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        json_t *o = document_read(same[i], strlen(same[i]));
        assert_non_null(o);
        assert_text(o, same[i]);
        json_decref(o);
    }
    static const char *const none[] = {"", "{", "[123456789012345678901]",
                                       "[-9223372036854775809]"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        assert_null(document_read(none[i], strlen(none[i])));
    }
}

static void what_is_read_is_clean(void **state)
{
    (void)state;
    static const char text[] = "{\"name\":\"a\\u001b]0;t\\u0007\",\"bad\\u001bkey\":1,"
                               "\"list\":[\"\\u009b2J\",\"\\u202egpj\",\"\xc3\xa4\"],"
                               "\"like a number\":\"\\u000112\\u001b\"}";
    json_t *o = document_read(text, strlen(text));
    assert_non_null(o);
    assert_text(o, "{\"name\":\"a\\\\x1b]0;t\\\\x07\","
                   "\"list\":[\"\\\\xc2\\\\x9b2J\",\"\\\\xe2\\\\x80\\\\xaegpj\",\"\xc3\xa4\"],"
                   "\"like a number\":\"\\\\x0112\\\\x1b\"}");
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_of_64_bits),
        cmocka_unit_test(texts_are_no_numbers),
        cmocka_unit_test(what_is_read_is_clean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
