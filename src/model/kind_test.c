/* SPDX-License-Identifier: Apache-2.0
 *
 * Each type of field, by a kind that has all of them.
 */
#include "model/kind.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "model/texts.h"

static int no_x(const char *text, struct error *err)
{
    return strchr(text, 'x') ? error_set(err, EINVAL, "there is an x in it") : 0;
}

enum {
    F_WORD = FIELDS_COMMON,
    F_N,
    F_ANY,
    F_BOOL,
    F_TIME,
    F_TEXTS,
    F_TEXT,
    F_OTHER,
};

static const struct field fields[] = {
    KIND_COMMON,
    [F_WORD] = {.name = "word", .type = FIELD_WORD, .words = "one|two|three", .dflt = "two"},
    [F_N] = {.name = "n", .type = FIELD_INT, .min = -3, .max = 12, .dflt = "7"},
    [F_ANY] = {.name = "any", .type = FIELD_INT, .flags = FIELD_NULL},
    [F_BOOL] = {.name = "flag", .type = FIELD_BOOL, .dflt = "true"},
    [F_TIME] = {.name = "start", .type = FIELD_TIME, .flags = FIELD_NULL},
    [F_TEXTS] = {.name = "points", .type = FIELD_TEXTS, .min = 1, .max = 2, .dflt = "a,b"},
    [F_TEXT] = {.name = "text", .type = FIELD_TEXT, .min = 2, .max = 4, .check = no_x},
    [F_OTHER] = {.name = "other", .type = FIELD_ID, .flags = FIELD_NULL | FIELD_HIDDEN},
};
static const struct kind kind = {"thing", "things", fields, ARRAY_SIZE(fields)};

/* ---- text into values ---- */

static void takes(unsigned field, const char *text, const char *as_text, int64_t as_n)
{
    struct value v = {0};
    struct error err = {""};
    if (field_parse(&fields[field], text, &v, &err) < 0) {
        fail_msg("%s", err.text);
    }
    assert_true(v.set);
    if (as_text) {
        assert_string_equal(v.text, as_text);
    } else {
        assert_true(v.n == as_n && !v.text);
    }
    value_done(&v);
}

static void refuses(unsigned field, const char *text, const char *sentence)
{
    struct value v = {.set = true, .n = 99};
    struct error err = {""};
    assert_int_equal(field_parse(&fields[field], text, &v, &err), -EINVAL);
    assert_string_equal(err.text, sentence);
    assert_true(v.set && v.n == 99 && !v.text); /* untouched */
}

static void test_words(void **state)
{
    size_t len;
    (void)state;
    takes(F_WORD, "one", "one", 0);
    takes(F_WORD, "three", "three", 0);
    refuses(F_WORD, "four", "word: \"four\" is not one of one, two, three");
    refuses(F_WORD, "", "word: \"\" is not one of one, two, three");
    refuses(F_WORD, "one|two", "word: \"one|two\" is not one of one, two, three");
    refuses(F_WORD, "tw", "word: \"tw\" is not one of one, two, three");
    refuses(F_WORD, "a\x1b[31mred, and much longer than any word of ours",
            "word: \"a\\x1b[31mred, and much longer than any ...\" is not one of one, two, three");
    assert_int_equal(field_word(&fields[F_WORD], "three"), 2);
    assert_int_equal(field_word(&fields[F_N], "three"), -ENOENT);
    assert_memory_equal(field_word_at(&fields[F_WORD], 1, &len), "two", 3);
    assert_int_equal(len, 3);
    assert_null(field_word_at(&fields[F_WORD], 3, &len));
}

