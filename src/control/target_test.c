/* SPDX-License-Identifier: Apache-2.0
 *
 * Targets taken apart: segments and parameters as they were meant, and each way to mean another
 * path than is written refused.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "control/target.h"

static struct target parsed(const char *raw)
{
    struct target t;
    struct error err = {""};
    int r = target_parse(raw, &t, &err);
    assert_string_equal(err.text, "");
    assert_int_equal(r, 0);
    return t;
}

static void segments(void **state)
{
    (void)state;
    struct target t = parsed("/v1/captures/a%20b/d%C3%A4ta");
    assert_int_equal(t.n_segments, 4);
    assert_string_equal(t.segment[0], "v1");
    assert_string_equal(t.segment[2], "a b");
    assert_string_equal(t.segment[3], "d\xc3\xa4ta");
    target_done(&t);
    t = parsed("/");
    assert_int_equal(t.n_segments, 0);
    target_done(&t);
    t = parsed("//a/");
    assert_int_equal(t.n_segments, 3);
    assert_string_equal(t.segment[0], "");
    assert_string_equal(t.segment[2], "");
    target_done(&t);
    t = parsed("/1/2/3/4/5/6/7/8");
    assert_int_equal(t.n_segments, TARGET_SEGMENTS);
    target_done(&t);
    t = parsed("/1/2/3/4/5/6/7/8/9/10");
    assert_int_equal(t.n_segments, TARGET_SEGMENTS + 1);
    target_done(&t);
}

static void parameters(void **state)
{
    (void)state;
    struct target t = parsed("/a?x=1&&y=a+b%2Bc&z&w==");
    assert_int_equal(t.n_parameters, 4);
    assert_string_equal(target_parameter(&t, "x"), "1");
    assert_string_equal(target_parameter(&t, "y"), "a b+c");
    assert_string_equal(target_parameter(&t, "z"), "");
    assert_string_equal(target_parameter(&t, "w"), "=");
    assert_null(target_parameter(&t, "X"));
    target_done(&t);
    t = parsed("/a+b?"); /* a plus in a path is one */
    assert_string_equal(t.segment[0], "a+b");
    assert_int_equal(t.n_parameters, 0);
    target_done(&t);
}

static void twice(void **state)
{
    (void)state;
    struct target t = parsed("/a?x=1&y=2&%78=3&y=4");
    assert_string_equal(t.twice, "x");
    assert_string_equal(target_parameter(&t, "x"), "1");
    assert_int_equal(t.n_parameters, 4);
    assert_string_equal(t.parameter[2].value, "3");
    target_done(&t);
    t = parsed("/a?x=1&y=2");
    assert_null(t.twice);
    target_done(&t);
}

static void trimmed(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *last;
        unsigned n;
    } cases[] = {
        {"/a/b.json", "b", 2},    {"/a/b", "b", 2},      {"/a/b/", "b", 2},
        {"/a/.json", ".json", 2}, {"/a.json/b", "b", 2}, {"/a/b.json.json", "b.json", 2},
        {"/a//", "", 2},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct target t = parsed(cases[i].raw);
        target_trim(&t, ".json");
        assert_int_equal(t.n_segments, cases[i].n);
        assert_string_equal(t.segment[t.n_segments - 1], cases[i].last);
        target_done(&t);
    }
    struct target t = parsed("/");
    target_trim(&t, ".json");
    assert_int_equal(t.n_segments, 0);
    target_done(&t);
    t = parsed("/1/2/3/4/5/6/7/8/9.json");
    target_trim(&t, ".json");
    assert_int_equal(t.n_segments, TARGET_SEGMENTS + 1);
    target_done(&t);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *raw, *words;
    } cases[] = {
        {"v1", "slash"},
        {"http://a/v1", "slash"},
        {"", "slash"},
        {"*", "slash"},
        {"/a#b", "fragment"},
        {"/a%00", "zero byte"},
        {"/a%0a", "control"},
        {"/a\x7f", "control"},
        {"/a%7F", "control"},
        {"/a%", "hexadecimal"},
        {"/a%4", "hexadecimal"},
        {"/a%4/b", "hexadecimal"},
        {"/a%zz", "hexadecimal"},
        {"/%ff", "UTF-8"},
        {"/\xc3", "UTF-8"},
        {"/%c0%af", "UTF-8"},
        {"/%e2%80%ae", "UTF-8"}, /* turns the direction of what follows */
        {"/a/../b", "dots"},
        {"/a/%2e%2E/b", "dots"},
        {"/.", "dots"},
        {"/a/b%2fc", "slash"},
        {"/a/b%5cc", "slash"},
        {"/a?=1", "without a name"},
        {"/a?x=%00", "zero byte"},
        {"/a?%=1", "hexadecimal"},
        {"/a?x=%fe", "UTF-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct target t = {.n_segments = 77};
        struct error err = {""};
        assert_int_equal(target_parse(cases[i].raw, &t, &err), -EINVAL);
        assert_int_equal(t.n_segments, 77);
        if (!strstr(err.text, cases[i].words)) {
            fail_msg("%s: %s", cases[i].raw, err.text);
        }
        assert_true(text_is_clean(err.text));
    }
}

static void too_many_parameters(void **state)
{
    (void)state;
    char raw[1024] = "/?";
    struct target t;
    struct error err = {""};
    for (unsigned i = 0; i <= TARGET_PARAMETERS; i++) {
        if (i == TARGET_PARAMETERS) {
            assert_int_equal(target_parse(raw, &t, &err), 0);
            assert_int_equal(t.n_parameters, TARGET_PARAMETERS);
            target_done(&t);
        }
        size_t at = strlen(raw);
        (void)snprintf(raw + at, sizeof(raw) - at, "p%u=1&", i);
    }
    assert_int_equal(target_parse(raw, &t, &err), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(segments), cmocka_unit_test(parameters),
        cmocka_unit_test(twice),    cmocka_unit_test(trimmed),
        cmocka_unit_test(refused),  cmocka_unit_test(too_many_parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
