/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists of texts; the JSON library is the judge of their form.
 */
#include "model/texts.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"

static const char *const items[] = {"eth0", "a\"b", "c\\", "\\\"", "\xc3\xa9", ",", "]"};

static void test_there_and_back(void **state)
{
    char list[256] = TEXTS_NONE, item[TEXTS_ITEM];
    (void)state;
    assert_int_equal(texts_count(list), 0);
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        assert_int_equal(texts_add(list, sizeof(list), items[i]), 0);
        assert_int_equal(texts_count(list), i + 1);
    }
    const char *at = list;
    json_t *judge = json_loads(list, 0, NULL);
    assert_int_equal(json_array_size(judge), ARRAY_SIZE(items));
    for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
        assert_int_equal(texts_next(&at, item), 1);
        assert_string_equal(item, items[i]);
        assert_string_equal(json_string_value(json_array_get(judge, i)), items[i]);
    }
    assert_int_equal(texts_next(&at, item), 0);
    assert_int_equal(texts_next(&at, item), 0);
    json_decref(judge);
}

static void test_room(void **state)
{
    char list[11] = TEXTS_NONE, longest[TEXTS_ITEM], whole[2 * TEXTS_ITEM] = TEXTS_NONE;
    (void)state;
    assert_int_equal(texts_add(list, sizeof(list), "abc"), 0); /* ["abc"] */
    assert_int_equal(texts_add(list, sizeof(list), "d"), -EMSGSIZE);
    assert_string_equal(list, "[\"abc\"]");
    assert_int_equal(texts_add(list, sizeof(list), ""), -EINVAL);
    assert_int_equal(texts_add(list, sizeof(list), "a\nb"), -EINVAL);
    assert_int_equal(texts_add(list, sizeof(list), "\xff"), -EINVAL);
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(texts_add(whole, sizeof(whole), longest), 0);
    assert_int_equal(texts_count(whole), 1);
}

static void test_other_forms(void **state)
{
    char item[TEXTS_ITEM], longer[TEXTS_ITEM + 8] = "[\"";
    static const char *const wrong[] = {
        "",          "[",        "]",         "\"a\"",    "[\"a\"",    "[\"a\",]",
        "[\"a\" ]",  "[ \"a\"]", "[\"\"]",    "[\"a]",    "[\"\\n\"]", "[\"\\u0041\"]",
        "[\"a\"]x",  "[,\"a\"]", "[\"a\"\"]", "[1]",      "[[\"a\"]]", "[\"\x01\"]",
        "[\"a\\\"]", "[\"\\",    "[]]",       "[]\"a\"]", ",\"a\"]",   "[\"a\",\"\xc3\"]",
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
        if (texts_count(wrong[i]) != -EINVAL) {
            fail_msg("%s is accepted", wrong[i]);
        }
    }
    memset(longer + 2, 'x', TEXTS_ITEM);
    memcpy(longer + 2 + TEXTS_ITEM, "\"]", 3);
    const char *at = longer;
    assert_int_equal(texts_next(&at, item), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_other_forms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