static void test_numbers(void **state)
{
    (void)state;
    takes(F_N, "-3", NULL, -3);
    takes(F_N, "12", NULL, 12);
    takes(F_N, "007", NULL, 7);
    refuses(F_N, "13", "n: 13 is not from -3 to 12");
    refuses(F_N, "-4", "n: -4 is not from -3 to 12");
    refuses(F_N, "", "n: \"\" is not a whole number");
    refuses(F_N, "-", "n: \"-\" is not a whole number");
    refuses(F_N, "+1", "n: \"+1\" is not a whole number");
    refuses(F_N, "1.5", "n: \"1.5\" is not a whole number");
    refuses(F_N, "1 ", "n: \"1 \" is not a whole number");
    takes(F_ANY, "9223372036854775807", NULL, INT64_MAX);
    takes(F_ANY, "-9223372036854775808", NULL, INT64_MIN);
    refuses(F_ANY, "9223372036854775808", "any: \"9223372036854775808\" is not a whole number");
    refuses(F_ANY, "-9223372036854775809", "any: \"-9223372036854775809\" is not a whole number");
    takes(F_BOOL, "true", NULL, 1);
    takes(F_BOOL, "false", NULL, 0);
    refuses(F_BOOL, "1", "flag: \"1\" is neither true nor false");
}

static void test_times(void **state)
{
    (void)state;
    takes(F_TIME, "2026-11-20T14:03:10.5Z", NULL, INT64_C(1795183390500000000));
    takes(F_TIME, "1795183390.5", NULL, INT64_C(1795183390500000000));
    refuses(F_TIME, "tomorrow", "start: \"tomorrow\" is not a time such as 2026-11-20T14:03:10Z");
    refuses(F_TIME, "1e99", "start: \"1e99\" is not a time such as 2026-11-20T14:03:10Z");
    refuses(F_TIME, "now", "start: \"now\" is not a time such as 2026-11-20T14:03:10Z");
}

static void test_texts(void **state)
{
    char longest[TEXTS_ITEM + 1];
    (void)state;
    takes(F_TEXTS, "eth0", "[\"eth0\"]", 0);
    takes(F_TEXTS, "a b,c\"d", "[\"a b\",\"c\\\"d\"]", 0);
    refuses(F_TEXTS, "a,b,c", "points: has 3, and must have from 1 to 2");
    refuses(F_TEXTS, "", "points: has 0, and must have from 1 to 2");
    refuses(F_TEXTS, "a,",
            "points: is not a list of texts of 1 to 255 bytes with commas between them");
    refuses(F_TEXTS, ",a",
            "points: is not a list of texts of 1 to 255 bytes with commas between them");
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    refuses(F_TEXTS, longest,
            "points: is not a list of texts of 1 to 255 bytes with commas between them");
    takes(F_TEXT, "ab", "ab", 0);
    takes(F_TEXT, "\xc3\xa9", "\xc3\xa9", 0);
    refuses(F_TEXT, "a", "text: has 1 bytes, and must have from 2 to 4");
    refuses(F_TEXT, "abcde", "text: has 5 bytes, and must have from 2 to 4");
    refuses(F_TEXT, "a\nb", "text: has control characters, or is not UTF-8");
    refuses(F_TEXT, "a\xff", "text: has control characters, or is not UTF-8");
    refuses(F_TEXT, "axe", "text: there is an x in it");
}

static void test_ids(void **state)
{
    struct value large = {true, 0, (char *)"0199C1D2-7c1e-7a30-9f3e-0f2f6f0c1a55"};
    (void)state;
    takes(FIELD_OF_ID, "0199C1D2-7c1e-7a30-9f3e-0f2f6f0c1a55",
          "0199c1d2-7c1e-7a30-9f3e-0f2f6f0c1a55", 0);
    refuses(FIELD_OF_ID, "../x", "id: \"../x\" is not a UUID in small letters");
    assert_int_equal(field_check(&fields[FIELD_OF_ID], &large, NULL), -EINVAL);
}

/* ---- checks of values that came by another way ---- */

static void test_check(void **state)
{
    struct error err = {""};
    const struct value none = {0}, two = {true, 2, NULL}, late = {true, TIME_TEXT_END, NULL};
    const struct value list = {true, 0, (char *)"[\"a\", \"b\"]"};
    (void)state;
    assert_int_equal(field_check(&fields[F_ANY], &none, &err), 0);
    assert_int_equal(field_check(&fields[F_N], &none, &err), -EINVAL);
    assert_string_equal(err.text, "n: has no value");
    assert_int_equal(field_check(&fields[F_BOOL], &two, &err), -EINVAL);
    assert_string_equal(err.text, "flag: is neither true nor false");
    assert_int_equal(field_check(&fields[F_TIME], &late, &err), -EINVAL);
    assert_string_equal(err.text, "start: is not a time from 1970 to 2199");
    assert_int_equal(field_check(&fields[F_TEXTS], &list, &err), -EINVAL);
    assert_string_equal(err.text, "points: is not a list of texts of up to 255 bytes each");
}

/* ---- objects ---- */

static void test_objects(void **state)
{
    struct object o, copy;
    (void)state;
    object_init(&o, &kind);
    object_init(&copy, &kind);
    assert_int_equal(object_set_text(&copy, F_TEXT, "old"), 0);
    object_set_int(&o, F_N, 3);
    assert_int_equal(object_defaults(&o, NULL), 0);
    assert_int_equal(o.v[F_N].n, 3); /* it had a value */
    assert_string_equal(o.v[F_WORD].text, "two");
    assert_string_equal(o.v[F_TEXTS].text, "[\"a\",\"b\"]");
    assert_int_equal(o.v[F_BOOL].n, 1);
    assert_false(o.v[F_ANY].set);
    assert_int_equal(object_set_text(&o, F_TEXT, "one"), 0);
    assert_int_equal(object_set_text(&o, F_TEXT, o.v[F_TEXT].text), 0); /* of itself */
    assert_int_equal(object_copy(&copy, &o), 0);
    for (size_t i = 0; i < kind.n; i++) {
        assert_int_equal(value_compare(&fields[i], &o.v[i], &copy.v[i]), 0);
        assert_true(!o.v[i].text || o.v[i].text != copy.v[i].text);
    }
    object_set_null(&o, F_TEXT);
    assert_false(o.v[F_TEXT].set);
    assert_string_equal(copy.v[F_TEXT].text, "one");
    object_done(&o);
    object_done(&o);
    object_done(&copy);
}

static void test_compare(void **state)
{
    const struct value none = {0}, low = {true, INT64_MIN, NULL}, high = {true, INT64_MAX, NULL};
    const struct value a = {true, 0, (char *)"a"}, e = {true, 0, (char *)"\xc3\xa9"};
    (void)state;
    assert_int_equal(value_compare(&fields[F_ANY], &none, &none), 0);
    assert_true(value_compare(&fields[F_ANY], &none, &low) < 0);
    assert_true(value_compare(&fields[F_ANY], &low, &none) > 0);
    assert_true(value_compare(&fields[F_ANY], &low, &high) < 0);
    assert_true(value_compare(&fields[F_ANY], &high, &low) > 0);
    assert_true(value_compare(&fields[F_TEXT], &a, &e) < 0); /* bytes are unsigned */
    assert_true(value_compare(&fields[F_TEXT], &none, &a) < 0);
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(kind_find(&kind, "points"), F_TEXTS);
    assert_int_equal(kind_find(&kind, "id"), FIELD_OF_ID);
    assert_int_equal(kind_find(&kind, "point"), -ENOENT);
    assert_string_equal(kind_nearest(&kind, "point"), "points");
    assert_null(kind_nearest(&kind, "temperature"));
    assert_null(kind_nearest(&kind, "othes")); /* "other" is hidden */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),   cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_times),   cmocka_unit_test(test_texts),
        cmocka_unit_test(test_ids),     cmocka_unit_test(test_check),
        cmocka_unit_test(test_objects), cmocka_unit_test(test_compare),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
